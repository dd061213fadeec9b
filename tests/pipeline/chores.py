"""What children of the pool are told to do in tests. Each imports this first, so it imports little: a child has low
priority, and on a busy machine the time that it may take would be over before it begins."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path


def double(number: int) -> int:
    return 2 * number


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(*_: object) -> None:
    time.sleep(600)


def eat() -> int:
    return len(bytearray(2**40))


def give_up() -> None:
    raise MemoryError


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def number() -> int:
    return os.getpid()


def group_of() -> tuple[int, int]:
    return os.getpid(), os.getpgid(0)


def run_a_program(folder: str) -> None:
    """As tesseract is run: a program below the child. Both numbers are written down."""
    program = subprocess.Popen(["sleep", "600"])
    Path(folder, "child").write_text(str(os.getpid()))
    Path(folder, "program").write_text(str(program.pid))
    program.wait()
