"""Separators: what begins a new document in a stack of paper, as people write it: `patch:T`, `code128:^INV,drop`.

What a sheet carries beside its sign decides whether it is kept: a patch code, a black or a blank sheet is there for
nothing else and is dropped; an invoice with its number in a barcode is the first page of a document and is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dwtsvc.errors import BadArguments
from dwtsvc.facts import PageFacts, is_patch, is_patch_t
from dwtsvc.model import Barcode

PATCH_CODES = ("T", "1", "2", "3", "4", "6")
ASN = "ASN"
LONGEST_PATTERN = 200
# Python's `re` cannot be given a time limit, so what it searches is short: two dense pages, the longest QR code twice.
LONGEST_TEXT = 8192
MOST = 1000  # for blank:N, whose sheets wait, and every:N

SHEETS = frozenset({"patch", "patcht", "black", "blank"})  # there for nothing else: dropped unless said otherwise
NEVER_DROPPED = frozenset({"asn", "size", "every"})
PLAIN = frozenset({"patcht", "black", "size"})  # nothing stands after a colon
COUNTED = frozenset({"blank", "every"})
WORDS = ("patch", "patcht", "barcode", "asn", "text", "black", "blank", "size", "every")
HINT = (
    "Choose from: patch, patch:T, patcht, barcode, barcode:REGEX, a type of barcode as in code128:REGEX or qr:REGEX,"
    " asn, asn:PREFIX, text:REGEX, black, blank, blank:N, size, every:N; each with ,keep or ,drop and ,end."
    " For example: 'code128:^INV,keep'"
)

# How sure a sign is by its kind. A patch code has four bars and no check digit, Code 39, Codabar and ITF mostly have
# none either; text comes from recognition.
SURENESS = {"patch": 0.95, "code39": 0.95, "codabar": 0.95, "itf": 0.95, "text": 0.9, "black": 0.95}
SURE = 0.99


@dataclass(frozen=True, slots=True)
class Sign:
    """What was recognised on a page, in words, and how sure that is, 0 to 1."""

    words: str
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Separator:
    """One separator. `kind` is a word of WORDS or a type of barcode; `argument` what stood after the colon.

    A sheet that is not kept leaves the stack. With `end` the sheet is the last of a document instead of the first.
    """

    kind: str
    argument: str = ""
    keep: bool
    end: bool = False
    count: int = 1  # sheets, of blank and every
    pattern: re.Pattern[str] | None = None

    def sign(self, page: PageFacts) -> Sign | None:
        """The sign on a page by itself; blank, size and every are signs of whole sheets and those before them."""
        if self.kind == "text":
            return self._in_text(page.text)
        if self.kind == "black":
            return Sign("black", SURENESS["black"]) if page.black else None
        return next((_sign_of(code) for code in page.barcodes if self._means(code)), None)

    def _in_text(self, text: str) -> Sign | None:
        match = self.pattern.search(text[:LONGEST_TEXT]) if self.pattern else None
        return Sign(f"text {shown(match[0])}", SURENESS["text"]) if match else None

    def _means(self, code: Barcode) -> bool:
        if self.kind == "patch":
            return is_patch(code) and self.argument in ("", code.text.upper())
        if self.kind == "patcht":
            return is_patch_t(code)
        if is_patch(code) or self.kind not in ("barcode", "asn", code.type.lower()):
            return False
        return self.pattern is None or bool(self.pattern.search(code.text[:LONGEST_TEXT]))


def _sign_of(code: Barcode) -> Sign:
    kind = code.type.lower()
    words = f"patch code {shown(code.text, '')}" if is_patch(code) else f"{kind} {shown(code.text)}"
    return Sign(words, SURENESS.get(kind, SURE))


def shown(text: str, quote: str = "'") -> str:
    """Words from paper in a message: short, in one line, without what would move a terminal's cursor."""
    line = "".join(letter if letter.isprintable() else " " for letter in text[:200])
    line = " ".join(line.split())
    return f"{quote}{line if len(line) <= 40 else line[:39] + '…'}{quote}"


def parse(spec: str) -> Separator:
    """A separator from its text, NAME[:ARGUMENT][,keep|,drop][,end]. Raises BadArguments that lists what there is."""
    body, rules = _rules(spec)
    name, colon, argument = body.partition(":")
    kind = _kind(name.strip().lower(), spec)
    if colon and not argument:
        raise _wrong(spec, f"nothing stands after '{name}:'")
    end, keep = "end" in rules, "keep" in rules or ("drop" not in rules and kind not in SHEETS)
    if not keep and kind in NEVER_DROPPED:
        raise _wrong(spec, f"the sheets of '{kind}' are pages of a document, and none is dropped")
    if end and kind in ("size", "every"):
        raise _wrong(spec, f"'{kind}' begins a document and cannot end one")
    if kind in COUNTED:
        return Separator(kind=kind, argument=argument, keep=keep, end=end, count=_count(kind, argument, spec))
    return Separator(
        kind=kind, argument=_argument(kind, argument, spec), keep=keep, end=end, pattern=_pattern(kind, argument, spec)
    )


