"""Against a fake that takes the documented fields only; no paperless-ngx was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dwtsvc.errors import BadArguments, BadConfiguration, ServiceRefused
from dwtsvc.paths import Paths
from dwtsvc.secrets import Secrets
from dwtsvc.targets import Facts, Patience, Target, named, parse, send
from tests.targets.peers import PAPERLESS_TASK, Answer, WebServer, paperless

TOKEN = "0123456789abcdef"


@pytest.fixture
def archive(web: WebServer, paths: Paths, secrets: Secrets) -> Target:
    web.answer = paperless({"Scan": 11, "post": 12}, TOKEN)
    named.save(paths, "archive", {"url": f"paperless+{web.url}", "tags": "scan", "document_type": "invoice"})
    secrets.set("archive", TOKEN)
    return parse("archive", paths)


def test_a_document_goes_in_with_ids_for_its_names(
    web: WebServer, archive: Target, letter: Path, secrets: Secrets
) -> None:
    facts = Facts(title="Mai", tags=("POST", "7"), correspondent="ada & sons", asn=42, created="2026-05-31")
    receipt = send(archive, letter, facts, secrets=secrets)
    form = web.requests[-1].form()
    assert form["document"][0].content == letter.read_bytes()
    assert form["document"][0].file_name == letter.name
    texts = {name: [part.text for part in parts] for name, parts in form.items() if name != "document"}
    assert texts == {
        "title": ["Mai"],
        "created": ["2026-05-31"],
        "correspondent": ["3"],
        "document_type": ["5"],
        "archive_serial_number": ["42"],
        "tags": ["11", "12", "7"],
    }
    assert receipt.id == PAPERLESS_TASK
    assert receipt.location == f"{web.url}/api/tasks/?task_id={PAPERLESS_TASK}"


def test_a_tag_that_is_not_there_is_told_before_the_file_is_sent(
    web: WebServer, archive: Target, letter: Path, secrets: Secrets
) -> None:
    with pytest.raises(BadArguments, match="'nope' among its tags"):
        send(archive, letter, Facts(tags=("nope",)), secrets=secrets)
    assert [each for each in web.requests if each.method == "POST"] == []


def test_a_wrong_token_is_a_refusal_that_names_the_secret_and_does_not_show_it(
    archive: Target, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    secrets.set("archive", "wrong-token")
    with pytest.raises(ServiceRefused, match="401") as told:
        send(archive, letter, secrets=secrets, patience=quick)
    assert "config secret set archive" in told.value.hint
    assert "wrong-token" not in repr(told.value)


def test_without_a_token_nothing_is_asked(web: WebServer, letter: Path, secrets: Secrets) -> None:
    with pytest.raises(BadConfiguration, match="no token"):
        send(
            parse(f"paperless+{web.url}", Paths.from_environment({"DWTSVC_HOME": "/nowhere"})), letter, secrets=secrets
        )
    assert web.requests == []


@pytest.mark.parametrize("body", ["<html>Log in</html>", '{"detail": "x"}', '"not-an-id"', "null", ""])
def test_a_yes_that_paperless_would_not_say_is_no_delivery(
    web: WebServer, letter: Path, secrets: Secrets, quick: Patience, body: str
) -> None:
    web.answer = lambda _: Answer(200, {}, body)
    secrets.set(f"127.0.0.1:{web.port}", TOKEN)
    target = parse(f"paperless+{web.url}/", Paths.from_environment({"DWTSVC_HOME": "/nowhere"}))
    with pytest.raises(ServiceRefused, match="not one of paperless"):
        send(target, letter, secrets=secrets, patience=quick)


def test_an_old_paperless_says_no_more_than_ok(web: WebServer, letter: Path, secrets: Secrets) -> None:
    web.answer = lambda _: Answer(200, {}, '"OK"')
    secrets.set(f"127.0.0.1:{web.port}", TOKEN)
    target = parse(f"paperless+{web.url}/docs", Paths.from_environment({"DWTSVC_HOME": "/nowhere"}))
    receipt = send(target, letter, secrets=secrets)
    assert (receipt.id, web.requests[0].path) == ("", "/docs/api/documents/post_document/")
