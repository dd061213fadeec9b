"""`dwtsvc batch` as installed: folders of scans become files, once, whole, and with a report of what became of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image

from dwtsvc.imaging.barcodesheet import separator
from tests.end_to_end.conftest import DWTSVC, Place
from tests.end_to_end.scans import bomb, page, pages_in, save, streams, text_of, typeset

PATIENCE = 60.0


def report(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "report.jsonl").read_text("utf-8").splitlines()]


def names(folder: Path) -> list[str]:
    """The files of a folder by name, hidden ones too, without the report."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != "report.jsonl")


def wait_for(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


@contextmanager
def running(place: Place, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A batch that goes on by itself."""
    with (place / "said").open("wb") as said:
        child = subprocess.Popen([DWTSVC, "batch", *arguments], cwd=place.folder, stdout=said, stderr=said)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()


def ten_scans(folder: Path) -> None:
    """A JPEG, bilevel PNG, TIFF of three pages, PDF of a scan, PDF of a program, WebP, BMP, a JPEG that lies on its
    side, one that is cut short, and a bomb."""
    save(folder / "apples.jpg", page("Letter about apples"))
    save(folder / "pears.png", page("Letter about pears", mode="1"))
    save(folder / "plums.tif", page("Plums, first page"), page("Plums, second page"), page("Plums, third page"))
    save(folder / "cherries.pdf", page("Invoice for cherries", mode="RGB"))
    typeset(folder / "quinces.pdf", "Printed quinces")
    save(folder / "grapes.webp", page("Letter about grapes", mode="RGB"), lossless=True)
    save(folder / "figs.bmp", page("Letter about figs", mode="RGB"))
    exif = Image.Exif()
    exif[0x0112] = 6
    save(folder / "lemons.jpg", page("Letter about lemons").rotate(90, expand=True), exif=exif)
    (folder / "short.jpg").write_bytes((folder / "apples.jpg").read_bytes()[:4000])
    bomb(folder / "bomb.png")


def test_a_folder_of_ten_mixed_scans_becomes_searchable_pdfs_and_bad_ones_stop_nothing(place: Place) -> None:
    ten_scans(place / "in")
    before = {path.name: path.read_bytes() for path in (place / "in").iterdir()}

    ran = place.run("batch", "in", "-o", "out/", "--ocr", "-l", "eng", "--json")

    assert ran.code == 4, ran.err
    fruits = {"apples", "pears", "plums", "cherries", "quinces", "grapes", "figs", "lemons"}
    assert names(place / "out") == sorted(f"{fruit}.pdf" for fruit in fruits)
    for fruit in fruits:
        assert fruit in text_of(place / "out" / f"{fruit}.pdf").lower()
    assert pages_in(place / "out/plums.pdf") == 3
    assert streams(place / "out/apples.pdf") == [before["apples.jpg"]]
    assert streams(place / "out/cherries.pdf") == streams(place / "in/cherries.pdf")
    assert (place / "out/quinces.pdf").read_bytes() == before["quinces.pdf"]
    assert {path.name: path.read_bytes() for path in (place / "in").iterdir()} == before
    assert names(place / "out/quarantine") == ["bomb.png.error.json", "short.jpg.error.json"]
    bad = json.loads((place / "out/quarantine/bomb.png.error.json").read_text())
    assert bad["error"]["word"] == "bad-input" and bad["error"]["why"] and bad["versions"]["dwtsvc"]
    assert ran.events[-1] == {"event": "end", "done": 8, "skipped": 0, "failed": 2}
    assert {line["input"]: bool(line["error"]) for line in report(place / "out")} == {
        f"in/{name}": name in ("bomb.png", "short.jpg") for name in before
    }


def test_a_second_run_does_nothing_and_says_so(place: Place) -> None:
    save(place / "in/a.jpg", page("one"))
    save(place / "in/b.tif", page("two"), page("three"))
    assert place.run("batch", "in", "-o", "out/").code == 0
    held = {path: path.stat().st_mtime_ns for path in (place / "out").rglob("*")}

    again = place.run("batch", "in", "-o", "out/", "--json")

    assert again.code == 0 and [event["event"] for event in again.events] == ["skipped", "skipped", "end"]
    assert {path: path.stat().st_mtime_ns for path in (place / "out").rglob("*")} == held


def test_other_settings_other_contents_and_again_are_work_to_do_and_replace_nothing(place: Place) -> None:
    save(place / "in/a.jpg", page("one"))
    first = place.run("batch", "in", "-o", "out/")
    held = (place / "out/a.pdf").read_bytes()
    assert first.lines == ["out/a.pdf"]
    assert place.run("batch", "in", "-o", "out/", "--again").lines == ["out/a-2.pdf"]
    assert place.run("batch", "in", "-o", "out/", "--threshold", "otsu").lines == ["out/a-3.pdf"]
    save(place / "in/a.jpg", page("another"))
    assert place.run("batch", "in", "-o", "out/").lines == ["out/a-4.pdf"]
    assert (place / "out/a.pdf").read_bytes() == held


def stack(place: Place) -> Path:
    """Two letters behind separator sheets, and a blank page in the second."""
    sheets = [
        separator("INV-7", "code39"),
        page("Dear Ada"),
        separator("INV-8", "code39"),
        page("Dear Grace"),
        page(),
        page("Yours"),
    ]
    return save(place / "stack.pdf", *[sheet.convert("RGB") for sheet in sheets])


SPLIT = ("--split-on", "code39:^INV,drop", "--drop-blank")


def test_a_stack_is_split_named_and_what_was_left_out_can_be_had_back(place: Place) -> None:
    path = stack(place)
    ran = place.run("batch", "stack.pdf", *SPLIT, "-o", "out/{barcode}.pdf")

    assert ran.code == 0, ran.err
    assert ran.lines == ["out/INV-7.pdf", "out/INV-8.pdf"]
    assert "stack.pdf: 3 pages left out: out/quarantine/stack.dropped.pdf\n" in ran.err
    original = streams(path)
    assert streams(place / "out/INV-7.pdf") == [original[1]]
    assert streams(place / "out/INV-8.pdf") == [original[3], original[5]]
    assert streams(place / "out/quarantine/stack.dropped.pdf") == [original[0], original[2], original[4]]
    [line] = report(place / "out")
    assert [row["kept"] for row in line["pages"]] == [False, True, False, True, False, True]
    assert all(row["reason"] for row in line["pages"] if not row["kept"])
    assert (line["kept"], line["dropped"]) == (3, 3)


def test_a_rehearsal_shows_the_page_map_and_writes_nothing(place: Place) -> None:
    stack(place)
    shown = place.run("batch", "stack.pdf", *SPLIT, "--dry-run")
    told = place.run("batch", "stack.pdf", *SPLIT, "--dry-run", "--json", "-o", "out/{barcode}.pdf")

    assert shown.code == told.code == 0, shown.err + told.err
    rows = told.events[0]["pages"]
    assert [(row["document"], row["input_page"], row["kept"]) for row in rows] == [
        (1, 1, False), (1, 2, True), (2, 3, False), (2, 4, True), (2, 5, False), (2, 6, True)
    ]  # fmt: skip
    assert "blank" in rows[4]["reason"] and 0.5 < rows[4]["confidence"] <= 1
    assert [line.split("\t")[3] for line in shown.lines] == ["dropped", "kept"] * 3
    assert place.files() == ["stack.pdf"]


def test_images_and_pdfs_together_are_one_stack_in_their_order(place: Place) -> None:
    save(place / "1.jpg", page("first"))
    typeset(place / "2.pdf", "second", "third")
    save(place / "3.png", page("fourth", mode="1"))
    ran = place.run("batch", "1.jpg", "2.pdf", "3.png", "--join", "--split-on", "every:3", "-o", "out/part-{doc}.pdf")

    assert ran.code == 0, ran.err
    assert pages_in(place / "out/part-1.pdf") == 3 and pages_in(place / "out/part-2.pdf") == 1
    assert text_of(place / "out/part-1.pdf") == "second third"
    assert streams(place / "out/part-1.pdf") == [(place / "1.jpg").read_bytes()]
    assert [(line["input"], line["kept"]) for line in report(place / "out")] == [
        ("1.jpg", 1), ("2.pdf", 2), ("3.png", 1)
    ]  # fmt: skip


def test_pages_of_a_pdf_are_drawn_only_where_pixels_change_or_the_result_is_no_pdf(place: Place) -> None:
    save(place / "scan.pdf", page("Something", mode="RGB"))
    typeset(place / "text.pdf", "Printed")
    assert place.run("batch", "scan.pdf", "text.pdf", "--threshold", "otsu", "-o", "bw/").code == 0
    assert streams(place / "bw/scan.pdf") != streams(place / "scan.pdf")
    assert text_of(place / "bw/text.pdf") == "Printed"

    ran = place.run("batch", "scan.pdf", "text.pdf", "-o", "images/{name}-{n}.png")
    assert ran.lines == ["images/scan-1.png", "images/text-1.png"], ran.err
    with Image.open(place / "images/text-1.png") as image:
        assert image.size == (round(340 / 72 * 300), round(280 / 72 * 300))


def test_jpeg_files_keep_their_bytes_in_images_and_documents(place: Place) -> None:
    held = save(place / "a.jpg", page("one", mode="RGB")).read_bytes()
    assert place.run("batch", "a.jpg", "-o", "out/{name}-{n}.jpg").code == 0
    assert place.run("batch", "a.jpg", "-o", "out/{name}.pdf").code == 0
    assert (place / "out/a-1.jpg").read_bytes() == held
    assert streams(place / "out/a.pdf") == [held]


def test_inputs_are_kept_moved_or_deleted_as_asked(place: Place) -> None:
    for name in ("keep", "move", "delete"):
        save(place / name / f"{name}.jpg", page(name))
        (place / name / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
        assert place.run("batch", name, "-o", f"out-{name}/", "--after", name).code == 4
    assert names(place / "keep") == ["bad.png", "keep.jpg"]
    assert names(place / "move") == names(place / "delete") == []
    assert names(place / "out-move/done") == ["move.jpg"]
    assert not (place / "out-delete/done").exists()
    for name in ("move", "delete"):
        assert names(place / f"out-{name}/quarantine") == ["bad.png", "bad.png.error.json"]


def test_results_do_not_go_where_they_would_be_read_again(place: Place) -> None:
    save(place / "in/a.jpg", page("one"))
    (place / "link").symlink_to(place / "in")
    for output in ("in/", "in/{name}-2.pdf", "link/"):
        assert place.run("batch", "in", "-o", output).code == 2
    inside = [("-o", "in/out/"), ("-o", "out/", "--done", "in/done"), ("-o", "out/", "--quarantine", "in")]
    for where in inside:
        ran = place.run("batch", "--watch", "in", *where)
        assert ran.code == 2 and "read again" in ran.err
    assert names(place / "in") == ["a.jpg"]


def test_what_is_still_being_written_is_left_for_later(place: Place) -> None:
    data = save(place / "in/a.jpg", page("one")).read_bytes()
    with (place / "in/a.jpg").open("r+b") as file:
        ran = place.run("batch", "in", "-o", "out/")
        assert ran.code == 5 and "being written" in ran.err
        file.write(data)
    assert place.run("batch", "in", "-o", "out/").lines == ["out/a.pdf"]


def test_a_watched_folder_gives_complete_files_only_and_none_twice(place: Place) -> None:
    (place / "in").mkdir()
    data = save(place / "made.jpg", page("slow")).read_bytes()
    save(place / "outside.jpg", page("outside"))
    with running(place, "--watch", "in", "-o", "out/", "--settle", "0.2", "--json") as child:
        wait_for(lambda: b"Watching" in (place / "said").read_bytes())
        (place / "in/link.jpg").symlink_to(place / "outside.jpg")
        os.mkfifo(place / "in/pipe.jpg")
        (place / "in/.hidden.jpg").write_bytes(data)
        (place / "in/half.jpg.part").write_bytes(data[:500])
        (place / "in/bad.jpg").write_bytes(data[:500])
        with (place / "in/slow.jpg").open("wb") as slow:
            for start in range(0, len(data), 1 + len(data) // 5):
                slow.write(data[start : start + 1 + len(data) // 5])
                slow.flush()
                time.sleep(0.3)  # longer than it takes to settle: only that it is open tells
            assert not (place / "out/slow.pdf").exists()
        os.rename(place / "made.jpg", place / "in/renamed.jpg")
        wait_for(lambda: {"slow.jpg", "renamed.jpg"} <= set(_names_or_none(place / "out/done")))
        wait_for(lambda: "bad.jpg.error.json" in _names_or_none(place / "out/quarantine"))
        child.send_signal(signal.SIGTERM)
        assert child.wait(PATIENCE) == 4  # as the first error
    assert names(place / "out") == ["renamed.pdf", "slow.pdf"]
    assert streams(place / "out/slow.pdf") == [data]
    assert names(place / "out/quarantine") == ["bad.jpg", "bad.jpg.error.json"]
    assert sorted(path.name for path in (place / "in").iterdir()) == [
        ".hidden.jpg", "half.jpg.part", "link.jpg", "pipe.jpg"
    ]  # fmt: skip
    assert len(report(place / "out")) == 3


def _names_or_none(folder: Path) -> list[str]:
    return names(folder) if folder.is_dir() else []


def test_a_folder_is_watched_by_one_process_and_by_looking_where_that_is_asked(place: Place) -> None:
    (place / "in").mkdir()
    with running(place, "--watch", "in", "-o", "out/", "--settle", "0.1", "--poll") as child:
        wait_for(lambda: b"Watching" in (place / "said").read_bytes())
        assert "watched by another" in place.run("batch", "--watch", "in", "-o", "out/").err
        save(place / "in/a.jpg", page("one"))
        wait_for(lambda: "a.pdf" in _names_or_none(place / "out"))
        wait_for(lambda: not names(place / "in"))
        child.send_signal(signal.SIGINT)
        assert child.wait(PATIENCE) == 0


def test_kill_9_in_the_middle_and_another_run_give_the_same_results_once(place: Place) -> None:
    for number in range(12):
        save(place / f"in/{number:02}.tif", page(f"number {number}"), page("second"))
    assert place.run("batch", "in", "-o", "whole/", "--split-on", "every:1").code == 0
    kills = 0
    for wanted in (1, 4, 9):
        with running(place, "in", "-o", "out/", "--split-on", "every:1", "-j", "1") as child:
            wait_for(lambda wanted=wanted: child.poll() is not None or len(_names_or_none(place / "out")) >= wanted)
            kills += child.poll() is None
            child.kill()
    assert kills
    ran = place.run("batch", "in", "-o", "out/", "--split-on", "every:1", "--resume")

    assert ran.code == 0, ran.err
    assert names(place / "out") == names(place / "whole") and len(names(place / "out")) == 24
    assert all(streams(place / "out" / name) == streams(place / "whole" / name) for name in names(place / "whole"))
    assert len(report(place / "out")) == 12
    assert not list((place / "out").glob(".*"))


def test_ctrl_c_ends_the_work_and_the_next_run_goes_on(place: Place) -> None:
    for number in range(8):
        save(place / f"in/{number}.jpg", page(f"number {number}", "with some words"))
    with running(place, "in", "-o", "out/", "--ocr", "-j", "1") as child:
        wait_for(lambda: child.poll() is not None or len(_names_or_none(place / "out")) >= 2)
        assert child.poll() is None
        child.send_signal(signal.SIGINT)
        assert child.wait(PATIENCE) == 130
    done = names(place / "out")
    assert 2 <= len(done) < 8 and not list((place / "out").glob(".*"))
    ran = place.run("batch", "in", "-o", "out/", "--ocr", "--json")
    assert ran.code == 0 and ran.events[-1]["skipped"] == len(done)
    assert names(place / "out") == [f"{number}.pdf" for number in range(8)]


class Inbox(BaseHTTPRequestHandler):
    """A web form; it refuses files with "no" in their names."""

    got: dict[str, bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        for part in BytesParser().parsebytes(head + body).walk():
            if part.get_filename():
                self.got[str(part.get_filename())] = part.get_payload(decode=True)  # type: ignore[assignment]
        refused = any("no" in name for name in self.got)
        self.send_response(403 if refused else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def inbox() -> Iterator[tuple[str, dict[str, bytes]]]:
    got: dict[str, bytes] = {}
    server = HTTPServer(("127.0.0.1", 0), type("Box", (Inbox,), {"got": got}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/in", got
    server.shutdown()
    thread.join()
    server.server_close()


def test_results_are_sent_on_and_what_cannot_be_sent_waits(place: Place, inbox: tuple[str, dict[str, bytes]]) -> None:
    address, got = inbox
    save(place / "in/a.jpg", page("one"))
    run = ("--to", address, "--to", "./copies", "--exec", "sh -c 'echo {name} >> done.txt'", "--after", "delete")
    (place / "copies").mkdir()
    sent = place.run("batch", "in", "-o", "out/", *run)
    assert sent.code == 0, sent.err
    assert got == {"a.pdf": (place / "out/a.pdf").read_bytes()}
    assert (place / "copies/a.pdf").read_bytes() == got["a.pdf"]
    assert (place / "done.txt").read_text() == "a.pdf\n"
    assert names(place / "in") == []

    save(place / "in/no.jpg", page("two"))
    refused = place.run("batch", "in", "-o", "out/", *run)
    assert refused.code == 42
    assert names(place / "in") == ["no.jpg"] and (place / "out/no.pdf").is_file()
    waiting = place.run("send", "--waiting", "--json").events
    assert [each["name"] for each in waiting] == ["no.pdf"]
    assert place.run("batch", "in", "-o", "out/", *run).code == 0
    assert names(place / "in") == ["no.jpg"]  # it was not delivered yet


def test_the_receipt_tells_what_became_of_every_page(place: Place) -> None:
    stack(place)
    assert place.run("batch", "stack.pdf", *SPLIT, "--receipt", "-o", "out/{barcode}.pdf").code == 0
    first, second = (json.loads((place / f"out/INV-{number}.receipt.json").read_text()) for number in (7, 8))
    assert first["counts"] == {"fed": 2, "kept": 1, "dropped": 1}
    assert second["counts"] == {"fed": 4, "kept": 2, "dropped": 2}
    assert [row.get("page") for row in second["pages"]] == [None, 1, None, 2]
    assert second["source"] == {"inputs": ["stack.pdf"]}
    assert place.run("pdf", "verify", "out/INV-8.pdf").code == 0


def test_an_encrypted_pdf_needs_its_password_and_then_is_read(place: Place) -> None:
    typeset(place / "plain.pdf", "Secret words")
    with pikepdf.open(place / "plain.pdf") as pdf:
        pdf.save(place / "locked.pdf", encryption=pikepdf.Encryption(user="key", owner="own"))
    assert place.run("batch", "locked.pdf", "-o", "out/").code == 8
    assert place.run("batch", "locked.pdf", "-o", "out/", DWTSVC_PDF_PASSWORD="key").code == 0
    assert text_of(place / "out/locked.pdf") == "Secret words"


@pytest.fixture
def dask_cluster(tmp_path: Path) -> Iterator[str]:
    """A Dask scheduler and two workers, each a process of its own."""
    program = str(Path(sys.executable).with_name("dask"))
    about = tmp_path / "scheduler.json"
    options = ["--scheduler-file", str(about), "--no-dashboard"]
    started = [
        subprocess.Popen([program, "scheduler", "--host", "127.0.0.1", "--port", "0", *options], cwd=tmp_path,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ]  # fmt: skip
    try:
        for _ in range(2):
            line = [program, "worker", "--nthreads", "1", "--no-nanny", *options]
            null = subprocess.DEVNULL
            started.append(subprocess.Popen(line, cwd=tmp_path, stdout=null, stderr=null))
        wait_for(about.is_file)
        yield json.loads(about.read_text())["address"].removeprefix("tcp://")
    finally:
        for child in started:
            child.kill()
            child.wait()


def test_pages_worked_on_by_a_dask_cluster_are_those_of_this_machine(place: Place, dask_cluster: str) -> None:
    save(place / "in/a.jpg", page("Letter about apples"))
    save(place / "in/b.tif", page("Pears", mode="1"), page("Plums"))
    save(place / "in/c.pdf", page("Cherries", mode="RGB").rotate(2, fillcolor="white"))
    wishes = ("--ocr", "--deskew")
    assert place.run("batch", "in", "-o", "here/", *wishes).code == 0
    ran = place.run("batch", "in", "-o", "there/", *wishes, "--executor", f"dask://{dask_cluster}", timeout=100)

    assert ran.code == 0, ran.err
    for name in ("a.pdf", "b.pdf", "c.pdf"):
        assert streams(place / "there" / name) == streams(place / "here" / name)
        assert text_of(place / "there" / name) == text_of(place / "here" / name) != ""
