"""What runs in a child with limits: results come back, and every way to go wrong ends in a typed error."""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dwtsvc import limits
from dwtsvc.errors import BadInput, DwtsvcError, WrongPassword
from dwtsvc.model import Area, Mode

SMALL = 256 * 2**20


def area(width: float) -> tuple[Area, Mode, bytes]:
    return Area(width=width, height=1.0), Mode.GRAY, b"\x00\xff"


def own_number(times: int) -> Iterator[int]:
    for _ in range(times):
        yield os.getpid()


def refuse() -> None:
    raise WrongPassword("The password is wrong", why="so it is", hint="Try another.")


def fail() -> None:
    raise ValueError("a fault")


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(60)


def eat() -> int:
    return len(bytearray(2**40))


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def chatter() -> str:
    os.write(1, b"noise")
    print("more noise")
    return "quiet"


class Attack:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch attacked",)


def attack() -> Attack:
    return Attack()


def write(path: str) -> None:
    with open(path, "wb") as file:
        file.truncate(limits.FILE_SIZE + 1)


def count(fail_at: int) -> Iterator[int]:
    for number in range(5):
        if number == fail_at:
            crash()
        yield number


def limits_seen() -> list[int]:
    import resource

    return [resource.getrlimit(which)[0] for which in (resource.RLIMIT_AS, resource.RLIMIT_CORE)]


def test_records_enumerations_and_bytes_come_back_as_they_are() -> None:
    assert limits.run_limited(area, 2.5) == area(2.5)


def test_an_error_comes_through_as_its_own_class_with_all_its_words() -> None:
    with pytest.raises(WrongPassword) as caught:
        limits.run_limited(refuse)
    assert (caught.value.what, caught.value.why, caught.value.hint) == (
        "The password is wrong",
        "so it is",
        "Try another.",
    )
    with pytest.raises(DwtsvcError, match="ValueError: a fault") as other:
        limits.run_limited(fail)
    assert other.value.exit_code == 70


@pytest.mark.parametrize("endless", [spin, sleep])
def test_what_does_not_end_is_ended(endless) -> None:
    with pytest.raises(BadInput, match=r"'a\.pdf' took too long"):
        limits.run_limited(endless, timeout=0.5, name="'a.pdf'")


def test_what_wants_all_memory_gets_none() -> None:
    with pytest.raises(BadInput, match=r"'a\.pdf' needs too much memory: more than 256 MiB"):
        limits.run_limited(eat, memory=SMALL, name="'a.pdf'")


def test_a_crash_ends_the_child_only() -> None:
    with pytest.raises(BadInput, match=r"'a\.pdf' broke the program that read it: signal 11"):
        limits.run_limited(crash, name="'a.pdf'")


def test_what_a_library_prints_is_not_taken_for_the_result() -> None:
    assert limits.run_limited(chatter) == "quiet"


def test_a_child_that_sends_a_call_instead_of_a_value_is_not_obeyed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="makes no sense"):
        limits.run_limited(attack)
    for name in (b"dwtsvc.limits\nsubprocess.Popen", b"dwtsvc.limits\nserve", b"os\nsystem"):
        with pytest.raises((pickle.UnpicklingError, AttributeError)):
            limits._Careful(io.BytesIO(b"c" + name + b"\n.")).load()
    assert not (tmp_path / "attacked").exists()


def test_a_child_writes_no_large_file(tmp_path: Path) -> None:
    with pytest.raises(DwtsvcError, match="File too large"):
        limits.run_limited(write, str(tmp_path / "large"))


def test_items_come_one_by_one_until_the_fault() -> None:
    assert list(limits.iterate_limited(count, 9)) == [0, 1, 2, 3, 4]
    got = limits.iterate_limited(count, 2)
    assert [next(got), next(got)] == [0, 1]
    with pytest.raises(BadInput, match="signal 11"):
        next(got)


def test_who_stops_listening_ends_the_child() -> None:
    found = limits.iterate_limited(own_number, 9)
    child = next(found)
    os.kill(child, 0)
    found.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_the_child_has_its_limits_and_the_parent_does_not() -> None:
    before = limits_seen()
    assert limits.run_limited(limits_seen, memory=SMALL) == [SMALL, 0]
    assert limits_seen() == before


def test_a_process_confines_itself_for_ever() -> None:
    program = (
        "import resource\nfrom dwtsvc.limits import confine\n"
        f"confine(memory={SMALL}, open_files=16)\nconfine(memory={2 * SMALL}, open_files=99)\n"
        "print(resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "try: bytearray(2**30)\nexcept MemoryError: print('none')\n"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == [str(SMALL), "16", "none"], told.stderr


def test_the_child_imports_no_more_than_its_function_needs() -> None:
    loaded = set(limits.run_limited(eval, "list(__import__('sys').modules)"))
    heavy = {"site", "PIL", "numpy", "pypdf", "pikepdf", "typer", "multiprocessing", "ctypes", "json", "dwtsvc.model"}
    assert not heavy & loaded


def test_a_child_does_one_call_after_another_also_after_a_refusal() -> None:
    with limits.Child() as child:
        pids = [*child.call(os.getpid, (), many=False, timeout=30, name="It")]
        with pytest.raises(WrongPassword):
            list(child.call(refuse, (), many=False, timeout=30, name="It"))
        pids += child.call(os.getpid, (), many=False, timeout=30, name="It")
    assert len(set(pids)) == 1 and pids[0] != os.getpid()


def test_a_child_that_was_not_heard_to_the_end_takes_no_other_call() -> None:
    with limits.Child() as child:
        next(child.call(range, (5,), many=True, timeout=30, name="It"))
        assert child.dead


def test_a_child_that_was_killed_just_when_its_answer_was_whole_gets_no_other_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = limits._read
    with limits.Child() as child:

        def late(data: bytes, name: str) -> tuple[str, object]:
            kind, value = read(data, name)
            if kind != "item":
                child._too_late()  # as its clock does
            return kind, value

        monkeypatch.setattr(limits, "_read", late)
        assert len([*child.call(os.getpid, (), many=False, timeout=60, name="It")]) == 1
        assert child.dead
