"""What one web origin may take, and the depth of what it sends."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwtsvc.errors import TooMany
from dwtsvc.server.gate.bodies import DEEPEST, is_too_deep
from dwtsvc.server.gate.quotas import MOST_SHARES, Limits, Quotas

A, B = "https://a.example", "https://b.example"


def passed(quotas: Quotas, origin: str, count: int, now: float) -> int:
    """How many of so many requests, one after another, are let through."""
    let = 0
    for _ in range(count):
        try:
            quotas.leave(quotas.enter(origin, upload=False, now=now), upload=False)
        except TooMany:
            continue
        let += 1
    return let


@pytest.mark.parametrize(("sent", "let"), [(100, 100), (101, 100), (10_000, 100)])
def test_a_burst_is_let_through_up_to_its_limit(sent: int, let: int) -> None:
    assert passed(Quotas(Limits()), A, sent, now=5.0) == let


def test_the_rate_comes_back_at_twenty_a_second_and_no_further_than_the_burst() -> None:
    quotas = Quotas(Limits())
    assert passed(quotas, A, 200, now=0.0) == 100
    assert passed(quotas, A, 200, now=1.0) == 20
    assert passed(quotas, A, 200, now=1000.0) == 100


def test_one_site_cannot_use_up_what_another_has() -> None:
    quotas = Quotas(Limits())
    passed(quotas, A, 10_000, now=0.0)
    assert passed(quotas, B, 50, now=0.0) == 50


@pytest.mark.parametrize(("upload", "limit"), [(False, 8), (True, 2)])
def test_open_requests_and_uploads_have_a_limit_and_make_room_when_they_end(upload: bool, limit: int) -> None:
    quotas = Quotas(Limits())
    held = [quotas.enter(A, upload=upload, now=0.0) for _ in range(limit)]
    for _ in range(50):
        with pytest.raises(TooMany):
            quotas.enter(A, upload=upload, now=0.0)
    assert quotas.open_requests(A) == limit
    quotas.leave(held.pop(), upload=upload)
    held.append(quotas.enter(A, upload=upload, now=0.0))
    for share in held:
        quotas.leave(share, upload=upload)
    assert quotas.open_requests(A) == 0


def test_a_million_sites_do_not_fill_the_memory() -> None:
    quotas = Quotas(Limits())
    for number in range(20 * MOST_SHARES):
        quotas.leave(quotas.enter(f"https://a{number}.example", upload=False, now=float(number)), upload=False)
    assert len(quotas._shares) <= MOST_SHARES


def test_a_site_is_not_forgotten_while_it_has_something_open_or_less_than_its_rate() -> None:
    quotas = Quotas(Limits())
    quotas.enter(A, upload=False, now=0.0)
    for number in range(2 * MOST_SHARES):
        quotas.leave(quotas.enter(f"https://a{number}.example", upload=False, now=100.0 + number), upload=False)
    assert quotas.open_requests(A) == 1


JSON = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@settings(deadline=None)
@given(JSON, st.integers(0, 80), st.booleans())
def test_the_depth_is_that_of_the_brackets_outside_of_strings(value: object, wrapped: int, in_objects: bool) -> None:
    for _ in range(wrapped):
        value = {'"[{\\': value, "]]]": "[[[" * 30} if in_objects else [value, '\\"[{']
    text = json.dumps(value).encode()
    assert is_too_deep(text) is (depth(value) > DEEPEST)


@pytest.mark.parametrize("text", [b"[" * 65, b"[" * 100_000, b'{"a":' * 65, b"[[" + b"[]" * 9 + b"[" * 63])
def test_brackets_that_are_never_closed_are_depth_too(text: bytes) -> None:
    assert is_too_deep(text)


@pytest.mark.parametrize(
    "text", [b"", b"]" * 1000, b'"' + b"[" * 1000, b'"' + b"[" * 1000 + b'"', b"[" * 64, b"[]" * 10_000]
)
def test_what_opens_no_more_than_the_limit_is_not_too_deep(text: bytes) -> None:
    assert not is_too_deep(text)
