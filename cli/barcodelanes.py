"""The codes of many files, read in children with limits: several pages or files at once, told in their order.

Each child, a lane, reads its share of the pages of every file and runs ahead as far as its pipe has room. What one
lane cannot read ends the file for all; a file that breaks its child ends nothing but itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from dwtsvc.errors import BadInput, DwtsvcError, Encrypted, FileAccess, by_word
from dwtsvc.imaging.pagecodes import PageCodes, Share, Told, codes_of
from dwtsvc.limits import Child
from dwtsvc_cli.inputs import Input

PAGE_TIMEOUT = 120.0  # seconds: both engines and a second look on a large page take 20
MOST_LANES = 4  # each may need the memory of a large page
ALONE = (b"\xff\xd8", b"\x89PNG", b"BM")  # begin files that have one picture, as good as always
Loaded: TypeAlias = str | bytes | DwtsvcError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is looked for: `types` and `engine` as for `barcode.read`, the dpi to draw PDF pages at, the format of the
    pictures with codes outlined, or nothing, and what opens PDFs that need a password."""

    types: list[str] | None
    engine: str
    dpi: int
    draw: str
    password: str | None = None


class Lane:
    """One child that reads its shares of files, one file after the other."""

    def __init__(self, shares: Sequence[tuple[str | bytes, Share]], how: Reading) -> None:
        self._child = Child()
        asked = (shares, how.types, how.engine, how.dpi, how.draw, how.password)
        self._said = self._child.call(codes_of, asked, many=True, timeout=PAGE_TIMEOUT, name="A page")

    def next(self) -> PageCodes | Told | None:
        """What it says next; None where a file ends, and once when it has begun."""
        said: PageCodes | Told | None = next(self._said)
        return said

    def close(self) -> None:
        self._child.close()


class Lanes:
    """The files in their order. A context: the children end with it."""

    def __init__(self, inputs: Sequence[Input], how: Reading) -> None:
        self._names = [each.name for each in inputs]
        self._sources = [_loaded(each) for each in inputs]
        self._how = how
        readable = [source for source in self._sources if not isinstance(source, DwtsvcError)]
        self._width = _width(readable)
        self._lanes: list[Lane] = []
        self._start(0)

    def __enter__(self) -> Lanes:
        return self

    def __exit__(self, *_: object) -> None:
        for lane in self._lanes:
            lane.close()

    def pages(self, index: int) -> Iterator[PageCodes | DwtsvcError]:
        """The pages of a file, up to the error that ends it. Ask for all of them, one file after the other."""
        source = self._sources[index]
        if isinstance(source, DwtsvcError):
            yield source
            return
        try:
            yield from self._whole(index)
        except BadInput as error:  # a child broke: the others may be about to break on the same file
            self._start(index + 1)
            yield error

    def _whole(self, index: int) -> Iterator[PageCodes | DwtsvcError]:
        """Page after page from lane after lane until one has no more; then each is led to its end of the file."""
        order = [self._lanes[(place + index) % self._width] for place in range(self._width)]
        ended: set[int] = set()
        turn = 0
        while not ended:
            said = order[turn].next()
            if said is None:
                ended.add(turn)
            elif isinstance(said, PageCodes):
                yield said
                turn = (turn + 1) % self._width
            else:
                yield _error(said)
                break
        for place in set(range(self._width)) - ended:
            while order[place].next() is not None:
                pass

    def _start(self, begin: int) -> None:
        """New children for the files from this one on. The shares take turns, so that files of one page spread, too."""
        for lane in self._lanes:
            lane.close()
        width = self._width if begin < len(self._sources) else 0
        self._lanes = [Lane(self._shares(begin, number), self._how) for number in range(width)]
        for lane in self._lanes:  # when all processes are on their way
            lane.next()

    def _shares(self, begin: int, number: int) -> list[tuple[str | bytes, Share]]:
        return [
            (source, ((number - index) % self._width, self._width))
            for index, source in enumerate(self._sources)
            if index >= begin and not isinstance(source, DwtsvcError)
        ]


def _loaded(each: Input) -> Loaded:
    try:
        source = each.load()
    except (BadInput, FileAccess) as error:
        return error
    return str(source) if isinstance(source, Path) else source


def _width(sources: Sequence[str | bytes]) -> int:
    """How many children are worth their start."""
    return 1 if len(sources) == 1 and _has_one_picture(sources[0]) else min(MOST_LANES, os.cpu_count() or 1)


def _has_one_picture(source: str | bytes) -> bool:
    if isinstance(source, bytes):
        return source.startswith(ALONE)
    try:
        with open(source, "rb") as file:
            return file.read(4).startswith(ALONE)
    except (OSError, ValueError):  # the child tells of it
        return True


def _error(told: Told) -> DwtsvcError:
    word, what, why, hint = told
    error = by_word(word)(what, why=why, hint=hint)
    if type(error) is Encrypted:
        from dwtsvc_cli.pdffiles import PASSWORD_HINT

        error.hint = PASSWORD_HINT
    return error
