"""What was read on a page: words in their lines, in reading order, each with its box and how sure the engine is."""

from __future__ import annotations

from dataclasses import dataclass

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the page; right and bottom lie outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word; `confidence` is 0 to 100."""

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of at least one word; blocks and their paragraphs are counted from 1 in reading order."""

    words: tuple[Word, ...]
    box: Box
    block: int
    paragraph: int

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The text of a page of `width` x `height` pixels at `dpi`, as the page is stored and shown.

    `languages` as they were asked for, "eng+deu"; `engine` with its version, "tesseract 5.3.0".
    """

    width: int
    height: int
    dpi: float
    languages: str
    engine: str
    lines: tuple[Line, ...] = ()

    @property
    def words(self) -> list[Word]:
        return [word for line in self.lines for word in line.words]

    @property
    def confidence(self) -> float | None:
        """The mean confidence of the words, each counted by its length; None where there is no word."""
        letters = sum(len(word.text) for word in self.words)
        return sum(word.confidence * len(word.text) for word in self.words) / letters if letters else None

    @property
    def plain(self) -> str:
        """Line by line, with an empty line between paragraphs."""
        parts, before = [], None
        for line in self.lines:
            here = line.block, line.paragraph
            if before not in (None, here):
                parts.append("")
            parts.append(line.text)
            before = here
        return "\n".join(parts) + "\n" if parts else ""
