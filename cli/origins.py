"""`dwtsvc origins`: which web sites may use the service."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dwtsvc_cli.verbs import Verbs

if TYPE_CHECKING:
    from dwtsvc.paths import Paths
    from dwtsvc.server.gate.grants import Grants

app = typer.Typer(
    cls=Verbs,
    help="List, allow and revoke the web sites that may use the service.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Origin = Annotated[str, typer.Argument(metavar="URL", help="The web site, such as https://shop.example.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
SCOPES = "list, scan, read, edit, upload, camera"


@app.command()
def allow(
    url: Origin,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope", "-s", metavar="SCOPE", help=f"What it may do: {SCOPES}. Again for more; else all but camera."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Allow a web site to use the service, at once and for good. What it was allowed before is replaced.

    Examples:

      dwtsvc origins allow https://shop.example

      dwtsvc origins allow http://localhost:8080 --scope list --scope scan --scope read
    """
    from dwtsvc.server.gate.access import USUAL
    from dwtsvc.server.gate.grants import Decision, canonical, scopes_of
    from dwtsvc_cli import output

    scopes = scopes_of(scope or USUAL)
    grant = _grants(create=True).put(canonical(url), scopes, Decision.ALWAYS)
    if json:
        output.say_json({"origin": grant.origin, "scopes": grant.scopes, "decision": grant.decision})
    else:
        output.say(f"{grant.origin} may {', '.join(grant.scopes)}")


@app.command("list")
def list_(json: Json = False) -> None:
    """List the web sites that are allowed or refused, and by whom.

    Those that were allowed once only are known to the running service alone.
    """
    from dwtsvc_cli import output

    rows = _rows()
    if json:
        output.say_json({"origins": rows})
        return
    told = [[str(row["origin"]), str(row["decision"]), ", ".join(row["scopes"]), row["source"]] for row in rows]
    output.table(["Web site", "Decision", "May", "By"], told)


@app.command()
def revoke(url: Origin, json: Json = False) -> None:
    """Forget what was decided about a web site: it must ask again.

    Example: dwtsvc origins revoke https://shop.example
    """
    from dwtsvc.errors import NothingFound
    from dwtsvc.server.gate.grants import canonical
    from dwtsvc_cli import output

    origin = canonical(url)
    removed = _grants(create=False).remove(origin) if _grants(create=False).path.exists() else False
    configured = any(row["origin"] in (origin, "*") and row["source"] != "user" for row in _rows())
    advice = "`dwtsvc config unset Access-Control-Allow-Origin` takes that back." if configured else ""
    if not removed:
        why = "it is allowed by the configuration" if configured else "nothing was decided about it"
        once = "What you allowed once is taken back on the welcome page of the service."
        raise NothingFound(f"{origin} cannot be revoked", why=why, hint=advice or once)
    if json:
        output.say_json({"origin": origin, "revoked": True, "configured": configured})
        return
    output.say(f"{origin} is no longer decided about")
    if configured:
        output.tell(f"It is still allowed by the configuration. {advice}")


def _rows() -> list[dict[str, Any]]:
    """Every decision: the user's, then the configuration's."""
    from dwtsvc.config import load
    from dwtsvc.server.gate.access import Access
    from dwtsvc.server.gate.configured import Configured

    paths = _paths()
    found: list[dict[str, Any]] = [
        {**_shown(grant.origin, grant.decision, grant.scopes, "user"), "since": grant.since}
        for grant in sorted(_grants(create=False).read().values(), key=lambda grant: grant.origin)
    ]
    for origin, scopes in Configured(load(paths, os.environ).settings).listed():
        found.append(_shown(origin, "always", tuple(scope for scope in Access if scope in scopes), "configuration"))
    return found


def _shown(origin: str, decision: str, scopes: tuple[str, ...], source: str) -> dict[str, Any]:
    return {"origin": origin, "decision": decision, "scopes": list(scopes), "source": source}


def _paths() -> Paths:
    from dwtsvc.paths import Paths

    return Paths.from_environment(os.environ)


def _grants(*, create: bool) -> Grants:
    from dwtsvc.server.gate.grants import Grants

    paths = _paths()
    return Grants(paths.create(paths.state) if create else paths.state)
