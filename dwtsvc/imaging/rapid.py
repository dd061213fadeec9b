"""RapidOCR, the second engine, for receipts, labels and photographs: an extra, `pip install 'dwtsvc[ocr-pro]'`.

Its models lie in its package; nothing is fetched. It runs in this process with one thread, a page at a time, holds
more than a GB, and cannot be stopped half way: who needs that runs it in a process of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from dwtsvc.errors import ChildProgramFailed, MissingDependency
from dwtsvc.imaging.characters import legible
from dwtsvc.imaging.readingorder import Row, rows
from dwtsvc.text import Box, Line, Text, Word

if TYPE_CHECKING:
    from PIL import Image

    from dwtsvc.imaging.ocr import Reading

PACKAGES = ("rapidocr", "onnxruntime")
INSTALL = "Install it: pip install 'dwtsvc[ocr-pro]'"
THREADS = {
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    "Global.log_level": "error",
}
_one_at_a_time = threading.Lock()

Piece = tuple[str, Box, float]  # a line's text, its box, its confidence from 0 to 100


def version() -> str | None:
    """None where it is not installed, or has nothing to run its models with."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    try:
        versions = [version_of(name) for name in PACKAGES]
    except PackageNotFoundError:
        return None
    return versions[0]


def check() -> None:
    """Raise MissingDependency if it is not installed."""
    if version() is None:
        raise MissingDependency("The OCR engine rapidocr is not installed", hint=INSTALL)


def read(image: Image.Image, dpi: float, reading: Reading) -> Text:
    """The text of an image of mode 1 or L, with boxes in its pixels. Raises MissingDependency, ChildProgramFailed."""
    check()
    import numpy

    with _one_at_a_time:
        try:
            result = _engine()(numpy.asarray(image.convert("RGB")), return_word_box=True)
        except Exception as error:  # onnxruntime and OpenCV raise classes of their own
            raise ChildProgramFailed("RapidOCR failed", why=str(error)[:300]) from error
    return Text(
        width=image.width,
        height=image.height,
        dpi=dpi,
        languages=reading.languages,
        engine=f"rapidocr {version()}",
        lines=tuple(lines_of(*_found(result, image.size))),
    )


@cache
def _engine() -> Any:
    try:
        from rapidocr import RapidOCR
    except (ImportError, OSError) as error:
        raise MissingDependency("The OCR engine rapidocr cannot be loaded", why=str(error), hint=INSTALL) from error
    return RapidOCR(params=THREADS)


def _found(result: Any, size: tuple[int, int]) -> tuple[list[Piece], list[list[Piece]]]:
    """The lines of its answer, and the words that it told of each; an answer about an empty page has None in it."""
    if result.txts is None:
        return [], []
    of_lines = zip(result.txts, result.boxes, result.scores, strict=True)
    lines = [(legible(text).strip(), _box(corners, size), 100 * float(score)) for text, corners, score in of_lines]
    words = [_told_words(told, size) for told in result.word_results or ()]
    return lines, words if len(words) == len(lines) else [[] for _ in lines]


def _told_words(told: Iterable[Any], size: tuple[int, int]) -> list[Piece]:
    return [
        (legible(text), _box(corners, size), 100 * float(score)) for text, score, corners in told if corners is not None
    ]


def _box(corners: Any, size: tuple[int, int]) -> Box:
    """The upright box around four corners, within the image and not empty."""
    across, down = [round(float(x)) for x, _ in corners], [round(float(y)) for _, y in corners]
    left, top = min(max(0, min(across)), size[0] - 1), min(max(0, min(down)), size[1] - 1)
    return left, top, min(size[0], max(left + 1, max(across))), min(size[1], max(top + 1, max(down)))


def lines_of(pieces: Sequence[Piece], told: Sequence[list[Piece]]) -> Iterator[Line]:
    """The lines of a page in reading order: pieces beside each other become one."""
    kept = [number for number, (text, _, _) in enumerate(pieces) if text]
    for row in rows([pieces[number][1] for number in kept]):
        words = [
            word for piece in row.pieces for word in words_of(pieces[kept[piece.number]], told[kept[piece.number]])
        ]
        yield Line(words=tuple(words), box=_around(row), block=row.block, paragraph=row.paragraph)


def _around(row: Row) -> Box:
    lefts, tops, rights, bottoms = zip(*(piece.box for piece in row.pieces), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def words_of(line: Piece, told: Iterable[Piece]) -> list[Word]:
    """The words of a line, each with the boxes told of its parts, or with its even share of the line's box."""
    text, box, confidence = line
    parts = [part for part in told if part[0].strip()]
    words, at, start = [], 0, 0
    if "".join(part[0] for part in parts).replace(" ", "") != text.replace(" ", ""):
        parts = []
    for word in text.split():
        mine, length = [], 0
        while parts and at < len(parts) and length < len(word):
            mine.append(parts[at])
            length += len(parts[at][0].replace(" ", ""))
            at += 1
        start = text.index(word, start)
        if mine and length == len(word):
            words.append(Word(text=word, box=_joined(mine), confidence=_mean(mine)))
        else:
            parts = []
            words.append(Word(text=word, box=_share(box, text, start, len(word)), confidence=confidence))
        start += len(word)
    return words


def _joined(parts: list[Piece]) -> Box:
    boxes = [box for _, box, _ in parts]
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def _mean(parts: list[Piece]) -> float:
    return sum(confidence for _, _, confidence in parts) / len(parts)


def _share(box: Box, text: str, start: int, length: int) -> Box:
    """The part of a line's box that its characters from `start` on take if all are of one width."""
    width = (box[2] - box[0]) / len(text)
    left = box[0] + int(start * width)
    return left, box[1], max(left + 1, box[0] + round((start + length) * width)), box[3]
