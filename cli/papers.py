"""Man pages and shell completions, written from the commands themselves: `python -m dwtsvc_cli.papers man|completions`.

A developer's tool, not a command of the product. What it writes is checked in, and a test holds it current.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from typer._click import Command, Context, Parameter
from typer._completion_shared import get_completion_script
from typer.core import TyperGroup

from dwtsvc import config, errors
from dwtsvc.paths import HOME_VARIABLE, Paths
from dwtsvc.version import __version__

NAME = "dwtsvc"
COMPLETION_FILES = {
    "bash": f"{NAME}.bash",
    "zsh": f"_{NAME}",
    "fish": f"{NAME}.fish",
    "powershell": f"{NAME}.ps1",
}
_FILE_MEANINGS = {
    "config_file": "Your settings.",
    "system_config_file": "The settings for all users of this machine; yours come before them.",
    "profiles_file": "Your scan profiles.",
    "pages": "Scanned pages until they are written out.",
}
_OTHER_VARIABLES = {
    HOME_VARIABLE: "A folder below which every file of dwtsvc lies, instead of the places under FILES.",
    "DWTSVC_PDF_PASSWORD": "The password of PDFs, for the commands that read, write or encrypt them.",
    "SANE_DEFAULT_DEVICE": "The SANE scanner to use, if the setting device does not name one.",
    "SANE_CONFIG_DIR": "Where SANE looks for its configuration.",
    "XDG_CONFIG_HOME": "Used as the XDG Base Directory Specification says, and likewise its other variables.",
}
_SPECIAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}


def man_pages(root: Command, date: str = "") -> dict[str, str]:
    """File name -> text of the page, one for each command that is not hidden; `date` as YYYY-MM-DD or empty."""
    return {f"{'-'.join(path)}.1": _page(context, path, date) for path, context in _walk(root, [NAME], None)}


def completions() -> dict[str, str]:
    """File name -> script, for bash, zsh, fish and PowerShell."""
    return {file: _completion(shell) for shell, file in COMPLETION_FILES.items()}


def source_date() -> str:
    """The day SOURCE_DATE_EPOCH names, else none: the same source then gives the same page on every day."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%d") if epoch else ""


