"""What a batch stands on: results that appear together and once, a report that lasts, and files that are complete."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from dwtsvc import locks
from dwtsvc.errors import BadArguments, BadInput, FileAccess
from dwtsvc.pipeline import batchreport, entries, watching
from dwtsvc.pipeline.assembled import Place, Run, assemble, runs
from dwtsvc.pipeline.batchreport import Report
from dwtsvc.pipeline.entries import Entry
from dwtsvc.pipeline.searchable import About
from dwtsvc.pipeline.staging import Commit, Made, Staging, left_behind, publish
from dwtsvc.pipeline.watching import Watch, being_written, is_wanted, refuse_overlap
from tests.disks import forbid_links
from tests.end_to_end.scans import page, save, streams, text_of, typeset


def committed(results: Path, **files: str) -> tuple[Path, Commit]:
    """A staging folder whose process has died after the commit."""
    staging = Staging(results).__enter__()
    for name, text in files.items():
        (staging.files / name).write_text(text)
    made = tuple(Made(staged=name, target=str(results / f"{name}.txt"), pages=1) for name in files)
    commit = Commit(id="c1", files=made, lines=({"input": "in"},))
    staging.commit(commit)
    os.close(staging._lock)
    return staging.folder, commit


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("published", [0, 1, 2])
def test_what_a_dead_process_committed_is_published_once_however_far_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published: int, links: bool
) -> None:
    if not links:
        forbid_links(monkeypatch)
    (tmp_path / "a.txt").write_text("somebody else's")
    folder, commit = committed(tmp_path, a="first", b="second")
    publish(folder, Commit(id="c1", files=commit.files[:published]))

    [(found, again)] = [(found, publish(found, told)) for found, told in left_behind(tmp_path)]

    assert found == folder and again == [tmp_path / "a-2.txt", tmp_path / "b.txt"]
    assert texts(tmp_path) == {"a.txt": "somebody else's", "a-2.txt": "first", "b.txt": "second"}
    assert not folder.exists()


def test_two_results_that_are_equal_are_two_files(tmp_path: Path) -> None:
    folder, commit = committed(tmp_path, a="same")
    (folder / "files/b").write_text("same")
    twice = Commit(id="c", files=(*commit.files, Made(staged="b", target=commit.files[0].target)))
    assert publish(folder, twice) == publish(folder, twice) == [tmp_path / "a.txt", tmp_path / "a-2.txt"]


def test_what_was_not_committed_goes_and_what_is_alive_stays(tmp_path: Path) -> None:
    dead = Staging(tmp_path).__enter__()
    os.close(dead._lock)
    (tmp_path / ".batch-early").mkdir()  # died before it had a lock, or after the lock was removed
    with Staging(tmp_path) as alive:
        assert list(left_behind(tmp_path)) == []
        assert list(tmp_path.iterdir()) == [alive.folder]
    assert not alive.folder.exists()


def test_a_staging_folder_that_is_cleared_away_while_it_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_locked = locks.open_locked

    def cleared(path: Path) -> int | None:
        monkeypatch.setattr(locks, "open_locked", open_locked)
        shutil.rmtree(path.parent)
        return open_locked(path)

    monkeypatch.setattr(locks, "open_locked", cleared)
    with Staging(tmp_path) as staging:
        assert staging.files.is_dir()


def test_a_staging_folder_whose_finishing_failed_is_kept_for_the_next(tmp_path: Path) -> None:
    with Staging(tmp_path) as staging:
        (staging.files / "a").write_text("first")
        staging.commit(Commit(id="c", files=(Made(staged="a", target=str(tmp_path / "a.txt"), pages=1),)))
    assert [commit.id for _, commit in left_behind(tmp_path)] == ["c"]


def line(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "sha256": "s", "settings": "w", "error": None, "id": f"id-{path}", **more}


def entry(path: str, sha256: str = "s") -> Entry:
    return Entry(name=path, path=Path(path), identity=(0, 0, 0, 0), sha256=sha256)


def test_the_report_knows_what_was_done_by_place_content_and_settings(tmp_path: Path) -> None:
    file = tmp_path / "report.jsonl"
    Report(file).add([line("/a"), line("/bad", error={"word": "bad-input"})])
    known = Report(file)
    assert known.done([entry("/a")], "w") == [line("/a")]
    assert known.ids == {"id-/a"}
    others = [([entry("/b")], "w"), ([entry("/a", "t")], "w"), ([entry("/a")], "v"), ([entry("/bad")], "w")]
    assert [known.done(*other) for other in others] == [None] * 4
    assert known.done([entry("/a"), entry("/bad")], "w") is None


def test_a_line_that_was_torn_costs_itself_only(tmp_path: Path) -> None:
    file = tmp_path / "report.jsonl"
    Report(file).add([line("/a"), line("/b")])
    file.write_bytes(file.read_bytes()[:-9])
    Report(file).add([line("/c")])
    known = Report(file)
    assert [bool(known.done([entry(path)], "w")) for path in ("/a", "/b", "/c")] == [True, False, True]


def test_the_record_of_an_error_is_written_anew_for_its_input_and_replaces_no_other(tmp_path: Path) -> None:
    first = batchreport.write_error(tmp_path, "a.jpg", line("/x/a.jpg", error="one"))
    assert batchreport.write_error(tmp_path, "a.jpg", line("/x/a.jpg", error="two")) == first
    other = batchreport.write_error(tmp_path, "a.jpg", line("/y/a.jpg", error="three"))
    assert other != first and json.loads(first.read_text())["error"] == "two"


@pytest.mark.parametrize("error", [None, errno.EXDEV, errno.EPERM])
def test_a_file_that_is_set_aside_replaces_nothing_and_keeps_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int | None
) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done/a.jpg").write_text("there already")
    (tmp_path / "a.jpg").write_text("new")
    link = os.link

    def refuse(source: Path, target: Path) -> None:
        if error and not os.path.basename(source).startswith("."):
            raise OSError(error, os.strerror(error))
        link(source, target)

    monkeypatch.setattr("os.link", refuse)
    assert entries.move(Entry.of(str(tmp_path / "a.jpg")), tmp_path / "done") == tmp_path / "done/a-2.jpg"
    assert texts(tmp_path / "done") == {"a.jpg": "there already", "a-2.jpg": "new"}
    assert not (tmp_path / "a.jpg").exists()


def test_a_file_that_changed_meanwhile_is_neither_moved_nor_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("old")
    held = Entry.of(str(path))
    path.write_text("newer")
    for what in (lambda: entries.move(held, tmp_path / "done"), lambda: entries.remove(held), held.check):
        with pytest.raises(FileAccess):
            what()
    assert path.read_text() == "newer"


def test_a_fifo_and_a_folder_are_no_input(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for name in ("pipe.jpg", "."):
        with pytest.raises(FileAccess):
            Entry.of(str(tmp_path / name))


def all_ready(watch: Watch) -> list[str]:
    watch._next_look = 0.0
    return [path.name for path in watch.ready(0)]


class Clock:
    """A time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(watching, "monotonic", found)
    return found


