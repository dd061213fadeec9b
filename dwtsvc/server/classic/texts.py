"""Classic methods that read: the text of images, and which way up they are."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from dwtsvc.buffer import Leaf
from dwtsvc.errors import BadArguments, TooLarge
from dwtsvc.server import parsing, texts
from dwtsvc.server.classic.client import Client
from dwtsvc.server.classic.files import LARGEST_BASE64
from dwtsvc.server.classic.methods import Group, Indices, Result
from dwtsvc.server.findings import ASKING
from dwtsvc.server.gate.access import Access
from dwtsvc.server.looks import Ask, Found, Look
from dwtsvc.server.rest.progress import Tell

METHODS = Group()


class Read(msgspec.Struct, frozen=True):
    """`language` as tesseract names it, eng+deu; `format` is json, text, hocr, alto, tsv or pdf."""

    indices: list[int] | None = None
    language: str = ""
    format: str = "json"
    fast: bool = False
    rotate: bool = False


def look(client: Client, leaf: Leaf) -> Look:
    """An image with its edits, to be read."""
    return Look(leaf.page, lambda: client.content(leaf), leaf.steps)


@METHODS.method("Recognize", Access.READ, Read, told=True)
def recognize(client: Client, wants: Read, tell: Tell) -> Result:
    """The text of images, as `POST /api/process/ocr` gives it; pdf is base64."""
    if wants.format not in texts.MEDIA_TYPES:
        raise BadArguments(
            f"There is no format '{wants.format}'", hint=f"Choose one of: {', '.join(texts.MEDIA_TYPES)}."
        )
    ask = texts.asked(client.service.settings, wants.language, fast=wants.fast, rotate=wants.rotate)
    leaves = client.chosen(wants.indices)
    return [shown(file_of(client, leaves, ask, wants.format, tell), wants.format)]


def file_of(client: Client, leaves: Sequence[Leaf], ask: Ask, format: str, tell: Tell = lambda *_: None) -> bytes:
    """Images, read, as one file; `tell` hears of each of them. Blocking. Raises BadInput, MissingDependency."""
    looks = [look(client, leaf) for leaf in leaves]
    found = _each(client.service.findings.each(client.bucket, looks, ask), len(looks), tell)
    if format != "pdf":
        return texts.file_of(found, format)
    return texts.searchable(zip(looks, found, strict=True), client.service.settings.quality)


def _each(pages: Iterator[Found], all: int, tell: Tell) -> Iterator[Found]:
    for number, page in enumerate(pages, 1):
        tell(number, all)
        yield page


def shown(file: bytes, format: str) -> Any:
    """A file as it can stand in JSON."""
    if len(file) > LARGEST_BASE64:
        raise TooLarge("The file is too large for an answer", hint="Take fewer images, or SaveImages with `ocr`.")
    if format == "json":
        return msgspec.json.decode(file)
    return base64.b64encode(file).decode() if format == "pdf" else file.decode()


@METHODS.method("DetectPageOrientation", Access.READ, Indices, confined=True)
def detect(client: Client, wants: Indices) -> Result:
    """The degrees clockwise that make each image upright, and how sure that is: above 15 hardly ever wrong."""
    return [_upright(client, leaf) for leaf in client.chosen(wants.indices)]


def _upright(client: Client, leaf: Leaf) -> dict[str, Any]:
    service = client.service
    asked = leaf.page, client.content(leaf), leaf.steps, service.settings.tessdata, service.findings.scratch
    found = service.confined.run(client.bucket, parsing.orientation, *asked, timeout=ASKING)
    return {"angle": found.degrees if found else 0, "confidence": found.confidence if found else 0.0}
