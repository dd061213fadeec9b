"""The log of the service: one file, kept small, and nothing in it that is a user's own.

Every record of every library passes one formatter, and so do the last words that a monitor keeps. It takes out tokens,
passwords, the queries of URLs, file names and data, and writes control characters as escapes. It is a net below those
who log, not a licence: a record should not hold such things in the first place.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from dwtsvc.disk import private
from dwtsvc.errors import FileAccess
from dwtsvc.paths import Paths
from dwtsvc.redaction import escape, redact, without_quotes

LARGEST = 10_000_000  # bytes of one file
FILES = 5  # the one that is written, and older ones
DETAIL = "    | "  # begins each line below the first of a record
FILE_ONLY = "file_only"  # extra={FILE_ONLY: True} in a record that is told on standard error in another way
OFF = logging.CRITICAL + 1

_FOREIGN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "litestar", "asyncio", "PIL")
_LONGEST = 2000  # characters of a message
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None] | None


_HEAD = re.compile(r"(\S+Z) ([A-Z]+) (\S+): (.*)")
_LOOK_EVERY = 0.25  # seconds


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as the log file has it. `time` is ISO 8601 in UTC, `detail` the lines of a traceback."""

    time: str
    level: str
    logger: str
    message: str
    detail: tuple[str, ...] = ()

    def __str__(self) -> str:
        first = f"{self.time} {self.level} {self.logger}: {self.message}"
        return "\n".join([first, *(DETAIL + line for line in self.detail)])


class LineFormatter(logging.Formatter):
    """`2026-11-21T06:40:00.123Z INFO dwtsvc.server: message`, then the lines of a traceback, each behind DETAIL."""

    def format(self, record: logging.LogRecord) -> str:
        first = f"{_time(record.created)} {record.levelname} {record.name}: {clean(record.getMessage())}"
        return "\n".join([first, *(DETAIL + line for line in _detail(record.exc_info))])


class JournalFormatter(logging.Formatter):
    """For systemd's journal, which has the time: each line begins with its priority."""

    def format(self, record: logging.LogRecord) -> str:
        priority = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        lines = [f"{record.name}: {clean(record.getMessage())}", *(DETAIL + line for line in _detail(record.exc_info))]
        return "\n".join(priority + line for line in lines)


class LogFile(RotatingFileHandler):
    """Files that only their owner reads. A full disk loses records, never the service."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=LARGEST, backupCount=FILES - 1, encoding="utf-8", errors="replace")
        self.setFormatter(LineFormatter())

    def _open(self) -> Any:
        return open(self.baseFilename, "a", encoding="utf-8", errors="replace", opener=private)

    def handleError(self, record: logging.LogRecord) -> None:
        pass


class ErrorStream(logging.StreamHandler[TextIO]):
    """Standard error; a reader that went away is no fault."""

    def handleError(self, record: logging.LogRecord) -> None:
        pass


def set_up(paths: Paths, level: int, *, stderr: bool, environ: Mapping[str, str]) -> list[logging.Handler]:
    """Send every logger of this process to the log file and, if asked, to standard error; the handlers, for `claim`.

    Call it once. What nothing catches, on any thread, is logged, too. Raises FileAccess.
    """
    path = Paths.create(paths.log_file.parent) / paths.log_file.name
    try:
        handlers: list[logging.Handler] = [LogFile(path)]
    except OSError as error:
        raise FileAccess(f"The log {path} cannot be written", why=error.strerror or str(error)) from error
    if stderr and sys.stderr is not None:
        handlers.append(_stream(environ))
    claim(handlers)
    _log_what_nothing_catches()
    set_level(level)
    return handlers


def claim(handlers: Sequence[logging.Handler]) -> None:
    """Make these the only handlers of the process, also after a library set up logging in its own way."""
    logging.getLogger().handlers[:] = handlers
    for name in _FOREIGN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    logging.captureWarnings(True)


def set_level(level: int) -> None:
    """Change how much is logged, at once: 0 nothing, 1 what happens, 14 and 30 for finding faults."""
    ours = {0: OFF, 1: logging.INFO, 14: logging.DEBUG, 30: logging.DEBUG}[level]
    others = {0: OFF, 1: logging.WARNING, 14: logging.INFO, 30: logging.DEBUG}[level]
    logging.getLogger("dwtsvc").setLevel(ours)
    logging.getLogger().setLevel(others)
    logging.disable(logging.CRITICAL if level == 0 else logging.NOTSET)


def to_journal(environ: Mapping[str, str]) -> bool:
    """Whether standard error is systemd's journal: the variable alone is inherited by programs far away."""
    try:
        where = os.fstat(2)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{where.st_dev}:{where.st_ino}"


