"""Receipts are written and read back, and a change in one is noticed."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from dwtsvc import receipt
from dwtsvc.errors import BadInput
from dwtsvc.receipt import Receipt, ReceiptFile, ReceiptPage

PAGES = (
    ReceiptPage(number=1, kept=True, document=1, page=1, dpi=299.6, skew=-0.4, stream_sha256="ab", confidence=91.5),
    ReceiptPage(number=2, kept=False, reason="blank: 0.999"),
)
WHOLE = Receipt(
    dwtsvc="0.1",
    created="2026-01-31T12:00:00+01:00",
    counts=receipt.count(PAGES),
    source={"device": "virtual:adf", "settings": {"resolution": 300}},
    files=(ReceiptFile(name="käse.pdf", size=12, sha256="cd"),),
    pages=PAGES,
    tools={"tesseract": "5.3"},
)


def test_a_receipt_comes_back_as_it_was() -> None:
    assert receipt.read(receipt.write(WHOLE)) == WHOLE


def test_what_was_not_measured_is_not_in_it() -> None:
    assert json.loads(receipt.write(WHOLE))["pages"][1] == {"number": 2, "kept": False, "reason": "blank: 0.999"}


def test_pages_are_counted() -> None:
    assert WHOLE.counts == receipt.Counts(fed=2, kept=1, dropped=1)


def test_any_digit_that_was_changed_is_noticed() -> None:
    data = receipt.write(WHOLE)
    changed = 0
    for place, byte in enumerate(data):
        if chr(byte).isdigit():
            other = data[:place] + (b"7" if byte != ord("7") else b"8") + data[place + 1 :]
            with pytest.raises(BadInput):
                receipt.read(other)
            changed += 1
    assert changed > 50


def test_a_receipt_may_be_indented_anew_and_may_have_what_a_later_version_added() -> None:
    held = json.loads(receipt.write(WHOLE))
    assert receipt.read(json.dumps(held, indent=4).encode()) == WHOLE
    del held["sha256"]
    held["pages"][0]["colour"] = "gray"
    held["more"] = 1
    assert receipt.read(json.dumps({**held, "sha256": receipt._checksum(held)}).encode()) == WHOLE


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"7", b'{"sha256": 1}', b"\xff", b"[" * 100_000])
def test_what_is_no_receipt_is_bad_input(data: bytes) -> None:
    with pytest.raises(BadInput):
        receipt.read(data)


def test_a_record_of_another_shape_is_bad_input() -> None:
    for held in ({}, {"dwtsvc": 1, "created": "x", "counts": {}}, {"pages": 5}):
        with pytest.raises(BadInput, match="no receipt"):
            receipt.read(json.dumps({**held, "sha256": receipt._checksum(held)}).encode())


def test_a_file_is_described_by_size_and_checksum(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"abc")
    sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert receipt.describe(path) == ReceiptFile(name="a.pdf", size=3, sha256=sha256)
    assert receipt.digest(io.BytesIO(b"abc")) == (3, sha256) == (3, receipt.stream_digest([b"a", b"bc"]))
    assert receipt.beside(path) == tmp_path / "a.receipt.json"
