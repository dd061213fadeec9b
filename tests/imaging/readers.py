"""What others read out of a PDF, and how they show it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pypdf
import pypdfium2
import pytest

WITHOUT_END = {"￾": "-", "\x02": "-"}  # what PDFium makes of a hyphen at the end of a line


def pdftotext(path: Path, *how: str) -> str:
    return run("pdftotext", "-enc", "UTF-8", *how, str(path), "-")


def pdftotext_raw(path: Path) -> str:
    return pdftotext(path, "-raw")


def by_pypdf(path: Path) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


def by_pdfium(path: Path) -> str:
    document = pypdfium2.PdfDocument(path)
    text = "\n".join(page.get_textpage().get_text_range() for page in document)
    for mark, hyphen in WITHOUT_END.items():
        text = text.replace(mark, hyphen)
    return text


READERS = [pdftotext, pdftotext_raw, by_pypdf, by_pdfium]


def run(program: str, *arguments: str) -> str:
    """What a program writes; the test is skipped where it is not installed."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    done = subprocess.run([program, *arguments], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def check_by_qpdf(path: Path) -> None:
    assert "No syntax or stream encoding errors" in run("qpdf", "--check", str(path))


def shown_by_pdftoppm(data: bytes, folder: Path, dpi: int = 60) -> bytes:
    path = folder / "shown.pdf"
    path.write_bytes(data)
    run("pdftoppm", "-r", str(dpi), str(path), str(folder / "shown"))
    return b"".join(page.read_bytes() for page in sorted(folder.glob("shown-*.ppm")))
