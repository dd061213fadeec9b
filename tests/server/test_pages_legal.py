"""The legal notice, from what is really installed."""

from __future__ import annotations

from importlib.metadata import distribution

from dwtsvc.server import legal


def test_the_notice_has_every_part_that_is_required_and_installed() -> None:
    text = legal.notice()
    head = text.split("=" * 100)[0].lower()
    for requirement in distribution("dwtsvc").requires or []:
        if "extra ==" in requirement:  # nobody need have asked for it
            continue
        name = requirement.split(";")[0].split("<")[0].split(">")[0].split("=")[0].strip()
        if "win32" not in requirement.replace("!= ", "!=").replace("!='win32'", "").replace('!="win32"', ""):
            assert name.lower() in head


def test_the_words_of_the_licences_follow() -> None:
    text = legal.notice()
    assert "Permission is hereby granted, free of charge" in text
    assert "GNU GENERAL PUBLIC LICENSE" in text
    assert text.index("Copyright (c) 2026 The dwtsvc authors") < text.index("GNU GENERAL PUBLIC LICENSE")
    for name, terms, _ in legal.OF_THE_SYSTEM:
        assert name in text and terms in text


def test_what_a_part_needs_is_found_through_others_and_named_once() -> None:
    names = [each.metadata["Name"].lower() for each in legal.closure("litestar")]
    assert names[0] == "litestar" and "multidict" in names and "anyio" in names
    assert len(names) == len(set(names))
    assert "pytest" not in names


def test_a_part_that_is_not_installed_is_left_out() -> None:
    assert legal.closure("no-such-distribution") == []


def test_every_part_says_its_licence_in_a_line() -> None:
    for part in legal.closure("litestar") + legal.closure("dwtsvc"):
        said = legal.licence(part)
        assert said and "\n" not in said and len(said) < 120
