"""The monitor with real processes: a small service that crashes, hangs and exits as its script says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dwtsvc.monitor import BACK_OFF, FINAL, QUICK, QUICK_DELAY, Budget
from dwtsvc.paths import Paths
from tests.server.daemon import lives

PATIENCE = 30.0  # seconds; how long a loaded machine may take for what takes milliseconds

# Each start of the service adds a line to `starts`; what it then does stands in `deeds`, one word for each start.
SERVICE = """
import os, signal, sys, time
from pathlib import Path
from dwtsvc import lifeline, portlock
from dwtsvc.paths import Paths
home = Path(os.environ["DWTSVC_HOME"])
attached = lifeline.attach(os.environ, home / "state" / "dump")
held = portlock.hold(Paths.from_environment(os.environ))
held.__enter__().write({"pid": os.getpid()})
def note(text):
    with open(home / "notes", "a") as file:
        file.write(text + "\\n")
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, lambda *_: note("SIGTERM"))
else:
    signal.signal(signal.SIGTERM, lambda *_: (note("SIGTERM"), os._exit(0)))
signal.signal(signal.SIGHUP, lambda *_: note("SIGHUP"))
signal.signal(signal.SIGINT, lambda *_: (note("SIGINT"), os._exit(130)))
with open(home / "starts", "a") as file:
    file.write(f"{os.getpid()} {attached.monitor_pid} {time.monotonic()}\\n")
deeds = (home / "deeds").read_text().split()
number = len((home / "starts").read_text().splitlines()) - 1
deed = deeds[min(number, len(deeds) - 1)]
print("token=CANARY last words", file=sys.stderr, flush=True)
if deed == "segv":
    os.kill(os.getpid(), signal.SIGSEGV)
elif deed.isdigit():
    sys.exit(int(deed))
while True:
    time.sleep(0.05)  # a signal that another thread got is seen after it
"""


@dataclass
class Home:
    """A monitor's paths, and what its service left there."""

    folder: Path
    paths: Paths

    def begin(self, *deeds: str, words: tuple[str, ...] = (), service: str = SERVICE) -> subprocess.Popen[str]:
        (self.folder / "deeds").write_text(" ".join(deeds))
        (self.folder / "service.py").write_text(service)
        command = [sys.executable, str(self.folder / "service.py"), *words]
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "dwtsvc.monitor", *command],
            env={**os.environ, "DWTSVC_HOME": str(self.folder)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def starts(self) -> list[tuple[int, int, float]]:
        """(process, monitor, time) of each start."""
        lines = self.lines("starts")
        return [(int(a), int(b), float(c)) for a, b, c in (line.split() for line in lines)]

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def state(self) -> dict[str, object]:
        found = json.loads(self.paths.monitor_file.read_text())
        assert isinstance(found, dict)
        return found

    def dumps(self) -> list[str]:
        return [path.read_text() for path in sorted(self.paths.dump.iterdir())]

    def wait_for_starts(self, count: int) -> None:
        until(lambda: len(self.starts()) >= count)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    found = Home(tmp_path, Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}))
    yield found
    for line in found.starts():
        for pid in line[:2]:
            if lives(pid):
                os.kill(pid, signal.SIGKILL)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def works(pid: int) -> bool:
    """Whether it is more than about to end: then its memory is gone, before its locks are free for the next one."""
    try:
        return lives(pid) and bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def end(running: subprocess.Popen[str]) -> int:
    running.terminate()
    running.communicate(timeout=PATIENCE)
    return running.returncode


def test_the_monitor_is_made_of_the_standard_library() -> None:
    program = "import sys, dwtsvc.monitor; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=PATIENCE)
    names = {name for name in loaded.stdout.split() if not name.startswith("__editable__")}
    assert names - set(sys.stdlib_module_names) <= {"dwtsvc", "_distutils_hack", "sitecustomize", "__main__"}
    assert "dwtsvc" in names


def test_five_crashes_are_answered_quickly_and_the_sixth_waits_and_says_so(home: Home) -> None:
    running = home.begin("segv")
    home.wait_for_starts(QUICK + 1)
    until(lambda: home.state()["state"] == "waiting" and home.state()["restarts"] == QUICK)
    state = home.state()
    assert (state["pid"], state["service_pid"], state["reason"]) == (running.pid, None, "killed by SIGSEGV")
    assert str(state["next_restart"]).endswith("+00:00")
    assert len(home.starts()) == QUICK + 1
    assert end(running) == 0
    assert not home.paths.monitor_file.exists()


