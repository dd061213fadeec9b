"""From scanner to file with everything between: read, cleaned, split, named, and back to what was scanned."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image

from tests.disks import mounted
from tests.end_to_end.conftest import DWTSVC, Place
from tests.imaging import printed

TESSERACT = shutil.which("tesseract")

pytestmark = pytest.mark.skipif(TESSERACT is None, reason="tesseract is not installed")


def text_of(path: Path) -> str:
    return subprocess.run(["pdftotext", str(path), "-"], check=True, capture_output=True, text=True).stdout


def check(path: Path) -> int:
    """qpdf finds no fault; the number of pages."""
    subprocess.run(["qpdf", "--check", str(path)], check=True, capture_output=True)
    with pikepdf.open(path) as pdf:
        return len(pdf.pages)


def jpegs_of(path: Path) -> list[bytes]:
    """The JPEG streams of a PDF of scanned pages, byte for byte."""
    with pikepdf.open(path) as pdf:
        return [next(iter(page.get_images().values())).read_raw_bytes() for page in pdf.pages]


def events(ran: Any, kind: str) -> list[dict[str, Any]]:
    return [event for event in ran.events if event["event"] == kind]


class Reader:
    """A tesseract that counts what it reads, and waits at a gate if there is one."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.log, self.gate = folder, folder / "log", folder / "gate"
        script = (
            "#!/bin/sh\n"
            f'case "$*" in *tessedit_create_tsv*) echo $$ >> {self.log};'
            f" while [ -e {self.gate} ]; do sleep 0.05; done;; esac\n"
            f'exec {TESSERACT} "$@"\n'
        )
        program = folder / "tesseract"
        program.write_text(script)
        program.chmod(0o755)

    @property
    def read(self) -> list[int]:
        """The process of each reading that was begun."""
        return [int(line) for line in self.log.read_text().split()] if self.log.exists() else []

    def close(self) -> None:
        self.gate.touch()

    def open(self) -> None:
        self.gate.unlink()


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    made = Reader(tmp_path / "reader")
    monkeypatch.setenv("PATH", f"{made.folder}{os.pathsep}{os.environ['PATH']}")
    yield made
    made.gate.unlink(missing_ok=True)


@pytest.fixture
def two_megabytes(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "disk", "-o", "size=700k")