def clean(text: str) -> str:
    """One line of at most _LONGEST characters, without what is nobody's business."""
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]}[... {len(text) - _LONGEST} more]"
    return escape(redact(text))


def _stream(environ: Mapping[str, str]) -> logging.Handler:
    stream = ErrorStream(sys.stderr)
    stream.setFormatter(JournalFormatter() if to_journal(environ) else LineFormatter())
    stream.addFilter(lambda record: not getattr(record, FILE_ONLY, False))
    return stream


def _log_what_nothing_catches() -> None:
    log = logging.getLogger("dwtsvc")

    def of_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            name = args.thread.name if args.thread else "?"
            log.critical("A thread ended: %s", name, exc_info=args.exc_value)

    def of_finalizer(args: Any) -> None:
        log.error("An exception was not raised", exc_info=args.exc_value)

    sys.excepthook = lambda _kind, error, _trace: log.critical("The service ends", exc_info=error)
    threading.excepthook = of_thread
    sys.unraisablehook = of_finalizer


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _detail(raised: _Raised) -> list[str]:
    """Where an exception comes from, the outermost last; names and places of code only, no line of it, no values."""
    lines: list[str] = []
    error = raised[1] if raised else None
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        lines += [f"{'because of ' if lines else ''}{type(error).__name__}: {clean(without_quotes(str(error)))}"]
        lines += _places(error.__traceback__)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return lines


def _places(trace: TracebackType | None) -> list[str]:
    """The frames, innermost last, each `package/module.py:12 function`; of a deep recursion the last forty."""
    lines: list[str] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        lines.append(f"  {_module(code.co_filename)}:{trace.tb_lineno} {code.co_qualname}")
        trace = trace.tb_next
    return lines[-40:]


def _module(file: str) -> str:
    """A source file without the folders above its package, which can name a user."""
    return "/".join(Path(file).parts[-2:])


# Reading it


def newest(path: Path, count: int, *, since: int = 0) -> list[Entry]:
    """The last `count` records, the newest last, from file number `since` (0 is `path` itself) and those before it.

    Raises FileAccess.
    """
    found: list[Entry] = []
    for number in range(since, FILES):
        each = path.with_name(f"{path.name}.{number}") if number else path
        if len(found) >= count:
            break
        found = list(entries(_lines(each))) + found
    return found[-count:] if count else []


def entries(lines: Iterable[str]) -> Iterator[Entry]:
    """Records from lines. What is no record, after the disk was full or a hand was in it, is left out."""
    head: re.Match[str] | None = None
    detail: list[str] = []
    for line in lines:
        if head and line.startswith(DETAIL):
            detail.append(line[len(DETAIL) :])
        elif match := _HEAD.fullmatch(line):
            if head:
                yield _entry(head, detail)
            head, detail = match, []
    if head:
        yield _entry(head, detail)


def _entry(head: re.Match[str], detail: list[str]) -> Entry:
    return Entry(head[1], head[2], head[3], head[4], tuple(detail))


def follow(path: Path, count: int) -> Iterator[Entry]:
    """The last `count` records and then each one as it is written, for ever, through every change of the file.

    Raises FileAccess.
    """
    file = _opened(path)
    present = list(entries(file.read().split("\n"))) if file else []
    older = newest(path, count, since=1) if len(present) < count else []
    yield from [*older, *present][-count:] if count else []
    part = ""
    while True:
        if file is None or _is_another(path, file):
            rest = file.read() if file else ""
            yield from entries((part + rest).split("\n"))
            file, part = _opened(path), ""
        part += file.read() if file else ""
        whole, _, part = part.rpartition("\n")
        yield from entries(whole.split("\n"))
        time.sleep(_LOOK_EVERY)


def _opened(path: Path) -> TextIO | None:
    try:
        return open(path, encoding="utf-8", errors="replace", newline="\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileAccess(f"The log {path} cannot be read", why=error.strerror or str(error)) from error


def _is_another(path: Path, file: TextIO) -> bool:
    """Whether the name belongs to a newer file; not while there is none, between two files."""
    try:
        return not os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def _lines(path: Path) -> list[str]:
    file = _opened(path)
    if file is None:
        return []
    with file:
        return file.read().split("\n")
