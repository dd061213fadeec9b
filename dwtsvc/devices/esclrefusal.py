"""What a scanner's refusals mean: its status codes and the words of its feeder, as our errors."""

from __future__ import annotations

from time import monotonic

from dwtsvc.devices.esclhttp import NEVER, Answer, Link, patiently
from dwtsvc.errors import (
    CoverOpen,
    DriverError,
    FeederEmpty,
    MultiFeed,
    NoRightToScanner,
    PaperJam,
    ScannerBusy,
)

EMPTY = "ScannerAdfEmpty"
_TROUBLES: dict[str, tuple[type[DriverError], str, str]] = {
    "ScannerAdfJam": (PaperJam, "The paper is jammed", "Take the sheet out and scan again."),
    "ScannerAdfMispick": (PaperJam, "The feeder could not take the sheet", "Straighten the stack and scan again."),
    "ScannerAdfHatchOpen": (CoverOpen, "The cover of the feeder is open", "Close it and scan again."),
    "ScannerAdfMultipickDetected": (
        MultiFeed,
        "Several sheets were fed at once",
        "Separate the sheets and scan again.",
    ),
    "ScannerAdfDuplexPageTooShort": (DriverError, "The page is too short for both sides", "Scan one side only."),
    "ScannerAdfDuplexPageTooLong": (DriverError, "The page is too long for both sides", "Scan one side only."),
    "ScannerAdfInputTrayFailed": (DriverError, "The tray of the feeder failed", "Look at the scanner."),
    "ScannerAdfInputTrayOverloaded": (DriverError, "There are too many sheets in the feeder", "Take some out."),
}


def check_feeder(feeder: str) -> None:
    """Raise what is wrong with the feeder, if its word says that something is."""
    if feeder in _TROUBLES:
        error, what, hint = _TROUBLES[feeder]
        raise error(what, why=feeder, hint=hint)


def awake(link: Link, path: str, within: float) -> Answer:
    """An answer other than 503, which scanners say while they wake up."""
    deadline = monotonic() + within
    while (answer := link.ask("GET", path)).status == 503 and monotonic() < deadline:
        patiently(NEVER, answer.retry_after(link.limits.wait))
    if answer.status == 503:
        raise ScannerBusy(f"{link.name} is busy", why="503 all the time", hint="Wait until it is done.")
    return answer


def accepted(link: Link, answer: Answer) -> bytes:
    if answer.status in (401, 403):
        raise no_right(link, answer.status)
    if answer.status != 200:
        raise refusal(link, answer.status, "")
    return answer.body


def no_right(link: Link, status: int) -> NoRightToScanner:
    hint = "Allow scanning from this machine in the scanner's own settings."
    return NoRightToScanner(f"{link.name} lets nobody scan without a right", why=str(status), hint=hint)


def refusal(link: Link, status: int, state: str) -> DriverError:
    return DriverError(f"{link.name} refused", why=f"{status} {state}".strip(), hint="Try other settings, or later.")


def feeder_empty(why: str) -> FeederEmpty:
    return FeederEmpty("The feeder is empty", why=why, hint="Load paper, or scan from the flatbed.")
