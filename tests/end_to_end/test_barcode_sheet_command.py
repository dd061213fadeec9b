"""`dwtsvc barcode sheet` as installed: what it writes is what `dwtsvc barcode` reads."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import zxingcpp
from PIL import Image

from tests.end_to_end.conftest import Place


def test_separators_are_one_page_each_and_are_read_back(place: Place) -> None:
    ran = place.run("barcode", "sheet", "INVOICES", "LETTERS", "-o", "two.pdf")
    assert (ran.code, ran.lines) == (0, ["two.pdf"])
    subprocess.run(["qpdf", "--check", str(place / "two.pdf")], check=True, capture_output=True)
    codes = [(code["page"], code["text"]) for code in place.run("barcode", "--json", "two.pdf").events[0]["barcodes"]]
    assert codes == [(1, "INVOICES")] * 2 + [(2, "LETTERS")] * 2


def test_without_a_text_it_is_the_separator_that_archives_know(place: Place) -> None:
    assert place.run("barcode", "sheet", "-o", "a.png", "--size", "letter", "--type", "code39").code == 0
    assert place.run("barcode", "a.png").lines == ["a.png:1: code39 PATCHT"] * 2
    with Image.open(place / "a.png") as image:
        assert image.size == (2550, 3300) and round(image.info["dpi"][0]) == 300


def test_labels_go_on_over_several_pages(place: Place) -> None:
    assert place.run("barcode", "sheet", "--asn", "8", "--count", "191", "-o", "labels.tiff").code == 0
    codes = place.run("barcode", "--json", "labels.tiff").events[0]["barcodes"]
    assert {code["text"] for code in codes} == {f"ASN{number:05}" for number in range(8, 8 + 191)}
    assert [code["page"] for code in codes].count(2) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        ("TEXT", "--asn", "1"),
        ("--size", "huge"),
        ("--type", "morse"),
        ("--count", "0", "--asn", "1"),
        ("é€", "--type", "code39"),
        ("A", "B"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_no_file(place: Place, wrong: tuple[str, ...]) -> None:
    assert place.run("barcode", "sheet", *wrong, "-o", "a.png").code == 2
    assert place.files() == []


def test_a_file_is_not_replaced_unless_forced(place: Place) -> None:
    (place / "a.png").write_text("mine")
    assert place.run("barcode", "sheet", "-o", "a.png").code == 5
    assert (place / "a.png").read_text() == "mine"
    assert place.run("barcode", "sheet", "-f", "-o", "a.png").code == 0
    assert place.run("barcode", "a.png").code == 0


def test_a_file_called_sheet_is_read_by_its_path_and_options_may_follow_files(place: Place) -> None:
    pixels = memoryview(zxingcpp.create_barcode("HERE", zxingcpp.BarcodeFormat.QRCode).to_image(scale=4))
    Image.frombytes("L", (pixels.shape[1], pixels.shape[0]), pixels.tobytes()).save(place / "a.png")
    shutil.copy(place / "a.png", place / "sheet")
    assert place.run("barcode", "./sheet").lines == ["./sheet:1: qr HERE"]
    assert place.run("barcode", "a.png", "sheet", "--json").events[1]["input"] == "sheet"


def test_without_any_file_the_command_says_so(place: Place) -> None:
    ran = place.run("barcode")
    assert ran.code == 2 and "No file was named" in ran.err
