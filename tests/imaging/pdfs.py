"""PDFs for tests: scans by our own writer, drawings and changes by pikepdf."""

from __future__ import annotations

import io

import pikepdf
from PIL import Image

from dwtsvc.imaging.pdf import PdfWriter

HALF_BLACK = b"0 g 0 0 144 36 re f"


def jpeg_of(image: Image.Image, **how) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **{"quality": 90, **how})
    return file.getvalue()


def scanned(*jpegs: bytes, dpi: float = 100) -> bytes:
    """A PDF as our own writer makes it, a JPEG a page."""
    file = io.BytesIO()
    with PdfWriter(file) as writer:
        for jpeg in jpegs:
            writer.add_jpeg(jpeg, dpi=dpi)
    return file.getvalue()


def drawing(content: bytes = HALF_BLACK, size: tuple[float, float] = (144, 72), **page) -> bytes:
    """A PDF of one page with drawing commands; y counts from below."""
    pdf = pikepdf.new()
    sheet = pdf.add_blank_page(page_size=size)
    sheet.Contents = pdf.make_stream(content)
    for key, value in page.items():
        sheet[f"/{key}"] = value
    return saved(pdf)


def changed(data: bytes, change) -> bytes:
    """The PDF after `change(pdf, page)` of its first page."""
    with pikepdf.open(io.BytesIO(data)) as pdf:
        change(pdf, pdf.pages[0])
        return saved(pdf)


def saved(pdf: pikepdf.Pdf, **how) -> bytes:
    file = io.BytesIO()
    pdf.save(file, **how)
    return file.getvalue()


def locked(data: bytes, password: str) -> bytes:
    with pikepdf.open(io.BytesIO(data)) as pdf:
        return saved(pdf, encryption=pikepdf.Encryption(owner=password, user=password))
