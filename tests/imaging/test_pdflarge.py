"""Edits by qpdf come to the same as those by pypdf, with little memory."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from dwtsvc.errors import BadArguments, BadInput, Encrypted, FileAccess, WrongPassword
from dwtsvc.imaging import pdfedit, pdfinfo
from dwtsvc.imaging.pdf import PdfWriter
from dwtsvc.imaging.pdflarge import LargeSource
from dwtsvc.imaging.pdfsource import PdfSource
from tests.imaging import pdfs

JPEGS = [pdfs.jpeg_of(Image.new("L", (40 + number, 60), 200)) for number in range(4)]


@pytest.fixture
def open_large(tmp_path: Path):
    opened = []

    def open_it(change=None, data: bytes | None = None, password: str | None = None) -> LargeSource:
        path = tmp_path / f"in-{len(opened)}.pdf"
        held = data or pdfs.scanned(*JPEGS)
        path.write_bytes(pdfs.changed(held, change) if change else held)
        opened.append(LargeSource(path, password))
        return opened[-1]

    yield open_it
    for each in opened:
        each.close()


def written(edited, tmp_path: Path, password: str = "") -> bytes:
    """What an edit writes, which qpdf finds no fault in."""
    path = tmp_path / "out.pdf"
    with open(path, "wb+") as file:
        edited.write(file)
    subprocess.run(["qpdf", f"--password={password}", "--check", path], check=True, capture_output=True, timeout=60)
    return path.read_bytes()


def numbers(data: bytes, password: str = "") -> list[int]:
    with pikepdf.open(io.BytesIO(data), password=password) as pdf:
        return [JPEGS.index(bytes(page.Resources.XObject["/P"].read_raw_bytes())) for page in pdf.pages]


def test_pages_are_picked_and_merged_in_any_order_and_twice(open_large, tmp_path: Path) -> None:
    assert numbers(written(pdfedit.pick(open_large(), [2, 0, 2]), tmp_path)) == [2, 0, 2]
    first = open_large(lambda pdf, _: pdf.docinfo.__setitem__("/Title", "First"))
    data = written(pdfedit.merge([(first, [3]), (open_large(), [1, 0])]), tmp_path)
    assert numbers(data) == [3, 1, 0]
    assert pdfedit.metadata(PdfSource(data)) | {"producer": "dwtsvc"} == pdfedit.metadata(PdfSource(data))
    assert pdfedit.metadata(PdfSource(data))["title"] == "First"


def test_nothing_of_the_pages_left_out_stays_by_links_outlines_forms_or_shared_resources(open_large, tmp_path) -> None:
    def entangle(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
        name = pikepdf.Name
        with pdf.open_outline() as outline:
            outline.root += [pikepdf.OutlineItem(f"Page {number}", number) for number in range(4)]
        link = pikepdf.Dictionary(Type=name.Annot, Subtype=name.Link, Rect=[0, 0, 9, 9], Dest=[pdf.pages[2].obj])
        kids = []
        for number, each in enumerate(pdf.pages):
            kids.append(
                pdf.make_indirect(
                    pikepdf.Dictionary(
                        Type=name.Annot,
                        Subtype=name.Widget,
                        FT=name.Tx,
                        T=f"f{number}",
                        V=f"typed-{number}",
                        Rect=[0, 0, 9, 9],
                        DA=b"/Helv 9 Tf",
                    )
                )
            )
            each.Annots = pdf.make_indirect(pikepdf.Array([kids[-1]]))
        parent = pdf.make_indirect(pikepdf.Dictionary(T="all", Kids=kids))
        for kid in kids:
            kid.Parent = parent
        page.Annots.append(pdf.make_indirect(link))
        font = pikepdf.Dictionary(Type=name.Font, Subtype=name.Type1, BaseFont=name.Helvetica)
        resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(Helv=font))
        pdf.Root.AcroForm = pdf.make_indirect(pikepdf.Dictionary(Fields=[parent], DR=resources))
        names = {f"/P{number}": each.Resources.XObject["/P"] for number, each in enumerate(pdf.pages)}
        shared = pdf.make_indirect(pikepdf.Dictionary(XObject=pikepdf.Dictionary(names)))
        for number, each in enumerate(pdf.pages):
            each.Resources = shared
            each.Contents = pdf.make_stream(b"q 43.2 0 0 64.8 0 0 cm /P%d Do Q" % number)

    edited = pdfedit.pick(open_large(entangle), [0])
    data = written(edited, tmp_path)
    assert [jpeg in data for jpeg in JPEGS] == [True, False, False, False]
    with pikepdf.open(io.BytesIO(data)) as pdf:
        held = b" ".join(each.unparse(resolved=True) for each in pdf.objects if isinstance(each, pikepdf.Object))
    assert b"typed-1" not in held
    assert "the outline" in edited.notes[0] and "form" in edited.notes[0]


def test_pages_are_turned_and_the_rest_stays(open_large, tmp_path: Path) -> None:
    data = written(pdfedit.rotate(open_large(), [1, 3], 270), tmp_path)
    assert [sheet.rotation for sheet in pdfinfo.facts(PdfSource(data)).sheets] == [0, 270, 0, 270]
    assert numbers(data) == [0, 1, 2, 3]
    with pytest.raises(BadArguments):
        pdfedit.rotate(open_large(), [0], 45)


def test_encrypting_gives_the_rights_that_pypdf_gives(open_large, tmp_path: Path) -> None:
    for allow in ([], ["print"], ["copy", "annotate"], list(pdfedit.PERMISSIONS)):
        ours = written(pdfedit.encrypt(open_large(), "see", owner="own", allow=allow), tmp_path, "see")
        file = io.BytesIO()
        pdfedit.encrypt(PdfSource(pdfs.scanned(*JPEGS)), "see", owner="own", allow=allow).write(file)
        facts = [pdfinfo.facts(PdfSource(data, "see")) for data in (ours, file.getvalue())]
        assert facts[0].encryption == facts[1].encryption == "AES 256 bits"
        assert sorted(facts[0].allows) == sorted(facts[1].allows) == sorted(allow)
    assert numbers(ours, "see") == numbers(ours, "own") == [0, 1, 2, 3]


def test_decrypting_takes_the_encryption_away_and_a_turn_says_that_it_does(open_large, tmp_path: Path) -> None:
    locked = pdfs.locked(pdfs.scanned(*JPEGS), "x")
    assert numbers(written(pdfedit.decrypt(open_large(data=locked, password="x")), tmp_path)) == [0, 1, 2, 3]
    turned = pdfedit.rotate(open_large(data=locked, password="x"), [0], 90)
    assert "the result is not" in turned.notes[0]
    assert numbers(written(turned, tmp_path)) == [0, 1, 2, 3]
    with pytest.raises(WrongPassword):
        open_large(data=locked, password="y")
    with pytest.raises(Encrypted):
        open_large(data=locked)
    with pytest.raises(BadArguments):
        pdfedit.decrypt(open_large())


def test_metadata_change_in_both_places_or_go(open_large, tmp_path: Path) -> None:
    def describe(pdf: pikepdf.Pdf, _page: object) -> None:
        with pdf.open_metadata() as packet:
            packet["dc:title"], packet["dc:creator"] = "Old", ["Ada"]
        pdf.docinfo["/Title"], pdf.docinfo["/Author"] = "Old", "Ada"

    data = written(pdfedit.set_metadata(open_large(describe), {"title": "Käse", "author": ""}), tmp_path)
    found = pdfedit.metadata(PdfSource(data))
    assert found["title"] == "Käse" and "author" not in found
    with pikepdf.open(io.BytesIO(data)) as pdf, pdf.open_metadata() as packet:
        assert packet["dc:title"] == "Käse" and "dc:creator" not in packet
    bare = written(pdfedit.set_metadata(open_large(data=data), {}, clear=True), tmp_path)
    assert set(pdfedit.metadata(PdfSource(bare))) <= {"producer"} and b"/XML" not in bare


def test_damage_is_mended_and_told_and_what_is_no_pdf_is_bad_input(open_large, tmp_path: Path) -> None:
    source = open_large(data=pdfs.scanned(*JPEGS)[:-25])
    edited = pdfedit.pick(source, range(len(source)))
    assert numbers(written(edited, tmp_path)) == [0, 1, 2, 3]
    assert any("mended" in note for note in edited.notes)
    for data in (b"hello", b"%PDF-1.6\n", pdfs.saved(pikepdf.new())):
        with pytest.raises(BadInput):
            open_large(data=data)
    with pytest.raises(FileAccess):
        LargeSource(tmp_path / "none.pdf")


WORK = """
import sys
from dwtsvc.imaging import pdfedit
from dwtsvc.imaging.pdflarge import LargeSource
with LargeSource(sys.argv[1]) as source, open(sys.argv[2], "wb+") as file:
    pdfedit.{edit}.write(file)
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


EDITS = ["rotate(source, [0], 90)", "pick(source, range(159, 20, -1))", "encrypt(source, 'x')"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("edit", EDITS)
def test_a_file_of_160_mb_takes_less_than_100_of_memory(tmp_path: Path, edit: str) -> None:
    path, out = tmp_path / "large.pdf", tmp_path / "out.pdf"
    with open(path, "wb") as file, PdfWriter(file) as writer:
        for _ in range(160):
            writer.add_g4(bytes(1_000_000), width=8, height=8, dpi=100)
    told = subprocess.run(
        [sys.executable, "-c", WORK.format(edit=edit), path, out], capture_output=True, text=True, timeout=100
    )
    assert out.stat().st_size > 115_000_000
    assert int(told.stdout) * 1024 < 100_000_000, told.stderr
