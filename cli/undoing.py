"""Scans that left pages in the store: those that were interrupted, and finished ones whose pages were changed."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from dwtsvc.errors import BadArguments, DwtsvcError, NothingFound
from dwtsvc.model import PageInfo
from dwtsvc.outputs import Output
from dwtsvc.pipeline.writing import write_page
from dwtsvc.store import LeftBehind, PageStore

if TYPE_CHECKING:
    from dwtsvc_cli.bench import Bench
    from dwtsvc_cli.planning import Plan
    from dwtsvc_cli.scanning import Naming
    from dwtsvc_cli.voice import Voice

MADE = {"kind": "made"}  # who owns the pages that were made anew


def conclude(store: PageStore, owner: str, bench: Bench | None, voice: Voice) -> None:
    """A scan is written. What it changed or left out stays in the store for --undo; anything else is forgotten."""
    if not (bench and bench.undoable):
        store.discard(owner)
        return
    with contextlib.suppress(DwtsvcError):  # on a full disk the scan is offered by --recover instead
        store.note(owner, json.dumps({"finished": {"dropped": bench.dropped}}))
    store.leave(owner)
    voice.undoable(owner, bench.dropped)


def interrupted(store: PageStore) -> list[LeftBehind]:
    """The scans to recover, newest first. Pages that an interrupted one had made anew are deleted: they can be made
    again."""
    found = []
    for left in store.left_behind():
        if left.about == MADE:
            _forget(store, left.owner)
        elif _finished(store, left.owner) is None:
            found.append(left)
    return found


def choose(left: list[LeftBehind], owner: str | None) -> LeftBehind:
    """The one of that name, else the newest. Raises BadArguments where there is none of that name."""
    for each in left:
        if owner in (None, each.owner):
            return each
    hint = f"There is: {', '.join(each.owner for each in left)}."
    raise BadArguments(f"There are no pages under '{owner}'", hint=hint)


def undo(plan: Plan, naming: Naming, voice: Voice, *, owner: str | None, dry_run: bool) -> None:
    """Write the pages of a finished scan as they were scanned; they stay in the store. Raises NothingFound."""
    from dwtsvc_cli import scanning

    store = scanning.open_store(plan)
    kept = {
        left.owner: (left, dropped)
        for left in store.left_behind()
        if (dropped := _finished(store, left.owner)) is not None
    }
    if not kept:
        raise NothingFound(
            "No finished scan has kept its pages",
            why="those do whose pages were changed or left out, for `keep_days` days",
        )
    if dry_run:
        for left, dropped in kept.values():
            voice.result(_shown(left, dropped))
        return
    chosen = choose([left for left, _ in kept.values()], owner)
    device = str(chosen.about.get("device", ""))
    pages = store.resume(chosen.owner)
    try:
        output = scanning.open_output(plan, naming, device)
        try:
            duplex = any(page.back for page in pages)
            with scanning.open_bench(plan, naming, device, store, output, voice, duplex=duplex) as bench:
                files = scanning.write_again(pages, store, output, voice, bench) if bench else []
            if not bench:
                _write_copies(pages, store, output, voice)
                files = output.finish()
        except BaseException:
            output.abort()
            raise
    finally:
        store.leave(chosen.owner)
    voice.done(bench.pages if bench else len(pages), files, device)
    if bench:
        bench.check_receipts()


def _write_copies(pages: list[PageInfo], store: PageStore, output: Output, voice: Voice) -> None:
    """A file may become a second name of a stored page, which people then change: each is written from a copy."""
    copies = store.begin(MADE)
    try:
        for number, page in enumerate(pages, 1):
            copy = store.copy(page, copies, number)
            voice.page(number, write_page(copy, store, output))
            store.drop(copy)
    finally:
        store.discard(copies)


def _finished(store: PageStore, owner: str) -> list[int] | None:
    """The pages that a finished scan left out; None for one that did not finish."""
    for note in store.notes(owner):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return [int(number) for number in json.loads(note)["finished"]["dropped"]]
    return None


def _forget(store: PageStore, owner: str) -> None:
    with contextlib.suppress(DwtsvcError):  # somebody else does just the same
        store.resume(owner)
        store.discard(owner)


def _shown(left: LeftBehind, dropped: list[int]) -> dict[str, Any]:
    return {
        "event": "finished",
        "id": left.owner,
        "begun": left.begun.isoformat(),
        "pages": left.pages,
        "dropped": dropped,
        "device": left.about.get("device"),
        "output": left.about.get("output"),
    }
