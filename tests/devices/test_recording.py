"""Cases: what is recorded of a scan is what is played, however it ended; and a case of a stranger does no harm."""

from __future__ import annotations

import io
import json
import os
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dwtsvc.devices import cases
from dwtsvc.devices.cases import Case, CaseWriter, RecordTo, append_end
from dwtsvc.devices.process import DeviceProcess, PageReady, ProcessChild, ThreadChild
from dwtsvc.devices.recording import Recording
from dwtsvc.devices.replay import ReplayDriver
from dwtsvc.devices.virtual import VirtualDriver
from dwtsvc.errors import (
    BadArguments,
    BadInput,
    Cancelled,
    DeviceLost,
    DeviceTimeout,
    DiskFull,
    DriverError,
    DwtsvcError,
    FileAccess,
    IncompletePage,
    NoScanner,
    PaperJam,
)
from dwtsvc.model import Encoding, Mode, ScanRequest

from .conformance import Clock, collected

VIRTUAL, REPLAY = "dwtsvc.devices.virtual", "dwtsvc.devices.replay"
Ended = tuple[list[bytes], type[DwtsvcError] | None, str, str]


def scanned(module: str, name: str, folder: Path, to: RecordTo | None = None, *, timeout: float = 20.0) -> Ended:
    """The pages of a scan in a worker, and the error that ended it."""
    pages = []
    folder.mkdir()
    with DeviceProcess(ProcessChild(module), timeout=timeout) as worker:
        try:
            if to:
                worker.record(to, "virtual")
            worker.open(name)
            for event in worker.scan(ScanRequest(device="any", resolution=50), folder):
                if isinstance(event, PageReady):
                    pages.append(event.path.read_bytes())
                    worker.release(event.slot, kept=False)
        except DwtsvcError as error:
            return pages, type(error), error.what, error.why
    return pages, None, "", ""


def recorded(tmp_path: Path, name: str, *, masked: bool = False, timeout: float = 20.0) -> tuple[Path, Ended]:
    case = tmp_path / "case.dwt"
    cases.create(case)
    return case, scanned(VIRTUAL, name, tmp_path / "live", RecordTo(case, masked), timeout=timeout)


@pytest.mark.parametrize(
    ("mishap", "error", "pages", "timeout"),
    [
        ("", None, 3, 20.0),
        ("&jam=3", PaperJam, 2, 20.0),
        ("&error=1", DriverError, 0, 20.0),
        ("&short=2", IncompletePage, 1, 20.0),
        ("&crash=3", DeviceLost, 2, 20.0),
        ("&hang=2", DeviceTimeout, 1, 6.0),
        ("&empty=1&pages=0", None, 1, 20.0),
    ],
)
def test_a_scan_ends_in_its_replay_as_it_ended_live(
    tmp_path: Path, mishap: str, error: type[DwtsvcError] | None, pages: int, timeout: float
) -> None:
    case, live = recorded(tmp_path, f"adf?pages=3{mishap}", timeout=timeout)
    assert len(live[0]) == pages
    assert live[1] is error
    assert scanned(REPLAY, str(case), tmp_path / "played", timeout=timeout) == live


def test_a_device_that_refuses_to_open_refuses_in_its_replay(tmp_path: Path) -> None:
    case, live = recorded(tmp_path, "adf?busy=1")
    assert live[1] is not None
    assert scanned(REPLAY, str(case), tmp_path / "played") == live


def test_a_driver_that_crashes_while_it_opens_crashes_in_its_replay(tmp_path: Path) -> None:
    case, _ = recorded(tmp_path, "adf?busy=1")
    lines = case.read_bytes().splitlines(keepends=True)
    case.write_bytes(b"".join(lines[:2]))
    append_end(case, status=-11, words="the backend says goodbye")
    _, error, _, why = scanned(REPLAY, str(case), tmp_path / "played")
    assert error is DeviceLost
    assert "SIGSEGV" in why
    assert "goodbye" in why


