"""Folders of hostile files, with good ones among them, through `dwtsvc batch`.

The good ones come out; each other one is done too, or is in quarantine with its error there and in the report.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pikepdf

from tests.end_to_end.scans import page, save
from tests.faults.badfiles import KINDS, Made, mutated
from tests.faults.filestorm import LONG_READS, Storm

GOOD = ("Good.jpg", "good.tif", "zz-good.pdf")
WISHES: tuple[tuple[str, ...], ...] = (
    (),
    ("--ocr", "--output-type", "pdfa"),
    ("--deskew", "--crop", "paper", "--drop-blank", "--split-on", "patcht"),
    ("--after", "move", "--receipt"),
)
IN_A_FOLDER = 20


def hold(storm: Storm, made: Sequence[Made], wishes: Sequence[str] = ()) -> None:
    """One folder through one batch; what is wrong goes into the storm's report."""
    folder = storm.emptied() / "in"
    for name, data in made:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    for name in GOOD:
        save(folder / name, page("Good"), *([page("Good 2")] if name == "good.tif" else []))
    command = ["batch", "in", "-o", "out/", "--json", *wishes]
    wrong = [*storm.ran(command), *_wrong(storm, {*GOOD, *(name for name, _ in made)}, "move" in wishes)]
    wrong += storm.left({"in"} if (storm.work / "in").exists() else set())
    storm.keep([*command, *sorted(name for name, _ in made)], made, wrong)


def _wrong(storm: Storm, names: set[str], moved: bool) -> Iterator[str]:
    out = storm.work / "out"
    if not (out / "report.jsonl").exists():
        yield "no report"
        return
    lines = [json.loads(line) for line in (out / "report.jsonl").read_text("utf-8").splitlines()]
    told = {Path(line["input"]).name: line for line in lines}
    if len(lines) != len(told) or set(told) != names:
        yield f"the report has {len(lines)} lines, not one for each of {len(names)} inputs"
    yield from (f"{name} failed" for name in GOOD if told.get(name, {}).get("error", True))
    errors = [line["error"] for line in lines if line["error"]]
    if storm.code != (errors[0]["code"] if errors else 0):
        yield f"exit code {storm.code}, where the first error is {errors[:1]}"
    for name, line in told.items():
        yield from _of_input(storm, name, line, moved)
    lying = [
        str(path.relative_to(out)) for path in out.rglob("*") if path.name.startswith(".") or path.suffix == ".part"
    ]
    if lying:
        yield f"left behind: {', '.join(lying)}"


def _of_input(storm: Storm, name: str, line: dict[str, Any], moved: bool) -> Iterator[str]:
    """Whether an input is where it should be, and what is said of it is true."""
    out, there = storm.work / "out", (storm.work / "in" / name).exists()
    if there == moved:
        yield f"{name} {'is still there' if moved else 'is gone'}"
    record = out / "quarantine" / f"{name}.error.json"
    if line["error"] is None:
        yield from (f"{each} of {name} is no PDF" for each in line["outputs"] if not _is_sound(storm.work / each))
    elif not record.exists() or json.loads(record.read_text("utf-8"))["error"] != line["error"]:
        yield f"no record of {name} in quarantine"
    elif line["error"]["word"] == "internal":
        yield f"{name}: {line['error']}"
    elif moved and not (out / "quarantine" / name).exists():
        yield f"{name} is not in quarantine"


def _is_sound(path: Path) -> bool:
    try:
        with pikepdf.open(path) as pdf:
            return len(pdf.pages) > 0
    except pikepdf.PdfError:
        return False


def kinds() -> list[Made]:
    """Every hand-made kind but those that take minutes."""
    return [(name, make()) for name, make in KINDS.items() if name not in LONG_READS]


def folders(files: Sequence[Made], seed: int) -> Iterator[tuple[Sequence[Made], tuple[str, ...]]]:
    """Files in folders of a few, each with what is wished of it; every wish has its turn."""
    chance = random.Random(seed)
    mixed = chance.sample(files, len(files))
    for number, begin in enumerate(range(0, len(mixed), IN_A_FOLDER)):
        yield mixed[begin : begin + IN_A_FOLDER], WISHES[(number + seed) % len(WISHES)]


def batches(storm: Storm, seed: int, count: int) -> None:
    """All hand-made kinds, then so many mutations."""
    for made, wishes in folders([*kinds(), *mutated(seed, count)], seed):
        hold(storm, made, wishes)
