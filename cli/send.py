"""`dwtsvc send`: files go on to targets and programs; what could not be delivered waits and is tried again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dwtsvc_cli import options

if TYPE_CHECKING:
    from dwtsvc.errors import DwtsvcError
    from dwtsvc.paths import Paths
    from dwtsvc.targets import Facts, Receipt
    from dwtsvc.targets.outbox import Carry, Outbox, Waiting

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def send(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="The files to send; after --retry and --forget, ids of deliveries."),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="TARGET", help="The name of a target, a URL, or a folder. May be repeated."),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help="Run this for each file, after it was sent; {file}, {name} and {title} in it are filled in.",
        ),
    ] = None,
    exec_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="How long the command may run.")
    ] = 300.0,
    title: Annotated[str, typer.Option(metavar="TEXT", help="The title of the document.")] = "",
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag of the document. May be repeated.")
    ] = None,
    correspondent: Annotated[str, typer.Option(metavar="NAME", help="From whom the document is.")] = "",
    asn: Annotated[int | None, typer.Option(metavar="NUMBER", min=0, help="The archive serial number.")] = None,
    created: Annotated[str, typer.Option(metavar="DATE", help="When the document was made, YYYY-MM-DD.")] = "",
    retry: Annotated[bool, typer.Option("--retry", help="Try what waits again: all of it, or the named ids.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="List the deliveries that wait.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Give up the deliveries of the named ids.")] = False,
    no_keep: Annotated[
        bool, typer.Option("--no-keep", help="Keep no copy of a file that could not be delivered.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each delivery.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Send files on to a folder, a web site, a store or a program.

    A file that could not be delivered is kept, and `dwtsvc send --retry` tries again. One that failed does not stop
    the others; the exit code is the one of the first error.

    Examples:

      dwtsvc send letter.pdf --to archive --title "Letter of May" --tag post

      dwtsvc send *.pdf --to paperless+https://paperless.example

      dwtsvc send letter.pdf --to /srv/scans --exec 'lp {file}'

      dwtsvc send --retry
    """
    from dwtsvc.paths import Paths
    from dwtsvc.targets import Facts
    from dwtsvc.targets.outbox import Outbox

    paths, words = Paths.from_environment(os.environ), list(files or [])
    work = _Work(paths, json=json, quiet=quiet)
    if [retry, waiting, forget, bool(to or command)].count(True) != 1:
        _refuse_choice()
    if waiting:
        _list(Outbox.of(paths), json=json)
    elif forget:
        _forget(Outbox.of(paths), words, quiet=quiet)
    elif retry:
        work.retry(words)
    else:
        facts = Facts(title=title, created=_date(created), tags=tuple(tags or ()), correspondent=correspondent, asn=asn)
        work.send([Path(each) for each in words], to or [], facts, command, exec_timeout, keep=not no_keep)
    raise typer.Exit(work.code)


