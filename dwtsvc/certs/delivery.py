"""Takes the authority to the stores its owner agreed to, keeps it there through renewals, and fetches it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dwtsvc.certs import agreement
from dwtsvc.certs.agreement import Agreement
from dwtsvc.certs.authority import Certificate
from dwtsvc.certs.stores import ASKING, Store
from dwtsvc.errors import DwtsvcError

Result = tuple[str, ...] | DwtsvcError


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How a store stands to our authority: it is trusted, was removed by a person, or cannot be seen or changed."""

    store: Store
    trusted: bool
    removed: bool = False
    obstacle: DwtsvcError | None = None

    def plain(self) -> dict[str, Any]:
        why, hint = (str(self.obstacle), self.obstacle.hint) if self.obstacle else ("", "")
        said = {"trusted": self.trusted, "removed": self.removed, "why": why, "hint": hint}
        return {"store": self.store.kind, "where": self.store.where, **said}


class Delivery:
    """The stores of this machine and what stands in stores.json. Calls come one at a time, under the folder's lock."""

    def __init__(self, folder: Path, find_stores: Callable[[], Sequence[Store]]) -> None:
        self._folder = folder
        self._find_stores = find_stores

    @property
    def agreed(self) -> Agreement:
        return agreement.read(self._folder)

    def trust(self, ca: Certificate) -> tuple[Trust, ...]:
        """How every store there is now stands to an authority."""
        return tuple(self._trust(store, ca) for store in self._find_stores())

    def install(
        self, stores: Sequence[Store], ca: Certificate, kinds: Iterable[str] = ()
    ) -> dict[str, DwtsvcError | None]:
        """Put an authority into stores: place -> None, or why it failed.

        The owner hereby agrees to the kinds of these stores and to `kinds`, of which there may be no store yet.
        """
        for kind in (*kinds, *(store.kind for store in stores)):
            self._write(self.agreed.agreeing(kind))
        results = {store.where: self._put(store, ca) for store in stores}
        self.retire(ca.name, stores)
        return results

    def uninstall(self, stores: Sequence[Store], kinds: Iterable[str] = ()) -> dict[str, Result]:
        """Remove every authority of ours from stores: place -> the names, or why not.

        The owner hereby takes back that the kinds of these stores, and `kinds`, were agreed to.
        """
        taken_back = {*kinds, *(store.kind for store in stores)}
        for kind in taken_back:  # first: nothing may put it back meanwhile
            self._write(self.agreed.refusing(kind))
        results = {store.where: self._fetch_all(store) for store in stores}
        for kind in taken_back:
            if not any(isinstance(results[each.where], DwtsvcError) for each in stores if each.kind == kind):
                self._write(self.agreed.forgetting(kind))  # also of profiles that are no more
        return results

    def carry_over(self, old: Certificate | None, new: Certificate) -> list[str]:
        """Put the next authority where its owner wants it; the warnings."""
        asking = [store for store in self._find_stores() if self.agreed.agreed(store) and store.kind in ASKING]
        said = [f"{each.where}: run `dwtsvc cert install`, for this store asks you" for each in asking]
        return said + _warnings((store, self._put(store, new)) for store in self._wanted(old))

    def spread(self, ca: Certificate) -> tuple[list[str], list[str]]:
        """Take the authority to stores that appeared since; where it was put, and the warnings."""
        missing = [store for store in self._wanted(ca) if not self._trust(store, ca).trusted]
        results = [(store, self._put(store, ca)) for store in missing]
        return [store.where for store, fault in results if not fault], _warnings(results)

    def retire(self, current: str, stores: Sequence[Store] | None = None) -> list[str]:
        """Take those of our authorities that were before `current` out of the stores; the warnings.

        Only what this service itself put there: another one of the same user may have its own in the same store.
        """
        if stores is None:
            stores = [store for store in self._find_stores() if store.kind not in ASKING]
        old = [(store, name) for store in stores for name in self.agreed.names(store) if name != current]
        return _warnings((store, self._fetch(store, name)) for store, name in old)

    def _wanted(self, ca: Certificate | None) -> list[Store]:
        """The stores of the kinds agreed to, but for those from which a person took the authority away."""
        agreed = self.agreed
        stores = [store for store in self._find_stores() if agreed.agreed(store) and store.kind not in ASKING]
        return [store for store in stores if not (ca and self._trust(store, ca).removed)]

    def _trust(self, store: Store, ca: Certificate) -> Trust:
        try:
            trusted = store.holds(ca)
        except DwtsvcError as error:
            return Trust(store=store, trusted=False, obstacle=error)
        removed = not trusted and self.agreed.put(store, ca.name)
        return Trust(store=store, trusted=trusted, removed=removed, obstacle=None if trusted else store.obstacle())

    def _put(self, store: Store, ca: Certificate) -> DwtsvcError | None:
        """Written down first, so that a crash leaves nothing in a store that nobody knows of."""
        before = self.agreed
        try:
            self._write(before.with_place(store, ca.name, done=False))
            store.install(ca)
            self._write(self.agreed.with_place(store, ca.name, done=True))
        except DwtsvcError as error:
            self._write(before)
            return error
        return None

    def _fetch(self, store: Store, name: str) -> DwtsvcError | None:
        try:
            if fault := store.obstacle():
                return fault
            store.uninstall(name)
            self._write(self.agreed.without_place(store, name))
        except DwtsvcError as error:
            return error
        return None

    def _fetch_all(self, store: Store) -> Result:
        try:
            names = store.names()
        except DwtsvcError as error:
            return error
        return next((fault for name in names if (fault := self._fetch(store, name))), names)

    def _write(self, agreed: Agreement) -> None:
        agreement.write(self._folder, agreed)


def _warnings(results: Iterable[tuple[Store, DwtsvcError | None]]) -> list[str]:
    return [f"{store.where}: {fault}" for store, fault in results if fault]
