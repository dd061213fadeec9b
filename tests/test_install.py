"""The service as a unit, an agent and a task: what is written, what is run, twice, and that nothing is left.

The units are judged by the real systemd-analyze. `systemctl` and its kin are played by a small fake.
"""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dwtsvc.errors import BadArguments, BadConfiguration, ChildProgramFailed, MissingDependency
from dwtsvc.install import manager, remains, remove, service_name, write_service_name
from dwtsvc.install.files import Outcome, run
from dwtsvc.install.launchd import Launchd
from dwtsvc.install.systemd import DROP_INS, Systemd
from dwtsvc.install.windows import Task
from dwtsvc.paths import Paths

COMMAND = [sys.executable, "-P", "-m", "dwtsvc_cli.main", "serve"]
RELOAD = [sys.executable, "-P", "-c", "import os, signal, sys; os.kill(int(sys.argv[1]), signal.SIGHUP)"]
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


class Machine:
    """Programs of a system: remembers what was run; `failing` fail, and so does asking for what is not there."""

    def __init__(self, *, version: int = 252, running: bool = True, groups: Sequence[str] = ("scanner",)) -> None:
        self.ran: list[str] = []
        self.failing: set[str] = set()
        self.version, self.running, self.groups = version, running, groups
        self.loaded = False

    def __call__(self, command: Sequence[str]) -> Outcome:
        line = " ".join(command).replace(" --user", "")
        if line == "systemctl --version":
            return Outcome(0, f"systemd {self.version} ({self.version}.1)\n+PAM")
        if line == "systemctl show-environment":
            return Outcome(0 if self.running else 1, "")
        if line.startswith("getent group"):
            return Outcome(0 if command[-1] in self.groups else 2, "")
        if line.startswith(("launchctl print", "schtasks /Query")):
            return Outcome(0 if self.loaded else 1, "")
        self.ran.append(line)
        if line.startswith(("launchctl boot", "schtasks /Create", "schtasks /Delete")):
            self.loaded = "bootstrap" in line or "Create" in line
        return Outcome(1, "it says why") if line in self.failing else Outcome(0, "")


def user(tmp_path: Path, machine: Machine, **environ: str) -> Systemd:
    return Systemd(
        "dwtsvc", [*COMMAND, "--no-monitor"], RELOAD, {"HOME": str(tmp_path), **environ}, system=False, run=machine
    )


