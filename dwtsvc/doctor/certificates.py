"""Checks of the certificate, and of who trusts it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dwtsvc.certs.care import Care, Findings, State
from dwtsvc.certs.delivery import Trust
from dwtsvc.certs.pair import Owner
from dwtsvc.certs.stores import KINDS, discover
from dwtsvc.doctor.patient import Finding, Patient, failed, ok, skipped, warning

FOR_ALL_USERS = ("firefox-policy", "system")  # who installs for one user does without
REPLACE = "dwtsvc cert replace CERT KEY"


def _inspected(patient: Patient) -> Findings:
    return Care(patient.paths, lambda: discover(patient.machine), hosts=patient.hosts).inspect()


def certificate(patient: Patient) -> Iterator[Finding]:
    found = _inspected(patient)
    yield _standing(found)
    for said in found.warnings if found.state is State.VALID else ():
        yield warning("certificate", said, command="dwtsvc cert status")


def _standing(found: Findings) -> Finding:
    name, leaf, own = "certificate", found.leaf, found.owner is Owner.USER
    begins, ends = (leaf.not_before, leaf.not_after) if leaf else (None, None)
    command = REPLACE if own else "dwtsvc cert renew"
    match found.state:
        case State.VALID:
            return ok(name, f"Valid until {_day(ends)}, made by {'you' if own else 'dwtsvc'}")
        case State.MISSING:
            return failed(name, "There is none", command="dwtsvc cert create")
        case State.ENDING:
            return warning(name, f"It ends soon, on {_day(ends)}", advice=_by_itself(own), command=command)
        case State.EXPIRED:
            return failed(name, f"It has expired on {_day(ends)}", advice=_by_itself(own), command=command)
        case State.NOT_YET_VALID:
            advice = "Set this machine's clock; if the clock is right, renew the certificate."
            return failed(name, f"It is not valid before {_day(begins)}", advice=advice, command=command)
        case State.BROKEN:
            found_ = "It cannot be read, or the key beside it is another one's"
            return failed(name, found_, command=REPLACE if own else "dwtsvc cert renew --new-key")


def _by_itself(own: bool) -> str:
    return "It is your own, and only you can get a new one." if own else "A service that runs renews it by itself."


def _day(moment: Any) -> str:
    return moment.strftime("%Y-%m-%d") if moment else "an unknown day"


def trust(patient: Patient) -> Iterator[Finding]:
    """One finding for each browser's store; what all users share only where it is installed."""
    found = _inspected(patient)
    if found.owner is Owner.USER:
        yield skipped("trust", "The certificate is your own: whether browsers trust it depends on who signed it")
        return
    if found.authority is None:
        yield skipped("trust", "There is no certificate yet", command="dwtsvc cert create")
        return
    if not found.stores:
        yield skipped("trust", "No browser has been started here yet", command="dwtsvc cert install")
    policy = any(each.trusted and each.store.kind == "firefox-policy" for each in found.stores)
    for each in found.stores:
        yield _trusted(each, policy)


def _trusted(trust: Trust, by_policy: bool) -> Finding:
    kind = trust.store.kind
    place = f"{KINDS.get(kind, kind)} ({trust.store.where})"
    command = f"dwtsvc cert install --store {kind}"
    if trust.trusted or (by_policy and kind == "firefox"):
        return ok("trust", f"{place}: trusted")
    if kind in FOR_ALL_USERS:
        return skipped("trust", f"{place}: not trusted for all users, which is not needed")
    if trust.obstacle:
        return warning("trust", f"{place}: {trust.obstacle}", advice=trust.obstacle.hint)
    if trust.removed:
        return warning("trust", f"{place}: not trusted, because it was removed there", command=command)
    advice = "Start the browser again afterwards."
    return failed(
        "trust", f"{place}: not trusted, so https://127.0.0.1 shows a warning", advice=advice, command=command
    )