def test_a_case_cut_anywhere_is_good_up_to_there(tmp_path: Path) -> None:
    case, live = recorded(tmp_path, "adf?pages=2")
    whole = case.read_bytes()
    seen = set()
    for cut in [*range(0, len(whole), len(whole) // 60), len(whole) - 1]:
        case.write_bytes(whole[:cut])
        pages, error = played(case)
        assert pages == live[0][: len(pages)]
        assert error is not None
        seen.add((len(pages), type(error)))
    assert {(0, BadInput), (0, DriverError), (1, DriverError)} <= seen


def played(case: Path, **wish: Any) -> tuple[list[bytes], DwtsvcError | None]:
    """The pages of a case, played in this process, and what ended it."""
    pages: list[bytes] = []
    try:
        with ReplayDriver(case.parent).open(str(case)) as source:
            request = source.capabilities().resolve(ScanRequest(device="any", resolution=50, **wish))
            pages.extend(page.data for page in collected(until_error(source.scan(request, Event()))))
    except DwtsvcError as error:
        return [*pages, *getattr(error, "pages", [])], error
    return pages, None


def until_error(frames: Any) -> Any:
    """Frames, of which `collected` has the whole pages even when an error follows."""
    kept: list[Any] = []
    try:
        for frame in frames:
            kept.append(frame)
    except DwtsvcError as error:
        ends = [index for index, frame in enumerate(kept) if type(frame).__name__ == "PageEnd"]
        error.pages = [page.data for page in collected(iter(kept[: ends[-1] + 1 if ends else 0]))]  # type: ignore[attr-defined]
        raise
    yield from kept


def test_the_end_of_a_worker_is_noted_behind_half_a_record(tmp_path: Path) -> None:
    case, _ = recorded(tmp_path, "adf?pages=2")
    case.write_bytes(case.read_bytes()[:-300] + b'{"say":"ro')
    append_end(case, status=1)
    with Case(case) as read:
        assert [record for record, _, _ in read.records()][-1] == {"say": "lost", "status": 1}


def test_a_masked_case_has_nothing_of_the_page_and_all_of_its_form(tmp_path: Path) -> None:
    case, live = recorded(tmp_path, "adf?pages=1&document=letter", masked=True)
    (white,), error = played(case)
    assert error is None
    assert set(white) == {255}
    assert len(white) == len(live[0][0])
    assert case.stat().st_size < 10_000


def test_a_masked_jpeg_is_played_as_a_white_one_of_its_size(tmp_path: Path) -> None:
    Image.new("RGB", (100, 60), "red").save(tmp_path / "red.jpg", dpi=(50, 50))
    case = tmp_path / "case.dwt"
    cases.create(case)
    with (
        closing(CaseWriter(case, "virtual", masked=True)) as writer,
        Recording(VirtualDriver(), writer).open(f"flatbed?folder={tmp_path}&skew=0&noise=0") as source,
    ):
        list(source.scan(source.capabilities().resolve(ScanRequest(device="any", resolution=50)), Event()))
    with Case(case) as read:
        encodings = [record["encoding"] for record, _, _ in read.records() if record.get("say") == "page"]
    (white,), _ = played(case)
    assert encodings == [Encoding.JPEG]
    image = Image.open(io.BytesIO(white))
    assert (image.size, image.getextrema()) == ((100, 60), ((255, 255),) * 3)


def test_a_case_is_for_its_user_alone_and_replaces_no_file(tmp_path: Path) -> None:
    case = tmp_path / "case.dwt"
    cases.create(case)
    assert case.stat().st_mode & 0o077 == 0
    case.write_bytes(b"mine")
    with pytest.raises(FileAccess):
        cases.create(case)
    assert case.read_bytes() == b"mine"
    cases.create(case, force=True)
    assert case.read_bytes() == b""


def test_a_case_ends_where_it_becomes_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "MAX_BYTES", 60_000)
    case = tmp_path / "case.dwt"
    cases.create(case)
    with (
        closing(CaseWriter(case, "virtual")) as writer,
        Recording(VirtualDriver(), writer).open("adf?pages=3") as source,
    ):
        request = source.capabilities().resolve(ScanRequest(device="any", resolution=50))
        assert len(list(collected(source.scan(request, Event())))) == 3
    assert case.stat().st_size < 61_000
    _, error = played(case)
    assert "too large" in str(error)


def test_a_disk_that_is_full_ends_the_scan_and_the_case_is_good_up_to_there(small: Path) -> None:
    case = small / "case.dwt"
    cases.create(case)
    filler = small / "filler"
    with (
        pytest.raises(DiskFull),
        closing(CaseWriter(case, "virtual")) as writer,
        Recording(VirtualDriver(), writer).open("adf?pages=300") as source,
    ):
        request = source.capabilities().resolve(ScanRequest(device="any", resolution=50))
        with open(filler, "wb", buffering=0) as file, pytest.raises(OSError):
            while file.write(bytes(1 << 16)):
                pass
        os.truncate(filler, max(0, filler.stat().st_size - (1 << 17)))
        list(source.scan(request, Event()))
    pages, error = played(case)
    assert isinstance(error, DriverError)
    assert len(pages) < 300


@pytest.mark.parametrize(("query", "pause"), [("", 0.0), ("?speed=1", 7.5), ("?speed=10", 0.75)])
def test_a_case_is_played_as_fast_as_is_wished(tmp_path: Path, query: str, pause: float) -> None:
    case = written(tmp_path, page(after=7.5) + rows(b"\0" * 4) + line(say="page_end") + line(say="done"))
    clock = Clock()
    with ReplayDriver(tmp_path).open(f"{case}{query}") as source:
        list(source.scan(source.capabilities().resolve(ScanRequest(device="any")), clock))
    assert clock.waits[0] == pytest.approx(pause)


@pytest.mark.parametrize("query", ["speed=-1", "speed=fast", "speed=nan", "pages=3"])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, query: str) -> None:
    case = written(tmp_path, b"")
    with pytest.raises(BadArguments), ReplayDriver(tmp_path).open(f"{case}?{query}"):
        pass


