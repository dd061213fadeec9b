"""Odd inputs by a table: what `barcode`, `ocr`, `batch` and `pdf` make of each. Right pixels, or the fault's word."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pypdfium2
import pytest
import zxingcpp
from PIL import Image, ImageChops, ImageDraw

from tests.end_to_end.conftest import DWTSVC, Place
from tests.faults.badfiles import KINDS, png

TEXT = "HERE"
SIZE = (600, 400)
DPI = 100
ALIKE = 0.01  # the share of pixels that may differ much: edges that JPEG and drawing make soft
Op = Image.Transpose


def base() -> Image.Image:
    """A code at the top on the left, a block at the bottom on the right: turned and mirrored it is another picture."""
    image = Image.new("L", SIZE, 255)
    code = zxingcpp.create_barcode(TEXT, zxingcpp.BarcodeFormat.Code128)
    image.paste(Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=2)), (40, 40))
    ImageDraw.Draw(image).rectangle((400, 300, 560, 380), fill=90)
    return image


def written(image: Image.Image, format: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **{"dpi": (DPI, DPI), **how})
    return file.getvalue()


def see_through(mode: str) -> Image.Image:
    """Black, and only as opaque as the picture is dark: right only on white paper."""
    layers = [Image.new("L", SIZE)] * (len(mode) - 1)
    return Image.merge(mode, (*layers, ImageChops.invert(base())))


def deep(mode: str) -> Image.Image:
    return base().convert("I").point(lambda level: level * 257).convert(mode)


def deep_colour() -> bytes:
    """Each sample twice: 16 bits of the same gray in three colours."""
    samples = base().tobytes()
    rows = [samples[at : at + SIZE[0]] for at in range(0, len(samples), SIZE[0])]
    return png(
        *SIZE,
        zlib.compress(b"".join(b"\0" + bytes(v for v in row for _ in range(6)) for row in rows)),
        depth=16,
        colour=2,
    )


def turned(orientation: int) -> bytes:
    """A JPEG that is the picture again once it is turned as its EXIF says."""
    back = {2: Op.FLIP_LEFT_RIGHT, 3: Op.ROTATE_180, 4: Op.FLIP_TOP_BOTTOM, 5: Op.TRANSPOSE, 6: Op.ROTATE_90}
    back |= {7: Op.TRANSVERSE, 8: Op.ROTATE_270}
    exif = Image.Exif()
    exif[0x0112] = orientation
    return written(base().transpose(back[orientation]), "JPEG", quality=95, exif=exif)


GOOD: dict[str, Callable[[], bytes]] = {
    "cmyk-jpeg.jpg": lambda: written(base().convert("RGB").convert("CMYK"), "JPEG", quality=95),
    "cmyk-tiff.tif": lambda: written(base().convert("RGB").convert("CMYK"), "TIFF"),
    "gray-16-png.png": lambda: written(deep("I;16"), "PNG"),
    "gray-16-tiff.tif": lambda: written(deep("I;16"), "TIFF"),
    "colour-16.png": deep_colour,
    "palette-png.png": lambda: written(base().convert("RGB").quantize(32), "PNG"),
    "palette-gif.gif": lambda: written(base().convert("P"), "GIF"),
    "alpha.png": lambda: written(see_through("RGBA"), "PNG"),
    "alpha-webp.webp": lambda: written(see_through("RGBA"), "WEBP", lossless=True),
    "gray-alpha.png": lambda: written(see_through("LA"), "PNG"),
    "says-72.jpg": lambda: written(base(), "JPEG", quality=95, dpi=(72, 72)),
    "says-1.png": lambda: written(base(), "PNG", dpi=(1, 1)),
    "says-a-million.png": lambda: written(base(), "PNG", dpi=(1e6, 1e6)),
    "says-nothing.bmp": lambda: written(base(), "BMP", dpi=(0, 0)),
    **{f"turned-{number}.jpg": (lambda number=number: turned(number)) for number in range(2, 9)},
}

# The word of the fault by barcode, ocr and batch; "" where the file is read.
BAD: dict[str, tuple[str, str, str]] = {
    **dict.fromkeys(
        [
            *("empty.png", "bomb-too-large.png", "bomb-in-text.png", "bomb-in-profile.png", "huge.jpg", "huge.gif"),
            *(
                "larger-than-its-data.jpg",
                "huge.bmp",
                "huge.tiff",
                "endless.ppm",
                "short.png",
                "half.jpg",
                "no-end.jpg",
                "no-height.jpg",
            ),
            *("lying.webp", "strip-beyond-the-end.tiff", "strip-too-short.tiff", "directory-beyond-the-end.tiff"),
            *("no-pixels.png", "words.pgm", "postscript.png", "picture-of-text.svg.png", "a-thousand-entries.tiff"),
            *("empty.pdf", "header-only.pdf", "no-pages.pdf", "no-page-tree.pdf", "page-tree-in-a-circle.pdf"),
            *("reference-to-itself.pdf", "long-page.pdf", "larger-than-its-data.jpg"),
        ],
        ("bad-input",) * 3,
    ),
    **dict.fromkeys(["locked.pdf", "locked-rc4.pdf"], ("encrypted",) * 3),
    # What PDFium shows, though qpdf, which takes pages along, does not.
    **dict.fromkeys(["nested-arrays.pdf", "nested-dictionaries.pdf"], ("", "bad-input", "bad-input")),
    "lock-of-another.pdf": ("encrypted", "bad-input", "bad-input"),
    "thin.png": ("", "bad-input", ""),  # 1 x 60,000 pixels: tesseract reads none that high
    **dict.fromkeys(
        [
            *("one-pixel.png", "circle.tiff", "metadata-not-utf-8.pdf", "xmp-not-xml.pdf", "xmp-bomb.pdf"),
            *("open-to-all.pdf", "says-a-billion-pages.pdf", "parent-in-a-circle.pdf", "length-in-a-circle.pdf"),
            *("table-in-a-circle.pdf", "exif-of-nonsense.jpg", "text-not-utf-8.png", "bomb-shows-less.png"),
        ],
        ("", "", ""),
    ),
}
# By `pdf info`, which looks at the document and at no picture, and by `pdf rasterize`, which draws it.
BAD_PDFS = {
    "empty.pdf": (4, 4),
    "no-pages.pdf": (4, 4),
    "page-tree-in-a-circle.pdf": (4, 4),
    "locked.pdf": (8, 8),
    "nested-arrays.pdf": (4, 0),
    "metadata-not-utf-8.pdf": (0, 0),
    "xmp-bomb.pdf": (0, 0),
    "half-a-jpeg.pdf": (0, 0),
    "huge-image.pdf": (0, 0),
}


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A folder where each command has been through all of the table, once."""
    root = tmp_path_factory.mktemp("odd")
    for folder, files in {"good": GOOD, "bad": {name: KINDS[name] for name in BAD}}.items():
        (root / folder).mkdir()
        for name, make in files.items():
            (root / folder / name).write_bytes(make())
    (root / "tmp").mkdir()
    (root / "good-pdf").mkdir()
    for folder in ("good", "bad"):
        say(root, f"{folder}.barcode", "barcode", "--json", folder)
        say(root, f"{folder}.ocr", "ocr", folder, "-o", f"{folder}-ocr/", "--json")
        say(root, f"{folder}.batch", "batch", folder, "-o", f"{folder}-batch/", "--json")
    say(root, "png", "batch", "good", "-o", "good-png/{name}.png")
    made = [f"good-batch/{Path(name).stem}.pdf" for name in GOOD]
    say(root, "merge", "pdf", "merge", *made, "-o", "all.pdf")
    say(root, "rasterize", "pdf", "rasterize", "all.pdf", "-o", "good-pdf/{n}.png", "-r", str(DPI))
    return Place(root, root / "home")


