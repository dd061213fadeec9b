"""Kill -9 of the service, its monitor and its workers at random moments, while clients scan and edit.

    python -m tests.faults.storm [KILLS] [SEED]

After each kill: nobody's confirmed page or edit is lost or changed, what is deleted stays deleted, the workers of a
dead service are gone, the service answers again, and there were never two of them.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.faults.clients import Client, Editing, Failed, Scanning
from tests.server.daemon import Running, lives, until

WITHIN = 2.0  # seconds: for orphans to leave, for the service to answer again, and to end without its monitor
ALREADY_RUNNING = 43
RIVAL_EVERY = 5  # kills


@dataclass
class Report:
    """What happened; times in seconds."""

    kills: Counter[str] = field(default_factory=Counter)
    checked: int = 0  # pages and images, each after each kill
    orphans: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    without_monitor: list[float] = field(default_factory=list)
    rivals: int = 0

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} of {kind}" for kind, count in sorted(self.kills.items()))
        return (
            f"{self.kills.total()} kills: {kinds}\n"
            f"{self.checked} times a confirmed page or image was there, byte for byte; none was lost\n"
            f"orphaned workers gone after {_shown(self.orphans)}\n"
            f"service gone after its monitor was killed: {_shown(self.without_monitor)}\n"
            f"answering again after {_shown(self.again)}\n"
            f"{self.rivals} rivals refused; never two services at once"
        )

    @property
    def in_time(self) -> bool:
        """Judged by the median: what the longest took says how busy the machine was."""
        return all(median(each or [0]) <= WITHIN for each in (self.orphans, self.again, self.without_monitor))


def _shown(times: list[float]) -> str:
    return f"{median(times):.2f} s, at most {max(times):.2f} s (wanted: {WITHIN:g} s)" if times else "no such kill"


class Watch(threading.Thread):
    """Looks ten times a second how many services there are. A process that is just being forked is seen only once."""

    def __init__(self, running: Running) -> None:
        super().__init__(daemon=True)
        self._running, self._end = running, threading.Event()
        self.seen: list[int] = []

    def run(self) -> None:
        before: set[int] = set()
        while not self._end.wait(0.1):
            now = set(self._running.services)
            if len(now & before) > 1:
                self.seen = sorted(now & before)
            before = now

    def finish(self) -> None:
        self._end.set()
        self.join()


class Storm:
    """One service, its clients, and the kills that come over them."""

    def __init__(self, home: Path, seed: int) -> None:
        self.running = Running(home, worker_idle="1")
        self.chance = random.Random(seed)
        self.scanning = Scanning(self.running, seed)
        self.clients: list[Client] = [self.scanning, Editing(self.running, seed + 1), Editing(self.running, seed + 2)]
        self.report = Report()
        self._kinds: dict[str, Callable[[], None]] = {
            "kill -9 of the service": lambda: self._service(signal.SIGKILL),
            "a crash of the service": lambda: self._service(signal.SIGSEGV),
            "kill -9 of the monitor": self._monitor,
            "kill -9 of monitor and service": self._both,
            "kill -9 of a worker": self._worker,
        }

    def run(self, kills: int, tell: Callable[[str], None] = lambda _: None) -> Report:
        """Raises Failed, and AssertionError where something never happens."""
        watch = Watch(self.running)
        try:
            self.running.start()
            self.scanning.learn()
            watch.start()
            for client in self.clients:
                client.start()
            for number in range(kills):
                tell(f"{number + 1}: {self._kill(number)}")
        finally:
            for client in self.clients:
                client.finish() if client.ident else client.http.close()
            if watch.ident:
                watch.finish()
            self.running.close()
        if watch.seen:
            raise Failed(f"there were several services at once: {watch.seen}")
        return self.report

    def _kill(self, number: int) -> str:
        kind = list(self._kinds)[number % len(self._kinds)] if number < 5 else self.chance.choice(list(self._kinds))
        time.sleep(self.chance.uniform(0.05, 1.0))
        self._kinds[kind]()
        self.report.kills[kind.removeprefix("kill -9 of ")] += 1
        for client in self.clients:
            client.pause()
        checked = sum(client.check() for client in self.clients)
        self.report.checked += checked
        if number % RIVAL_EVERY == 0:
            self._rival()
        for client in self.clients:
            client.resume()
        return f"{kind}, {checked} pages and images checked"

    def _service(self, number: int) -> None:
        pid, workers, began = self._pid, self.running.workers, time.monotonic()
        self.running.kill(number)
        until(lambda: not lives(pid))
        self._orphans(workers)
        self.running.await_answer(other_than=pid)
        if self.running.quick:  # else the monitor waited, as it should after so many crashes
            self.report.again.append(time.monotonic() - began)

    def _monitor(self) -> None:
        pid, workers, began = self._pid, self.running.workers, time.monotonic()
        self.running.kill_monitor()
        until(lambda: not lives(pid))
        self.report.without_monitor.append(time.monotonic() - began)
        self._orphans(workers)
        self.running.start()

    def _both(self) -> None:
        pid, workers = self._pid, self.running.workers
        self.running.kill()
        self.running.kill_monitor()
        until(lambda: not lives(pid))
        self._orphans(workers)
        self.running.restart()

    def _worker(self) -> None:
        """Only its job ends; the service goes on."""
        pid = self._pid
        until(lambda: self.running.workers)
        if workers := self.running.workers:
            self.running.kill_one(self.chance.choice(workers))
        if self.running.await_answer() != pid:
            raise Failed("the service did not outlive its worker")

    @property
    def _pid(self) -> int:
        pid = self.running.pid
        if pid is None:
            raise Failed("the service is not running")
        return pid

    def _orphans(self, workers: list[int]) -> None:
        began = time.monotonic()
        until(lambda: not any(map(lives, workers)))
        self.report.orphans.append(time.monotonic() - began)

    def _rival(self) -> None:
        said = self.running.command("serve")
        if said.returncode != ALREADY_RUNNING:
            raise Failed(f"a second service ended with {said.returncode}: {said.stderr}")
        self.report.rivals += 1


def main(kills: int, seed: int) -> int:
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        report = Storm(Path(folder) / "home", seed).run(kills, lambda text: print(text, flush=True))
    print(report)
    return 0 if report.in_time else 1


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    sys.exit(main(*given, *(200, 11)[len(given) :]))
