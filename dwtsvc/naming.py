"""Names of files from patterns: {n} and {date}, and what was read on the paper: {barcode}, {asn}, {text:REGEX}.

A name from paper is made of what a stranger printed: it becomes letters of one file name, never a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from dwtsvc.errors import BadArguments

if TYPE_CHECKING:
    from dwtsvc.facts import PageFacts
    from dwtsvc.model import Barcode

FALLBACK = "document"
LONGEST_LETTERS, LONGEST_BYTES = 120, 200  # file systems end at 255 bytes; "-2", the suffix and .part come on top
MOST_CODES = 99
RESERVED = r"(?i)(?:con|prn|aux|nul|(?:com|lpt)[0-9¹²³])(?=\.|\Z)"  # devices of Windows

NUMBERS = ("n", "doc")
PAPER = ("barcode", "asn", "text")


class Field(NamedTuple):
    """{name.type:argument|fallback} as it stands in a pattern."""

    name: str
    type: str = ""
    argument: str = ""
    fallback: str = FALLBACK
    pattern: re.Pattern[str] | None = None


class Findings:
    """What the pages of one document say about its name, kept small: the first codes, and the first match of each text.

    Codes that only separate, patch codes and PATCHT, name nothing.
    """

    def __init__(self, fields: Sequence[Field] = ()) -> None:
        self._fields = fields
        self._codes: list[Barcode] = []
        self._matches: dict[Field, str] = {}

    def learn(self, facts: PageFacts) -> None:
        """The next page, or the separator sheet that begins the document."""
        from dwtsvc.facts import is_patch, is_patch_t
        from dwtsvc.separators import LONGEST_TEXT

        told = [code for code in facts.barcodes if not (is_patch(code) or is_patch_t(code))]
        self._codes = (self._codes + told)[:MOST_CODES]
        for each in self._fields:
            if each.name != "text" or each in self._matches or each.pattern is None:
                continue
            if match := each.pattern.search(facts.text[:LONGEST_TEXT]):
                self._matches[each] = match[1] or "" if each.pattern.groups else match[0]

    def value(self, field: Field) -> str:
        """What goes into the name for a field; its fallback if nothing was read for it."""
        found = clean(next(self._values(field), ""))
        return found or field.fallback

    def _values(self, field: Field) -> Iterator[str]:
        if field.name == "text":
            yield from [self._matches[field]] if field in self._matches else []
        elif field.pattern:
            matches = (field.pattern.search(code.text) for code in self._codes)
            yield from (match[1] for match in matches if match)
        else:
            codes = [code.text for code in self._codes if field.type in ("", code.type.lower())]
            yield from codes[int(field.argument or 1) - 1 :]


class NamePattern:
    """A file name with {n} (page number; {n:03} pads it), {date}, {time} and {device} in it.

    With `documents` also {doc} (number of the document), {barcode}, {barcode:2}, {barcode.code39}, {asn}, {asn:PREFIX}
    and {text:REGEX}, each with what stands in its place after a bar: {barcode|unknown}. {n} then counts within the
    document. With a `name`, that of a file that is worked on, also {name}. {{ and }} are braces.
    """

    FIELDS = ("n", "date", "time", "device")
    DOCUMENT_FIELDS = ("doc", "barcode", "asn", "text")

    def __init__(
        self, text: str, *, device: str, when: datetime, documents: bool = False, name: str | None = None
    ) -> None:
        self.text = text
        known = (*self.FIELDS, *(self.DOCUMENT_FIELDS if documents else ()), *(() if name is None else ("name",)))
        self._parts = [part if isinstance(part, str) else _field(part[0], known) for part in _parts(text)]
        slug = re.sub(r"[^A-Za-z0-9._-]+", "-", device).strip("-.") or "scanner"
        self._values = {"date": f"{when:%Y-%m-%d}", "time": f"{when:%H%M%S}", "device": slug}
        self._values["name"] = clean(name or "") or FALLBACK
        names = {each.name for each in self.fields}
        self.numbered = "n" in names
        self.of_documents = bool(names.intersection((*PAPER, "doc")))
        self.reads = frozenset("barcode" if name == "asn" else name for name in names.intersection(PAPER))
        """What must be read on the paper for the names: "barcode", "text", both or nothing."""
        self._check_folder()
        if not self.path(1).name:
            raise BadArguments(f"'{text}' is not the name of a file")

    @property
    def fields(self) -> list[Field]:
        return [part for part in self._parts if isinstance(part, Field)]

    def findings(self) -> Findings:
        """What a new document says about its name: nothing yet."""
        return Findings(tuple(each for each in self.fields if each.name in PAPER))

    def path(self, number: int, *, document: int = 1, found: Findings | None = None, copy: int = 1) -> Path:
        """The name of page `number`; without {n} the first is plain and later ones get "-2", "-3".

        `document` and `found` are those of the document that the page is in. `copy` 2, 3... are the names to try when
        the first is taken: "-2" and so on after the name.
        """
        found = found or Findings()
        values = (part if isinstance(part, str) else self._value(part, number, document, found) for part in self._parts)
        folder, name = os.path.split("".join(values))
        path = Path(folder, self._whole(name) if self.reads else name)
        index = copy if self.numbered else number + copy - 1
        return path if index == 1 else path.with_stem(f"{path.stem}-{index}")

    def _value(self, field: Field, number: int, document: int, found: Findings) -> str:
        if field.name in PAPER:
            return found.value(field)
        if field.name in NUMBERS:
            return str(number if field.name == "n" else document).zfill(int(field.argument or 0))
        return self._values[field.name]

    def _whole(self, name: str) -> str:
        """A name with words from paper in it, as a whole: its parts together must not make a bad one."""
        last = self._parts[-1]
        suffix = PurePath(f"x{last}").suffix if isinstance(last, str) else ""
        stem = _short(name.removesuffix(suffix)).rstrip(" .") or FALLBACK
        return f"_{stem}{suffix}" if re.match(RESERVED, stem) else stem + suffix

    def _check_folder(self) -> None:
        """Only the file itself is named by its document: a folder for each is not there yet."""
        folder = next((at for at in reversed(range(len(self._parts))) if _ends_folder(self._parts[at])), 0)
        for part in self._parts[:folder]:
            if isinstance(part, Field) and part.name in (*PAPER, "doc"):
                hint = "Put it into the file's own name, after the last slash."
                raise BadArguments(f"{{{part.name}}} cannot name a folder", hint=hint)


def clean(text: str) -> str:
    """Text from paper as part of a file name; "" where nothing is left of it."""
    import unicodedata

    line = unicodedata.normalize("NFC", " ".join(text[: LONGEST_LETTERS * 4].split()))
    name = _short(_safe(line).lstrip(" .-~")).rstrip(" .-")
    return f"_{name}" if re.match(RESERVED, name) else name


def _safe(text: str) -> str:
    # What is not printable are controls, marks that turn the direction of writing, and halves of signs.
    return "".join(letter if letter.isprintable() and letter not in '<>:"/\\|?*' else "-" for letter in text)


def _short(text: str) -> str:
    return text[:LONGEST_LETTERS].encode()[:LONGEST_BYTES].decode(errors="ignore")


def _ends_folder(part: str | Field) -> bool:
    return isinstance(part, str) and os.path.split(part)[0] != ""


# --- how a pattern is written


def _parts(text: str) -> Iterator[str | tuple[str]]:
    """What stands in the pattern: plain text, and the inside of each field as a tuple of one."""
    plain, at = "", 0
    while at < len(text):
        if text[at] not in "{}":
            plain, at = plain + text[at], at + 1
        elif text[at : at + 2] in ("{{", "}}"):
            plain, at = plain + text[at], at + 2
        elif text[at] == "}":
            raise _unbalanced(text)
        else:
            end = _closing(text, at)
            yield plain
            yield (text[at + 1 : end],)
            plain, at = "", end + 1
    yield plain


def _closing(text: str, start: int) -> int:
    """Where the field that begins at `start` ends; an expression in it may have braces of its own."""
    depth, at = 0, start
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
        at += 1
    raise _unbalanced(text)


def _unbalanced(text: str) -> BadArguments:
    return BadArguments(
        f"The braces of '{text}' do not match", hint="A field is like {n}; for a brace itself write {{ or }}."
    )


def _field(inside: str, known: tuple[str, ...]) -> Field:
    """A field from what stands between its braces. Raises BadArguments."""
    head, bar, fallback = _before_bar(inside)
    left, colon, argument = head.partition(":")
    name, dot, type = left.partition(".")
    if name not in known or (dot and name != "barcode"):
        raise _unknown(name if name not in known else left, known)
    if (colon and not argument) or not _fits(name, argument):
        raise BadArguments(f"'{{{inside}}}' cannot be filled in", hint=_examples(known))
    fallback = _short(_safe(fallback)) if bar else FALLBACK
    return Field(name, _type(type, inside, known) if dot else "", argument, fallback, _compiled(name, argument))


def _before_bar(inside: str) -> tuple[str, str, str]:
    """What stands before the last bar that is in no group, class or escape, the bar, and what stands after it."""
    if "|" not in inside:
        return inside, "", ""
    from dwtsvc.separators import ATOM

    depth, last, at = 0, -1, 0
    while match := ATOM.match(inside, at):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        last = at if match[0] == "|" and depth == 0 else last
        at = match.end()
    return (inside, "", "") if last < 0 else (inside[:last], "|", inside[last + 1 :])


def _fits(name: str, argument: str) -> bool:
    if name in NUMBERS:
        return re.fullmatch(r"(?:0?[0-9]{1,2})?", argument) is not None
    if name == "barcode":
        return re.fullmatch(r"(?:[1-9][0-9]?)?", argument) is not None
    return bool(argument) if name == "text" else name == "asn" or not argument


def _type(word: str, inside: str, known: tuple[str, ...]) -> str:
    from dwtsvc.separators import barcode_type

    hint = "`dwtsvc barcode --help` lists the types; for example {barcode.code39}."
    return barcode_type(word, lambda: BadArguments(f"There is no type of barcode '{word}' for {{{inside}}}", hint=hint))


def _compiled(name: str, argument: str) -> re.Pattern[str] | None:
    if name not in ("asn", "text"):
        return None
    from dwtsvc.separators import asn_pattern, compiled

    return asn_pattern(argument) if name == "asn" else compiled(argument, re.MULTILINE)


def _unknown(name: str, known: tuple[str, ...]) -> BadArguments:
    return BadArguments(f"The file name has an unknown field {{{name}}}", hint=_examples(known))


def _examples(known: tuple[str, ...]) -> str:
    shown = ", ".join("{text:REGEX}" if name == "text" else f"{{{name}}}" for name in known)
    more = "; {barcode|unknown} says what stands there if none is read" if "barcode" in known else ""
    return f"Choose from: {shown}; {{n:03}} pads the number{more}."
