"""Which way up a page is."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dwtsvc.errors import ChildProgramFailed, MissingDependency
from dwtsvc.imaging.orientation import orientation
from tests.imaging import printed

TURNS = {90: Image.Transpose.ROTATE_270, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_90}  # clockwise


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_the_turn_that_makes_a_page_upright_is_told(turned: int) -> None:
    upright = printed.sheet("letter", 300).convert("L")
    page = upright.transpose(TURNS[turned]) if turned else upright
    told = orientation(page, 300)
    assert told is not None and told.script == "Latin" and told.confidence > 2
    mended = page.transpose(TURNS[told.degrees]) if told.degrees else page
    assert mended.tobytes() == upright.tobytes()


@pytest.mark.parametrize("size", [(1654, 2339), (1, 1)])
def test_a_page_without_text_has_no_orientation(size: tuple[int, int]) -> None:
    assert orientation(Image.new("1", size, 1), 200) is None


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingDependency, match="osd"):
        orientation(printed.sheet("letter", 100), 100, tessdata=str(tmp_path))


def test_an_engine_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "osd.traineddata").touch()
    printed.install(
        monkeypatch,
        tmp_path / "bin",
        "case $* in *--list-langs*) printf 'List (1):\\nosd\\n' ;; *) exec sleep 600 ;; esac",
    )
    with pytest.raises(ChildProgramFailed, match="1 seconds"):
        orientation(printed.typed("word"), 200, timeout=1)


def test_an_answer_that_makes_no_sense_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed.install(monkeypatch, tmp_path / "bin", "echo 'Rotate: sideways' > $2.osd")
    with pytest.raises(ChildProgramFailed):
        orientation(printed.typed("word"), 200)
