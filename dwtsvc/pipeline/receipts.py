"""The receipts of a run: what became of every page that was fed, beside the files, and inside those that are PDF/A-3.

A receipt is written right after its file, for only then the name and every byte of the file are certain: what breaks
off in between leaves a file without a receipt, never a receipt that speaks of no file. One that cannot be written costs
nobody a page; `check` tells of it in the end.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dwtsvc.errors import DwtsvcError
from dwtsvc.model import ScanRequest
from dwtsvc.outputs import Document, Output, StandardOutput
from dwtsvc.parts import PartFile, writing
from dwtsvc.pipeline.line import Settled, Sheet
from dwtsvc.receipt import ATTACHMENT, Receipt, ReceiptFile, ReceiptPage, beside, count, describe, write
from dwtsvc.stacks import NamedDocuments
from dwtsvc.version import __version__

if TYPE_CHECKING:
    from dwtsvc.imaging.pdf import PdfWriter
    from dwtsvc.imaging.tiff import TiffWriter

READERS = {"zxing": "zxing-cpp", "zbar": "pyzbar"}  # of barcodes, and the packages that they are
DIGITS = 4  # of what is measured


class Receipts(Protocol):
    """Told of every page that is settled, in its order, and of the files that are complete in the end."""

    facts: Facts

    def settled(self, settled: Settled) -> None: ...

    def finish(self, files: Iterable[Path]) -> None: ...

    def check(self) -> None: ...


def receipts_for(output: Output, *, force: bool = False, attach: bool = False) -> Receipts:
    """The receipts of an output, which is asked before it closes a document: one beside each document, or one for all
    files of single pages beside the first of them.

    `force` replaces receipts as the output replaces files; with `attach` the documents are PDF/A-3.
    """
    if not isinstance(output, Document | NamedDocuments | StandardOutput):
        return RunReceipt(force=force)
    receipts = DocumentReceipts(force=force, attach=attach)
    output.before_close = receipts.closing
    return receipts


class Facts:
    """What all receipts of a run say: `source` is where the pages come from, as far as it is known."""

    def __init__(self) -> None:
        self.source: dict[str, Any] = {}
        self._tools: dict[str, str] = {}
        self._troubles: dict[int, str] = {}

    def resolved(self, request: ScanRequest) -> None:
        """The request as the scanner fulfils it."""
        found = {"device": request.device, "source": request.source, "mode": request.mode}
        self.source = {**found, "resolution": request.resolution}

    def trouble(self, number: int, error: DwtsvcError) -> None:
        """Nothing could be done to the page of this number."""
        self._troubles[number] = f"stays as it was scanned: {error}"

    def used(self, package: str) -> None:
        """A package of this Python worked on the pages."""
        if package in self._tools:
            return
        from importlib import metadata

        with contextlib.suppress(metadata.PackageNotFoundError):
            self._tools[package] = metadata.version(package)

    def page(self, settled: Settled) -> ReceiptPage:
        """What the receipt says of a page, without its place; nothing of it holds on to the text or the picture."""
        sheet, decision = settled.sheet, settled.decision
        self._note_tools(sheet)
        done, raster = sheet.done, sheet.page.raster
        judged = done.judged if done else None
        words = [decision.reason, *_done_to(sheet), self._troubles.pop(sheet.original.number, "")]
        return ReceiptPage(
            number=sheet.original.number,
            kept=decision.kept,
            reason="; ".join(filter(None, words)),
            checksum=sheet.page.checksum,
            width=raster.width,
            height=raster.height,
            dpi=_rounded(done.dpi if done else raster.dpi),
            skew=_rounded(judged.skew) if judged else None,
            blur=_rounded(1 - judged.sharpness) if judged and judged.sharpness is not None else None,
            blank=_rounded(judged.blank) if judged else None,
            confidence=_rounded(sheet.text.confidence) if sheet.text else None,
        )

    def receipt(self, pages: Iterable[ReceiptPage], files: Iterable[ReceiptFile] = ()) -> Receipt:
        pages = tuple(pages)
        return Receipt(
            dwtsvc=__version__,
            created=datetime.now().astimezone().isoformat(timespec="seconds"),
            counts=count(pages),
            source=self.source,
            files=tuple(files),
            pages=pages,
            tools=dict(sorted(self._tools.items())),
        )

    def _note_tools(self, sheet: Sheet) -> None:
        done = sheet.done
        if done is None:
            return
        self.used("pillow")
        if done.judged:
            self.used("opencv-python-headless")
        for code in done.barcodes:
            self.used(READERS.get(code.engine, code.engine))
        if done.text:
            name, _, version = done.text.engine.rpartition(" ")
            self._tools[name] = version
        if done.turned is not None and "tesseract" not in self._tools:
            from dwtsvc.imaging import tesseract

            self._tools["tesseract"] = tesseract.version() or "unknown"


class _Writer:
    """Writes receipts whole, and notes the first that could not be."""

    def __init__(self, *, force: bool) -> None:
        self.facts = Facts()
        self._force = force
        self._failure: DwtsvcError | None = None

    def check(self) -> None:
        """Raise what kept a receipt from being written."""
        if self._failure:
            raise self._failure

    def _write(self, path: Path, made: Callable[[], Receipt], *, force: bool) -> Receipt | None:
        """Write the receipt of a file; None if that failed."""
        place = beside(path)
        try:
            with writing(place):
                receipt = made()
                part = PartFile(place, force=force)
                try:
                    part.file.write(write(receipt))
                    part.commit()
                finally:
                    part.abort()
        except DwtsvcError as error:
            hint = "The file itself is whole."
            self._failure = self._failure or type(error)(f"{path} has no receipt", why=str(error), hint=hint)
            return None
        return receipt


class DocumentReceipts(_Writer):
    """A receipt beside each document, of the pages from the end of the one before to its own.

    Pages that are dropped behind the last document are in the receipt beside that; the one inside it was closed before.
    """

    def __init__(self, *, force: bool, attach: bool) -> None:
        super().__init__(force=force)
        self._attach = attach
        self._pages: list[ReceiptPage] = []
        self._closed: deque[list[ReceiptPage]] = deque()  # of documents that have no name yet
        self._last: tuple[Path, Receipt] | None = None

    def settled(self, settled: Settled) -> None:
        self._complete(settled.files)  # documents that ended before this page
        self._pages.append(self.facts.page(settled))

    def closing(self, document: PdfWriter | TiffWriter) -> None:
        """A document has all its pages: those that were settled since the last one."""
        from dwtsvc.imaging.pdf import PdfWriter

        digests = document.image_digests if isinstance(document, PdfWriter) else []
        pages = self._taken(digests)
        if self._attach and isinstance(document, PdfWriter):
            held = write(self.facts.receipt(pages))
            document.attach(ATTACHMENT, held, "application/json", "What became of every page that was fed")
        self._closed.append(pages)

    def finish(self, files: Iterable[Path]) -> None:
        """The run is over, and these are the documents that ended with it."""
        self._complete(files)
        if self._pages and self._last:
            path, receipt = self._last
            pages = (*receipt.pages, *self._taken())
            self._write(path, lambda: self.facts.receipt(pages, receipt.files), force=True)

    def _complete(self, files: Iterable[Path]) -> None:
        for path in files:
            pages = self._closed.popleft() if self._closed else self._taken()
            written = self._write(path, partial(self._of, path, pages), force=self._force)
            self._last = (path, written) if written else None

    def _of(self, path: Path, pages: list[ReceiptPage]) -> Receipt:
        return self.facts.receipt(pages, [describe(path)])

    def _taken(self, digests: Sequence[str] = ()) -> list[ReceiptPage]:
        """The pages of a document, numbered; and there are none any more."""
        pages, self._pages = _numbered(self._pages, digests), []
        return pages


class RunReceipt(_Writer):
    """One receipt for the files of a run that hold a page each, beside the first."""

    def __init__(self, *, force: bool) -> None:
        super().__init__(force=force)
        self._pages: list[ReceiptPage] = []
        self._files: list[Path] = []
        self._kept = 0

    def settled(self, settled: Settled) -> None:
        self._files += settled.files
        page = self.facts.page(settled)
        self._kept += page.kept
        self._pages.append(replace(page, document=self._kept, page=1) if page.kept else page)

    def finish(self, files: Iterable[Path]) -> None:
        self._files += files
        if self._files:
            self._write(
                self._files[0],
                lambda: self.facts.receipt(self._pages, map(describe, self._files)),
                force=self._force,
            )


def _numbered(pages: Iterable[ReceiptPage], digests: Sequence[str]) -> list[ReceiptPage]:
    """The pages with their places in the one document that they are of."""
    found, number = [], 0
    for page in pages:
        if page.kept:
            stream = digests[number] if number < len(digests) else ""
            number += 1
            page = replace(page, document=1, page=number, stream_sha256=stream)
        found.append(page)
    return found


def _done_to(sheet: Sheet) -> list[str]:
    done = sheet.done
    if done is None:
        return []
    part = f"part {done.part} of {done.parts}" if done.parts > 1 else ""
    return [part, ", ".join(step.name for step in done.steps)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), DIGITS)
