"""An entry goes into an administrator's JSON file and out again, and no other byte moves."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwtsvc.certs import splice
from dwtsvc.errors import BadInput

PATH = ("policies", "Certificates", "Install")
OURS = "/etc/firefox/policies/dwtsvc.pem"

HAND_MADE = """{
    // no
}"""

LAID_OUT = """{
\t"policies":   { "DisableTelemetry" : true,
\t\t"Certificates": {
\t\t\t"ImportEnterpriseRoots":true, "Install": [ "corp.pem",
\t\t\t\t"/srv/other.pem" ]
\t\t},
\t\t"Homepage": {"URL": "https:\\/\\/example.com\\u002f", "Locked": 1e0}
\t}
}
"""


def installed(text: str) -> list[str]:
    value: Any = json.loads(text)
    for key in PATH:
        value = value[key]
    return list(value)


def test_a_file_laid_out_by_hand_differs_in_one_place_only() -> None:
    changed = splice.add(LAID_OUT, PATH, OURS)
    assert installed(changed) == ["corp.pem", "/srv/other.pem", OURS]
    before, _, after = changed.partition(",\n\t\t\t\t" + json.dumps(OURS))
    assert before + after == LAID_OUT
    assert splice.remove(changed, PATH, OURS) == LAID_OUT


def test_adding_twice_is_adding_once() -> None:
    once = splice.add(LAID_OUT, PATH, OURS)
    assert splice.add(once, PATH, OURS) == once


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_new_file_holds_the_entry_alone_and_is_empty_without_it(text: str) -> None:
    made = splice.add(text, PATH, OURS)
    assert json.loads(made) == {"policies": {"Certificates": {"Install": [OURS]}}}
    assert splice.remove(made, PATH, OURS) == ""


def test_of_two_entries_the_right_one_goes() -> None:
    both = splice.add(splice.add("", PATH, OURS), PATH, "/second.pem")
    assert installed(splice.remove(both, PATH, OURS)) == ["/second.pem"]
    assert splice.remove(splice.remove(both, PATH, "/second.pem"), PATH, OURS) == ""
    assert splice.remove(splice.remove(both, PATH, OURS), PATH, "/second.pem") == ""


@pytest.mark.parametrize(
    "text",
    [
        '{"policies": {}}',
        '{\n  "policies": {\n  }\n}\n',
        '{"policies":{"a":1}}',
        '{"policies": {"Certificates": {"ImportEnterpriseRoots": true}}}',
        '\n{"z": [], "policies": {"b": {"Install": []}}}',
    ],
)
def test_what_was_made_on_the_way_goes_too(text: str) -> None:
    changed = splice.add(text, PATH, OURS)
    assert installed(changed) == [OURS]
    assert splice.remove(changed, PATH, OURS) == text


@pytest.mark.parametrize(
    "text",
    [
        *(HAND_MADE, "[]", "1", "\ufeff{}", '{"policies": {', '{"policies": []}', '{"policies": {"Certificates": 1}}'),
        *('{"policies": {"Certificates": {"Install": "a"}}}', '{"policies": {"Certificates": {"Install": {}}}}'),
    ],
)
def test_a_file_that_firefox_would_not_understand_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        splice.add(text, PATH, OURS)
    with pytest.raises(BadInput):
        splice.remove(text, PATH, OURS)


def test_removing_what_is_not_there_changes_nothing() -> None:
    for text in (LAID_OUT, "{}", '{"policies": {}}'):
        assert splice.remove(text, PATH, OURS) == text


leaves = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
others = st.dictionaries(st.text(max_size=12), values, max_size=3)


@st.composite
def policy_files(draw: st.DrawFn) -> str:
    """A file with anything beside the list, which has entries already, in any layout that `json` can write."""
    items = draw(st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=3))
    certificates = {**draw(others), "Install": items, **draw(others)}
    if not isinstance(certificates["Install"], list):
        certificates["Install"] = items
    value = {**draw(others), "policies": {**draw(others), "Certificates": certificates}}
    indent = draw(st.none() | st.integers(0, 4) | st.just("\t"))
    return json.dumps(value, indent=indent, ensure_ascii=draw(st.booleans())) + draw(st.sampled_from(["", "\n"]))


@given(policy_files(), st.text(min_size=10))
def test_any_file_comes_back_to_the_byte_and_holds_its_other_keys_meanwhile(text: str, item: str) -> None:
    before = json.loads(text)
    changed = splice.add(text, PATH, item)
    assert installed(changed) == [*installed(text), item]
    before["policies"]["Certificates"]["Install"].append(item)
    assert json.loads(changed) == before
    assert splice.remove(changed, PATH, item) == text
