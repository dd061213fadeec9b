"""`dwtsvc config target` and `dwtsvc config secret`: named places for results, and the secrets that open them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from dwtsvc_cli.verbs import Verbs

if TYPE_CHECKING:
    from dwtsvc.paths import Paths
    from dwtsvc.targets import Target

target_app = typer.Typer(
    cls=Verbs,
    help="Named targets, for `dwtsvc send --to NAME`.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
secret_app = typer.Typer(
    cls=Verbs,
    help="Passwords and tokens of targets, in the keyring or in a file that is yours alone.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
TargetName = Annotated[str, typer.Argument(metavar="NAME", help="The name of a target.")]
SecretName = Annotated[
    str, typer.Argument(metavar="NAME", help="The name of a target, or the host of a URL: the secret is for it.")
]


@target_app.command("list")
def list_targets(json: Json = False) -> None:
    """List the names of the targets."""
    from dwtsvc.targets import named
    from dwtsvc_cli import output

    names = named.names(_paths())
    if json:
        output.say_json({"targets": names})
    else:
        for name in names:
            output.say(name)


@target_app.command("show")
def show_target(name: TargetName, json: Json = False) -> None:
    """Show what a target says, and whether its secret is stored.

    Example: dwtsvc config target show archive
    """
    from dwtsvc.targets import named
    from dwtsvc_cli import output

    target, said = named.target(_paths(), name), named.said(_paths(), name)
    stored = _stored(target)
    if json:
        output.say_json({"name": target.name, "kind": target.kind, **said, "secret_stored": stored})
        return
    for key, value in said.items():
        output.say(f"{key} = {value}")
    if target.secret:
        output.tell(f"Its secret, {target.secret}, is {'stored' if stored else 'not stored'}.")


@target_app.command("save")
def save_target(
    name: TargetName,
    values: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE...", help="What it says: url, user, tags, endpoint, ...")
    ],
) -> None:
    """Make a target, or replace what it says.

    Keys: url; user, secret (the name of one), insecure, ca and timeout; for web forms file_field, token_header and
    form.NAME; for paperless-ngx tags, correspondent, document_type and storage_path; for S3 endpoint, region and
    access_key; for SFTP key and known_hosts. Passwords and tokens are stored by `dwtsvc config secret set NAME`.

    Examples:

      dwtsvc config target save archive url=paperless+https://paperless.example tags=scan

      dwtsvc config target save cloud url=webdav+https://cloud.example/remote.php/dav/files/ada/Scans/ user=ada
    """
    from dwtsvc.targets import named
    from dwtsvc_cli import output

    paths = _paths()
    target = named.save(paths, name, pairs("target", values))
    output.say(f"target {name} saved in {paths.profiles_file}")
    if target.secret and not _stored(target):
        output.tell(f"If it wants a password or token: dwtsvc config secret set '{target.secret}'")


@target_app.command("delete")
def delete_target(name: TargetName) -> None:
    """Delete a target. Its secret stays."""
    from dwtsvc.targets import named
    from dwtsvc_cli import output

    paths = _paths()
    named.delete(paths, name)
    output.say(f"target {name} deleted from {paths.profiles_file}")


@secret_app.command("set")
def set_secret(name: SecretName) -> None:
    """Store a secret: asks for it without showing it, or reads the first line of standard input.

    Example: dwtsvc config secret set archive
    """
    from dwtsvc.secrets import Secrets
    from dwtsvc_cli import output

    where = Secrets.of(_paths()).set(name, _typed(f"Secret for {name}: "))
    output.say(f"secret {name} stored in {'the keyring' if where == 'keyring' else where}")


@secret_app.command("delete")
def delete_secret(name: SecretName) -> None:
    """Delete a secret from the keyring and from the file."""
    from dwtsvc.errors import UnknownItem
    from dwtsvc.secrets import Secrets
    from dwtsvc_cli import output

    if not Secrets.of(_paths()).delete(name):
        raise UnknownItem(f"There is no secret '{name}'")
    output.say(f"secret {name} deleted")


def _paths() -> Paths:
    from dwtsvc.paths import Paths

    return Paths.from_environment(os.environ)


def _stored(target: Target) -> bool:
    from dwtsvc.secrets import Secrets

    return bool(target.secret) and Secrets.of(_paths()).get(target.secret) is not None


def _typed(question: str) -> str:
    if sys.stdin and sys.stdin.isatty():
        import getpass

        return getpass.getpass(question, stream=sys.stderr)
    return (sys.stdin.readline() if sys.stdin else "").rstrip("\r\n")


def pairs(what: str, values: list[str]) -> dict[str, str]:
    """What a target or a profile is to say. A wrong part is not shown: somebody may have written a secret there."""
    from dwtsvc.errors import BadArguments

    found: dict[str, str] = {}
    for each in values:
        key, equals, value = each.partition("=")
        if not equals or key.strip().lower() in found:
            why = f"{key.strip()} is given twice" if equals else "a part of it is not KEY=VALUE"
            raise BadArguments(f"The {what} cannot be saved", why=why)
        found[key.strip().lower()] = value
    return found
