"""The token and the signatures: what is ours opens, and nothing that was made up does."""

from __future__ import annotations

import os
import random
import string
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dwtsvc.errors import BadConfiguration, FileAccess
from dwtsvc.server.gate import token as tokens
from dwtsvc.server.gate.token import LONGEST, Token

SITE = "https://shop.example"
URL = "/dwt/dwt_1/img?id=7&index=2&width=585&height=513"


@pytest.fixture
def ours(tmp_path: Path) -> Token:
    return Token(tmp_path / "token")


def check(token: Token, url: str) -> str | None:
    path, _, query = url.partition("?")
    return token.check(path, query)


def test_the_id_of_an_image_is_signed_too(ours: Token) -> None:
    url = "/dwt/dwt_1/img?id=7&index=2&image=abc"
    signed = ours.signed(SITE, url)
    assert check(ours, signed) == SITE
    for other in (signed.replace("image=abc", "image=xyz"), signed.replace("&image=abc", "")):
        assert check(ours, other) is None
    assert check(ours, ours.signed(SITE, "/dwt/dwt_1/img?id=7&index=2") + "&image=abc") is None


def test_the_token_is_made_once_has_256_bits_and_is_ours_alone(tmp_path: Path) -> None:
    first, second = Token(tmp_path / "token"), Token(tmp_path / "token")
    assert first.text == second.text and len(first.text) == 43
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert Token(tmp_path / "other").text != first.text
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_only_the_token_matches(ours: Token) -> None:
    text = ours.text.encode()
    assert ours.matches(text)
    for wrong in (b"", text[:-1], text + b"x", text.swapcase(), b" " + text, b"\xff" * 43, b"x" * 100_000):
        assert not ours.matches(wrong)


def test_many_at_once_make_one_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(lambda _: Token(tmp_path / "token").text, range(64)))) == 1


def test_a_new_token_holds_at_once_in_a_service_that_runs(tmp_path: Path) -> None:
    running, command = Token(tmp_path / "token"), Token(tmp_path / "token")
    old = running.text.encode()
    new = command.renew().encode()
    assert new != old and running.matches(new) and not running.matches(old)


def test_a_token_that_others_can_read_or_write_or_that_is_a_link_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    Token(path)
    for mode in (0o640, 0o604, 0o620, 0o602, 0o666):
        path.chmod(mode)
        with pytest.raises(BadConfiguration):
            Token(path)
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(BadConfiguration):
        Token(tmp_path / "link")
    for text in ("", "short", "x" * 44, "x" * 2000):
        path.write_text(text)
        with pytest.raises(BadConfiguration):
            Token(path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to give a file away")
def test_a_token_of_another_user_is_not_believed(tmp_path: Path) -> None:
    Token(tmp_path / "token")
    os.chown(tmp_path / "token", 65534, 65534)
    with pytest.raises(BadConfiguration, match="not to be trusted"):
        Token(tmp_path / "token")


def test_where_no_token_can_be_made_that_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileAccess):
        Token(tmp_path / "missing" / "token")


def test_a_signed_address_gives_its_bucket_back(ours: Token) -> None:
    for bucket in ("", "own", SITE, "http://localhost:8080"):
        for url in (URL, "/api/device/scanners/jobs/4f/next-page?page=ab12", "/plain"):
            assert check(ours, ours.signed(bucket, url)) == bucket
    assert check(ours, URL) is None


def test_the_size_and_the_time_of_an_image_are_free_and_nothing_else_is(ours: Token) -> None:
    signed = ours.signed(SITE, URL)
    assert check(ours, signed.replace("width=585", "width=1170") + "&ticks=99") == SITE
    for old, new in (
        ("id=7", "id=8"),
        ("index=2", "index=3"),
        ("dwt_1", "dwt_2"),
        ("&index=2", ""),
        ("id=7", "id=7&id=8"),
    ):
        assert check(ours, signed.replace(old, new)) is None
    assert check(ours, signed + "&page=1") is None


def test_parts_cannot_be_moved_into_each_other(ours: Token) -> None:
    expires = int(time.time()) + 60
    signature = ours.sign("ab", "/p?c", "d/", expires)
    assert signature.rpartition(".")[2] != ours.sign("a", "b/p?c", "d/", expires).rpartition(".")[2]


def test_a_signature_ends_after_ten_minutes_at_the_latest(ours: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = ours.signed(SITE, URL, seconds=10_000)
    now = time.time()
    monkeypatch.setattr(tokens.time, "time", lambda: now + LONGEST - 2)
    assert check(ours, signed) == SITE
    monkeypatch.setattr(tokens.time, "time", lambda: now + LONGEST + 1)
    assert check(ours, signed) is None


def test_a_signature_for_longer_is_not_taken_even_if_it_is_right(ours: Token) -> None:
    signature = ours.sign(SITE, "/a?", "/", int(time.time()) + LONGEST + 60)
    assert check(ours, f"/a?sig={signature}") is None


def test_a_signature_of_another_start_is_worth_nothing(tmp_path: Path) -> None:
    before, after = Token(tmp_path / "token"), Token(tmp_path / "token")
    assert check(after, before.signed(SITE, URL)) is None


def test_of_ten_thousand_forged_signatures_none_is_taken(ours: Token) -> None:
    chance = random.Random(7)
    good = ours.signed(SITE, URL)
    base, _, signature = good.partition("&sig=")
    expires, bucket, mac = signature.split(".")
    letters = string.ascii_letters + string.digits + "-_"
    taken = 0
    for number in range(10_000):
        at = chance.randrange(len(signature))
        forged = (
            signature[:at] + chance.choice([c for c in letters + ".=%+ " if c != signature[at]]) + signature[at + 1 :],
            f"{expires}.{bucket}." + "".join(chance.choices(letters, k=len(mac))),
            f"{int(expires, 16) - chance.randrange(1, 500):x}.{bucket}.{mac}",
            f"{expires}.{bucket}.{mac[: chance.randrange(len(mac))]}",
            f"{expires}..{mac}",
            f"0{expires}.{bucket}.{mac}",
            "".join(chance.choices(string.printable, k=chance.randrange(90))),
        )[number % 7]
        taken += check(ours, f"{base}&sig={forged}") is not None
    assert taken == 0
    assert check(ours, good) == SITE
