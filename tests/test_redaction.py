"""What must not be in a log is taken out of it, however it is written; the rest stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwtsvc.redaction import escape, redact, without_quotes

CANARY = "CaNaRy"

LEAKS = [
    "GET /api/device/scanners/jobs/6b2c0b1e-1111-2222-3333-444455556666/next-page?timeout=5&sig={} 200",
    "cannot open /home/ada/My {} Letter.pdf: Permission denied",
    'the folder "/home/ada/My {}" is full',
    "[Errno 2] No such file or directory: '{}'",
    "[WinError 5] Access is denied: {}",
    "Authorization: Bearer {}{}",
    "Cookie: a=b; c={}",
    "DWT-PRODUCT-KEY: {}",
    "X-DWTSVC-Token: {}",
    "access_token={}; done",
    '{{"password": "{} x y", "a": 1}}',
    "password='{} {}'",
    "https://u:{}@shop.example/a",
    "https://shop.example/a?{}#{}",
    "/consent#{}",
    "C:\\Users\\{}\\x.txt",
    "'My letters/{}'",
    "letter-{}.pdf stored",
    "~/{}/b",
    "../{}/b",
    "file:///home/{}",
    "b'\\x89PNG {}'",
    'b"{}',
    "data:image/png;base64,{}/+=",
    "the key 0123456789abcdefghijklmnopqrstuvwxyz0123456789{} is used",
    "the key 0123456789abcdefghijklmnopqrstuvwxyz0123456789/{}+= is used",
]

KEPT = [
    "Port 18622 of 127.0.0.1 is taken by process 12 (python3)",
    "http://127.0.0.1:18622 cannot be opened: permission denied",
    "GET /api/device/scanners/jobs/6b2c0b1e-1111-2222-3333-444455556666/next-page 200",
    "started, 3 jobs and buffers were there",
    "What? yes, and/or no, 3/4",
    "dwtsvc.server.listen: 2 requests were cut",
    "Job 6b2c0b1e-1111-2222-3333-444455556666 faulted: paper-jam",
]


@pytest.mark.parametrize("leak", LEAKS)
def test_no_secret_name_or_content_is_left(leak: str) -> None:
    assert CANARY not in redact(leak.replace("{}", CANARY).replace("{{", "{").replace("}}", "}"))


@pytest.mark.parametrize("text", KEPT)
def test_what_tells_about_the_service_is_left(text: str) -> None:
    assert redact(text) == text


def test_what_follows_a_file_name_is_left() -> None:
    assert redact("cannot open /a/b c.pdf: Permission denied") == "cannot open [file]: Permission denied"


def test_the_values_that_an_exception_quotes_are_taken_out() -> None:
    assert without_quotes("invalid literal for int(): 'Dear Sir'") == "invalid literal for int(): '[value]'"


@given(st.text())
def test_an_escaped_text_is_one_line_of_printable_characters_that_can_be_read_back(text: str) -> None:
    escaped = escape(text)
    assert len(escaped.splitlines()) <= 1
    assert not any(sign < " " or "\x7f" <= sign <= "\x9f" for sign in escaped)


def test_a_forged_line_a_terminal_command_and_turned_text_become_visible() -> None:
    assert escape("a\r\nb\x1b[2J\u202e\\n") == "a\\r\\nb\\x1b[2J\\u202e\\\\n"
