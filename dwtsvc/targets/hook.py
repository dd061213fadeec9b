"""A program of the user's that is run for each finished file: `--exec 'command {file}'`.

The line is split into words first and filled in afterwards, and no shell sees it: whatever a file is called, its name
is one word.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dwtsvc.errors import BadArguments, ChildProgramFailed
from dwtsvc.targets.parcel import Facts

SECONDS = 300.0
STANDARD_ERROR = 2
_FIELD = re.compile(r"\{\{|\}\}|\{(\w+)\}")
FIELDS = ("file", "name", "title", "barcode", "pages")


class Hook:
    """A command to run for files. Raises BadArguments for a line that is none."""

    def __init__(self, line: str, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        try:
            self._words = shlex.split(line)
        except ValueError as error:
            raise BadArguments(f"The command of --exec is not understood: {line}", why=str(error)) from None
        if not self._words:
            raise BadArguments("The command of --exec is empty", hint="For example: --exec 'lp {file}'")
        for word in self._words:
            _filled(word, dict.fromkeys(FIELDS, ""))

    def run(self, file: Path, facts: Facts) -> None:
        """Run it and wait. What it prints goes to standard error. Raises ChildProgramFailed; the file stays."""
        values = _values(file, facts)
        words = [_filled(word, values) for word in self._words]
        environment = {f"DWTSVC_{name.upper()}": value for name, value in values.items() if name != "name"}
        try:
            child = subprocess.Popen(
                words,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=STANDARD_ERROR,
                start_new_session=True,  # so that its own children can be ended with it
            )
        except OSError as error:
            raise ChildProgramFailed(
                f"{words[0]} cannot be started", why=error.strerror or str(error), hint="Check the command of --exec."
            ) from None
        try:
            code = child.wait(self._seconds)
        except subprocess.TimeoutExpired:
            raise self._failed(words[0], file, f"it did not end within {self._seconds:g} s") from None
        finally:
            _end(child)
        if code:
            raise self._failed(words[0], file, f"exit code {code}" if code > 0 else f"signal {-code}")

    def _failed(self, program: str, file: Path, why: str) -> ChildProgramFailed:
        return ChildProgramFailed(f"{program} failed for {file}", why=why, hint="The file is still there.")


def _values(file: Path, facts: Facts) -> dict[str, str]:
    values = {
        "file": str(file.absolute()),  # begins with a slash, so that no program takes it for an option
        "name": file.name,
        "title": facts.title,
        "barcode": facts.barcode,
        "pages": "" if facts.pages is None else str(facts.pages),
    }
    return {name: value.replace("\0", "") for name, value in values.items()}


def _filled(word: str, values: Mapping[str, str]) -> str:
    def of(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        if match[1] not in values:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise BadArguments(
                f"The command of --exec has an unknown field {match[0]}", hint=f"Choose from {known}; {{{{ is a brace."
            )
        return values[match[1]]

    return _FIELD.sub(of, word)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End what is left of it, also when we are interrupted."""
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            if os.name == "nt":
                child.kill()
            else:
                os.killpg(child.pid, signal.SIGKILL)
        child.wait()
