"""docs/security.md says what the guard does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from dwtsvc.server.gate import bodies, headers, once
from dwtsvc.server.gate.access import SCOPES
from dwtsvc.server.gate.consent import LIFE, MOST_PENDING
from dwtsvc.server.gate.quotas import Limits
from dwtsvc.server.gate.token import LONGEST
from dwtsvc.server.guard import NAMES
from tests.server.guarded import OTHER, House

DOCUMENT = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
PLAIN = " ".join(DOCUMENT.split())


def test_every_scope_is_explained() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE)) == SCOPES


def test_the_error_shown_is_the_one_given(tmp_path: Path) -> None:
    shown = re.search(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    answer = House(tmp_path).ask("GET", "/api/device/scanners", [(b"origin", OTHER)])
    assert shown is not None and json.loads(shown[1]) == json.loads(answer.body)


def test_the_limits_are_those_of_the_code() -> None:
    limits = Limits()
    for said in (
        f"fewer than {limits.all_requests:,} requests are open",
        f"{limits.rate:g} requests a second after the first {limits.burst:g}, {limits.requests} at once",
        f"{limits.uploads} uploads at once",
        f"at most {bodies.MOST_JSON >> 20} MiB, a file {bodies.MOST_UPLOAD >> 20} MiB",
        f"nested at most {bodies.DEEPEST} deep",
    ):
        assert said in PLAIN, said
    assert (MOST_PENDING, LIFE, LONGEST, once.LONGEST, once.SILENT) == (5, 600, 600, 12 * 3600, 600)
    assert "At most five sites" in PLAIN and "each with one request, for ten minutes" in PLAIN
    assert "heard nothing of the site for ten minutes, after twelve hours, or when the service ends" in PLAIN


def test_the_names_and_the_headers_are_those_of_the_code() -> None:
    assert all(f"`{name}`" in PLAIN for name in NAMES)
    sent = {name for name, _ in (*headers.PAGE, *headers.DATA)} - {b"vary"}
    assert [name for name in sent if name.decode() not in PLAIN.lower()] == []
