"""From stored pages to an output, page by page as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dwtsvc.jobs import Job
from dwtsvc.model import PageInfo
from dwtsvc.outputs import Output
from dwtsvc.store import PageStore


@dataclass(frozen=True, slots=True)
class Written:
    """A page that reached the output, and the files that it completed."""

    page: PageInfo
    files: tuple[Path, ...]


def arriving(job: Job, on_wait: Callable[[], object]) -> Iterator[PageInfo]:
    """The job's pages as they come; `on_wait` is called a few times a second meanwhile. Raises what the job reports."""
    while True:
        try:
            page = job.next_page(timeout=0.1)
        except TimeoutError:
            on_wait()
            continue
        if page is None:
            return
        yield page


def write_job(
    job: Job,
    store: PageStore,
    output: Output,
    *,
    on_page: Callable[[Written], object],
    on_wait: Callable[[], object] = lambda: None,
) -> int:
    """Put the job's pages into the output as they come; how many. `on_wait` is called a few times a second.

    Raises what the job or the output reports; pages before that were written.
    """
    count = 0
    for page in arriving(job, on_wait):
        on_page(write_page(page, store, output))
        count += 1
    return count


def write_page(page: PageInfo, store: PageStore, output: Output) -> Written:
    """One stored page into the output; a page that is safe in a file of its own leaves the store."""
    files = output.add(page, store)
    if files:
        store.drop(page)
    return Written(page, tuple(files))


def collate(fronts: list[PageInfo], backs: list[PageInfo]) -> list[PageInfo]:
    """The pages of a stack in reading order: scanned front by front, turned over, and scanned back by back."""
    return [page for sheet in zip(fronts, reversed(backs), strict=True) for page in sheet]