def say(root: Path, name: str, *words: str) -> None:
    """Run a command and keep what it says."""
    environment = {**os.environ, "DWTSVC_HOME": str(root / "home"), "TMPDIR": str(root / "tmp")}
    ran = subprocess.run(
        [DWTSVC, *words], cwd=root, env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=100
    )
    (root / f"{name}.said").write_bytes(ran.stdout)
    assert b"Traceback" not in ran.stderr and b"Internal error" not in ran.stderr


def said_of(place: Place, name: str, file: str) -> list[dict[str, object]]:
    """The lines of JSON in which a command told of an input."""
    lines = [json.loads(line) for line in (place / f"{name}.said").read_text("utf-8").splitlines()]
    return [line for line in lines if file in map(os.path.basename, [line.get("input", ""), *line.get("inputs", ())])]


def looks_right(image: Image.Image) -> bool:
    """Whether it is the base picture, the right way up, at whatever size."""
    if abs(image.width / image.height - SIZE[0] / SIZE[1]) > 0.02:
        return False
    if image.mode == "I;16":  # which Pillow clips instead of scaling it
        image = image.convert("I").point(lambda level: level / 257)
    apart = ImageChops.difference(image.convert("L").resize(SIZE, Image.Resampling.BOX), base())
    return sum(apart.histogram()[96:]) / (SIZE[0] * SIZE[1]) < ALIKE