class _Work:
    """What is done for one command line, and told; `code` is the exit code of the first error."""

    def __init__(self, paths: Paths, *, json: bool, quiet: bool) -> None:
        self._paths, self._json, self._quiet = paths, json, quiet
        self.code = 0

    def send(
        self, files: list[Path], to: list[str], facts: Facts, command: str | None, seconds: float, *, keep: bool
    ) -> None:
        from dwtsvc.errors import BadArguments
        from dwtsvc.targets import parse
        from dwtsvc.targets.hook import Hook

        if not files:
            raise BadArguments("No file was named", hint="For example: dwtsvc send letter.pdf --to /srv/scans")
        for each in to:
            parse(each, self._paths)  # before anything is sent
        hook = Hook(command, seconds) if command else None
        for file in files:
            sent = [self._send(file, each, facts, keep=keep) for each in to]
            if hook and all(sent):
                self._run(hook, file, facts)

    def retry(self, starts: list[str]) -> None:
        from dwtsvc.errors import DwtsvcError
        from dwtsvc.targets.outbox import Outbox

        outbox = Outbox.of(self._paths)
        ids = [outbox.find(each) for each in starts] or [each.id for each in outbox.waiting()]
        names = {each.id: (each.file, each.target) for each in outbox.waiting()}
        for id in ids:
            file, target = names[id]
            try:
                self._say(file, outbox.retry(id, self._carry()))
            except DwtsvcError as error:
                self._fail(error, file, target, id)

    def _send(self, file: Path, to: str, facts: Facts, *, keep: bool) -> bool:
        from dwtsvc.errors import DwtsvcError
        from dwtsvc.secrets import Secrets
        from dwtsvc.targets import new_id, parse, send
        from dwtsvc.targets.outbox import Outbox

        id, outbox = new_id(), Outbox.of(self._paths)
        try:
            if keep:
                receipt = outbox.deliver(id, _absolute(to), file, facts, self._carry())
            else:
                receipt = send(parse(to, self._paths), file, facts, secrets=Secrets.of(self._paths))
        except DwtsvcError as error:
            self._fail(error, str(file), to, id if keep and outbox.has(id) else "")
            return False
        self._say(str(file), receipt)
        return True

    def _run(self, hook: Any, file: Path, facts: Facts) -> None:
        from dwtsvc.errors import DwtsvcError, FileAccess
        from dwtsvc_cli import output

        try:
            if not file.is_file():
                raise FileAccess(f"{file} cannot be read", why="there is no such file")
            hook.run(file, facts)
        except DwtsvcError as error:
            self._fail(error, str(file), "--exec", "")
            return
        if self._json:
            output.say_json({"event": "executed", "file": str(file)})

    def _carry(self) -> Carry:
        """Delivers what an outbox hands over; the target is looked up anew, for it may have been corrected."""
        from dwtsvc.secrets import Secrets
        from dwtsvc.targets import parse, send

        def carry(waiting: Waiting, file: Path) -> Receipt:
            target = parse(waiting.target, self._paths)
            secrets = Secrets.of(self._paths)
            return send(target, file, waiting.facts, secrets=secrets, id=waiting.id, name=waiting.name)

        return carry

    def _say(self, file: str, receipt: Receipt) -> None:
        from dwtsvc.records import pack
        from dwtsvc_cli import output

        if self._json:
            output.say_json({"event": "sent", "file": file, **pack(receipt)})
        elif not self._quiet:
            output.say(f"{file} -> {receipt.location}" + (" (was there already)" if receipt.already_there else ""))

    def _fail(self, error: DwtsvcError, file: str, target: str, id: str) -> None:
        from dwtsvc_cli import output
        from dwtsvc_cli.main import report

        self.code = self.code or error.exit_code
        if self._json:
            told = {"error": error.word, "code": error.exit_code, "what": error.what, "why": error.why}
            event = {"event": "error", "file": file, "target": target, **told, "hint": error.hint}
            output.say_json({**event, "waiting": id or None})
            return
        report(error, json=False)
        if id:
            output.tell(f"  {file} waits as {id[:8]}: dwtsvc send --retry")


def _list(outbox: Outbox, *, json: bool) -> None:
    from dwtsvc.records import pack
    from dwtsvc_cli import output

    for each in outbox.waiting():
        if json:
            output.say_json({"event": "waiting", **pack(each)})
        else:
            output.say(f"{each.id[:8]}  {each.since}  {each.file} -> {each.target}  ({each.problem})")


def _forget(outbox: Outbox, starts: list[str], *, quiet: bool) -> None:
    from dwtsvc.errors import BadArguments
    from dwtsvc_cli import output

    if not starts:
        raise BadArguments("No delivery was named", hint="`dwtsvc send --waiting` lists the ids.")
    for id in [outbox.find(each) for each in starts]:
        gone = outbox.forget(id)
        if not quiet:
            output.say(f"{id[:8]} forgotten: {gone.file}")


def _refuse_choice() -> None:
    from dwtsvc.errors import BadArguments

    raise BadArguments(
        "It is not said what to do",
        hint="Give --to or --exec with files, or one of --retry, --waiting and --forget.",
    )


def _date(text: str) -> str:
    from datetime import datetime

    from dwtsvc.errors import BadArguments

    try:
        if text:
            datetime.fromisoformat(text)
    except ValueError:
        raise BadArguments(f"--created cannot be '{text}'", hint="Write it as 2026-05-31.") from None
    return text


def _absolute(to: str) -> str:
    """A folder by its whole path: the delivery may be tried again from somewhere else."""
    from dwtsvc.targets import is_address

    return str(Path(to.removeprefix("folder:")).expanduser().absolute()) if is_address(to) and "://" not in to else to
