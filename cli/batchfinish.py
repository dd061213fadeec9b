"""How the results of a stack are finished: they get their names, are sent on, and are told in the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dwtsvc import receipt
from dwtsvc.errors import DwtsvcError
from dwtsvc.paths import Paths
from dwtsvc.pipeline.batchreport import Report, told
from dwtsvc.pipeline.staging import Commit, publish
from dwtsvc.secrets import Secrets
from dwtsvc.targets import Facts, Receipt, parse, send
from dwtsvc.targets.hook import Hook
from dwtsvc.targets.outbox import Outbox, Waiting


@dataclass(slots=True)
class Finished:
    """The results where they lie now, the files of dropped pages, the lines of the report, and what went wrong with
    sending them on."""

    files: list[Path] = field(default_factory=list)
    dropped: list[Path] = field(default_factory=list)
    lines: list[dict[str, object]] = field(default_factory=list)
    problems: list[DwtsvcError] = field(default_factory=list)


class Finisher:
    """Finishes what was committed, also what a dead process committed. It may be done again: a file does not appear
    twice, and a delivery keeps its id."""

    def __init__(self, paths: Paths, report: Report) -> None:
        self._paths, self._report = paths, report

    def finish(self, folder: Path, commit: Commit, seconds: float | None = None) -> Finished:
        """Raises FileAccess and DiskFull; then the staging folder is still needed."""
        done = Finished()
        if commit.id in self._report.ids:
            return done
        placed = dict(zip([made.staged for made in commit.files], publish(folder, commit), strict=True))
        done.files = [placed[made.staged] for made in commit.files if made.pages is not None]
        beside = [placed[made.staged] for made in commit.files if made.pages is None]
        done.dropped = [path for path in beside if path not in {receipt.beside(file) for file in done.files}]
        receipts = self._deliver(commit, placed, done.problems)
        self._run(commit, placed, done.problems)
        told_files = {
            "outputs": [str(path) for path in done.files],
            "beside": [str(path) for path in beside],
            "delivered": not any(done.problems),
            "receipts": receipts,
            "problems": [told(error) for error in done.problems],
        }
        done.lines = [{**line, "id": commit.id, "seconds": seconds, **told_files} for line in commit.lines]
        self._report.add(done.lines)
        return done

    def _deliver(self, commit: Commit, placed: dict[str, Path], problems: list[DwtsvcError]) -> list[dict[str, str]]:
        """Send each result to each target; what fails waits in the outbox."""
        outbox, receipts = Outbox.of(self._paths), []
        pages = {made.staged: made.pages for made in commit.files}
        for each in commit.deliveries:
            if outbox.has(each["id"]):  # an earlier attempt failed, or was interrupted
                continue
            file = placed[each["file"]]
            facts = Facts(title=file.stem, pages=pages[each["file"]])
            try:
                sent = outbox.deliver(each["id"], each["target"], file, facts, self._carry)
                receipts.append({"target": sent.target, "location": sent.location, "verified": sent.verified})
            except DwtsvcError as error:
                problems.append(error)
        return receipts

    def _carry(self, waiting: Waiting, file: Path) -> Receipt:
        target = parse(waiting.target, self._paths)
        secrets = Secrets.of(self._paths)
        return send(target, file, waiting.facts, secrets=secrets, id=waiting.id, name=waiting.name)

    def _run(self, commit: Commit, placed: dict[str, Path], problems: list[DwtsvcError]) -> None:
        if commit.command is None:
            return
        hook = Hook(commit.command)
        for made in commit.files:
            if made.pages is not None:
                file = placed[made.staged]
                try:
                    hook.run(file, Facts(title=file.stem, pages=made.pages))
                except DwtsvcError as error:
                    problems.append(error)
