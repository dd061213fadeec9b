"""PDFs that lie, go in circles or are locked, and good ones of every build for mutation."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator

import pikepdf

Made = tuple[str, bytes]


def pdf(*objects: bytes, trailer: bytes = b"/Root 1 0 R", start: int | None = None) -> bytes:
    """Objects numbered from 1, with a cross-reference table that fits."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    at = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d %b >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(places) + 1,
        trailer,
        at if start is None else start,
    )
    return bytes(out)


def stream(data: bytes, words: bytes = b"") -> bytes:
    return b"<< %b /Length %d >>\nstream\n%b\nendstream" % (words, len(data), data)


CATALOG, PAGES = b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"


def paged(page: bytes, *more: bytes, **how: bytes) -> bytes:
    return pdf(CATALOG, PAGES, b"<< /Type /Page /Parent 2 0 R %b >>" % page, *more, **how)  # type: ignore[arg-type]


def drawn(content: bytes, words: bytes = b"", *more: bytes) -> bytes:
    return paged(b"/MediaBox [0 0 100 100] /Contents 4 0 R " + words, stream(content), *more)


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(b"0 0 m " * 2**17) for _ in range(size // (6 * 2**17))) + packer.flush()


def locked(**how: object) -> bytes:
    made = pikepdf.new()
    made.add_blank_page(page_size=(100, 100))
    file = io.BytesIO()
    made.save(file, encryption=pikepdf.Encryption(**{"user": "secret", "owner": "own", **how}))
    return file.getvalue()


def image(words: bytes, data: bytes) -> bytes:
    return drawn(
        b"100 0 0 100 0 0 cm /I Do",
        b"/Resources << /XObject << /I 5 0 R >> >>",
        stream(data, b"/Type /XObject " + words),
    )


SOUND_IMAGE = b"/Subtype /Image /ColorSpace /DeviceGray /BitsPerComponent 8 "

BAD_PDFS: dict[str, Callable[[], bytes]] = {
    "empty.pdf": lambda: b"",
    "header-only.pdf": lambda: b"%PDF-1.7\n",
    "no-pages.pdf": lambda: pdf(CATALOG, b"<< /Type /Pages /Kids [] /Count 0 >>"),
    "no-page-tree.pdf": lambda: pdf(b"<< /Type /Catalog >>"),
    "says-a-billion-pages.pdf": lambda: pdf(
        CATALOG,
        b"<< /Type /Pages /Kids [3 0 R] /Count 1000000000 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
    ),
    "says-minus-pages.pdf": lambda: pdf(
        CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count -7 >>", b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
    ),
    "page-tree-in-a-circle.pdf": lambda: pdf(
        CATALOG,
        b"<< /Type /Pages /Kids [3 0 R 2 0 R] /Count 2 >>",
        b"<< /Type /Pages /Kids [2 0 R] /Count 1 /Parent 2 0 R >>",
    ),
    "parent-in-a-circle.pdf": lambda: pdf(
        CATALOG, b"<< /Type /Pages /Kids [3 0 R] /Count 1 /Parent 2 0 R >>", b"<< /Type /Page /Parent 2 0 R >>"
    ),
    "length-in-a-circle.pdf": lambda: paged(
        b"/MediaBox [0 0 9 9] /Contents 4 0 R", b"<< /Length 4 0 R >>\nstream\nx\nendstream"
    ),
    "table-in-a-circle.pdf": lambda: paged(b"/MediaBox [0 0 9 9]", trailer=b"/Root 1 0 R /Prev 9"),
    "table-at-nonsense.pdf": lambda: paged(b"/MediaBox [0 0 9 9]", start=2**40),
    "reference-to-itself.pdf": lambda: pdf(b"1 0 R"),
    "nested-arrays.pdf": lambda: paged(b"/MediaBox [0 0 9 9] /Odd " + b"[" * 20_000 + b"]" * 20_000),
    "nested-dictionaries.pdf": lambda: paged(b"/MediaBox [0 0 9 9] /Odd " + b"<< /A " * 5_000 + b"1" + b" >>" * 5_000),
    "huge-page.pdf": lambda: paged(b"/MediaBox [0 0 1000000000 1000000000]"),
    "long-page.pdf": lambda: paged(b"/MediaBox [0 0 10 14400000]"),
    "page-of-no-size.pdf": lambda: paged(b"/MediaBox [5 5 5 5]"),
    "page-of-words.pdf": lambda: paged(b"/MediaBox [/a /b (c) null]"),
    "page-of-huge-units.pdf": lambda: paged(b"/MediaBox [0 0 100 100] /UserUnit 100000000"),
    "page-without-a-box.pdf": lambda: paged(b""),
    "turned-by-nonsense.pdf": lambda: paged(b"/MediaBox [0 0 9 9] /Rotate 1e30"),
    "bomb-content.pdf": lambda: paged(
        b"/MediaBox [0 0 9 9] /Contents 4 0 R", stream(bomb(2**26), b"/Filter /FlateDecode")
    ),
    "bomb-of-bombs.pdf": lambda: paged(
        b"/MediaBox [0 0 9 9] /Contents 4 0 R",
        stream(zlib.compress(bomb(2**26)), b"/Filter [/FlateDecode /FlateDecode]"),
    ),
    "form-draws-itself.pdf": lambda: drawn(
        b"/F Do",
        b"/Resources << /XObject << /F 5 0 R >> >>",
        stream(
            b"/F Do /F Do", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /F 5 0 R >> >>"
        ),
    ),
    "unclosed.pdf": lambda: drawn(b"q " * 200_000 + b"BT (" + b"(" * 1000),
    "huge-image.pdf": lambda: image(SOUND_IMAGE + b"/Width 100000 /Height 100000", b"\0"),
    "image-bomb.pdf": lambda: image(
        SOUND_IMAGE + b"/Width 9 /Height 9 /Filter /FlateDecode", zlib.compress(bytes(2**26))
    ),
    "image-of-no-size.pdf": lambda: image(SOUND_IMAGE + b"/Width 0 /Height -3", b""),
    "image-without-size.pdf": lambda: image(b"/Subtype /Image", b"abc"),
    "half-a-jpeg.pdf": lambda: image(
        SOUND_IMAGE + b"/Width 90 /Height 90 /Filter /DCTDecode", b"\xff\xd8\xff\xe0\0\x10JFIF\0"
    ),
    "fax-of-nonsense.pdf": lambda: image(
        SOUND_IMAGE + b"/Width 9 /Height 99999 /Filter /CCITTFaxDecode /DecodeParms << /K -1 /Columns 2000000000 >>",
        b"\x55" * 90,
    ),
    "unknown-filter.pdf": lambda: image(SOUND_IMAGE + b"/Width 9 /Height 9 /Filter /Nonsense", b"abc"),
    "external-stream.pdf": lambda: image(SOUND_IMAGE + b"/Width 9 /Height 9 /F (/etc/passwd)", b""),
    "metadata-not-utf-8.pdf": lambda: paged(
        b"/MediaBox [0 0 9 9]",
        b"<< /Title (\xff\xfe\xd8\x00) /Author <FEFFD83D> /Keywords 7 /CreationDate (D:9) >>",
        trailer=b"/Root 1 0 R /Info 4 0 R",
    ),
    "metadata-of-control-signs.pdf": lambda: paged(
        b"/MediaBox [0 0 9 9]", b"<< /Title (a\\033[2Jb\\000c\\r\\n) >>", trailer=b"/Root 1 0 R /Info 4 0 R"
    ),
    "xmp-not-xml.pdf": lambda: pdf(
        b"<< /Type /Catalog /Pages 2 0 R /Metadata 4 0 R >>",
        PAGES,
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
        stream(b"<x:xmpmeta>\xff\xfe<!ENTITY", b"/Type /Metadata /Subtype /XML"),
    ),
    "xmp-bomb.pdf": lambda: pdf(
        b"<< /Type /Catalog /Pages 2 0 R /Metadata 4 0 R >>",
        PAGES,
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
        stream(
            b"<!DOCTYPE l [<!ENTITY a 'aaaaaaaaaa'>"
            + b"".join(b"<!ENTITY %c '%b'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
            + b"]><l>&j;</l>",
            b"/Type /Metadata /Subtype /XML",
        ),
    ),
    "locked.pdf": locked,
    "locked-rc4.pdf": lambda: locked(R=3, aes=False, metadata=False),
    "open-to-all.pdf": lambda: locked(user=""),
    "lock-of-nonsense.pdf": lambda: paged(
        b"/MediaBox [0 0 9 9]", trailer=b"/Root 1 0 R /Encrypt << /Filter /Standard /V 99 /R -1 >> /ID [() ()]"
    ),
    "lock-of-another.pdf": lambda: paged(
        b"/MediaBox [0 0 9 9]", trailer=b"/Root 1 0 R /Encrypt << /Filter /Adobe.PubSec >>"
    ),
    "object-stream-in-itself.pdf": lambda: pdf(
        CATALOG,
        PAGES,
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
        stream(b"4 0 5 3 << >> << >>", b"/Type /ObjStm /N 2000000000 /First 8 /Extends 4 0 R"),
    ),
}


def good_pdfs(jpeg: bytes, made: pikepdf.Pdf) -> Iterator[Made]:
    """One page with a JPEG, text and metadata, saved in several ways. Locked by RC4 only: AES draws random bytes."""
    page = made.add_blank_page(page_size=(200, 150))
    picture = made.make_stream(jpeg)
    picture.Type, picture.Subtype, picture.Filter = pikepdf.Name.XObject, pikepdf.Name.Image, pikepdf.Name.DCTDecode
    picture.Width, picture.Height, picture.BitsPerComponent = 120, 90, 8
    picture.ColorSpace = pikepdf.Name.DeviceRGB
    font = pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica)
    page.Resources = pikepdf.Dictionary(XObject={"/I": picture}, Font={"/F": font})
    page.Contents = made.make_stream(b"q 100 0 0 75 0 0 cm /I Do Q BT /F 12 Tf 20 120 Td (Some text) Tj ET")
    made.docinfo["/Title"] = "A title"
    streams = pikepdf.ObjectStreamMode
    ways: dict[str, dict[str, object]] = {
        "table": {"object_stream_mode": streams.disable},
        "streams": {"object_stream_mode": streams.generate, "compress_streams": True},
        "linear": {"linearize": True},
        "locked-rc4": {"encryption": pikepdf.Encryption(user="", owner="own", R=3, aes=False, metadata=False)},
    }
    for name, how in ways.items():
        file = io.BytesIO()
        made.save(file, static_id=True, **how)  # type: ignore[arg-type]
        yield f"{name}.pdf", file.getvalue()
