"""The programs of other people that know the stores: found, run without a terminal, and stopped when they hang."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from dwtsvc.errors import ChildProgramFailed

DEADLINE = 60.0  # seconds; rebuilding a system's bundle takes five on a slow machine


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended, and what it said on each stream."""

    code: int
    output: str
    fault: str


class Programs(Protocol):
    """What a store needs of the machine; a test gives one that only writes down what was asked."""

    def find(self, name: str) -> str | None:
        """The path of a program, None if it is not installed."""

    def run(self, *words: str, stdin: str = "") -> Outcome:
        """Run a program to its end. Raises ChildProgramFailed if it cannot be started or hangs."""


class Installed:
    """The programs on this machine's PATH and in the folders of its administrator."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {**environ, "LC_ALL": "C"}  # what they say is read
        self._path = os.pathsep.join([environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

    def find(self, name: str) -> str | None:
        return shutil.which(name, path=self._path)

    def run(self, *words: str, stdin: str = "") -> Outcome:
        # A session of its own has no terminal, so that a program which wants a password fails instead of asking.
        try:
            done = subprocess.run(
                [self.find(words[0]) or words[0], *words[1:]],
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=DEADLINE,
                start_new_session=True,
                env=self._environ,
            )
        except subprocess.TimeoutExpired as error:
            raise ChildProgramFailed(f"{words[0]} did not end within {DEADLINE:g} seconds") from error
        except OSError as error:
            raise ChildProgramFailed(f"{words[0]} cannot be run", why=error.strerror or str(error)) from error
        return Outcome(done.returncode, done.stdout, done.stderr)


def must_run(programs: Programs, *words: str, stdin: str = "", hint: str = "") -> str:
    """Run a program that must succeed; its output. Raises ChildProgramFailed with the last line it complained in."""
    done = programs.run(*words, stdin=stdin)
    if done.code:
        raise ChildProgramFailed(f"`{shown(words)}` failed", why=_complaint(done), hint=hint)
    return done.output


def shown(words: Sequence[str]) -> str:
    """A command as a person would type it."""
    import shlex

    return shlex.join(words)


def _complaint(done: Outcome) -> str:
    lines = (done.fault or done.output).strip().splitlines()
    return lines[-1][:200] if lines else f"exit code {done.code}"