def test_a_pause_of_a_replay_can_be_cancelled(tmp_path: Path) -> None:
    case = written(tmp_path, page(after=3000))
    cancelled = Event()
    cancelled.set()
    with ReplayDriver(tmp_path).open(f"{case}?speed=1") as source, pytest.raises(Cancelled):
        list(source.scan(source.capabilities().resolve(ScanRequest(device="any")), cancelled))


def test_what_nobody_asked_for_is_as_it_was_recorded_and_what_was_asked_for_must_be(tmp_path: Path) -> None:
    case = written(tmp_path, page() + rows(b"\0" * 4) + line(say="page_end") + line(say="done"))
    with ReplayDriver(tmp_path).open(str(case)) as source:
        able = source.capabilities()
        assert able.resolve(ScanRequest(device="any")).mode is Mode.GRAY
        assert able.resolve(ScanRequest(device="any", mode=Mode.GRAY, resolution=50)).resolution == 50
        for other in ({"resolution": 300}, {"options": (("threshold", "3"),)}):
            with pytest.raises(BadArguments) as refused:
                able.resolve(ScanRequest(device="any", **other))  # type: ignore[arg-type]
            assert "--source flatbed --mode gray -r 50" in refused.value.why


# --- cases of strangers

HEAD = {"dwtsvc-case": 1}
SURFACE = {
    "source": "flatbed",
    "name": "glass",
    "modes": ["gray", "color"],
    "resolutions": [50, 300],
    "max_width": 216,
    "max_height": 297,
}
OPENED = {"say": "opened", "capabilities": {"device": "evil:1", "sources": [SURFACE]}}
ASKED = {"say": "scan", "request": {"device": "any", "source": "flatbed", "mode": "gray", "resolution": 50}}
RASTER = {"width": 2, "height": 2, "channels": 1, "depth": 8, "bytes_per_line": 2, "dpi": 50}


