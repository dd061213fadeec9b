"""What is to be done with pages, from options: the recipe, the separators, and what the PDF is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dwtsvc.errors import BadArguments

if TYPE_CHECKING:
    from dwtsvc.config import Settings
    from dwtsvc.imaging.treatment import Cleaning
    from dwtsvc.pipeline.recipe import Recipe
    from dwtsvc.separators import Separator
    from dwtsvc.splitting import Splitter

CROPS, THRESHOLDS, PARTS = ("paper", "content"), ("otsu", "sauvola"), ("photos", "book", "document")
WITHOUT_BARCODES = frozenset(("text", "black", "blank", "size", "every"))  # separators; all others are codes
CONFORMANCE = {"pdf": None, "pdfa": "pdfa-2b", "pdfa-2": "pdfa-2b", "pdfa-3": "pdfa-3b"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options, as they were given. With none of them pages stay as they were scanned."""

    ocr: bool = False
    fast: bool = False
    rotate_pages: bool = False
    deskew: bool = False
    crop: str | None = None
    clean: bool = False
    dropout: str | None = None
    adjust: str | None = None
    threshold: str | None = None
    parts: str | None = None
    store_resolution: float | None = None
    drop_blank: bool = False
    split_on: tuple[str, ...] = ()
    output_type: str | None = None
    receipt: bool = False
    title: str = ""
    author: str = ""
    subject: str = ""
    keywords: str = ""
    workers: int | None = None
    executor: str = ""

    def __post_init__(self) -> None:
        _one_of("--crop", self.crop, CROPS)
        _one_of("--threshold", self.threshold, THRESHOLDS)
        _one_of("--parts", self.parts, PARTS)
        _one_of("--output-type", self.output_type, tuple(CONFORMANCE))

    @property
    def works(self) -> bool:
        """Whether anything is to be done with pages, and they do not just go into a file."""
        plain = {name: getattr(self, name) for name in ("output_type", "workers", *self.described)}
        return self != Wishes(**plain)

    @property
    def described(self) -> dict[str, str]:
        """What a PDF says of itself."""
        return {"title": self.title, "author": self.author, "subject": self.subject, "keywords": self.keywords}

    @property
    def conformance(self) -> str | None:
        return CONFORMANCE[self.output_type or "pdf"]

    @property
    def separators(self) -> list[Separator]:
        """Raises BadArguments for one that does not exist."""
        from dwtsvc.separators import parse

        return [parse(spec) for spec in self.split_on]

    @property
    def signs(self) -> frozenset[str]:
        """What separators look for on a page: kinds of separators, and "barcode" where one is a code."""
        kinds = frozenset(each.kind for each in self.separators)
        return kinds | {"barcode"} if kinds - WITHOUT_BARCODES else kinds

    def splitter(self, *, duplex: bool) -> Splitter:
        """Raises BadArguments for a separator that does not exist."""
        from dwtsvc.splitting import Splitter

        return Splitter(self.separators, duplex=duplex, drop_blank=self.drop_blank)

    def recipe(self, settings: Settings, reads: frozenset[str]) -> Recipe:
        """What a page worker does; `reads` is what names are made of: "barcode", "text".

        Raises BadArguments, and MissingDependency where text cannot be read here.
        """
        from dwtsvc.imaging import ocr
        from dwtsvc.pipeline.recipe import Recipe

        asked = self.signs | reads
        reading = None
        if self.ocr or "text" in asked:
            reading = ocr.Reading(languages=settings.language, tessdata=settings.tessdata, fast=self.fast)
            ocr.check(reading)
        codes = "barcode" in asked
        judged = self.drop_blank or self.receipt or codes or not asked.isdisjoint(("blank", "black"))
        return Recipe(
            orient=self.rotate_pages,
            parting=self.parts or "none",
            cleaning=self._cleaning(),
            judge=judged,
            measure=self.receipt,
            barcodes=() if codes else None,
            reading=reading,
            skip_blank=judged,
            store_dpi=self.store_resolution,
            quality=settings.quality,
        )

    def _cleaning(self) -> Cleaning:
        from dwtsvc.imaging.treatment import Cleaning

        brightness, contrast, gamma = _adjustment(self.adjust)
        crop: Literal["none", "paper", "content"] = self.crop or "none"  # type: ignore[assignment]
        threshold: Literal["otsu", "sauvola"] = self.threshold or "otsu"  # type: ignore[assignment]
        return Cleaning(
            deskew=self.deskew,
            crop=crop,
            despeckle=self.clean,
            whiten=self.clean,
            edges=self.clean,
            holes=self.clean,
            mode="lineart" if self.threshold else "keep",
            threshold=threshold,
            dropout=self.dropout or "",
            brightness=brightness,
            contrast=contrast,
            gamma=gamma,
        )


def _one_of(option: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise BadArguments(f"{option} cannot be '{value}'", hint=f"Choose one of: {', '.join(allowed)}.")


def _adjustment(text: str | None) -> tuple[int, int, float]:
    """Brightness, contrast and gamma; what is left out at the end stays as it is."""
    given = [part.strip() for part in text.split(",")] if text else []
    try:
        brightness, contrast, gamma = given + ["0", "0", "1"][len(given) :]
        return int(brightness), int(contrast), float(gamma)
    except ValueError:
        hint = "For example 10,20,1.2: brighter, more contrast, gamma."
        raise BadArguments(f"--adjust cannot be '{text}'", hint=hint) from None
