"""`dwtsvc pdf` as a user runs it."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pexpect
import pikepdf
import pytest
from PIL import Image

from dwtsvc import receipt
from dwtsvc.errors import BadInput
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.pdfread import draw
from dwtsvc.limits import iterate_limited
from tests.end_to_end.conftest import DWTSVC, Place
from tests.imaging import pdfs

JPEGS = [pdfs.jpeg_of(Image.new("L", (40 + number, 60), 200)) for number in range(5)]


@pytest.fixture
def stack(place: Place) -> Path:
    """Five pages that differ in width."""
    path = place / "stack.pdf"
    path.write_bytes(pdfs.scanned(*JPEGS))
    return path


def numbers(path: Path | bytes, password: str = "") -> list[int]:
    """Which pages of the stack a PDF has, that qpdf finds no fault in."""
    if isinstance(path, Path):
        subprocess.run(["qpdf", f"--password={password}", "--check", path], check=True, capture_output=True)
    with pikepdf.open(io.BytesIO(path) if isinstance(path, bytes) else path, password=password) as pdf:
        return [JPEGS.index(bytes(page.Resources.XObject["/P"].read_raw_bytes())) + 1 for page in pdf.pages]


@pytest.mark.parametrize(
    ("words", "pages"),
    [
        (["merge", "stack.pdf:4-", "stack.pdf"], [4, 5, 1, 2, 3, 4, 5]),
        (["extract", "stack.pdf", "odd,1"], [1, 3, 5, 1]),
        (["delete", "stack.pdf", "2-3,last"], [1, 4]),
        (["reorder", "stack.pdf", "reverse"], [5, 4, 3, 2, 1]),
        (["rotate", "stack.pdf", "left", "--pages", "even"], [1, 2, 3, 4, 5]),
        (["metadata", "stack.pdf", "--title", "Käse"], [1, 2, 3, 4, 5]),
    ],
    ids=lambda words: str(words[0]),
)
def test_a_verb_writes_its_pages_unchanged(place: Place, stack: Path, words: list[str], pages: list[int]) -> None:
    ran = place.run("pdf", *words, "-o", "out.pdf")
    assert (ran.code, ran.lines, ran.err) == (0, ["out.pdf"], "")
    assert numbers(place / "out.pdf") == pages
    assert place.files() == ["out.pdf", "stack.pdf"]


def test_a_file_with_a_colon_in_its_name_is_that_file(place: Place, stack: Path) -> None:
    stack.rename(place / "stack.pdf:2")
    assert place.run("pdf", "merge", "stack.pdf:2", "-o", "out.pdf").code == 0
    assert numbers(place / "out.pdf") == [1, 2, 3, 4, 5]


def test_a_split_makes_numbered_files_and_none_where_one_exists(place: Place, stack: Path) -> None:
    (place / "part-3.pdf").write_text("mine")
    ran = place.run("pdf", "split", "stack.pdf", "--every", "2", "-o", "part-{n}.pdf")
    assert (ran.code, place.files()) == (5, ["part-3.pdf", "stack.pdf"])
    assert place.run("pdf", "split", "stack.pdf", "--every", "2", "-o", "part-{n}.pdf", "--force").code == 0
    assert [numbers(place / f"part-{n}.pdf") for n in (1, 2, 3)] == [[1, 2], [3, 4], [5]]


def test_nothing_is_replaced_without_force_and_force_alone_replaces_the_pdf_itself(place: Place, stack: Path) -> None:
    before = stack.read_bytes()
    assert place.run("pdf", "delete", "stack.pdf", "1").code == 2
    assert place.run("pdf", "delete", "stack.pdf", "1", "-o", "stack.pdf").code == 5
    assert (stack.read_bytes(), place.files()) == (before, ["stack.pdf"])
    assert place.run("pdf", "delete", "stack.pdf", "1", "-o", "stack.pdf", "--next-free").lines == ["stack-2.pdf"]
    assert place.run("pdf", "delete", "stack.pdf", "1", "--force").lines == ["stack.pdf"]
    assert numbers(stack) == [2, 3, 4, 5]
    assert place.files() == ["stack-2.pdf", "stack.pdf", "stack.pdf.undo"]
    assert place.run("pdf", "delete", "stack.pdf", "1", "-o", "stack-2.pdf", "--force", "--no-undo").code == 0
    assert place.files() == ["stack-2.pdf", "stack.pdf", "stack.pdf.undo"]


def test_a_result_goes_into_a_pipe(place: Place, stack: Path) -> None:
    ran = place.run("pdf", "extract", "stack.pdf", "last", "-o", "-")
    assert numbers(ran.out) == [5]
    assert place.run("pdf", "extract", "stack.pdf", "last", "-o", "-", "--json").code == 2


def test_a_wrong_range_says_what_is_allowed_and_leaves_no_file(place: Place, stack: Path) -> None:
    for words, told in ((["extract", "stack.pdf", "6"], "5 pages"), (["reorder", "stack.pdf", "1"], "rest")):
        ran = place.run("pdf", *words, "-o", "out.pdf")
        assert ran.code == 2 and told in ran.err
    assert place.files() == ["stack.pdf"]


def test_passwords_come_as_an_option_or_from_the_environment(place: Place, stack: Path) -> None:
    assert place.run("pdf", "encrypt", "stack.pdf", "-o", "locked.pdf", "--password", "käse").code == 0
    assert numbers(place / "locked.pdf", "käse") == [1, 2, 3, 4, 5]
    without = place.run("pdf", "decrypt", "locked.pdf", "-o", "open.pdf")
    assert without.code == 8 and "DWTSVC_PDF_PASSWORD" in without.err
    assert place.run("pdf", "info", "locked.pdf", "--password", "x", "--json").events[0]["error"] == "wrong-password"
    assert place.run("pdf", "decrypt", "locked.pdf", "-o", "open.pdf", DWTSVC_PDF_PASSWORD="käse").code == 0
    assert numbers(place / "open.pdf") == [1, 2, 3, 4, 5]


def test_a_password_is_asked_for_on_a_terminal_and_not_shown(place: Place, stack: Path) -> None:
    def type_in(words: list[str], *answers: str) -> tuple[int, str]:
        child = pexpect.spawn(DWTSVC, ["pdf", *words], cwd=place.folder, env=os.environ, encoding="utf-8", timeout=30)
        seen = ""
        for answer in answers:
            child.expect(": ")
            seen += child.before
            child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        return child.exitstatus, seen + child.before

    assert type_in(["encrypt", "stack.pdf", "-o", "a.pdf"], "one", "two")[0] == 2
    code, shown = type_in(["encrypt", "stack.pdf", "-o", "a.pdf"], "secret", "secret")
    assert (code, "secret" in shown) == (0, False)
    code, shown = type_in(["decrypt", "a.pdf", "-o", "b.pdf"], "secret")
    assert (code, "secret" in shown, numbers(place / "b.pdf")) == (0, False, [1, 2, 3, 4, 5])


def test_info_tells_people_and_programs_the_same(place: Place, stack: Path) -> None:
    told = place.run("pdf", "info", "stack.pdf").lines
    assert "Pages\t5" in told and "Encryption\tnone" in told
    [found] = place.run("pdf", "info", "stack.pdf", "--json").events
    assert (found["pages"], found["version"], found["encryption"], found["notes"]) == (5, "1.6", "", [])
    assert found["sheets"][0] == {"page": 1, "width": 10.16, "height": 15.24, "rotation": 0}


def test_metadata_are_shown_as_they_were_set(place: Place, stack: Path) -> None:
    place.run("pdf", "metadata", "stack.pdf", "--title", "Käse", "--keywords", "a, b", "--force")
    [found] = place.run("pdf", "metadata", "stack.pdf", "--json").events
    assert {"title": "Käse", "keywords": "a, b"}.items() <= found["metadata"].items()


def test_images_are_listed_and_written_as_they_are(place: Place, stack: Path) -> None:
    assert place.run("pdf", "images", "stack.pdf", "--pages", "2").lines == ["2\t1\t41 x 60\tDCT\tjpg"]
    names = [f"i-{number}.jpg" for number in range(1, 6)]
    assert place.run("pdf", "images", "stack.pdf", "-o", "i-{n}").lines == names
    assert [(place / name).read_bytes() for name in names] == JPEGS
    assert place.run("pdf", "images", "stack.pdf", "-o", "i-{n}").code == 5
    (place / "drawing.pdf").write_bytes(pdfs.drawing())
    assert place.run("pdf", "images", "drawing.pdf").code == 1


def test_pages_are_drawn_as_files_or_as_one_document(place: Place) -> None:
    (place / "drawing.pdf").write_bytes(pdfs.drawing())
    assert place.run("pdf", "rasterize", "drawing.pdf", "-r", "144", "-o", "page.png").lines == ["page.png"]
    with Image.open(place / "page.png") as image:
        assert (image.size, image.mode, image.getpixel((9, 9))) == ((288, 144), "RGB", (255, 255, 255))
    place.run("pdf", "merge", "drawing.pdf", "drawing.pdf", "-o", "two.pdf")
    assert place.run("pdf", "rasterize", "two.pdf", "--mode", "lineart", "-o", "all.tiff").code == 0
    with Image.open(place / "all.tiff") as image:
        assert (image.n_frames, image.mode, image.info["compression"]) == (2, "1", "group4")


def test_a_damaged_pdf_is_mended_aloud_and_a_ruined_one_refused(place: Place, stack: Path) -> None:
    data = stack.read_bytes()
    stack.write_bytes(data[:-25])
    ran = place.run("pdf", "extract", "stack.pdf", "all", "-o", "out.pdf", "--json")
    assert "mended" in ran.err and "mended" in ran.events[0]["notes"][0]
    assert numbers(place / "out.pdf") == [1, 2, 3, 4, 5]
    stack.write_bytes(data[: len(data) // 2])
    ran = place.run("pdf", "extract", "stack.pdf", "1", "-o", "none.pdf")
    assert (ran.code, place.files()) == (4, ["out.pdf", "stack.pdf"])


IN_PLACE = [
    ["delete", "stack.pdf", "1"],
    ["rotate", "stack.pdf", "right"],
    ["reorder", "stack.pdf", "reverse"],
    ["extract", "stack.pdf", "2-3"],
    ["merge", "stack.pdf", "stack.pdf", "-o", "stack.pdf"],
    ["metadata", "stack.pdf", "--title", "New"],
    ["optimize", "stack.pdf"],
]


@pytest.mark.parametrize("words", IN_PLACE, ids=lambda words: words[0])
def test_every_change_in_place_is_undone_byte_for_byte(place: Place, stack: Path, words: list[str]) -> None:
    before = stack.read_bytes()
    ran = place.run("pdf", *words, "--force")
    assert ran.code == 0 and stack.read_bytes() != before
    assert "dwtsvc pdf undo stack.pdf" in ran.err
    undone = place.run("pdf", "undo", "stack.pdf")
    assert (undone.code, undone.lines, place.files()) == (0, ["stack.pdf"], ["stack.pdf"])
    assert stack.read_bytes() == before


def test_two_changes_are_listed_undone_and_forgotten(place: Place, stack: Path) -> None:
    before = stack.read_bytes()
    place.run("pdf", "delete", "stack.pdf", "1", "--force")
    between = stack.read_bytes()
    place.run("pdf", "rotate", "stack.pdf", "left", "--pages", "2", "--force")
    listed = [line.split("\t")[1] for line in place.run("pdf", "undo", "stack.pdf", "--list").lines]
    assert listed == ["rotate left --pages 2", "delete 1"]
    assert place.run("pdf", "undo", "stack.pdf", "--json").events[0]["command"] == "rotate left --pages 2"
    assert stack.read_bytes() == between
    assert place.run("pdf", "undo", "stack.pdf").code == 0
    assert (stack.read_bytes(), place.run("pdf", "undo", "stack.pdf").code) == (before, 1)
    place.run("pdf", "delete", "stack.pdf", "1", "--force")
    assert place.run("pdf", "undo", "stack.pdf", "--forget").code == 0
    assert (place.files(), numbers(stack)) == (["stack.pdf"], [2, 3, 4, 5])


def test_a_pdf_that_somebody_else_changed_is_not_undone(place: Place, stack: Path) -> None:
    place.run("pdf", "delete", "stack.pdf", "1", "--force")
    with pikepdf.open(stack, allow_overwriting_input=True) as pdf:
        pdf.save(stack)
    theirs = stack.read_bytes()
    ran = place.run("pdf", "undo", "stack.pdf")
    assert (ran.code, stack.read_bytes()) == (2, theirs) and "changed since" in ran.err


def test_what_encrypting_replaces_is_not_kept_beside_it(place: Place, stack: Path) -> None:
    assert place.run("pdf", "encrypt", "stack.pdf", "--password", "x", "--force").code == 0
    assert place.files() == ["stack.pdf"]


def test_compare_says_what_differs_and_nothing_where_nothing_does(place: Place, stack: Path) -> None:
    place.run("pdf", "metadata", "stack.pdf", "--title", "New", "-o", "titled.pdf")
    place.run("pdf", "rotate", "stack.pdf", "180", "-o", "turned.pdf")
    place.run("pdf", "extract", "stack.pdf", "1-4", "-o", "short.pdf")
    same = place.run("pdf", "compare", "stack.pdf", "turned.pdf")
    assert (same.code, same.out, same.err) == (0, b"", "")  # pages of one colour
    titled = place.run("pdf", "compare", "stack.pdf", "titled.pdf")
    assert (titled.code, titled.lines) == (1, ["title: none and 'New'"])
    short = place.run("pdf", "compare", "stack.pdf", "short.pdf")
    assert (short.code, short.lines) == (1, ["page 5: only in stack.pdf"])
    [told] = place.run("pdf", "compare", "stack.pdf", "short.pdf", "--json").events
    assert (told["same"], [(page["page"], page["only"]) for page in told["pages"]]) == (False, [(5, "a")])


@pytest.mark.parametrize(("name", "files"), [("d.pdf", ["d.pdf"]), ("d-{n}.png", ["d-1.png", "d-2.png"])])
def test_what_differs_is_drawn(place: Place, stack: Path, name: str, files: list[str]) -> None:
    place.run("pdf", "extract", "stack.pdf", "1-3", "-o", "short.pdf")
    assert place.run("pdf", "compare", "stack.pdf", "short.pdf", "--draw", name).code == 1
    assert place.files() == sorted([*files, "short.pdf", "stack.pdf"])
    assert place.run("pdf", "compare", "stack.pdf", "stack.pdf", "--draw", "none.pdf").code == 0
    assert not (place / "none.pdf").exists()


def test_verify_finds_a_changed_byte(place: Place, stack: Path) -> None:
    pages = tuple(
        receipt.ReceiptPage(number=n, kept=True, document=1, page=n, stream_sha256=receipt.stream_digest([jpeg]))
        for n, jpeg in enumerate(JPEGS, 1)
    )
    told = receipt.Receipt(
        dwtsvc="0", created="", counts=receipt.count(pages), files=(receipt.describe(stack),), pages=pages
    )
    assert place.run("pdf", "verify", "stack.pdf").code == 1
    receipt.beside(stack).write_bytes(receipt.write(told))
    assert place.run("pdf", "verify", "stack.pdf").code == 0
    data = bytearray(stack.read_bytes())
    data[data.index(JPEGS[2]) + 200] ^= 1
    stack.write_bytes(data)
    ran = place.run("pdf", "verify", "stack.pdf")
    assert ran.code == 1 and any(line.startswith("page 3") for line in ran.lines)
    [verdict] = place.run("pdf", "verify", "stack.pdf", "--json").events
    assert (verdict["same"], verdict["pages"], len(verdict["faults"])) == (False, 5, 2)


def test_optimize_tells_what_became_smaller_and_never_loses_unasked(place: Place, stack: Path) -> None:
    ran = place.run("pdf", "optimize", "stack.pdf", "-o", "small.pdf")
    assert (ran.code, ran.lines) == (0, ["small.pdf"]) and "bytes" in ran.err
    assert (place / "small.pdf").stat().st_size < stack.stat().st_size
    assert place.run("pdf", "compare", "stack.pdf", "small.pdf", "--tolerance", "0").code == 0
    [told] = place.run("pdf", "optimize", "stack.pdf", "-o", "again.pdf", "--json").events
    assert (told["before"], told["kept"], told["lossy"]) == (stack.stat().st_size, False, [])
    refused = place.run("pdf", "optimize", "stack.pdf", "--quality", "50", "-o", "lossy.pdf")
    assert refused.code == 2 and "--lossy" in refused.err
    assert place.run("pdf", "optimize", "small.pdf", "--lossy", "--quality", "30", "-o", "lossy.pdf").code == 0
    assert (place / "lossy.pdf").stat().st_size <= (place / "small.pdf").stat().st_size


def test_a_pdf_that_leads_its_reader_into_endless_work_is_given_up(place: Place) -> None:
    """Each form draws the next one ten times: 10,000,000,000 pictures on one page."""

    def nest(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        inner = pdf.make_stream(
            b"0 0 9 9 re f", Type=pikepdf.Name.XObject, Subtype=pikepdf.Name.Form, BBox=[0, 0, 9, 9]
        )
        for _ in range(10):
            outer = pdf.make_stream(b"/P Do " * 10)
            outer.Type, outer.Subtype = pikepdf.Name.XObject, pikepdf.Name.Form
            outer.BBox = pikepdf.Array([0, 0, 9, 9])
            outer.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(P=inner))
            inner = outer
        page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary(P=inner))
        page.Contents = pdf.make_stream(b"/P Do")

    (place / "bomb.pdf").write_bytes(pdfs.changed(pdfs.drawing(), nest))
    with pytest.raises(BadInput, match="took too long"):
        list(iterate_limited(draw, str(place / "bomb.pdf"), None, "all", 50, "gray", timeout=2.0))


def test_rasterizing_a_page_that_would_be_too_large_is_a_typed_error_and_leaves_no_file(place: Place) -> None:
    (place / "wide.pdf").write_bytes(pdfs.drawing(size=(14_400, 14_400)))
    ran = place.run("pdf", "rasterize", "wide.pdf", "-r", "600", "-o", "a.png", "--json")
    assert (ran.code, ran.events[0]["error"], place.files()) == (4, "bad-input", ["wide.pdf"])


def test_a_pdf_too_large_for_the_memory_is_turned_and_split_like_any_other(place: Place) -> None:
    with open(place / "large.pdf", "wb") as file, PdfWriter(file) as writer:
        for _ in range(102):
            writer.add_g4(bytes(1_000_000), width=8, height=8, dpi=100)
    turned = place.run("pdf", "rotate", "large.pdf", "right", "--pages", "2", "-o", "turned.pdf")
    assert (turned.code, turned.lines, turned.err) == (0, ["turned.pdf"], "")
    rotations = [sheet["rotation"] for sheet in place.run("pdf", "info", "turned.pdf", "--json").events[0]["sheets"]]
    assert rotations == [0, 90] + [0] * 100
    assert place.run("pdf", "split", "large.pdf", "--every", "60", "-o", "part-{n}.pdf").code == 0
    pages = [place.run("pdf", "info", f"part-{n}.pdf", "--json").events[0]["pages"] for n in (1, 2)]
    assert pages == [60, 42]
    assert place.run("pdf", "merge", "large.pdf:1", "turned.pdf:2", "-o", "both.pdf").code == 0
    assert (place / "both.pdf").stat().st_size < 2_100_000
