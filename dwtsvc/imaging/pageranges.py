"""Page ranges as people write them: `1-3,5,8-`, `last`, `odd`, `even`, `reverse`, `rest`."""

from __future__ import annotations

import re

from dwtsvc.errors import BadArguments

ALLOWED = "Write pages as 1-3,5,8-; as first, last, all, odd, even, reverse; or rest, those not named before it."
RANGE = re.compile(r"(\d+|first|last)(?:(-)(\d+|last)?)?")
LONGEST = 100_000  # pages named in all, so that all,all,all does not fill the memory


def parse(text: str, count: int) -> list[int]:
    """The pages that `text` names among `count`, from 0, in the order named and as often as named.

    8-3 counts down. BadArguments says what is allowed, or how many pages there are.
    """
    named: list[int] = []
    for part in text.lower().split(","):
        named += _part("".join(part.split()), text, count, named)
        if len(named) > LONGEST:
            raise BadArguments(f"'{text}' names more than {LONGEST} pages")
    if not named:
        raise BadArguments(f"'{text}' names none of the {count} pages", hint=ALLOWED)
    return named


def order(text: str, count: int) -> list[int]:
    """Like `parse`, for a new order: BadArguments unless every page is named exactly once."""
    named = parse(text, count)
    twice = sorted({page + 1 for page in named if named.count(page) > 1}) if len(set(named)) < len(named) else []
    missing = sorted(set(range(1, count + 1)) - {page + 1 for page in named})
    if twice:
        raise BadArguments(f"'{text}' names page {_few(twice)} more than once")
    if missing:
        hint = "Add ,rest to let the others follow, or use `extract` to leave them out."
        raise BadArguments(f"'{text}' does not name page {_few(missing)}", hint=hint)
    return named


def left(text: str, count: int) -> list[int]:
    """The pages that `text` does not name, in their order. BadArguments when none would be left."""
    gone = set(parse(text, count))
    kept = [page for page in range(count) if page not in gone]
    if not kept:
        raise BadArguments(f"'{text}' names all {count} pages; a PDF needs at least one")
    return kept


def _part(part: str, text: str, count: int, before: list[int]) -> list[int]:
    words = {
        "all": range(count),
        "odd": range(0, count, 2),
        "even": range(1, count, 2),
        "reverse": range(count - 1, -1, -1),
    }
    if part in words:
        return list(words[part])
    if part == "rest":
        named = set(before)
        return [page for page in range(count) if page not in named]
    found = RANGE.fullmatch(part)
    if not found:
        raise BadArguments(f"'{text}' does not say which pages", hint=ALLOWED)
    start = _number(found[1], count)
    end = _number(found[3] or "last", count) if found[2] else start
    return list(range(start, end + 1)) if start <= end else list(range(start, end - 1, -1))


def _number(word: str, count: int) -> int:
    number = {"first": 1, "last": count}.get(word) or int(word[:9])
    if not 1 <= number <= count:
        pages = "1 page" if count == 1 else f"{count} pages"
        raise BadArguments(f"There is no page {word}: the PDF has {pages}", hint=ALLOWED)
    return number - 1


def _few(pages: list[int]) -> str:
    return ", ".join(map(str, pages[:10])) + (", ..." if len(pages) > 10 else "")
