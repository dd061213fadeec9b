from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwtsvc import ini
from dwtsvc.errors import BadArguments, BadConfiguration, DiskFull, FileAccess

SAMPLE = b"""\xef\xbb\xbf; first things\r
LogLevel=14\r
\r
[dwtsvc]  ; ours\r
  Quality =  70\r
# a note\r
size = a4\r
\r
; about the other\r
[Other]\r
strange key = "  kept  "\r
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "DSConfiguration.ini"


@contextmanager
def no_rights_to(folder: Path) -> Iterator[None]:
    """Root may do everything, so it becomes nobody for a while."""
    mode, root = folder.stat().st_mode, os.geteuid() == 0
    folder.chmod(0)
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(mode)


def values(path: Path) -> list[tuple[str, str, str]]:
    return [(each.section, each.key, each.value) for each in ini.read(path).entries()]


def set_value(path: Path, section: str, key: str, value: str) -> None:
    with ini.editing(path) as document:
        document.set(section, key, value)


def test_every_key_is_read_with_its_section_and_line(path: Path) -> None:
    path.write_bytes(SAMPLE)
    assert ini.read(path).entries() == [
        ini.Entry("", "LogLevel", "14", 2),
        ini.Entry("dwtsvc", "Quality", "70", 5),
        ini.Entry("dwtsvc", "size", "a4", 7),
        ini.Entry("Other", "strange key", "  kept  ", 11),
    ]
    assert ini.read(path).sections() == ["dwtsvc", "Other"]


def test_a_missing_file_is_an_empty_document(path: Path) -> None:
    assert ini.read(path).entries() == []
    assert not path.exists()


@pytest.mark.parametrize(
    ("section", "key", "value", "old", "new"),
    [
        ("DWTSVC", "quality", "80", b"  Quality =  70", b"  Quality = 80"),
        ("", "LogLevel", "1", b"LogLevel=14", b"LogLevel=1"),
        ("dwtsvc", "mode", "gray", b"size = a4\r\n", b"size = a4\r\nmode = gray\r\n"),
        ("", "Server", "::1", b"LogLevel=14\r\n", b"LogLevel=14\r\nServer = ::1\r\n"),
        ("new", "key", "1", b'kept  "\r\n', b'kept  "\r\n\r\n[new]\r\nkey = 1\r\n'),
    ],
)
def test_setting_a_key_changes_its_line_alone(
    path: Path, section: str, key: str, value: str, old: bytes, new: bytes
) -> None:
    path.write_bytes(SAMPLE)
    set_value(path, section, key, value)
    assert path.read_bytes() == SAMPLE.replace(old, new)


def test_a_last_line_without_an_end_gets_one_before_another_follows(path: Path) -> None:
    path.write_bytes(b"[dwtsvc]\nquality = 1")
    set_value(path, "dwtsvc", "size", "a4")
    assert path.read_bytes() == b"[dwtsvc]\nquality = 1\nsize = a4\n"


def test_unsetting_a_key_removes_its_line_alone(path: Path) -> None:
    path.write_bytes(SAMPLE)
    with ini.editing(path) as document:
        assert document.unset("dwtsvc", "quality")
        assert not document.unset("dwtsvc", "quality")
    assert path.read_bytes() == SAMPLE.replace(b"  Quality =  70\r\n", b"")


def test_removing_a_section_keeps_the_comment_of_the_next(path: Path) -> None:
    path.write_bytes(SAMPLE)
    with ini.editing(path) as document:
        assert document.remove("dwtsvc")
        assert not document.remove("absent")
    start, end = SAMPLE.index(b"[dwtsvc]"), SAMPLE.index(b"; about")
    assert path.read_bytes() == SAMPLE[:start] + SAMPLE[end:]


def test_replacing_a_section_keeps_the_lines_of_keys_it_keeps(path: Path) -> None:
    path.write_bytes(SAMPLE)
    with ini.editing(path) as document:
        document.replace("dwtsvc", {"quality": "70", "mode": "gray"})
    assert path.read_bytes() == SAMPLE.replace(b"  70", b" 70").replace(b"size = a4\r\n", b"").replace(
        b"Quality = 70\r\n", b"Quality = 70\r\nmode = gray\r\n"
    )


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"[a]\nx = 1\nX = 2\n", 3),
        (b"[a]\nx = 1\n[b]\n[A]\nx = 2\n", 5),
        (b"\n\nthis is no key\n", 3),
        (b"[never closed\n", 1),
        (b"[ ]\n", 1),
        (b"= 5\n", 1),
        (b"a = 1\nb = \xe9\n", 2),
        (b"\xff\xfea\x00=\x001\x00", 1),
        (b"a = 1\n\nb = \x1b[2J\n", 3),
        (b"a = 1\nb = \x00\n", 2),
    ],
)
def test_a_file_that_breaks_the_rules_is_told_with_its_line(path: Path, content: bytes, line: int) -> None:
    path.write_bytes(content)
    with pytest.raises(BadConfiguration) as caught:
        ini.read(path)
    assert caught.value.what.startswith(f"{path}:{line}: ")


def test_a_file_of_more_than_a_mebibyte_is_refused(path: Path) -> None:
    path.write_bytes(b"#" * ini.MAX_BYTES)
    assert ini.read(path).entries() == []
    path.write_bytes(b"#" * (ini.MAX_BYTES + 1))
    with pytest.raises(BadConfiguration, match="too big"):
        ini.read(path)


def test_a_file_is_never_made_too_big_to_be_read(path: Path) -> None:
    path.write_bytes(b"#" * (ini.MAX_BYTES - 1) + b"\n")
    with pytest.raises(BadConfiguration, match="too big"):
        set_value(path, "a", "b", "c")
    assert path.stat().st_size == ini.MAX_BYTES


@pytest.mark.timeout(20)
def test_a_folder_and_a_pipe_in_place_of_the_file_are_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(BadConfiguration, match="cannot be read"):
            ini.read(path)


def test_a_file_without_the_right_to_read_it_is_told(path: Path) -> None:
    path.write_bytes(SAMPLE)
    with no_rights_to(path.parent), pytest.raises(BadConfiguration, match="Permission denied"):
        ini.read(path)


def test_a_folder_without_the_right_to_write_is_told_and_the_file_stays(path: Path) -> None:
    path.write_bytes(SAMPLE)
    with no_rights_to(path.parent), pytest.raises(FileAccess, match="Permission denied"):
        set_value(path, "dwtsvc", "quality", "1")
    assert path.read_bytes() == SAMPLE


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_is_told_and_the_old_file_stays(tmp_path: Path) -> None:
    page = os.sysconf("SC_PAGESIZE")
    mount = ["mount", "-t", "tmpfs", "-o", f"size={page}", "none", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        path = tmp_path / "DSConfiguration.ini"
        path.write_bytes(SAMPLE)
        with pytest.raises(DiskFull, match="No space left"):
            set_value(path, "dwtsvc", "quality", "1")
        assert path.read_bytes() == SAMPLE
        assert sorted(each.name for each in tmp_path.iterdir()) == [".DSConfiguration.ini.lock", path.name]
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    "value", ["", " ", " a ", '"', '""', '"a"', '" a', "a = b", "# a", "; a", "[a]", "a\tb", "é\u2028"]
)
def test_a_value_is_read_back_as_it_was_given(path: Path, value: str) -> None:
    for _ in range(2):  # into a new line, then into an old one
        set_value(path, "dwtsvc", "device", value)
        assert values(path) == [("dwtsvc", "device", value)]


@pytest.mark.parametrize("value", ["a\nb = 2", "a\rb", "\x00", "\udcff"])
def test_a_value_that_could_not_be_read_back_is_refused(path: Path, value: str) -> None:
    with pytest.raises(BadArguments):
        set_value(path, "dwtsvc", "device", value)
    assert not path.exists()


@pytest.mark.parametrize(
    ("section", "key"), [("a]b", "k"), (" a", "k"), ("a", "k=v"), ("a", ""), ("a", "#k"), ("a", "[k")]
)
def test_a_name_that_could_not_be_read_back_is_refused(path: Path, section: str, key: str) -> None:
    with pytest.raises(BadArguments):
        set_value(path, section, key, "1")
    assert not path.exists()


def test_a_new_file_is_private_and_an_old_one_keeps_its_mode(path: Path) -> None:
    set_value(path, "dwtsvc", "quality", "1")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    set_value(path, "dwtsvc", "quality", "2")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files away needs root")
def test_a_file_of_someone_else_keeps_its_owner(path: Path) -> None:
    path.write_bytes(SAMPLE)
    os.chown(path, 1234, 2345)
    set_value(path, "dwtsvc", "quality", "2")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_a_link_to_a_file_stays_a_link(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "real.ini"
    real.parent.mkdir()
    real.write_bytes(SAMPLE)
    path.symlink_to(real)
    set_value(path, "dwtsvc", "quality", "2")
    assert path.is_symlink()
    assert ("dwtsvc", "Quality", "2") in values(real)


def test_links_in_a_circle_are_told(path: Path) -> None:
    path.symlink_to(path)
    with pytest.raises(BadConfiguration, match="cannot be read"):
        ini.read(path)
    with pytest.raises(BadConfiguration, match="cannot be read"):
        set_value(path, "dwtsvc", "quality", "1")


def test_nothing_is_written_when_nothing_changes_or_the_edit_fails(path: Path) -> None:
    path.write_bytes(SAMPLE.replace(b"=  70", b"= 70"))
    before = path.stat()
    set_value(path, "dwtsvc", "quality", "70")
    with pytest.raises(ZeroDivisionError), ini.editing(path) as document:
        document.set("dwtsvc", "quality", str(1 // 0))
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_crash_before_the_replacing_leaves_the_old_file_and_the_next_edit_works(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(SAMPLE)
    (path.parent / f".{path.name}.part").write_bytes(b"half of")

    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(FileAccess, match="Input/output error"):
            set_value(path, "dwtsvc", "quality", "1")
    assert path.read_bytes() == SAMPLE
    set_value(path, "dwtsvc", "quality", "1")
    assert ("dwtsvc", "Quality", "1") in values(path)
    assert not (path.parent / f".{path.name}.part").exists()


def test_processes_that_write_at_once_lose_nothing(path: Path) -> None:
    code = """if True:
        import pathlib, sys
        from dwtsvc import ini
        for n in range(20):
            with ini.editing(pathlib.Path(sys.argv[1])) as document:
                document.set("a", f"{sys.argv[2]}{n}", "1")
    """
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "wxyz"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    assert {key for _, key, _ in values(path)} == {f"{name}{n}" for name in "wxyz" for n in range(20)}


plain = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff"), max_size=12)
keys = plain.map(str.strip).filter(lambda text: text and "=" not in text and text[0] not in "[#;")
headers = plain.map(str.strip).filter(lambda text: text and "]" not in text)
junk = st.one_of(st.just(""), st.just("   \t"), plain.map("# {}".format), plain.map(";{}".format))


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Any file that keeps the rules: names unique, line ends mixed, sometimes no last line end or a mark."""
    lines: list[str] = []
    taken: set[str] = set()
    for _ in range(draw(st.integers(0, 8))):
        kind = draw(st.sampled_from(["junk", "header", "key", "key"]))
        key = draw(keys)
        if kind == "header":
            lines.append(f"[{draw(headers)}]")
        elif kind == "key" and key.lower() not in taken:
            taken.add(key.lower())
            lines.append(draw(st.sampled_from(["{}={}", " {} = {}", "{}\t=  {}  "])).format(key, draw(plain)))
        else:
            lines.append(draw(junk))
    ends = [draw(st.sampled_from(["\n", "\r\n"])) for _ in lines]
    if draw(st.booleans()) and ends:
        ends[-1] = ""
    return draw(st.sampled_from(["", "\ufeff"])) + "".join(map("".join, zip(lines, ends, strict=True)))


