"""Checks of what reads pages: Tesseract for text, and the libraries for barcodes."""

from __future__ import annotations

from collections.abc import Iterator

from dwtsvc.doctor.patient import Finding, Patient, failed, ok, warning

USUAL = "eng"


def tesseract(patient: Patient) -> Iterator[Finding]:
    name = "tesseract"
    engine = patient.install(
        apt="tesseract-ocr", dnf="tesseract", pacman="tesseract tesseract-data-eng", zypper="tesseract-ocr"
    )
    if patient.programs.find("tesseract") is None:
        yield failed(name, "Tesseract is not installed: no text can be read from pages", command=engine)
        return
    listed = patient.programs.run("tesseract", "--list-langs")
    languages = sorted(set((listed.output or listed.fault).split("\n")[1:]) - {"", "osd"})
    language = patient.install(
        apt="tesseract-ocr-eng", dnf="tesseract-langpack-eng", pacman="tesseract-data-eng", zypper="tesseract-ocr"
    )
    if listed.code:
        said = (listed.fault or listed.output).strip().splitlines()
        yield failed(name, f"Tesseract does not work: {said[-1] if said else listed.code}", command=engine)
    elif not languages:
        yield failed(name, "Tesseract has no language", command=language)
    elif USUAL not in languages:
        yield warning(name, f"Tesseract reads {', '.join(languages)}, but not English", command=language)
    else:
        yield ok(name, f"{_version(patient)} reads {', '.join(languages)}")


def _version(patient: Patient) -> str:
    said = patient.programs.run("tesseract", "--version")
    return (said.output or said.fault).partition("\n")[0].strip() or "Tesseract"


def barcodes(patient: Patient) -> Iterator[Finding]:
    """zxing-cpp brings its own library, zbar is the system's."""
    name = "barcodes"
    try:
        import zxingcpp  # noqa: F401
    except ImportError as error:
        yield failed(name, f"zxing-cpp cannot be loaded: {error}", command="python3 -m pip install zxing-cpp")
    else:
        yield ok(name, "zxing-cpp is there")
    try:
        from pyzbar import pyzbar  # noqa: F401
    except ImportError as error:
        command = patient.install(apt="libzbar0", dnf="zbar", pacman="zbar", zypper="libzbar0", brew="zbar")
        yield warning(name, f"zbar cannot be loaded, which reads blurred retail codes: {error}", command=command)
    else:
        yield ok(name, "zbar is there")
