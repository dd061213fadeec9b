"""Tesseract as a program: what it is given, and what is made of its faults."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from PIL import Image

from dwtsvc.errors import ChildProgramFailed, MissingDependency
from dwtsvc.imaging import ocr
from dwtsvc.imaging.ocr import Reading
from tests.imaging import printed
from tests.programs import begun_first
from tests.server.daemon import lives, until

HEADING = "level\\tpage_num\\tblock_num\\tpar_num\\tline_num\\tword_num\\tleft\\ttop\\twidth\\theight\\tconf\\ttext\\n"
MODELS = "/usr/share/tesseract-ocr/5/tessdata"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_nothing_is_left_of_a_page_that_was_read(temporary: Path) -> None:
    assert ocr.read(printed.typed("harbour"), 200, Reading()).plain == "harbour\n"
    assert list(temporary.iterdir()) == []


def test_a_system_without_files_in_memory_reads_too(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    assert ocr.read(printed.typed("harbour"), 200, Reading()).plain == "harbour\n"
    assert list(temporary.iterdir()) == []


def test_it_runs_with_one_thread_and_this_process_does_not_notice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_THREAD_LIMIT", raising=False)
    monkeypatch.setenv("FLAVOUR", "vanilla")
    script = f"echo $OMP_THREAD_LIMIT $FLAVOUR > {tmp_path}/said; printf '{HEADING}' > $2.tsv"
    printed.install(monkeypatch, tmp_path / "bin", script)
    ocr.read(printed.typed("word"), 200, Reading())
    assert (tmp_path / "said").read_text() == "1 vanilla\n"
    assert "OMP_THREAD_LIMIT" not in os.environ


@pytest.mark.parametrize(
    ("reading", "dpi", "size", "told"),
    [
        (Reading(), 400, (620, 300), "200"),
        (Reading(fast=True), 400, (465, 225), "150"),
        (Reading(full=True), 400, (1240, 600), "400"),
        (Reading(), 100, (1240, 600), "100"),
        (Reading(), 20, (1240, 600), "70"),
    ],
)
def test_it_is_given_a_gray_bitmap_no_larger_than_needed_and_its_resolution(
    reading: Reading, dpi: float, size: tuple[int, int], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = f"cp $1 {tmp_path}/given; echo $* > {tmp_path}/words; printf '{HEADING}' > $2.tsv"
    printed.install(monkeypatch, tmp_path / "bin", script)
    ocr.read(printed.typed("word").convert("RGB"), dpi, reading)
    with Image.open(tmp_path / "given") as given:
        assert (given.format, given.mode, given.size) == ("BMP", "L", size)
    assert f"--dpi {told} " in (tmp_path / "words").read_text()


def test_what_it_writes_can_be_read_by_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed.install(
        monkeypatch, tmp_path / "bin", f"ls -ld $(dirname $2) > {tmp_path}/rights; printf '{HEADING}' > $2.tsv"
    )
    ocr.read(printed.typed("word"), 200, Reading())
    assert (tmp_path / "rights").read_text().startswith("drwx------")


def test_the_languages_reach_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed.install(monkeypatch, tmp_path / "bin", f"echo $* > {tmp_path}/words; printf '{HEADING}' > $2.tsv")
    text = ocr.read(printed.typed("word"), 200, Reading(languages="eng+script/Latin", psm=4))
    assert " -l eng+script/Latin " in (tmp_path / "words").read_text()
    assert " --psm 4" in (tmp_path / "words").read_text()
    assert text.engine == "tesseract 9.9"


def test_one_that_hangs_is_killed_and_leaves_nothing(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed.install(monkeypatch, tmp_path / "bin", f"echo half > $2.tsv; echo $$ > {tmp_path}/pid; exec sleep 600")
    begun_first(monkeypatch, (tmp_path / "pid").exists)
    with pytest.raises(ChildProgramFailed) as caught:
        ocr.read(printed.typed("word"), 200, Reading(timeout=1.5))
    assert "1.5 seconds" in caught.value.why
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not lives(pid))
    assert list(temporary.iterdir()) == []


def test_one_that_will_not_end_is_killed_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.1; done"
    printed.install(monkeypatch, tmp_path / "bin", script)
    begun_first(monkeypatch, (tmp_path / "pid").exists)
    with pytest.raises(ChildProgramFailed):
        ocr.read(printed.typed("word"), 200, Reading(timeout=1))
    pid = int((tmp_path / "pid").read_text())
    os.waitpid(pid, 0)  # it ends: this does not return while it lives
    assert not lives(pid)


def test_one_that_dies_is_reported_with_its_signal(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed.install(monkeypatch, tmp_path / "bin", "echo half > $2.tsv; kill -SEGV $$")
    with pytest.raises(ChildProgramFailed) as caught:
        ocr.read(printed.typed("word"), 200, Reading())
    assert "signal 11" in caught.value.why
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'the moon is full' >&2; exit 3", "the moon is full"),
        ("exit 3", "exit code 3"),
        ("printf '\\377\\376' >&2; exit 3", "decode"),
        ("exit 0", "No such file"),
    ],
)
def test_one_that_fails_is_reported_with_what_it_said(
    script: str, why: str, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed.install(monkeypatch, tmp_path / "bin", script)
    with pytest.raises(ChildProgramFailed) as caught:
        ocr.read(printed.typed("word"), 200, Reading())
    assert why in caught.value.why
    assert list(temporary.iterdir()) == []


def test_blank_words_and_characters_that_are_no_text_are_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        "4\\t1\\t2\\t1\\t1\\t0\\t10\\t10\\t200\\t20\\t-1\\t",
        "5\\t1\\t2\\t1\\t1\\t1\\t10\\t10\\t40\\t20\\t101.5\\tca\\001lm\\357\\277\\276",
        "5\\t1\\t2\\t1\\t1\\t2\\t60\\t10\\t40\\t20\\t-0.5\\t\\302\\205sea\\033",
        "5\\t1\\t2\\t1\\t1\\t3\\t90\\t10\\t40\\t20\\t95\\t \\007 ",
        "4\\t1\\t3\\t1\\t1\\t0\\t10\\t90\\t200\\t20\\t-1\\t",
        "5\\t1\\t3\\t1\\t1\\t1\\t10\\t90\\t40\\t20\\t95\\t ",
        "4\\t1\\t4\\t2\\t1\\t0\\t10\\t50\\t200\\t20\\t-1\\t",
        "5\\t1\\t4\\t2\\t1\\t1\\t10\\t50\\t40\\t20\\t90\\t\\303\\251t\\303\\251",
        "garbage",
    ]
    printed.install(monkeypatch, tmp_path / "bin", f"printf '{HEADING}" + "\\n".join(rows) + "' > $2.tsv")
    text = ocr.read(printed.typed("word"), 200, Reading())
    assert [(line.text, line.block, line.paragraph) for line in text.lines] == [("calm sea", 1, 1), ("été", 2, 1)]
    assert [word.confidence for word in text.words] == [100, 0, 90]
    assert text.lines[0].box == (10, 10, 210, 30)


def test_a_machine_without_it_is_told_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed.install(monkeypatch, tmp_path / "bin", "", "dnf")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for attempt in (
        lambda: ocr.check(Reading()),
        lambda: ocr.languages(),
        lambda: ocr.read(printed.typed("word"), 200, Reading()),
    ):
        with pytest.raises(MissingDependency) as caught:
            attempt()
        assert "sudo dnf install tesseract" in caught.value.hint
    assert ocr.engines()["tesseract"] is None


@pytest.mark.parametrize(
    ("system", "language", "command"),
    [
        ("apt-get", "chi_sim", "sudo apt-get install tesseract-ocr-chi-sim"),
        ("dnf", "deu", "sudo dnf install tesseract-langpack-deu"),
        ("pacman", "deu", "sudo pacman -S tesseract-data-deu"),
        ("brew", "deu", "brew install tesseract-lang"),
    ],
)
def test_a_missing_language_is_told_with_the_command_that_installs_it(
    system: str, language: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed.install(monkeypatch, tmp_path / "bin", "", system)
    (tmp_path / "bin/tesseract").symlink_to(str(shutil.which("tesseract")))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    ocr.check(Reading(languages="eng+fra"))
    with pytest.raises(MissingDependency) as caught:
        ocr.check(Reading(languages=f"eng+{language}"))
    assert language in caught.value.what
    assert caught.value.hint.endswith(command)


def test_the_languages_are_listed() -> None:
    assert {"eng", "fra", "osd"} <= set(ocr.languages())


def test_a_folder_of_models_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "my 'best' models"
    folder.mkdir()
    (folder / "english-2.traineddata").symlink_to(f"{MODELS}/eng.traineddata")
    reading = Reading(languages="english-2", tessdata=str(folder))
    assert ocr.languages(str(folder)) == ["english-2"]
    ocr.check(reading)
    (folder / "configs").symlink_to(f"{MODELS}/configs")
    assert ocr.read(printed.typed("harbour"), 200, reading).plain == "harbour\n"
    with pytest.raises(MissingDependency) as caught:
        ocr.check(Reading(languages="eng", tessdata=str(folder)))
    assert "eng.traineddata" in caught.value.hint


def test_modes_that_turn_the_page_need_the_model_for_that(tmp_path: Path) -> None:
    (tmp_path / "eng.traineddata").symlink_to(f"{MODELS}/eng.traineddata")
    ocr.check(Reading(tessdata=str(tmp_path)))
    with pytest.raises(MissingDependency, match="osd"):
        ocr.check(Reading(tessdata=str(tmp_path), psm=1))
