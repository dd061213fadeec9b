"""Against OpenSSH."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dwtsvc.errors import BadConfiguration, ServiceRefused
from dwtsvc.paths import Paths
from dwtsvc.secrets import Secrets
from dwtsvc.targets import Patience, Target, named, parse, send
from dwtsvc.targets.target import of_address
from tests.disks import names_in
from tests.targets.peers import Sshd, sha256, sshd


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("ssh") / "d") as server:
        yield server


@pytest.fixture(autouse=True)
def nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nohome"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    (tmp_path / "shelf in").mkdir()
    return tmp_path / "shelf in"


def target(host: Sshd, shelf: Path, **said: object) -> Target:
    url = f"sftp://127.0.0.1:{host.port}{str(shelf).replace(' ', '%20')}"
    return of_address(url, **{"key": host.client_key, "known_hosts": host.known_hosts, **said})


def test_a_file_arrives_under_its_own_name_and_no_other(
    host: Sshd, shelf: Path, letter: Path, secrets: Secrets
) -> None:
    receipt = send(target(host, shelf), letter, secrets=secrets)
    assert names_in(shelf) == {letter.name}
    assert sha256(shelf / letter.name) == receipt.sha256
    assert (receipt.verified, receipt.already_there) == ("size", False)
    assert receipt.location.startswith(f"sftp://127.0.0.1:{host.port}/")


def test_the_same_file_again_is_found_and_another_one_stays(
    host: Sshd, shelf: Path, letter: Path, secrets: Secrets
) -> None:
    send(target(host, shelf), letter, secrets=secrets)
    again = send(target(host, shelf), letter, secrets=secrets)
    assert (again.already_there, again.verified) == (True, "sha256")
    letter.write_bytes(letter.read_bytes()[::-1])
    receipt = send(target(host, shelf), letter, secrets=secrets)
    assert receipt.location.endswith("/Letter of May-2.pdf")
    assert names_in(shelf) == {"Letter of May.pdf", "Letter of May-2.pdf"}


def test_a_name_that_is_taken_while_the_file_is_written_is_not_replaced(
    host: Sshd, shelf: Path, letter: Path, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dwtsvc.targets.sftp import Sftp

    write = Sftp.write

    def overtaken(self: Sftp, *arguments: object) -> None:
        write(self, *arguments)  # type: ignore[arg-type]
        (shelf / letter.name).write_bytes(b"somebody else's")

    monkeypatch.setattr(Sftp, "write", overtaken)
    receipt = send(target(host, shelf), letter, secrets=secrets)
    assert receipt.location.endswith("-2.pdf")
    assert (shelf / letter.name).read_bytes() == b"somebody else's"
    assert names_in(shelf) == {letter.name, "Letter of May-2.pdf"}


def test_a_host_that_is_not_known_gets_nothing_and_its_fingerprint_is_shown(
    host: Sshd, shelf: Path, letter: Path, secrets: Secrets, quick: Patience, tmp_path: Path
) -> None:
    (tmp_path / "empty").write_text("")
    with pytest.raises(ServiceRefused, match="not a known host") as told:
        send(target(host, shelf, known_hosts=tmp_path / "empty"), letter, secrets=secrets, patience=quick)
    shown = subprocess.run(["ssh-keygen", "-lf", f"{host.host_key}.pub"], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[1] in told.value.why
    assert f"ssh-keyscan -p {host.port} 127.0.0.1" in told.value.hint
    assert names_in(shelf) == set()


def test_a_host_with_another_key_gets_nothing(
    host: Sshd, shelf: Path, letter: Path, secrets: Secrets, quick: Patience, tmp_path: Path
) -> None:
    (tmp_path / "known").write_text(f"[127.0.0.1]:{host.port} {Path(f'{host.client_key}.pub').read_text()}")
    with pytest.raises(ServiceRefused, match="another key"):
        send(target(host, shelf, known_hosts=tmp_path / "known"), letter, secrets=secrets, patience=quick)
    assert names_in(shelf) == set()


def test_known_hosts_of_the_user_are_read(
    host: Sshd, shelf: Path, letter: Path, secrets: Secrets, tmp_path: Path
) -> None:
    (tmp_path / "nohome" / ".ssh").mkdir(parents=True)
    (tmp_path / "nohome" / ".ssh" / "known_hosts").write_text(host.known_hosts.read_text())
    assert send(target(host, shelf, known_hosts=None), letter, secrets=secrets).bytes


def test_a_key_with_a_password_takes_it_from_the_secrets(
    host: Sshd, shelf: Path, letter: Path, paths: Paths, secrets: Secrets, quick: Patience, tmp_path: Path
) -> None:
    key = tmp_path / "locked"
    key.write_bytes(host.client_key.read_bytes())
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "hunter2", "-f", key], check=True, capture_output=True)
    url = f"sftp://127.0.0.1:{host.port}{str(shelf).replace(' ', '%20')}"
    named.save(paths, "nas", {"url": url, "key": str(key), "known_hosts": str(host.known_hosts)})
    with pytest.raises(ServiceRefused, match="does not let this user in"):
        send(parse("nas", paths), letter, secrets=secrets, patience=quick)
    secrets.set("nas", "wrong-hunter")
    with pytest.raises(ServiceRefused) as told:
        send(parse("nas", paths), letter, secrets=secrets, patience=quick)
    assert "wrong-hunter" not in repr(told.value)
    secrets.set("nas", "hunter2")
    assert send(parse("nas", paths), letter, secrets=secrets).bytes == letter.stat().st_size


def test_a_user_that_is_not_let_in_and_a_key_that_is_not_there_are_told(
    host: Sshd, shelf: Path, letter: Path, secrets: Secrets, quick: Patience, tmp_path: Path
) -> None:
    with pytest.raises(ServiceRefused, match="does not let this user in") as told:
        send(target(host, shelf, key=host.host_key), letter, secrets=secrets, patience=quick)
    assert "config secret set 127.0.0.1" in told.value.hint
    with pytest.raises(BadConfiguration, match="no such file"):
        send(target(host, shelf, key=tmp_path / "none"), letter, secrets=secrets)


def test_a_folder_that_is_not_there_is_told(
    host: Sshd, shelf: Path, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    with pytest.raises(ServiceRefused, match="no such folder"):
        send(target(host, shelf / "none"), letter, secrets=secrets, patience=quick)


def test_a_full_disk_over_there_is_told_and_leaves_nothing(
    host: Sshd, small: Path, letter: Path, secrets: Secrets, quick: Patience
) -> None:
    (small / "filler").write_bytes(b"x" * 200_000)
    with pytest.raises(ServiceRefused, match="disk may be full"):
        send(target(host, small), letter, secrets=secrets, patience=quick)
    assert names_in(small) == {"filler"}


def test_a_connection_that_breaks_is_made_anew(
    host: Sshd, shelf: Path, letter: Path, secrets: Secrets, quick: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dwtsvc.targets.sftp import Sftp

    move, broken = Sftp.move, [True]

    def breaking(self: Sftp, name: str, to: str) -> bool:
        if broken.pop() if broken else False:
            self._ssh.get_transport().sock.close()
        return move(self, name, to)

    monkeypatch.setattr(Sftp, "move", breaking)
    receipt = send(target(host, shelf), letter, secrets=secrets, patience=quick)
    assert receipt.attempts == 2
    assert names_in(shelf) == {letter.name}


def test_the_home_folder_is_written_as_a_tilde(host: Sshd) -> None:
    from dwtsvc.targets.patience import Deadline
    from dwtsvc.targets.sftp import Sftp

    for path, name in (("/~/scans", "scans/a"), ("/~/", "./a"), ("/srv", "/srv/a"), ("", "/a")):
        assert Sftp(of_address(f"sftp://host{path}"), None, Deadline(1))._path("a") == name
