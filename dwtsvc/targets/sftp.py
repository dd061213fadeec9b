"""A folder of another machine, through SSH. The machine must be known: see the file known_hosts of OpenSSH."""

from __future__ import annotations

import base64
import errno
import getpass
import hashlib
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from dwtsvc.errors import BadConfiguration, MissingDependency, ServiceRefused
from dwtsvc.targets.carrying import place, refused
from dwtsvc.targets.parcel import Arrival, Parcel
from dwtsvc.targets.patience import Deadline, Overdue, Transient
from dwtsvc.targets.target import Target

try:
    import paramiko
except ImportError:
    raise MissingDependency(
        "SFTP targets need a library that is not installed", why="no paramiko", hint="pip install 'dwtsvc[sftp]'"
    ) from None

CONNECT = 15.0  # seconds
SILENCE = 60.0
CHUNK = 1 << 15  # what every server takes in one message
SYSTEM_KNOWN_HOSTS = Path("/etc/ssh/ssh_known_hosts")


class Sftp:
    """Files are written under a hidden name and then renamed, which replaces nothing."""

    def __init__(self, target: Target, secret: str | None, deadline: Deadline) -> None:
        self._target, self._secret, self._deadline = target, secret, deadline
        path = unquote(target.parts.path) or "/"
        self._folder = path.removeprefix("/~/") or "." if path.startswith("/~/") else path
        self._host, self._port = target.parts.hostname or "", target.parts.port or 22
        self._ssh: Any = None
        self._files: Any = None

    def __enter__(self) -> Sftp:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def carry(self, parcel: Parcel) -> Arrival:
        try:
            if self._files is None:
                self._connect()
            return place(self, parcel)
        except Transient:
            self._close()  # the next attempt begins anew
            raise

    def size(self, name: str) -> int | None:
        with self._telling():
            try:
                return self._files.stat(self._path(name)).st_size or 0
            except FileNotFoundError:
                return None

    def sha256(self, name: str) -> str:
        digest = hashlib.sha256()
        with self._telling(), self._files.open(self._path(name), "rb") as file:
            file.prefetch(max_concurrent_requests=64)
            while data := file.read(CHUNK):
                self._deadline.check()
                digest.update(data)
        return digest.hexdigest()

    def write(self, name: str, parcel: Parcel) -> None:
        with parcel.opened(self._deadline) as source, self._telling(), self._files.open(self._path(name), "wb") as file:
            file.set_pipelined(True)
            while data := source.read(CHUNK):
                file.write(data)

    def move(self, name: str, to: str) -> bool:
        with self._telling():
            try:
                self._files.rename(self._path(name), self._path(to))
            except OSError as error:
                if error.errno is None and self.size(to) is not None:  # "Failure", which is all that servers say
                    return False
                raise
        return True

    def remove(self, name: str) -> None:
        with self._telling(), suppress(FileNotFoundError):
            self._files.remove(self._path(name))

    def location(self, name: str) -> str:
        path = self._target.parts.path.rstrip("/")
        return f"sftp://{self._target.parts.netloc}{path}/{name}"

    def _path(self, name: str) -> str:
        return posixpath.join(self._folder, name)

    def _connect(self) -> None:
        self._deadline.check()
        if self._target.key and not self._target.key.is_file():
            raise BadConfiguration(f"{self._target.key} cannot be used for {self._target.name}", why="no such file")
        ssh = self._ssh = paramiko.SSHClient()
        self._read_known_hosts(ssh)
        ssh.set_missing_host_key_policy(_Refuse(self._host, self._port))
        with self._telling():
            ssh.connect(
                self._host,
                self._port,
                username=self._target.user or getpass.getuser(),
                password=self._secret,
                passphrase=self._secret,
                key_filename=str(self._target.key) if self._target.key else None,
                look_for_keys=self._target.key is None,
                timeout=CONNECT,
                banner_timeout=CONNECT,
                auth_timeout=SILENCE,
                channel_timeout=CONNECT,
            )
            self._files = ssh.open_sftp()
            self._files.get_channel().settimeout(SILENCE)

    def _read_known_hosts(self, ssh: paramiko.SSHClient) -> None:
        given = self._target.known_hosts
        for path in (given,) if given else (SYSTEM_KNOWN_HOSTS, Path("~/.ssh/known_hosts").expanduser()):
            try:
                ssh.load_system_host_keys(str(path))
            except FileNotFoundError:
                continue
            except (OSError, paramiko.SSHException) as error:
                raise BadConfiguration(f"{path} cannot be read", why=type(error).__name__) from None

    def _close(self) -> None:
        for each in (self._files, self._ssh):
            if each is not None:
                with suppress(Exception):
                    each.close()
        self._files = self._ssh = None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What SSH and the other side say, as our errors; paramiko's own texts may hold what a server chose."""
        try:
            yield
        except (Overdue, Transient):
            raise
        except paramiko.BadHostKeyException as error:
            raise _changed(self._host, error) from None
        except paramiko.AuthenticationException:  # a wrong password, and a key that needs one
            hint = f"Store a password with `dwtsvc config secret set {self._target.secret}`, or save a target with key="
            raise refused(self._target, "it does not let this user in", hint + "FILE.") from None
        except (
            paramiko.SSHException,
            paramiko.ssh_exception.NoValidConnectionsError,
            EOFError,
            TimeoutError,
            ConnectionError,
        ) as error:
            raise self._broken(error) from None
        except OSError as error:
            if not isinstance(error, FileNotFoundError | PermissionError) and error.errno not in (None, errno.ENOENT):
                raise self._broken(error) from None
            why = {FileNotFoundError: "there is no such folder", PermissionError: "no right to write there"}
            hint = "Check the folder in the address; /~/ at its beginning is the home folder."
            raise refused(self._target, why.get(type(error), str(error) or "it failed there"), hint) from None

    def _broken(self, error: Exception) -> Transient:
        words = str(getattr(error, "strerror", None) or error or type(error).__name__)
        for each in filter(None, (self._secret,)):
            words = words.replace(each, "[removed]")
        return Transient(refused(self._target, words, "Look whether it can be reached."))


class _Refuse:
    """A host that is not in known_hosts gets nothing, and no password."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port

    def missing_host_key(self, client: Any, hostname: str, key: paramiko.PKey) -> None:
        port = "" if self._port == 22 else f"-p {self._port} "
        raise ServiceRefused(
            f"{self._host} is not a known host",
            why=f"its {key.get_name()} key is {_fingerprint(key)}",
            hint=f"If that is right: ssh-keyscan {port}{self._host} >> ~/.ssh/known_hosts",
        )


def _changed(host: str, error: paramiko.BadHostKeyException) -> ServiceRefused:
    return ServiceRefused(
        f"{host} has another key than the one that is known",
        why=f"its key is {_fingerprint(error.key)}, expected was {_fingerprint(error.expected_key)}",
        hint="Somebody may be in between. If the machine is a new one, correct known_hosts.",
    )


def _fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
