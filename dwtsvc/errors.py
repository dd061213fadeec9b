"""Every error dwtsvc raises: one tree, each class with its exit code, HTTP status, service code and machine word.

    DwtsvcError                     70 internal
      NothingFound                   1 nothing-found
        UnknownItem                  1 unknown-item
          UnknownJob                 1 unknown-job
            JobDeleted               1 job-deleted
      BadArguments                   2 bad-arguments
        WrongMethod                  2 wrong-method
        WrongState                   2 wrong-state
        TooLarge                     2 too-large
        UnknownCoding                2 unknown-coding
      MissingDependency              3 missing-dependency
      BadInput                       4 bad-input
        PageDamaged                  4 page-damaged
      FileAccess                     5 file-access
      AlreadyHasText                 6 already-has-text
      ChildProgramFailed             7 child-program-failed
      Encrypted                      8 encrypted
        WrongPassword                8 wrong-password
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
        ServiceRestarted            41 service-restarted
      ServiceRefused                42 service-refused
        OriginNotAllowed            42 origin-not-allowed
        TokenNeeded                 42 token-needed
        TooMany                     42 too-many
      PortInUse                     43 port-in-use
      DoNotRestart                  78 do-not-restart
      Cancelled                    130 cancelled

The exit codes are a promise to scripts: a number keeps its meaning for ever. The service codes are the negative numbers
of the protocol's error objects, published for the product that the service is compatible with. 3 and 5 to 10 mean what
they mean in OCRmyPDF. The man page, README and `dwtsvc --exit-codes` print this table; nothing repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial


class DwtsvcError(Exception):
    """What failed (`what`), the cause in the words of whoever reported it (`why`), what to do next (`hint`)."""

    exit_code = 70
    http_status = 500
    service_code = -1001
    word = "internal"
    meaning = "internal error, please report it"

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what, why, hint)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what

    def __reduce__(self) -> tuple[partial[DwtsvcError], tuple[()]]:
        return partial(type(self), self.what, why=self.why, hint=self.hint), ()


class NothingFound(DwtsvcError):
    exit_code, http_status, word = 1, 404, "nothing-found"
    service_code = -1040
    meaning = "nothing found, or files differ"


class UnknownItem(NothingFound):
    """No such job, document, page or buffer, or it is somebody else's: the answers are the same."""

    word = "unknown-item"


class UnknownJob(UnknownItem):
    word = "unknown-job"
    service_code = -1034


class JobDeleted(UnknownJob):
    http_status, word = 410, "job-deleted"


class BadArguments(DwtsvcError):
    exit_code, http_status, word = 2, 400, "bad-arguments"
    service_code = -2113
    meaning = "bad arguments"


class WrongMethod(BadArguments):
    http_status, word = 405, "wrong-method"
    service_code = -2112


class WrongState(BadArguments):
    http_status, word = 409, "wrong-state"
    service_code = -1011


class TooLarge(BadArguments):
    http_status, word = 413, "too-large"
    service_code = -2313


class UnknownCoding(BadArguments):
    http_status, word = 415, "unknown-coding"


class MissingDependency(DwtsvcError):
    exit_code, http_status, word = 3, 501, "missing-dependency"
    meaning = "a needed engine, language or library is missing"


class BadInput(DwtsvcError):
    exit_code, http_status, word = 4, 422, "bad-input"
    service_code = -1036
    meaning = "bad or unsupported input"


class PageDamaged(BadInput):
    http_status, word = 500, "page-damaged"
    service_code = -1036


class FileAccess(DwtsvcError):
    exit_code, http_status, word = 5, 500, "file-access"
    service_code = -1018
    meaning = "a file cannot be read or written"


class AlreadyHasText(DwtsvcError):
    exit_code, http_status, word = 6, 422, "already-has-text"
    meaning = "the input already has text"


class ChildProgramFailed(DwtsvcError):
    exit_code, http_status, word = 7, 500, "child-program-failed"
    meaning = "a child program failed"


