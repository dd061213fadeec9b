"""The two files: whose they are, that they always fit each other, and that a crash at any moment mends itself."""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from dwtsvc.certs import authority, files
from dwtsvc.certs import pair as pairs
from dwtsvc.certs.pair import CertificateFolder, Owner, Pair
from dwtsvc.config import HostCertificate
from dwtsvc.errors import BadConfiguration, BadInput, FileAccess
from tests.certs.rig import NOW, own_pair


@pytest.fixture
def folder(tmp_path: Path) -> CertificateFolder:
    return CertificateFolder(tmp_path)


def put(folder: CertificateFolder, chain: str | None, key: str | None) -> None:
    for path, text in ((folder.pair.certificate, chain), (folder.pair.key, key)):
        if text is not None:
            path.write_text(text)


def test_what_was_made_here_is_ours_and_closed_to_others(folder: CertificateFolder) -> None:
    assert folder.owner() is Owner.NOBODY
    issued = authority.issue(NOW)
    folder.keep(issued)
    assert folder.owner() is Owner.SERVICE
    assert folder.pair.read() == (issued.chain, issued.key)
    assert stat.S_IMODE(folder.pair.key.stat().st_mode) == 0o600
    assert (folder.path / "ca.pem").read_text() == issued.authority.pem
    assert folder.authority() == issued.authority
    assert {each.name for each in folder.path.iterdir()} == {"server.pem", "server_key.pem", "ca.pem", "issued.json"}


def test_nothing_but_the_leafs_own_key_is_on_the_disk(folder: CertificateFolder) -> None:
    folder.keep(authority.issue(NOW))
    folder.keep(authority.issue(NOW, folder.key()))
    texts = [each.read_text() for each in folder.path.iterdir()]
    assert sum("PRIVATE KEY" in text for text in texts) == 1


def test_a_pair_that_a_user_copied_there_is_the_users(folder: CertificateFolder) -> None:
    folder.keep(authority.issue(NOW))
    put(folder, *own_pair("localhost"))
    assert folder.owner() is Owner.USER
    assert folder.authority() is None and folder.key() is None


@pytest.mark.parametrize("copied", ["server.pem", "server_key.pem"])
def test_a_user_who_has_copied_only_one_file_so_far_is_not_disturbed(folder: CertificateFolder, copied: str) -> None:
    folder.keep(authority.issue(NOW))
    chain, key = own_pair("localhost")
    put(folder, chain if copied == "server.pem" else None, key if copied == "server_key.pem" else None)
    assert folder.owner() is Owner.USER
    with pytest.raises(BadInput, match="do not belong together"):
        folder.pair.read()


def test_a_users_key_alone_is_the_users_and_ours_alone_is_nobodys(folder: CertificateFolder) -> None:
    put(folder, None, own_pair("localhost")[1])
    assert folder.owner() is Owner.USER
    folder.pair.key.unlink()
    issued = authority.issue(NOW)
    folder.keep(issued)
    folder.pair.certificate.unlink()
    assert folder.owner() is Owner.NOBODY
    assert folder.key() == issued.key


@pytest.mark.parametrize("record", ["", "{", "[1]", '[{"leaf": "x"}]', '{"leaf": "x"}', "null", "\udcff"])
def test_without_a_record_that_can_be_read_the_files_count_as_the_users(folder: CertificateFolder, record: str) -> None:
    folder.keep(authority.issue(NOW))
    (folder.path / "issued.json").write_bytes(record.encode("utf-8", "surrogateescape"))
    assert folder.owner() is Owner.USER


def test_rubbish_in_the_place_of_the_certificate_is_not_ours_to_replace(folder: CertificateFolder) -> None:
    folder.keep(authority.issue(NOW))
    folder.pair.certificate.write_text("rubbish")
    assert folder.owner() is Owner.USER


def test_a_reader_never_meets_a_pair_that_does_not_fit_during_renewals(folder: CertificateFolder) -> None:
    folder.keep(authority.issue(NOW))
    stop, wrong, seen = threading.Event(), [], set()

    def read() -> None:
        while not stop.is_set():
            chain, key = folder.pair.certificate.read_text(), folder.pair.key.read_text()
            seen.add(chain)
            if not authority.matches(chain, key):
                wrong.append(chain)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(40):
        folder.keep(authority.issue(NOW, folder.key()))
    stop.set()
    reader.join()
    assert len(seen) > 3 and wrong == []


