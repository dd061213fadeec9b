"""TWAIN for 32 bits: the driver `twain` in a Python of 32 bits, which is all that can load such data sources."""

from __future__ import annotations

from dwtsvc.devices.twain import TwainDriver


def driver() -> TwainDriver:
    return TwainDriver("twain32")
