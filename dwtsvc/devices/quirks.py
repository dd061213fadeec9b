"""Known faults of devices, and what is done about each: the table quirks.toml, put to use around an open device.

What may be done is little on purpose: waiting, and saying more. No error is swallowed: a fault that one model reports
wrongly, another model, or the same one on another day, reports because a sheet was lost.
"""

from __future__ import annotations

import tomllib
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Event

from dwtsvc.devices.driver import Frame, PageEnd, ScanSource
from dwtsvc.errors import Cancelled, DwtsvcError
from dwtsvc.model import Capabilities, ScanRequest
from dwtsvc.records import BadRecord, unpack

TABLE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """A row of the table; see there for what its columns mean."""

    match: str
    reason: str
    link: str
    pause: float = 0.0
    advice: dict[str, str] = field(default_factory=dict)

    def meets(self, device: Capabilities) -> bool:
        name = f"{device.device} {device.vendor} {device.model}"
        return fnmatchcase(name.casefold(), self.match.casefold())


def table(path: Path = TABLE) -> tuple[Quirk, ...]:
    """The quirks of a file. Raises BadRecord for one that is not as the table says."""
    rows = tomllib.loads(path.read_text("utf-8"))
    if rows.keys() - {"quirk"}:
        raise BadRecord(f"{path.name} has other tables than [[quirk]]")
    return tuple(unpack(Quirk, row) for row in rows.get("quirk", []))


def treated(source: ScanSource, quirks: Iterable[Quirk] | None = None) -> ScanSource:
    """The device with what is done about its faults; itself if none is known."""
    device = source.capabilities()
    mine = [quirk for quirk in (table() if quirks is None else quirks) if quirk.meets(device)]
    return Treated(source, mine) if mine else source


class Treated:
    """`ScanSource` for `ScanSource`: an open device with known faults."""

    def __init__(self, source: ScanSource, quirks: list[Quirk]) -> None:
        self._source = source
        self._pause = max(quirk.pause for quirk in quirks)
        self._advice = {word: text for quirk in quirks for word, text in quirk.advice.items()}

    def capabilities(self) -> Capabilities:
        return self._source.capabilities()

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        try:
            with closing(self._source.scan(request, cancelled)) as frames:
                for frame in frames:
                    yield frame
                    if isinstance(frame, PageEnd) and cancelled.wait(self._pause):
                        raise Cancelled("The scan was cancelled")
        except DwtsvcError as error:
            advice = self._advice.get(error.word)
            if advice is None:
                raise
            hint = f"{error.hint} {advice}".strip()
            raise type(error)(error.what, why=error.why, hint=hint) from error
