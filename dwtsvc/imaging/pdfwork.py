"""What the commands that write PDFs do in a child with limits: it opens the files, and writes the result itself.

Nothing of a file passes through the parent, and the parent imports nothing that reads PDFs. Results are plain values.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

if TYPE_CHECKING:
    from dwtsvc.imaging.pdfedit import Edited, Source
    from dwtsvc.imaging.pdfinfo import Picture
    from dwtsvc.imaging.pdflarge import LargeEdited
    from dwtsvc.imaging.pdfsource import PdfSource

Locked = tuple[str, str | None]  # a path, and the password


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The empty file that is written, and the name by which people know it."""

    file: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written: its number of pages, sentences on what was mended or left behind, and more facts by name."""

    pages: int
    notes: list[str]
    more: dict[str, Any] = field(default_factory=dict)


class _Result(Protocol):
    notes: list[str]

    def __len__(self) -> int: ...
    def write(self, file: BinaryIO, /) -> None: ...


def check(source: Locked) -> None:
    """Open a PDF for editing, and raise what that raises: Encrypted, WrongPassword, BadInput, FileAccess."""
    _editable(source, is_large([source[0]])).close()


def edit(verb: str, sources: Sequence[Locked], how: Sequence[Any], place: Place) -> Written:
    """Write what a verb of `pdfedit` makes of PDFs; `how` are the words of the command. Raises as `pdfedit`."""
    with ExitStack() as stack:
        large = is_large([path for path, _ in sources])
        opened = [stack.enter_context(_editable(source, large)) for source in sources]
        return _write(_VERBS[verb](opened, *how), place)


def chunks(source: Locked, every: int) -> list[list[int]]:
    """The pages, from 0, of each file that a PDF is split into."""
    from dwtsvc.imaging.pdfedit import split

    return split(len(_held(source)), every=every)


def write_chunk(source: Locked, pages: Sequence[int], place: Place) -> Written:
    from dwtsvc.imaging.pdfedit import pick

    return _write(pick(_held(source), pages), place)


def optimize(source: Locked, quality: int | None, max_dpi: int | None, place: Place) -> Written:
    """Write a PDF smaller; `more` has before, after, kept, sizes and lossy of `pdfoptimize.Optimized`."""
    from dwtsvc.imaging.pdfoptimize import Optimized
    from dwtsvc.records import pack

    with Optimized(*source, quality=quality, max_dpi=max_dpi) as smaller:
        written = _write(smaller, place)
        sizes = [pack(each) for each in smaller.sizes]
        more = {"before": smaller.before, "after": smaller.after, "kept": smaller.kept, "sizes": sizes}
        return Written(pages=written.pages, notes=smaller.notes, more={**more, "lossy": smaller.lossy})


def metadata(source: Locked) -> tuple[dict[str, str], list[str]]:
    """`pdfedit.metadata`, and what was mended."""
    from dwtsvc.imaging import pdfedit
    from dwtsvc.imaging.pdfsource import PdfSource

    with PdfSource(*source) as opened:
        return pdfedit.metadata(opened), opened.notes


def pictures(source: Locked, pages: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The images of these pages, each as the fields of `pdfinfo.Picture` without the stream, and what was mended."""
    opened, found = _pictures(source, pages)
    names = ("page", "number", "width", "height", "encoding", "suffix", "masked")
    return [{name: getattr(picture, name) for name in names} for picture in found], opened.notes


def write_picture(source: Locked, pages: str, index: int, place: Place) -> None:
    """One of `pictures` as a file."""
    from dwtsvc.disk import telling
    from dwtsvc.imaging.pdfinfo import picture_data

    opened, found = _pictures(source, pages)
    data = picture_data(opened, found[index])
    with telling(Path(place.name)), open(place.file, "r+b") as file:
        file.write(data)


def is_large(paths: Sequence[str]) -> bool:
    """Whether files are too much to be held in memory together. One that is not there is told of by opening it."""
    from dwtsvc.imaging.pdflarge import LARGE

    return sum(Path(path).stat().st_size for path in paths if Path(path).is_file()) > LARGE


def _editable(source: Locked, large: bool) -> Source:
    """On the disk where it is large, else in memory."""
    from dwtsvc.imaging.pdflarge import LargeSource
    from dwtsvc.imaging.pdfsource import PdfSource

    return LargeSource(*source) if large else PdfSource(*source)


@lru_cache(maxsize=1)
def _held(source: Locked) -> Source:
    """A PDF that stays open for the calls that follow: the child lives for one command."""
    return _editable(source, is_large([source[0]]))


@lru_cache(maxsize=1)
def _pictures(source: Locked, pages: str) -> tuple[PdfSource, list[Picture]]:
    from dwtsvc.imaging.pageranges import parse
    from dwtsvc.imaging.pdfinfo import pictures as found
    from dwtsvc.imaging.pdfsource import PdfSource

    opened = PdfSource(*source)
    return opened, list(found(opened, sorted(set(parse(pages, len(opened))))))


def _write(result: _Result, place: Place) -> Written:
    from dwtsvc.disk import telling

    with telling(Path(place.name)), open(place.file, "r+b") as file:
        result.write(file)
    return Written(pages=len(result), notes=result.notes)


def _merge(sources: Sequence[Source], *pages: str) -> Edited | LargeEdited:
    from dwtsvc.imaging import pdfedit
    from dwtsvc.imaging.pageranges import parse

    return pdfedit.merge([(source, parse(text, len(source))) for source, text in zip(sources, pages, strict=True)])


def _extract(sources: Sequence[Source], pages: str) -> Edited | LargeEdited:
    from dwtsvc.imaging import pdfedit
    from dwtsvc.imaging.pageranges import parse

    return pdfedit.pick(sources[0], parse(pages, len(sources[0])))


def _delete(sources: Sequence[Source], pages: str) -> Edited | LargeEdited:
    from dwtsvc.imaging import pdfedit
    from dwtsvc.imaging.pageranges import left

    return pdfedit.pick(sources[0], left(pages, len(sources[0])))


def _reorder(sources: Sequence[Source], pages: str) -> Edited | LargeEdited:
    from dwtsvc.imaging import pdfedit
    from dwtsvc.imaging.pageranges import order

    return pdfedit.pick(sources[0], order(pages, len(sources[0])))


def _rotate(sources: Sequence[Source], degrees: int, pages: str) -> Edited | LargeEdited:
    from dwtsvc.imaging import pdfedit
    from dwtsvc.imaging.pageranges import parse

    return pdfedit.rotate(sources[0], parse(pages, len(sources[0])), degrees)


def _encrypt(sources: Sequence[Source], password: str, owner: str, allow: list[str]) -> Edited | LargeEdited:
    from dwtsvc.imaging import pdfedit

    return pdfedit.encrypt(sources[0], password, owner=owner, allow=allow)


def _decrypt(sources: Sequence[Source]) -> Edited | LargeEdited:
    from dwtsvc.imaging import pdfedit

    return pdfedit.decrypt(sources[0])


def _metadata(sources: Sequence[Source], changes: dict[str, str], clear: bool) -> Edited | LargeEdited:
    from dwtsvc.imaging import pdfedit

    return pdfedit.set_metadata(sources[0], changes, clear=clear)


_VERBS: dict[str, Any] = {
    "merge": _merge,
    "extract": _extract,
    "delete": _delete,
    "reorder": _reorder,
    "rotate": _rotate,
    "encrypt": _encrypt,
    "decrypt": _decrypt,
    "metadata": _metadata,
}