def test_the_budget_starts_five_times_at_once_then_ever_later_and_forgives_after_a_minute() -> None:
    budget = Budget()
    assert [budget.delay(at, 0) for at in range(QUICK + 4)] == [*[QUICK_DELAY] * QUICK, *BACK_OFF, BACK_OFF[-1]]
    assert budget.delay(1000, 59) == BACK_OFF[-1]
    assert budget.delay(1100, 60) == QUICK_DELAY


def test_crashes_that_are_rare_are_always_answered_at_once() -> None:
    budget = Budget()
    assert {budget.delay(at, 14) for at in range(0, 600, 15)} == {QUICK_DELAY}


def test_a_service_that_always_crashes_at_once_is_started_at_most_fifteen_times_in_ten_minutes() -> None:
    budget, now, restarts = Budget(), 0.0, -1
    while now <= 600:
        restarts += 1
        now += budget.delay(now, 0)
    assert restarts <= 15


def test_sigkill_of_the_service_is_a_crash(home: Home) -> None:
    running = home.begin("live")
    home.wait_for_starts(1)
    os.kill(home.starts()[0][0], signal.SIGKILL)
    home.wait_for_starts(2)
    until(lambda: home.state()["state"] == "running" and home.state()["restarts"] == 1)
    assert home.state()["reason"] == "killed by SIGKILL"
    assert home.state()["service_pid"] == home.starts()[1][0]
    assert end(running) == 0


@pytest.mark.parametrize("code", sorted(FINAL))
def test_an_end_that_a_restart_cannot_mend_is_final_and_handed_on(home: Home, code: int) -> None:
    running = home.begin(str(code))
    running.communicate(timeout=PATIENCE)
    assert (running.returncode, len(home.starts())) == (code, 1)


def test_an_internal_error_is_answered_with_a_restart(home: Home) -> None:
    running = home.begin("70", "0")
    said = running.communicate(timeout=PATIENCE)[1]
    assert (running.returncode, len(home.starts())) == (0, 2)
    assert "exit code 70, internal error" in said


def test_a_program_that_cannot_be_started_is_tried_again(home: Home) -> None:
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", "dwtsvc.monitor", "/no/such/program"],
        env={**os.environ, "DWTSVC_HOME": str(home.folder)},
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: home.paths.monitor_file.exists() and home.state()["restarts"] == QUICK)
    assert "No such file" in str(home.state()["reason"])
    assert end(running) == 0


def test_signals_reach_the_service_once_and_term_ends_both(home: Home) -> None:
    running = home.begin("live")
    home.wait_for_starts(1)
    running.send_signal(signal.SIGHUP)
    until(lambda: home.lines("notes") == ["SIGHUP"])
    running.send_signal(signal.SIGUSR1)
    until(lambda: any("most recent call first" in text for text in home.dumps()))
    assert end(running) == 0
    assert home.lines("notes") == ["SIGHUP", "SIGTERM"]
    assert not lives(home.starts()[0][0])


def test_ctrl_c_ends_both(home: Home) -> None:
    running = home.begin("live")
    home.wait_for_starts(1)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert home.lines("notes") == ["SIGINT"]


def test_a_hang_up_while_waiting_starts_the_service_at_once(home: Home) -> None:
    running = home.begin(*["segv"] * (QUICK + 1), "live")
    until(lambda: len(home.starts()) == QUICK + 1 and home.state()["state"] == "waiting")
    running.send_signal(signal.SIGHUP)
    home.wait_for_starts(QUICK + 2)
    assert end(running) == 0


def test_a_service_that_ignores_the_wish_to_stop_is_killed(home: Home) -> None:
    program = "import dwtsvc.monitor as m; m.STOP_WITHIN = 5; raise SystemExit(m.main())"
    (home.folder / "deeds").write_text("live")
    (home.folder / "service.py").write_text(SERVICE)
    running = subprocess.Popen(
        [sys.executable, "-P", "-c", program, sys.executable, str(home.folder / "service.py"), "stubborn"],
        env={**os.environ, "DWTSVC_HOME": str(home.folder)},
        stderr=subprocess.PIPE,
        text=True,
    )
    home.wait_for_starts(1)
    assert end(running) == 128 + signal.SIGKILL
    assert home.lines("notes") == ["SIGTERM"]


