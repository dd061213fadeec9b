"""What TAB offers for an option that takes a list, or words that the library has a table of."""

from __future__ import annotations

from dwtsvc.imaging.barcode import ENGINES, TYPES
from dwtsvc_cli import choices


def test_the_last_of_several_barcode_types_is_completed_after_the_others() -> None:
    assert choices.barcode_types("") == list(TYPES)
    assert choices.barcode_types("ean") == ["ean13", "ean8"]
    assert choices.barcode_types("qr,ean") == ["qr,ean13", "qr,ean8"]
    assert choices.barcode_types("morse,x") == []


def test_the_barcode_engines_offered_are_those_there_are() -> None:
    assert choices.barcode_engine("") == list(ENGINES)
    assert choices.barcode_engine("z") == ["zxing", "zbar"]