def line(**record: Any) -> bytes:
    return json.dumps(record).encode() + b"\n"


def page(after: float = 0.0, encoding: str = "raw", **raster: Any) -> bytes:
    return line(say="page", after=after, raster={**RASTER, **raster}, back=False, encoding=encoding)


def rows(body: bytes, **about: Any) -> bytes:
    return line(**{"say": "rows", "bytes": len(body), "size": len(body), "as": "plain", **about}) + body


def written(folder: Path, *parts: bytes, head: bytes | None = None) -> Path:
    case = folder / "evil.dwt"
    start = line(**HEAD) + line(**OPENED) + line(**ASKED) if head is None else head
    case.write_bytes(start + b"".join(parts))
    return case


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"%PDF-1.7\n",
        b"PK\x03\x04" + bytes(100),
        b"[]\n",
        b"{}\n",
        b'{"dwtsvc-case":2}\n',
        b'{"dwtsvc-case":1}\n',
        b'{"dwtsvc-case":1',
        b"[" * 100_000 + b"\n",
        b'{"dwtsvc-case":1,"a":' + b"[" * 500_000 + b"]" * 500_000 + b"}\n",
        b" " * (2 << 20) + b"\n",
        b'{"dwtsvc-case":1}\n{"say":"opened","capabilities":{"device":"x","sources":NaN}}\n',
        b'{"dwtsvc-case":1}\n{"say":"opened","capabilities":{"device":"x","sources":[],"os":"system"}}\n',
        b'{"dwtsvc-case":1}\n{"say":["opened"]}\n',
        b'{"dwtsvc-case":1}\n{"say":"rows","bytes":1,"size":-5,"as":"plain"}\n',
    ],
    ids=lambda head: ascii(head[:30]),
)
def test_what_is_no_case_is_said_to_be_none(tmp_path: Path, head: bytes) -> None:
    with pytest.raises(BadInput), ReplayDriver(tmp_path).open(str(written(tmp_path, head=head))):
        pass


HALF = zlib.compress(bytes(range(90)) * 2)[:60]
BOMB = zlib.compress(bytes(64 << 20))


@pytest.mark.parametrize(
    "records",
    [
        pytest.param(page(width=1 << 40), id="a width of a trillion"),
        pytest.param(page(dpi=0), id="no resolution"),
        pytest.param(page(dpi=1e300), id="a resolution without end"),
        pytest.param(page(encoding="exe"), id="an encoding there is none of"),
        pytest.param(line(say="page", raster="big"), id="no raster"),
        pytest.param(page() + rows(BOMB, bytes=len(BOMB), **{"as": "deflate"}), id="rows that grow"),
        pytest.param(page() + rows(b"\xff" * 9, bytes=9, **{"as": "deflate"}), id="rows that are not deflated"),
        pytest.param(page() + rows(HALF, bytes=180, **{"as": "deflate"}), id="half of rows"),
        pytest.param(page(width=900_000, height=900_000, encoding="jpeg") + rows(b"", bytes=9, **{"as": "masked"}),
                     id="a white page of a trillion pixels"),
    ],
)  # fmt: skip
def test_a_page_that_cannot_be_is_bad_input(tmp_path: Path, records: bytes) -> None:
    _, error = played(written(tmp_path, records))
    assert type(error) is BadInput


@pytest.mark.parametrize(
    "about",
    [
        {"bytes": 1 << 40},
        {"bytes": 0},
        {"bytes": True},
        {"size": 10**30},
        {"as": "brotli"},
        {"as": "masked"},
        {"size": "4"},
    ],
    ids=str,
)
def test_rows_that_lie_about_themselves_are_refused_before_they_are_read(tmp_path: Path, about: dict[str, Any]) -> None:
    with pytest.raises(BadInput), ReplayDriver(tmp_path).open(str(written(tmp_path, page(), rows(b"abcd", **about)))):
        pass


