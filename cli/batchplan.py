"""What `dwtsvc batch` is asked for, with every default filled in, and checked before anything is touched."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dwtsvc import config
from dwtsvc.errors import BadArguments
from dwtsvc.paths import Paths
from dwtsvc.pipeline import batchreport
from dwtsvc.pipeline.batchline import Writing, check, encoder_of
from dwtsvc.pipeline.searchable import About
from dwtsvc.pipeline.stackfiles import Treatment
from dwtsvc.pipeline.watching import refuse_overlap
from dwtsvc.records import pack
from dwtsvc_cli.pdffiles import PASSWORD_VARIABLE
from dwtsvc_cli.wishes import Wishes

if TYPE_CHECKING:
    from dwtsvc.config import Settings
    from dwtsvc.splitting import Splitter

AFTER = ("keep", "move", "delete")
DEFAULT_NAME = "{name}.pdf"
DROPPED_NAME = "{name}.dropped.pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders of a batch: of results, of files that failed, of files that are done; and the report."""

    results: Path
    quarantine: Path
    done: Path
    report: Path

    def by_purpose(self, dropped: str) -> dict[str, Path]:
        return {
            "results": self.results,
            "files that failed": self.quarantine,
            "files that are done": self.done,
            "dropped pages": _fixed_folder(dropped),
            "the report": self.report.parent,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that is asked for."""

    paths: Paths
    settings: Settings
    wishes: Wishes
    places: Places
    writing: Writing
    reads: frozenset[str]
    join: bool
    duplex: bool
    after: str
    resume: bool
    to: tuple[str, ...]
    command: str | None

    @property
    def fingerprint(self) -> str:
        """What decides over the results, as a word."""
        wishes = {name: value for name, value in pack(self.wishes).items() if name not in ("workers", "executor")}
        settings = self.settings
        kept = (settings.language, str(settings.tessdata), settings.quality, settings.tiff_compression)
        return batchreport.fingerprint([wishes, self.writing.output, self.join, self.duplex, kept])

    def splitter(self) -> Splitter:
        return self.wishes.splitter(duplex=self.duplex)

    def treatment(self, *, elsewhere: bool) -> Treatment:
        return Treatment(
            recipe=self.wishes.recipe(self.settings, self.reads),
            keeps=self.writing.keeps,
            asks_text="text" in self.reads | self.wishes.signs,
            duplex=self.duplex,
            elsewhere=elsewhere,
            cache=self.paths.cache / "pages",
            password=os.environ.get(PASSWORD_VARIABLE),
        )

    def refuse_overlap(self, folders: Iterable[Path], *, inside: bool) -> None:
        """Raise BadArguments where results would be read as inputs."""
        for folder in folders:
            refuse_overlap(folder, self.places.by_purpose(self.writing.dropped), inside=inside)


def plan(
    output: str | None,
    wishes: Wishes,
    *,
    language: str | None,
    join: bool,
    duplex: bool,
    after: str | None,
    watch: bool,
    resume: bool,
    to: list[str],
    command: str | None,
    done: Path | None,
    quarantine: Path | None,
    dropped: str | None,
    report: Path | None,
) -> Plan:
    """Raises BadArguments or BadConfiguration for what cannot be done."""
    from dwtsvc.targets import parse
    from dwtsvc.targets.hook import Hook

    paths = Paths.from_environment(os.environ)
    settings = config.load(paths, os.environ, {"language": language} if language else {}).settings
    after = after or ("move" if watch else "keep")
    _check(after, join=join, watch=watch)
    pattern = _pattern(output)
    results = _fixed_folder(pattern)
    quarantine = quarantine or results / "quarantine"
    aside = dropped or os.path.join(str(quarantine).replace("{", "{{").replace("}", "}}"), DROPPED_NAME)
    format, names = check(pattern, aside, "name")
    for each in to:
        parse(each, paths)
    if command:
        Hook(command)
    places = Places(
        results=results,
        quarantine=quarantine,
        done=done or results / "done",
        report=report or results / batchreport.NAME,
    )
    return Plan(
        paths=paths,
        settings=settings,
        wishes=wishes,
        places=places,
        writing=Writing(
            output=pattern,
            dropped=aside,
            format=format,
            encoder=encoder_of(wishes.described, settings.quality, settings.tiff_compression),
            about=About(**wishes.described, conformance=wishes.conformance),
            receipt=wishes.receipt,
        ),
        reads=names.reads,
        join=join,
        duplex=duplex,
        after=after,
        resume=resume,
        to=tuple(_absolute(each) for each in to),
        command=command,
    )


def _check(after: str, *, join: bool, watch: bool) -> None:
    if after not in AFTER:
        raise BadArguments(f"--after cannot be '{after}'", hint=f"Choose one of: {', '.join(AFTER)}.")
    if join and watch:
        raise BadArguments("--join and --watch exclude each other", why="a watched folder has no last file")


def _pattern(output: str | None) -> str:
    if output is None:
        raise BadArguments("Where to write the results is not said", hint="For example: -o 'results/{name}.pdf'")
    if output.endswith(("/", os.sep)) or Path(output).is_dir():
        return os.path.join(output, DEFAULT_NAME)
    return output


def _fixed_folder(pattern: str) -> Path:
    """The folder of a pattern, as far as it is the same for all files."""
    return Path(os.path.dirname(pattern.partition("{")[0]) or ".")


def _absolute(to: str) -> str:
    """A folder by its whole path: the delivery may be tried again from somewhere else."""
    from dwtsvc.targets import is_address

    return str(Path(to.removeprefix("folder:")).expanduser().absolute()) if is_address(to) and "://" not in to else to