def write(folder: Path, papers: dict[str, str]) -> None:
    """Make `folder` hold these files and no other papers of ours."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob(f"{NAME}*"), *folder.glob(f"_{NAME}*")]:
        if old.name not in papers:
            old.unlink()
    for name, text in papers.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def _completion(shell: str) -> str:
    script = get_completion_script(prog_name=NAME, complete_var=f"_{NAME.upper()}_COMPLETE", shell=shell) + "\n"
    return _for_autoload(script) if shell == "zsh" else script


def _for_autoload(script: str) -> str:
    """Let the file answer the very TAB that loads it, too.

    zsh makes an autoloaded file the body of the completion function: it runs at every TAB, and Typer's script, which
    only registers another function, would offer nothing at the first. A file that is sourced has to register.
    """
    function = f"_{NAME}_completion"
    definition, register, rest = script.rpartition(f"compdef {function} {NAME}")
    if not register:
        raise ValueError("Typer's script for zsh no longer ends in compdef")
    choice = f'if [[ $funcstack[1] == _{NAME} ]]; then\n  {function} "$@"\nelse\n  {register}\nfi'
    return definition + choice + rest


def _walk(command: Command, path: list[str], parent: Context | None) -> Iterator[tuple[list[str], Context]]:
    context = command.context_class(command, info_name=path[-1], parent=parent, **command.context_settings)
    yield path, context
    for name, child in _children(context):
        yield from _walk(child, [*path, name], context)


def _children(context: Context) -> list[tuple[str, Command]]:
    group = context.command
    if not isinstance(group, TyperGroup):
        return []
    named = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return [(name, child) for name, child in named if child and not child.hidden]


def _page(context: Context, path: list[str], date: str) -> str:
    command = context.command
    text, examples = _split_help(command.help or command.get_short_help_str(400))
    lines = [
        f'.TH {_roff("-".join(path)).upper()} 1 "{date}" "{NAME} {__version__}" "User Commands"',
        ".SH NAME",
        f"{_roff('-'.join(path))} \\- {_roff(command.get_short_help_str(400).rstrip('.'))}",
        ".SH SYNOPSIS",
        *_synopsis(context, path),
        ".SH DESCRIPTION",
        *_prose(text),
        *_explained_arguments(context),
        *_options(context),
        *_commands(context, path),
        *_exit_status(),
        *(_surroundings() if len(path) == 1 else _elsewhere()),
        *_literal("EXAMPLES", examples),
        *_see_also(context, path),
    ]
    return "\n".join(lines) + "\n"


def _synopsis(context: Context, path: list[str]) -> list[str]:
    words = [_argument(each) for each in _arguments(context)]
    if _children(context):
        words += [
            "[\\fICOMMAND\\fR]" if getattr(context.command, "invoke_without_command", False) else "\\fICOMMAND\\fR"
        ]
    return [f"\\fB{_roff(' '.join(path))}\\fR [\\fIOPTIONS\\fR] {' '.join(words)}".rstrip()]


def _argument(parameter: Parameter) -> str:
    """NAME, [NAME] or NAME...; the metavar may already carry brackets or dots."""
    written = (parameter.metavar or parameter.name or "").upper()
    word = f"\\fI{_roff(written.strip('[].'))}\\fR"
    dots = "..." if parameter.nargs != 1 else ""
    return f"{word}{dots}" if parameter.required else f"[{word}]{dots}"


def _arguments(context: Context) -> list[Parameter]:
    return [each for each in context.command.params if each.param_type_name == "argument"]


def _explained_arguments(context: Context) -> list[str]:
    records = [(each, each.get_help_record(context)) for each in _arguments(context)]
    return _tagged("ARGUMENTS", [(_argument(each), _inline(record[1])) for each, record in records if record])


def _options(context: Context) -> list[str]:
    options = [each for each in context.command.get_params(context) if each.param_type_name == "option"]
    records = [each.get_help_record(context) for each in options]
    return _tagged("OPTIONS", [(_names(names), _inline(text)) for names, text in filter(None, records)])


def _names(names: str) -> str:
    """Option names bold, what they take italic."""
    words = [f"\\fB{_roff(word)}\\fR" if flag else f"\\fI{_roff(word)}\\fR" for flag, word in _flags(names)]
    return "".join(words).replace("\\fI, \\fR", ", ").replace("\\fI / \\fR", " / ")


def _flags(names: str) -> Iterator[tuple[bool, str]]:
    for each in re.split(r"((?<![^\s,/])--?[A-Za-z0-9][\w-]*)", names):
        if each:
            yield each.startswith("-"), each


def _commands(context: Context, path: list[str]) -> list[str]:
    children = [(name, child.get_short_help_str(400)) for name, child in _children(context)]
    return _tagged(
        "COMMANDS", [(f"\\fB{_roff('-'.join([*path, name]))}\\fR(1)", _inline(text)) for name, text in children]
    )


def _exit_status() -> list[str]:
    return _tagged("EXIT STATUS", [(f"\\fB{code}\\fR", _inline(meaning)) for code, meaning in errors.exit_codes()])


def _surroundings() -> list[str]:
    """FILES and ENVIRONMENT, from the tables of the settings and of the paths, as on Linux without systemd."""
    paths = Paths.from_environment({"HOME": "/HOME"}, "linux").listing()
    files = [(str(paths[name]).replace("/HOME", "~"), meaning) for name, meaning in _FILE_MEANINGS.items()]
    variables = {each.variable: f"The setting {each.name}. {each.meaning}" for each in config.SETTINGS.values()}
    named = {**variables, **_OTHER_VARIABLES}.items()
    return [
        *_tagged("FILES", [(f"\\fI{_roff(file)}\\fR", _inline(meaning)) for file, meaning in files]),
        *_tagged("ENVIRONMENT", [(f"\\fB{_roff(name)}\\fR", _inline(meaning)) for name, meaning in named]),
    ]


def _elsewhere() -> list[str]:
    return [".SH FILES AND ENVIRONMENT", f"They are the same for all commands; see \\fB{NAME}\\fR(1)."]


def _see_also(context: Context, path: list[str]) -> list[str]:
    pages = ["-".join(path[:-1])] if len(path) > 1 else []
    pages += ["-".join([*path, name]) for name, _ in _children(context)]
    references = [f"\\fB{_roff(page)}\\fR(1)" for page in pages]
    return [".SH SEE ALSO", ",\n".join([*references, "\\fBscanimage\\fR(1)", "\\fBsane\\fR(7)"])]


def _split_help(text: str) -> tuple[str, list[str]]:
    """The help without its examples, and the examples: lines below `Examples:`, or what follows `Example:`."""
    prose: list[str] = []
    examples: list[str] = []
    inside = False
    for line in inspect.cleandoc(text.partition("\f")[0].replace("\b", "")).splitlines():
        title = re.match(r"Examples?:\s*(.*)", line)
        inside = bool(title) or (inside and (not line or line.startswith(" ")))
        (examples if inside else prose).append(title[1] if title else line)
    return "\n".join(prose), inspect.cleandoc("\n".join(["", *examples])).strip().splitlines()


def _prose(text: str) -> Iterator[str]:
    """Paragraphs, filled; an indented one is kept as it is."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if paragraph.startswith(" "):
            yield from [".PP", ".nf", *(_guarded(_roff(line)) for line in paragraph.splitlines()), ".fi"]
        else:
            yield from [*([".PP"] if number else []), _inline(paragraph)]


def _tagged(title: str, entries: Iterable[tuple[str, str]]) -> list[str]:
    lines = [line for tag, text in entries for line in (".TP", tag, text or "See the description.")]
    return [f".SH {title}", *lines] if lines else []


def _literal(title: str, text: list[str]) -> list[str]:
    return [f".SH {title}", ".nf", *(_guarded(_roff(line)) for line in text), ".fi"] if text else []


def _inline(text: str) -> str:
    """Running text on one line; what stands in backticks becomes bold."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        return _guarded(_roff("`".join(parts)))
    return _guarded("".join(f"\\fB{_roff(each)}\\fR" if odd % 2 else _roff(each) for odd, each in enumerate(parts)))


def _guarded(line: str) -> str:
    """A line that roff cannot take for one of its own commands."""
    return f"\\&{line}" if line.startswith((".", "'")) else line


def _roff(text: str) -> str:
    return "".join(_SPECIAL.get(each, each) for each in text)


def main(arguments: list[str]) -> None:
    from dwtsvc_cli.main import command

    match arguments:
        case ["man", *folder]:
            write(Path(*folder or ["man"]), man_pages(command(), source_date()))
        case ["completions", *folder]:
            write(Path(*folder or ["completions"]), completions())
        case _:
            raise SystemExit("usage: python -m dwtsvc_cli.papers man|completions [FOLDER]")


if __name__ == "__main__":
    main(sys.argv[1:])
