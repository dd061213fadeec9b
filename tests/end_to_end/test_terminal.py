"""`dwtsvc scan` on a terminal: progress, questions, and Ctrl-C."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pexpect
import pytest
from PIL import Image

from tests.end_to_end.conftest import DWTSVC, Place
from tests.sane.conftest import Faulty
from tests.sane.rig import a4_pixels, expected_rows
from tests.server.daemon import processes, until

SLOW = ("--option", "read-delay=yes", "--option", "read-delay-duration=50000")


@pytest.fixture
def terminal(place: Place, sane_test: dict[str, str]) -> Iterator[list[pexpect.spawn]]:
    started: list[pexpect.spawn] = []
    yield started
    for each in started:
        each.close(force=True)


def start(started: list[pexpect.spawn], place: Place, *arguments: str) -> pexpect.spawn:
    child = pexpect.spawn(DWTSVC, ["scan", *arguments], cwd=place.folder, timeout=60, dimensions=(30, 100))
    started.append(child)
    return child


def finish(child: pexpect.spawn) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return int(child.exitstatus) if child.exitstatus is not None else None


def test_progress_shows_pages_rows_and_pace(terminal: list[pexpect.spawn], place: Place) -> None:
    child = start(terminal, place, "-d", "test:0", "-r", "50", "-n", "3", *SLOW, "-o", "a.pdf")
    child.expect(r"Page 1, row \d+ of 584")
    child.expect(r"Page 3, row")
    child.expect(r"\d+ pages/min")
    assert finish(child) == 0


def test_no_progress_if_it_is_not_wanted_or_nobody_looks(terminal: list[pexpect.spawn], place: Place) -> None:
    child = start(terminal, place, "-d", "test:0", "-r", "50", "-n", "1", *SLOW, "-o", "a.pdf", "--no-progress")
    assert finish(child) == 0
    assert b"row" not in child.before
    assert "row" not in place.run("scan", "-d", "test:0", "-r", "50", "-n", "1", *SLOW, "-o", "b.pdf").err


def test_a_page_is_not_poured_into_a_terminal(terminal: list[pexpect.spawn], place: Place) -> None:
    child = start(terminal, place, "-d", "test:0", "-o", "-")
    child.expect("no text for a terminal")
    assert finish(child) == 2


ENDLESS = {"action": "slow", "fail_at": 2, "row_delay_us": 50_000}  # the second page: nobody sees its end


def interrupt_in_page_two(child: pexpect.spawn) -> None:
    child.expect(r"Page 2, row \d+")
    child.sendintr()


def test_ctrl_c_keeps_the_finished_pages_and_says_so(
    terminal: list[pexpect.spawn], place: Place, faulty: Faulty
) -> None:
    faulty(pages=6, **ENDLESS)
    child = start(terminal, place, "-d", "dwtfault:adf", "--source", "feeder", "-r", "75", "-o", "a.pdf")
    interrupt_in_page_two(child)
    child.expect("Ctrl-C again")
    child.expect("1 page is kept")
    assert finish(child) == 130
    assert place.files() == []
    assert faulty.left_idle()  # the device was cancelled, not dropped
    assert place.run("scan", "--recover", "-o", "kept.png").lines == ["kept.png"]
    with Image.open(place / "kept.png") as image:
        assert (image.width, image.height) == a4_pixels(75)  # its pixels went through JPEG, as a PDF has them


def test_files_that_are_finished_stay_after_ctrl_c(terminal: list[pexpect.spawn], place: Place, faulty: Faulty) -> None:
    faulty(pages=6, **ENDLESS)
    child = start(terminal, place, "-d", "dwtfault:adf", "--source", "feeder", "-r", "75", "-o", "p{n}.png")
    interrupt_in_page_two(child)
    assert finish(child) == 130
    assert place.files() == ["p1.png"]
    assert place.run("scan", "--recover", "-o", "x.png").code == 1  # nothing is left to recover


def test_a_second_ctrl_c_ends_at_once(
    terminal: list[pexpect.spawn], place: Place, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DWTSVC_CANCEL_GRACE", "600")  # the driver hangs for ever, and would have all of it
    faulty(pages=6, action="hang", fail_at=2)
    child = start(terminal, place, "-d", "dwtfault:adf", "--source", "feeder", "-r", "75", "-o", "a.pdf")
    child.expect(r"Page 2")
    child.sendintr()
    child.expect("Ctrl-C again")
    child.sendintr()
    assert finish(child) == 130
    until(lambda: not processes(place.home))  # its worker leaves by itself


def test_sigterm_is_a_kind_ctrl_c(place: Place, faulty: Faulty) -> None:
    faulty(pages=6, row_delay_us=1000)
    child = subprocess.Popen(
        [DWTSVC, "scan", "-d", "dwtfault:adf", "--source", "feeder", "-r", "75", "-o", "p{n}.png"],
        cwd=place.folder,
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout
    assert child.stdout.readline() == b"p1.png\n"
    child.terminate()
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert faulty.left_idle()


def test_a_batch_asks_for_the_next_page_until_it_is_told_to_stop(terminal: list[pexpect.spawn], place: Place) -> None:
    child = start(terminal, place, "-d", "test:0", "--source", "flatbed", "-r", "50", "--batch", "-o", "a.pdf")
    for count in (1, 2):
        child.expect(f"{count} pages? so far")
        child.sendline("")
    child.expect("3 pages so far")
    child.sendline("q")
    assert finish(child) == 0
    pages = subprocess.run(["qpdf", "--show-npages", str(place / "a.pdf")], capture_output=True, check=True)
    assert pages.stdout.strip() == b"3"


def test_ctrl_c_at_a_question_ends_the_batch_and_keeps_its_pages(terminal: list[pexpect.spawn], place: Place) -> None:
    child = start(terminal, place, "-d", "test:0", "--source", "flatbed", "-r", "50", "--batch", "-o", "a.pdf")
    child.expect("so far")
    child.sendintr()
    child.expect("1 page is kept")
    assert finish(child) == 130


def test_a_batch_without_a_terminal_ends_after_the_first_stack(place: Place, sane_test: dict[str, str]) -> None:
    ran = place.run("scan", "-d", "test:0", "-r", "50", "--batch", "-o", "a.pdf")
    assert ran.code == 0
    assert "10 pages" in ran.err


def turn_over(terminal: list[pexpect.spawn], place: Place) -> pexpect.spawn:
    """Two fronts are scanned and the stack is turned; what is left in the feeder are the backs."""
    arguments = ("-d", "dwtfault:adf", "--source", "feeder", "-r", "75", "--mode", "gray", "-n", "2", "-o", "p{n}.png")
    child = start(terminal, place, *arguments, "--manual-duplex")
    child.expect("2 fronts are scanned")
    assert place.files() == [".p1.png.part"]  # nothing is written before the counts agree
    child.sendline("")
    return child


def test_manual_duplex_asks_to_turn_the_stack_and_puts_pages_in_order(
    terminal: list[pexpect.spawn], place: Place, faulty: Faulty
) -> None:
    faulty(pages=4)
    assert finish(turn_over(terminal, place)) == 0
    assert place.files() == [f"p{n}.png" for n in range(1, 5)]
    for name, scanned in (("p1.png", 1), ("p2.png", 4), ("p3.png", 2), ("p4.png", 3)):
        with Image.open(place / name) as image:
            assert image.tobytes() == expected_rows(scanned, image.width, image.height, "Gray")


def test_manual_duplex_with_a_missing_back_writes_nothing_and_keeps_all(
    terminal: list[pexpect.spawn], place: Place, faulty: Faulty
) -> None:
    faulty(pages=3)
    child = turn_over(terminal, place)
    child.expect("3 pages are kept")
    child.expect("2 fronts, but 1 backs")
    assert finish(child) == 4
    assert place.files() == []


def test_manual_duplex_without_a_terminal_waits_for_the_turned_stack(place: Place, sane_test: dict[str, str]) -> None:
    ran = place.run("scan", "-d", "test:0", "-r", "50", "--manual-duplex", "--wait-paper", "1", "-o", "p{n}.jpg")
    assert ran.code == 0
    assert len(place.files()) == 20
