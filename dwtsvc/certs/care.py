"""The care for the certificate: made when missing, looked at every hour, renewed in time, taken to new browsers.

Nothing here waits for anything but disks and programs. The service calls it on a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from dwtsvc.certs import agreement, authority, files
from dwtsvc.certs.authority import Certificate
from dwtsvc.certs.delivery import Delivery, Result, Trust
from dwtsvc.certs.pair import CertificateFolder, Owner, Pair, host_pairs
from dwtsvc.certs.stores import Store, discover, this_machine
from dwtsvc.config import HostCertificate
from dwtsvc.errors import BadArguments, DwtsvcError, NothingFound
from dwtsvc.paths import Paths

BACK_TO_OURS = "To have dwtsvc make one, take server.pem and server_key.pem away, then run `dwtsvc cert create`."

Stamp = tuple[tuple[int, int, int], ...]


class State(StrEnum):
    MISSING = "missing"
    VALID = "valid"
    ENDING = "ending"  # two thirds of its life are over
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"  # the clock was put back
    BROKEN = "broken"  # unreadable, or the key is another one's


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a look found (`leaf` and `authority` where they can be read), and what it did about it."""

    state: State
    owner: Owner
    leaf: Certificate | None
    authority: Certificate | None
    stores: tuple[Trust, ...]
    agreed: tuple[str, ...]
    done: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """For `status` and the welcome page: words, numbers and lists only."""
        return {
            "state": str(self.state),
            "owner": str(self.owner),
            "certificate": describe(self.leaf),
            "authority": describe(self.authority),
            "stores": [each.plain() for each in self.stores],
            "agreed": list(self.agreed),
            "done": list(self.done),
            "warnings": list(self.warnings),
        }


