from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError

from dwtsvc.errors import BadArguments, BadConfiguration, FileAccess
from dwtsvc.secrets import Secrets


class InMemory(KeyringBackend):
    """A keyring as a desktop has one."""

    priority = 5.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("hunter2")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.kept:
            raise PasswordDeleteError
        del self.kept[service, username]


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> InMemory:
    import keyring

    made = InMemory()
    monkeypatch.setattr(keyring, "get_keyring", lambda: made)
    return made


def test_without_a_keyring_a_secret_is_kept_in_a_file_that_is_ours_alone(secrets: Secrets) -> None:
    before = os.umask(0)
    try:
        assert secrets.set("Archive", ' s3cr#t;"=ü ') == str(secrets.file)
    finally:
        os.umask(before)
    assert secrets.get("archive") == ' s3cr#t;"=ü '
    assert stat.S_IMODE(secrets.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(secrets.file.parent.stat().st_mode) == 0o700


def test_a_secret_can_be_replaced_and_deleted_and_others_stay(secrets: Secrets) -> None:
    for name, value in (("a", "1"), ("b", "2"), ("a", "3")):
        secrets.set(name, value)
    assert (secrets.get("a"), secrets.get("b"), secrets.get("c")) == ("3", "2", None)
    assert secrets.delete("a") and not secrets.delete("a")
    assert (secrets.get("a"), secrets.get("b")) == (None, "2")


def test_with_a_keyring_a_secret_is_kept_there_and_in_no_file(secrets: Secrets, ring: InMemory) -> None:
    assert secrets.set("archive", "hunter2") == "keyring"
    assert secrets.get("archive") == "hunter2"
    assert ring.kept == {("dwtsvc", "archive"): "hunter2"}
    assert not secrets.file.exists()
    assert secrets.delete("archive") and secrets.get("archive") is None


def test_a_keyring_that_comes_later_takes_the_secret_out_of_the_file(
    secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keyring

    secrets.set("archive", "old")
    made = InMemory()
    monkeypatch.setattr(keyring, "get_keyring", lambda: made)
    assert secrets.get("archive") == "old"
    secrets.set("archive", "new")
    assert secrets.get("archive") == "new" and "old" not in secrets.file.read_text()


def test_a_keyring_in_clear_text_is_not_used(secrets: Secrets, ring: InMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InMemory, "priority", 0.5)
    assert secrets.set("archive", "hunter2") == str(secrets.file)
    assert ring.kept == {}


def test_a_locked_keyring_is_told_without_its_words(secrets: Secrets, ring: InMemory) -> None:
    ring.locked = True
    with pytest.raises(FileAccess) as told:
        secrets.get("archive")
    assert "hunter2" not in repr(told.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_that_others_can_read_or_change_is_refused(secrets: Secrets, mode: int) -> None:
    secrets.set("archive", "hunter2")
    secrets.file.chmod(mode)
    for use in (
        lambda: secrets.get("archive"),
        lambda: secrets.set("archive", "x"),
        lambda: secrets.delete("archive"),
    ):
        with pytest.raises(BadConfiguration, match="not to be trusted"):
            use()


def test_a_folder_that_others_can_enter_and_a_link_are_refused(secrets: Secrets, tmp_path: Path) -> None:
    secrets.set("archive", "hunter2")
    secrets.file.parent.chmod(0o755)
    with pytest.raises(BadConfiguration):
        secrets.get("archive")
    secrets.file.parent.chmod(0o700)
    secrets.file.rename(tmp_path / "elsewhere")
    secrets.file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadConfiguration, match="link"):
        secrets.get("archive")


def test_a_damaged_file_is_told_by_its_line_and_never_shown(secrets: Secrets) -> None:
    secrets.set("archive", "x")
    for text in ("[secrets]\nhunter2\n", "[secrets]\nhunter2=1\nhunter2=2\n", "[secrets]\na = hunter2\x00\n"):
        secrets.file.write_text(text)
        with pytest.raises(BadConfiguration, match="damaged") as told:
            secrets.get("archive")
        assert "hunter2" not in repr(told.value)
        assert told.value.__suppress_context__


@pytest.mark.parametrize("secret", ["", "two\nlines", "bell\x07", "x" * 20_000])
def test_what_cannot_be_a_secret_is_refused_without_repeating_it(secrets: Secrets, secret: str) -> None:
    with pytest.raises(BadArguments) as told:
        secrets.set("archive", secret)
    assert not secret or secret not in repr(told.value)


@pytest.mark.parametrize("name", ["", " ", "a=b", "[x]", "a\nb", "../x", "x" * 300])
def test_what_cannot_be_the_name_of_a_secret_is_refused(secrets: Secrets, name: str) -> None:
    with pytest.raises(BadArguments):
        secrets.set(name, "x")
