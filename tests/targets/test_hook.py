from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dwtsvc.errors import BadArguments, ChildProgramFailed
from dwtsvc.targets import Facts
from dwtsvc.targets.hook import Hook
from tests.programs import begun_first
from tests.server.daemon import lives, until

WRITES = "import os, sys; open('said', 'w').write(repr((sys.argv[1:], dict(os.environ))))"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def said(tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    words, environment = eval((tmp_path / "said").read_text())
    return words, environment


def program(text: str) -> str:
    Path("program.py").write_text(text)
    return f"{sys.executable} program.py"


@pytest.mark.parametrize(
    "name",
    ["a b.pdf", "$(touch x).pdf", "`touch x`.pdf", "a;touch x;.pdf", "'\".pdf", "--rf", "{title}.pdf", "a\nb.pdf", "*"],
)
def test_a_file_name_is_one_word_whatever_it_is(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"x")
    Hook(program(WRITES) + " --of={file} '{name} {title}' {{file}}").run(Path(name), Facts(title="T {file}"))
    assert said(tmp_path)[0] == [f"--of={file}", f"{name} T {{file}}", "{file}"]
    assert not (tmp_path / "x").exists()


def test_the_environment_says_what_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DWTSVC_") and name != "DWTSVC_HOME"]:
        monkeypatch.delenv(name)
    (tmp_path / "a.pdf").write_bytes(b"x")
    Hook(program(WRITES)).run(Path("a.pdf"), Facts(title="Mai\0", barcode="INV-1", pages=3))
    ours = {name: value for name, value in said(tmp_path)[1].items() if name.startswith("DWTSVC_")}
    ours.pop("DWTSVC_HOME")
    file = str(tmp_path / "a.pdf")
    assert ours == {
        "DWTSVC_FILE": file,
        "DWTSVC_TITLE": "Mai",
        "DWTSVC_BARCODE": "INV-1",
        "DWTSVC_PAGES": "3",
    }
    assert said(tmp_path)[1]["PATH"] == os.environ["PATH"]


def test_what_it_prints_goes_to_standard_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Hook(program("import sys; print('out'); print('err', file=sys.stderr)")).run(tmp_path, Facts())
    printed = capfd.readouterr()
    assert (printed.out, sorted(printed.err.split())) == ("", ["err", "out"])


@pytest.mark.parametrize(
    ("text", "why"),
    [("raise SystemExit(3)", "exit code 3"), ("import os; os.kill(os.getpid(), 11)", "signal 11")],
)
def test_a_program_that_fails_is_told_and_the_file_stays(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "a.pdf").write_bytes(b"x")
    with pytest.raises(ChildProgramFailed, match=why):
        Hook(program(text)).run(Path("a.pdf"), Facts())
    assert (tmp_path / "a.pdf").read_bytes() == b"x"


def test_a_program_that_does_not_end_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = "import os, time; os.fork(); open(f'pid-{os.getpid()}', 'w'); time.sleep(600)"
    begun_first(monkeypatch, lambda: len(list(tmp_path.glob("pid-*"))) == 2)
    with pytest.raises(ChildProgramFailed, match="did not end within 1 s"):
        Hook(program(child), seconds=1).run(tmp_path, Facts())
    numbers = [int(path.name.removeprefix("pid-")) for path in tmp_path.glob("pid-*")]
    assert len(numbers) == 2
    until(lambda: not any(map(lives, numbers)), lambda: "a child lives on")


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ChildProgramFailed, match="no-such-program cannot be started"):
        Hook("no-such-program {file}").run(tmp_path, Facts())


@pytest.mark.parametrize("line", ["", "  ", "lp 'open", "lp {page}", "lp {file"])
def test_a_line_that_is_no_command_is_refused_before_anything_runs(line: str) -> None:
    if line == "lp {file":
        assert Hook(line)  # a brace alone is itself
        return
    with pytest.raises(BadArguments):
        Hook(line)
