"""What confined children are made to do in tests; a small module, as each of them imports it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

from dwtsvc.errors import WrongPassword


def pid() -> int:
    return os.getpid()


def spin() -> None:
    while True:
        pass


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def eat() -> int:
    return len(bytearray(2**40))


def choke() -> None:
    raise ValueError("a piece of the page")


def refuse() -> None:
    raise WrongPassword("The password is wrong")


def count(until: int) -> Iterator[int]:
    for number in range(100):
        if number == until:
            crash()
        yield number


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()
