"""How names of sites read that could pass for others."""

from __future__ import annotations

import pytest

from dwtsvc.server.gate.spelling import MOST_LETTERS, letters, spelled


@pytest.mark.parametrize(
    ("host", "reads"),
    [
        ("shop.example", "shop.example"),
        ("xn--bcher-kva.example", "bücher.example"),
        ("www.xn--80ak6aa92e.com", "www.аррӏе.com"),
        ("xn--strae-oqa.de", "straße.de"),  # as browsers read it today
        ("xn--99999999999.example", "xn--99999999999.example"),
        ("xn--.example", ".example"),
        ("[::1]", "[::1]"),
    ],
)
def test_a_name_reads_as_its_letters(host: str, reads: str) -> None:
    assert spelled(host) == reads


@pytest.mark.parametrize("hidden", ["\u202e", "\u200b", "\u2066", " ", "\u00ad", "\ue000"])
def test_a_sign_that_nobody_sees_is_not_shown(hidden: str) -> None:
    label = "xn--" + f"ab{hidden}c".encode("punycode").decode()
    assert spelled(f"{label}.example") == f"{label}.example" and letters(f"{label}.example") == []


def test_letters_are_named_once_each_and_not_without_end() -> None:
    assert letters("xn--80ak6aa92e.com")[0] == ("а", "cyrillic small letter a")
    assert [each.letter for each in letters("xn--80ak6aa92e.com")] == list(dict.fromkeys("аррӏе"))
    many = "xn--" + "".join(map(chr, range(0x430, 0x44F))).encode("punycode").decode()
    assert len(letters(f"{many}.example")) == MOST_LETTERS
