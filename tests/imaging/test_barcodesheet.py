"""Printed sheets are read back: separators of every common type, and labels that count on, each in its place."""

from __future__ import annotations

import pytest

from dwtsvc.errors import BadArguments
from dwtsvc.imaging import barcodesheet
from dwtsvc.imaging.barcode import read


@pytest.mark.parametrize("type", ["code128", "code39", "qr", "datamatrix"])
def test_a_separator_has_its_code_twice(type: str) -> None:
    sheet = barcodesheet.separator("PATCHT", type)
    assert sheet.mode == "1" and sheet.size == (2480, 3508)
    assert [(code.type, code.text) for code in read(sheet)] == [(type, "PATCHT")] * 2


def test_a_separator_is_as_large_as_its_paper() -> None:
    assert barcodesheet.separator("A", paper=(215.9, 279.4)).size == (2550, 3300)


def test_labels_count_on_row_by_row_and_sheet_by_sheet() -> None:
    first, second = barcodesheet.labels(barcodesheet.numbers("ASN", 95, 191))
    codes = read(first, types=["qr"])
    assert {code.text for code in codes} == {f"ASN{number:05}" for number in range(95, 95 + 189)}
    places = {code.text: code.corners[0] for code in codes}
    across, down = places["ASN00096"], places["ASN00102"]
    left, top = places["ASN00095"]
    assert (across[0] - left, across[1] - top) == pytest.approx((27.9 / 25.4 * 300, 0), abs=5)
    assert (down[0] - left, down[1] - top) == pytest.approx((0, 10 / 25.4 * 300), abs=5)
    assert [code.text for code in read(second, types=["qr"])] == ["ASN00284", "ASN00285"]


@pytest.mark.parametrize(
    ("text", "type"), [("ä€", "code39"), ("12x", "ean13"), ("x" * 60, "code128"), ("a", "morse"), ("5", "patch")]
)
def test_a_text_that_the_type_cannot_hold_is_refused(text: str, type: str) -> None:
    with pytest.raises(BadArguments):
        barcodesheet.separator(text, type)


def test_a_long_number_is_written_small_enough_to_stay_on_its_label() -> None:
    (sheet,) = barcodesheet.labels(["LONG-PREFIX-OF-A-BOX-1"], "qr")
    left, top, right, bottom = sheet.convert("L").point(lambda level: 255 - level).getbbox() or (0, 0, 0, 0)
    edges = [pixels / 300 * 25.4 for pixels in (left, top, right, bottom)]
    assert edges[0] >= 8.6 and edges[1] >= 13.5 and edges[2] <= 8.6 + 25.4 and edges[3] <= 13.5 + 10
