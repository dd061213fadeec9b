"""A PDF is compared with its receipt: one changed byte is noticed, and the page is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from dwtsvc import receipt
from dwtsvc.errors import BadInput, Encrypted, FileAccess, NothingFound
from dwtsvc.imaging.pdfverify import Verdict, verify
from dwtsvc.receipt import Receipt, ReceiptPage
from tests.imaging import pdfs

JPEGS = [pdfs.jpeg_of(Image.new("L", (40 + number, 60), 200)) for number in range(3)]
# four sheets were fed, the second was blank
KEPT = [
    ReceiptPage(number=number, kept=True, document=1, page=page, stream_sha256=receipt.stream_digest([jpeg]))
    for (number, page), jpeg in zip(((1, 1), (3, 2), (4, 3)), JPEGS, strict=True)
]
PAGES = (*KEPT, ReceiptPage(number=2, kept=False, reason="blank"))
RECEIPT = Receipt(dwtsvc="0.1", created="2026-01-31", counts=receipt.count(PAGES), pages=PAGES)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.pdf"
    path.write_bytes(pdfs.scanned(*JPEGS))
    keep(path, replace(RECEIPT, files=(receipt.describe(path),)))
    return path


def keep(path: Path, told: Receipt) -> None:
    receipt.beside(path).write_bytes(receipt.write(told))


def attach(path: Path, told: Receipt, **how) -> None:
    """Into the PDF, and take the one beside it away."""
    receipt.beside(path).unlink(missing_ok=True)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.attachments[receipt.ATTACHMENT] = receipt.write(told)
        pdf.save(path, **how)


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_a_file_as_it_was_written_agrees_with_the_receipt_beside_it(scan: Path) -> None:
    expected = Verdict(receipt=str(receipt.beside(scan)), whole=True, pages=3, images=3, faults=())
    assert verify(scan) == expected
    scan.rename(scan.with_name("other.pdf"))
    assert verify(scan.with_name("other.pdf"), receipt.beside(scan)) == expected


def test_every_changed_byte_is_noticed_and_one_in_an_image_names_its_page(scan: Path) -> None:
    good = scan.read_bytes()
    places = range(0, len(good), 37)
    for place in places:
        flip(scan, place)
        assert verify(scan).faults, place
        scan.write_bytes(good)
    flip(scan, good.index(JPEGS[1]) + len(JPEGS[1]) // 2)
    faults = verify(scan).faults
    assert [fault.split(" (")[0] for fault in faults[1:]] == ["page 2"] and "number 3" in faults[1]


def test_a_byte_more_and_a_page_less_are_noticed(scan: Path) -> None:
    good = scan.read_bytes()
    scan.write_bytes(good + b"\n")
    assert "bytes, the receipt says" in verify(scan).faults[0]
    scan.write_bytes(pdfs.scanned(*JPEGS[:2]))
    assert "the PDF has 2 pages, the receipt says 3" in verify(scan).faults
    scan.write_bytes(good[:40])
    assert "cannot be compared" in verify(scan).faults[-1]


def test_a_receipt_inside_the_pdf_covers_the_images_through_other_programs(scan: Path) -> None:
    attach(scan, RECEIPT)
    assert verify(scan) == Verdict(receipt="attached", whole=False, pages=3, images=3, faults=())
    flip(scan, scan.read_bytes().index(JPEGS[2]) + len(JPEGS[2]) // 2)
    [fault] = verify(scan).faults
    assert fault.startswith("page 3 (fed as number 4)")


def test_pages_in_another_order_are_not_the_pages_of_the_receipt(scan: Path) -> None:
    attach(scan, RECEIPT)
    with pikepdf.open(scan, allow_overwriting_input=True) as pdf:
        pdf.pages.reverse()
        pdf.save(scan)
    assert [fault[:6] for fault in verify(scan).faults] == ["page 1", "page 3"]


def test_an_encrypted_pdf_is_verified_with_its_password(scan: Path) -> None:
    attach(scan, RECEIPT, encryption=pikepdf.Encryption(user="x", owner="y"))
    assert verify(scan, password="x").faults == ()
    with pytest.raises(Encrypted):
        verify(scan)


def test_sums_that_do_not_add_up_are_told(scan: Path) -> None:
    for numbers, told in (((5, 3, 1), "5 pages fed"), ((4, 4, 0), "lists 3 of 4")):
        fed, kept, dropped = numbers
        counts = receipt.Counts(fed=fed, kept=kept, dropped=dropped)
        keep(scan, replace(RECEIPT, counts=counts, files=(receipt.describe(scan),)))
        assert told in verify(scan).faults[0]


def test_each_of_several_files_is_verified_by_its_own_pages(tmp_path: Path) -> None:
    for name, jpegs in (("a.pdf", JPEGS[:1]), ("b.pdf", JPEGS[1:])):
        (tmp_path / name).write_bytes(pdfs.scanned(*jpegs))
    pages = [replace(page, document=2 if page.page > 1 else 1, page=max(1, page.page - 1)) for page in PAGES[:3]]
    files = tuple(receipt.describe(tmp_path / name) for name in ("a.pdf", "b.pdf"))
    told = Receipt(dwtsvc="0.1", created="", counts=receipt.count(pages), files=files, pages=tuple(pages))
    (tmp_path / "all.json").write_bytes(receipt.write(told))
    assert [verify(tmp_path / name, tmp_path / "all.json").images for name in ("a.pdf", "b.pdf")] == [1, 2]
    (tmp_path / "c.pdf").write_bytes(pdfs.scanned(JPEGS[0]))
    assert "not in the receipt" in verify(tmp_path / "c.pdf", tmp_path / "all.json").faults[0]


def test_without_a_receipt_nothing_is_verified(scan: Path) -> None:
    with pytest.raises(FileAccess):
        verify(scan, scan.with_name("none.json"))
    receipt.beside(scan).write_bytes(b"{}")
    with pytest.raises(BadInput):
        verify(scan)
    receipt.beside(scan).unlink()
    with pytest.raises(NothingFound, match="no receipt"):
        verify(scan)
    scan.write_bytes(b"hello")
    with pytest.raises(BadInput):
        verify(scan)