def test_our_own_reader_waits_until_a_users_pair_is_whole(folder: CertificateFolder) -> None:
    folder.keep(authority.issue(NOW))
    chain, key = own_pair("localhost")
    folder.pair.key.write_text(key)
    later = threading.Timer(0.1, lambda: files.write(folder.pair.certificate, chain))
    later.start()
    assert folder.pair.read() == (chain, key)
    later.join()


class Crash(Exception):
    pass


@pytest.mark.parametrize("steps", range(12))
def test_after_a_crash_at_any_step_of_a_change_of_key_the_pair_fits(
    folder: CertificateFolder, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rename and each sync of a folder is a step; the crash comes before the one that is counted out."""
    old = authority.issue(NOW)
    folder.keep(old)
    left = [steps]

    def counted(real: object) -> object:
        def step(*arguments: object, **named: object) -> object:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            return real(*arguments, **named)  # type: ignore[operator]

        return step

    new = authority.issue(NOW)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", counted(os.replace))
        patched.setattr(Path, "replace", counted(Path.replace))
        patched.setattr(os, "fsync", counted(os.fsync))
        with suppress(Crash):
            folder.keep(new)
    folder.settle()
    assert folder.pair.read() in [(old.chain, old.key), (new.chain, new.key)]
    assert folder.owner() is Owner.SERVICE
    assert (folder.path / "ca.pem").read_text() == authority.read_chain(folder.pair.read()[0])[-1].pem
    assert list(folder.path.glob("*.pem.part")) == list(folder.path.glob(".server*part")) == []


def test_settling_a_folder_that_is_whole_changes_nothing(folder: CertificateFolder) -> None:
    folder.keep(authority.issue(NOW))
    before = {each.name: each.stat().st_mtime_ns for each in folder.path.iterdir()}
    folder.settle()
    assert {each.name: each.stat().st_mtime_ns for each in folder.path.iterdir()} == before


def test_a_users_pair_is_not_touched_by_settling(folder: CertificateFolder) -> None:
    own = own_pair("localhost")
    put(folder, *own)
    folder.settle()
    assert folder.pair.read() == own
    assert {each.name for each in folder.path.iterdir()} == {"server.pem", "server_key.pem"}


def test_hosts_have_pairs_of_their_own_in_the_folder(tmp_path: Path) -> None:
    host = HostCertificate(host="Scan.Example", cert_name="scan.pem", key_name="scan.key")
    expected = Pair(certificate=tmp_path / "scan.pem", key=tmp_path / "scan.key")
    assert pairs.host_pairs(tmp_path, (host,)) == {"scan.example": expected}


@pytest.mark.parametrize("name", ["../server.pem", "/etc/passwd", "a/b", "a\\b", "..", ".lock", ""])
def test_a_hosts_file_cannot_lie_outside_the_folder(tmp_path: Path, name: str) -> None:
    for cert, key in ((name, "a.key"), ("a.pem", name)):
        with pytest.raises(BadConfiguration, match="not a file's name"):
            pairs.host_pairs(tmp_path, (HostCertificate(host="a", cert_name=cert, key_name=key),))


def test_a_missing_file_is_named(folder: CertificateFolder) -> None:
    folder.keep(authority.issue(NOW))
    folder.pair.key.unlink()
    with pytest.raises(FileAccess, match=r"server_key\.pem is missing"):
        folder.pair.read()


def test_two_who_change_the_folder_wait_for_each_other(folder: CertificateFolder) -> None:
    order: list[str] = []
    inside = threading.Event()

    def second() -> None:
        inside.wait()
        with files.locked(folder.path):
            order.append("second")

    other = threading.Thread(target=second)
    other.start()
    with files.locked(folder.path):
        inside.set()
        other.join(0.2)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_a_lock_that_is_never_given_back_is_told(folder: CertificateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WAIT", 0.0)
    with files.locked(folder.path), pytest.raises(FileAccess, match="in use"), files.locked(folder.path):
        pass