class Care:
    """Cares for the pair in `paths.cert`. `find_stores` is asked anew at each look, because browsers come and go.

    `changed` is called with the pair, on the thread that noticed, after its files became others than they were,
    whoever changed them. Methods raise DwtsvcError; several processes may care for the same folder.
    """

    def __init__(
        self,
        paths: Paths,
        find_stores: Callable[[], Sequence[Store]],
        *,
        hosts: tuple[HostCertificate, ...] = (),
        changed: Callable[[Pair], None] | None = None,
    ) -> None:
        self._folder = CertificateFolder(paths.cert)
        self._delivery = Delivery(paths.cert, find_stores)
        self._hosts = hosts
        self._changed = changed
        self._seen: Stamp | None = None
        self._seen_agreed: tuple[int, int, int] | None = None
        self._findings: dict[str, Any] = {}

    @property
    def pair(self) -> Pair:
        return self._folder.pair

    @property
    def hosts(self) -> Mapping[str, Pair]:
        """The pairs for single host names (SNI), by lower-case host. Raises BadConfiguration for a bad name."""
        return host_pairs(self._folder.path, self._hosts)

    @property
    def findings(self) -> dict[str, Any]:
        """What the last look found; empty before the first."""
        return self._findings

    def ensure(self, now: datetime | None = None) -> Pair:
        """The pair, made if there is none, renewed if it is ours and of no use. A user's own is checked, never changed.

        Raises BadInput and FileAccess for a user's pair that does not belong together or is incomplete.
        """
        now = now or datetime.now(UTC)
        with self._alone():
            if self._is_ours() and self._state(now) not in (State.VALID, State.ENDING):
                self._renew(now)
        self.pair.read()
        self._seen, self._seen_agreed = self._stamp(), self._agreed_stamp()
        return self.pair

    def look(self, now: datetime | None = None) -> Findings:
        """Renew in time, go to new stores of the kinds agreed to, and tell. Faults of stores become warnings."""
        now = now or datetime.now(UTC)
        done: list[str] = []
        warnings: list[str] = []
        with self._alone():
            if self._is_ours() and self._state(now) is not State.VALID:
                warnings = self._renew(now)
                done = ["renewed"]
            elif ca := self._folder.authority():
                places, warnings = self._delivery.spread(ca)
                done = [f"installed in {place}" for place in places]
                warnings += self._delivery.retire(ca.name)
            self._seen_agreed = self._agreed_stamp()
        self.tell_of_change()
        return self.inspect(now, done, warnings)

    def inspect(self, now: datetime | None = None, done: Sequence[str] = (), warnings: Sequence[str] = ()) -> Findings:
        """What there is, without changing anything."""
        state, leaf, ca = self._state(now or datetime.now(UTC)), self._leaf(), self._folder.authority()
        found = Findings(
            state=state,
            owner=self._folder.owner(),
            leaf=leaf,
            authority=ca,
            stores=self._delivery.trust(ca) if ca else (),
            agreed=self._delivery.agreed.kinds,
            done=tuple(done),
            warnings=(*warnings, *self._complaints(state, leaf)),
        )
        self._findings = found.plain()
        return found

    def touched(self) -> bool:
        """Whether the files, or what its owner agreed to, are others than before: three `stat`, for a call a second."""
        return (self._stamp(), self._agreed_stamp()) != (self._seen, self._seen_agreed)

    def catch_up(self) -> None:
        """Tell of a change that another process made, and find anew how things stand. Changes nothing itself."""
        self.tell_of_change()
        with self._alone():  # `dwtsvc cert install` is done with every store
            self._seen_agreed = self._agreed_stamp()
            self.inspect()

    def tell_of_change(self) -> None:
        """Call `changed` if the files are others than at the last call."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            if self._changed:
                self._changed(self.pair)

    def renew(self, now: datetime | None = None, *, new_key: bool = False) -> list[str]:
        """Renew now, although it is not time; the warnings of stores. Raises BadArguments for a user's own pair."""
        with self._alone():
            if not self._is_ours():
                what = f"{self.pair.certificate} is your own certificate and is not renewed"
                raise BadArguments(what, hint=BACK_TO_OURS)
            warnings = self._renew(now or datetime.now(UTC), new_key=new_key)
        self.tell_of_change()
        return warnings

    def replace(self, chain: str, key: str) -> None:
        """Put a user's own pair in the place of what is there. Whoever calls has checked it."""
        with self._alone():
            self._folder.replace(chain, key)
            self._folder.settle()
        self.tell_of_change()

    def install(self, stores: Sequence[Store], kinds: Sequence[str] = ()) -> dict[str, DwtsvcError | None]:
        """Put the authority into stores: place -> None, or why it failed. Raises NothingFound if there is none of ours.

        Its owner hereby agrees to the kinds of these stores and to `kinds`, also for stores that appear later.
        """
        with self._alone():
            return self._delivery.install(stores, self.authority(), kinds)

    def uninstall(self, stores: Sequence[Store], kinds: Sequence[str] = ()) -> dict[str, Result]:
        """Remove every authority of ours from stores: place -> the names that were there, or why it failed.

        Its owner hereby takes back that the kinds of these stores, and `kinds`, were agreed to.
        """
        with self._alone():
            return self._delivery.uninstall(stores, kinds)

    def authority(self) -> Certificate:
        """The authority that signed our certificate. Raises NothingFound where a user's own is in use, or none."""
        if ca := self._folder.authority():
            return ca
        if self._is_ours():
            raise NothingFound("There is no certificate yet", hint="Run `dwtsvc cert create`.")
        raise NothingFound("The certificate is your own, so there is no authority of dwtsvc's", hint=BACK_TO_OURS)

    def _renew(self, now: datetime, *, new_key: bool = False) -> list[str]:
        """New files, with the new authority in the stores before and the old one out of them after; the warnings."""
        old = self._folder.authority()
        issued = authority.issue(now, None if new_key else self._folder.key())
        warnings = self._delivery.carry_over(old, issued.authority)
        self._folder.keep(issued)
        return warnings + self._delivery.retire(issued.authority.name)

    def _is_ours(self) -> bool:
        return self._folder.owner() is not Owner.USER

    def _state(self, now: datetime) -> State:
        if self._folder.owner() is Owner.NOBODY:
            return State.MISSING
        leaf = self._leaf()
        if leaf is None:
            return State.BROKEN
        if now < leaf.not_before:
            return State.NOT_YET_VALID
        if now >= leaf.not_after:
            return State.EXPIRED
        return State.ENDING if now >= leaf.renew_after else State.VALID

    def _leaf(self) -> Certificate | None:
        with suppress(DwtsvcError):
            return self.pair.leaf()
        return None

    def _complaints(self, state: State, leaf: Certificate | None) -> list[str]:
        """What only a person can mend, in a sentence each."""
        said = [] if self._is_ours() else _about_own(state, leaf)
        for host, pair in self.hosts.items():
            try:
                if not authority.allows(pair.leaf(), host):
                    said.append(f"{pair.certificate} is not made for {host}")
            except DwtsvcError as error:
                said.append(f"The certificate for {host} is not used: {error}")
        return said

    def _stamp(self) -> Stamp:
        return tuple(_stamp(path) for path in (self.pair.certificate, self.pair.key))

    def _agreed_stamp(self) -> tuple[int, int, int]:
        return _stamp(self._folder.path / agreement.FILE)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the folder meanwhile, in this process or another; what a crash left is settled first."""
        with files.locked(Paths.create(self._folder.path)):
            self._folder.settle()
            yield


def on_this_machine(
    paths: Paths,
    environ: Mapping[str, str],
    *,
    hosts: tuple[HostCertificate, ...] = (),
    changed: Callable[[Pair], None] | None = None,
) -> Care:
    """The care for `paths.cert`, with the stores of the user whose environment this is."""
    return Care(paths, lambda: discover(this_machine(environ)), hosts=hosts, changed=changed)


def describe(certificate: Certificate | None) -> dict[str, Any] | None:
    """A certificate for people and scripts; times in ISO 8601."""
    if certificate is None:
        return None
    return {
        "name": certificate.name,
        "hosts": list(certificate.hosts),
        "fingerprint": certificate.shown_fingerprint,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "renew_after": certificate.renew_after.isoformat(),
    }


def _about_own(state: State, leaf: Certificate | None) -> list[str]:
    said = [] if state is State.VALID else [f"Your own certificate is {state}; `dwtsvc cert replace` takes a new one."]
    missing = [host for host in authority.HOSTS if leaf and not authority.allows(leaf, host)]
    return said + ([f"Your own certificate is not made for {', '.join(missing)}."] if missing else [])


def _stamp(path: Path) -> tuple[int, int, int]:
    with suppress(OSError):
        found = path.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size
    return 0, 0, 0
