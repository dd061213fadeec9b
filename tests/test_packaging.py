"""What people install: the wheel, the lock files, and the list of packages that decides what is in them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dwtsvc.version import __version__

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
NOT_SOURCE = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "docs", "tests", "benchmarks")


def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def pinned(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", (ROOT / lock).read_text("utf-8"), re.MULTILINE))


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9-]", each)[0].lower() for each in requirements}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the checkout, so that no left-over of an earlier build gets in; needs no network."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "source", ignore=NOT_SOURCE)
    arguments = ["-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder), str(folder / "source")]
    built = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=100)
    assert built.returncode == 0, built.stdout + built.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel installed into a folder of its own, outside the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    arguments = ["-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(folder), str(wheel)]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return folder


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that sees the installed copy before anything else, from a folder that is not the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(command, cwd=installed, env=environment, capture_output=True, text=True, timeout=60)


def test_the_installed_command_says_its_version(installed: Path) -> None:
    answer = run(installed, sys.executable, str(installed / "bin" / "dwtsvc"), "--version")
    assert (answer.stdout, answer.stderr) == (f"dwtsvc {__version__}\n", "")


def test_the_installed_command_runs_from_the_wheel_and_not_from_the_checkout(installed: Path) -> None:
    where = run(
        installed, sys.executable, "-c", "import dwtsvc, dwtsvc_cli; print(dwtsvc.__file__, dwtsvc_cli.__file__)"
    )
    assert where.stdout.split() == [str(installed / name / "__init__.py") for name in ("dwtsvc", "dwtsvc_cli")]


def test_every_command_can_be_loaded_from_the_wheel(installed: Path) -> None:
    from dwtsvc_cli.main import COMMANDS

    for name in COMMANDS:
        answer = run(installed, sys.executable, str(installed / "bin" / "dwtsvc"), name, "--help")
        assert (answer.returncode, answer.stderr) == (0, "")


def test_the_wheel_holds_every_module_and_every_data_file_of_the_packages(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    for folder, package in (("dwtsvc", "dwtsvc"), ("cli", "dwtsvc_cli")):
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert {f"{package}/{path.relative_to(ROOT / folder).as_posix()}" for path in files} <= held


def test_the_wheel_brings_the_man_pages_and_completions(wheel: Path) -> None:
    held = {name.partition(".data/data/")[2] for name in zipfile.ZipFile(wheel).namelist()}
    assert {f"share/man/man1/{page.name}" for page in (ROOT / "man").iterdir()} <= held
    assert {
        "share/bash-completion/completions/dwtsvc.bash",
        "share/zsh/site-functions/_dwtsvc",
        "share/fish/vendor_completions.d/dwtsvc.fish",
    } <= held


def test_every_folder_with_modules_is_a_package_of_the_project() -> None:
    folders = {
        path.parent.relative_to(ROOT).as_posix() for top in ("dwtsvc", "cli") for path in (ROOT / top).rglob("*.py")
    }
    packages = {re.sub(r"^cli\b", "dwtsvc_cli", folder).replace("/", ".") for folder in folders}
    assert packages == set(project()["tool"]["setuptools"]["packages"])


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    assert not re.search(r"://|^\s*-|index|find-links", re.sub(r"^ +--hash=sha256:[0-9a-f]{64}", "", text, flags=re.M))
    for stanza in re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]:
        assert "--hash=sha256:" in stanza


def test_the_locks_name_all_that_the_project_asks_for_and_agree_with_each_other() -> None:
    wanted = project()
    run_lock, dev_lock = (pinned(lock) for lock in LOCKS)
    assert names([*wanted["project"]["dependencies"], *wanted["dependency-groups"]["backend"]]) <= set(run_lock)
    assert names(wanted["dependency-groups"]["dev"]) <= set(dev_lock)
    assert run_lock.items() <= dev_lock.items()
