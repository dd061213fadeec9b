"""What was found on a page, as far as splitting and naming ask: the answers of whoever looked at its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from dwtsvc.model import MM_PER_INCH, Barcode
from dwtsvc.text import Text

BLANK = 0.5  # the score from which a page counts as blank
PATCH = "patch"  # the type of a patch code, whose text is T, 1, 2, 3, 4 or 6
PATCHT = "PATCHT"  # what paperless-ngx, NAPS2 and `dwtsvc barcode sheet` print in the codes of separator sheets


class Looked(Protocol):
    """Whatever tells what was found on a page of `width` x `height` pixels at `dpi`."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def dpi(self) -> float: ...

    @property
    def barcodes(self) -> tuple[Barcode, ...]: ...

    @property
    def text(self) -> Text | None: ...

    @property
    def blank(self) -> float | None: ...

    @property
    def black(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """One page in scan order. `back` is the reverse of the sheet before; `blank` a score of 0 to 1, None where nobody
    looked; `width` and `height` are mm, 0 where they are not known."""

    number: int  # 1..
    back: bool = False
    barcodes: tuple[Barcode, ...] = ()
    text: str = ""
    blank: float | None = None
    black: bool = False
    width: float = 0.0
    height: float = 0.0

    @classmethod
    def of(cls, number: int, back: bool, found: Looked) -> PageFacts:
        return cls(
            number=number,
            back=back,
            barcodes=found.barcodes,
            text=found.text.plain if found.text else "",
            blank=found.blank,
            black=found.black,
            width=found.width * MM_PER_INCH / found.dpi,
            height=found.height * MM_PER_INCH / found.dpi,
        )

    @property
    def is_blank(self) -> bool:
        """A page that carries a code has something to say, however little ink that takes."""
        return self.blank is not None and self.blank >= BLANK and not self.barcodes


def is_patch_t(code: Barcode) -> bool:
    """Whether a code says no more than that a document begins here."""
    text = code.text.strip().upper()
    return text == "T" if is_patch(code) else text == PATCHT


def is_patch(code: Barcode) -> bool:
    return code.type.lower() == PATCH