def test_a_file_is_given_once_when_it_has_settled_and_again_when_it_changes(tmp_path: Path, clock: Clock) -> None:
    watch = Watch(tmp_path, settle=2, poll=True)
    path = tmp_path / "a.jpg"
    path.write_text("one")
    assert all_ready(watch) == []
    clock.now += 1.5
    path.write_text("one and more")
    assert all_ready(watch) == []
    clock.now += 1.5
    assert all_ready(watch) == []
    clock.now += 0.6
    assert all_ready(watch) == ["a.jpg"]
    clock.now += 100
    assert all_ready(watch) == []
    watch.retry(path, 60)
    clock.now += 59
    assert all_ready(watch) == []
    clock.now += 2
    assert all_ready(watch) == ["a.jpg"]
    path.write_text("another")
    assert all_ready(watch) == []
    clock.now += 3
    assert all_ready(watch) == ["a.jpg"]


def test_a_file_that_is_open_for_writing_waits_and_one_that_is_read_does_not(tmp_path: Path, clock: Clock) -> None:
    watch = Watch(tmp_path, settle=2, poll=True)
    for name in ("written.jpg", "read.jpg"):
        (tmp_path / name).write_text("x")
    with (tmp_path / "written.jpg").open("ab") as writer, (tmp_path / "read.jpg").open("rb"):
        all_ready(watch)
        clock.now += 3
        assert all_ready(watch) == ["read.jpg"]
        held = os.fstat(writer.fileno())
        assert being_written([(held.st_dev, held.st_ino)]) == {(held.st_dev, held.st_ino)}
    assert all_ready(watch) == ["written.jpg"]


