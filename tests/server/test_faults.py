"""Errors on the wire: one shape, and nothing in it that is the machine's own business."""

from __future__ import annotations

import errno
import json
import logging
from pathlib import Path

import pytest

from dwtsvc.errors import (
    BadConfiguration,
    DiskFull,
    DwtsvcError,
    FileAccess,
    PaperJam,
    ScannerBusy,
    TokenNeeded,
    TooMany,
    UnknownItem,
    tree,
)
from dwtsvc.server import faults


def said(error: DwtsvcError) -> dict[str, object]:
    found: dict[str, object] = json.loads(faults.body(error))
    return found


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.word)
def test_every_error_has_the_documented_shape(kind: type[DwtsvcError]) -> None:
    found = said(kind("It went wrong", why="because", hint="Do this."))
    assert set(found) - {"cause"} == {"code", "message", "statusCode", "error"}
    assert (
        found["code"] == kind.service_code and found["statusCode"] == kind.http_status and found["error"] == kind.word
    )
    assert isinstance(found["code"], int) and found["code"] < 0 and found["message"]
    status, headers, body = faults.answer(kind("It went wrong"))
    assert status == kind.http_status and (b"content-length", str(len(body)).encode()) in headers


def test_the_cause_is_there_only_if_something_else_caused_it() -> None:
    assert said(ScannerBusy("The scanner is busy")) == {
        "code": -1004,
        "message": "The scanner is busy",
        "statusCode": 423,
        "error": "scanner-busy",
    }
    assert said(PaperJam("Paper jam", why="status 6"))["cause"] == {"code": 0, "message": "status 6"}


def test_the_number_of_the_system_is_told_and_the_path_is_not() -> None:
    error = FileAccess("/home/ada/letter.pdf cannot be written", why="Permission denied", hint="Check /home/ada.")
    error.__cause__ = OSError(errno.EACCES, "Permission denied", "/home/ada/letter.pdf")
    assert said(error)["cause"] == {"code": errno.EACCES, "message": "Permission denied"}
    for kind in (FileAccess, DiskFull, BadConfiguration):
        text = faults.body(kind("/home/ada/x", why="in /home/ada/y", hint="See /home/ada/z."))
        assert b"ada" not in text


def test_too_many_says_when_to_come_again_and_a_missing_token_how_to_bring_it() -> None:
    assert (b"retry-after", b"1") in faults.answer(TooMany("Too many"))[1]
    assert (b"www-authenticate", b"Bearer") in faults.answer(TokenNeeded("No token"))[1]
    status, _, body = faults.answer(TooMany("Full"), status=503)
    assert status == json.loads(body)["statusCode"] == 503


def test_an_unknown_exception_is_an_internal_error_and_its_words_are_lost(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError(f"canary in {Path('/home/ada/letter.pdf')}")
    except ValueError as error:
        found = faults.known(error)
    assert said(found) == {"code": -1001, "message": "Internal error", "statusCode": 500, "error": "internal"}
    assert caplog.records[0].levelno == logging.ERROR and "ValueError at server/test_faults.py:" in caplog.text
    assert "canary" not in caplog.text and "ada" not in caplog.text


def test_one_of_ours_stays_itself_and_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    error = UnknownItem("There is no such job")
    assert faults.known(error) is error and not caplog.records


def test_text_that_is_no_unicode_is_told_all_the_same() -> None:
    json.loads(faults.body(PaperJam("Jam \udcff", why="\ud800")))
