"""Stored pages in every output format: the right size, mode, resolution and pixels, and JPEG untouched."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import sys
import threading
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageDraw, ImageSequence, ImageStat

from dwtsvc import formats
from dwtsvc.errors import InvalidOutput
from dwtsvc.formats import PageEncoder
from dwtsvc.model import Encoding, Mode, PageInfo, Raster, Step
from dwtsvc.store import PageStore
from dwtsvc.suffixes import DOCUMENTS, FORMATS, format_of
from dwtsvc.text import Line, Text, Word

WIDTH, HEIGHT, DPI = 205, 151, 144.0
KINDS = {"lineart": (1, 1), "gray8": (1, 8), "gray16": (1, 16), "rgb8": (3, 8), "rgb16": (3, 16)}
PILLOW = {1: "1", 8: "L", 16: "I;16"}
LOSSY = {"jpeg", "webp", "pdf"}


@dataclass(frozen=True)
class Stored:
    """A page in the store, and what it shows: by its high bytes where it has 16 bits."""

    page: PageInfo
    store: PageStore
    picture: Image.Image

    @property
    def data(self) -> bytes:
        return self.store.path(self.page).read_bytes()


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Stored]:
    """Stores a page of a kind: one of KINDS, padded or not, or "jpeg-gray" or "jpeg-rgb"."""
    store = PageStore(tmp_path / "pages")
    owner = store.begin({})

    def make(kind: str, padding: int = 0) -> Stored:
        number = len(store.pages(owner)) + 1
        slot = store.folder(owner) / f"slot-{number}"
        if kind.startswith("jpeg"):
            picture, data, raster = jpeg_page(kind)
        else:
            picture, data, raster = raw_page(kind, padding)
        slot.write_bytes(data)
        encoding = Encoding.JPEG if kind.startswith("jpeg") else Encoding.RAW
        return Stored(
            store.add(owner, slot, number=number, back=False, encoding=encoding, raster=raster), store, picture
        )

    return make


def drawn(mode: str) -> Image.Image:
    image = Image.radial_gradient("L").resize((WIDTH, HEIGHT)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((10, 10, 90, 60), fill=(250, 20, 30))
    draw.text((20, 80), "black on something", fill=(0, 0, 0))
    draw.line((3, 140, 200, 120), fill=(0, 60, 200), width=3)
    return image.convert("L").point([0] * 100 + [255] * 156, "1") if mode == "1" else image.convert(mode)


def raw_page(kind: str, padding: int) -> tuple[Image.Image, bytes, Raster]:
    channels, depth = KINDS[kind]
    picture = drawn("1" if depth == 1 else "RGB" if channels == 3 else "L")
    packed = picture.tobytes("raw", "1;I") if depth == 1 else picture.tobytes()
    if depth == 16:
        dice = random.Random(16)  # low bytes that tell whether they were kept
        packed = array("H", [level << 8 | dice.randrange(256) for level in packed]).tobytes()
    line = len(packed) // HEIGHT
    rows = b"".join(packed[at : at + line] + b"\xa5" * padding for at in range(0, len(packed), line))
    size = {"width": WIDTH, "height": HEIGHT, "channels": channels, "depth": depth}
    return picture, rows, Raster(**size, bytes_per_line=line + padding, dpi=DPI)


def jpeg_page(kind: str) -> tuple[Image.Image, bytes, Raster]:
    file = io.BytesIO()
    channels = 3 if kind == "jpeg-rgb" else 1
    drawn("RGB" if channels == 3 else "L").save(file, "JPEG", quality=80, dpi=(DPI, DPI))
    picture = Image.open(io.BytesIO(file.getvalue()))
    picture.load()
    size = {"width": WIDTH, "height": HEIGHT, "channels": channels, "depth": 8}
    return picture, file.getvalue(), Raster(**size, bytes_per_line=WIDTH * channels, dpi=DPI)


def written(stored: Stored, path: Path, encoder: PageEncoder) -> bytes:
    with stored.store.reading(stored.page) as data, path.open("w+b") as file:
        encoder.write(stored.page, data, file)
    return path.read_bytes()


def document(pages: list[Stored], path: Path, encoder: PageEncoder) -> bytes:
    with path.open("w+b") as file:
        writer = encoder.document(file)
        for stored in pages:
            with stored.store.reading(stored.page) as data:
                encoder.append(stored.page, data, writer)
        writer.close()
    return path.read_bytes()


def difference(a: Image.Image, b: Image.Image) -> float:
    a, b = (image.convert("RGB") for image in (a, b))
    assert a.size == b.size
    return max(ImageStat.Stat(ImageChops.difference(a, b)).mean)


def high_bytes(image: Image.Image) -> Image.Image:
    """16-bit gray by its high bytes."""
    return Image.frombytes("L", image.size, image.tobytes(), "raw", "L;16") if image.mode == "I;16" else image


def check_pdf(path: Path) -> None:
    if shutil.which("qpdf"):
        ran = subprocess.run(["qpdf", "--check", path], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0 and "WARNING" not in ran.stderr, ran.stderr


def rendered(path: Path) -> Image.Image:
    with pypdfium2.PdfDocument(path) as pdf:
        return pdf[0].render(scale=DPI / 72).to_pil()


def embedded(path: Path) -> list[tuple[str, int, int, str, int]]:
    """(filter, width, height, colours, bits) of the image on each page of a PDF."""
    with pikepdf.open(path) as pdf:
        images = [page.Resources.XObject.P for page in pdf.pages]
        return [
            (str(i.Filter), int(i.Width), int(i.Height), str(i.ColorSpace), int(i.BitsPerComponent)) for i in images
        ]


STORED = [(kind, padding) for kind in KINDS for padding in (0, 3 if kind in ("lineart", "gray8", "rgb8") else 4)]


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff", "bmp", "webp"])
@pytest.mark.parametrize(("kind", "padding"), [*STORED, ("jpeg-gray", 0), ("jpeg-rgb", 0)])
def test_every_page_becomes_an_image_in_every_format(
    kind: str, padding: int, format: str, stored: Callable[..., Stored], tmp_path: Path
) -> None:
    page = stored(kind, padding)
    encoder = PageEncoder(format, quality=90)
    written(page, tmp_path / "out", encoder)
    with Image.open(tmp_path / "out") as image:
        image.load()
        assert (image.format, image.size) == (format.upper(), (WIDTH, HEIGHT))
        assert image.mode == expected_mode(page.page.raster, format)
        assert round(dpi_of(image)) == DPI
        if format in LOSSY:
            assert difference(high_bytes(image), page.picture) < (0.01 if kind == "lineart" and format == "webp" else 4)
        else:
            assert difference(high_bytes(image), page.picture) == 0


def expected_mode(raster: Raster, format: str) -> str:
    if format == "webp":
        return "RGB"
    if raster.channels == 3:
        return "RGB"
    if raster.depth == 1:
        return "L" if format == "jpeg" else "1"
    return "I;16" if raster.depth == 16 and format in ("png", "tiff") else "L"


def dpi_of(image: Image.Image) -> float:
    return float(image.getexif()[282] if image.format == "WEBP" else image.info["dpi"][0])


@pytest.mark.parametrize("kind", ["gray16", "rgb16"])
@pytest.mark.parametrize("padding", [0, 4])
def test_png_and_tiff_keep_all_sixteen_bits(
    kind: str, padding: int, stored: Callable[..., Stored], tmp_path: Path
) -> None:
    page = stored(kind, padding)
    png = written(page, tmp_path / "a.png", PageEncoder("png", quality=85))
    assert png[24] == 16  # bits a sample, in IHDR
    tiff = written(page, tmp_path / "a.tiff", PageEncoder("tiff", quality=85, tiff_compression="none"))
    packed, line = page.page.raster.width * page.page.raster.channels * 2, page.page.raster.bytes_per_line
    rows = b"".join(page.data[at : at + packed] for at in range(0, len(page.data), line))
    assert rows in tiff
    if kind == "gray16" and sys.byteorder == "little":
        assert Image.open(tmp_path / "a.png").tobytes() == rows


@pytest.mark.parametrize(("kind", "padding"), [*STORED, ("jpeg-gray", 0), ("jpeg-rgb", 0)])
def test_every_page_becomes_a_pdf_that_qpdf_likes(
    kind: str, padding: int, stored: Callable[..., Stored], tmp_path: Path
) -> None:
    page = stored(kind, padding)
    written(page, tmp_path / "out.pdf", PageEncoder("pdf", quality=90, title="Ein Blatt"))
    check_pdf(tmp_path / "out.pdf")
    colours = "/DeviceRGB" if page.page.raster.channels == 3 else "/DeviceGray"
    how = ("/CCITTFaxDecode", 1) if kind == "lineart" else ("/DCTDecode", 8)
    assert embedded(tmp_path / "out.pdf") == [(how[0], WIDTH, HEIGHT, colours, how[1])]
    with pypdfium2.PdfDocument(tmp_path / "out.pdf") as pdf:
        assert pdf[0].get_size() == pytest.approx((WIDTH * 72 / DPI, HEIGHT * 72 / DPI), abs=0.01)
        assert pdf.get_metadata_value("Title") == "Ein Blatt"
    assert difference(rendered(tmp_path / "out.pdf"), page.picture) < 6


@pytest.mark.parametrize("kind", ["jpeg-gray", "jpeg-rgb"])
def test_a_jpeg_page_goes_byte_for_byte_into_jpeg_pdf_and_tiff(
    kind: str, stored: Callable[..., Stored], tmp_path: Path
) -> None:
    page = stored(kind)
    assert PageEncoder("jpeg", quality=10).copies(page.page)
    assert written(page, tmp_path / "a.jpg", PageEncoder("jpeg", quality=10)) == page.data
    for encoder in (
        PageEncoder("pdf", quality=10),
        PageEncoder("tiff", quality=10),
        PageEncoder("tiff", quality=10, tiff_compression="jpeg"),
    ):
        assert page.data in written(page, tmp_path / "one", encoder)
        assert document([page, page], tmp_path / "two", encoder).count(page.data) == 2


@pytest.mark.parametrize(
    ("kind", "compression", "used"),
    [
        ("lineart", "auto", "group4"),
        ("lineart", "g4", "group4"),
        ("lineart", "jpeg", "group4"),
        ("lineart", "lzw", "tiff_lzw"),
        ("lineart", "deflate", "tiff_adobe_deflate"),
        ("lineart", "none", "raw"),
        ("gray8", "auto", "tiff_adobe_deflate"),
        ("gray8", "g4", "tiff_adobe_deflate"),
        ("gray8", "jpeg", "jpeg"),
        ("gray8", "lzw", "tiff_lzw"),
        ("gray16", "lzw", "tiff_lzw"),
        ("gray16", "g4", "tiff_adobe_deflate"),
        ("gray16", "jpeg", "jpeg"),
        ("rgb8", "auto", "tiff_adobe_deflate"),
        ("rgb8", "none", "raw"),
        ("rgb8", "lzw", "tiff_lzw"),
        ("rgb8", "jpeg", "jpeg"),
        ("rgb16", "deflate", "tiff_adobe_deflate"),
        ("rgb16", "jpeg", "jpeg"),
        ("jpeg-rgb", "auto", "jpeg"),
        ("jpeg-rgb", "jpeg", "jpeg"),
        ("jpeg-rgb", "lzw", "tiff_lzw"),
        ("jpeg-rgb", "deflate", "tiff_adobe_deflate"),
        ("jpeg-rgb", "none", "raw"),
        ("jpeg-gray", "lzw", "tiff_lzw"),
        ("jpeg-gray", "g4", "tiff_adobe_deflate"),
    ],
)
def test_a_tiff_page_has_the_compression_that_was_asked_for_where_it_can(
    kind: str, compression: str, used: str, stored: Callable[..., Stored], tmp_path: Path
) -> None:
    page = stored(kind)
    document([page, page], tmp_path / "out.tiff", PageEncoder("tiff", quality=90, tiff_compression=compression))
    with Image.open(tmp_path / "out.tiff") as tiff:
        frames = [(frame.info["compression"], frame.copy()) for frame in ImageSequence.Iterator(tiff)]
        assert round(tiff.info["dpi"][0]) == DPI
    assert [name for name, _ in frames] == [used, used]
    limit = 4 if used == "jpeg" and not kind.startswith("jpeg") else 0
    assert all(difference(high_bytes(frame), page.picture) <= limit for _, frame in frames)


@pytest.mark.parametrize("format", sorted(DOCUMENTS))
def test_a_document_holds_pages_of_all_kinds_in_order(
    format: str, stored: Callable[..., Stored], tmp_path: Path
) -> None:
    pages = [stored(kind, 4) for kind in KINDS] + [stored("jpeg-gray"), stored("jpeg-rgb")]
    document(pages, tmp_path / "out", PageEncoder(format, quality=90))
    if format == "pdf":
        check_pdf(tmp_path / "out")
        filters = [name for name, *_ in embedded(tmp_path / "out")]
        assert filters == ["/CCITTFaxDecode"] + ["/DCTDecode"] * 6
        with pypdfium2.PdfDocument(tmp_path / "out") as pdf:
            shown = [page.render(scale=DPI / 72).to_pil() for page in pdf]
    else:
        with Image.open(tmp_path / "out") as tiff:
            shown = [high_bytes(frame.copy()) for frame in ImageSequence.Iterator(tiff)]
    assert len(shown) == len(pages)
    assert all(difference(made, page.picture) < 6 for made, page in zip(shown, pages, strict=True))


@pytest.mark.parametrize("format", ["jpeg", "webp", "pdf"])
def test_quality_is_heard(format: str, stored: Callable[..., Stored], tmp_path: Path) -> None:
    page = stored("rgb8")
    sizes = [len(written(page, tmp_path / "a", PageEncoder(format, quality=quality))) for quality in (10, 50, 95)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2] * 0.6


@pytest.mark.parametrize("channels", [1, 3])
def test_a_page_too_long_for_jpeg_is_lossless_in_a_pdf(channels: int, tmp_path: Path) -> None:
    store = PageStore(tmp_path / "pages")
    owner = store.begin({})
    slot = store.folder(owner) / "slot-1"
    slot.write_bytes(random.Random(1).randbytes(65_501 * channels))
    line = {"bytes_per_line": channels, "dpi": 300.0}
    raster = Raster(width=1, height=65_501, channels=channels, depth=8, **line)  # type: ignore[arg-type]
    page = store.add(owner, slot, number=1, back=False, encoding=Encoding.RAW, raster=raster)
    long = Stored(page, store, Image.new("L", (1, 1)))
    assert not PageEncoder("pdf", quality=85).makes_jpeg(raster.mode, raster)
    written(long, tmp_path / "a.pdf", PageEncoder("pdf", quality=85))
    check_pdf(tmp_path / "a.pdf")
    assert embedded(tmp_path / "a.pdf")[0][:3] == ("/FlateDecode", 1, 65_501)
    with pytest.raises(InvalidOutput, match="65500"):
        written(long, tmp_path / "a.jpg", PageEncoder("jpeg", quality=85))


def test_what_becomes_jpeg() -> None:
    raster = Raster(width=10, height=10, channels=3, depth=8, bytes_per_line=30, dpi=300.0)
    modes = (Mode.LINEART, Mode.GRAY, Mode.COLOR)
    made = {
        (format, compression): [
            PageEncoder(format, quality=85, tiff_compression=compression).makes_jpeg(mode, raster) for mode in modes
        ]
        for format in FORMATS
        for compression in ("auto", "jpeg")
    }
    assert made.pop(("tiff", "jpeg")) == made.pop(("pdf", "jpeg")) == made.pop(("pdf", "auto")) == [False, True, True]
    assert made.pop(("jpeg", "auto")) == made.pop(("jpeg", "jpeg")) == [True, True, True]
    assert {tuple(each) for each in made.values()} == {(False, False, False)}


def test_a_thread_has_one_canvas_and_no_other_has_it() -> None:
    seen = []
    thread = threading.Thread(target=lambda: seen.append((formats.canvas(), formats.canvas())))
    thread.start()
    thread.join(20)
    ((first, second),) = seen
    assert first is second and first is not formats.canvas()
    assert formats.canvas() is formats.canvas()


@pytest.mark.parametrize(("format", "suffix"), [(name, suffix) for name in FORMATS for suffix in FORMATS[name]])
def test_a_suffix_asks_for_a_format(format: str, suffix: str) -> None:
    assert format_of(f"a.b/scan{suffix}") == format_of(f"SCAN{suffix.upper()}") == format


@pytest.mark.parametrize("steps", [(), (Step(name="rotate", values={"degrees": 180}),)])
@pytest.mark.parametrize("kind", ["lineart", "gray8", "rgb8", "jpeg-rgb"])
def test_a_text_goes_with_its_page_and_the_metadata_with_the_document(stored, tmp_path, kind, steps) -> None:
    page = stored(kind)
    word = Word(text="found", box=(10, 10, 60, 30), confidence=90)
    line = Line(words=(word,), box=word.box, block=1, paragraph=1)
    text = Text(width=WIDTH, height=HEIGHT, dpi=DPI, languages="eng", engine="hand", lines=(line,))
    said = {"title": "A", "author": "B", "subject": "C", "keywords": "D"}
    encoder = PageEncoder("pdf", quality=80, conformance="pdfa-2b", **said)
    with (tmp_path / "a.pdf").open("wb") as file, encoder.document(file) as document:
        encoder.append(page.page, page.data, document, steps, text)
    assert pypdfium2.PdfDocument(tmp_path / "a.pdf")[0].get_textpage().get_text_range() == "found"
    with pikepdf.open(tmp_path / "a.pdf") as pdf:
        assert [str(pdf.docinfo[f"/{key.capitalize()}"]) for key in said] == list("ABCD")
        assert pdf.open_metadata()["pdfaid:part"] == "2"


def test_a_png_page_too_long_for_a_jpeg_goes_into_a_pdf_as_it_is(tmp_path: Path) -> None:
    picture = Image.linear_gradient("L").resize((5, 66_000))
    raster = Raster(width=5, height=66_000, channels=1, depth=8, bytes_per_line=5, dpi=600.0)
    store = PageStore(tmp_path / "pages")
    owner = store.begin({})
    file = io.BytesIO()
    picture.save(file, "PNG")
    page = store.put(owner, file.getvalue(), number=1, back=False, encoding=Encoding.PNG, raster=raster)
    target = tmp_path / "long.pdf"
    document([Stored(page, store, picture)], target, PageEncoder("pdf", quality=80))
    with pikepdf.open(target) as pdf:
        image = pdf.pages[0].Resources.XObject.P
        assert image.read_raw_bytes() in file.getvalue()
        assert image.read_bytes() == picture.tobytes()
