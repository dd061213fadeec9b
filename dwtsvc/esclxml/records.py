"""What eSCL documents say, as records. Lengths are millimetres here, and 1/300 inch in the documents."""

from __future__ import annotations

from dataclasses import dataclass

from dwtsvc.model import MM_PER_INCH, Area, Mode, Range, Source

UNITS = 300 / MM_PER_INCH
VERSION = "2.6"
JPEG, PNG, PDF = "image/jpeg", "image/png", "application/pdf"

MODES = {"RGB24": Mode.COLOR, "Grayscale8": Mode.GRAY, "BlackAndWhite1": Mode.LINEART}
WORDS = {mode: word for word, mode in MODES.items()}
TUNINGS = {  # our names of what can be tuned, and the scanner's; "Support" at the end says what is allowed
    "brightness": "Brightness",
    "contrast": "Contrast",
    "compression": "CompressionFactor",
    "gamma": "Gamma",
    "highlight": "Highlight",
    "noise-removal": "NoiseRemoval",
    "shadow": "Shadow",
    "sharpen": "Sharpen",
    "threshold": "Threshold",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One place for paper: its modes, the MIME types of its documents, and its largest area in mm."""

    source: Source
    modes: tuple[Mode, ...]
    formats: tuple[str, ...]
    resolutions: tuple[int, ...] | Range
    max_width: float
    max_height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """A number that can be set; `name` is a key of TUNINGS."""

    name: str
    minimum: int
    maximum: int
    normal: int
    step: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """ScannerCapabilities. `uuid` is in small letters, or empty where the device tells none."""

    version: str = VERSION
    vendor: str = ""
    model: str
    serial: str = ""
    uuid: str = ""
    inputs: tuple[Input, ...]
    tunings: tuple[Tuning, ...] = ()
    admin_url: str = ""
    icon_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """A job of the scanner; `path` is that of its address, `state` and `reasons` are the scanner's words."""

    path: str
    state: str
    reasons: tuple[str, ...] = ()
    completed: int = 0
    waiting: int = 0  # pages that are there and were not fetched
    age: int = 0  # seconds since something last happened to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """ScannerStatus in the scanner's words: Idle, Processing...; `feeder` is ScannerAdfLoaded..., or empty."""

    state: str
    feeder: str = ""
    jobs: tuple[JobStatus, ...] = ()
    version: str = VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """ScanSettings: what is asked of a scanner. `format` is a MIME type; tunings are (key of TUNINGS, number).

    The mode AUTO and the resolution 0 leave it to the scanner.
    """

    source: Source
    mode: Mode
    resolution: int
    format: str
    area: Area | None = None
    tunings: tuple[tuple[str, int], ...] = ()
    version: str = VERSION
