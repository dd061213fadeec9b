"""Sizes of paper by name."""

from __future__ import annotations

from dwtsvc.kinds import PAPERS

NAMES = {"card": "ID card"}
PRINTS = {  # what lies on a glass besides, width and height in mm
    "9 x 13 photo": (89.0, 127.0),
    "10 x 15 photo": (102.0, 152.0),
    "13 x 18 photo": (127.0, 178.0),
    "DL envelope": (110.0, 220.0),
}
TOLERANCE_MM = 3.0  # scanners feed askew, and scissors cut so


def page_size(width_mm: float, height_mm: float, tolerance_mm: float = TOLERANCE_MM) -> str | None:
    """The name of the nearest size, upright or sideways, whose sides are both that near; None if there is none."""
    found = [(_apart(width_mm, height_mm, *sides), name) for name, sides in _sizes().items()]
    distance, name = min(found)
    return name if distance <= tolerance_mm else None


def _sizes() -> dict[str, tuple[float, float]]:
    papers = {NAMES.get(name, name.upper() if len(name) == 2 else name.title()): mm for name, mm in PAPERS.items()}
    return papers | PRINTS


def _apart(width: float, height: float, *sides: float) -> float:
    return max(abs(one - other) for one, other in zip(sorted((width, height)), sorted(sides), strict=True))
