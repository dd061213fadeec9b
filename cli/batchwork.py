"""How `dwtsvc batch` works: stack after stack through the workers, with somebody watching."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from dwtsvc.errors import (
    BadArguments,
    BadInput,
    Cancelled,
    ChildProgramFailed,
    DwtsvcError,
    Encrypted,
    FileAccess,
    InvalidOutput,
)
from dwtsvc.pipeline import batchreport, cache, pool
from dwtsvc.pipeline.batchline import Rehearsal, StackLine, told_pages
from dwtsvc.pipeline.batchreport import Report
from dwtsvc.pipeline.entries import Entry, identity, move, remove
from dwtsvc.pipeline.flow import Outcome, flow
from dwtsvc.pipeline.stackfiles import Intake, Listed, Page, Source, Stack
from dwtsvc.pipeline.staging import Commit, Staging, left_behind
from dwtsvc.pipeline.watching import Watch, being_written
from dwtsvc.targets import new_id
from dwtsvc_cli.batchfinish import Finished, Finisher
from dwtsvc_cli.batchplan import Plan
from dwtsvc_cli.batchvoice import Voice
from dwtsvc_cli.inputs import inputs
from dwtsvc_cli.stopping import Stopping

# What a file itself is to blame for. All else, a full disk or a program that is missing, is no reason to set it aside.
BLAMED = (BadInput, Encrypted, InvalidOutput, ChildProgramFailed)
RETRY = 60.0  # seconds until a file is tried again that was not to blame


class Batch:
    """One run of the command."""

    def __init__(self, plan: Plan, voice: Voice, *, dry_run: bool) -> None:
        self._plan, self._voice, self._dry_run = plan, voice, dry_run
        self._settings = plan.fingerprint
        self._report = Report(plan.places.report)
        self._finisher = Finisher(plan.paths, self._report)
        self._stopping = Stopping(lambda: voice.note("Stopping; press Ctrl-C again to end at once"))
        self._watch: Watch | None = None
        self._waiting: list[Path] = []  # complete files of the watched folder
        self._line: StackLine | Rehearsal | None = None
        self._held = ExitStack()  # the staging folder of the stack on the line
        self._staging: Staging | None = None
        self._taken = 0
        self._problem = ""  # of the watched folder
        self._unfinished = False  # whether a committed stack waits for somebody to finish it

    # --- where stacks come from

    def listed(self, names: Sequence[str]) -> None:
        """Work on files and on what is in folders now."""
        folders = [Path(name) for name in names if os.path.isdir(name)]
        if not self._dry_run:
            self._plan.refuse_overlap(folders, inside=False)
        found = [each.name for each in inputs(names)]
        if "-" in found:
            raise BadArguments("A batch does not read standard input", hint="Use `dwtsvc ocr -`, or name files.")
        groups = [found] if self._plan.join and found else [[name] for name in found]
        self._run(Listed(stack for group in groups if (stack := self._stack(group))))

    def watch(self, folder: Path, *, settle: float, poll: bool) -> None:
        """Work on what comes into a folder, until it is stopped."""
        if not folder.is_dir():
            raise FileAccess(f"There is no folder {folder}", hint="Make it, and start again.")
        self._plan.refuse_overlap([folder], inside=True)
        with self._alone(folder):
            self._watch = Watch(folder, settle=settle, poll=poll)
            self._voice.note(f"Watching {folder}; Ctrl-C ends it")
            try:
                self._run(_Watched(self))
            finally:
                self._watch.stop()

    @contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        from dwtsvc import locks

        held = self._plan.paths.create(self._plan.paths.locks)
        with locks.holding(held / f"watch-{batchreport.fingerprint(str(folder.resolve()))}.lock") as ours:
            if not ours:
                raise FileAccess(f"{folder} is watched by another process", hint="End that one first.")
            yield

    def _stack(self, names: Sequence[str]) -> Stack | None:
        """The stack of these files; None if they are done already or cannot be read, which is told."""
        try:
            if self._unfinished:
                self._recover()
            if being_written(identity(os.stat(name))[:2] for name in names if os.path.exists(name)):
                raise FileAccess(f"'{names[0]}' is still being written", hint="Wait until it is complete.")
            entries = tuple(Entry.of(name) for name in names)
        except DwtsvcError as error:
            self._unreadable(names[0], error)
            return None
        stack = Stack(name=entries[0].stem, entries=entries)
        done = self._report.done(entries, self._settings) if self._plan.resume and not self._dry_run else None
        if not done:
            return stack
        self._voice.skipped([entry.name for entry in entries])
        self._put_away(stack, delivered=all(line.get("delivered") for line in done))
        return None

    def _unreadable(self, name: str, error: DwtsvcError) -> None:
        self._voice.failed(name, error, None)
        if self._watch:
            self._watch.retry(Path(name), RETRY)

    # --- the way of a stack

    def _run(self, source: Source) -> None:
        plan, wishes = self._plan, self._plan.wishes
        if not self._dry_run:
            self._recover()
        cache.prune(plan.paths.cache / "pages")
        with ExitStack() as ending:
            ending.enter_context(self._stopping.listening())
            executor = pool.executor(wishes.executor, wishes.workers)
            ending.callback(executor.shutdown, wait=True, cancel_futures=True)
            looker = pool.ConfinedPool(1)
            ending.callback(looker.shutdown, wait=True, cancel_futures=True)
            ending.callback(self._drop_line)
            treatment = plan.treatment(elsewhere=pool.is_elsewhere(executor))
            self._intake = Intake(source, treatment, looker, self._fail)
            window = 2 * (wishes.workers or os.cpu_count() or 1)
            for outcome in flow(self._intake, executor, window=window, on_wait=self._look_up):
                self._take(*self._intake.whose(), outcome)
        if not self._dry_run:
            self._voice.end()

    def next_watched(self, timeout: float) -> Stack | None:
        """The next stack of the watched folder; None when the watch was stopped."""
        assert self._watch
        if self._stopping.asked.is_set():
            return None
        self._waiting += self._watch.ready(timeout if not self._waiting else 0)
        if self._watch.problem != self._problem:
            self._problem = self._watch.problem
            self._voice.note(self._problem or "The folder can be read again")
        while self._waiting:
            if stack := self._stack([str(self._waiting.pop(0))]):
                return stack
        raise TimeoutError

    def _look_up(self) -> None:
        """A few times a second: end what is in work if that was asked for."""
        if self._stopping.asked.is_set() and not self._intake.idle:
            raise Cancelled("The batch was stopped", hint="What is done is done; start it again, and it goes on.")

    def _take(self, stack: Stack, page: Page, outcome: Outcome) -> None:
        if stack.error:
            return
        self._look_up()
        try:
            if self._line is None:
                self._line, self._taken = self._begun(stack), 0
            self._line.take(outcome, page)
            self._taken += 1
            if self._taken == stack.count:
                self._finish(stack)
        except Exception as error:  # a fault of ours costs one input, not the batch
            stack.error = _as_ours(error)
            stack.guilty = stack.guilty or page.entry
            self._drop_line()
            self._fail(stack)

    def _begun(self, stack: Stack) -> StackLine | Rehearsal:
        splitter = self._plan.splitter()
        if self._dry_run:
            return Rehearsal(splitter)
        self._staging = self._held.enter_context(Staging(self._plan.places.results))
        return StackLine(stack, self._staging, self._plan.writing, splitter)

    def _drop_line(self) -> None:
        if isinstance(self._line, StackLine):
            self._line.abort()
        self._line = None
        self._held.close()

    def _finish(self, stack: Stack) -> None:
        line = self._line
        if isinstance(line, Rehearsal):
            line.finish()
            self._voice.map(stack.name, told_pages(line.rows))
            self._line = None
            return
        assert line and self._staging
        files = line.finish()
        pages = told_pages(line.rows)
        commit = Commit(
            id=new_id(),
            files=files,
            deliveries=tuple(
                {"file": made.staged, "target": target, "id": new_id()}
                for made in files
                if made.pages is not None
                for target in self._plan.to
            ),
            command=self._plan.command,
            lines=tuple(self._told(entry, pages) for entry in stack.entries),
        )
        self._staging.commit(commit)
        self._unfinished = True
        finished = self._finisher.finish(self._staging.folder, commit, round(monotonic() - stack.began, 3))
        self._staging.finished = True
        self._unfinished = False
        self._line = None
        self._held.close()
        self._tell(stack, finished, sum(not page["kept"] for page in pages))
        self._put_away(stack, delivered=not finished.problems)

    def _told(self, entry: Entry, pages: list[dict[str, Any]]) -> dict[str, Any]:
        """The line of the report for an input, as far as it is known before anything has its name."""
        own = [
            {key: value for key, value in page.items() if key != "input"}
            for page in pages
            if page["input"] == entry.name
        ]
        return {
            "input": entry.name,
            "path": str(entry.path),
            "sha256": entry.sha256,
            "settings": self._settings,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "kept": sum(page["kept"] for page in own),
            "dropped": sum(not page["kept"] for page in own),
            "pages": own,
            "error": None,
        }

    def _tell(self, stack: Stack, finished: Finished, dropped: int) -> None:
        self._voice.done(finished.lines, finished.files, dropped, finished.dropped)
        for problem in finished.problems:
            self._voice.trouble(problem, stack.entries[0].name)

    def _recover(self) -> None:
        """Finish what dead processes committed, and remove what they did not."""
        for folder, commit in left_behind(self._plan.places.results):
            finished = self._finisher.finish(folder, commit)
            if finished.lines:
                self._voice.done(finished.lines, finished.files, 0, [])
        self._unfinished = False

    # --- what becomes of inputs

    def _put_away(self, stack: Stack, *, delivered: bool) -> None:
        """An input that is done: kept, moved or deleted."""
        after = self._plan.after
        if after == "keep" or self._dry_run:
            return
        for entry in stack.entries:
            try:
                if after == "move":
                    move(entry, self._plan.places.done)
                elif delivered:
                    remove(entry)
                else:
                    self._voice.note(f"{entry.name} is kept, for its results could not be delivered")
            except DwtsvcError as error:
                self._voice.trouble(error, entry.name)

    def _fail(self, stack: Stack) -> None:
        """An input that failed: into quarantine with its error, if it is to blame."""
        error, guilty = stack.error, stack.guilty or stack.entries[0]
        assert error
        blamed = isinstance(error, BLAMED) or type(error) is DwtsvcError
        if self._dry_run:
            self._voice.failed(guilty.name, error, None)
            return
        record = None
        try:
            line = {**self._told(guilty, []), "error": batchreport.told(error)}
            if blamed:
                record = self._quarantine(guilty, line)
            self._report.add([line])
        except DwtsvcError as trouble:
            self._voice.trouble(trouble, guilty.name)
        self._voice.failed(guilty.name, error, record)
        if self._watch and not blamed:
            self._watch.retry(guilty.path, RETRY)

    def _quarantine(self, entry: Entry, line: dict[str, Any]) -> Path:
        folder, name = self._plan.places.quarantine, entry.path.name
        if self._plan.after != "keep":
            line["moved"] = str(move(entry, folder))
            name = Path(line["moved"]).name
        return batchreport.write_error(folder, name, line)


def _as_ours(error: Exception) -> DwtsvcError:
    if isinstance(error, DwtsvcError):
        return error
    if isinstance(error, OSError):
        return FileAccess("A file cannot be read or written", why=str(error))
    why = f"{type(error).__name__}: {error}"
    return DwtsvcError("The input could not be worked on", why=why, hint="Please report it.")


class _Watched(Source):
    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def next(self, timeout: float) -> Stack | None:
        return self._batch.next_watched(timeout)
