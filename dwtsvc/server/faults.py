"""Errors on the wire: the one object that every face answers with."""

from __future__ import annotations

import json
import logging
import traceback
from http import HTTPStatus
from typing import Any

from dwtsvc.errors import BadConfiguration, ChildProgramFailed, DiskFull, DwtsvcError, FileAccess, PortInUse, TooMany

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

# Their words name files and folders, which are the user's business and not a web page's.
_OF_THE_MACHINE = (FileAccess, DiskFull, BadConfiguration, ChildProgramFailed, PortInUse)

_log = logging.getLogger("dwtsvc.server")


def body(error: DwtsvcError, *, status: int | None = None) -> bytes:
    """The error as the published JSON object, with our machine word beside it; UTF-8.

    `cause` is there if something else caused the error; its code is the system's error number, or 0.
    """
    code = status or error.http_status
    said: dict[str, object] = {"code": error.service_code, "message": message(error), "statusCode": code}
    if said_why := why(error):
        said["cause"] = {"code": _number(error), "message": said_why}
    said["error"] = error.word
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def answer(error: DwtsvcError, *, status: int | None = None) -> Answer:
    """Status, headers (type and length, and when to come again) and body for an error."""
    said = body(error, status=status)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(said))]
    code = status or error.http_status
    if isinstance(error, TooMany):
        headers.append((b"retry-after", b"1"))
    if code == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    return code, headers, said


def known(error: BaseException) -> DwtsvcError:
    """The error itself if it is one of ours; else an internal error, its kind and place in the log and nowhere else.

    The text of a foreign exception is not even logged: it may hold a file name, a token or a piece of a page.
    """
    if isinstance(error, DwtsvcError):
        return error
    _log.error("internal error: %s at %s", type(error).__name__, _place(error))
    return DwtsvcError("Internal error")


def why(error: DwtsvcError) -> str:
    """The cause of an error as a web page may read it, or nothing."""
    return "" if isinstance(error, _OF_THE_MACHINE) and not isinstance(error.__cause__, OSError) else error.why


def message(error: DwtsvcError) -> str:
    """What failed and what to do next, as a web page may read it."""
    if isinstance(error, _OF_THE_MACHINE):
        return error.meaning[:1].upper() + error.meaning[1:]
    return f"{error.what}. {error.hint}" if error.hint else error.what


def _number(error: DwtsvcError) -> int:
    return (error.__cause__.errno or 0) if isinstance(error.__cause__, OSError) else 0


def _place(error: BaseException) -> str:
    """Where an error came from: the last lines of its traceback, without values, in one line."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " < ".join(f"{_short(each.filename)}:{each.lineno} {each.name}" for each in reversed(frames)) or "unknown"


def _short(path: str) -> str:
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def handlers() -> dict[Any, Any]:
    """For Litestar's `exception_handlers`: what it refuses itself, and all that is raised, as the one error object."""
    from dwtsvc.server.rest import refusals

    return refusals.handlers()
