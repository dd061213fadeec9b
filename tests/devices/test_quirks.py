"""Known faults of devices: each treatment against a case that was recorded from a device with the fault."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from dwtsvc.devices import cases, quirks
from dwtsvc.devices.cases import CaseWriter
from dwtsvc.devices.driver import PageEnd
from dwtsvc.devices.quirks import Quirk, treated
from dwtsvc.devices.replay import ReplayDriver
from dwtsvc.errors import Cancelled, DwtsvcError, PaperJam, by_word
from dwtsvc.model import Capabilities, Encoding, Mode, Raster, ScanRequest, Source, SourceCapabilities
from dwtsvc.records import BadRecord

from .conformance import Clock

FEEDER = SourceCapabilities(
    source=Source.FEEDER, name="ADF", modes=(Mode.GRAY,), resolutions=(75,), max_width=216, max_height=297
)
GRAY = Raster(width=8, height=2, channels=1, depth=8, bytes_per_line=8, dpi=75)
REQUEST = ScanRequest(device="any", source=Source.FEEDER, mode=Mode.GRAY, resolution=75)


def recorded(path: Path, model: str, *, pages: int, failing: str = "") -> Path:
    """A case of a device that gives some pages and then ends, or fails with the error of a word."""
    cases.create(path)
    case = CaseWriter(path, "escl")
    case.note("opening", name="x")
    case.note("opened", capabilities=Capabilities(device="escl:x", sources=(FEEDER,), vendor="Maker", model=model))
    case.note("scan", request=REQUEST)
    for _ in range(pages):
        case.note("page", raster=GRAY, back=False, encoding=Encoding.RAW)
        case.rows(bytes(16), 0.0)
        case.note("page_end")
    if failing:
        case.note("failed", word=failing, what="It failed", why="its own word", hint="Look at it.")
    else:
        case.note("done")
    case.close()
    return path


def row(model: str) -> Quirk:
    return next(quirk for quirk in quirks.table() if model.casefold() in quirk.match.casefold())


def test_a_model_that_needs_time_between_two_pages_gets_it(tmp_path: Path) -> None:
    case = recorded(tmp_path / "case.dwt", "MFC-L2710DW series", pages=2)
    cancelled = Clock()
    with ReplayDriver(tmp_path).open(str(case)) as source:
        frames = list(treated(source).scan(REQUEST, cancelled))
    assert sum(isinstance(frame, PageEnd) for frame in frames) == 2
    assert [wait for wait in cancelled.waits if wait] == [row("MFC-L2710DW").pause] * 2


def test_a_cancel_ends_the_pause_between_two_pages(tmp_path: Path) -> None:
    case = recorded(tmp_path / "case.dwt", "MFC-L2710DW", pages=2)
    cancelled = Event()
    with ReplayDriver(tmp_path).open(str(case)) as source, closing(treated(source).scan(REQUEST, cancelled)) as frames:
        while not isinstance(next(frames), PageEnd):
            pass
        cancelled.set()
        with pytest.raises(Cancelled):
            next(frames)


def failure(case: Path) -> DwtsvcError:
    with ReplayDriver(case.parent).open(str(case)) as source, pytest.raises(DwtsvcError) as failed:
        list(treated(source).scan(REQUEST, Event()))
    return failed.value


@pytest.mark.parametrize("model", ["OfficeJet Pro 9010 series", "MF411dw"])
def test_advice_is_added_to_the_error_that_the_model_is_known_for(tmp_path: Path, model: str) -> None:
    error = failure(recorded(tmp_path / "case.dwt", model, pages=1, failing="paper-jam"))
    assert type(error) is PaperJam
    assert (error.what, error.why) == ("It failed", "its own word")
    assert error.hint.startswith("Look at it. ")
    assert error.hint.removeprefix("Look at it. ") in {quirk.advice.get("paper-jam") for quirk in quirks.table()}


def test_other_errors_and_other_models_stay_as_they_are(tmp_path: Path) -> None:
    assert failure(recorded(tmp_path / "a.dwt", "MF411dw", pages=1, failing="cover-open")).hint == "Look at it."
    assert failure(recorded(tmp_path / "b.dwt", "MF999", pages=1, failing="paper-jam")).hint == "Look at it."


def test_a_device_without_known_faults_is_left_alone(tmp_path: Path) -> None:
    case = recorded(tmp_path / "case.dwt", "Flawless", pages=1)
    with ReplayDriver(tmp_path).open(str(case)) as source:
        assert treated(source) is source


def test_a_scanner_of_sane_is_known_by_its_id() -> None:
    device = Capabilities(device="sane:airscan:e0:Brother MFC-L2710DW series", sources=())
    assert row("MFC-L2710DW").meets(device)


def test_every_row_gives_its_reason_where_it_is_told_and_a_thing_that_is_done() -> None:
    for quirk in quirks.table():
        assert quirk.reason.endswith(".")
        assert re.fullmatch(r"https://\S+", quirk.link)
        assert 0 < quirk.pause <= 10 or quirk.advice
        assert all(by_word(word) is not DwtsvcError for word in quirk.advice)


@pytest.mark.parametrize(
    "text", ["[[quirk]]\nmatch = '*'\n", "[[quirks]]\n", "[[quirk]]\nmatch=1\nreason=''\nlink=''\n"]
)
def test_a_table_that_is_wrong_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "quirks.toml"
    path.write_text(text)
    with pytest.raises(BadRecord):
        quirks.table(path)
