"""What the shell offers on TAB for an option's value."""

from __future__ import annotations


def _starting(words: list[str], incomplete: str) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]


def source(incomplete: str) -> list[str]:
    from dwtsvc.model import Source

    return _starting(list(Source), incomplete)


def mode(incomplete: str) -> list[str]:
    from dwtsvc.model import Mode

    return _starting(list(Mode), incomplete)


def size(incomplete: str) -> list[str]:
    from dwtsvc.kinds import PAPERS

    return _starting(list(PAPERS), incomplete)


def format(incomplete: str) -> list[str]:
    from dwtsvc.suffixes import FORMATS

    return _starting(list(FORMATS), incomplete)


def tiff_compression(incomplete: str) -> list[str]:
    return _starting(["auto", "g4", "lzw", "deflate", "jpeg", "none"], incomplete)


def check(incomplete: str) -> list[str]:
    from dwtsvc.doctor import CHECKS

    return _starting(list(CHECKS), incomplete)


def barcode_types(incomplete: str) -> list[str]:
    """The last type of a list that is being typed, after those before it."""
    from dwtsvc.imaging.barcode import TYPES

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{word}" for word in _starting(list(TYPES), last)]


def barcode_engine(incomplete: str) -> list[str]:
    return _starting(["auto", "zxing", "zbar", "both"], incomplete)


def language(incomplete: str) -> list[str]:
    """The last of the languages that are being typed, after those before it."""
    from dwtsvc.errors import DwtsvcError
    from dwtsvc.imaging.ocr import languages

    before, plus, last = incomplete.rpartition("+")
    try:
        known = [word for word in languages() if word != "osd"]
    except DwtsvcError:
        return []
    return [f"{before}{plus}{word}" for word in _starting(known, last)]


def crop(incomplete: str) -> list[str]:
    return _starting(["paper", "content"], incomplete)


def threshold(incomplete: str) -> list[str]:
    return _starting(["otsu", "sauvola"], incomplete)


def parts(incomplete: str) -> list[str]:
    return _starting(["photos", "book", "document"], incomplete)
