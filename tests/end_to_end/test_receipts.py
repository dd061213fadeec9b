"""`dwtsvc scan --receipt`, and `dwtsvc pdf verify` of what it wrote: what was changed is noticed, and on which page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from tests.end_to_end.conftest import Place, Ran

FEEDER = ("-d", "virtual:adf", "--source", "feeder", "-r", "75", "-q")
KEPT = 6  # of the seven sheets in the virtual feeder; the last is blank


def receipt_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.fixture(params=["pdf", "pdfa-3"])
def scan(request: pytest.FixtureRequest, place: Place) -> Path:
    """A scan whose receipt lies beside it, or only inside."""
    ran = place.run("scan", *FEEDER, "--receipt", "--drop-blank", "--output-type", request.param, "-o", "a.pdf")
    assert (ran.code, place.files()) == (0, ["a.pdf", "a.receipt.json"])
    if request.param == "pdfa-3":
        (place / "a.receipt.json").unlink()
    return place / "a.pdf"


def change(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def middle_of_image(path: Path, page: int) -> int:
    """The place of a byte in the image of a page, counted from 1."""
    with pikepdf.open(path) as pdf:
        image = pdf.pages[page - 1].Resources.XObject.P.read_raw_bytes()
    return path.read_bytes().index(image) + len(image) // 2


def verified(place: Place, *options: str) -> Ran:
    return place.run("pdf", "verify", "a.pdf", *options)


def test_a_scan_agrees_with_its_receipt(scan: Path, place: Place) -> None:
    ran = verified(place)
    assert ran.code == 0 and f"of {KEPT} pages" in ran.lines[0]


def test_a_byte_in_the_image_of_a_page_is_told_with_the_page(scan: Path, place: Place) -> None:
    change(scan, middle_of_image(scan, 4))
    ran = verified(place)
    assert ran.code == 1
    assert [line for line in ran.lines if line.startswith("page")] == [
        "page 4 (fed as number 4) does not have the image that was written"
    ]


def edited(path: Path, edit: Callable[[pikepdf.Pdf], object]) -> None:
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        edit(pdf)
        pdf.save(path)


def test_a_page_that_was_taken_out_is_missed(scan: Path, place: Place) -> None:
    edited(scan, lambda pdf: pdf.pages.__delitem__(1))
    ran = verified(place)
    assert ran.code == 1
    assert f"the PDF has {KEPT - 1} pages, the receipt says {KEPT}" in ran.lines
    assert any(line.startswith("page 2 (fed as number 2)") for line in ran.lines)


def third_first(pdf: pikepdf.Pdf) -> None:
    pdf.pages.insert(0, pdf.pages[2])
    del pdf.pages[3]


def test_pages_in_another_order_are_told(scan: Path, place: Place) -> None:
    edited(scan, third_first)
    ran = verified(place)
    assert ran.code == 1
    assert [line.split(" (")[0] for line in ran.lines if line.startswith("page")] == ["page 1", "page 2", "page 3"]


def test_a_byte_anywhere_in_the_file_is_told_by_the_receipt_beside_it(place: Place) -> None:
    place.run("scan", *FEEDER, "-n", "2", "--receipt", "-o", "a.pdf")
    change(place / "a.pdf", (place / "a.pdf").read_bytes().rindex(b"/Producer") + 12)
    ran = verified(place)
    assert ran.code == 1 and "its SHA-256 is another" in ran.out.decode()
    assert "page" not in ran.out.decode()


def test_a_receipt_that_was_changed_is_told_and_not_believed(place: Place) -> None:
    place.run("scan", *FEEDER, "-n", "1", "--receipt", "-o", "a.pdf")
    path = place / "a.receipt.json"
    change(path, path.read_bytes().index(b'"skew": ') + 9)
    ran = verified(place)
    assert ran.code != 0 and "a.receipt.json" in ran.err and "agrees" not in ran.out.decode()


def test_every_page_fed_is_there_with_what_was_measured(place: Place) -> None:
    ran = place.run("scan", *FEEDER, "--receipt", "--drop-blank", "--ocr", "--deskew", "-o", "a.pdf")
    assert ran.code == 0
    told = receipt_of(place / "a.receipt.json")
    assert told["counts"] == {"fed": KEPT + 1, "kept": KEPT, "dropped": 1}
    assert told["source"] == {"device": "virtual:adf", "source": "feeder", "mode": "color", "resolution": 75}
    assert [page["number"] for page in told["pages"]] == list(range(1, KEPT + 2))
    assert [page.get("page") for page in told["pages"]] == [*range(1, KEPT + 1), None]
    assert all({"checksum", "dpi", "skew", "blur", "blank", "width", "height"} <= page.keys() for page in told["pages"])
    assert all(page["dpi"] == 75 for page in told["pages"])
    assert told["pages"][0]["confidence"] > 50 and told["pages"][-1]["reason"].startswith("blank")
    assert {"tesseract", "pillow"} <= told["tools"].keys() and "zxing-cpp" not in told["tools"]


def test_documents_of_a_stack_have_a_receipt_each(place: Place) -> None:
    ran = place.run("scan", *FEEDER, "--receipt", "--split-on", "every:3", "-o", "x-{doc}.pdf")
    names = ["x-1.pdf", "x-2.pdf", "x-3.pdf"]
    assert ran.code == 0
    assert [name for name in place.files() if name.endswith(".pdf")] == names
    for name, fed in zip(names, (3, 3, 1), strict=True):
        told = receipt_of(place / name.replace(".pdf", ".receipt.json"))
        assert told["counts"]["fed"] == fed and told["files"][0]["name"] == name
        assert place.run("pdf", "verify", name).code == 0
    assert place.run("pdf", "verify", "x-1.pdf", "--receipt", "x-2.receipt.json").code == 1


def test_page_files_have_one_receipt(place: Place) -> None:
    ran = place.run("scan", *FEEDER, "-n", "3", "--receipt", "-o", "p-{n}.pdf")
    assert ran.code == 0
    assert place.files() == ["p-1.pdf", "p-1.receipt.json", "p-2.pdf", "p-3.pdf"]
    told = receipt_of(place / "p-1.receipt.json")
    assert [file["name"] for file in told["files"]] == ["p-1.pdf", "p-2.pdf", "p-3.pdf"]
    assert place.run("pdf", "verify", "p-3.pdf", "--receipt", "p-1.receipt.json").code == 0
    change(place / "p-3.pdf", middle_of_image(place / "p-3.pdf", 1))
    assert place.run("pdf", "verify", "p-3.pdf", "--receipt", "p-1.receipt.json").code == 1


def test_a_tiff_has_a_receipt_too(place: Place) -> None:
    assert place.run("scan", *FEEDER, "-n", "2", "--receipt", "-o", "a.tif").code == 0
    told = receipt_of(place / "a.receipt.json")
    assert told["files"][0]["name"] == "a.tif" and told["counts"]["kept"] == 2
    assert place.run("pdf", "verify", "a.tif").code == 0
    change(place / "a.tif", 5000)
    assert place.run("pdf", "verify", "a.tif").code == 1


def test_what_is_recovered_gets_its_receipt(place: Place) -> None:
    device = ("-d", "virtual:adf?pages=4&jam=3", "-r", "75", "-q")
    assert place.run("scan", *device, "--receipt", "-o", "a.pdf").code == 23
    assert place.files() == []
    assert place.run("scan", "--recover", "--receipt", "-q", "-o", "a.pdf").code == 0
    told = receipt_of(place / "a.receipt.json")
    assert told["counts"]["fed"] == 2 and told["source"] == {"device": "virtual:adf?pages=4&jam=3"}
    assert verified(place).code == 0


def test_a_receipt_that_is_there_stops_the_scan_before_paper_moves(place: Place) -> None:
    (place / "a.receipt.json").write_text("mine")
    ran = place.run("scan", *FEEDER, "-n", "1", "--receipt", "-o", "a.pdf")
    assert (ran.code, place.files()) == (5, ["a.receipt.json"]) and "a.receipt.json exists" in ran.err
    assert place.run("scan", *FEEDER, "-n", "1", "--receipt", "-o", "a.pdf", "--next-free").code == 0
    assert place.files() == ["a-2.pdf", "a-2.receipt.json", "a.receipt.json"]
    assert place.run("scan", *FEEDER, "-n", "1", "--receipt", "-o", "a.pdf", "--force").code == 0
    assert verified(place).code == 0


def test_standard_output_holds_a_receipt_in_pdf_a_3_only(place: Place) -> None:
    ran = place.run("scan", *FEEDER, "-n", "1", "--receipt", "-o", "-")
    assert ran.code == 2 and "standard output" in ran.err and ran.out == b""
    ran = place.run("scan", *FEEDER, "-n", "1", "--receipt", "--output-type", "pdfa-3", "-o", "-")
    (place / "a.pdf").write_bytes(ran.out)
    assert verified(place).code == 0


def test_a_resumed_scan_has_the_receipt_that_was_asked_for(place: Place) -> None:
    device = ("-d", "virtual:adf?pages=4&jam=3", "-r", "75", "-q")
    options = ("--receipt", "--output-type", "pdfa-3", "-o", "a.pdf")
    assert place.run("scan", *device, *options).code == 23
    assert place.run("scan", "--resume", "-q").code == 0
    assert place.files() == ["a.pdf", "a.receipt.json"]
    (place / "a.receipt.json").unlink()
    assert verified(place).code == 0
