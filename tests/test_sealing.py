"""What is sealed opens only whole, under its own name and with its own key; a key of memory never meets a disk."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwtsvc import sealing
from dwtsvc.sealing import FRAME, TAG, BrokenSeal, MemoryKey, Seal

KEY = bytes(range(32))


def sealed(tmp_path: Path, content: bytes, name: str = "page", key: bytes = KEY) -> Path:
    path = tmp_path / "sealed"
    with path.open("wb") as file:
        Seal(key).write(io.BytesIO(content), file, name)
    return path


@pytest.mark.parametrize("size", [0, 1, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 2 * FRAME + 77])
def test_what_was_sealed_comes_back(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = sealed(tmp_path, content)
    assert Seal(KEY).read(path, "page") == content
    assert content[:64] not in path.read_bytes() or size <= 1  # one byte is there by chance


def test_another_name_or_key_opens_nothing(tmp_path: Path) -> None:
    path = sealed(tmp_path, b"a letter")
    with pytest.raises(BrokenSeal):
        Seal(KEY).read(path, "another")
    with pytest.raises(BrokenSeal):
        Seal(bytes(32)).read(path, "page")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_flipped_bit_and_every_cut_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = sealed(tmp_path_factory.mktemp("seal"), b"x" * (FRAME + 100))
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytearray(whole)
    flipped[at] ^= 1 << data.draw(st.integers(0, 7))
    for harmed in (bytes(flipped), whole[:at]):
        path.write_bytes(harmed)
        with pytest.raises(BrokenSeal):
            Seal(KEY).read(path, "page")


def test_frames_cannot_be_exchanged_or_left_out(tmp_path: Path) -> None:
    path = sealed(tmp_path, b"a" * FRAME + b"b" * FRAME + b"c" * 10)
    whole = path.read_bytes()
    head, step = 12, FRAME + TAG
    frames = [whole[head + at * step : head + (at + 1) * step] for at in range(3)]
    for order in ([1, 0, 2], [0, 2], [0, 1]):
        path.write_bytes(whole[:head] + b"".join(frames[each] for each in order))
        with pytest.raises(BrokenSeal):
            Seal(KEY).read(path, "page")


def test_a_password_makes_the_same_seal_only_with_its_salt(tmp_path: Path) -> None:
    note = Seal.of_password("secret", b"s" * 16).seal_note("a note", "doc")
    assert Seal.of_password("secret", b"s" * 16).open_note(note, "doc") == "a note"
    for seal in (Seal.of_password("Secret", b"s" * 16), Seal.of_password("secret", b"t" * 16)):
        with pytest.raises(BrokenSeal):
            seal.open_note(note, "doc")


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA"])
def test_a_note_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BrokenSeal):
        Seal(KEY).open_note(text, "doc")


@pytest.mark.skipif(not sealing._is_memory(sealing.SHARED_MEMORY), reason="no memory file system here")
def test_the_key_lives_in_memory_and_is_the_same_for_the_next_process(tmp_path: Path) -> None:
    command = (
        "import sys; from pathlib import Path; from dwtsvc.sealing import MemoryKey;"
        "print(MemoryKey(Path(sys.argv[1]) / 'run', Path(sys.argv[1]) / 'state').bytes.hex())"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", command, str(tmp_path)], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    key = keys.pop().strip()
    assert not keys and len(key) == 64
    assert not list(tmp_path.rglob("*"))
    assert MemoryKey(tmp_path / "run", tmp_path / "other").bytes.hex() != key
    for state in ("state", "other"):
        shutil.rmtree(sealing.shared_folder(tmp_path / state))


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that counts as the memory that all share."""
    folder = tmp_path / "memory"
    folder.mkdir()
    monkeypatch.setattr(sealing, "SHARED_MEMORY", folder)
    monkeypatch.setattr(sealing, "_is_memory", lambda asked: asked == folder)
    return folder


@pytest.mark.skipif(os.name == "nt", reason="there is no key in memory here")
def test_a_key_stays_while_what_it_opens_is_kept_with_or_without_its_folder(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {name: MemoryKey(tmp_path / "run", tmp_path / name) for name in ("over", "lasting", "new", "own")}
    keys["over"].keep(timedelta(days=1))
    keys["lasting"].keep(timedelta(days=2))
    keys["own"].keep(timedelta(days=2))
    assert len(list(memory.iterdir())) == 4
    later = time.time() + timedelta(days=2.5).total_seconds()  # each stays a day longer than what it opens
    monkeypatch.setattr(sealing, "time", SimpleNamespace(time=lambda: later))
    keys["own"].keep(timedelta(days=2))
    del keys["over"]
    assert set(memory.iterdir()) == {sealing.shared_folder(tmp_path / name) for name in keys}
    assert all(MemoryKey(tmp_path / "run", tmp_path / name).bytes == key.bytes for name, key in keys.items())


@pytest.mark.skipif(os.name == "nt", reason="there is no key in memory here")
def test_a_key_that_was_taken_from_a_running_service_comes_back(memory: Path, tmp_path: Path) -> None:
    key = MemoryKey(tmp_path / "run", tmp_path / "state")
    shutil.rmtree(sealing.shared_folder(tmp_path / "state"))
    key.keep(timedelta(days=1))
    assert MemoryKey(tmp_path / "run", tmp_path / "state").bytes == key.bytes


@pytest.mark.skipif(os.name == "nt", reason="there is no key in memory here")
def test_a_folder_in_the_memory_of_all_that_others_may_write_to_is_left_alone(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = MemoryKey(tmp_path / "run", tmp_path / "foreign")
    foreign.keep(timedelta(days=1))
    sealing.shared_folder(tmp_path / "foreign").chmod(0o777)
    later = time.time() + timedelta(days=3).total_seconds()
    monkeypatch.setattr(sealing, "time", SimpleNamespace(time=lambda: later))
    MemoryKey(tmp_path / "run", tmp_path / "state").keep(timedelta(days=1))
    assert (sealing.shared_folder(tmp_path / "foreign") / "key").exists()


@pytest.mark.skipif(os.name == "nt", reason="folders have no modes here")
def test_a_key_folder_that_is_open_to_others_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_memory_folder", lambda runtime, state: tmp_path / "shared")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(PermissionError):
        MemoryKey(tmp_path, tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="there is no key in memory here")
def test_what_a_killed_process_of_the_same_number_left_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "_memory_folder", lambda runtime, state: tmp_path / "own")
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "own" / f"key.{os.getpid()}").write_bytes(b"half")
    assert len(MemoryKey(tmp_path, tmp_path).bytes) == 32


@pytest.mark.skipif(os.name == "nt", reason="there is no key in memory here")
def test_half_a_key_is_never_made_nor_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "_memory_folder", lambda runtime, state: tmp_path / "own")
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:5]))
        with pytest.raises(OSError):
            MemoryKey(tmp_path, tmp_path)
    assert not list((tmp_path / "own").iterdir())
    (tmp_path / "own" / "key").write_bytes(b"half")
    (tmp_path / "own" / "key").chmod(0o600)
    with pytest.raises(OSError, match="key"):
        MemoryKey(tmp_path, tmp_path)
