"""Splitting: separators as people write them, and stacks that become documents without losing a page."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwtsvc import records
from dwtsvc.errors import BadArguments
from dwtsvc.facts import PageFacts
from dwtsvc.model import Barcode
from dwtsvc.separators import HINT, LONGEST_TEXT, parse
from dwtsvc.splitting import Decision, Splitter, page_map


def code(text: str, type: str = "code128") -> Barcode:
    corners = ((0, 0), (1, 0), (1, 1), (0, 1))
    return Barcode(text=text, bytes=text.encode(), type=type, corners=corners, angle=0, engine="zxing")


def patch(text: str = "T") -> tuple[Barcode, ...]:
    return (code(text, "Patch"),)


def stack(*pages: dict[str, Any]) -> list[PageFacts]:
    return [PageFacts(number=number, **page) for number, page in enumerate(pages, 1)]


def split(pages: Iterable[PageFacts], *separators: str, **how: bool) -> list[Decision]:
    splitter = Splitter([parse(each) for each in separators], **how)
    return [decision for page in pages for decision in splitter.feed(page)] + splitter.finish()


def documents(decisions: list[Decision]) -> list[list[int]]:
    """The numbers of the pages of each document."""
    kept = [each for each in decisions if each.kept]
    return [[each.number for each in pages] for _, pages in groupby(kept, key=lambda each: each.document)]


def dropped(decisions: list[Decision]) -> dict[int, str]:
    return {each.number: each.reason for each in decisions if not each.kept}


PAPER: dict[str, Any] = {"blank": 0.02, "text": "Dear Sir"}
EMPTY: dict[str, Any] = {"blank": 0.97}
SHEET: dict[str, Any] = {"barcodes": patch(), "blank": 0.1}


# --- separators as people write them


@pytest.mark.parametrize(
    ("spec", "keep", "end", "count"),
    [
        ("patch", False, False, 1),
        ("patch:t", False, False, 1),
        ("PATCHT", False, False, 1),
        ("black", False, False, 1),
        ("blank", False, False, 1),
        ("blank:2", False, False, 2),
        ("blank:2,keep", True, False, 2),
        ("barcode", True, False, 1),
        ("code128:^INV", True, False, 1),
        ("Code128:^INV , drop", False, False, 1),
        ("qr", True, False, 1),
        ("asn", True, False, 1),
        ("asn:ARCHIVE-", True, False, 1),
        ("text:^Invoice, No", True, False, 1),
        ("text:^Total,end", True, True, 1),
        ("patch:4,end,keep", True, True, 1),
        ("size", True, False, 1),
        ("every:12", True, False, 12),
    ],
)
def test_a_separator_says_whether_its_sheet_stays(spec: str, keep: bool, end: bool, count: int) -> None:
    separator = parse(spec)
    assert (separator.keep, separator.end, separator.count) == (keep, end, count)


@pytest.mark.parametrize(
    "spec",
    [
        *("", "patchx", "patch:7", "patch:", "patcht:T", "black:1", "size:a4", "blank:0", "blank:x", "blank:-1"),
        *("every", "every:", "every:0", "every:1.5", "every:²", "every:99999", "text", "text:", "code12:x", "code128:"),
        *("asn,drop", "size,drop", "every:2,drop", "size,end", "every:2,end", "patch,keep,drop", "every:2,keeps"),
    ],
)
def test_what_is_no_separator_lists_those_there_are(spec: str) -> None:
    with pytest.raises(BadArguments) as caught:
        parse(spec)
    assert caught.value.hint == HINT and caught.value.why
    assert "code128:REGEX" in HINT and "For example" in HINT


@pytest.mark.parametrize(
    "expression", ["(", "[a", "*", "x" * 201, "(a+)+$", r"(?:\w+\s?)*x", "((a|b*)c)*", "(a{1,}){2,}"]
)
def test_an_expression_that_is_none_or_could_take_for_ever_is_refused(expression: str) -> None:
    with pytest.raises(BadArguments) as caught:
        parse(f"text:{expression}")
    assert caught.value.hint


@pytest.mark.parametrize(
    "expression", [r"(\d{4}-)+", "(a|b)+", r"[*+]+", r"\(a+\)+", "(INV|REC)[0-9]+", "(?:ab?)+", "x+y*"]
)
def test_ordinary_expressions_are_taken(expression: str) -> None:
    assert parse(f"text:{expression}").pattern is not None


def test_the_rules_at_the_end_are_no_part_of_the_expression() -> None:
    assert parse("text:a,keep").pattern == parse("text:a").pattern
    assert parse("text:a[,]keep").sign(PageFacts(number=1, text="a,keep"))


# --- signs


@pytest.mark.parametrize(
    ("spec", "facts", "words"),
    [
        ("patch", {"barcodes": patch("2")}, "patch code 2"),
        ("patch:T", {"barcodes": patch("T")}, "patch code T"),
        ("patch:T", {"barcodes": patch("2")}, None),
        ("patcht", {"barcodes": patch("T")}, "patch code T"),
        ("patcht", {"barcodes": patch("1")}, None),
        *(
            ("patcht", {"barcodes": (code("PATCHT", type),)}, f"{type} 'PATCHT'")
            for type in ("code39", "code128", "qr")
        ),
        ("patcht", {"barcodes": (code("PATCHT-2"),)}, None),
        ("patcht", {"text": "PATCHT"}, None),
        ("barcode", {"barcodes": (code("4006381333931", "ean13"),)}, "ean13 '4006381333931'"),
        ("barcode", {"barcodes": patch()}, None),
        ("barcode:^INV", {"barcodes": (code("x"), code("INV-7", "qr"))}, "qr 'INV-7'"),
        ("code39:^INV", {"barcodes": (code("INV-7", "code128"),)}, None),
        ("qr", {"barcodes": (code("x", "qr"),)}, "qr 'x'"),
        ("asn", {"barcodes": (code("ASN00123"),)}, "code128 'ASN00123'"),
        ("asn", {"barcodes": (code("ASN"),)}, None),
        ("asn", {"barcodes": (code("ASN00123x"),)}, None),
        ("asn:A.", {"barcodes": (code("A.7"),)}, "code128 'A.7'"),
        ("asn:A.", {"barcodes": (code("AB7"),)}, None),
        ("text:^Invoice", {"text": "Firm\nInvoice 7"}, "text 'Invoice'"),
        ("text:^invoice", {"text": "Invoice"}, None),
        ("text:(?i)^invoice", {"text": "Invoice"}, "text 'Invoice'"),
        ("text:late", {"text": "x" * LONGEST_TEXT + "late"}, None),
        ("black", {"black": True}, "black"),
        ("black", {}, None),
    ],
)
def test_a_sign_is_seen_or_not(spec: str, facts: dict[str, Any], words: str | None) -> None:
    sign = parse(spec).sign(PageFacts(number=1, **facts))
    assert (sign.words if sign else None) == words


def test_a_reason_is_one_short_line_whatever_is_printed() -> None:
    (decision,) = split(stack({"barcodes": (code("a\x1b[2J\n\u202e" + "b" * 300),)}), "barcode")
    assert decision.reason.isprintable() and len(decision.reason) < 90
    assert decision.reason.startswith("begins a document: code128 'a [2J bbb")


# --- stacks


def test_a_stack_without_separators_is_one_document() -> None:
    assert documents(split(stack(PAPER, EMPTY, PAPER))) == [[1, 2, 3]]
    assert split([]) == []


def test_a_separator_sheet_goes_and_begins_a_document() -> None:
    decisions = split(stack(PAPER, SHEET, PAPER, PAPER), "patch")
    assert documents(decisions) == [[1], [3, 4]]
    assert dropped(decisions) == {2: "separator sheet: patch code T"}
    assert decisions[1].document == 2 and decisions[1].confidence == 0.95


def test_leading_trailing_and_consecutive_separators_make_no_empty_document() -> None:
    decisions = split(stack(SHEET, SHEET, PAPER, SHEET, SHEET, PAPER, SHEET), "patcht")
    assert documents(decisions) == [[3], [6]]
    assert [row.document for row in page_map(decisions)] == [1, 1, 1, 2, 2, 2, None]


def test_a_stack_of_separators_alone_has_no_document() -> None:
    decisions = split(stack(SHEET, SHEET), "patch")
    assert documents(decisions) == [] and [row.document for row in page_map(decisions)] == [None, None]


def test_the_first_page_of_a_document_with_its_number_in_a_code_stays() -> None:
    invoice = {**PAPER, "barcodes": (code("INV-7"),)}
    decisions = split(stack(invoice, PAPER, invoice, invoice), "code128:^INV")
    assert documents(decisions) == [[1, 2], [3], [4]] and dropped(decisions) == {}
    assert decisions[2].reason == "begins a document: code128 'INV-7'"


def test_a_last_page_ends_its_document() -> None:
    total = {"text": "Total due: 7"}
    assert documents(split(stack(PAPER, total, PAPER, PAPER, total, total), "text:^Total,end")) == [
        [1, 2],
        [3, 4, 5],
        [6],
    ]


def test_a_sheet_that_ends_a_document_belongs_to_it() -> None:
    decisions = split(stack(PAPER, SHEET, PAPER, SHEET), "patch,end")
    assert documents(decisions) == [[1], [3]] and [each.document for each in decisions] == [1, 1, 2, 2]


def test_where_two_separators_are_on_a_page_the_one_that_drops_it_counts() -> None:
    both = {"barcodes": (code("PATCHT"),)}
    assert dropped(split(stack(PAPER, both, PAPER), "barcode", "patcht")) == {2: "separator sheet: code128 'PATCHT'"}


def test_a_black_sheet_divides() -> None:
    assert documents(split(stack(PAPER, {"black": True}, PAPER), "black")) == [[1], [3]]


def test_a_change_of_size_begins_a_document_and_a_turned_sheet_does_not() -> None:
    a4, turned, uneven, a5 = (
        {"width": width, "height": height} for width, height in ((210, 297), (297, 210), (213, 301), (148, 210))
    )
    decisions = split(stack(a4, turned, uneven, {}, a5, a5, a4), "size")
    assert documents(decisions) == [[1, 2, 3, 4], [5, 6], [7]]
    assert decisions[4].reason == "begins a document: the size changes from 213 x 301 to 148 x 210 mm"


def test_every_n_counts_from_the_beginning_of_each_document() -> None:
    assert documents(split(stack(*[PAPER] * 5), "every:2")) == [[1, 2], [3, 4], [5]]
    assert documents(split(stack(PAPER, SHEET, PAPER, PAPER, PAPER), "every:2", "patch")) == [[1], [3, 4], [5]]


def test_every_n_counts_a_blank_sheet_of_a_form_though_it_is_dropped() -> None:
    decisions = split(stack(PAPER, EMPTY, PAPER, EMPTY, EMPTY, EMPTY, PAPER), "every:2", drop_blank=True)
    assert documents(decisions) == [[1], [3], [7]]


def test_dropped_blanks_say_their_score() -> None:
    decisions = split(stack(EMPTY, PAPER, EMPTY, PAPER, {"blank": 0.49}), drop_blank=True)
    assert documents(decisions) == [[2, 4, 5]]
    assert dropped(decisions) == {1: "blank, score 0.97", 3: "blank, score 0.97"}
    assert [each.document for each in decisions] == [1, 1, 1, 1, 1]
    assert decisions[4].confidence == 0.51


def test_a_page_with_a_code_is_not_blank_and_one_that_nobody_looked_at_is_not_either() -> None:
    assert dropped(split(stack({"blank": 0.99, "barcodes": (code("x"),)}, {}), drop_blank=True)) == {}


def test_a_page_with_a_sign_stays_however_little_ink_it_has() -> None:
    assert dropped(split(stack(PAPER, {**EMPTY, "text": "Total"}), "text:Total", drop_blank=True)) == {}


def test_a_blank_page_that_stays_says_so() -> None:
    assert split(stack(PAPER, EMPTY))[1].reason == "blank, score 0.97, kept"


@pytest.mark.parametrize(
    ("spec", "blanks", "expected", "gone"),
    [
        ("blank", 1, [[1], [3]], [2]),
        ("blank", 3, [[1], [5]], [2, 3, 4]),
        ("blank:2", 1, [[1, 2, 3]], []),
        ("blank:2", 2, [[1], [4]], [2, 3]),
        ("blank:2", 3, [[1], [5]], [2, 3, 4]),
        ("blank:2,keep", 3, [[1], [2, 3, 4, 5]], []),
        ("blank,keep", 2, [[1], [2, 3, 4]], []),
        ("blank,keep,end", 2, [[1, 2, 3], [4]], []),
    ],
)
def test_so_many_blank_sheets_in_a_row_are_a_separator(
    spec: str, blanks: int, expected: list[list[int]], gone: list[int]
) -> None:
    decisions = split(stack(PAPER, *[EMPTY] * blanks, PAPER), spec)
    assert documents(decisions) == expected and list(dropped(decisions)) == gone


def test_a_blank_page_long_after_a_separator_is_a_page_again() -> None:
    assert documents(split(stack(PAPER, EMPTY, EMPTY, PAPER, EMPTY, PAPER), "blank:2")) == [[1], [4, 5, 6]]


def test_blanks_that_are_too_few_at_the_end_stay() -> None:
    assert documents(split(stack(PAPER, EMPTY), "blank:2")) == [[1, 2]]
    assert documents(split(stack(PAPER, EMPTY), "blank:2", drop_blank=True)) == [[1]]


# --- both sides


def sides(*pages: dict[str, Any]) -> list[PageFacts]:
    """Fronts and backs in turn."""
    return stack(*({**page, "back": number % 2 == 1} for number, page in enumerate(pages)))


def test_the_blank_back_of_a_separator_sheet_goes_with_it() -> None:
    decisions = split(sides(PAPER, EMPTY, SHEET, EMPTY, PAPER, PAPER), "patch", duplex=True)
    assert documents(decisions) == [[1, 2], [5, 6]]
    assert dropped(decisions)[4] == "back of a separator sheet, blank, score 0.97"


def test_a_separator_sheet_that_lay_face_down_goes_with_its_blank_front() -> None:
    decisions = split(sides(PAPER, PAPER, EMPTY, SHEET, PAPER, PAPER), "patch", duplex=True)
    assert documents(decisions) == [[1, 2], [5, 6]]
    assert dropped(decisions)[3] == "front of a separator sheet, blank, score 0.97"
    assert [each.document for each in decisions] == [1, 1, 2, 2, 2, 2]


def test_a_separator_on_both_sides_is_one() -> None:
    decisions = split(sides(PAPER, PAPER, SHEET, SHEET, PAPER, PAPER), "patch", duplex=True)
    assert documents(decisions) == [[1, 2], [5, 6]]


@pytest.mark.parametrize("other", [PAPER, {}])
def test_the_other_side_of_a_separator_sheet_stays_unless_it_is_known_to_be_blank(other: dict[str, Any]) -> None:
    assert documents(split(sides(PAPER, PAPER, SHEET, other, PAPER, PAPER), "patch", duplex=True)) == [
        [1, 2],
        [4, 5, 6],
    ]
    assert documents(split(sides(PAPER, PAPER, other, SHEET, PAPER, PAPER), "patch", duplex=True)) == [
        [1, 2, 3],
        [5, 6],
    ]


def test_a_sheet_is_never_torn_apart() -> None:
    label = {**PAPER, "barcodes": (code("ASN7"),)}
    decisions = split(sides(PAPER, PAPER, PAPER, label, PAPER, PAPER), "asn", duplex=True)
    assert documents(decisions) == [[1, 2], [3, 4, 5, 6]]
    assert documents(split(sides(*[PAPER] * 6), "every:2", duplex=True)) == [[1, 2, 3, 4], [5, 6]]
    total = {"text": "Total"}
    assert documents(split(sides(total, PAPER, PAPER, PAPER), "text:Total,end", duplex=True)) == [[1, 2], [3, 4]]


def test_the_label_on_the_other_side_of_a_separator_sheet_keeps_that_side() -> None:
    label = {"barcodes": (code("ASN7"),)}
    assert documents(split(sides(PAPER, PAPER, SHEET, label), "asn", "patch", duplex=True)) == [[1, 2], [4]]
    assert documents(split(sides(PAPER, PAPER, label, SHEET), "asn", "patch", duplex=True)) == [[1, 2], [3]]


def test_the_blank_back_of_a_letter_is_no_separator() -> None:
    pages = sides(PAPER, EMPTY, PAPER, EMPTY, EMPTY, EMPTY, PAPER, EMPTY)
    assert documents(split(pages, "blank", duplex=True)) == [[1, 2, 3, 4], [7, 8]]
    assert documents(split(pages, "blank", duplex=True, drop_blank=True)) == [[1, 3], [7]]
    assert documents(split(pages, "blank:2", duplex=True)) == [[1, 2, 3, 4, 5, 6, 7, 8]]


def test_fronts_without_backs_and_backs_without_fronts_lose_nothing() -> None:
    pages = stack({"back": True}, {}, {}, {"back": True}, {"back": True}, {})
    assert documents(split(pages, duplex=True)) == [[1, 2, 3, 4, 5, 6]]


def test_two_backs_in_a_row_are_no_sheet() -> None:
    pages = stack({**EMPTY, "back": True}, {**SHEET, "back": True}, PAPER)
    assert documents(split(pages, "patch", duplex=True)) == [[1], [3]]


# --- whatever is fed

BARCODES = st.sampled_from(
    [(), patch(), patch("2"), (code("INV-1"),), (code("ASN7", "qr"),), (code("PATCHT", "code39"),)]
)
PAGES = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "back": st.booleans(),
            "barcodes": BARCODES,
            "text": st.sampled_from(["", "Total", "Invoice 7"]),
            "blank": st.sampled_from([None, 0.0, 0.49, 0.5, 1.0]),
            "black": st.booleans(),
            "width": st.sampled_from([0.0, 148.0, 210.0]),
            "height": st.sampled_from([0.0, 210.0, 297.0]),
        },
    ),
    max_size=24,
)
SPECS = st.lists(
    st.sampled_from(
        [
            *(
                "patch",
                "patch:2,end",
                "patcht",
                "patcht,keep",
                "barcode",
                "barcode,drop",
                "code128:^INV,drop,end",
                "asn",
            ),
            *(
                "text:^Invoice",
                "text:^Total,end",
                "text:^Total,drop",
                "black",
                "black,keep",
                "size",
                "every:1",
                "every:3",
            ),
            *("blank", "blank:2", "blank:3,keep", "blank:2,keep,end", "blank,end"),
        ]
    ),
    max_size=4,
    unique=True,
)


@settings(deadline=None, max_examples=400)
@given(pages=PAGES, specs=SPECS, duplex=st.booleans(), drop_blank=st.booleans())
def test_every_page_gets_one_decision_in_order_and_soon(
    pages: list[dict[str, Any]], specs: list[str], duplex: bool, drop_blank: bool
) -> None:
    separators = [parse(spec) for spec in specs]
    splitter = Splitter(separators, duplex=duplex, drop_blank=drop_blank)
    decisions: list[Decision] = []
    blanks = min((each.count for each in separators if each.kind == "blank"), default=1)
    facts = stack(*pages)
    for page in facts:
        decisions += splitter.feed(page)
        assert page.number - len(decisions) <= (2 * blanks - 1 if duplex else blanks - 1)
    decisions += splitter.finish()
    assert splitter.finish() == []
    assert [each.number for each in decisions] == [page.number for page in facts]
    kept = [each.document for each in decisions if each.kept]
    assert sorted(set(kept)) == list(range(1, max(kept, default=0) + 1)) and kept == sorted(kept)
    _check_numbers_and_reasons(decisions, facts, separators, drop_blank)


def _check_numbers_and_reasons(
    decisions: list[Decision], facts: list[PageFacts], separators: list[Any], drop_blank: bool
) -> None:
    last = max((each.document for each in decisions if each.kept), default=0)
    before = 1
    for decision, page in zip(decisions, facts, strict=True):
        assert before <= decision.document <= last + 1 and 0 <= decision.confidence <= 1
        before = decision.document
        if decision.kept:
            continue
        signed = any(each.sign(page) for each in separators if not each.keep and each.kind not in ("size", "every"))
        assert signed == decision.reason.startswith("separator sheet: ") or page.is_blank
        assert signed or page.is_blank
        if page.is_blank and not signed and not any(not each.keep for each in separators):
            assert drop_blank and decision.reason.startswith("blank, score")


def mixed_stack(seed: int, duplex: bool) -> tuple[list[PageFacts], list[list[int]]]:
    """A stack with separators of every kind, and the pages of the documents that were put into it."""
    chance = random.Random(seed)
    pages: list[dict[str, Any]] = []
    truth: list[list[int]] = []

    def put(front: dict[str, Any], back: dict[str, Any] | None = None) -> list[int]:
        both = [front] + ([{**(back or {"blank": 0.9}), "back": True}] if duplex else [])
        pages.extend({"width": 210.0, "height": 297.0, **side} for side in both)
        return list(range(len(pages) - len(both) + 1, len(pages) + 1))

    for _ in range(chance.randint(1, 12)):
        kind = chance.choice(["patch", "patcht", "black", "asn", "code", "text", "blank"])
        sheet: dict[str, dict[str, Any]]
        first: dict[str, dict[str, Any]]
        sheet = {"patch": {"barcodes": patch("2")}, "patcht": {"barcodes": (code("PATCHT"),)}, "black": {"black": True}}
        first = {
            "asn": {"barcodes": (code(f"ASN{chance.randint(1, 99999):05}", "qr"),)},
            "code": {"barcodes": (code("INV-7"),)},
            "text": {"text": "Firm\nInvoice 7"},
        }
        if kind in sheet:
            twice = chance.random() < 0.5
            front, back = (sheet[kind], sheet[kind] if twice else None)
            put({"blank": 0.9}, front) if duplex and chance.random() < 0.3 else put(front, back)
        if kind == "blank":
            put({"blank": 0.8})
            put({"blank": 0.8})
        document = put({"blank": 0.1, **first.get(kind, {})}) if kind in first else put({"blank": 0.1})
        for _ in range(chance.randint(0, 4)):
            document += put({"blank": chance.random() / 2.01, "text": "no invoice"}, {"blank": chance.random() / 2.01})
        truth.append(document)
    return stack(*pages), truth


@pytest.mark.parametrize("duplex", [False, True])
def test_two_hundred_mixed_stacks_come_apart_as_they_were_put_together(duplex: bool) -> None:
    specs = ["patch", "patcht", "black", "asn", "code128:^INV", "text:^Invoice", "blank:2"]
    for seed in range(100):
        pages, truth = mixed_stack(seed, duplex)
        decisions = split(pages, *specs, duplex=duplex)
        assert documents(decisions) == truth, seed
        assert len(decisions) == len(pages)


# --- the page map, and records


def test_the_page_map_is_json_with_a_row_for_each_page() -> None:
    rows = page_map(split(stack(PAPER, SHEET, PAPER, SHEET), "patch"))
    assert json.loads(json.dumps(rows, default=records.pack)) == [
        {"document": 1, "page": 1, "kept": True, "reason": "", "confidence": 0.98},
        {"document": 2, "page": 2, "kept": False, "reason": "separator sheet: patch code T", "confidence": 0.95},
        {"document": 2, "page": 3, "kept": True, "reason": "", "confidence": 0.98},
        {"document": None, "page": 4, "kept": False, "reason": "separator sheet: patch code T", "confidence": 0.95},
    ]


def test_decisions_and_facts_are_records() -> None:
    for record in (split(stack(PAPER))[0], PageFacts(number=3, back=True, text="ä", blank=0.25, width=210.0)):
        assert records.unpack(type(record), json.loads(json.dumps(record, default=records.pack))) == record


# --- what docs/splitting.md says

DOCUMENT = (Path(__file__).parents[1] / "docs" / "splitting.md").read_text("utf-8")


def test_the_program_in_the_document_runs_and_says_what_it_should(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL)
    exec(compile(program, "splitting.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "1 1 True ",
        "1 2 False blank, score 0.97",
        "1 3 True ",
        "1 4 False blank, score 0.91",
    ]


def test_every_separator_of_the_document_is_one_and_keeps_or_drops_as_it_says() -> None:
    rows = re.findall(r"^\| (`[^|]*`)[^|]*\|[^|]*\| (go|goes|stays|stays, always) \|$", DOCUMENT, re.MULTILINE)
    specs = [(spec, word) for names, word in rows for spec in re.findall(r"`([^`]+)`", names)]
    assert len(specs) == 16
    for spec, word in specs:
        assert parse(spec.replace(":N", ":2")).keep == word.startswith("stays"), spec


def test_the_page_map_of_the_document_is_what_a_stack_gives() -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)
    pages = stack({"blank": 0.02}, SHEET, {"blank": 0.93, "back": True}, {"blank": 0.03}, SHEET)
    rows = page_map(split(pages, "patch", duplex=True))
    assert json.loads(json.dumps(rows, default=records.pack)) == json.loads(shown)
