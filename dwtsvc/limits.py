"""Work on what strangers made, in a child process with limits of time and memory.

A parser that is led into a circle, or to want all memory there is, then ends one child and not the program. The child
is a plain Python that imports what the function's module imports and nothing else. It is not believed either: from
what it sends, only plain values and records of this project are built.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import is_dataclass
from enum import Enum
from math import ceil
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, ParamSpec, TypeVar

from dwtsvc.errors import BadInput, DwtsvcError, by_word

P = ParamSpec("P")
T = TypeVar("T")

TIMEOUT = 60.0  # seconds
MEMORY = 2 * 2**30  # bytes of address space: a page of 100 million pixels, twice, and the libraries
FILE_SIZE = 256 * 2**20
OPEN_FILES = 64
COUNT = 8  # bytes that say how long a message is
# No site module: the paths are ours, and hooks of the environment cost time. Warnings would go nowhere.
PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from dwtsvc.limits import serve; serve()"
START = (sys.executable, "-I", "-S", "-W", "ignore", "-c", PROGRAM)
HOUSE = str(Path(__file__).parents[1])


def confine(
    *, memory: int | None = None, cpu: float | None = None, file_size: int | None = None, open_files: int | None = None
) -> None:
    """Limit this process for ever: bytes of address space, seconds of CPU, bytes a file, files open; and no core dump.

    A limit that is lower already stays. Windows has none of these: there only the time limit of the parent holds.
    """
    if sys.platform == "win32":
        return
    import resource

    wanted: dict[int, int | None] = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_CPU: None if cpu is None else ceil(cpu),
        resource.RLIMIT_FSIZE: file_size,
        resource.RLIMIT_NOFILE: open_files,
    }
    for which, limit in wanted.items():
        if limit is not None:
            _lower(which, limit)


def run_limited(
    function: Callable[..., T], *arguments: Any, timeout: float = TIMEOUT, memory: int = MEMORY, name: str = "The input"
) -> T:
    """`function(*arguments)` in a child with limits. A function of a module, with arguments that pickle knows.

    Its DwtsvcError comes through as its own class. BadInput says when `name` took too long, needed too much memory, or
    broke the child. The result is made of plain values and of records and enumerations of this project.
    """
    [result] = _results(function, arguments, False, timeout, memory, name)
    return result  # type: ignore[no-any-return]


def iterate_limited(
    function: Callable[..., Iterator[T]],
    *arguments: Any,
    timeout: float = TIMEOUT,
    memory: int = MEMORY,
    name: str = "The input",
) -> Generator[T, None, None]:
    """What a generator function yields in a child, one by one; `timeout` is for each. Close it, and the child ends."""
    return _results(function, arguments, True, timeout, memory, name)


def _results(
    function: Callable[..., Any], arguments: tuple[Any, ...], many: bool, timeout: float, memory: int, name: str
) -> Generator[Any, None, None]:
    with Child(memory) as child:
        yield from child.call(function, arguments, many=many, timeout=timeout, name=name)


class Child:
    """A process with limits that does one call after another, and the clock that kills it. For one thread at a time.

    It leads a process group: the programs that it runs end with it, and a Ctrl-C in the terminal is not for it. After
    a call that took too long or broke it, it is `dead`, and another child is needed.
    """

    def __init__(self, memory: int = MEMORY, *, file_size: int = FILE_SIZE, open_files: int = OPEN_FILES) -> None:
        self._memory = memory
        self._limits = {"memory": memory, "file_size": file_size, "open_files": open_files}
        self._timeout, self._name = TIMEOUT, ""
        self._late = self.dead = False
        self._process = subprocess.Popen(
            [*START, HOUSE, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=None if sys.platform == "win32" else 0,
        )
        assert self._process.stdin and self._process.stdout
        self._to: BinaryIO = self._process.stdin  # type: ignore[assignment]
        self._from: BinaryIO = self._process.stdout  # type: ignore[assignment]

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], *, many: bool, timeout: float, name: str
    ) -> Iterator[Any]:
        """What the function answers, or with `many` what it yields. Raises as `run_limited`."""
        self._timeout, self._name = timeout, name
        self.dead = True  # until the answer is whole: nobody could tell the rest from the next one
        self._send(pickle.dumps((function, arguments, many, timeout, self._limits)))
        kind, value = self._receive()
        while kind == "item":
            yield value
            kind, value = self._receive()
        self.dead = self._late  # it was killed just when its answer was whole
        if kind == "memory":
            raise BadInput(f"{name} needs too much memory", why=f"more than {self._memory // 2**20:,} MiB")
        if kind == "error":
            _raise(value)

    def kill(self) -> None:
        """End it and what it runs, whatever they do; the call that it does then fails. From any thread."""
        if sys.platform == "win32":
            self._process.kill()
        elif self._process.returncode is None:  # the group's number is its own until somebody has waited for it
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        self.dead = True
        self.kill()
        self._process.wait()
        for file in (self._to, self._from):
            with contextlib.suppress(OSError):
                file.close()

    def _send(self, call: bytes) -> None:
        with contextlib.suppress(BrokenPipeError), self._clock():  # a child that is gone is told of by `_receive`
            self._to.write(call)
            self._to.flush()

    def _receive(self) -> tuple[str, Any]:
        with self._clock():
            count = int.from_bytes(self._from.read(COUNT), "big")
            data = self._from.read(min(count, self._memory)) if count else b""
        if not data or len(data) < count:
            raise self._died()
        return _read(data, self._name)

    @contextlib.contextmanager
    def _clock(self) -> Iterator[None]:
        timer = threading.Timer(self._timeout, self._too_late)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()  # else it might kill the child in the next call

    def _too_late(self) -> None:
        self._late = True
        self.kill()

    def _died(self) -> BadInput:
        self.kill()  # what it ran goes on otherwise
        code = self._process.wait()
        if self._late or (sys.platform != "win32" and code == -signal.SIGXCPU):
            return BadInput(f"{self._name} took too long", why=f"more than {self._timeout:g} seconds")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return BadInput(f"{self._name} broke the program that read it", why=how)


class _Careful(pickle.Unpickler):
    """Builds nothing but records and enumerations of this project: a pickle can otherwise call anything."""

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name) if module.split(".")[0] == "dwtsvc" else None
        if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Enum)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name}")


def loads(data: bytes) -> Any:
    """What was pickled, if it is made of plain values, records and enumerations of this project; else UnpicklingError,
    or whatever error nonsense leads to."""
    return _Careful(io.BytesIO(data)).load()


def _read(data: bytes, name: str) -> tuple[str, Any]:
    try:
        kind, value = loads(data)
    except Exception as error:  # a broken child may have sent anything
        raise BadInput(f"{name} broke the program that read it", why="its answer makes no sense") from error
    return kind, value


def _raise(told: Any) -> NoReturn:
    word, what, why, hint = told
    raise by_word(word)(what, why=why, hint=hint)


def serve() -> None:
    """The child: reads calls from standard input, and writes what comes of them to what was standard output."""
    # a library that prints must not write into our messages
    to = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(EOFError, BrokenPipeError):  # the parent closed its end, or is gone
        while True:
            _answer(to, *pickle.load(sys.stdin.buffer))
    os._exit(0)  # taking the libraries down costs time, and nothing is open


def _answer(
    to: BinaryIO,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    many: bool,
    timeout: float,
    limits: dict[str, int],
) -> None:
    confine(**limits)
    try:
        for item in _work(function, arguments, many, timeout):
            _send(to, ("item", item))
        _send(to, ("end", None))
    except DwtsvcError as error:
        _send(to, ("error", (error.word, error.what, error.why, error.hint)))
    except MemoryError:
        _send(to, ("memory", None))
    except BrokenPipeError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        _send(to, ("error", (DwtsvcError.word, "Internal error", why, "Please report it.")))


def _work(function: Callable[..., Any], arguments: tuple[Any, ...], many: bool, timeout: float) -> Iterator[Any]:
    _more_time(timeout)
    if not many:
        yield function(*arguments)
        return
    for item in function(*arguments):
        yield item
        _more_time(timeout)


def _more_time(seconds: float) -> None:
    """So many seconds of CPU from now on: where the parent died, nobody else would end a circle."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (ceil(used.ru_utime + used.ru_stime + seconds) + 1, hard))


def _lower(which: int, limit: int) -> None:
    import resource

    hard = resource.getrlimit(which)[1]
    limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(which, (limit, limit))


def _send(to: BinaryIO, message: tuple[str, Any]) -> None:
    data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    to.write(len(data).to_bytes(COUNT, "big"))
    to.write(data)
    to.flush()