def test_more_rows_than_a_page_has_end_in_the_worker_as_with_any_driver(tmp_path: Path) -> None:
    case = written(tmp_path, page(), *[rows(b"", bytes=1 << 20, **{"as": "masked"})] * 50)
    _, error, what, _ = scanned(REPLAY, str(case), tmp_path / "slots")
    assert error is DriverError
    assert "more than it announced" in what


def test_a_case_of_many_scans_or_records_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = written(tmp_path, line(**ASKED) * 10_001)
    with pytest.raises(BadInput), ReplayDriver(tmp_path).open(str(many)):
        pass
    monkeypatch.setattr(cases, "MAX_RECORDS", 100)
    with pytest.raises(BadInput), ReplayDriver(tmp_path).open(str(written(tmp_path, b"{}\n" * 101))):
        pass


def test_what_a_case_says_cannot_steer_a_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\u202e"
    _, error = played(written(tmp_path, line(say="failed", word="paper-jam", what=evil, why=evil * 1000, hint=evil)))
    assert type(error) is PaperJam
    assert all(text.isprintable() and len(text) <= cases.MAX_TEXT for text in (error.what, error.why, error.hint))


@pytest.mark.parametrize("word", ["do-not-restart", "origin-not-allowed", "internal", "", None, 7, "rm -rf"])
def test_an_error_that_no_driver_raises_is_a_drivers_error(tmp_path: Path, word: object) -> None:
    _, error = played(written(tmp_path, line(say="failed", word=word, what="x")))
    assert type(error) is DriverError


@pytest.mark.parametrize("status", [-1000, -9, 0, 300, 10**20, True])
def test_a_recorded_death_takes_nothing_but_its_own_worker(tmp_path: Path, status: int) -> None:
    case = written(tmp_path, line(say="lost", status=status))
    assert scanned(REPLAY, str(case), tmp_path / "slots")[1] is DeviceLost


def test_a_pipe_a_folder_and_nothing_are_no_recordings(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "", "nothing.dwt", "\0"):
        with pytest.raises((NoScanner, FileAccess)), ReplayDriver(tmp_path).open(f"{tmp_path}/{name}"):
            pass


@pytest.mark.parametrize("content", [b"root:x:0:0\n", b"\0" * 5000 + b"\n", b'{"say": "done"}\n', b""])
def test_a_file_that_never_was_a_recording_is_told_as_that_and_not_quoted(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.txt").write_bytes(content)
    with pytest.raises(BadInput) as told, ReplayDriver(tmp_path).open(f"{tmp_path}/other.txt"):
        pass
    assert str(told.value) == "other.txt is no recording of a scan: it does not begin as one"


def test_cases_of_the_folder_are_listed_and_damaged_ones_are_not(tmp_path: Path) -> None:
    written(tmp_path, page())
    (tmp_path / "damaged.dwt").write_bytes(b"nonsense")
    (device,) = ReplayDriver(tmp_path).devices(1.0)
    assert (device.id, device.virtual, device.label) == ("replay:evil.dwt", True, "evil")


GOOD = line(**HEAD) + line(**OPENED) + line(**ASKED) + page() + rows(b"abcd") + line(say="page_end") + line(say="done")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edits=st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=0, max_size=6)), min_size=1, max_size=4)
)
def test_a_case_with_any_bytes_changed_plays_or_fails_with_words(
    tmp_path: Path, edits: list[tuple[int, bytes]]
) -> None:
    damaged = bytearray(GOOD)
    for place, data in edits:
        damaged[place : place + len(data)] = data
    case = tmp_path / "fuzz.dwt"
    case.write_bytes(bytes(damaged))
    played(case)


@pytest.mark.parametrize("child", [ProcessChild, ThreadChild])
def test_a_case_that_cannot_be_written_is_told_before_the_device_is_opened(
    tmp_path: Path, child: Callable[[str], Any]
) -> None:
    with DeviceProcess(child(VIRTUAL), timeout=10) as worker, pytest.raises(FileAccess):
        worker.record(RecordTo(tmp_path / "no" / "case.dwt"), "virtual")
