"""The formats dwtsvc writes, and the file-name suffixes that ask for them."""

from __future__ import annotations

from pathlib import PurePath

from dwtsvc.errors import BadArguments

FORMATS: dict[str, tuple[str, ...]] = {
    "jpeg": (".jpg", ".jpeg", ".jpe"),
    "png": (".png",),
    "tiff": (".tif", ".tiff"),
    "bmp": (".bmp", ".dib"),
    "webp": (".webp",),
    "pdf": (".pdf",),
}
DOCUMENTS = frozenset({"tiff", "pdf"})  # hold many pages; the others hold one page a file


def format_of(path: str) -> str:
    """The format a file name's suffix asks for; BadArguments lists the known ones."""
    suffix = PurePath(path).suffix.lower()
    for name, suffixes in FORMATS.items():
        if suffix in suffixes:
            return name
    known = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
    raise BadArguments(
        f"'{path}' does not say what format to write", hint=f"End it in one of: {known}; or give --format."
    )
