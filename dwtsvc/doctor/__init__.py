"""The doctor: looks at everything a scan may fail of, one check a cause, changes nothing, and says what mends it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from dwtsvc.doctor.patient import Finding, Patient, State, failed
from dwtsvc.errors import BadArguments, DwtsvcError

__all__ = ["CHECKS", "Check", "Finding", "Patient", "State", "examine"]

Examination = Callable[[Patient], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A check by its name: what it looks at, and the module whose function of the same name does."""

    name: str
    looks_at: str
    room: str = field(repr=False)

    def load(self) -> Examination:
        module = importlib.import_module(f"dwtsvc.doctor.{self.room}")
        found: Examination = getattr(module, self.name.replace("-", "_"))
        return found


def _table(*checks: Check) -> dict[str, Check]:
    return {check.name: check for check in checks}


CHECKS = _table(
    Check("installed", "The version, Python, and whether each package that is needed can be loaded.", "service"),
    Check("configuration", "Whether the configuration files are understood.", "service"),
    Check("folders", "Whether the folders can be written to and are closed to others.", "disks"),
    Check("disk", "Whether there is room for pages.", "disks"),
    Check("running", "Whether the service runs and answers.", "service"),
    Check("monitor", "Whether the service crashed, and whether its monitor waits before the next start.", "service"),
    Check("ports", "Each port of the service, and who holds one that is taken.", "service"),
    Check("proxy", "Whether a proxy stands between programs and this machine itself.", "service"),
    Check("certificate", "Whether there is a certificate, and whether it is valid now.", "certificates"),
    Check("trust", "Which browsers trust the certificate.", "certificates"),
    Check("origin", "Which web sites may use the service; with --origin, whether that one may.", "browsers"),
    Check("local-network", "Whether browsers let web sites talk to programs on this machine.", "browsers"),
    Check("driver", "Whether SANE is there, and what it says.", "scanners"),
    Check("scanners", "Which scanners are found, also in the network.", "scanners"),
    Check("rights", "Whether this user may use each scanner at USB, and the right that is missing.", "scanners"),
    Check("tesseract", "Whether Tesseract is there, and its languages.", "engines"),
    Check("barcodes", "Whether the libraries that read barcodes can be loaded.", "engines"),
)


def examine(patient: Patient, names: Iterable[str] = ()) -> Iterator[Finding]:
    """The findings of the named checks, or of all, as they come. Raises BadArguments for a name that is none.

    A check that cannot be done to its end is a failed finding of its own: it keeps no other from being done.
    """
    chosen = list(dict.fromkeys(names)) or list(CHECKS)
    for name in chosen:
        if name not in CHECKS:
            raise BadArguments(f"There is no check '{name}'", hint=f"There are: {', '.join(CHECKS)}.")
    for name in chosen:
        yield from _done(CHECKS[name], patient)


def _done(check: Check, patient: Patient) -> Iterator[Finding]:
    try:
        yield from check.load()(patient)
    except DwtsvcError as error:
        yield failed(check.name, str(error), advice=error.hint)
    except (OSError, ValueError) as error:
        yield failed(check.name, f"It could not be looked at: {error}")