class Running:
    """The command while it runs, in a session of its own as a terminal gives it."""

    def __init__(self, place: Place, *arguments: str) -> None:
        self.home = place.home
        self.process = subprocess.Popen(
            [DWTSVC, *arguments],
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    @property
    def stored(self) -> int:
        """How many pages of the scan are safe, by the journals; pages that were made anew have another owner."""
        journals = [path.read_text() for path in self.home.glob("state/pages/*/journal")]
        return sum(text.count('{"page":') for text in journals if '"kind":"made"' not in text)

    @property
    def family(self) -> list[int]:
        """The processes below it."""
        found, new = [], [self.process.pid]
        while new:
            new = [child for parent in new for child in children_of(parent)]
            found += new
        return found

    def page_workers(self) -> list[int]:
        return [pid for pid in children_of(self.process.pid) if "limits" in of_process(pid, "cmdline")]

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=90)
        return self.process.returncode, out.decode(), err.decode()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def children_of(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def of_process(pid: int, name: str) -> str:
    """A file of /proc, empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_for(condition: Any, what: str) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def stack(folder: Path, *kinds: str, dpi: int = 150) -> str:
    """A feeder with these sheets, as the address of the scanner; PATCHT is a separator."""
    folder.mkdir()
    for number, kind in enumerate(kinds, 1):
        if kind == "PATCHT":
            sheet = folder.parent / "separator.png"
            if not sheet.exists():
                subprocess.run([DWTSVC, "barcode", "sheet", "-o", str(sheet)], check=True, capture_output=True)
            with Image.open(sheet) as image:
                image.convert("L").resize((210 * dpi * 10 // 254, 297 * dpi * 10 // 254)).save(
                    folder / f"{number:02}.png", dpi=(dpi, dpi)
                )
        elif kind == "empty":
            Image.new("L", (210 * dpi * 10 // 254, 297 * dpi * 10 // 254), 250).save(
                folder / f"{number:02}.png", dpi=(dpi, dpi)
            )
        else:
            printed.sheet(kind, dpi, number).convert("RGB").save(folder / f"{number:02}.png", dpi=(dpi, dpi))
    return f"virtual:adf?folder={folder}"


# --- what comes out


def test_a_scan_that_was_read_can_be_searched_and_its_pictures_are_untouched(place: Place) -> None:
    feeder = ("scan", "-d", "virtual:adf?pages=2", "-r", "150")
    assert place.run(*feeder, "-o", "plain.pdf").code == 0
    ran = place.run(*feeder, "--ocr", "-o", "read.pdf")
    assert (ran.code, ran.lines) == (0, ["read.pdf"])
    assert check(place / "read.pdf") == 2
    assert len(printed.words(text_of(place / "read.pdf")) & printed.words_on("letter", 1)) > 50
    assert "INV-000002" in text_of(place / "read.pdf")
    assert jpegs_of(place / "read.pdf") == jpegs_of(place / "plain.pdf")
    assert text_of(place / "plain.pdf").strip() == ""
    assert list(place.home.glob("state/pages/*")) == []  # nothing was changed, so nothing is kept


def test_blank_pages_are_left_out_and_told(place: Place) -> None:
    ran = place.run("scan", "-d", "virtual:adf", "-r", "75", "--drop-blank", "-o", "a.pdf")
    assert ran.code == 0
    assert check(place / "a.pdf") == 6
    assert re.search(r"Page 7 is left out: blank, score (0\.[5-9]|1)", ran.err)
    assert "1 page was left out. Write all as they were scanned with: dwtsvc scan --undo -o FILE" in ran.err
    ran = place.run("scan", "-d", "virtual:adf", "-r", "75", "--drop-blank", "-o", "b.pdf", "--json")
    [dropped] = events(ran, "dropped")
    assert (dropped["page"], dropped["reason"][:5]) == (7, "blank")
    [undoable] = events(ran, "undoable")
    assert undoable["dropped"] == [7]
    assert ran.events[-1]["pages"] == 6


def test_documents_are_split_and_named_by_barcode(place: Place) -> None:
    ran = place.run(
        "scan", "-d", "virtual:adf?pages=4", "-r", "150", "--split-on", "barcode", "-o", "{barcode|doc}.pdf"
    )
    assert (ran.code, sorted(ran.lines)) == (0, ["INV-000002.pdf", "doc.pdf"])
    assert (check(place / "doc.pdf"), check(place / "INV-000002.pdf")) == (1, 3)


def test_documents_are_named_by_their_text(place: Place) -> None:
    feeder = stack(place.folder.parent / "stack", "letter", "PATCHT", "invoice", "form")
    ran = place.run(
        "scan", "-d", feeder, "-r", "150", "--split-on", "patcht", "-o", r"{text:Number (INV-\d+)|letter}.pdf"
    )
    assert (ran.code, sorted(ran.lines)) == (0, ["INV-000003.pdf", "letter.pdf"])
    assert (check(place / "letter.pdf"), check(place / "INV-000003.pdf")) == (1, 2)
    assert "Page 2 is left out: separator sheet" in ran.err


def test_in_duplex_the_back_of_a_separator_goes_with_it(place: Place) -> None:
    sides = ("letter", "empty", "PATCHT", "empty", "form", "table")
    feeder = stack(place.folder.parent / "stack", *sides)
    ran = place.run(
        *("scan", "-d", feeder, "--source", "duplex", "-r", "150"),
        *("--split-on", "patcht", "--drop-blank", "-o", "d{doc}.pdf", "--json"),
    )
    assert [event["page"] for event in events(ran, "dropped")] == [2, 3, 4]
    assert "back of a separator sheet" in events(ran, "dropped")[2]["reason"]
    assert (check(place / "d1.pdf"), check(place / "d2.pdf")) == (1, 2)


def test_an_open_book_is_parted_and_each_half_read(place: Place) -> None:
    pages = place.folder.parent / "book"
    pages.mkdir()
    book = Image.new("L", (1600, 1100), 255)
    book.paste(printed.typed("The left page is the first", size=(800, 1100)), (0, 0))
    book.paste(printed.typed("The right page is the second", size=(800, 1100)), (800, 0))
    book.save(pages / "1.png", dpi=(200, 200))
    device = f"virtual:adf?folder={pages}"
    assert place.run("scan", "-d", device, "-r", "200", "--parts", "book", "--ocr", "-o", "b{n}.pdf").code == 0
    assert place.files() == ["b1.pdf", "b2.pdf"]
    assert "left page" in text_of(place / "b1.pdf")
    assert "right page" in text_of(place / "b2.pdf")


def test_pages_are_stored_with_no_more_than_was_asked(place: Place) -> None:
    feeder = ("scan", "-d", "virtual:adf?pages=1", "-r", "150", "--store-resolution", "75")
    assert place.run(*feeder, "-o", "a.png").code == 0
    with Image.open(place / "a.png") as image:
        assert image.size == (620, 877)
        assert round(image.info["dpi"][0]) == 75


def test_an_archive_copy_says_that_it_is_one(place: Place) -> None:
    ran = place.run(
        *("scan", "-d", "virtual:adf?pages=1", "-r", "100", "--ocr", "--output-type", "pdfa"),
        *("--title", "A letter", "-o", "a.pdf"),
    )
    assert ran.code == 0
    with pikepdf.open(place / "a.pdf") as pdf, pdf.open_metadata() as said:
        assert (said["pdfaid:part"], said["pdfaid:conformance"], said["dc:title"]) == ("2", "B", "A letter")
    assert "Harbour" in text_of(place / "a.pdf")


def test_a_read_scan_goes_to_a_pipe(place: Place) -> None:
    ran = place.run("scan", "-d", "virtual:adf?pages=1", "-r", "150", "--ocr", "-o", "-")
    (place / "piped.pdf").write_bytes(ran.out)
    assert check(place / "piped.pdf") == 1
    assert "Harbour" in text_of(place / "piped.pdf")


def test_both_sides_by_hand_are_put_in_order_and_then_worked_on(place: Place) -> None:
    ran = place.run(
        *("scan", "-d", "virtual:adf?pages=3&document=letter", "--source", "feeder", "-r", "100"),
        *("--manual-duplex", "--wait-paper", "20", "--ocr", "--split-on", "every:1", "-o", "s{doc}.pdf"),
    )
    assert ran.code == 0, ran.err
    assert ran.lines == [f"s{number}.pdf" for number in (1, 2, 3)]
    texts = [text_of(place / name).replace("O", "0") for name in ran.lines]  # as tesseract reads some of them
    found = [[int(serial) for serial in re.findall(r"Serial (\d+)", text)] for text in texts]
    assert found == [[1, 6], [2, 5], [3, 4]]


def test_a_batch_without_a_terminal_is_one_stack(place: Place) -> None:
    ran = place.run("scan", "-d", "virtual:adf?pages=2", "-r", "75", "--batch", "--deskew", "-o", "a.pdf")
    assert (ran.code, check(place / "a.pdf")) == (0, 2)


# --- the scanner comes first


def test_all_pages_are_scanned_while_the_first_is_still_being_read(place: Place, reader: Reader) -> None:
    reader.close()
    with Running(
        place, "scan", "-d", "virtual:adf?pages=14", "-r", "75", "--ocr", "--jobs", "2", "-o", "a.pdf"
    ) as scan:
        wait_for(lambda: scan.stored == 14, "the scanner waits for the reading")
        assert len(reader.read) <= 2
        reader.open()
        code, _, err = scan.end()
    assert code == 0, err
    assert check(place / "a.pdf") == 14
    assert len(reader.read) == 14


def test_pages_come_out_while_others_are_still_scanned(place: Place, reader: Reader) -> None:
    with Running(place, "scan", "-d", "virtual:adf?pages=3&hang=3", "-r", "75", "--ocr", "-o", "p{n}.pdf") as scan:
        wait_for(lambda: (place / "p2.pdf").exists(), "the second page does not come")
        assert check(place / "p1.pdf") == 1
        scan.process.send_signal(signal.SIGINT)
        assert scan.end()[0] == 130


# --- when something breaks


def test_after_a_jam_all_pages_are_kept_and_nothing_is_read_twice(place: Place, reader: Reader) -> None:
    wishes = ("--ocr", "--deskew", "-o", "a.pdf")
    ran = place.run("scan", "-d", "virtual:adf?pages=6&jam=5", "-r", "100", *wishes)
    assert ran.code == 23
    assert "4 pages are kept" in ran.err
    assert len(reader.read) == 4
    assert place.files() == []
    assert place.run("scan", "--undo", "--dry-run").code == 1  # it did not finish
    assert place.run("scan", "--resume").code == 0
    assert check(place / "a.pdf") == 4
    assert len(reader.read) == 4
    text = text_of(place / "a.pdf")
    assert "Harbour" in text
    assert "INV-000002" in text
    assert place.run("scan", "--recover", "--dry-run").code == 1


def test_a_jam_is_told_before_the_pages_are_read(place: Place, reader: Reader) -> None:
    reader.close()
    with Running(place, "scan", "-d", "virtual:adf?pages=6&jam=5", "-r", "75", "--ocr", "-o", "a.pdf") as scan:
        assert scan.process.stderr
        assert scan.process.stderr.readline() == b"The paper is jammed. The pages before are being finished.\n"
        reader.open()
        assert scan.end()[0] == 23


def test_ctrl_c_ends_soon_loses_nothing_and_leaves_no_process(place: Place, reader: Reader) -> None:
    reader.close()
    with Running(place, "scan", "-d", "virtual:adf?slow=0.1&pages=500", "-r", "75", "--ocr", "-o", "a.pdf") as scan:
        wait_for(lambda: scan.stored >= 12 and len(reader.read) >= 1, "no pages come")
        family = [*scan.family, *reader.read]
        os.killpg(scan.process.pid, signal.SIGINT)  # as a terminal does it: to all that stand in front of it
        assert scan.process.stderr and any(b"Ctrl-C again" in line for line in scan.process.stderr)
        reader.open()
        code, _, err = scan.end()
    assert code == 130, err
    assert "stays as it was scanned" not in err  # no page worker was hit
    wait_for(lambda: all(map(gone, family)), "processes are left")
    [kept] = events(place.run("scan", "--recover", "--dry-run", "--json"), "kept")
    assert kept["pages"] >= 12
    assert len(reader.read) < 12  # what nobody had begun to read is left for later
    assert place.run("scan", "--resume", "--json").code == 0
    assert check(place / "a.pdf") == kept["pages"]


def test_a_second_ctrl_c_ends_at_once(place: Place, reader: Reader) -> None:
    reader.close()
    with Running(place, "scan", "-d", "virtual:adf?pages=9", "-r", "75", "--ocr", "-o", "a.pdf") as scan:
        wait_for(lambda: scan.stored == 9 and len(reader.read) >= 1, "no pages come")
        family = [*scan.family, *reader.read]
        scan.process.send_signal(signal.SIGINT)
        code, _, _ = scan.end()  # the scanner had ended: there is nothing to wait for
    assert code == 130
    wait_for(lambda: all(map(gone, family)), "processes are left")
    [kept] = events(place.run("scan", "--recover", "--dry-run", "--json"), "kept")
    assert kept["pages"] == 9


def test_kill_9_loses_nothing_and_the_scan_can_be_resumed(place: Place, reader: Reader) -> None:
    options = ("-r", "100", "--ocr", "--deskew", "--drop-blank", "-o", "a.pdf")
    with Running(place, "scan", "-d", "virtual:adf?pages=12&slow=0.2", *options) as scan:
        wait_for(lambda: len(list(place.home.glob("cache/pages/*/*"))) >= 3, "no page is read")
        workers = scan.page_workers()
        scan.process.kill()
        scan.process.communicate()
    wait_for(lambda: all(map(gone, workers)), "page workers are left")
    before = len(reader.read)
    [kept] = events(place.run("scan", "--recover", "--dry-run", "--json"), "kept")
    assert kept["pages"] >= 3
    ran = place.run("scan", "--resume", "--json")
    assert ran.code == 0, ran.err
    assert ran.events[-1]["pages"] + len(events(ran, "dropped")) == kept["pages"]
    assert len(reader.read) - before <= kept["pages"] - 3
    assert check(place / "a.pdf") == ran.events[-1]["pages"]
    owners = {path.name for path in place.home.glob("state/pages/*")}
    assert owners <= {kept["id"]}  # nothing of what was made anew is left


def test_a_page_worker_that_is_killed_costs_the_text_of_its_page(place: Place, reader: Reader) -> None:
    reader.close()
    with Running(
        place, "scan", "-d", "virtual:adf?pages=3&document=letter", "-r", "100", "--ocr", "-j", "1", "-o", "p{n}.pdf"
    ) as scan:
        wait_for(lambda: len(reader.read) == 1, "nothing is read")
        [worker] = scan.page_workers()
        os.kill(worker, signal.SIGKILL)
        reader.open()
        code, out, err = scan.end()
    assert (code, out.split()) == (0, ["p1.pdf", "p2.pdf", "p3.pdf"])
    assert "Page 1 stays as it was scanned: The page broke the program that read it: signal 9" in err
    assert ["Harbour" in text_of(place / f"p{number}.pdf") for number in (1, 2, 3)] == [False, True, True]


def test_a_full_disk_keeps_all_pages(place: Place, two_megabytes: Path) -> None:
    wishes = ("-r", "150", "--deskew", "--drop-blank", "-o")
    ran = place.run("scan", "-d", "virtual:adf?pages=6", *wishes, str(two_megabytes / "a.pdf"))
    assert ran.code == 40
    assert "6 pages are kept" in ran.err
    assert list(two_megabytes.iterdir()) == []
    assert place.run("scan", "--recover", "--deskew", "-o", "a.pdf").code == 0
    assert check(place / "a.pdf") == 6


# --- and back


def test_what_was_left_out_and_changed_can_be_had_as_it_was_scanned(place: Place) -> None:
    feeder = ("scan", "-d", "virtual:adf", "-r", "75")
    assert place.run(*feeder, "-o", "plain.pdf").code == 0
    cleaned = ("--drop-blank", "--deskew", "--clean", "--store-resolution", "60", "--split-on", "barcode")
    ran = place.run(*feeder, *cleaned, "-o", "{doc}.pdf")
    assert ran.code == 0
    assert sum(check(place / name) for name in ran.lines) == 6
    [listed] = place.run("scan", "--undo", "--dry-run", "--json").events
    assert (listed["event"], listed["pages"], listed["dropped"], listed["output"]) == ("finished", 7, [7], "{doc}.pdf")
    for name in ("once.pdf", "twice.pdf"):
        assert place.run("scan", "--undo", "-o", name).code == 0
        assert jpegs_of(place / name) == jpegs_of(place / "plain.pdf")
    assert place.run("scan", "--undo", "-o", "u{n}.jpg", "--json").events[-1]["pages"] == 7
    assert [(place / f"u{n}.jpg").read_bytes() for n in range(1, 8)] == jpegs_of(place / "plain.pdf")
    (place / "u1.jpg").write_bytes(b"edited in place by somebody")
    assert place.run("scan", "--undo", "-o", "again.pdf").code == 0


def test_raw_pages_come_back_with_every_pixel(place: Place) -> None:
    for mode in ("color", "gray", "lineart"):
        feeder = ("scan", "-d", "virtual:adf?pages=2", "-r", "75", "--mode", mode)
        assert place.run(*feeder, "-o", f"{mode}-{{n}}.png").code == 0
        assert place.run(*feeder, "--deskew", "--adjust", "20,10,1.2", "-o", f"{mode}-worked-{{n}}.png").code == 0
        assert place.run("scan", "--undo", "-o", f"{mode}-undone-{{n}}.png").code == 0
        for number in (1, 2):
            plain, worked, undone = (
                Image.open(io.BytesIO((place / f"{mode}{name}-{number}.png").read_bytes()))
                for name in ("", "-worked", "-undone")
            )
            assert undone.mode == plain.mode
            assert undone.tobytes() == plain.tobytes() != worked.tobytes()


def test_the_pages_of_finished_scans_are_no_leftovers(place: Place) -> None:
    for _ in range(2):
        assert (
            place.run(
                "scan", "-d", "virtual:adf?pages=2&skew=3", "-r", "75", "--deskew", "-o", "{n}.png", "-q", "--next-free"
            ).code
            == 0
        )
    assert place.run("scan", "--recover", "-o", "r.pdf").code == 1
    newest, older = place.run("scan", "--undo", "--dry-run", "--json").events
    assert newest["begun"] > older["begun"]
    wrong = place.run("scan", "--recover", "--recover-id", older["id"], "-o", "r.pdf")
    assert wrong.code == 1
    assert place.run("scan", "--undo", "--recover-id", older["id"], "-o", "u.pdf").code == 0
    unknown = place.run("scan", "--undo", "--recover-id", "nonsense", "-o", "v.pdf")
    assert (unknown.code, newest["id"] in unknown.err) == (2, True)
    assert place.run("scan", "--undo", "--resume").code == 2


def test_an_undo_may_do_it_again_in_another_way(place: Place) -> None:
    assert place.run("scan", "-d", "virtual:adf", "-r", "75", "--drop-blank", "-o", "a.pdf").code == 0
    assert place.run("scan", "--undo", "--ocr", "-o", "b.pdf").code == 0
    assert (check(place / "a.pdf"), check(place / "b.pdf")) == (6, 7)
    assert "Serial" in text_of(place / "b.pdf")


def test_kept_pages_go_after_their_days(place: Place) -> None:
    assert place.run("scan", "-d", "virtual:adf", "-r", "75", "--drop-blank", "-o", "a.pdf").code == 0
    [owner] = place.home.glob("state/pages/*")
    old = time.time() - 31 * 86400
    os.utime(owner, (old, old))
    assert place.run("scan", "--undo", "-o", "u.pdf").code == 1
    assert not owner.exists()


# --- what it costs


WORDS_A_PAGE = 900


@pytest.fixture
def typist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tesseract that finds many words on every page, at once."""
    rows = ["\t".join(("4", "1", "1", "1", "1", "0", "10", "10", "300", "20", "-1", ""))]
    for number in range(1, WORDS_A_PAGE + 1):
        place = ("10", str(10 + number // 2), "40", "20")
        rows.append("\t".join(("5", "1", "1", "1", "1", str(number), *place, "95.5", f"word{number}")))
    table = tmp_path / "table.tsv"
    table.write_text("\n".join(["level\t...", *rows, ""]))
    answers = f'[ "$1" != --list-langs ] || {{ printf "List (2):\neng\nosd\n"; exit; }}\ncp {table} "$2.tsv"'
    printed.install(monkeypatch, tmp_path / "typist", answers)


def high_water(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+)", of_process(pid, "status"))
    return int(found[1]) if found else 0


def peaks(place: Place, pages: int) -> tuple[int, int]:
    """The most memory that the command, and one of its page workers, ever held: KiB, by the kernel's own marks."""
    command = worker = 0
    device = f"virtual:adf?pages={pages}&document=form&noise=0&skew=1"
    wishes = ("--ocr", "--drop-blank", "--store-resolution", "50", "--receipt", "-o", f"{pages}.pdf")
    with Running(place, "scan", "-d", device, "-r", "60", *wishes) as scan:
        while scan.process.poll() is None:
            command = max(command, high_water(scan.process.pid))
            worker = max([worker, *map(high_water, scan.page_workers())])
            time.sleep(0.02)
        code, _, err = scan.end()
    assert code == 0, err
    assert check(place / f"{pages}.pdf") == pages
    return command, worker


@pytest.mark.usefixtures("typist")
def test_memory_does_not_grow_with_the_pages(place: Place) -> None:
    few, many = peaks(place, 20), peaks(place, 200)
    assert f"word{WORDS_A_PAGE}" in text_of(place / "200.pdf")
    growth = [after - before for before, after in zip(few, many, strict=True)]
    assert max(growth) < 12 * 1024, (few, many)  # the texts of 180 pages alone would be four times that


HEAVY = {
    "numpy",
    "cv2",
    "pytesseract",
    "http.client",
    "email",
    "statistics",
    "dwtsvc.pipeline.work",
    "dwtsvc.imaging.ocr",
    "dwtsvc.splitting",
    "dwtsvc_cli.bench",
    "concurrent.futures.process",
}


def test_a_scan_without_wishes_loads_nothing_of_all_this(place: Place) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", DWTSVC, "scan", "-d", "virtual:adf?pages=1", "-r", "75", "-o", "a.pdf"],
        cwd=place.folder,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0
    loaded = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert "dwtsvc.imaging.pdf" in loaded
    assert loaded & HEAVY == set()


def test_documents_that_name_themselves_replace_nothing_and_say_so(place: Place) -> None:
    ran = place.run("scan", "-d", "virtual:adf", "--force", "--split-on", "patcht", "-o", "{doc}.pdf")
    assert ran.code == 2 and "--force" in ran.err and place.files() == []