def test_the_service_ends_with_its_monitor_even_when_it_is_stopped(home: Home) -> None:
    running = home.begin("live")
    home.wait_for_starts(1)
    os.kill(home.starts()[0][0], signal.SIGSTOP)
    running.kill()
    running.communicate(timeout=PATIENCE)
    until(lambda: not lives(home.starts()[0][0]))


@pytest.mark.parametrize("words", [(), ("stubborn",)])
def test_the_pipe_alone_ends_the_service_where_the_kernel_does_not(home: Home, words: tuple[str, ...]) -> None:
    """Without the system call that Linux has for it, as on every other system; also one that ignores the wish."""
    without = SERVICE.replace("attached =", "lifeline._ask_kernel = lambda: None\nattached =")
    running = home.begin("live", words=words, service=without)
    home.wait_for_starts(1)
    running.kill()
    running.communicate(timeout=PATIENCE)
    until(lambda: not lives(home.starts()[0][0]))
    assert home.lines("notes") == ["SIGTERM"]


def test_a_second_monitor_is_refused_and_changes_nothing(home: Home) -> None:
    first = home.begin("live")
    home.wait_for_starts(1)
    second = home.begin("live")
    said = second.communicate(timeout=PATIENCE)[1]
    assert (second.returncode, len(home.starts())) == (43, 1)
    assert "already running" in said
    assert home.state()["pid"] == first.pid
    assert end(first) == 0


def test_after_the_death_of_a_monitor_the_next_one_starts_and_there_are_never_two_services(home: Home) -> None:
    for number in range(1, 6):
        running = home.begin("live")
        home.wait_for_starts(number)
        assert not any(works(pid) for pid, _, _ in home.starts()[:-1])
        running.kill()
        running.communicate(timeout=PATIENCE)


def test_a_storm_of_signals_leaves_nothing_behind(home: Home) -> None:
    running = home.begin("live")
    home.wait_for_starts(1)
    while running.poll() is None:
        running.send_signal(signal.SIGTERM)
        time.sleep(0.001)
    assert running.returncode == 0
    assert len(home.starts()) == 1
    assert not lives(home.starts()[0][0])
    running.communicate()


def test_a_crash_leaves_its_trace_and_last_words_without_secrets_for_the_owner_only(home: Home) -> None:
    running = home.begin("segv", "0")
    running.communicate(timeout=PATIENCE)
    (text,) = home.dumps()
    assert "Fatal Python error: Segmentation fault" in text
    assert "killed by SIGSEGV after" in text
    assert "last words" in text
    assert "CANARY" not in text
    (path,) = home.paths.dump.iterdir()
    assert (path.stat().st_mode & 0o777, home.paths.dump.stat().st_mode & 0o777) == (0o600, 0o700)


def test_only_the_newest_twenty_dumps_are_kept(home: Home) -> None:
    Paths.create(home.paths.dump)
    for number in range(30):
        (home.paths.dump / f"dump-20200101T0000{number:02}.000000Z-1.txt").write_text("old")
    running = home.begin("segv", "0")
    running.communicate(timeout=PATIENCE)
    texts = home.dumps()
    assert len(texts) <= 20
    assert "SIGSEGV" in texts[-1]


def test_a_service_leaves_no_core_and_its_children_do_not_see_the_monitor(home: Home) -> None:
    program = (
        "import os, resource; from pathlib import Path; from dwtsvc import lifeline;"
        "lifeline.attach(os.environ, Path('.'));"
        "print(resource.getrlimit(resource.RLIMIT_CORE), {lifeline.MONITOR, lifeline.DUMP} & set(os.environ))"
    )
    command = [sys.executable, "-P", "-m", "dwtsvc.monitor", sys.executable, "-c", program]
    environment = {**os.environ, "DWTSVC_HOME": str(home.folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert done.stdout == "(0, 0) set()\n"


def test_without_a_monitor_an_orderly_end_leaves_no_dump(tmp_path: Path) -> None:
    program = (
        "import os; from pathlib import Path; from dwtsvc import lifeline;"
        f"attached = lifeline.attach(os.environ, Path({str(tmp_path)!r}));"
        "print(attached.monitor_pid, len(os.listdir('.'))); attached.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout == "None 1\n"
    assert list(tmp_path.iterdir()) == []


def test_every_final_exit_code_is_one_that_is_published() -> None:
    from dwtsvc.errors import exit_codes

    assert {code for code, _ in exit_codes()} >= FINAL
