"""The care through the years: time is passed in, stores are in memory, the files are real."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dwtsvc.certs import agreement, authority
from dwtsvc.certs.care import Care, State
from dwtsvc.certs.pair import Owner, Pair
from dwtsvc.config import HostCertificate
from dwtsvc.errors import BadArguments, BadInput, DwtsvcError, FileAccess, NothingFound
from dwtsvc.paths import Paths
from tests.certs.rig import NOW, YEAR, MemoryStore, own_pair


@dataclass
class House:
    """A machine with its stores, and what the service was told."""

    paths: Paths
    stores: list[MemoryStore] = field(default_factory=list)
    told: list[Pair] = field(default_factory=list)

    def care(self, *hosts: HostCertificate) -> Care:
        return Care(self.paths, lambda: self.stores, hosts=hosts, changed=self.told.append)

    def with_own(self, *names: str, **life: object) -> tuple[str, str]:
        chain, key = own_pair(*names, **life)  # type: ignore[arg-type]
        Paths.create(self.paths.cert)
        (self.paths.cert / "server.pem").write_text(chain)
        (self.paths.cert / "server_key.pem").write_text(key)
        return chain, key


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}))


def files_of(care: Care) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in care.pair.key.parent.iterdir()}


def trusted(store: MemoryStore, care: Care) -> bool:
    return list(store.held.values()) == [care.authority()]


# ---- making and renewing ----


def test_the_first_start_makes_a_pair_and_the_second_finds_it(house: House) -> None:
    pair = house.care().ensure(NOW)
    before = pair.read()
    assert house.care().ensure(NOW) == pair and pair.read() == before
    assert house.care().inspect(NOW).state is State.VALID
    assert house.told == []


@pytest.mark.parametrize(
    ("after", "state"),
    [
        (timedelta(days=500), State.VALID),
        (timedelta(days=560), State.ENDING),
        (3 * YEAR, State.EXPIRED),
        (-timedelta(days=2), State.NOT_YET_VALID),
        (-30 * YEAR, State.NOT_YET_VALID),  # a machine whose clock has lost its battery
    ],
)
def test_a_certificate_of_no_use_is_renewed_whichever_way_the_clock_went(
    house: House, after: timedelta, state: State
) -> None:
    care = house.care()
    care.ensure(NOW)
    before = care.pair.leaf()
    assert care.inspect(NOW + after).state is state
    found = care.look(NOW + after)
    assert found.state is State.VALID
    assert (found.done == ("renewed",)) is (state is not State.VALID)
    assert (care.pair.leaf() != before) is (state is not State.VALID)
    assert len(house.told) == (state is not State.VALID)


def test_a_renewal_keeps_the_key_and_a_new_one_is_made_only_when_asked(house: House) -> None:
    care = house.care()
    care.ensure(NOW)
    key = care.pair.key.read_text()
    care.look(NOW + 2 * YEAR)
    assert care.pair.key.read_text() == key
    care.renew(NOW + 2 * YEAR, new_key=True)
    assert care.pair.key.read_text() != key and care.pair.read()


def test_the_start_renews_only_what_is_of_no_use_and_leaves_the_rest_to_the_look(house: House) -> None:
    care = house.care()
    care.ensure(NOW)
    before = care.pair.leaf()
    care.ensure(NOW + timedelta(days=560))
    assert care.pair.leaf() == before
    care.ensure(NOW + 3 * YEAR)
    assert care.pair.leaf().not_after > NOW + 4 * YEAR


@pytest.mark.parametrize("lost", ["server.pem", "server_key.pem", "ca.pem"])
def test_a_file_of_ours_that_was_lost_comes_back(house: House, lost: str) -> None:
    care = house.care()
    care.ensure(NOW)
    (house.paths.cert / lost).unlink()
    care.look(NOW)
    assert care.inspect(NOW).state is State.VALID
    assert (house.paths.cert / lost).exists()


LOOP = """
import sys
from datetime import UTC, datetime
from dwtsvc.certs.care import Care
from dwtsvc.paths import Paths

