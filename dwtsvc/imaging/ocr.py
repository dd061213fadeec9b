"""Reading the text of a page: how it is to be read, which engines and languages there are, and `read` itself.

Measured over eight typescript pages of 180 and 300 dpi: read at 200 dpi tesseract takes 0.7 of the time that it takes
at 300, at 150 dpi 0.6, with no more errors; larger than scanned it takes longer and errs more.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dwtsvc.errors import BadArguments, BadInput
from dwtsvc.imaging.resolution import believable, guess_dpi
from dwtsvc.text import Box, Line, Text, Word

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "ENGINES",
    "Reading",
    "believable",
    "check",
    "engines",
    "guess_dpi",
    "languages",
    "read",
    "readable",
    "reduction",
    "resized",
    "wanted_dpi",
]

ENGINES = ("tesseract", "rapidocr")
USUAL_DPI, FAST_DPI = 200, 150
LANGUAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,39}(/[A-Za-z0-9][A-Za-z0-9_-]{1,39})?")
MOST_LANGUAGES = 12
WITHOUT_TEXT = (0, 2)  # page segmentation modes that only look at the layout
WITH_ORIENTATION = (1, 12)  # those that need osd.traineddata
LONGEST_SIDE = 32_767  # pixels that tesseract takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How pages are read.

    `languages` are tesseract's names, joined by "+"; RapidOCR reads what its one model can and ignores them, `psm`
    (tesseract's page segmentation mode, None is its own choice), `tessdata` (a folder of models) and `timeout`
    (seconds a page). `fast` reads at 150 dpi instead of 200, `full` at the scan's own resolution.
    """

    languages: str = "eng"
    engine: str = "tesseract"
    psm: int | None = None
    fast: bool = False
    full: bool = False
    tessdata: str | None = None
    timeout: float = 120.0


def check(reading: Reading) -> None:
    """Raise BadArguments for what makes no sense, MissingDependency for an engine or language that is not there."""
    if reading.engine not in ENGINES:
        raise BadArguments(f"There is no OCR engine '{reading.engine}'", hint=f"Choose one of: {', '.join(ENGINES)}.")
    if reading.fast and reading.full:
        raise BadArguments("A page cannot be read fast and at full resolution at once")
    if not 0 < reading.timeout < math.inf:
        raise BadArguments(f"A page cannot be read within {reading.timeout:g} seconds")
    _check_psm(reading.psm)
    names = _names(reading.languages)
    if reading.engine == "rapidocr":
        from dwtsvc.imaging import rapid

        rapid.check()
        return
    from dwtsvc.imaging import tesseract

    tesseract.check([*names, "osd"] if reading.psm in WITH_ORIENTATION else names, reading.tessdata)


def _check_psm(psm: int | None) -> None:
    if psm is not None and (psm not in range(14) or psm in WITHOUT_TEXT):
        hint = "Choose 1 or 3 to 13: 3 finds columns itself, 4 is for one column, 6 for one block, 11 for single words."
        raise BadArguments(f"Page segmentation mode {psm} reads no text", hint=hint)


def _names(languages: str) -> list[str]:
    """The languages one by one. They come to stand on a command line."""
    names = languages.split("+")
    if len(names) > MOST_LANGUAGES:
        raise BadArguments(f"A page cannot be read in more than {MOST_LANGUAGES} languages")
    for name in names:
        if not LANGUAGE.fullmatch(name) or name == "osd":
            hint = "Give tesseract's names, joined by +: eng, deu, eng+fra, script/Latin."
            raise BadArguments(f"There is no language '{name[:40]}'", hint=hint)
    return names


def languages(tessdata: str | None = None) -> list[str]:
    """The languages that tesseract can read, sorted, "osd" (which is for orientation) among them.

    Raises MissingDependency without tesseract, BadArguments for a `tessdata` that is no folder, ChildProgramFailed.
    """
    from dwtsvc.imaging import tesseract

    return tesseract.languages(tessdata)


def engines() -> dict[str, str | None]:
    """The version of each engine, None of one that is not installed."""
    from dwtsvc.imaging import rapid, tesseract

    return {"tesseract": tesseract.version(), "rapidocr": rapid.version()}


def wanted_dpi(reading: Reading) -> float:
    """The resolution at which a page is read that has more; endless for one that is read as it was scanned.

    Who decodes a page for `read` alone may decode it no larger: `image.draft("L", ...)` halves a JPEG for nothing.
    """
    if reading.full:
        return math.inf
    return FAST_DPI if reading.fast else USUAL_DPI


def reduction(dpi: float, reading: Reading) -> float:
    """How much smaller than scanned at `dpi` a page is read: more than 0, at most 1."""
    return min(1.0, wanted_dpi(reading) / dpi) if dpi > 0 else 1.0


def read(image: Image.Image, dpi: float, reading: Reading) -> Text:
    """The text of an upright page of any mode, with boxes in its pixels, in reading order.

    `reading` has been through `check`. Raises BadInput for an image that is too large, MissingDependency,
    ChildProgramFailed when tesseract fails, dies or does not end in time.
    """
    _names(reading.languages)
    if not 0 < dpi < math.inf:
        raise BadArguments(f"A page cannot be read at {dpi:g} dpi", hint="Estimate it: guess_dpi tells what is likely.")
    small = readable(image, reduction(dpi, reading))
    small_dpi = dpi * small.width / image.width
    if reading.engine == "rapidocr":
        from dwtsvc.imaging import rapid

        text = rapid.read(small, small_dpi, reading)
    else:
        from dwtsvc.imaging import tesseract

        text = tesseract.read(small, small_dpi, reading)
    return resized(text, image.width, image.height, dpi)


def readable(image: Image.Image, scale: float = 1.0) -> Image.Image:
    """An image of any mode as engines take it: in mode 1 or L, and not larger than `scale` times its size.

    Tesseract takes 0.7 of the time for gray that it takes for colour, and errs less. Raises BadInput for an image that
    is too large for it even so.
    """
    from PIL.Image import Resampling

    from dwtsvc.imaging.pixels import plain, to_8bit

    image = to_8bit(plain(image))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    if max(size) > LONGEST_SIDE:
        raise BadInput(f"An image of {image.width} x {image.height} pixels is too large to be read")
    if size != image.size:
        return image.convert("L").resize(size, Resampling.BICUBIC, reducing_gap=2)
    return image if image.mode in ("1", "L") else image.convert("L")


def resized(text: Text, width: int, height: int, dpi: float) -> Text:
    """The text as it lies on the same page of another size: what was read from a small picture, on the page itself."""
    if (text.width, text.height) == (width, height):
        return replace(text, dpi=dpi)
    across, down = width / text.width, height / text.height

    def moved(box: Box) -> Box:
        left, top = min(width - 1, int(box[0] * across)), min(height - 1, int(box[1] * down))
        right, bottom = min(width, math.ceil(box[2] * across)), min(height, math.ceil(box[3] * down))
        return left, top, max(left + 1, right), max(top + 1, bottom)

    def moved_line(line: Line) -> Line:
        words = tuple(Word(text=word.text, box=moved(word.box), confidence=word.confidence) for word in line.words)
        return replace(line, words=words, box=moved(line.box))

    return replace(text, width=width, height=height, dpi=dpi, lines=tuple(map(moved_line, text.lines)))
