"""What goes wrong at scanners of every kind: the error, what it is called, and what to do next."""

from __future__ import annotations

from dwtsvc.errors import CoverOpen, DriverError, FeederEmpty, MultiFeed, NoScanner, PaperJam, ScannerBusy

Mishap = tuple[type[DriverError], str, str]

JAM: Mishap = (PaperJam, "Paper jam", "Clear the feeder, then scan the remaining pages.")
EMPTY: Mishap = (FeederEmpty, "The feeder is empty", "Load paper, or use --source flatbed or --wait-paper SECONDS.")
COVER: Mishap = (CoverOpen, "The scanner's cover is open", "Close it, then scan again.")
BUSY: Mishap = (ScannerBusy, "The scanner is busy", "Wait until the other program is done, then scan again.")
DOUBLE: Mishap = (
    MultiFeed,
    "Several sheets were fed at once",
    "Straighten the stack, then scan the remaining pages.",
)
SILENT: Mishap = (NoScanner, "The scanner does not answer", "Check its cable and power, then scan again.")


def told(mishap: Mishap, why: str) -> DriverError:
    """Its error with the driver's own word for it."""
    kind, what, hint = mishap
    return kind(what, why=why, hint=hint)