def _rules(spec: str) -> tuple[str, set[str]]:
    """What stands before the rules at the end, and the rules."""
    body, rules = spec, set[str]()
    while match := re.fullmatch(r"(.*?)\s*,\s*(keep|drop|end)\s*", body, re.IGNORECASE | re.DOTALL):
        body = match[1]
        rules.add(match[2].lower())
    if {"keep", "drop"} <= rules:
        raise _wrong(spec, "it cannot both keep and drop a sheet")
    return body, rules


def _kind(name: str, spec: str) -> str:
    return name if name in WORDS else barcode_type(name, lambda: _wrong(spec, f"there is no '{name}'"))


def barcode_type(name: str, refusal: Callable[[], BadArguments]) -> str:
    """The type of barcode that a word names, in any case. Raises what `refusal` makes."""
    from dwtsvc.imaging.barcode import TYPES  # here, because it loads Pillow

    if name.lower() not in TYPES:
        raise refusal()
    return name.lower()


def _count(kind: str, argument: str, spec: str) -> int:
    if kind == "blank" and not argument:
        return 1
    if not (argument.isascii() and argument.isdigit() and 1 <= int(argument) <= MOST):
        raise _wrong(spec, f"'{kind}:' needs a number from 1 to {MOST}")
    return int(argument)


def _argument(kind: str, argument: str, spec: str) -> str:
    if kind in PLAIN and argument:
        raise _wrong(spec, f"'{kind}' takes nothing after a colon")
    if kind == "patch" and argument.upper() not in ("", *PATCH_CODES):
        raise _wrong(spec, f"the patch codes are {', '.join(PATCH_CODES)}")
    return argument.upper() if kind == "patch" else argument


def _pattern(kind: str, argument: str, spec: str) -> re.Pattern[str] | None:
    if kind in PLAIN or kind == "patch":
        return None
    if kind == "asn":
        return asn_pattern(argument)
    if kind == "text":
        if not argument:
            raise _wrong(spec, "'text:' needs an expression to look for")
        return compiled(argument, re.MULTILINE)
    return compiled(argument) if argument else None


def asn_pattern(prefix: str) -> re.Pattern[str]:
    """A code that is an archive serial number: a prefix, else ASN, and digits; group 1 is the number."""
    return re.compile(rf"\A{re.escape(prefix or ASN)}([0-9]+)\Z")


def compiled(expression: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """An expression that somebody wrote. Raises BadArguments if it is none, too long, or could take for ever."""
    if len(expression) > LONGEST_PATTERN:
        raise BadArguments(
            f"An expression of {len(expression)} letters is too long", hint=f"{LONGEST_PATTERN} will do."
        )
    if _repeats_a_repeat(expression):
        why = "it repeats a group that itself repeats something, which can take for ever"
        raise BadArguments(
            f"The expression {shown(expression)} is refused", why=why, hint="Write [A-Z0-9]+, not (..+)+."
        )
    try:
        return re.compile(expression, flags)
    except (re.error, OverflowError, RecursionError) as error:
        hint = "It is a regular expression as Python knows them; put \\ before a sign that stands for itself."
        raise BadArguments(f"{shown(expression)} is no expression", why=str(error), hint=hint) from None


ATOM = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
REPEAT = re.compile(r"[*+]|\{\d*,\d*\}|\{\d+\}")


def _repeats_a_repeat(expression: str) -> bool:
    """Whether a group with an open repetition in it is repeated: (a+)+ tries every way to share letters out."""
    groups, at = [False], 0
    closed = False  # whether the piece before is a group that repeats inside
    while match := ATOM.match(expression, at):
        repeat = REPEAT.match(expression, at)
        at = repeat.end() if repeat else match.end()
        if repeat and closed:
            return True
        if repeat:
            groups[-1] = groups[-1] or _is_open(repeat[0])
        closed = False
        if match[0] == "(":
            groups.append(False)
        elif match[0] == ")" and len(groups) > 1:
            closed = groups.pop()
            groups[-1] = groups[-1] or closed
    return False


def _is_open(repeat: str) -> bool:
    return repeat in "*+" or "," in repeat


def _wrong(spec: str, why: str) -> BadArguments:
    return BadArguments(f"{shown(spec)} is no separator", why=why, hint=HINT)
