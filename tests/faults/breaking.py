"""Readers that go wrong, for children with limits: they see the library and nothing of the commands."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dwtsvc.imaging.pagecodes import PageCodes, Share


def breaking(
    sources: list[tuple[str | bytes, Share]], types: object, engine: str, dpi: float, draw: str, password: str | None
) -> Iterator[Any]:
    """Stands for `codes_of`: "kill" ends the process, "eat" wants all memory, "bad" is refused; others have 3 pages."""
    yield None
    for source, (first, step) in sources:
        name = Path(str(source)).name
        for number in range(first, 3, step):
            if name == "kill" and number == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            if name == "eat":
                bytearray(2**40)
            if name == "bad" and number == 1:
                yield "bad-input", "It is bad", "", ""
                break
            yield PageCodes(number=number + 1, dpi=None, barcodes=[])
        yield None


def spin(source: tuple[str, str | None]) -> None:
    """Never ends."""
    while True:
        pass
