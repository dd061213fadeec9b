"""Each kind of store: found where browsers keep it, changed twice without harm, and left as if we had never been."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from dwtsvc.certs import authority, firefox, nss, programs, system
from dwtsvc.certs.macos import Keychain
from dwtsvc.certs.programs import Installed, Outcome
from dwtsvc.certs.stores import KINDS, Machine, discover
from dwtsvc.certs.windows import WindowsStore
from dwtsvc.errors import BadInput, ChildProgramFailed, FileAccess, MissingDependency
from tests.certs.rig import NOW, Listening, linux, needs

CA = authority.issue(NOW).authority
NEXT = authority.issue(NOW).authority


def database(folder: Path, password: str = "") -> Path:
    """An NSS database as a browser leaves it."""
    needs("certutil")
    folder.mkdir(parents=True)
    (folder / "password").write_text(password)
    secret = ["-f", str(folder / "password")] if password else ["--empty-password"]
    subprocess.run(["certutil", "-N", "-d", f"sql:{folder}", *secret], check=True, timeout=30)
    (folder / "password").unlink()
    return folder


def content(folder: Path) -> list[str]:
    listed = subprocess.run(["certutil", "-L", "-d", f"sql:{folder}"], capture_output=True, text=True, timeout=30)
    return listed.stdout.split("SSL,S/MIME,JAR/XPI")[1].strip().splitlines()


def tree(folder: Path) -> dict[str, bytes]:
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


# ---- NSS ----


def test_chromium_takes_the_authority_once_and_only_for_servers(tmp_path: Path) -> None:
    machine = linux(tmp_path)
    folder = database(machine.home / ".pki/nssdb")
    (store,) = nss.chromium_databases(machine)
    assert not store.holds(CA)
    store.install(CA)
    store.install(CA)
    assert store.holds(CA) and not store.holds(NEXT)
    assert [line.split() for line in content(folder)] == [[*CA.name.split(), "C,,"]]


def test_every_authority_of_ours_goes_and_others_stay(tmp_path: Path) -> None:
    machine = linux(tmp_path)
    folder = database(machine.home / ".pki/nssdb")
    foreign = authority.issue(NOW).authority.pem
    words = ["certutil", "-A", "-d", f"sql:{folder}", "-n", "a company's", "-t", "C,,", "-a"]
    subprocess.run(words, input=foreign.encode(), check=True, timeout=30)
    (store,) = nss.chromium_databases(machine)
    for ca in (CA, NEXT):
        store.install(ca)
    assert set(store.names()) == {CA.name, NEXT.name}
    for name in store.names():
        store.uninstall(name)
        store.uninstall(name)
    assert store.names() == ()
    assert [line.split() for line in content(folder)] == [["a", "company's", "C,,"]]


def test_an_authority_that_a_person_stopped_trusting_is_not_held(tmp_path: Path) -> None:
    machine = linux(tmp_path)
    folder = database(machine.home / ".pki/nssdb")
    (store,) = nss.chromium_databases(machine)
    store.install(CA)
    subprocess.run(["certutil", "-M", "-d", f"sql:{folder}", "-n", CA.name, "-t", ",,"], check=True, timeout=30)
    assert not store.holds(CA)


def test_a_database_with_a_primary_password_says_so_and_stays_as_it_was(tmp_path: Path) -> None:
    machine = linux(tmp_path)
    folder = database(machine.home / ".pki/nssdb", password="secret")
    (store,) = nss.chromium_databases(machine)
    with pytest.raises(FileAccess, match="primary password") as raised:
        store.install(CA)
    assert "dwtsvc cert export" in raised.value.hint
    assert content(folder) == []


def test_both_folders_of_chromium_and_those_of_its_sandboxes_are_found(tmp_path: Path) -> None:
    machine = linux(tmp_path)
    places = [".pki/nssdb", ".local/share/pki/nssdb", "snap/chromium/current/.pki/nssdb"]
    places.append(".var/app/org.chromium.Chromium/data/pki/nssdb")
    for place in places:
        database(machine.home / place)
    assert [store.where for store in nss.chromium_databases(machine)] == [str(machine.home / each) for each in places]


def test_a_data_folder_elsewhere_is_looked_into(tmp_path: Path) -> None:
    machine = linux(tmp_path, XDG_DATA_HOME=str(tmp_path / "data"))
    folder = database(tmp_path / "data/pki/nssdb")
    assert [store.where for store in nss.chromium_databases(machine)] == [str(folder)]


def test_a_browser_without_a_database_gets_one_which_goes_again(tmp_path: Path) -> None:
    real = Installed(dict(os.environ))
    needs("certutil")

    class WithChromium(Listening):
        def find(self, name: str) -> str | None:
            return "/usr/bin/chromium" if name == "chromium" else real.find(name)

        def run(self, *words: str, stdin: str = "") -> Outcome:
            return real.run(*words, stdin=stdin)

    machine = linux(tmp_path, WithChromium())
    (store,) = nss.chromium_databases(machine)
    assert store.names() == () and not store.holds(CA)
    store.install(CA)
    assert store.holds(CA)
    assert (machine.home / ".pki/nssdb").stat().st_mode & 0o77 == 0
    store.uninstall(CA.name)
    assert tree(machine.home) == {} and list(machine.home.iterdir()) == []


def test_a_database_made_here_stays_when_somebody_else_uses_it(tmp_path: Path) -> None:
    needs("certutil")
    machine = linux(tmp_path)
    store = nss.NssDatabase("chromium", machine.home / ".pki/nssdb", machine)
    store.install(CA)
    words = ["certutil", "-A", "-d", f"sql:{store.folder}", "-n", "a company's", "-t", "C,,", "-a"]
    subprocess.run(words, input=authority.issue(NOW).authority.pem.encode(), check=True, timeout=30)
    store.uninstall(CA.name)
    assert len(content(store.folder)) == 1


def test_without_any_chromium_no_folder_is_proposed(tmp_path: Path) -> None:
    assert list(nss.chromium_databases(linux(tmp_path, Listening(("certutil",))))) == []


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt", "sudo apt install libnss3-tools"),
        ("dnf", "sudo dnf install nss-tools"),
        ("pacman", "sudo pacman -S nss"),
    ],
)
def test_without_certutil_the_exact_command_is_told(tmp_path: Path, manager: str, command: str) -> None:
    store = nss.NssDatabase("firefox", tmp_path, linux(tmp_path, Listening((manager,))))
    obstacle = store.obstacle()
    assert isinstance(obstacle, MissingDependency) and obstacle.hint == f"Run: {command}"
    for action in (store.names, lambda: store.holds(CA), lambda: store.install(CA)):
        with pytest.raises(MissingDependency):
            action()


# ---- Firefox ----


def test_profiles_are_found_wherever_firefox_keeps_them(tmp_path: Path) -> None:
    machine = linux(tmp_path)
    homes = [".config/mozilla/firefox", ".mozilla/firefox", "snap/firefox/common/.mozilla/firefox"]
    homes.append(".var/app/org.mozilla.firefox/.mozilla/firefox")
    homes.append(".var/app/org.mozilla.firefox/config/mozilla/firefox")
    for home in homes:
        database(machine.home / home / "abc.default-esr")
        (machine.home / home / "profiles.ini").write_text("[Profile0]\nName=x\nIsRelative=1\nPath=abc.default-esr\n")
    found = list(firefox.profiles(machine))
    assert [store.where for store in found] == [str(machine.home / each / "abc.default-esr") for each in homes]
    for store in found:
        store.install(CA)
    assert all(store.holds(CA) for store in found)


def test_a_profile_anywhere_else_is_found_by_its_path_and_one_never_started_is_not(tmp_path: Path) -> None:
    machine = linux(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "config"))
    home = tmp_path / "config/mozilla/firefox"
    elsewhere = database(tmp_path / "elsewhere")
    (home / "never.started").mkdir(parents=True)
    (home / "profiles.ini").write_text(f"[Profile0]\nIsRelative=0\nPath={elsewhere}\n[P1]\nPath=never.started\n")
    assert [store.where for store in firefox.profiles(machine)] == [str(elsewhere)]


POLICY = '{\n  "policies": {\n    "DisableTelemetry":true\n  }\n}\n'


@pytest.fixture
def firefox_here(tmp_path: Path) -> Machine:
    machine = linux(tmp_path)
    machine.beneath("/usr/lib/firefox-esr/distribution").mkdir(parents=True)
    return machine


def policy(machine: Machine) -> firefox.PolicyStore:
    (store,) = firefox.policies(machine)
    return store


def test_the_policy_of_the_administrator_keeps_every_byte(firefox_here: Machine) -> None:
    path = firefox_here.beneath("/etc/firefox/policies/policies.json")
    path.parent.mkdir(parents=True)
    path.write_text(POLICY)
    store = policy(firefox_here)
    store.install(CA)
    store.install(CA)
    assert store.holds(CA) and store.names() == (CA.name,)
    said = json.loads(path.read_text())["policies"]
    (named,) = said["Certificates"]["Install"]
    assert Path(named).read_text() == CA.pem and Path(named).stat().st_mode & 0o777 == 0o644
    assert said["DisableTelemetry"] is True
    store.uninstall(CA.name)
    assert path.read_text() == POLICY
    assert set(tree(path.parent)) == {"policies.json"}


def test_where_there_is_no_policy_one_is_made_and_goes_again(firefox_here: Machine) -> None:
    store = policy(firefox_here)
    assert store.where.endswith("/etc/firefox/policies/policies.json")
    store.install(CA)
    store.install(NEXT)
    assert store.holds(CA) and store.holds(NEXT)
    for name in store.names():
        store.uninstall(name)
    assert tree(firefox_here.root) == {}


def test_a_policy_beside_the_program_is_not_switched_off_by_one_in_etc(firefox_here: Machine) -> None:
    beside = firefox_here.beneath("/usr/lib/firefox-esr/distribution/policies.json")
    beside.write_text(POLICY)
    policy(firefox_here).install(CA)
    assert not firefox_here.beneath("/etc/firefox/policies/policies.json").exists()
    assert len(json.loads(beside.read_text())["policies"]["Certificates"]["Install"]) == 1


def test_a_policy_that_is_no_json_is_told_and_left_alone(firefox_here: Machine) -> None:
    path = firefox_here.beneath("/etc/firefox/policies/policies.json")
    path.parent.mkdir(parents=True)
    path.write_text('{"policies": {,}}')
    store = policy(firefox_here)
    assert isinstance(store.obstacle(), BadInput)
    with pytest.raises(BadInput):
        store.install(CA)
    assert tree(path.parent) == {"policies.json": b'{"policies": {,}}'}


def test_without_firefox_there_is_no_policy_to_write(tmp_path: Path) -> None:
    assert list(firefox.policies(linux(tmp_path, Listening()))) == []


def test_what_firefox_took_from_a_policy_is_known_by_its_longer_name(tmp_path: Path) -> None:
    machine = linux(tmp_path)
    folder = database(machine.home / ".mozilla/firefox/a.default")
    (folder.parent / "profiles.ini").write_text("[Profile0]\nPath=a.default\n")
    words = ["certutil", "-A", "-d", f"sql:{folder}", "-n", f"{CA.name} - dwtsvc", "-t", ",,", "-a"]
    subprocess.run(words, input=CA.pem.encode(), check=True, timeout=30)
    (store,) = firefox.profiles(machine)
    assert store.names() == (CA.name,) and not store.holds(CA)
    store.install(CA)
    store.install(CA)
    assert store.holds(CA) and store.names() == (CA.name,)
    store.uninstall(CA.name)
    assert content(folder) == []


# ---- the system's own store ----


@pytest.fixture
def debian(tmp_path: Path) -> Machine:
    """The real program of Debian, told to work in folders of the test."""
    needs("update-ca-certificates")
    real = Installed(dict(os.environ))
    at = {"--etccertsdir": "/etc/ssl/certs", "--localcertsdir": "/usr/local/share/ca-certificates"}
    at |= {"--certsdir": "/usr/share/ca-certificates", "--hooksdir": "/etc/ca-certificates/update.d"}

    class Debian(Listening):
        def find(self, name: str) -> str | None:
            return real.find(name)

        def run(self, *words: str, stdin: str = "") -> Outcome:
            self.calls.append(words)
            folders = [word for option, path in at.items() for word in (option, str(machine.beneath(path)))]
            return real.run(*words, *folders, "--certsconf", str(tmp_path / "conf"), stdin=stdin)

    machine = linux(tmp_path, Debian())
    for path in at.values():
        machine.beneath(path).mkdir(parents=True)
    (tmp_path / "conf").write_text("")
    return machine


def test_programs_of_debian_trust_the_service_and_then_no_more(debian: Machine) -> None:
    bundle = debian.beneath("/etc/ssl/certs/ca-certificates.crt")
    company = authority.issue(NOW).authority.pem
    debian.beneath("/usr/local/share/ca-certificates/company.crt").write_text(company)
    (store,) = system.folders(debian)
    store.install(CA)
    store.install(CA)
    assert store.holds(CA) and CA.pem in bundle.read_text()
    assert debian.programs.calls == [("update-ca-certificates",)]  # type: ignore[attr-defined]
    store.install(NEXT)
    for name in store.names():
        store.uninstall(name)
    assert bundle.read_text() == company
    assert not [each for each in debian.root.rglob("*") if "dwtsvc" in each.name]
    assert len([each for each in bundle.parent.iterdir() if each.is_symlink()]) == 2  # the company's, and its hash


def test_what_the_administrator_copied_by_hand_is_known(tmp_path: Path) -> None:
    machine = linux(tmp_path, Listening(("update-ca-certificates",)))
    folder = machine.beneath("/usr/local/share/ca-certificates")
    folder.mkdir(parents=True)
    (folder / "dwtsvc-local-CA.crt").write_text(CA.pem)
    (store,) = system.folders(machine)
    assert store.holds(CA) and not store.holds(NEXT)
    for name in store.names():
        store.uninstall(name)
    assert tree(machine.root) == {}


@pytest.mark.parametrize(
    ("folder", "command"),
    [
        ("/etc/pki/ca-trust/source/anchors", ("update-ca-trust", "extract")),  # Fedora
        ("/etc/ca-certificates/trust-source/anchors", ("update-ca-trust", "extract")),  # Arch
    ],
)
def test_fedora_and_arch_have_folders_and_a_program_of_their_own(
    tmp_path: Path, folder: str, command: tuple[str, ...]
) -> None:
    machine = linux(tmp_path, Listening(("update-ca-trust",)))
    machine.beneath(folder).mkdir(parents=True)
    (store,) = system.folders(machine)
    store.install(CA)
    assert store.holds(CA) and list(tree(machine.beneath(folder)).values()) == [CA.pem.encode()]
    store.uninstall(CA.name)
    assert tree(machine.root) == {}
    assert machine.programs.calls == [command, command]  # type: ignore[attr-defined]


def test_a_system_that_cannot_rebuild_its_bundle_is_left_as_it_was(tmp_path: Path) -> None:
    failing = Listening(("update-ca-trust",), lambda words: Outcome(1, "", "no room\n"))
    machine = linux(tmp_path, failing)
    machine.beneath("/etc/pki/ca-trust/source/anchors").mkdir(parents=True)
    (store,) = system.folders(machine)
    with pytest.raises(ChildProgramFailed, match="no room"):
        store.install(CA)
    assert tree(machine.root) == {}


# ---- macOS and Windows: the commands, since neither system is here ----


def test_the_commands_for_the_login_keychain(tmp_path: Path) -> None:
    held: list[str] = []
    fake = Listening(
        answer=lambda words: Outcome(0, "".join(held), "") if words[1] == "find-certificate" else Outcome(0, "", "")
    )
    machine = Machine(home=Path("/Users/ada"), environ={}, programs=fake, platform="darwin")
    (store,) = discover(machine)
    assert isinstance(store, Keychain)
    keychain = "/Users/ada/Library/Keychains/login.keychain-db"
    store.install(CA)
    held += [CA.pem, NEXT.pem]
    store.install(CA)
    assert store.names() == (CA.name, NEXT.name)
    store.uninstall(CA.name)
    changes = [call for call in fake.calls if call[1] != "find-certificate"]
    assert changes[0][:9] == ("security", "add-trusted-cert", "-r", "trustRoot", "-p", "ssl", "-p", "basic", "-k")
    assert changes[0][9] == keychain and changes[0][10].endswith(".pem")
    assert changes[1:] == [("security", "delete-certificate", "-Z", CA.sha1.upper(), "-t", keychain)]
    looked = ("security", "find-certificate", "-a", "-p", "-c", authority.NAME, keychain)
    assert looked in fake.calls


def windows_listing(*cas: authority.Certificate) -> str:
    """What certutil prints, in German: only what is between the brackets and the subject can be relied on."""
    rows = [
        f"================ Zertifikat {number} ================\nSeriennummer: 01\nAussteller: CN={ca.name}, O=dwtsvc\n"
        f"Antragsteller: CN={ca.name}, O=dwtsvc\nZertifikathash(sha1): {ca.sha1}\n"
        for number, ca in enumerate(cas)
    ]
    other = (
        "================ Zertifikat 9 ================\nAntragsteller: CN=Other\nZertifikathash(sha1): " + "ab" * 20
    )
    return 'Root "Vertrauenswürdige Stammzertifizierungsstellen"\n' + "".join(rows) + other + "\nCertUtil: ok\n"


def test_the_commands_for_the_root_store_of_windows() -> None:
    held: list[authority.Certificate] = []
    fake = Listening(answer=lambda words: Outcome(0, windows_listing(*held) if words[2] == "-store" else "", ""))
    (store,) = discover(Machine(home=Path(), environ={}, programs=fake, platform="win32"))
    assert isinstance(store, WindowsStore)
    store.install(CA)
    held += [CA, NEXT]
    store.install(CA)
    assert store.holds(CA) and store.names() == (CA.name, NEXT.name)
    store.uninstall(NEXT.name)
    changes = [call for call in fake.calls if call[2] != "-store"]
    assert changes[0][:4] == ("certutil", "-user", "-addstore", "Root") and changes[0][4].endswith(".cer")
    assert changes[1:] == [("certutil", "-user", "-delstore", "Root", NEXT.sha1)]


# ---- all of them ----


def test_every_store_is_of_a_kind_that_the_command_knows(tmp_path: Path) -> None:
    machine = linux(tmp_path, Listening(("chromium", "firefox", "update-ca-certificates")))
    machine.beneath("/usr/local/share/ca-certificates").mkdir(parents=True)
    assert {store.kind for store in discover(machine)} == {"chromium", "firefox-policy", "system"}
    assert {store.kind for store in discover(machine)} < set(KINDS)
    assert tree(tmp_path) == {}


def test_a_program_that_hangs_is_stopped_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "DEADLINE", 0.2)
    with pytest.raises(ChildProgramFailed, match="did not end"):
        Installed(dict(os.environ)).run("sleep", "60")


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(ChildProgramFailed, match="cannot be run"):
        Installed(dict(os.environ)).run("no-such-program-of-dwtsvc")
