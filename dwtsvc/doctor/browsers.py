"""Checks of what stands between a web site and the service: its consent, and the browser's own permission."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from dwtsvc.doctor import permissions
from dwtsvc.doctor.patient import Finding, Patient, failed, ok, skipped, warning
from dwtsvc.doctor.permissions import FIREFOX, Browser, Decision
from dwtsvc.errors import BadArguments
from dwtsvc.server.gate.access import USUAL
from dwtsvc.server.gate.grants import Grants, canonical

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def origin(patient: Patient) -> Iterator[Finding]:
    """The consent of the user and the configuration. Raises BadArguments for what is no origin."""
    configured = patient.settings.access_control_allow_origin
    if "*" in configured:
        found = "Access-Control-Allow-Origin is *: every web site may use the service"
        yield warning("origin", found, command="dwtsvc config unset Access-Control-Allow-Origin")
    if patient.origin is not None:
        yield _consent(patient, canonical(patient.origin), configured)
        return
    known = sorted({*Grants(patient.paths.state).read(), *configured} - {"*"})
    if known:
        yield ok("origin", f"Decided about: {', '.join(known)}")
    else:
        advice = "`dwtsvc doctor --origin URL` tells about one; a site can ask for it, or you allow it:"
        found = "No web site is allowed yet"
        yield skipped("origin", found, advice=advice, command="dwtsvc origins allow URL")


def _consent(patient: Patient, origin: str, configured: tuple[str, ...]) -> Finding:
    command = f"dwtsvc origins allow {origin}"
    grant = Grants(patient.paths.state).read().get(origin)
    if grant and grant.decision == "never":
        return failed("origin", f"{origin} was refused for good on {grant.since[:10]}", command=command)
    if origin in map(_canonical_or_not, configured):
        return ok("origin", f"{origin} is allowed by Access-Control-Allow-Origin")
    if grant and set(grant.scopes) >= USUAL:
        return ok("origin", f"{origin} is allowed since {grant.since[:10]}")
    if grant and grant.scopes:
        return warning("origin", f"{origin} is allowed to {', '.join(grant.scopes)} only", command=command)
    advice = "If this is a site that you trust with your scanner and what it scans:"
    return failed("origin", f"{origin} is not allowed to use the service", advice=advice, command=command)


def _canonical_or_not(text: str) -> str:
    try:
        return canonical(text)
    except BadArguments:
        return text


def local_network(patient: Patient) -> Iterator[Finding]:
    """The permission of each browser here, as far as its files tell."""
    name = "local-network"
    asked = canonical(patient.origin) if patient.origin is not None else None
    if asked and urlsplit(asked).hostname in LOOPBACK:
        yield ok(name, f"{asked} is on this machine itself and needs no permission")
        return
    if asked and asked.startswith("http://"):
        found = f"{asked} is not encrypted: browsers let no such site talk to this machine, whatever its user says"
        yield failed(name, found, advice="The site must be opened by its https:// address.")
        return
    here = permissions.browsers(patient.machine)
    if not here:
        yield skipped(name, "No browser is installed here")
    for browser in here:
        decided = permissions.decisions(patient.machine, browser)
        yield from [_about(browser, asked, decided)] if asked else _overview(browser, decided)


def _about(browser: Browser, origin: str, decided: list[Decision]) -> Finding:
    found = permissions.about(origin, decided)
    if found is None:
        return _undecided(browser, origin)
    if found.allowed:
        by = f"the policy {found.file}" if found.policy else f"you, in the profile {found.file.parent.name}"
        return ok("local-network", f"{browser.name}: {origin} is let in by {by}")
    return _blocked(browser, found, origin)


def _blocked(browser: Browser, decided: Decision, origin: str) -> Finding:
    if decided.policy:
        found = f"{browser.name}: {origin} is kept out by the policy {decided.file}"
        return failed("local-network", found, advice="Only the administrator of this machine can change it.")
    found = f"{browser.name}: {origin} was refused in the profile {decided.file.parent.name}"
    advice = "On this page of the browser, set 'Apps on device' to Allow:"
    return failed("local-network", found, advice=advice, command=browser.settings_page(origin))


def _undecided(browser: Browser, origin: str) -> Finding:
    if browser is FIREFOX:
        found = f"Firefox: no policy lets {origin} in, so Firefox asks; what was answered is not looked at"
        advice = "Say Allow when it asks; an answer is changed at the sign left of the address."
        return skipped("local-network", found, advice=advice)
    found = f"{browser.name}: nothing is decided about {origin}, so the browser asks"
    return skipped("local-network", found, advice="Say Allow when it asks for 'Apps on device'.")


def _overview(browser: Browser, decided: list[Decision]) -> Iterator[Finding]:
    """Without a site in question: what was refused, for it looks to a site as if there were no service."""
    blocked = [each for each in decided if not each.allowed]
    for each in blocked:
        yield warning(
            "local-network",
            f"{browser.name}: {each.origin} was refused to talk to this machine, in {each.file}",
            command="" if each.policy else browser.settings_page(each.origin),
        )
    if not blocked:
        found = f"{browser.name}: no site was refused to talk to this machine; a new one makes the browser ask"
        yield skipped("local-network", found, advice="`dwtsvc doctor --origin URL` tells about one site.")