care = Care(Paths.from_environment({"DWTSVC_HOME": sys.argv[1]}), list)
care.ensure()
print(care.pair.leaf().sha256, flush=True)
while sys.argv[2:]:
    care.renew(new_key=True)
    print("renewed", flush=True)
"""


def another_process(home: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", LOOP, str(home), *more], stdout=subprocess.PIPE, text=True)


def test_two_first_starts_at_once_make_one_pair(house: House, tmp_path: Path) -> None:
    processes = [another_process(tmp_path) for _ in range(3)]
    made = {process.communicate(timeout=60)[0].strip() for process in processes}
    assert made == {house.care().ensure().leaf().sha256}


@pytest.mark.parametrize("moment", range(4))
def test_a_service_that_is_killed_while_it_renews_leaves_a_pair_that_fits(
    house: House, tmp_path: Path, moment: int
) -> None:
    process = another_process(tmp_path, "again and again")
    assert process.stdout
    for _ in range(2 + moment):
        process.stdout.readline()
    time.sleep(random.random() / 100)
    process.kill()
    process.communicate(timeout=60)
    care = house.care()
    care.ensure()
    assert care.inspect().owner is Owner.SERVICE and care.inspect().state is State.VALID
    assert not list(house.paths.cert.glob(".server*"))


# ---- a user's own pair ----


@pytest.mark.parametrize("after", [timedelta(0), 3 * YEAR, -3 * YEAR])
def test_a_users_own_pair_is_never_touched(house: House, after: timedelta) -> None:
    own = house.with_own("localhost")
    care = house.care()
    care.ensure(NOW + after)
    found = care.look(NOW + after)
    assert care.pair.read() == own
    assert found.owner is Owner.USER and found.authority is None and found.stores == ()
    assert any("cert replace" in text for text in found.warnings) is bool(after)
    with pytest.raises(BadArguments, match="your own"):
        care.renew(NOW)
    with pytest.raises(NothingFound, match="your own"):
        care.install([MemoryStore()])
    assert set(files_of(care)) == {"server.pem", "server_key.pem", ".lock"}


def test_a_users_pair_that_does_not_fit_is_told_and_not_mended(house: House) -> None:
    chain, _ = house.with_own("localhost")
    (house.paths.cert / "server_key.pem").write_text(own_pair("localhost")[1])
    care = house.care()
    with pytest.raises(BadInput, match="belong together"):
        care.ensure(NOW)
    assert care.look(NOW).state is State.BROKEN
    assert care.pair.certificate.read_text() == chain


def test_a_pair_that_takes_our_place_takes_our_authority_away_too(house: House) -> None:
    care = house.care()
    care.ensure(NOW)
    own = own_pair("scan.example")
    care.replace(*own)
    assert care.pair.read() == own and len(house.told) == 1
    assert not (house.paths.cert / "ca.pem").exists()
    assert care.look(NOW).warnings == ("Your own certificate is not made for localhost, 127.0.0.1, ::1.",)


def test_files_that_another_process_changed_are_noticed_and_told_once(house: House) -> None:
    care = house.care()
    care.ensure(NOW)
    assert not care.touched()
    house.with_own("localhost")
    assert care.touched()
    care.look(NOW)
    care.look(NOW)
    assert house.told == [care.pair] and not care.touched()


# ---- stores ----


def test_the_service_soon_knows_of_a_store_that_the_command_installed_into(house: House) -> None:
    service, command, store = house.care(), house.care(), MemoryStore()
    house.stores.append(store)
    service.ensure()
    service.look()
    assert not service.touched()
    command.install([store])
    assert service.touched()
    service.catch_up()
    assert [each["trusted"] for each in service.findings["stores"]] == [True]
    assert not service.touched() and house.told == []


def test_nothing_is_put_anywhere_before_its_owner_agreed(house: House) -> None:
    house.stores = [MemoryStore("chromium", "a"), MemoryStore("firefox", "b")]
    care = house.care()
    care.ensure(NOW)
    for now in (NOW, NOW + 2 * YEAR):
        found = care.look(now)
        assert [trust.trusted for trust in found.stores] == [False, False]
    assert [store.held for store in house.stores] == [{}, {}]


def test_who_agreed_once_gets_a_new_browser_too_but_only_of_that_kind(house: House) -> None:
    house.stores = [MemoryStore("firefox", "old profile"), MemoryStore("chromium", "c")]
    care = house.care()
    care.ensure(NOW)
    assert care.install(house.stores[:1]) == {"old profile": None}
    house.stores.append(MemoryStore("firefox", "new profile"))
    found = house.care().look(NOW)
    assert found.done == ("installed in new profile",)
    assert [trust.trusted for trust in found.stores] == [True, False, True]
    assert house.care().look(NOW).done == ()


def test_a_kind_can_be_agreed_to_before_there_is_a_store(house: House) -> None:
    care = house.care()
    care.ensure(NOW)
    care.install([], ["firefox"])
    house.stores = [MemoryStore("firefox", "first profile")]
    assert care.look(NOW).done == ("installed in first profile",)


def test_what_a_person_took_out_by_hand_stays_out_also_through_a_renewal(house: House) -> None:
    store = MemoryStore()
    house.stores = [store]
    care = house.care()
    care.ensure(NOW)
    care.install([store])
    store.held.clear()
    assert care.look(NOW).stores[0].removed
    assert care.look(NOW + 2 * YEAR).done == ("renewed",)
    assert store.held == {}
    care.install([store])
    assert trusted(store, care)


def test_a_renewal_moves_the_stores_agreed_to_and_leaves_the_others(house: House) -> None:
    agreed, other = MemoryStore("chromium", "a"), MemoryStore("firefox", "b")
    house.stores = [agreed, other]
    care = house.care()
    care.ensure(NOW)
    care.install([agreed])
    old = care.authority()
    care.look(NOW + 2 * YEAR)
    assert care.authority() != old
    assert trusted(agreed, care) and other.held == {}


def test_the_old_authority_is_there_until_the_files_are_switched(house: House) -> None:
    """A browser that connects at any moment of a renewal trusts what it is shown."""
    held_when: list[tuple[bool, bool]] = []
    store = MemoryStore()

    class Watching(MemoryStore):
        def install(self, ca: authority.Certificate) -> None:
            super().install(ca)
            held_when.append((care.authority().name in self.held, ca.name in self.held))

        def uninstall(self, name: str) -> None:
            held_when.append((care.authority().name in self.held, name in self.held))
            super().uninstall(name)

    store = Watching()
    house.stores = [store]
    care = house.care()
    care.ensure(NOW)
    care.install([store])
    held_when.clear()
    care.look(NOW + 2 * YEAR)
    assert held_when == [(True, True), (True, True)]
    assert trusted(store, care)


def test_a_renewal_that_died_leaves_nothing_that_the_next_look_does_not_clear_away(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    house.stores = [store]
    care = house.care()
    care.ensure(NOW)
    care.install([store])

    class Died(BaseException):
        pass

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr("dwtsvc.certs.pair.CertificateFolder.keep", die)
        with pytest.raises(Died):
            care.renew(NOW)
    assert len(store.held) == 2
    house.care().look(NOW)
    assert trusted(store, care)


def test_another_service_of_the_same_user_keeps_its_authority(house: House) -> None:
    foreign = authority.issue(NOW).authority
    store = MemoryStore(held={foreign.name: foreign})
    house.stores = [store]
    care = house.care()
    care.ensure(NOW)
    care.install([store])
    care.look(NOW + 2 * YEAR)
    assert set(store.held.values()) == {foreign, care.authority()}


def test_a_store_that_fails_is_a_warning_and_tried_again(house: House) -> None:
    good, bad = MemoryStore("chromium", "good"), MemoryStore("firefox", "bad", broken=True)
    house.stores = [bad, good]
    care = house.care()
    care.ensure(NOW)
    results = care.install(house.stores)
    assert results["good"] is None and isinstance(results["bad"], FileAccess)
    found = care.look(NOW + 2 * YEAR)
    assert found.state is State.VALID and trusted(good, care)
    assert any("bad: The store is closed" in text for text in found.warnings)
    bad.broken = False
    assert care.look(NOW + 2 * YEAR).done == ("installed in bad",)


def test_stores_that_ask_their_user_are_told_about_and_not_changed(house: House) -> None:
    store = MemoryStore("windows", "Root")
    house.stores = [store]
    care = house.care()
    care.ensure(NOW)
    care.install([store])
    old = care.authority()
    found = care.look(NOW + 2 * YEAR)
    assert any("cert install" in text for text in found.warnings)
    assert list(store.held.values()) == [old]
    care.install([store])
    assert trusted(store, care)


def test_uninstalling_takes_everything_and_nothing_comes_back(house: House) -> None:
    forgotten = authority.issue(NOW).authority
    store = MemoryStore(held={forgotten.name: forgotten})
    house.stores = [store]
    care = house.care()
    care.ensure(NOW)
    care.install([store], ["firefox"])
    removed = care.uninstall([store])["here"]
    assert not isinstance(removed, DwtsvcError) and len(removed) == 2
    assert store.held == {}
    assert agreement.read(house.paths.cert).places == ()
    care.look(NOW)
    care.look(NOW + 2 * YEAR)
    assert store.held == {}
    assert care.uninstall([store]) == {"here": ()}


def test_what_cannot_be_removed_is_not_forgotten_but_does_not_come_back(house: House) -> None:
    store = MemoryStore()
    house.stores = [store]
    care = house.care()
    care.ensure(NOW)
    care.install([store])
    store.broken = True
    assert isinstance(care.uninstall([store])["here"], DwtsvcError)
    known = agreement.read(house.paths.cert)
    assert known.kinds == () and len(known.places) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kinds": 1}', '{"kinds": ["no-such"]}', '{"more": 1}'])
def test_an_agreement_that_nobody_can_read_is_none(house: House, text: str) -> None:
    Paths.create(house.paths.cert)
    (house.paths.cert / "stores.json").write_text(text)
    assert agreement.read(house.paths.cert).kinds == ()


# ---- what is said ----


def test_the_findings_are_plain_words_for_status_and_the_page(house: House) -> None:
    import json

    house.stores = [MemoryStore()]
    care = house.care()
    assert care.findings == {} and care.inspect(NOW).plain()["state"] == "missing"
    assert not house.paths.cert.exists()
    care.ensure(NOW)
    care.look(NOW)
    said = care.findings
    assert json.loads(json.dumps(said)) == said
    assert said["state"] == "valid" and said["owner"] == "dwtsvc"
    assert said["certificate"]["hosts"] == ["localhost", "127.0.0.1", "::1"]
    assert datetime.fromisoformat(said["certificate"]["not_after"]) > NOW
    assert said["stores"] == [
        {"store": "chromium", "where": "here", "trusted": False, "removed": False, "why": "", "hint": ""}
    ]


def test_a_host_with_a_wrong_or_missing_pair_is_told(house: House) -> None:
    named = [HostCertificate(host=host, cert_name=f"{host}.pem", key_name=f"{host}.key") for host in ("a", "b", "c")]
    care = house.care(*named)
    care.ensure(NOW)
    for host, made_for in (("a", "a"), ("b", "x")):
        chain, key = own_pair(made_for)
        (house.paths.cert / f"{host}.pem").write_text(chain)
        (house.paths.cert / f"{host}.key").write_text(key)
    warnings = care.look(NOW).warnings
    assert len(warnings) == 2
    assert "b.pem is not made for b" in warnings[0] and "c.pem is missing" in warnings[1]
