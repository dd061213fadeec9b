"""What `dwtsvc batch` says: a line for each input on standard output, or JSON; all else on standard error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dwtsvc.errors import DwtsvcError
from dwtsvc_cli import output


class Voice:
    """Results, notes and errors; `code` is the exit code of the first error."""

    def __init__(self, *, json: bool, quiet: bool, verbose: bool) -> None:
        self._json, self._quiet, self._verbose = json, quiet, verbose
        self.code = 0
        self.counts = {"done": 0, "skipped": 0, "failed": 0}

    def done(self, lines: list[dict[str, Any]], files: list[Path], dropped: int, aside: list[Path]) -> None:
        """A stack is finished: its files, how many pages were left out, and the files that have those."""
        self.counts["done"] += len(lines)
        for line in lines if self._json else ():
            output.say_json({"event": "done", **line})
        if not (self._json or self._quiet):
            for file in files:
                output.say(shown(file))
        if dropped and not self._json:
            self.note(
                f"{lines[0]['input']}: {dropped} page{'s' * (dropped != 1)} left out: {', '.join(map(shown, aside))}"
            )

    def skipped(self, names: list[str]) -> None:
        self.counts["skipped"] += len(names)
        for name in names:
            if self._json:
                output.say_json({"event": "skipped", "input": name})
            elif self._verbose:
                output.tell(f"dwtsvc: {name} is done already")

    def failed(self, name: str, error: DwtsvcError, record: Path | None) -> None:
        """An input failed; `record` is the file with its error."""
        self.counts["failed"] += 1
        self.trouble(error, name)
        if record and not (self._json or self._quiet):
            output.tell(f"  {shown(record)}")

    def trouble(self, error: DwtsvcError, name: str) -> None:
        """Something went wrong, but the input itself may be done."""
        self.code = self.code or error.exit_code
        if self._json:
            told = {"error": error.word, "code": error.exit_code, "what": error.what, "why": error.why}
            output.say_json({"event": "error", "input": name, **told, "hint": error.hint})
            return
        output.tell(f"dwtsvc: {name}: {error}")
        if error.hint:
            output.tell(f"  {error.hint}")

    def note(self, text: str) -> None:
        if not self._quiet:
            output.tell(f"dwtsvc: {text}")

    def detail(self, text: str) -> None:
        if self._verbose:
            self.note(text)

    def map(self, name: str, rows: list[dict[str, Any]]) -> None:
        """The page map of a stack."""
        if self._json:
            output.say_json({"event": "map", "input": name, "pages": rows})
            return
        headings = ["input", "page", "document", "kept", "reason", "confidence"]
        cells = [
            [
                row["input"],
                str(row["input_page"]),
                "" if row["document"] is None else str(row["document"]),
                "kept" if row["kept"] else "dropped",
                row["reason"],
                f"{row['confidence']:.2f}",
            ]
            for row in rows
        ]
        output.table(headings, cells)

    def end(self) -> None:
        """The last word."""
        if self._json:
            output.say_json({"event": "end", **self.counts})
        elif not self._quiet:
            done, skipped, failed = self.counts.values()
            more = (f", {skipped} done already" if skipped else "") + (f", {failed} failed" if failed else "")
            output.tell(f"{done} input{'s' * (done != 1)} done{more}")


def shown(path: Path) -> str:
    """A path as somebody here would write it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
