"""Where the result of `dwtsvc ocr` goes, and what it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from dwtsvc.errors import BadArguments
from dwtsvc.parts import PartFile, writing
from dwtsvc.pipeline.searchable import About
from dwtsvc_cli.inputs import STDIN
from dwtsvc_cli.pdffiles import pattern_of
from dwtsvc_cli.wishes import CONFORMANCE

SUFFIXES = {"pdf": ".pdf", "txt": ".txt", "hocr": ".hocr", "alto": ".xml", "tsv": ".tsv", "json": ".json"}
BY_SUFFIX = {suffix: name for name, suffix in SUFFIXES.items()} | {".alto": "alto", ".html": "hocr"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the result goes and what it is. `output` is a file, a folder, "-", or None for text on standard output."""

    output: str | None
    format: str | None
    sidecar: str | None
    about: About
    output_type: str
    force: bool
    next_free: bool

    def __post_init__(self) -> None:
        if self.force and self.next_free:
            raise BadArguments("--force and --next-free exclude each other")
        if self.format is not None and self.format not in SUFFIXES:
            raise BadArguments(f"There is no format '{self.format}'", hint=f"Choose one of: {', '.join(SUFFIXES)}.")
        if self.output_type not in CONFORMANCE:
            raise BadArguments(
                f"There is no kind '{self.output_type}' of PDF", hint=f"Choose one of: {', '.join(CONFORMANCE)}."
            )
        if self.sidecar and self.kind != "pdf":
            raise BadArguments("--sidecar is for the text beside a PDF", hint="Without a PDF, -o FILE.txt is the text.")
        if self.sidecar and self.is_folder and not _is_folder(self.sidecar):
            hint = "Give a folder, which gets one for each input: --sidecar texts/"
            raise BadArguments("--sidecar names one file, but each input has its own text", hint=hint)
        if self.sidecar == self.output == "-":
            raise BadArguments("Standard output cannot take the PDF and its text", hint="Give one of them a name.")

    @property
    def kind(self) -> str:
        """What is written: "pdf", "txt" ..."""
        if self.format:
            return self.format
        if self.output is None or self.output == "-":
            return "txt"
        if self.is_folder:
            return "pdf"
        suffix = Path(self.output).suffix.lower()
        if suffix not in BY_SUFFIX:
            hint = f"End its name in one of {', '.join(BY_SUFFIX)}, or give --format."
            if not suffix:
                hint += f" A folder, which gets a file for each input, ends in a slash: {self.output}/"
            raise BadArguments(f"What '{self.output}' is to be is not said", hint=hint)
        return BY_SUFFIX[suffix]

    @property
    def is_folder(self) -> bool:
        return self.output is not None and _is_folder(self.output)

    @property
    def described(self) -> About:
        return replace(self.about, conformance=CONFORMANCE[self.output_type])

    def inside(self, source: str) -> Target:
        """The same for one file in the folder, named after its source."""
        name = "stdin" if source == STDIN else Path(source).stem
        output = os.path.join(self.output or "", name + SUFFIXES[self.kind])
        sidecar = os.path.join(self.sidecar, name + SUFFIXES["txt"]) if self.sidecar else None
        return replace(self, output=output, sidecar=sidecar, format=self.kind)

    def make_folders(self) -> None:
        """The folders that results go into, if they do. Raises FileAccess."""
        for folder in (self.output, self.sidecar) if self.is_folder else ():
            with writing(Path(folder or ".", "page")):
                Path(folder or ".").mkdir(parents=True, exist_ok=True)

    def reserve(self, name: str) -> PartFile:
        from dwtsvc.outputs import Names

        return Names(pattern_of(name), force=self.force, next_free=self.next_free).reserve()


def _is_folder(name: str) -> bool:
    return name.endswith(("/", os.sep)) or Path(name).is_dir()
