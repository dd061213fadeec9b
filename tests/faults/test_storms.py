"""The storms of hostile files in short: folders through `dwtsvc batch`, and files through a running service."""

from __future__ import annotations

import json
import random
from pathlib import Path

import httpx
import pytest

from tests.faults import servicestorm
from tests.faults.badfiles import KINDS, Made, mutated
from tests.faults.batchstorm import GOOD, folders, hold, kinds
from tests.faults.filestorm import Storm
from tests.faults.servicestorm import ServiceStorm, through_service

SEED = 4
SLOW = {"form-draws-itself.pdf", "huge-page.pdf", "long-page.pdf", "dpi-72.jpg", "many-frames.gif"}  # in the long form


def some(count: int, mutations: int) -> list[Made]:
    """Hand-made kinds from the seed, those that break most always among them, and mutations."""
    always = ["bomb-too-large.png", "half.jpg", "locked.pdf", "no-pages.pdf", "page-tree-in-a-circle.pdf", "cmyk.jpg"]
    others = [name for name, _ in kinds() if name not in SLOW | set(always)]
    names = [*always, *random.Random(SEED).sample(others, count - len(always))]
    return [*((name, KINDS[name]()) for name in names), *mutated(SEED, mutations)]


@pytest.mark.parametrize("wishes", [(), ("--after", "move", "--ocr", "--receipt")], ids=["kept", "moved"])
def test_the_good_files_of_a_folder_come_out_and_the_bad_are_set_aside(tmp_path: Path, wishes: tuple[str, ...]) -> None:
    storm = Storm(tmp_path)
    hold(storm, some(14, 6), wishes)
    assert storm.report.runs == 1 and storm.report.faults == []
    assert storm.report.codes.total() == storm.report.codes[4] + storm.report.codes[8] == 1


def test_every_kind_and_every_wish_has_its_turn_in_the_long_form() -> None:
    parted = list(folders([*kinds(), *mutated(1, 30)], 1))
    assert sum(len(made) for made, _ in parted) == len(kinds()) + 30
    assert len({wishes for _, wishes in parted}) == 4


FALSE_BATCH = """#!/bin/sh
mkdir -p out/quarantine
touch out/.staging-1
cat > out/report.jsonl <<EOF
{"input": "in/Good.jpg", "outputs": [], "error": {"word": "internal", "code": 70}}
{"input": "in/good.tif", "outputs": ["in/bad.png"], "error": null}
EOF
rm in/zz-good.pdf
exit 4
"""


def test_the_storm_sees_a_batch_that_loses_a_file_or_says_what_is_not_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "dwtsvc"
    program.write_text(FALSE_BATCH)
    program.chmod(0o755)
    monkeypatch.setattr("tests.faults.filestorm.DWTSVC", str(program))
    storm = Storm(tmp_path / "storm")
    hold(storm, [("bad.png", b"no picture")])
    (fault,) = storm.report.faults
    for told in (
        "the report has 2 lines, not one for each of 4 inputs",
        "Good.jpg failed",
        "zz-good.pdf failed",
        "exit code 4, where the first error is",
        "in/bad.png of good.tif is no PDF",
        "no record of Good.jpg in quarantine",
        "left behind: .staging-1",
    ):
        assert told in fault
    assert (storm.kept / "bad.png").read_bytes() == b"no picture" and GOOD[0] in fault


def test_a_service_answers_as_documented_whatever_it_is_given_and_leaves_nothing(tmp_path: Path) -> None:
    report = through_service(tmp_path, some(14, 6))
    assert report.faults == []
    assert report.statuses[200] > 100 and report.statuses[422] > 4


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (500, {"code": -1001, "message": "Internal error", "statusCode": 500}, "POST /f: 500"),
        (404, {"code": -1040, "message": "no", "statusCode": 404}, "POST /f: 404"),
        (422, {"message": "bad", "statusCode": 422}, "no error object"),
        (422, {"code": -1036, "message": "bad", "statusCode": 400}, "no error object"),
        (422, {"code": -1036, "message": "/tmp/x is bad", "statusCode": 422}, "it tells of the machine"),
    ],
)
def test_the_storm_sees_an_answer_that_is_not_as_documented(status: int, said: dict[str, object], told: str) -> None:
    answer = httpx.Response(status, content=json.dumps(said), request=httpx.Request("POST", "http://a/f"))
    assert told in " ".join(servicestorm.wrong_about(answer))


def test_the_storm_sees_a_service_that_tells_too_much_or_is_gone(tmp_path: Path) -> None:
    with ServiceStorm(tmp_path) as storm:
        with storm.running.paths.log_file.open("a") as log:
            log.write("WARNING dwtsvc.server confined work failed: ValueError\n")
            log.write("WARNING dwtsvc.server confined work failed: ValueError: a piece of the page\n")
        (tmp_path / "tmp" / "left").touch()
        storm.end()
        assert "a piece of the page" in storm.report.faults[0]
        assert storm.report.faults[1:] == ["temporary files: left"]