@given(text=documents(), section=st.one_of(st.just(""), headers), key=keys, value=plain, pick=st.integers(0, 9))
def test_a_value_set_is_read_back_and_every_other_line_is_kept(
    text: str, section: str, key: str, value: str, pick: int
) -> None:
    document = ini.Document(Path("some.ini"), text)
    before = document.entries()
    if pick < len(before):
        section, key = before[pick].section, before[pick].key
    old = document.find(section, key)
    document.set(section, key, value)

    again = ini.Document(Path("some.ini"), document.text)
    new = again.find(section, key)
    assert new is not None
    assert new.value == value
    untouched = [(e.section, e.key, e.value) for e in again.entries() if e != new]
    assert untouched == [(e.section, e.key, e.value) for e in before if e != old]
    assert_other_lines_kept(text, document.text, old, new)
    if old is None:
        assert again.unset(section, key)
        assert [(e.section, e.key, e.value) for e in again.entries()] == untouched


def assert_other_lines_kept(text: str, changed: str, old: ini.Entry | None, new: ini.Entry) -> None:
    was, now = raw_lines(text), raw_lines(changed)
    if old:
        assert old.line == new.line
        del was[old.line - 1], now[new.line - 1]
        assert now == was
        return
    added = len(now) - len(was)
    assert added in (1, 2, 3)  # the key, with a new section its header, and a blank line above it
    first = new.line - added
    mended = [*now[:first], *now[new.line :]]
    if first and not was[first - 1].endswith("\n"):
        mended[first - 1] = mended[first - 1].rstrip("\r\n")
    assert mended == was


def raw_lines(text: str) -> list[str]:
    """Lines with their ends; a mark is no part of the first."""
    parts = text.removeprefix("\ufeff").split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
