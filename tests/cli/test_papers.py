"""The checked-in man pages and completions: current, well formed, and believed by the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pexpect
import pytest
import typer

from dwtsvc import errors
from dwtsvc_cli import main, papers

ROOT = Path(__file__).parents[2]
SOURCES = {"auto", "duplex", "feeder", "flatbed"}


def needs(program: str) -> None:
    """Skip where a person's machine lacks a shell; in CI a test that silently does not run is a failure."""
    if shutil.which(program) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")


def on_disk(folder: str) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in (ROOT / folder).iterdir()}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A shell without a user's files, in which `dwtsvc` is the one of this Python."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "TERM": "dumb", "LC_ALL": "C.UTF-8", "DWTSVC_HOME": str(tmp_path)}


def stale(folder: str, current: dict[str, str]) -> set[str]:
    """The names of the files that differ, are missing or are left over."""
    return {name for name, _ in on_disk(folder).items() ^ current.items()}


def test_man_holds_what_make_man_would_write() -> None:
    assert stale("man", papers.man_pages(main.command())) == set(), "run `make man`"


def test_completions_holds_what_make_completions_would_write() -> None:
    assert stale("completions", papers.completions()) == set(), "run `make completions`"


def test_every_command_and_subcommand_has_a_page() -> None:
    pages = papers.man_pages(main.command())
    assert {f"dwtsvc-{name}.1" for name in main.COMMANDS} < set(pages)
    assert "dwtsvc-config-profile-save.1" in pages


def test_every_page_is_clean_for_mandoc(tmp_path: Path) -> None:
    """With a date: its absence, which the checked-in pages want, is the only thing mandoc would report."""
    needs("mandoc")
    papers.write(tmp_path, papers.man_pages(main.command(), "2001-02-03"))
    lint = subprocess.run(
        ["mandoc", "-Tlint", "-W", "warning", *map(str, tmp_path.iterdir())], capture_output=True, text=True, timeout=60
    )
    assert (lint.returncode, lint.stdout + lint.stderr) == (0, "")


def test_every_page_lists_every_exit_code_with_its_meaning() -> None:
    for page in papers.man_pages(main.command()).values():
        status = page.partition(".SH EXIT STATUS\n")[2].partition(".SH")[0].splitlines()
        listed = {
            int(tag[3:-3]): text.replace("\\-", "-") for tag, text in zip(status[1::3], status[2::3], strict=True)
        }
        assert listed == dict(errors.exit_codes())


def test_the_date_comes_from_source_date_epoch_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "981158400")
    assert papers.source_date() == "2001-02-03"
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert papers.source_date() == ""


def test_writing_removes_the_papers_of_commands_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "dwtsvc-gone.1").touch()
    (tmp_path / "other").touch()
    papers.write(tmp_path, {"dwtsvc.1": "page\n"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dwtsvc.1", "other"]


def example_page() -> str:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)

    @app.command()
    def copy(
        pages: Annotated[list[str], typer.Argument(metavar="PAGE...", help="'Which'.")],
        to: Annotated[str, typer.Option("--to", "-t", metavar="FILE", help=".start with a dot")] = "a\\b",
    ) -> None:
        """Copy pages.

        Run `dwtsvc scan` first.

        Examples:

          copy 'a b' --to x

          copy ~/c

        Said after the examples.
        """

    return papers.man_pages(typer.main.get_command(app))["dwtsvc.1"]


def test_a_page_has_the_examples_apart_from_the_description() -> None:
    page = example_page()
    assert ".SH EXAMPLES\n.nf\ncopy \\(aqa b\\(aq \\-\\-to x\n\ncopy \\(ti/c\n.fi\n" in page
    assert ".SH DESCRIPTION\nCopy pages.\n.PP\nRun \\fBdwtsvc scan\\fR first.\n.PP\nSaid after" in page


def test_what_roff_would_misread_is_escaped() -> None:
    page = example_page()
    assert "\\fB\\-t\\fR, \\fB\\-\\-to\\fR\\fI FILE\\fR\n\\&.start with a dot [default: a\\eb]" in page
    assert "\n\\fIPAGE\\fR...\n\\(aqWhich\\(aq." in page
    assert "\\fBdwtsvc\\fR [\\fIOPTIONS\\fR] \\fIPAGE\\fR...\n" in page


@pytest.fixture
def bash(environment: dict[str, str]) -> Iterator[pexpect.spawn]:
    needs("bash")
    script = ROOT / "completions" / "dwtsvc.bash"
    yield from _terminal("bash", ["--norc", "--noprofile", "-i"], f"source '{script}'", environment)


@pytest.fixture
def zsh(environment: dict[str, str]) -> Iterator[pexpect.spawn]:
    """A shell that will load the file `_dwtsvc` at the first TAB, as an installed one does."""
    needs("zsh")
    load = f"fpath=('{ROOT / 'completions'}' $fpath); autoload -Uz compinit; compinit -u -d $HOME/dump"
    yield from _terminal("zsh", ["-f", "-i"], load, environment)


def _terminal(shell: str, arguments: list[str], command: str, environment: dict[str, str]) -> Iterator[pexpect.spawn]:
    child = pexpect.spawn(shell, arguments, env=environment, encoding="utf-8", timeout=60, dimensions=(40, 200))
    child.sendline(f"PS1='rea''dy> '; {command}; echo do''ne")  # the echo of this line must not look like its answer
    child.expect("done\r\n.*ready> ")
    yield child
    child.close(force=True)


def test_bash_completes_a_command_and_an_options_value(bash: pexpect.spawn) -> None:
    bash.send("dwtsvc sc\t")
    bash.expect_exact("dwtsvc scan ")
    bash.send("--source fl\t")
    bash.expect_exact("--source flatbed ")


def test_bash_lists_the_values_of_an_option(bash: pexpect.spawn) -> None:
    bash.send("dwtsvc scan --source \t\t")
    bash.expect("auto +duplex +feeder +flatbed")


def test_zsh_completes_at_the_very_first_tab_and_at_the_second(zsh: pexpect.spawn) -> None:
    zsh.send("dwtsvc sc\t")
    zsh.expect("dwtsvc sc.*an ")
    zsh.send("--source fl\t")
    zsh.expect("--source fl.*atbed ")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("dwtsvc sc", {"scan"}),
        ("dwtsvc scan --source ", SOURCES),
        ("dwtsvc config profile sh", {"show"}),
    ],
)
def test_fish_completes_commands_values_and_nested_commands(
    environment: dict[str, str], typed: str, offered: set[str]
) -> None:
    needs("fish")
    script = f"source '{ROOT / 'completions' / 'dwtsvc.fish'}'; complete -C '{typed}'"
    answer = subprocess.run(["fish", "-N", "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert {line.split("\t")[0] for line in answer.stdout.splitlines()} == offered


def test_the_powershell_script_asks_the_command_for_what_to_offer(environment: dict[str, str]) -> None:
    """The script itself is not run: Debian has no PowerShell. What it asks for is."""
    script = (ROOT / "completions" / "dwtsvc.ps1").read_text("utf-8")
    question = {"_TYPER_COMPLETE_ARGS": "dwtsvc sc", "_TYPER_COMPLETE_WORD_TO_COMPLETE": "sc"}
    assert '$Env:_DWTSVC_COMPLETE = "complete_powershell"' in script
    assert all(f"$Env:{name} = " in script for name in question)
    asked = {**environment, **question, "_DWTSVC_COMPLETE": "complete_powershell"}
    answer = subprocess.run(["dwtsvc"], env=asked, capture_output=True, text=True, timeout=60)
    assert answer.stdout.startswith("scan:::")
