"""A barcode in the words of the protocol, which come in two spellings, and in our own."""

from __future__ import annotations

from typing import Any

from dwtsvc.model import Barcode

# The protocol's numbers. A type that it does not know has 0.
FORMATS = {
    "code39": (0x1, "CODE_39"),
    "code128": (0x2, "CODE_128"),
    "code93": (0x4, "CODE_93"),
    "codabar": (0x8, "CODABAR"),
    "itf": (0x10, "ITF"),
    "ean13": (0x20, "EAN_13"),
    "ean8": (0x40, "EAN_8"),
    "upca": (0x80, "UPC_A"),
    "upce": (0x100, "UPC_E"),
    "databar": (0x800, "GS1_DATABAR_OMNIDIRECTIONAL"),
    "databar-expanded": (0x8000, "GS1_DATABAR_EXPANDED"),
    "databar-limited": (0x20000, "GS1_DATABAR_LIMITED"),
    "patch": (0x40000, "PATCHCODE"),
    "micro-pdf417": (0x80000, "MICRO_PDF417"),
    "pdf417": (0x2000000, "PDF417"),
    "qr": (0x4000000, "QR_CODE"),
    "datamatrix": (0x8000000, "DATAMATRIX"),
    "aztec": (0x10000000, "AZTEC"),
    "maxicode": (0x20000000, "MAXICODE"),
    "micro-qr": (0x40000000, "MICRO_QR"),
}
CONFIDENCE = 100  # the engines tell none: what they read passed its checksum
STANDARD_TEXT, PIXELS, RECOGNIZED = 0, 0, 32


def shown(code: Barcode) -> dict[str, Any]:
    """One result. Coordinates are pixels of the page, clockwise from the code's own top left corner."""
    number, word = FORMATS.get(code.type, (0, code.type.upper()))
    place = _place(code, number, word)
    return {
        "BarcodeFormat": number,
        "barcodeFormat": number,
        "BarcodeFormatString": word,
        "barcodeFormatString": word,
        "barcodeFormat_2": 0,
        "barcodeFormatString_2": "No Barcode Format in group 2",
        "BarcodeText": code.text,
        "barcodeText": code.text,
        "BarcodeBytes": list(code.bytes),
        "barcodeBytes": list(code.bytes),
        "LocalizationResult": place,
        "localizationResult": place,
        "detailedResult": {"moduleSize": 0, "startCharsBytes": [], "stopCharsBytes": [], "checkDigitBytes": []},
        "results": [_result(code)],
        "type": code.type,
        "engine": code.engine,
        "identifier": code.identifier,
    }


def _place(code: Barcode, number: int, word: str) -> dict[str, Any]:
    sides = {f"{axis}{at}": corner["xy".index(axis)] for at, corner in enumerate(code.corners, 1) for axis in "xy"}
    points = [f"{x}, {y}" for x, y in code.corners]
    return {
        "ResultPoints": points,
        "resultPoints": points,
        **sides,
        "angle": code.angle,
        "barcodeFormat": number,
        "barcodeFormatString": word,
        "confidence": CONFIDENCE,
        "documentName": "",
        "moduleSize": 0,
        "pageNumber": 0,
        "regionName": "",
        "resultCoordinateType": PIXELS,
        "terminatePhase": RECOGNIZED,
    }


def _result(code: Barcode) -> dict[str, Any]:
    return {
        "bytes": list(code.bytes),
        "clarity": 0,
        "confidence": CONFIDENCE,
        "deformation": 0,
        "resultType": STANDARD_TEXT,
    }


EXAMPLE = shown(
    Barcode(
        text="DWTSVC-0001",
        bytes=b"DWTSVC-0001",
        type="code128",
        corners=((200, 300), (800, 300), (800, 420), (200, 420)),
        angle=0,
        engine="zxing",
        identifier="]C0",
    )
)
