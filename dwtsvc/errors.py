"""Every error dwtsvc raises: one tree, each class with its exit code, HTTP status and machine word.

    DwtsvcError                     70 internal
      NothingFound                   1 nothing-found
      BadArguments                   2 bad-arguments
      MissingDependency              3 missing-dependency
      BadInput                       4 bad-input
        PageDamaged                  4 page-damaged
      FileAccess                     5 file-access
      AlreadyHasText                 6 already-has-text
      ChildProgramFailed             7 child-program-failed
      Encrypted                      8 encrypted
      BadConfiguration               9 bad-configuration
      InvalidOutput                 10 invalid-output
      DriverError                   29 driver-error
        NoScanner                   20 no-scanner
        ScannerBusy                 21 scanner-busy
        FeederEmpty                 22 feeder-empty
        PaperJam                    23 paper-jam
        CoverOpen                   24 cover-open
        MultiFeed                   25 multi-feed
        DeviceLost                  26 device-lost
        DeviceTimeout               27 device-timeout
        NoRightToScanner            28 no-right-to-scanner
        IncompletePage              30 incomplete-page
      DiskFull                      40 disk-full
      ServiceNotRunning             41 service-not-running
      ServiceRefused                42 service-refused
      PortInUse                     43 port-in-use
      DoNotRestart                  78 do-not-restart
      Cancelled                    130 cancelled

The exit codes are a promise to scripts: a number keeps its meaning for ever. 3 and 5 to 10 mean what
they mean in OCRmyPDF. The man page, README and `dwtsvc --exit-codes` print this table; nothing repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator


class DwtsvcError(Exception):
    """What failed (`what`), the cause in the words of whoever reported it (`why`), what to do next (`hint`)."""

    exit_code = 70
    http_status = 500
    word = "internal"
    meaning = "internal error, please report it"

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what, why, hint)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what


class NothingFound(DwtsvcError):
    exit_code, http_status, word = 1, 404, "nothing-found"
    meaning = "nothing found, or files differ"


class BadArguments(DwtsvcError):
    exit_code, http_status, word = 2, 400, "bad-arguments"
    meaning = "bad arguments"


class MissingDependency(DwtsvcError):
    exit_code, http_status, word = 3, 501, "missing-dependency"
    meaning = "a needed engine, language or library is missing"


class BadInput(DwtsvcError):
    exit_code, http_status, word = 4, 422, "bad-input"
    meaning = "bad or unsupported input"


class PageDamaged(BadInput):
    http_status, word = 500, "page-damaged"


class FileAccess(DwtsvcError):
    exit_code, http_status, word = 5, 500, "file-access"
    meaning = "a file cannot be read or written"


class AlreadyHasText(DwtsvcError):
    exit_code, http_status, word = 6, 422, "already-has-text"
    meaning = "the input already has text"


class ChildProgramFailed(DwtsvcError):
    exit_code, http_status, word = 7, 500, "child-program-failed"
    meaning = "a child program failed"


class Encrypted(DwtsvcError):
    exit_code, http_status, word = 8, 422, "encrypted"
    meaning = "the input is encrypted"


class BadConfiguration(DwtsvcError):
    exit_code, http_status, word = 9, 500, "bad-configuration"
    meaning = "bad configuration"


class InvalidOutput(DwtsvcError):
    exit_code, http_status, word = 10, 500, "invalid-output"
    meaning = "the output could not be made valid"


class DriverError(DwtsvcError):
    """The scanner or its driver reported a fault; `why` carries the driver's own word."""

    exit_code, http_status, word = 29, 502, "driver-error"
    meaning = "the driver reported an error"


class NoScanner(DriverError):
    exit_code, http_status, word = 20, 404, "no-scanner"
    meaning = "no scanner"


class ScannerBusy(DriverError):
    exit_code, http_status, word = 21, 423, "scanner-busy"
    meaning = "the scanner is busy"


class FeederEmpty(DriverError):
    exit_code, http_status, word = 22, 409, "feeder-empty"
    meaning = "the feeder is empty"


class PaperJam(DriverError):
    exit_code, http_status, word = 23, 409, "paper-jam"
    meaning = "paper jam"


class CoverOpen(DriverError):
    exit_code, http_status, word = 24, 409, "cover-open"
    meaning = "the cover is open"


class MultiFeed(DriverError):
    exit_code, http_status, word = 25, 409, "multi-feed"
    meaning = "several sheets were fed at once"


class DeviceLost(DriverError):
    exit_code, http_status, word = 26, 502, "device-lost"
    meaning = "the scanner was lost or its driver crashed"


class DeviceTimeout(DriverError):
    exit_code, http_status, word = 27, 504, "device-timeout"
    meaning = "the scanner did not answer in time"


class NoRightToScanner(DriverError):
    exit_code, http_status, word = 28, 403, "no-right-to-scanner"
    meaning = "no right to use the scanner"


class IncompletePage(DriverError):
    exit_code, http_status, word = 30, 502, "incomplete-page"
    meaning = "a page ended before all its rows came"


class DiskFull(DwtsvcError):
    exit_code, http_status, word = 40, 507, "disk-full"
    meaning = "the disk is full"


class ServiceNotRunning(DwtsvcError):
    exit_code, http_status, word = 41, 503, "service-not-running"
    meaning = "the service is not running"


class ServiceRefused(DwtsvcError):
    exit_code, http_status, word = 42, 403, "service-refused"
    meaning = "the service refused the request"


class PortInUse(DwtsvcError):
    exit_code, http_status, word = 43, 500, "port-in-use"
    meaning = "a port is in use"


class DoNotRestart(DwtsvcError):
    exit_code, http_status, word = 78, 500, "do-not-restart"
    meaning = "do not restart (for service managers)"


class Cancelled(DwtsvcError):
    exit_code, http_status, word = 130, 409, "cancelled"
    meaning = "cancelled"


def tree(root: type[DwtsvcError] = DwtsvcError) -> Iterator[type[DwtsvcError]]:
    """Yield the root and every class below it, parents first."""
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def exit_codes() -> list[tuple[int, str]]:
    """The published table of (exit code, meaning), 0 included, in ascending order."""
    codes = {cls.exit_code: cls.meaning for cls in reversed(list(tree()))}
    return sorted({0: "done", **codes}.items())


def by_word(word: str) -> type[DwtsvcError]:
    """The class that a machine word names; an unknown word is an internal error."""
    return next((cls for cls in tree() if cls.word == word), DwtsvcError)
