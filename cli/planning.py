"""What `dwtsvc scan` is asked for: options over profile over settings, checked before anything is touched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dwtsvc import config, kinds, profiles
from dwtsvc.errors import BadArguments, BadInput
from dwtsvc.formats import PageEncoder
from dwtsvc.model import Area, ScanRequest
from dwtsvc.paths import Paths
from dwtsvc.records import BadRecord, unpack
from dwtsvc.suffixes import DOCUMENTS, format_of
from dwtsvc_cli.wishes import Wishes

if TYPE_CHECKING:
    from dwtsvc.config import Settings

DEFAULT_OUTPUT = "scan.pdf"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for, with every default filled in but the scanner."""

    paths: Paths
    settings: Settings
    area: Area | None
    pages: int | None
    options: tuple[tuple[str, str], ...]
    output: str
    format: str
    or_virtual: bool
    wishes: Wishes

    @property
    def encoder(self) -> PageEncoder:
        settings = self.settings
        return PageEncoder(
            self.format,
            quality=settings.quality,
            tiff_compression=settings.tiff_compression,
            **self.wishes.described,
            conformance=self.wishes.conformance,
            digests=self.wishes.receipt,
        )

    @property
    def receipt_inside(self) -> bool:
        """Whether the receipt is to lie inside the file, too: PDF/A-3 can hold it."""
        return self.wishes.receipt and self.format == "pdf" and self.wishes.conformance == "pdfa-3b"

    def resumed(self, about: dict[str, Any]) -> Plan:
        """The same for a scan that was interrupted, with the name and the wishes that it had."""
        try:
            wishes = unpack(Wishes, about["wishes"])
            return replace(self, output=str(about["output"]), format=_format(about["output"], "auto"), wishes=wishes)
        except (KeyError, BadRecord) as error:
            hint = "Write its pages with --recover and the options you want."
            raise BadInput("This scan cannot be resumed", why=f"{type(error).__name__}: {error}", hint=hint) from error

    def request(self, device: str) -> ScanRequest:
        return ScanRequest(
            device=device,
            source=self.settings.source,
            mode=self.settings.mode,
            resolution=self.settings.resolution,
            area=self.area,
            pages=self.pages,
            options=self.options,
        )


def plan(
    flags: Mapping[str, Any],
    *,
    area: str | None,
    pages: int | None,
    options: list[str],
    profile: str | None,
    output: str | None,
    or_virtual: bool,
    wishes: Wishes,
) -> Plan:
    """Options over profile over settings. Raises BadArguments or BadConfiguration before anything is touched."""
    paths = Paths.from_environment(os.environ)
    named = profiles.profile(paths, profile) if profile else profiles.Profile(name="")
    said = {key: kind.show(value) for key, kind in profiles.KEYS.items() if (value := getattr(named, key)) is not None}
    given = {key: value for key, value in flags.items() if value is not None}
    wanted = {key: value for key, value in said.items() if key in config.SETTINGS} | given
    settings = config.load(paths, os.environ, wanted).settings
    target = output or named.output or DEFAULT_OUTPUT
    format = _format(target, settings.format)
    return Plan(
        paths=paths,
        settings=settings,
        area=_area(area, flags.get("size"), named, settings),
        pages=_pages(pages or named.pages, target, format),
        options=named.options + tuple(_option(text) for text in options),
        output=target,
        format=format,
        or_virtual=or_virtual,
        wishes=wishes,
    )


def _format(target: str, wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "pdf" if target == "-" else format_of(target)


def _area(area: str | None, size: str | None, named: profiles.Profile, settings: Settings) -> Area | None:
    if area and size:
        raise BadArguments("--area and --size exclude each other")
    if area:
        return kinds.AREA.argument("--area", area)
    if named.area and not size:
        return named.area
    return kinds.paper_area(settings.size)


def _pages(pages: int | None, target: str, format: str) -> int | None:
    """Standard output takes one image only: from a feeder it would otherwise be a heap of them."""
    if target != "-" or format in DOCUMENTS:
        return pages
    if pages not in (None, 1):
        raise BadArguments(f"Standard output takes one {format} page", hint="Use --format pdf or tiff, or write files.")
    return 1


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise BadArguments(f"--option '{text}' is not NAME=VALUE", hint="`dwtsvc devices -c DEVICE` lists the names.")
    return name, value
