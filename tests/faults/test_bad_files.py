"""Files that were made to break their reader: a word for each, the rest goes on, and nothing is left behind."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from dwtsvc.errors import BadInput, Encrypted, FileAccess, tree
from dwtsvc.imaging.pagecodes import PageCodes
from dwtsvc_cli import barcodelanes
from dwtsvc_cli.barcodelanes import Lanes, Reading
from dwtsvc_cli.inputs import Input
from dwtsvc_cli.pdfchild import PdfChild
from tests.end_to_end.conftest import Place, place
from tests.faults.badfiles import KINDS, mutated
from tests.faults.breaking import breaking, spin
from tests.faults.filestorm import PDFS, Storm, commands
from tests.imaging.test_barcodepages import page

__all__ = ["place"]

FAULTS_OF_FILES = {BadInput.word, Encrypted.word, FileAccess.word}
HOW = Reading(types=None, engine="auto", dpi=300, draw="")
VIRTUAL_PDF = PDFS[-1]  # drawn by the driver, which has no limits


def test_mutations_come_again_from_their_seed() -> None:
    assert list(mutated(3, 100)) == list(mutated(3, 100))
    assert [name for name, _ in mutated(4, 200)] != [name for name, _ in mutated(3, 200)]


def test_every_bad_file_has_a_word_and_the_good_ones_between_are_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = place.home.parent / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    page("HERE").save(place / "good.png")
    slow = {"form-draws-itself.pdf", "huge-page.pdf"}  # each takes a limit; see the long form
    names = [name for name in KINDS if name not in slow]
    for name in names:
        (place / name).write_bytes(KINDS[name]())
    order = [*names[:40], "good.png", *names[40:], "good.png"]
    ran = place.run("barcode", "--json", *order, timeout=100)
    assert "Traceback" not in ran.err and ran.code in {error.exit_code for error in tree()} - {70}
    assert [said["input"] for said in ran.events] == order
    assert {said["error"] for said in ran.events if "error" in said} == FAULTS_OF_FILES - {FileAccess.word}
    assert all([code["text"] for code in ran.events[at]["barcodes"]] == ["HERE"] for at in (40, -1))
    assert os.listdir(temporary) == []


@pytest.mark.parametrize("seed", range(3))
def test_mutations_end_in_a_word_of_ours_and_leave_nothing(tmp_path: Path, seed: int) -> None:
    storm, chance = Storm(tmp_path), random.Random(seed)
    for name, data in mutated(seed, 4):
        storm.run(chance.choice(commands(name, ocr=False)), name, data)
    assert storm.report.runs == 4 and storm.report.faults == []


@pytest.mark.parametrize("name", ["bomb-of-bombs.pdf", "page-tree-in-a-circle.pdf", "xmp-bomb.pdf", "locked.pdf"])
def test_a_pdf_that_is_to_be_changed_ends_in_a_word_of_ours_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    storm, data = Storm(tmp_path), KINDS[name]()
    for words in random.Random(name).sample([words for words in PDFS if words is not VIRTUAL_PDF], 3):
        storm.run(words, name, data)
    assert storm.report.runs == 3 and storm.report.faults == []


def test_the_storm_sees_a_fault_a_file_left_and_a_process_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "dwtsvc"
    program.write_text('#!/bin/sh\necho Internal error\ntouch "$TMPDIR/x" .out.pdf.part\nsleep 60 &\nexit 70\n')
    program.chmod(0o755)
    monkeypatch.setattr("tests.faults.filestorm.DWTSVC", str(program))
    monkeypatch.setattr("tests.faults.filestorm.MOMENT", 1.0)
    storm = Storm(tmp_path / "storm")
    storm.run(("barcode", "FILE"), "a.png", b"")
    (fault,) = storm.report.faults
    for told in ("exit code 70", "temporary files: x", "left behind: .out.pdf.part", "processes outlived it"):
        assert told in fault


@pytest.mark.parametrize("order", [["a", "kill", "b", "eat", "bad", "c"], ["kill", "eat", "bad"], ["bad", "a", "kill"]])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_file_that_breaks_its_reader_ends_only_itself_and_order_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: list[str], width: int
) -> None:
    for name in order:
        (tmp_path / name).touch()
    monkeypatch.setattr(barcodelanes, "codes_of", breaking)
    monkeypatch.setattr(barcodelanes, "_width", lambda sources: width)
    with Lanes([Input(str(tmp_path / name)) for name in order], HOW) as lanes:
        told = {name: list(lanes.pages(index)) for index, name in enumerate(order)}
    for name, pages in told.items():
        numbers = [said.number for said in pages if isinstance(said, PageCodes)]
        errors = [said for said in pages if isinstance(said, BadInput)]
        assert numbers == {"kill": [1], "eat": [], "bad": [1]}.get(name, [1, 2, 3])
        assert len(errors) == (name in ("kill", "eat", "bad"))
        assert ("needs too much memory" in str(errors)) == (name == "eat")


def test_an_edit_that_never_ends_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dwtsvc_cli.pdfchild.TIMEOUT", 0.3)
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\n")
    with PdfChild([path]) as child, pytest.raises(BadInput, match="took too long"):
        child.read(spin, path, None)


def test_a_merge_of_more_files_than_a_child_may_usually_open(place: Place) -> None:
    data = KINDS["open-to-all.pdf"]()
    names = [f"{number}.pdf" for number in range(80)]
    for name in names:
        (place / name).write_bytes(data)
    ran = place.run("pdf", "merge", *names, "-o", "all.pdf", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["pages"] == 80


def test_only_the_locked_one_of_several_is_told_of(place: Place) -> None:
    (place / "a.pdf").write_bytes(KINDS["open-to-all.pdf"]())
    (place / "b.pdf").write_bytes(KINDS["locked.pdf"]())
    ran = place.run("pdf", "merge", "a.pdf", "b.pdf", "-o", "all.pdf")
    assert ran.code == Encrypted.exit_code and "b.pdf" in ran.err and place.files() == ["a.pdf", "b.pdf"]
    assert place.run("pdf", "merge", "a.pdf", "b.pdf", "-o", "all.pdf", DWTSVC_PDF_PASSWORD="secret").code == 0
