"""The command `dwtsvc`: finds the subcommand, runs it, and turns errors into messages and exit codes."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dwtsvc.errors import DwtsvcError

# Each command lives in a module of its own, imported only when it is run. The help is said here too, so that
# `dwtsvc --help` imports none of them; a test holds it equal to the command's own first line.
COMMANDS = {
    "scan": "Scan pages into files.",
    "pdf": "Put PDFs together and take them apart, protect them, and look into them.",
    "devices": "List the scanners and what they can do.",
    "ocr": "Read the text of images and PDFs.",
    "batch": "Work on many files: read, clean, split, name and send them on.",
    "barcode": "Read the barcodes of images and PDFs.",
    "send": "Send files on to a folder, a web site, a store or a program.",
    "serve": "Run the service that browsers and programs on this machine scan through.",
    "status": "Show whether the service runs, where it answers, and what it does.",
    "logs": "Show what the service wrote into its log.",
    "doctor": "Find out why scanning does not work, and show the command that mends it.",
    "install-service": "Have the service start by itself, or no longer.",
    "config": "Show, check and change the settings and the scan profiles.",
    "origins": "List, allow and revoke the web sites that may use the service.",
    "token": "Show or replace the token that lets programs use the service.",
    "cert": "Make the service's certificate, renew it, and have browsers trust it.",
}

GARBAGE_AFTER = 50_000  # objects made and not freed, before cycles among them are looked for

SUMMARY = """Scan documents from the command line, from scripts and from the browser.

Examples:

  dwtsvc scan -o letter.pdf

  dwtsvc devices

  dwtsvc scan --help
"""


def main() -> None:
    """The entry point of the installed command."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:  # answered before anything else is imported
        from dwtsvc.version import __version__

        print(f"dwtsvc {__version__}")
        return
    # Loading makes many objects and hardly a cycle: looking for one after every 700 of them costs 4 ms.
    gc.set_threshold(GARBAGE_AFTER)
    if arguments[:1] == ["scan"]:
        _warm_up(arguments)
    code = run(arguments)
    with contextlib.suppress(OSError, AttributeError):  # a reader that went away, or no stream at all
        sys.stdout.flush()
        sys.stderr.flush()
    # Not sys.exit: every file and process is closed, and taking the loaded libraries down costs 20 ms.
    os._exit(code)


def _warm_up(arguments: list[str]) -> None:
    """Let the driver that will most likely be asked start while the rest of the program is loaded.

    A guess from the bare words: it costs nothing if it is wrong, because a worker that is not used leaves by itself.
    """
    if {"-h", "--help", "--recover", "--recover-id"}.isdisjoint(arguments):
        import itertools

        from dwtsvc import devices

        named = [value for flag, value in itertools.pairwise(arguments) if flag in ("-d", "--device")]
        devices.prepare(named[-1].partition(":")[0] if named else "sane")


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    from dwtsvc.errors import Cancelled, DwtsvcError

    try:
        command()(args=arguments, prog_name="dwtsvc")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    except DwtsvcError as error:
        return report(error, json="--json" in arguments)
    except KeyboardInterrupt:
        return report(Cancelled("Cancelled"), json="--json" in arguments)
    except BrokenPipeError:  # the reader of our output went away, which is its right
        sys.stdout = None
        return 0
    except Exception as error:
        return report(_unexpected(error), json="--json" in arguments)
    return 0


def report(error: DwtsvcError, *, json: bool) -> int:
    """Tell an error: what failed, why, what to do next; as a JSON line on standard output if that was asked for."""
    if json:
        from dwtsvc_cli.output import say_json

        said = {"event": "error", "error": error.word, "code": error.exit_code}
        say_json({**said, "what": error.what, "why": error.why, "hint": error.hint})
    else:
        print(f"dwtsvc: {error}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
    return error.exit_code


def _unexpected(error: Exception) -> DwtsvcError:
    """A fault of ours. The traceback is for those who ask for it."""
    from dwtsvc.errors import DwtsvcError

    if os.environ.get("DWTSVC_TRACEBACK"):
        raise error
    return DwtsvcError(
        "Internal error",
        why=f"{type(error).__name__}: {error}",
        hint="Please report it, with the output of the same command under DWTSVC_TRACEBACK=1.",
    )


def command() -> Any:
    """The tree of commands as an object of Typer's click; subcommands are loaded when they are asked for."""
    import typer
    from typer.core import TyperGroup

    class Commands(TyperGroup):
        """Loads a subcommand on its first use."""

        def list_commands(self, ctx: Any) -> list[str]:
            return list(COMMANDS)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            if cmd_name in COMMANDS and cmd_name not in self.commands:
                self.commands[cmd_name] = _load(cmd_name)
            return self.commands.get(cmd_name)

        def format_commands(self, ctx: Any, formatter: Any) -> None:
            with formatter.section("Commands"):
                formatter.write_dl(list(COMMANDS.items()))

    app = typer.Typer(
        cls=Commands,
        help=SUMMARY,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def version(value: bool) -> None:
        if value:
            from dwtsvc.version import __version__

            print(f"dwtsvc {__version__}")
            raise typer.Exit

    def exit_codes(value: bool) -> None:
        if value:
            from dwtsvc.errors import exit_codes

            for code, meaning in exit_codes():
                print(f"{code:3}  {meaning}")
            raise typer.Exit

    @app.callback()
    def options(
        _version: bool = typer.Option(False, "--version", callback=version, is_eager=True, help="Show the version."),
        _codes: bool = typer.Option(
            False, "--exit-codes", callback=exit_codes, is_eager=True, help="List the exit codes and their meaning."
        ),
    ) -> None:
        pass

    return typer.main.get_command(app)


def _load(name: str) -> Any:
    """Import a command's module and make its command."""
    import importlib

    import typer

    loaded: Any = typer.main.get_command(importlib.import_module(f"dwtsvc_cli.{name.replace('-', '_')}").app)
    loaded.name = name
    return loaded


if __name__ == "__main__":
    main()
