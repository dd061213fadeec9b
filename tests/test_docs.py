"""The documents say what is true: their examples are run, and the tables, options, verbs and files they name exist."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dwtsvc import errors
from dwtsvc_cli import main

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SANE_TEST_BACKEND = ("/usr/lib/*/sane", "/usr/lib64/sane", "/usr/lib/sane")

FENCE = re.compile(r"^```([\w-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
SECONDS = re.compile(r'\d+(?:\.\d+)?(?= s\b)|(?<="seconds": )[\d.]+')

# The scanner that the examples mean when they name none; low resolution, for they are run to the end.
SYSTEM_SETTINGS = "[dwtsvc]\ndevice = virtual:adf\nresolution = 75\n"


Outcomes = dict[str, Future[str | None]]


@dataclass(frozen=True, slots=True)
class Example:
    """A command of a `console` block, or a whole `sh` block: the code it ends with, and what is shown of its output."""

    command: str
    code: int
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. Its examples are run one after another in one folder."""

    place: str
    kind: str
    text: str

    def examples(self) -> list[Example]:
        if self.kind == "sh":
            return [Example(self.text, 0)]
        parts = re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]
        return [_example(part) for part in parts if part.startswith("dwtsvc")]


def _example(part: str) -> Example:
    command, *shown = part.splitlines()
    stated = re.search(r"\s# exit (\d+)$", command)
    return Example(command, int(stated[1]) if stated else 0, tuple(line for line in shown if line.strip()))


def blocks(document: Path) -> list[Block]:
    text = document.read_text("utf-8")
    return [
        Block(f"{document.name}:{text.count(chr(10), 0, match.start()) + 2}", match[1], match[2])
        for match in FENCE.finditer(text)
    ]


RUN = [
    block
    for document in DOCUMENTS
    for block in blocks(document)
    if block.kind in ("console", "sh") and block.examples()
]


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    """What is wrong with each chosen block, by its place. They run on all cores, for a command is mostly its start."""
    chosen = [item.callspec.params.get("block") for item in request.session.items if hasattr(item, "callspec")]
    with ThreadPoolExecutor(os.cpu_count()) as executor:
        yield {
            block.place: executor.submit(wrong_in, block, tmp_path_factory.mktemp("example"))
            for block in chosen
            if isinstance(block, Block)
        }


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.place)
def test_an_example_ends_as_it_says_and_shows_what_it_prints(block: Block, outcomes: Outcomes) -> None:
    if "sane:" in block.text:
        _needs_sane()
    assert outcomes[block.place].result() is None


def wrong_in(block: Block, folder: Path) -> str | None:
    """Run a block's examples in an empty folder; the first that went otherwise, with what it printed."""
    environment = _machine(folder)
    (folder / "work").mkdir()
    for example in block.examples():
        code, printed = _run(example.command, folder / "work", environment)
        if code != example.code or (line := missing_line(example.shown, printed)):
            fault = f"exit {code}" if code != example.code else f"not printed: {line}"
            return f"{example.command}\n{fault}\n{printed}"
    return None


def _machine(folder: Path) -> dict[str, str]:
    """A machine with SANE's `test` scanner and the virtual ones, and a user without any settings."""
    sane, home = folder / "sane", folder / "home"
    sane.mkdir()
    (sane / "dll.conf").write_text("test\n")
    (sane / "test.conf").write_text("number_of_devices 1\nmode Color\ndepth 8\nresolution 75\n")
    (home / "system").mkdir(parents=True)
    (home / "system" / "DSConfiguration.ini").write_text(SYSTEM_SETTINGS)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DWTSVC_", "SANE_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**inherited, "PATH": path, "HOME": str(folder), "DWTSVC_HOME": str(home), "SANE_CONFIG_DIR": str(sane)}


