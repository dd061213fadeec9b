"""The protocol's numbers for what a scanner can do, which are TWAIN's, and the words that stand for them."""

from __future__ import annotations

from enum import IntEnum

from dwtsvc.model import Mode


class Cap(IntEnum):
    XFERCOUNT = 1
    COMPRESSION = 256
    PIXELTYPE = 257
    UNITS = 258
    XFERMECH = 259
    FEEDERENABLED = 4098
    SUPPORTEDCAPS = 4101
    UICONTROLLABLE = 4110
    DEVICEONLINE = 4111
    DUPLEX = 4114
    DUPLEXENABLED = 4115
    CUSTOMDSDATA = 4117
    BRIGHTNESS = 4353
    CONTRAST = 4355
    PHYSICALWIDTH = 4369
    PHYSICALHEIGHT = 4370
    FRAMES = 4372
    XRESOLUTION = 4376
    YRESOLUTION = 4377
    SUPPORTEDSIZES = 4386
    BITDEPTH = 4395


class Con(IntEnum):
    """How a capability holds its values."""

    ARRAY = 3
    ENUMERATION = 4
    ONEVALUE = 5
    RANGE = 6


class Kind(IntEnum):
    """The type of a capability's values."""

    INT16 = 1
    INT32 = 2
    UINT16 = 4
    BOOL = 6
    FIX32 = 7
    FRAME = 8


INCHES, MEMORY, ONE_PASS_DUPLEX = 0, 2, 1
MAX_SIZE = 54

PIXEL_TYPES = {0: Mode.LINEART, 1: Mode.GRAY, 2: Mode.COLOR}
PIXEL_TYPE_OF = {mode: number for number, mode in PIXEL_TYPES.items()}
BIT_DEPTHS = {Mode.LINEART: 1, Mode.GRAY: 8, Mode.COLOR: 24}

PAPERS: dict[int, tuple[float, float]] = {  # mm
    1: (210, 297),  # A4
    2: (182, 257),  # JIS B5
    3: (215.9, 279.4),  # Letter
    4: (215.9, 355.6),  # Legal
    5: (148, 210),  # A5
    6: (250, 353),  # ISO B4
    7: (125, 176),  # ISO B6
    9: (279.4, 431.8),  # Ledger
    10: (184.15, 266.7),  # Executive
    11: (297, 420),  # A3
    12: (353, 500),  # ISO B3
    13: (105, 148),  # A6
    14: (229, 324),  # C4
    15: (162, 229),  # C5
    16: (114, 162),  # C6
    19: (841, 1189),  # A0
    20: (594, 841),  # A1
    21: (420, 594),  # A2
    22: (74, 105),  # A7
    23: (52, 74),  # A8
    29: (176, 250),  # ISO B5
    38: (257, 364),  # JIS B4
    39: (128, 182),  # JIS B6
    52: (139.7, 215.9),  # Statement
    53: (90, 55),  # business card
}
