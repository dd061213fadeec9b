"""`dwtsvc cert`: the certificate of the service, and who trusts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from dwtsvc.certs import authority
from dwtsvc.certs.authority import Certificate
from dwtsvc.certs.care import Care, Findings, State, describe, on_this_machine
from dwtsvc.certs.delivery import Trust
from dwtsvc.certs.own import read_own
from dwtsvc.certs.stores import KINDS, discover, this_machine
from dwtsvc.errors import BadArguments, DwtsvcError, FileAccess, MissingDependency, NothingFound
from dwtsvc.paths import Paths
from dwtsvc_cli.output import confirm, say, say_json, tell
from dwtsvc_cli.verbs import Verbs

app = typer.Typer(
    cls=Verbs,
    help="Make the service's certificate, renew it, and have browsers trust it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

LATER = ("firefox", "chromium")  # who installs without a choice means these also where there is none yet
FOR_ALL_USERS = ("firefox-policy", "system")
RESTART = "A browser that is running sees the change after a restart."
TRUSTED, TRUSTED_ALREADY = "trusts it now", "trusts it already"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Stores = Annotated[
    list[str] | None,
    typer.Option("--store", metavar="KIND", help=f"Only stores of this kind: {', '.join(KINDS)}. May be repeated."),
]


@app.command()
def status(json: Json = False) -> None:
    """Show the certificate, when it ends, and which browsers trust it.

    Example: dwtsvc cert status --json
    """
    found = _care().inspect()
    if json:
        say_json(found.plain())
    else:
        _show(found)


@app.command()
def create(json: Json = False) -> None:
    """Make a certificate if there is none, as the service does at its first start.

    Example: dwtsvc cert create
    """
    care = _care()
    before = care.inspect()
    pair = care.ensure()
    made = care.inspect()
    new = made.leaf != before.leaf
    if json:
        say_json({"created": new, "file": str(pair.certificate), **made.plain()})
    else:
        say(f"{pair.certificate} {'made' if new else 'is there already'}")


@app.command()
def renew(
    new_key: Annotated[bool, typer.Option("--new-key", help="Make a new private key, too.")] = False, json: Json = False
) -> None:
    """Renew the certificate now. The service does it by itself when two thirds of its life are over.

    The new authority goes to the stores that you once installed the old one in, and the old one is removed there.

    Example: dwtsvc cert renew
    """
    care = _care()
    warnings = care.renew(new_key=new_key)
    found = care.inspect()
    if json:
        say_json({**found.plain(), "warnings": [*warnings, *found.warnings]})
        return
    for warning in warnings:
        tell(f"warning: {warning}")
    if found.leaf:
        say(f"{care.pair.certificate} renewed, valid until {_day(found.leaf.not_after)}")


@app.command()
def install(store: Stores = None, yes: Yes = False, json: Json = False) -> None:
    """Have the browsers of this user trust the service: show what is added and where, ask, and add it.

    As root it also adds it for all users: to the policy of Firefox and to the system's own store.

    Example: dwtsvc cert install --store firefox --store chromium
    """
    care = _care()
    care.ensure()
    ca = care.authority()
    chosen = _chosen(care.inspect().stores, store)
    open_ = [each for each in chosen if not each.obstacle]
    tell(_introduction(ca, chosen))
    if user := os.environ.get("SUDO_USER"):
        tell(f"warning: this is the authority of root's service, not of the one that {user} runs")
    if any(not each.trusted for each in open_):
        confirm("Trust this authority there, and in stores of these kinds that appear later?", yes)
    kinds = () if store or sys.platform in ("win32", "darwin") else LATER
    results = care.install([each.store for each in open_], kinds)
    rows = [_installed(each, results.get(each.store.where)) for each in chosen]
    if json:
        say_json({"authority": describe(ca), "stores": rows})
    else:
        for row in rows:
            say(f"{row['where']}: {row['result']}{': ' + row['why'] if row['why'] else ''}")
        _tell_of_change({row["result"] for row in rows})
    _raise_first([*results.values(), *_obstacles_that_matter(chosen, bool(store))])


@app.command()
def uninstall(store: Stores = None, yes: Yes = False, json: Json = False) -> None:
    """Take every authority that dwtsvc ever made out of the stores, and do not come back by itself.

    Example: dwtsvc cert uninstall --yes
    """
    care = _care()
    kinds = _checked(store) or list(KINDS)
    stores = [each for each in discover(this_machine(os.environ)) if each.kind in kinds]
    tell(f"To be removed: every authority called '{authority.NAME} ...' from\n{_lines(each.where for each in stores)}")
    confirm("Remove it?", yes)
    results = care.uninstall(stores, kinds)
    rows = [_removed(each.kind, each.where, results[each.where]) for each in stores]
    if json:
        say_json({"stores": rows})
    else:
        for row in rows:
            say(f"{row['where']}: {', '.join(row['removed']) or row['why'] or 'nothing of dwtsvc in it'}")
        if any(row["removed"] for row in rows):
            tell(RESTART)
    _raise_first([each for each in results.values() if isinstance(each, DwtsvcError)])


@app.command()
def replace(
    cert: Annotated[Path, typer.Argument(metavar="CERT", help="PEM file: your certificate, then what signed it.")],
    key: Annotated[Path, typer.Argument(metavar="KEY", help="PEM file: its private key, without a password.")],
    host: Annotated[
        list[str] | None, typer.Option("--host", metavar="NAME", help="A name it must be made for. May be repeated.")
    ] = None,
) -> None:
    """Use a certificate of your own, after checking that it fits. The service never renews or replaces it.

    Without --host it must be made for one of localhost, 127.0.0.1 and ::1.

    Example: dwtsvc cert replace scanner.example.pem scanner.example.key --host scanner.example
    """
    care = _care()
    own = read_own(cert, key, datetime.now(UTC), host)
    care.replace(own.chain, own.key)
    say(f"{care.pair.certificate} is now {cert}, valid until {_day(own.leaf.not_after)}")
    for name in authority.HOSTS:
        if not host and not authority.allows(own.leaf, name):
            tell(f"warning: it is not made for {name}")


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Where to; else standard output.")] = None,
    format_: Annotated[
        str | None, typer.Option("--format", metavar="pem|der", help="The form; else der for FILE.der and FILE.cer.")
    ] = None,
) -> None:
    """Write the authority's certificate, to import it by hand into a browser, or on another machine.

    There is no secret in it. It vouches for localhost, 127.0.0.0/8 and ::1 only.

    Example: dwtsvc cert export dwtsvc-ca.pem
    """
    ca = _care().authority()
    form = _form(file, format_)
    data = ca.pem.encode() if form == "pem" else ca.der()
    if file is None:
        typer.get_binary_stream("stdout").write(data)
        return
    try:
        with open(file, "xb") as new:
            new.write(data)
    except OSError as error:
        raise FileAccess(f"{file} cannot be written", why=error.strerror or str(error)) from error
    say(f"{file}: {ca.name}, SHA-256 {ca.shown_fingerprint}")


def _care() -> Care:
    from dwtsvc import config

    paths = Paths.from_environment(os.environ)
    return on_this_machine(paths, os.environ, hosts=config.load(paths, os.environ).hosts)


def _checked(kinds: list[str] | None) -> list[str]:
    for kind in kinds or ():
        if kind not in KINDS:
            raise BadArguments(f"There is no kind of store '{kind}'", hint=f"Choose among: {', '.join(KINDS)}.")
    return kinds or []


def _chosen(trusts: Sequence[Trust], kinds: list[str] | None) -> list[Trust]:
    for kind in _checked(kinds):
        if not any(each.store.kind == kind for each in trusts):
            raise NothingFound(f"There is no store of the kind '{kind}' here", hint="Start the browser once.")
    return [each for each in trusts if not kinds or each.store.kind in kinds]


def _introduction(ca: Certificate, trusts: Sequence[Trust]) -> str:
    return (
        f"Authority     {ca.name}\n"
        f"SHA-256       {ca.shown_fingerprint}\n"
        f"Vouches for   {', '.join(authority.PERMITTED)}, and nothing else\n"
        f"Valid until   {_day(ca.not_after)}; its key was destroyed after it signed the service's certificate\n"
        f"Stores\n{_lines(_standing(each) for each in trusts) or '  none here yet'}"
    )


def _standing(trust: Trust) -> str:
    place = f"{trust.store.kind}: {trust.store.where}"
    if trust.obstacle:
        return (
            f"{place}  cannot be changed: {trust.obstacle.why or trust.obstacle.what}. {trust.obstacle.hint}".rstrip()
        )
    return f"{place}{f'  {TRUSTED_ALREADY}' if trust.trusted else ''}"


def _lines(texts: Any) -> str:
    return "\n".join(f"  {text}" for text in texts)


def _installed(trust: Trust, fault: DwtsvcError | None) -> dict[str, Any]:
    problem = trust.obstacle or fault
    result = "not changed" if problem else TRUSTED_ALREADY if trust.trusted else TRUSTED
    why, hint = (problem.why or problem.what, problem.hint) if problem else ("", "")
    return {"store": trust.store.kind, "where": trust.store.where, "result": result, "why": why, "hint": hint}


def _tell_of_change(results: set[str]) -> None:
    if TRUSTED in results:
        tell(RESTART)
    elif TRUSTED_ALREADY in results:
        tell("It was trusted already: nothing was changed.")


def _removed(kind: str, where: str, result: Any) -> dict[str, Any]:
    if isinstance(result, DwtsvcError):
        return {"store": kind, "where": where, "removed": [], "why": str(result), "hint": result.hint}
    return {"store": kind, "where": where, "removed": list(result), "why": "", "hint": ""}


def _obstacles_that_matter(trusts: Sequence[Trust], named: bool) -> list[DwtsvcError]:
    """A program that is missing, and what was asked for by name. A store for root is no fault of another user."""
    obstacles = [each.obstacle for each in trusts if each.obstacle]
    alone = len(obstacles) == len(trusts)
    return [each for each in obstacles if named or alone or isinstance(each, MissingDependency)]


def _raise_first(faults: Sequence[DwtsvcError | None]) -> None:
    for fault in faults:
        if fault:
            raise fault


def _form(file: Path | None, form: str | None) -> str:
    form = form or ("der" if file and file.suffix.lower() in (".der", ".cer") else "pem")
    if form not in ("pem", "der"):
        raise BadArguments(f"There is no form '{form}'", hint="Choose pem or der.")
    return form


def _show(found: Findings) -> None:
    rows = [("state", str(found.state)), ("made by", {"user": "you"}.get(found.owner, str(found.owner)))]
    if found.leaf:
        rows += [("hosts", ", ".join(found.leaf.hosts)), ("valid until", _day(found.leaf.not_after))]
        rows += [("renewed", f"by the service after {_day(found.leaf.renew_after)}")] if found.authority else []
        rows += [("SHA-256", found.leaf.shown_fingerprint)]
    if found.authority:
        rows += [("authority", found.authority.name), ("its SHA-256", found.authority.shown_fingerprint)]
    for name, value in rows:
        say(f"{name:12}  {value}")
    for trust in found.stores:
        say(f"{_word(trust):12}  {trust.store.kind}: {trust.store.where}")
    for warning in found.warnings:
        tell(f"warning: {warning}")
    _advise(found)


def _word(trust: Trust) -> str:
    return "trusted" if trust.trusted else "removed" if trust.removed else "cannot" if trust.obstacle else "not trusted"


def _advise(found: Findings) -> None:
    if found.state is State.MISSING:
        tell("There is no certificate yet: run `dwtsvc cert create`, or start the service.")
    elif any(not each.trusted and each.store.kind not in FOR_ALL_USERS for each in found.stores):
        tell("Have the browsers trust it: run `dwtsvc cert install`.")
    missing = [each.obstacle for each in found.stores if isinstance(each.obstacle, MissingDependency)]
    for fault in missing[:1]:
        tell(f"{fault}. {fault.hint}")


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d")
