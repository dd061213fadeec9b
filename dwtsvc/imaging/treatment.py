"""What may be done to a page to make it clean. The record alone: who only hands it on need not load OpenCV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleaning:
    """What may be done to a page; what it does not need is not done to it.

    `dropout` is a colour as the step of that name takes it. `brightness` and `contrast` are percent from -100 to 100.
    """

    deskew: bool = False
    crop: Literal["none", "paper", "content"] = "none"
    despeckle: bool = False
    whiten: bool = False
    edges: bool = False
    holes: bool = False
    mode: Literal["keep", "auto", "gray", "lineart"] = "keep"
    threshold: Literal["otsu", "sauvola"] = "otsu"
    dropout: str = ""
    brightness: int = 0
    contrast: int = 0
    gamma: float = 1.0