class Encrypted(DwtsvcError):
    exit_code, http_status, word = 8, 422, "encrypted"
    service_code = -1120
    meaning = "the input is encrypted"


class WrongPassword(Encrypted):
    http_status, word = 403, "wrong-password"
    service_code = -1043


class BadConfiguration(DwtsvcError):
    exit_code, http_status, word = 9, 500, "bad-configuration"
    meaning = "bad configuration"


class InvalidOutput(DwtsvcError):
    exit_code, http_status, word = 10, 500, "invalid-output"
    meaning = "the output could not be made valid"


class DriverError(DwtsvcError):
    """The scanner or its driver reported a fault; `why` carries the driver's own word, `driver` its name where it is
    known."""

    driver = ""
    exit_code, http_status, word = 29, 502, "driver-error"
    service_code = -1005
    meaning = "the driver reported an error"


class NoScanner(DriverError):
    exit_code, http_status, word = 20, 404, "no-scanner"
    service_code = -1003
    meaning = "no scanner"


class ScannerBusy(DriverError):
    exit_code, http_status, word = 21, 423, "scanner-busy"
    service_code = -1004
    meaning = "the scanner is busy"


class FeederEmpty(DriverError):
    exit_code, http_status, word = 22, 409, "feeder-empty"
    service_code = -1035
    meaning = "the feeder is empty"


class PaperJam(DriverError):
    exit_code, http_status, word = 23, 409, "paper-jam"
    service_code = -1020
    meaning = "paper jam"


class CoverOpen(DriverError):
    exit_code, http_status, word = 24, 409, "cover-open"
    meaning = "the cover is open"


class MultiFeed(DriverError):
    exit_code, http_status, word = 25, 409, "multi-feed"
    service_code = -1021
    meaning = "several sheets were fed at once"


class DeviceLost(DriverError):
    exit_code, http_status, word = 26, 502, "device-lost"
    service_code = -1023
    meaning = "the scanner was lost or its driver crashed"


class DeviceTimeout(DriverError):
    exit_code, http_status, word = 27, 504, "device-timeout"
    service_code = -1023
    meaning = "the scanner did not answer in time"


class NoRightToScanner(DriverError):
    exit_code, http_status, word = 28, 403, "no-right-to-scanner"
    meaning = "no right to use the scanner"


class IncompletePage(DriverError):
    exit_code, http_status, word = 30, 502, "incomplete-page"
    meaning = "a page ended before all its rows came"


class DiskFull(DwtsvcError):
    exit_code, http_status, word = 40, 507, "disk-full"
    service_code = -1022
    meaning = "the disk is full"


class ServiceNotRunning(DwtsvcError):
    exit_code, http_status, word = 41, 503, "service-not-running"
    service_code = -2308
    meaning = "the service is not running"


class ServiceRestarted(ServiceNotRunning):
    """Told of a job that the service was taken away from."""

    http_status, word = 409, "service-restarted"
    service_code = -2614


class ServiceRefused(DwtsvcError):
    exit_code, http_status, word = 42, 403, "service-refused"
    service_code = -2800
    meaning = "the service refused the request"


class OriginNotAllowed(ServiceRefused):
    word = "origin-not-allowed"
    service_code = -2137


class TokenNeeded(ServiceRefused):
    http_status, word = 401, "token-needed"


class TooMany(ServiceRefused):
    http_status, word = 429, "too-many"
    service_code = -2007


class PortInUse(DwtsvcError):
    exit_code, http_status, word = 43, 500, "port-in-use"
    meaning = "a port is in use"


class DoNotRestart(DwtsvcError):
    exit_code, http_status, word = 78, 500, "do-not-restart"
    meaning = "do not restart (for service managers)"


class Cancelled(DwtsvcError):
    exit_code, http_status, word = 130, 409, "cancelled"
    service_code = -1032
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
