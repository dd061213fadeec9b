"""Naming: files called after what is on the paper, whatever that is, and never over one another."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dwtsvc.errors import BadArguments, FileAccess
from dwtsvc.facts import PageFacts
from dwtsvc.formats import PageEncoder
from dwtsvc.model import Barcode, Encoding, PageInfo, Raster
from dwtsvc.naming import LONGEST_BYTES, NamePattern, clean
from dwtsvc.parts import PartFile
from dwtsvc.separators import parse
from dwtsvc.splitting import Splitter
from dwtsvc.stacks import NamedDocuments, NamedPages, NamedStack
from dwtsvc.store import PageStore
from tests.disks import forbid_links, names_in, needs_root, open_files

WHEN = datetime(2026, 3, 4, 5, 6, 7)
ROWS = Raster(width=40, height=30, channels=1, depth=8, bytes_per_line=40, dpi=300.0)


def code(text: str, type: str = "code128") -> Barcode:
    corners = ((0, 0), (1, 0), (1, 1), (0, 1))
    return Barcode(text=text, bytes=text.encode(), type=type, corners=corners, angle=0, engine="zxing")


def pattern(text: str | Path) -> NamePattern:
    return NamePattern(str(text), device="sane:test:0", when=WHEN, documents=True)


def name(text: str, *pages: dict[str, Any], document: int = 1, number: int = 1) -> str:
    """The name of a document with such pages."""
    names = pattern(text)
    found = names.findings()
    for at, page in enumerate(pages, 1):
        found.learn(PageFacts(number=at, **page))
    return str(names.path(number, document=document, found=found))


def codes(*texts: str, type: str = "code128") -> dict[str, Any]:
    return {"barcodes": tuple(code(text, type) for text in texts)}


# --- patterns


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{barcode}.pdf", "INV-7.pdf"),
        ("{barcode:1}.pdf", "INV-7.pdf"),
        ("{barcode:2}.pdf", "REF 8.pdf"),
        ("{barcode:6}.pdf", "document.pdf"),
        ("{barcode:3}.pdf", "C39.pdf"),
        ("{barcode:6|none}.pdf", "none.pdf"),
        ("scan{barcode:9|}.pdf", "scan.pdf"),
        ("{barcode.code39}.pdf", "C39.pdf"),
        ("{barcode.Code39:2|-}x.pdf", "-x.pdf"),
        ("{barcode.qr|no qr}.pdf", "no qr.pdf"),
        ("{asn}.pdf", "00123.pdf"),
        ("{asn:ARCH-|0}.pdf", "9.pdf"),
        ("{asn:NO|0}.pdf", "0.pdf"),
        (r"{text:Invoice\s+No\. (\d{4,8})}.pdf", "20267.pdf"),
        (r"{text:Invoice}.pdf", "Invoice.pdf"),
        (r"{text:^due (?:on|by) (.*)$}.pdf", "7 May.pdf"),
        (r"{text:(?:Bill|Order) No|none}.pdf", "none.pdf"),
        (r"{text:[|]|bar}.pdf", "bar.pdf"),
        ("{doc}-{doc:03}-{n:02}.pdf", "12-012-01.pdf"),
        ("{{{doc}}}.pdf", "{12}.pdf"),
        ("out/{date}/{device}/{barcode}_{time}.pdf", "out/2026-03-04/sane-test-0/INV-7_050607.pdf"),
    ],
)
def test_a_document_is_called_after_what_is_on_it(text: str, expected: str) -> None:
    pages: tuple[dict[str, Any], ...] = (
        {"barcodes": (code("T", "Patch"), code("PATCHT")), "text": "Firm"},
        {"text": "Invoice  No. 20267\ndue by 7 May\nInvoice No. 9999", **codes("INV-7", "REF 8")},
        {"barcodes": (code("C39", "code39"), code("ASN00123", "qr"), code("ARCH-9", "code93"))},
    )
    if "qr" in text:
        pages = pages[:2]
    assert name(text, *pages, document=12) == expected


def test_the_first_page_with_the_text_names_the_document() -> None:
    assert name(r"{text:No (\d)}.pdf", {"text": "Dear Sir"}, {"text": "No 1"}, {"text": "No 2"}) == "1.pdf"


@pytest.mark.parametrize("text", ["{barcode", "barcode}.pdf", "{text:a{2}.pdf", "{n}}.pdf", "}{", "{text:\\}"])
def test_braces_that_do_not_match_are_told(text: str) -> None:
    with pytest.raises(BadArguments, match="braces") as caught:
        pattern(text)
    assert "{{" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        *(
            "{page}",
            "{}",
            "{Barcode}",
            "{n.x}",
            "{bar code}",
            "{text}",
            "{text:}",
            "{barcode:0}",
            "{barcode:x}",
            "{doc:x}",
        ),
        *("{date:3}", "{barcode.code12}", "{barcode.}", "{text:(}", "{text:(a+)+}", "{asn:}"),
    ],
)
def test_a_field_that_cannot_be_filled_in_has_advice(text: str) -> None:
    with pytest.raises(BadArguments) as caught:
        pattern(f"{text}.pdf")
    assert caught.value.hint


def test_an_unknown_field_lists_those_of_documents_too() -> None:
    with pytest.raises(BadArguments) as caught:
        pattern("{barcod}.pdf")
    assert all(
        known in caught.value.hint for known in ("{doc}", "{barcode}", "{asn}", "{text:REGEX}", "{barcode|unknown}")
    )


@pytest.mark.parametrize("field", ["barcode", "asn", "text:x", "doc"])
def test_a_scan_of_plain_pages_knows_no_fields_of_documents(field: str) -> None:
    with pytest.raises(BadArguments, match="unknown field"):
        NamePattern(f"{{{field}}}.pdf", device="x", when=WHEN)


@pytest.mark.parametrize("text", ["{barcode}/scan.pdf", "a/{text:x}-b/scan.pdf", "{doc}/{n}.jpg"])
def test_no_folder_is_called_after_a_document(text: str) -> None:
    with pytest.raises(BadArguments, match="folder"):
        pattern(text)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("{doc}-{n}.pdf", set()),
        ("{barcode}.pdf", {"barcode"}),
        ("{asn}.pdf", {"barcode"}),
        ("{text:x}-{barcode}.pdf", {"barcode", "text"}),
    ],
)
def test_a_pattern_says_what_must_be_read(text: str, reads: set[str]) -> None:
    assert pattern(text).reads == reads


# --- words from paper


@pytest.mark.parametrize(
    ("words", "cleaned"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("a/b\\c:d", "a-b-c-d"),
        ("..", ""),
        (".hidden. ", "hidden"),
        ("-rf ~", "rf ~"),
        ("~root", "root"),
        ("a\0b\x1b[2Jc\u202etxt.exe", "a-b-[2Jc-txt.exe"),
        (" two\n lines\t", "two lines"),
        ("con", "_con"),
        ("COM1.txt", "_COM1.txt"),
        ("console", "console"),
        ('<>:"/\\|?*', ""),
        ("e\u0301", "é"),
        ("\ud800", ""),
        ("", ""),
    ],
)
def test_words_from_paper_become_letters_of_a_file_name(words: str, cleaned: str) -> None:
    assert clean(words) == cleaned


@settings(deadline=None, max_examples=300)
@given(
    words=st.text(max_size=400),
    text=st.sampled_from(["{barcode}.pdf", "x-{barcode|}.tar.gz", "{barcode|}", "..{barcode|}"]),
)
def test_whatever_is_printed_the_file_lies_in_its_folder(words: str, text: str) -> None:
    path = Path("out", name(text, codes(words)))
    assert path.parent == Path("out") and Path(name(f"out/{text}", codes(words))) == path
    stem = path.name
    assert len(stem.encode("utf-8")) <= LONGEST_BYTES + 10 and stem.isprintable()
    assert not set(stem) & set('<>:"/\\|?*') and stem not in ("", ".", "..") and stem.rstrip(" .") == stem
    assert stem.split(".")[0].lower() not in ("con", "nul", "com1")


def test_the_parts_of_a_name_together_are_no_device_of_windows() -> None:
    assert name("{barcode:1|}{barcode:2|}.pdf", codes("co", "n")) == "_con.pdf"


def test_a_name_is_short_enough_for_every_disk(tmp_path: Path) -> None:
    found = name("{barcode}-{barcode:2}-{barcode:3}.pdf", codes("ä" * 500, "€" * 500, "x" * 500))
    (tmp_path / found).touch()
    assert found.endswith(".pdf") and len(found.encode()) <= LONGEST_BYTES + 4


# --- files


@pytest.fixture
def store(tmp_path: Path) -> PageStore:
    return PageStore(tmp_path / "pages")


Put = Callable[..., list[Path]]


@pytest.fixture
def put(store: PageStore) -> Put:
    """Splits a stack at patch codes and puts it into an output; the files in the order in which they are complete."""
    owner = store.begin({})

    def keep(number: int) -> PageInfo:
        slot = store.folder(owner) / f"slot-{number}"
        slot.touch(mode=0o600)
        slot.write_bytes(jpeg(number))
        return store.add(owner, slot, number=number, back=False, encoding=Encoding.JPEG, raster=ROWS)

    def run(output: NamedStack, pages: Iterable[dict[str, Any]], on_page: Callable[[int], object] = id) -> list[Path]:
        splitter = Splitter([parse("patch"), parse("patcht"), parse("code39,drop")])
        facts = [PageFacts(number=number, **page) for number, page in enumerate(pages, 1)]
        files = []
        for page in facts:
            (decision,) = splitter.feed(page)
            files += output.learn(decision, page)
            files += output.add(keep(page.number), store) if decision.kept else []  # type: ignore[attr-defined]
            on_page(page.number)
        return files + output.finish()

    return run


def jpeg(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (40, 30), shade * 10 % 256).save(file, "JPEG", dpi=(300, 300))
    return file.getvalue()


def pages_of(file: Path) -> int:
    with pypdfium2.PdfDocument(file) as document:
        return len(document)


SHEET = {"barcodes": (code("T", "Patch"),)}


def documents(text: str | Path, format: str = "pdf") -> NamedDocuments:
    return NamedDocuments(pattern(text), PageEncoder(format, quality=85))


def each_page(text: str | Path, format: str = "jpeg") -> NamedPages:
    return NamedPages(pattern(text), PageEncoder(format, quality=85))


@pytest.mark.parametrize("links", [True, False])
def test_each_document_is_a_file_with_its_own_name(
    links: bool, tmp_path: Path, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        forbid_links(monkeypatch)
    before = open_files(tmp_path)
    files = put(
        documents(tmp_path / "{barcode}.pdf"), [codes("INV-7"), {}, SHEET, {}, codes("REC-8"), SHEET, {}, SHEET]
    )
    assert [(file.name, pages_of(file)) for file in files] == [("INV-7.pdf", 2), ("REC-8.pdf", 2), ("document.pdf", 1)]
    assert names_in(tmp_path) == {"pages", "INV-7.pdf", "REC-8.pdf", "document.pdf"}
    assert open_files(tmp_path) == before


def test_documents_appear_one_after_another_while_the_stack_goes_on(tmp_path: Path, put: Put) -> None:
    seen: list[set[str]] = []
    put(
        documents(tmp_path / "{barcode}.pdf"),
        [codes("A"), SHEET, codes("B")],
        lambda _: seen.append(names_in(tmp_path)),
    )
    assert seen == [
        {"pages", ".document.pdf.part"},
        {"pages", "A.pdf"},
        {"pages", "A.pdf", ".document.pdf.part"},
    ]


def test_the_separator_sheet_names_the_document_and_the_nearest_of_several_does(tmp_path: Path, put: Put) -> None:
    letters, invoices = codes("LETTERS", type="code39"), codes("INVOICES", type="code39")
    files = put(
        documents(tmp_path / "{barcode}.pdf"), [letters, invoices, codes("INV-7"), letters, SHEET, {}, invoices]
    )
    assert [file.name for file in files] == ["INVOICES.pdf", "document.pdf"]


def test_documents_of_the_same_name_get_the_next_that_is_free(tmp_path: Path, put: Put) -> None:
    (tmp_path / "A.pdf").write_bytes(b"mine")
    other = PartFile(tmp_path / "A-3.pdf")
    files = put(documents(tmp_path / "{barcode}.pdf"), [codes("A"), SHEET, codes("A"), SHEET, {}, SHEET, {}])
    assert [file.name for file in files] == ["A-2.pdf", "A-4.pdf", "document.pdf", "document-2.pdf"]
    assert (tmp_path / "A.pdf").read_bytes() == b"mine"
    other.abort()


def test_two_stacks_at_once_do_not_meet(tmp_path: Path, store: PageStore, put: Put) -> None:
    other = documents(tmp_path / "{barcode}.pdf")
    assert names_in(tmp_path) == {"pages", ".document.pdf.part"}
    assert [file.name for file in put(documents(tmp_path / "{barcode}.pdf"), [{}, SHEET, codes("A")])] == [
        "document-2.pdf",
        "A.pdf",
    ]
    other.abort()
    assert names_in(tmp_path) == {"pages", "document-2.pdf", "A.pdf"}


def test_a_name_that_appears_while_the_document_is_written_is_passed(tmp_path: Path, put: Put) -> None:
    def appear(number: int) -> None:
        if number == 1:
            (tmp_path / "A.pdf").write_bytes(b"theirs")

    assert put(documents(tmp_path / "{barcode}.pdf"), [codes("A"), {}], appear) == [tmp_path / "A-2.pdf"]
    assert (tmp_path / "A.pdf").read_bytes() == b"theirs"


def test_documents_can_be_counted_instead(tmp_path: Path, put: Put) -> None:
    (tmp_path / "scan-001.pdf").touch()
    files = put(documents(tmp_path / "scan-{doc:03}.pdf"), [{}, SHEET, {}])
    assert [file.name for file in files] == ["scan-001-2.pdf", "scan-002.pdf"]


def test_a_tiff_is_named_the_same_way(tmp_path: Path, put: Put) -> None:
    (file,) = put(documents(tmp_path / "{barcode}.tif", "tiff"), [codes("A"), {}])
    with Image.open(file) as image:
        assert file.name == "A.tif" and getattr(image, "n_frames", 0) == 2


def test_pages_count_within_their_document(tmp_path: Path, put: Put) -> None:
    files = put(each_page(tmp_path / "{doc}-{n:02}.jpg"), [{}, {}, SHEET, {}])
    assert [file.name for file in files] == ["1-01.jpg", "1-02.jpg", "2-01.jpg"]
    assert [file.read_bytes() for file in files] == [jpeg(1), jpeg(2), jpeg(4)]


def test_pages_without_a_number_get_one(tmp_path: Path, put: Put) -> None:
    files = put(each_page(tmp_path / "{barcode}.jpg"), [codes("A"), {}, SHEET, codes("A"), {}])
    assert [file.name for file in files] == ["A.jpg", "A-2.jpg", "A-3.jpg", "A-4.jpg"]
    assert [file.read_bytes() for file in files] == [jpeg(1), jpeg(2), jpeg(4), jpeg(5)]


def test_pages_wait_for_a_name_that_stands_on_a_later_page(tmp_path: Path, put: Put) -> None:
    seen: list[set[str]] = []
    names = lambda _: seen.append(names_in(tmp_path) - {"pages"})  # noqa: E731
    files = put(each_page(tmp_path / "{barcode}-{n}.png", "png"), [{}, codes("A"), SHEET, codes("A")], names)
    assert [file.name for file in files] == ["A-1.png", "A-2.png", "A-1-2.png"]
    assert seen[:3] == [{".document-1.png.part"}, {".document-1.png.part"}, {"A-1.png", "A-2.png"}]


def test_pages_whose_names_are_known_do_not_wait(tmp_path: Path, put: Put) -> None:
    seen: list[set[str]] = []
    put(each_page(tmp_path / "{doc}-{n}.jpg"), [{}, {}], lambda _: seen.append(names_in(tmp_path) - {"pages"}))
    assert seen == [{"1-1.jpg"}, {"1-1.jpg", "1-2.jpg"}]


@pytest.mark.parametrize("make", [documents, each_page])
def test_an_output_that_is_given_up_keeps_what_was_whole(
    make: Callable[[Path], NamedStack], tmp_path: Path, put: Put
) -> None:
    output = make(tmp_path / ("{barcode}.pdf" if make is documents else "{barcode}.jpg"))

    def stop(number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    before = open_files(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        put(output, [codes("A"), SHEET, codes("B")], stop)
    output.abort()
    assert {path.partition(".")[0] for path in names_in(tmp_path)} == {"pages", "A"}
    assert set(open_files(tmp_path)) <= set(before)


@pytest.mark.parametrize("make", [documents, each_page])
def test_a_stack_without_pages_leaves_nothing(make: Callable[[Path], NamedStack], tmp_path: Path, put: Put) -> None:
    assert put(make(tmp_path / "{barcode}.tif"), [SHEET, SHEET]) == []
    assert names_in(tmp_path) == {"pages"}


@needs_root
@pytest.mark.parametrize("make", [documents, each_page])
def test_a_folder_that_cannot_be_written_is_found_before_the_first_page(
    make: Callable[[Path], NamedStack], read_only: Path
) -> None:
    with pytest.raises(FileAccess):
        make(read_only / "{barcode}.tif")
    with pytest.raises(FileAccess, match="no folder"):
        make(read_only / "none" / "{barcode}.tif")


def test_a_dead_scans_part_file_is_taken_over(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from dwtsvc.parts import PartFile;"
        " part = PartFile(Path(sys.argv[1])); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "document.pdf")], check=True, timeout=60)
    assert os.listdir(tmp_path) == [".document.pdf.part"]
    output = documents(tmp_path / "{barcode}.pdf")
    assert os.listdir(tmp_path) == [".document.pdf.part"]
    output.abort()
    assert os.listdir(tmp_path) == []


def test_names_of_plain_pages_load_nothing_that_splits() -> None:
    script = (
        "import sys, datetime; from dwtsvc.outputs import NamePattern;"
        " NamePattern('{date}-{n:03}.jpg', device='x', when=datetime.datetime.now()).path(1);"
        " print(*[name for name in ('separators', 'splitting', 'facts', 'stacks') if 'dwtsvc.' + name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_every_pattern_of_the_document_is_one() -> None:
    text = (Path(__file__).parents[1] / "docs" / "splitting.md").read_text("utf-8").partition("## Names")[2]
    shown = re.findall(r"^\| `([^`]+)`(?:; `([^`]+)`)? \|", text, re.MULTILINE)
    patterns = [each.replace("\\|", "|") for row in shown for each in row if each]
    assert len(patterns) > 10
    for each in patterns:
        assert pattern(each).path(1).name
