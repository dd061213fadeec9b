"""Several photos or receipts on one glass: the steps that make each of them a page of its own from the same scan."""

from __future__ import annotations

from PIL import Image

from dwtsvc.imaging.sheets import sheets
from dwtsvc.model import Step


def find(image: Image.Image, dpi: float) -> list[list[Step]]:
    """A list of steps for each sheet, in reading order; one empty list where nothing can be told from the lid."""
    return [[sheet.step(*image.size)] for sheet in sheets(image, dpi)] or [[]]
