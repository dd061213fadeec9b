"""Small pages with words on them, as scans of all kinds."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import pikepdf
from PIL import Image, ImageDraw, ImageFont

DPI = 100


def page(*lines: str, mode: str = "L", dpi: int = DPI) -> Image.Image:
    """A page of 120 x 100 mm."""
    image = Image.new("L", (round(120 * dpi / 25.4), round(100 * dpi / 25.4)), 255)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(size=dpi // 5)
    for number, line in enumerate(lines):
        pen.text((dpi * 0.5, dpi * (0.6 + 0.4 * number)), line, fill=0, font=font)
    return image.convert(mode)


def save(path: Path, *pages: Image.Image, **how: object) -> Path:
    """Pages as the kind of file that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".pdf":
        how = {"resolution": DPI, **how}
    more = {"save_all": True, "append_images": list(pages[1:])} if len(pages) > 1 else {}
    pages[0].save(path, dpi=(DPI, DPI), **more, **how)
    return path


def typeset(path: Path, *pages: str) -> Path:
    """A PDF with real text, as programs make it."""
    with pikepdf.new() as pdf:
        font = pdf.make_indirect(
            pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
        )
        for text in pages:
            sheet = pdf.add_blank_page(page_size=(340, 280))
            sheet.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
            sheet.obj.Contents = pdf.make_stream(b"BT /F1 20 Tf 40 200 Td (%s) Tj ET" % text.encode())
        pdf.save(path)
    return path


def bomb(path: Path) -> Path:
    """A PNG that says it has 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(2**20)))
        + chunk(b"IEND", b"")
    )
    return path


def text_of(path: Path) -> str:
    """What pdftotext reads, as one line of words; the file must be a PDF without faults."""
    subprocess.run(["qpdf", "--check", str(path)], check=True, capture_output=True)
    found = subprocess.run(["pdftotext", str(path), "-"], check=True, capture_output=True, text=True)
    return " ".join(found.stdout.split())


def pages_in(path: Path) -> int:
    done = subprocess.run(["qpdf", "--show-npages", str(path)], check=True, capture_output=True)
    return int(done.stdout)


def streams(path: Path) -> list[bytes]:
    """The images of a PDF, as the bytes that it holds, page by page."""
    with pikepdf.open(path) as pdf:
        return [image.read_raw_bytes() for sheet in pdf.pages for image in sheet.get_images().values()]