def drawn(path: Path) -> Image.Image:
    page = pypdfium2.PdfDocument(path)[0]
    image: Image.Image = page.render(scale=SIZE[0] / page.get_width()).to_pil()
    return image


@pytest.mark.parametrize("name", GOOD)
def test_a_barcode_is_read_where_it_is_when_the_picture_is_upright(done: Place, name: str) -> None:
    [line] = said_of(done, "good.barcode", name)
    [code] = line["barcodes"]  # type: ignore[misc]
    left, top = code["corners"]["pixels"][0]
    assert code["text"] == TEXT and left < SIZE[0] / 2 and top < SIZE[1] / 2


@pytest.mark.parametrize("name", GOOD)
def test_ocr_shows_the_picture_as_it_is(done: Place, name: str) -> None:
    assert looks_right(drawn(done / "good-ocr" / f"{Path(name).stem}.pdf"))


@pytest.mark.parametrize("name", GOOD)
def test_a_batch_shows_the_picture_as_it_is_in_a_pdf_and_as_an_image(done: Place, name: str) -> None:
    assert looks_right(drawn(done / "good-batch" / f"{Path(name).stem}.pdf"))
    with Image.open(done / "good-png" / f"{Path(name).stem}.png") as image:
        assert looks_right(image) and image.size == SIZE


def test_the_pages_of_all_of_them_together_are_drawn_as_they_are(done: Place) -> None:
    shown = [Image.open(done / "good-pdf" / f"{number}.png") for number in range(1, len(GOOD) + 1)]
    assert [name for name, image in zip(GOOD, shown, strict=True) if not looks_right(image)] == []


def test_sixteen_bits_stay_sixteen_in_an_image(done: Place) -> None:
    for name in ("gray-16-png", "gray-16-tiff"):
        with Image.open(done / "good-png" / f"{name}.png") as image:
            assert image.mode == "I;16" and image.tobytes() == deep("I;16").tobytes()


@pytest.mark.parametrize("name", BAD)
def test_a_file_is_read_or_has_the_word_of_its_fault(done: Place, name: str) -> None:
    by_barcode, by_ocr, by_batch = BAD[name]
    [line] = said_of(done, "bad.barcode", name)
    assert line.get("error", "") == by_barcode
    told = [str(line["error"]) for line in said_of(done, "bad.ocr", name) if "error" in line]
    assert told == ([by_ocr] if by_ocr else [])
    report = [json.loads(line) for line in (done / "bad-batch/report.jsonl").read_text("utf-8").splitlines()]
    [error] = [line["error"] for line in report if line["input"] == f"bad/{name}"]
    assert (error["word"] if error else "") == by_batch
    assert (done / "bad-batch/quarantine" / f"{name}.error.json").exists() == bool(by_batch)


@pytest.mark.parametrize("name", BAD_PDFS)
def test_a_pdf_is_looked_at_and_drawn_or_the_exit_code_says_why_not(place: Place, name: str) -> None:
    (place / name).write_bytes(KINDS[name]())
    looked = place.run("pdf", "info", name, "--json")
    shown = place.run("pdf", "rasterize", name, "-o", "out-{n}.png", "-r", "50")
    assert (looked.code, shown.code) == BAD_PDFS[name], looked.err + shown.err
    assert place.files() == [name] if shown.code else "out-1.png" in place.files()


def test_nothing_temporary_is_left_by_any_of_them(done: Place) -> None:
    assert os.listdir(done / "tmp") == []
    assert [path.name for path in done.folder.rglob(".*") if "home" not in path.parts] == []
