"""The welcome page's sections, from what the service knows of itself. All of it is there without a script."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dwtsvc.errors import DwtsvcError
from dwtsvc.server.markup import Markup, element, joined

if TYPE_CHECKING:
    from dwtsvc.server.gate.grants import Grant
    from dwtsvc.server.service import Service

_LOGGED = {0: "nothing", 1: "errors and events", 14: "details", 30: "all details"}
_GOOD, _WARN, _BAD = "good", "warn", "bad"
_DOORS = {"open": ("open", _GOOD), "taken": ("taken", _WARN), "failed": ("failed", _BAD)}
_JOBS = {"faulted": _BAD, "running": _GOOD, "completed": _GOOD}
_CERTIFICATE = {
    "valid": ("valid", _GOOD),
    "ending": ("ends soon", _WARN),
    "expired": ("expired", _BAD),
    "not yet valid": ("not yet valid: is this computer's clock right?", _BAD),
    "missing": ("missing", _BAD),
    "broken": ("cannot be used", _BAD),
}
_STORES = {
    "firefox": "Firefox",
    "firefox-policy": "Firefox, all users",
    "chromium": "Chromium and Chrome",
    "system": "This system",
    "macos": "macOS keychain",
    "windows": "Windows certificate store",
}


def sections(service: Service) -> dict[str, Markup]:
    """The values of the page's template, by their names. Blocking: it reads the file of consents."""
    status = {**service.status(), "ports": [door.record() for door in service.doors]}
    grants, fault = _grants(service)
    certificate = status["certificate"] or {}
    return {
        "version": Markup(status["version"]),
        "attention": _attention(service, status, certificate, fault),
        "status": _status(status),
        "devices": _devices(status["devices"], looking=service.scanners.looking),
        "doors": _doors(status["ports"]),
        "origins": _origins(service, grants),
        "certificate": _certificate(certificate),
        "jobs": _jobs(status["jobs"]),
        "log": _log(status["log_level"], changeable=service.settings.enable_web_setup),
        "next": _next(status, certificate),
    }


def _grants(service: Service) -> tuple[Sequence[Grant], str]:
    try:
        return service.consent.grants(), ""
    except DwtsvcError as error:
        return (), f"The list of web sites cannot be read: {error}. {error.hint}"


def _attention(service: Service, status: Mapping[str, Any], certificate: Mapping[str, Any], fault: str) -> Markup:
    """What a person should know first; nothing if all is well. A site that waits for an answer comes before faults."""
    waiting = [
        element(
            "li", element("a", element("code", each.origin), " asks to use the scanners", href=f"/consent#{each.id}")
        )
        for each in service.consent.pending()
    ]
    said = [*([fault] if fault else []), *status["warnings"], *certificate.get("warnings", ())]
    said += [_door_fault(door) for door in status["ports"] if door["state"] != "open"]
    said += [f"A scanner driver reports: {error}. {error.hint}".strip() for error in service.scanners.errors]
    if not (waiting or said):
        return Markup("")
    rows = joined(*waiting, *(element("li", each) for each in said))
    heading = element("h2", "Needs your attention", id="attention-title")
    return element("div", heading, element("ul", rows), class_="card notice")


def _door_fault(door: Mapping[str, Any]) -> str:
    if door["state"] == "taken":
        return f"Port {door['port']} of {door['host']} is taken by {door['holder'] or 'another program'}."
    return f"{_address(door)} does not work{_because(door)}."


def _because(door: Mapping[str, Any]) -> str:
    return f": {door['reason']}" if door.get("reason") else ""


def _status(status: Mapping[str, Any]) -> Markup:
    monitor = status["monitor_pid"]
    return _facts(
        ("Running since", _time(status["started"])),
        ("Version", status["version"]),
        ("Process", str(status["pid"])),
        ("Monitor", f"process {monitor}, starts it again after a crash" if monitor else "none"),
    )