def system(tmp_path: Path, machine: Machine, *allow: str, command: Sequence[str] = ("/usr/bin/true",)) -> Systemd:
    return Systemd("dwtsvc", command, ["/usr/bin/true"], {}, system=True, allow=allow, run=machine, root=tmp_path)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def analyze(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("systemd-analyze is not installed")
    return subprocess.run(
        ["systemd-analyze", *words],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
    )


def installed_version() -> int:
    found = re.match(r"systemd (\d+)", run(["systemctl", "--version"]).output)
    assert found
    return int(found[1])


# ---- judged by systemd itself ----


def test_systemd_has_nothing_to_say_against_the_unit_of_a_user(tmp_path: Path) -> None:
    analyze("--version")
    user(tmp_path, Machine(version=installed_version())).install(start=False)
    unit = tmp_path / ".config/systemd/user/dwtsvc.service"
    answer = analyze("verify", "--user", "--man=no", str(unit), XDG_RUNTIME_DIR=str(tmp_path))
    assert (answer.returncode, answer.stdout) == (0, "")


@pytest.mark.parametrize("allow", [(), DROP_INS])
def test_systemd_has_nothing_to_say_against_the_unit_of_the_machine(tmp_path: Path, allow: tuple[str, ...]) -> None:
    analyze("--version")
    system(tmp_path, Machine(version=installed_version()), *allow).install(start=False)
    unit = tmp_path / "etc/systemd/system/dwtsvc.service"
    answer = analyze("verify", "--man=no", str(unit))
    assert (answer.returncode, answer.stdout) == (0, "")


def test_a_fault_in_a_unit_would_be_seen(tmp_path: Path) -> None:
    unit = tmp_path / "faulty.service"
    unit.write_text("[Service]\nExecStart=/usr/bin/true\nProtectHoem=yes\n")
    assert "ProtectHoem" in analyze("verify", "--man=no", str(unit)).stdout


def test_the_exposure_of_the_unit_of_the_machine_is_at_most_1_7(tmp_path: Path) -> None:
    system(tmp_path, Machine()).install(start=False)
    unit = tmp_path / "etc/systemd/system/dwtsvc.service"
    answer = analyze("security", "--offline=true", "--threshold=17", "--no-pager", str(unit))
    found = re.search(r"Overall exposure level for dwtsvc.service: ([\d.]+)", answer.stdout)
    assert found and float(found[1]) <= 1.7, answer.stdout
    assert answer.returncode == 0


def test_the_program_that_reloads_sends_a_hang_up(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import signal; print(signal.sigwait({1}), flush=True)"])
    assert run([*RELOAD, str(child.pid)]).code == 0
    assert child.wait(30) in (0, -1)


# ---- the unit of a user ----


def test_a_user_unit_is_written_enabled_and_started(tmp_path: Path) -> None:
    machine = Machine()
    said = user(tmp_path, machine).install(start=True)
    assert machine.ran == [
        f"systemctl {verb}" for verb in ("daemon-reload", "enable dwtsvc.service", "restart dwtsvc.service")
    ]
    assert said[-1] == "It is running."
    text = (tmp_path / ".config/systemd/user/dwtsvc.service").read_text()
    assert f"ExecStart={sys.executable} -P -m dwtsvc_cli.main serve --no-monitor\n" in text
    assert "Type=notify\n" in text and "WatchdogSec=" in text and "@" not in text.replace("@system", "")
    assert re.search(r"^RestartPreventExitStatus=.*\b78\b", text, re.MULTILINE)


def test_installing_twice_changes_nothing_and_says_so(tmp_path: Path) -> None:
    machine = Machine()
    user(tmp_path, machine).install(start=True)
    machine.ran.clear()
    said = user(tmp_path, machine).install(start=True)
    assert "already installed" in said[0]
    assert machine.ran == ["systemctl enable dwtsvc.service", "systemctl start dwtsvc.service"]


def test_uninstalling_stops_it_and_leaves_no_file_and_twice_is_fine(tmp_path: Path) -> None:
    machine = Machine()
    user(tmp_path, machine).install(start=True)
    machine.ran.clear()
    user(tmp_path, machine).uninstall()
    assert machine.ran[0] == "systemctl disable --now dwtsvc.service"
    assert files_in(tmp_path) == []
    assert user(tmp_path, machine).uninstall() == ["dwtsvc.service is not installed"]


def test_where_systemd_does_not_run_it_is_enabled_for_later(tmp_path: Path) -> None:
    machine = Machine(running=False)
    said = user(tmp_path, machine).install(start=True)
    assert machine.ran == ["systemctl enable dwtsvc.service"]
    assert said[-1] == "systemd is not running here: it starts when you log in."


def test_the_folder_of_a_portable_installation_goes_into_the_unit(tmp_path: Path) -> None:
    (unit,) = user(tmp_path, Machine(), DWTSVC_HOME="/srv/my scans/100%").files()
    assert 'Environment="DWTSVC_HOME=/srv/my scans/100%%"\n' in unit.text


def test_a_newer_systemd_waits_longer_with_every_restart_and_never_gives_up(tmp_path: Path) -> None:
    (old,) = user(tmp_path, Machine(version=252)).files()
    (new,) = user(tmp_path, Machine(version=254)).files()
    assert "RestartSteps" not in old.text and "StartLimitBurst=6" in old.text
    assert "RestartMaxDelaySec=60" in new.text and "StartLimitIntervalSec=0" in new.text


def test_a_start_that_fails_is_told_with_where_to_look(tmp_path: Path) -> None:
    machine = Machine()
    machine.failing = {"systemctl restart dwtsvc.service"}
    with pytest.raises(ChildProgramFailed) as failed:
        user(tmp_path, machine).install(start=True)
    assert failed.value.why == "it says why"
    assert "journalctl --user -u dwtsvc.service" in failed.value.hint


def test_a_machine_without_systemd_is_told_what_to_do(tmp_path: Path) -> None:
    def nothing(command: Sequence[str]) -> Outcome:
        raise MissingDependency(f"The program {command[0]} is not installed")

    with pytest.raises(MissingDependency) as missing:
        Systemd("dwtsvc", COMMAND, RELOAD, {"HOME": str(tmp_path)}, system=False, run=nothing).install(start=True)
    assert "dwtsvc serve" in missing.value.hint


def test_real_systemctl_enables_and_disables_without_a_running_systemd(tmp_path: Path) -> None:
    if shutil.which("systemctl") is None:
        pytest.skip("systemctl is not installed")
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config"), "SYSTEMD_OFFLINE": "1"}

    def offline(command: Sequence[str]) -> Outcome:
        if "show-environment" in command:
            return Outcome(1, "")
        return run(["env", *(f"{name}={value}" for name, value in environ.items()), *command])

    unit = Systemd("dwtsvc", [*COMMAND, "--no-monitor"], RELOAD, environ, system=False, run=offline)
    unit.install(start=True)
    link = tmp_path / ".config/systemd/user/default.target.wants/dwtsvc.service"
    assert link.is_symlink()
    unit.uninstall()
    assert not link.is_symlink()
    assert files_in(tmp_path) == []


# ---- the unit of the machine ----


def test_the_service_of_the_machine_runs_as_its_own_user_in_the_group_of_scanners(tmp_path: Path) -> None:
    machine = Machine()
    system(tmp_path, machine).install(start=True)
    assert machine.ran[0] == f"systemd-sysusers {tmp_path}/etc/sysusers.d/dwtsvc.conf"
    text = (tmp_path / "etc/systemd/system/dwtsvc.service").read_text()
    assert "User=dwtsvc\n" in text and "SupplementaryGroups=scanner\n" in text
    assert "m dwtsvc scanner\n" in (tmp_path / "etc/sysusers.d/dwtsvc.conf").read_text()


def test_workers_may_make_themselves_nicer_and_nothing_else_of_that_kind(tmp_path: Path) -> None:
    text = system(tmp_path, Machine()).files()[0].text
    filters = re.findall(r"^SystemCallFilter=(.*)", text, re.MULTILINE)
    assert filters == ["@system-service", "~@privileged @resources", "setpriority ioprio_set"]


def test_a_drop_in_is_offered_and_comes_and_goes_as_it_is_asked_for(tmp_path: Path) -> None:
    machine = Machine()
    folder = tmp_path / "etc/systemd/system/dwtsvc.service.d"
    offered = system(tmp_path, machine).files()
    assert [each.offer for each in offered if each.offer] == [f"--allow {name}" for name in DROP_INS]
    system(tmp_path, machine, "network-scanners").install(start=True)
    assert files_in(folder) == ["network-scanners.conf"]
    machine.ran.clear()
    system(tmp_path, machine).install(start=True)
    assert not folder.exists()
    assert "systemctl restart dwtsvc.service" in machine.ran


def test_nothing_is_left_of_the_service_of_the_machine(tmp_path: Path) -> None:
    machine = Machine(groups=())
    system(tmp_path, machine, *DROP_INS).install(start=True)
    system(tmp_path, machine).uninstall()
    said = system(tmp_path, machine).purge()
    assert files_in(tmp_path) == []
    assert machine.ran[-2:] == ["userdel dwtsvc", "groupdel scanner"]
    assert said[-1] == "group scanner removed"


def test_a_group_that_was_there_before_stays(tmp_path: Path) -> None:
    machine = Machine(groups=("scanner",))
    system(tmp_path, machine).install(start=True)
    system(tmp_path, machine).uninstall()
    system(tmp_path, machine).purge()
    assert "groupdel scanner" not in machine.ran


def test_a_program_in_a_users_folder_is_refused_for_the_machine(tmp_path: Path) -> None:
    with pytest.raises(BadArguments) as refused:
        system(tmp_path, Machine(), command=["/home/ada/.venv/bin/python"]).install(start=True)
    assert "/opt/dwtsvc" in refused.value.hint
    assert files_in(tmp_path) == []


def test_an_unknown_drop_in_and_one_for_a_user_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArguments):
        system(tmp_path, Machine(), "everything")
    with pytest.raises(BadArguments):
        Systemd("dwtsvc", COMMAND, RELOAD, {}, system=False, allow=["network-scanners"], run=Machine())


# ---- macOS and Windows ----


def paths_in(folder: Path) -> Paths:
    return Paths.from_environment({"DWTSVC_HOME": str(folder / "dwtsvc")})


def test_the_launch_agent_runs_the_monitor_and_is_started_again_after_a_crash_only(tmp_path: Path) -> None:
    machine = Machine()
    agent = Launchd("dwtsvc", COMMAND, paths_in(tmp_path), {"HOME": str(tmp_path)}, run=machine)
    agent.install(start=True)
    path = tmp_path / "Library/LaunchAgents/dwtsvc.plist"
    plist = plistlib.loads(path.read_bytes())
    assert (plist["ProgramArguments"], plist["KeepAlive"], plist["Umask"]) == (COMMAND, {"Crashed": True}, 63)
    assert machine.ran == [f"launchctl bootstrap gui/{os.getuid()} {path}"]
    agent.install(start=True)
    assert len(machine.ran) == 1
    agent.uninstall()
    assert machine.ran[-1] == f"launchctl bootout gui/{os.getuid()}/dwtsvc"
    assert files_in(tmp_path) == []


def test_the_task_of_windows_starts_at_log_on_with_the_rights_of_the_user(tmp_path: Path) -> None:
    machine = Machine()
    environ = {"USERDOMAIN": "OFFICE", "USERNAME": "ada"}
    task = Task("dwtsvc", [r"C:\Program Files\dwtsvc\dwtsvc.exe", "serve"], paths_in(tmp_path), environ, run=machine)
    task.install(start=True)
    (file,) = task.files()
    assert file.path.read_bytes().startswith(b"\xff\xfe")
    root = ElementTree.fromstring(file.path.read_bytes().decode("utf-16").partition("\n")[2])
    assert root.findtext(f".//{TASK}LogonTrigger/{TASK}UserId") == r"OFFICE\ada"
    assert root.findtext(f".//{TASK}RunLevel") == "LeastPrivilege"
    assert root.findtext(f".//{TASK}Command") == r"C:\Program Files\dwtsvc\dwtsvc.exe"
    assert [line.split()[1] for line in machine.ran] == ["/Create", "/Run"]
    assert "already there" in task.install(start=False)[0]
    task.uninstall()
    assert files_in(tmp_path) == []
    assert task.uninstall() == ["The task dwtsvc is not installed."]


@pytest.mark.parametrize(("platform", "kind"), [("linux", Systemd), ("darwin", Launchd), ("win32", Task)])
def test_each_platform_has_its_manager(tmp_path: Path, platform: str, kind: type) -> None:
    found = manager(paths_in(tmp_path), COMMAND, RELOAD, {"HOME": "/"}, run=Machine(), platform=platform)
    assert isinstance(found, kind)


def test_a_service_of_the_whole_machine_is_for_linux_only(tmp_path: Path) -> None:
    with pytest.raises(BadArguments):
        manager(paths_in(tmp_path), COMMAND, RELOAD, {}, system=True, run=Machine(), platform="darwin")


# ---- its name, and what it leaves ----


def test_service_ini_holds_the_name_of_the_service(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    assert service_name(paths) == "dwtsvc"
    write_service_name(paths)
    assert paths.service_file.read_text() == "[service]\nname = dwtsvc\n"
    paths.service_file.write_text("[service]\nname = scans-2\n")
    found = manager(paths, COMMAND, RELOAD, {"HOME": "/"}, run=Machine(), platform="linux")
    assert found.files()[0].path.name == "scans-2.service"


@pytest.mark.parametrize("name", ["", "../x", "a b", "a.service", "a\u00e4"])
def test_a_name_that_could_be_no_unit_is_refused(tmp_path: Path, name: str) -> None:
    paths = paths_in(tmp_path)
    Paths.create(paths.config)
    paths.service_file.write_text(f"[service]\nname = {name}\n")
    with pytest.raises(BadConfiguration):
        service_name(paths)


def test_nothing_remains_of_a_portable_installation_not_even_its_folder(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    for folder in (paths.cert, paths.storage, paths.log, paths.cache):
        Paths.create(folder)
        (folder / "file").write_text("x")
    (tmp_path / "beside").write_text("stays")
    assert len(remains(paths)) == 4
    remove(remains(paths), {"DWTSVC_HOME": str(tmp_path / "dwtsvc")})
    assert files_in(tmp_path) == ["beside"]
    assert not (tmp_path / "dwtsvc").exists()


def test_a_folder_inside_another_is_deleted_with_it(tmp_path: Path) -> None:
    paths = Paths.from_environment({"HOME": str(tmp_path)}, "linux")
    Paths.create(paths.log)
    assert remains(paths) == [paths.state]
    assert remove(remains(paths), {}) == [f"{paths.state} removed"]
