"""The error tree is what its docstring draws, and the exit codes are the promise."""

from __future__ import annotations

import pickle
import re

from dwtsvc import errors

PROMISED = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 40, 41, 42, 43, 70, 78, 130,
}  # fmt: skip


def test_the_drawing_shows_every_class_with_its_code_and_word() -> None:
    drawn = re.findall(r"^ +(\w+) +(\d+) ([\w-]+)$", errors.__doc__ or "", re.MULTILINE)
    assert {(name, int(code), word) for name, code, word in drawn} == {
        (cls.__name__, cls.exit_code, cls.word) for cls in errors.tree()
    }


def test_the_exit_codes_are_the_promised_ones() -> None:
    assert {code for code, _ in errors.exit_codes()} == PROMISED


def test_every_word_names_one_class_and_an_unknown_one_is_internal() -> None:
    words = [cls.word for cls in errors.tree()]
    assert len(words) == len(set(words))
    assert all(errors.by_word(cls.word) is cls for cls in errors.tree())
    assert errors.by_word("no-such-word") is errors.DwtsvcError


def test_an_error_reads_as_what_and_why() -> None:
    assert str(errors.PaperJam("Paper jam", why="status 6", hint="Clear it.")) == "Paper jam: status 6"
    assert str(errors.PaperJam("Paper jam")) == "Paper jam"


def test_an_error_crosses_to_another_process_whole() -> None:
    error = errors.WrongPassword("It is wrong", why="so it is", hint="Try another.")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is errors.WrongPassword
    assert (copy.what, copy.why, copy.hint) == ("It is wrong", "so it is", "Try another.")
