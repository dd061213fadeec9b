"""Files inside a PDF that belong to the whole document: readers list them, PDF/A-3 calls them associated files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from dwtsvc.imaging.glyphless import packed
from dwtsvc.imaging.pdfa import date_string, text_string

RELATIONSHIP = "/Data"


def add(write: Callable[[bytes], int], name: str, data: bytes, mime: str, description: str, modified: datetime) -> int:
    """Write a file and its specification, each by `write`, which gives an object's number; the latter's number."""
    params = f"/Params << /Size {len(data)} /ModDate {date_string(modified).decode()} >>"
    file = write(packed(data, f" /Type /EmbeddedFile /Subtype {_name(mime)} {params}"))
    called = text_string(name).decode()
    described = f" /Desc {text_string(description).decode()}" if description else ""
    return write(
        f"<< /Type /Filespec /F {called} /UF {called}{described} /AFRelationship {RELATIONSHIP} "
        f"/EF << /F {file} 0 R /UF {file} 0 R >> >>".encode()
    )


def entries(attached: Mapping[str, int]) -> str:
    """What the catalog says of the files, from names to the numbers of their specifications."""
    if not attached:
        return ""
    named = sorted((text_string(name).decode(), number) for name, number in attached.items())
    tree = " ".join(f"{name} {number} 0 R" for name, number in named)
    listed = " ".join(f"{number} 0 R" for number in attached.values())
    return f" /Names << /EmbeddedFiles << /Names [{tree}] >> >> /AF [{listed}]"


def _name(text: str) -> str:
    """A PDF name, with what is no letter or digit in hexadecimal."""
    plain = (chr(byte) if chr(byte).isalnum() and byte < 128 else f"#{byte:02X}" for byte in text.encode())
    return "/" + "".join(plain)