def _devices(devices: Sequence[Mapping[str, Any]], *, looking: bool) -> Markup:
    if not devices and looking:
        return element("p", "Looking for scanners: every driver is being asked…", class_="muted")
    if not devices:
        return element("p", "No scanner was found. Connect one, switch it on and look again.", class_="muted")
    rows = [
        element("li", element("strong", each["name"] or each["id"]), _virtual(each), element("code", each["id"]))
        for each in devices
    ]
    return element("ul", *rows, class_="things")


def _virtual(device: Mapping[str, Any]) -> Markup:
    return _badge("virtual, for trying out", "") if device["virtual"] else Markup("")


def _doors(doors: Sequence[Mapping[str, Any]]) -> Markup:
    if not doors:
        return element("p", "The service does not say where it listens.", class_="muted")
    rows = [(_addresses(alike), _door_state(alike[0])) for alike in _alike(doors)]
    return _table(("Address", "State"), rows)


def _alike(doors: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The doors of one port are shown as one where there is the same to say of them."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for door in doors:
        key = tuple(door.get(name, "") for name in ("scheme", "port", "state", "holder", "reason"))
        groups.setdefault(key, []).append(door)
    return list(groups.values())


def _addresses(alike: Sequence[Mapping[str, Any]]) -> Markup:
    first = element("code", _address(alike[0]), class_="address")
    others = ", ".join(each["host"] for each in alike[1:])
    return joined(first, " ", element("span", f"and {others}", class_="muted")) if others else first


def _door_state(door: Mapping[str, Any]) -> Markup:
    word, kind = _DOORS[door["state"]]
    holder = f" by {door['holder']}" if door["holder"] else ""
    return joined(_badge(word, kind), f"{holder}{_because(door)}")


def _address(door: Mapping[str, Any]) -> str:
    host = f"[{door['host']}]" if ":" in door["host"] else door["host"]
    return f"{door['scheme']}://{host}:{door['port']}"


def _origins(service: Service, grants: Iterable[Grant]) -> Markup:
    setup = service.settings.enable_web_setup
    rows = [_origin(each, setup) for each in grants]
    rows += [_once(origin, scopes) for origin, scopes in service.consent.once()]
    rows += [
        element("li", element("code", each), element("span", "allowed by the configuration file", class_="muted"))
        for each in service.settings.access_control_allow_origin
    ]
    if rows:
        return element("ul", *rows, class_="things")
    return element("p", "No web site may use your scanners. One that wants to has to ask you first.", class_="muted")


def _origin(grant: Grant, setup: bool) -> Markup:
    allowed = grant.decision == "always"
    what = "may " + ", ".join(grant.scopes) if allowed else "refused for good"
    undo = _forget(grant.origin) if setup else _command(f"dwtsvc origins revoke {grant.origin}")
    return element(
        "li",
        element("code", grant.origin),
        _badge(what, _GOOD if allowed else _BAD),
        element("span", "since ", _time(grant.since), class_="muted"),
        undo,
    )


def _once(origin: str, scopes: Iterable[str]) -> Markup:
    return element(
        "li",
        element("code", origin),
        _badge("may " + ", ".join(scopes), _GOOD),
        element("span", "until ten minutes after its pages are closed", class_="muted"),
        _forget(origin),
    )


def _forget(origin: str) -> Markup:
    return element("button", "Forget", type="button", hidden=True, data_revoke=origin, aria_label=f"Forget {origin}")


def _certificate(found: Mapping[str, Any]) -> Markup:
    if not found:
        return element("p", "The service has no certificate, and so no encrypted addresses.", class_="muted")
    word, kind = _CERTIFICATE.get(found["state"], (found["state"], _WARN))
    leaf = found["certificate"] or {}
    facts: list[tuple[str, str]] = [("State", _badge(word, kind))]
    if leaf:
        facts += [("Valid until", _time(leaf["not_after"])), ("For", ", ".join(leaf["hosts"]))]
        facts += [("Fingerprint", element("code", leaf["fingerprint"], class_="long"))]
    facts += [("Made by", "dwtsvc, renewed by itself" if found["owner"] != "user" else "yourself, never changed here")]
    return joined(_facts(*facts), _stores(found["stores"]))


def _stores(stores: Sequence[Mapping[str, Any]]) -> Markup:
    if not stores:
        return Markup("")
    rows = [(_store(each), _trust(each)) for each in stores]
    return _table(("Trusted by", "State"), rows)


def _store(store: Mapping[str, Any]) -> Markup:
    return element("span", _STORES.get(store["store"], store["store"]), title=store["where"])


def _trust(store: Mapping[str, Any]) -> Markup:
    if store["trusted"]:
        return _badge("trusted", _GOOD)
    if store["removed"]:
        return _badge("removed by you", "")
    return joined(_badge("not trusted", _WARN), f" {store['why']}" if store["why"] else "")


def _jobs(jobs: Sequence[Mapping[str, Any]]) -> Markup:
    if not jobs:
        return element("p", "No scan is under way.", class_="muted")
    rows = [
        (
            element("code", each["device"] or "scanner"),
            each["origin"] or "a program",
            _badge(each["state"], _JOBS.get(each["state"], "")),
        )
        for each in jobs
    ]
    return _table(("Scanner", "For", "State"), rows)


def _log(level: int, *, changeable: bool) -> Markup:
    if not changeable:
        said = joined("It holds ", element("strong", _LOGGED.get(level, str(level))), ". Read it with:")
        change = element("p", "Change what it holds, from the next start on:")
        return joined(element("p", said), _command("dwtsvc logs"), change, _command("dwtsvc config set LogLevel 14"))
    options = [
        element("option", f"{number}: {word}", value=str(number), selected=number == level)
        for number, word in _LOGGED.items()
    ]
    label = element("label", "How much is logged", for_="log-level")
    return element("p", label, " ", element("select", *options, id="log-level", disabled=True))


def _next(status: Mapping[str, Any], certificate: Mapping[str, Any]) -> Markup:
    trusted = [each for each in certificate.get("stores", ()) if each["trusted"]]
    http = next((each for each in status["ports"] if each["scheme"] == "http" and each["state"] == "open"), None)
    steps = [_step("Scan a page into a PDF.", "dwtsvc scan -o letter.pdf")]
    if not trusted and certificate:
        steps.append(_step("Let your browsers trust the encrypted addresses.", "dwtsvc cert install"))
    if http:
        steps.append(
            _step("Ask for the scanners from a program of yours.", f"curl {_address(http)}/api/device/scanners")
        )
    steps.append(_step("Something does not work? Have it looked into.", "dwtsvc doctor"))
    return element("ol", *steps, class_="steps")


def _step(what: str, command: str) -> Markup:
    return element("li", element("p", what), _command(command))


def _command(text: str) -> Markup:
    """A command to type. The button to copy it works with a script only, and is shown by it."""
    button = element("button", "Copy", type="button", hidden=True, data_copy=text, aria_label=f"Copy: {text}")
    return element("div", element("code", text, tabindex="0"), button, class_="command")


def _facts(*facts: tuple[str, str]) -> Markup:
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    return element("dl", *rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    heading = element("tr", *(element("th", each, scope="col") for each in head))
    body = [element("tr", *(element("td", cell) for cell in row)) for row in rows]
    return element("table", element("thead", heading), element("tbody", *body))


def _badge(word: str, kind: str) -> Markup:
    return element("span", word, class_=f"badge {kind}".strip())


def _time(text: str) -> Markup:
    """A time for people who have no script to put it into their own zone."""
    when = datetime.fromisoformat(text).astimezone(UTC)
    return element("time", f"{when.day} {when:%B %Y, %H:%M} UTC", datetime=when.isoformat(timespec="seconds"))