def test_a_watched_folder_that_goes_and_comes_again_is_watched_on(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "in"
    watch = Watch(folder, settle=0, poll=True)
    assert all_ready(watch) == [] and "cannot be read" in watch.problem
    folder.mkdir()
    (folder / "a.pdf").write_text("x")
    assert all_ready(watch) == ["a.pdf"] and not watch.problem


def test_a_change_wakes_the_watch_before_its_time(tmp_path: Path) -> None:
    watch = Watch(tmp_path, settle=0, poll=False)
    try:
        watch.ready(0)
        time.sleep(0.3)  # until it listens; if it does not yet, the test only takes longer
        (tmp_path / "a.jpg").write_text("x")
        found: list[Path] = []
        while not found:
            found = watch.ready(10)
    finally:
        watch.stop()
    assert found == [tmp_path / "a.jpg"]


def test_only_pictures_and_pdfs_that_are_not_hidden_are_wanted() -> None:
    wanted = ["a.jpg", "B.PDF", "c.tiff", "d e.PnG"]
    unwanted = [".a.jpg", "~a.pdf", "a.jpg.part", "a.txt", "a", "a.pdf.crdownload", ".pdf"]
    assert [name for name in wanted + unwanted if is_wanted(name)] == wanted


def test_results_that_would_be_read_again_are_refused_by_any_name(tmp_path: Path) -> None:
    watched = tmp_path / "in"
    (watched / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(watched)
    for folder in (watched, tmp_path / "link", tmp_path / "out/../in", watched / "new/deeper", tmp_path / "link/deep"):
        with pytest.raises(BadArguments):
            refuse_overlap(watched, {"results": folder}, inside=True)
    for folder in (tmp_path, tmp_path / "in-2", tmp_path / "out"):
        refuse_overlap(watched, {"results": folder}, inside=True)


def place(source: Path, index: int) -> Place:
    return Place(source=source, index=index)


def test_pages_that_follow_one_another_are_one_run(tmp_path: Path) -> None:
    a, b, drawn = Path("a"), Path("b"), Path("drawn")
    pages = [place(a, 0), place(a, 1), None, None, place(a, 2), place(b, 0), None]
    assert runs(pages, drawn) == [
        Run(source=a, pages=(0, 1)),
        Run(source=drawn, pages=(0, 1)),
        Run(source=a, pages=(2,)),
        Run(source=b, pages=(0,)),
        Run(source=drawn, pages=(2,)),
    ]


def test_a_pdf_is_put_together_from_pages_of_others_without_encoding_them_again(tmp_path: Path) -> None:
    scan = save(tmp_path / "scan.pdf", page("one", mode="RGB"), page("two", mode="RGB"))
    text = typeset(tmp_path / "text.pdf", "Printed", "words")
    made = tmp_path / "made.pdf"
    assemble(made, [Run(source=text, pages=(1,)), Run(source=scan, pages=(1, 0))], {}, {}, About(title="Mixed"))
    assert streams(made) == streams(scan)[::-1]
    assert text_of(made) == "words"

    whole = tmp_path / "whole.pdf"
    assemble(whole, [Run(source=scan, pages=(0, 1))], {}, {}, About())
    assert whole.read_bytes() == scan.read_bytes()


def test_a_broken_pdf_is_a_plain_error(tmp_path: Path) -> None:
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4\nnonsense")
    with pytest.raises(BadInput):
        assemble(tmp_path / "made.pdf", [Run(source=tmp_path / "broken.pdf", pages=(0,))], {}, {}, About())