def _run(command: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        ["sh", "-euc", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=120,
    )
    return done.returncode, done.stdout.replace(environment["DWTSVC_HOME"] + "/config", "/home/ada/.config/dwtsvc")


def _needs_sane() -> None:
    """Skip where a person's machine lacks libsane; in CI a test that silently does not run is a failure."""
    if not any(list(Path("/").glob(f"{folder[1:]}/libsane-test.so*")) for folder in SANE_TEST_BACKEND):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("SANE's test backend is not installed")


def missing_line(shown: tuple[str, ...], printed: str) -> str | None:
    """The first shown line that was not printed, in this order; "..." and seconds stand for anything."""
    lines = iter(printed.splitlines())
    for line in shown:
        wanted = _pattern(line)
        if not any(wanted.fullmatch(" ".join(candidate.split())) for candidate in lines):
            return line
    return None


def _pattern(line: str) -> re.Pattern[str]:
    text = SECONDS.sub("...", " ".join(line.split()))
    return re.compile(".*".join(map(re.escape, text.split("..."))))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_who_has_no_scanner_is_told_how_to_type_the_examples(document: Path) -> None:
    """The examples run here on a machine whose setting `device` is the virtual scanner. That of a reader is not."""
    scans = [example.command for block in blocks(document) if block in RUN for example in block.examples()]
    scans = [command for command in scans if re.search(r"\bdwtsvc scan\b(?! --(?:undo|recover|resume))", command)]
    without = [command for command in scans if not re.search(r"(?:-d|--device|--or-virtual|sane:)\b", command)]
    assert not without or "export DWTSVC_DEVICE=virtual:adf" in document.read_text("utf-8"), without


def test_an_example_that_goes_otherwise_is_noticed(tmp_path: Path) -> None:
    lies = ["$ dwtsvc --version   # exit 3\n", "$ dwtsvc --version\ndwtsvc 99\n", "$ dwtsvc no-such-command\n"]
    for number, text in enumerate(lies):
        (tmp_path / str(number)).mkdir()
        assert wrong_in(Block("here", "console", text), tmp_path / str(number)) is not None


def test_a_shown_line_that_was_not_printed_or_not_in_this_order_is_noticed() -> None:
    printed = "a.pdf\n10 pages in 0.1 s\n"
    assert missing_line(("a.pdf", "10 pages in 6.2 s"), printed) is None
    assert missing_line(("... pages in 6 s",), printed) is None
    assert missing_line(("b.pdf",), printed) == "b.pdf"
    assert missing_line(("10 pages in 6.2 s", "a.pdf"), printed) == "a.pdf"


def test_the_readme_lists_every_exit_code_with_its_meaning() -> None:
    table = re.search(r"<!-- exit codes -->\n(.*?)<!--", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    rows = ["| Code | Meaning |", "| ---: | --- |", *(f"| {code} | {words} |" for code, words in errors.exit_codes())]
    assert table is not None and table[1].splitlines() == rows


def test_every_exit_code_of_a_scanner_has_its_advice() -> None:
    advice = (ROOT / "docs" / "scanning.md").read_text("utf-8").partition("## When something goes wrong")[2]
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", advice, re.MULTILINE)}
    drivers = {each.exit_code for each in errors.tree(errors.DriverError)}
    assert drivers <= listed <= {code for code, _ in errors.exit_codes()}


# ---- what the documents name exists ----


def options_of(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], set[str]]:
    """The options of each command, by the words that call it."""
    own = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    found = {path: own | {"--help", "-h"}}
    if hasattr(command, "list_commands"):
        context = command.context_class(command)
        for name in command.list_commands(context):
            found |= options_of(command.get_command(context, name), (*path, name))
    return found


OPTIONS = options_of(main.command())


def code(document: Path) -> list[str]:
    """Every piece of code in a document: the lines of its fenced blocks and what stands between backquotes."""
    text = document.read_text("utf-8")
    fenced = [line for match in FENCE.finditer(text) if match[1] != "ini" for line in match[2].splitlines()]
    return fenced + INLINE.findall(FENCE.sub("", text))


def unknown_options(piece: str) -> list[str]:
    """The options in a piece of code that its command does not have; without a command, that none has."""
    if piece.startswith("-"):
        known = set().union(*OPTIONS.values())
        return [word for word in _options(piece) if word not in known]
    unknown = []
    for call in re.findall(r"(?:^|[\s;(])dwtsvc ([^|;>]*)", piece):
        words = _words(call)
        path = max((path for path in OPTIONS if tuple(words[: len(path)]) == path), key=len)
        unknown += [word for word in _options(call) if word not in OPTIONS[path]]
    return unknown


def _options(text: str) -> list[str]:
    return [word.partition("=")[0] for word in _words(text) if re.match(r"--?[a-z]", word)]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError:  # a quotation that goes on in the next line
        return text.split()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_option_in_a_document_exists(document: Path) -> None:
    assert [(piece, unknown) for piece in code(document) if (unknown := unknown_options(piece))] == []


def test_an_option_that_does_not_exist_is_noticed() -> None:
    assert unknown_options("$ dwtsvc scan --no-such -o a.pdf") == ["--no-such"]
    assert unknown_options("dwtsvc config check --batch") == ["--batch"]
    assert unknown_options("--no-such") == ["--no-such"]
    assert unknown_options("$ dwtsvc scan --batch -o a.pdf | other --thing") == []


def test_every_option_of_a_scan_is_explained() -> None:
    said = {word for piece in code(ROOT / "docs" / "scanning.md") for word in _options(piece)}
    assert {name for name in OPTIONS[("scan",)] if name.startswith("--")} - said <= {
        "--help",
        "--install-completion",
        "--show-completion",
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_verb_in_a_document_exists(document: Path) -> None:
    verbs = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {verb for piece in code(document) for verb in re.findall(r"(?:^|\s)make ([a-z]+)", piece)}
    assert named <= verbs


def modules() -> set[str]:
    """Every module of the library but the packages' own files, as the architecture names it."""
    files = (path.relative_to(ROOT / "dwtsvc").as_posix() for path in (ROOT / "dwtsvc").rglob("*.py"))
    return {file for file in files if not file.endswith("__init__.py")}


def named_files() -> set[str]:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    return set(re.findall(r"[\w./]*\w\.(?:py|c|toml|ini)\b", text)) - {"DSConfiguration.ini", "user_config.ini"}


def test_the_architecture_names_every_module_of_the_library() -> None:
    assert modules() - named_files() == set()


def test_every_file_that_the_architecture_names_exists() -> None:
    places = [ROOT, ROOT / "dwtsvc"]
    assert [name for name in named_files() if not any((place / name).is_file() for place in places)] == []


def test_the_architecture_shows_the_storeys_that_the_linter_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    assert [block.text.split("\n")[:-1] for block in blocks(ROOT / "docs" / "architecture.md")].count(layers) == 1


def test_every_link_between_the_documents_leads_somewhere() -> None:
    for document in DOCUMENTS:
        links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
        assert [link for link in links if not (document.parent / link).exists()] == []
