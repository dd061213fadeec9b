"""Clients of a service that is killed under them. They write down what they were told, and check it afterwards."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import random
import threading
from collections.abc import Callable
from time import sleep
from typing import Any

import httpx
from PIL import Image

from tests.server.daemon import PATIENCE, Running

JOBS = "/api/device/scanners/jobs"
SEEDS = (3, 5, 8)
PAGES = 6
CONFIG = {"Resolution": 50}
KEPT_JOBS = 4
KEPT_IMAGES = 8


class Failed(Exception):
    """The service did not keep its word."""


class Interrupted(Exception):
    """No answer, or one that says that the scanner or the service was taken away: nothing was promised."""


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


_number = itertools.count(1)


def device(seed: int, slow: float = 0.0) -> str:
    """A scanner whose pages are known by its seed, however long they take. Each is another one: a feeder that was
    emptied stays empty while the scanner is open."""
    return f"virtual:adf?pages={PAGES}&seed={seed}&slow={slow + next(_number) / 1e6:.6f}"


class Client(threading.Thread):
    """Asks without end; between `pause` and `resume` it rests, so that what it was told can be checked."""

    def __init__(self, running: Running, seed: int) -> None:
        super().__init__(daemon=True)
        self.running, self.chance = running, random.Random(seed)
        self.http = httpx.Client(base_url=running.url, timeout=PATIENCE)
        self.asking = ""
        self.fault: BaseException | None = None
        self._rest, self._resting, self._end = threading.Event(), threading.Event(), False

    def run(self) -> None:
        try:
            while not self._end:
                if self._rest.is_set():
                    self._resting.set()
                    sleep(0.02)
                else:
                    self._try()
        except BaseException as fault:
            self.fault = fault
        finally:
            self._resting.set()

    def _try(self) -> None:
        try:
            self.act()
        except Interrupted:
            sleep(0.02)

    def act(self) -> None:
        """A few requests. Raises Failed and Interrupted."""
        raise NotImplementedError

    def check(self) -> int:
        """Everything that was promised, asked again while resting; how many things. Raises Failed."""
        raise NotImplementedError

    def pause(self) -> None:
        self._resting.clear()
        self._rest.set()
        rested = not self.is_alive() or self._resting.wait(PATIENCE)
        if self.fault:
            raise self.fault
        if not rested:
            raise Failed(f"{self.asking} was never answered, nor its connection closed")

    def resume(self) -> None:
        self._rest.clear()

    @property
    def wants_rest(self) -> bool:
        return self._rest.is_set() or self._end

    def finish(self) -> None:
        self._end = True
        self._rest.clear()
        self.join(PATIENCE)
        self.http.close()

    def ask(self, method: str, path: str, good: tuple[int, ...] = (200,), **more: Any) -> httpx.Response:
        """An answer with a status that was expected. What a fault of our own making causes is Interrupted."""
        self.asking = f"{method} {path}"
        try:
            answer = self.http.request(method, path, **more)
        except httpx.TransportError as error:
            raise Interrupted(str(error)) from error
        if answer.status_code in (409, 423, 502, 503, 504):  # the scanner or the service was killed, or is busy
            raise Interrupted(answer.text)
        if answer.status_code not in good:
            raise Failed(f"{method} {path} was answered with {answer.status_code}: {answer.text[:300]}")
        return answer


class Scanning(Client):
    """Scans over REST. A page counts as acknowledged from the answer on that tells of it."""

    def __init__(self, running: Running, seed: int) -> None:
        super().__init__(running, seed)
        self.truth: dict[int, list[str]] = {}
        self.told: dict[str, tuple[int, list[str]]] = {}  # job -> its seed, the paths of its pages
        self.deleted: set[str] = set()

    def learn(self) -> None:
        """Scan each seed once in peace: from then on it is known what every page must be."""
        for seed in SEEDS:
            job, paths = self._begin(seed, 0.0), []
            while path := self._next(job):
                paths.append(path)
            self.truth[seed] = [self._fetched(path) for path in paths]
            if len(set(self.truth[seed])) != PAGES:
                raise Failed(f"{len(set(self.truth[seed]))} different pages of {PAGES}")

    def act(self) -> None:
        seed = self.chance.choice(SEEDS)
        job = self._begin(seed, self.chance.choice((0.0, 0.05, 0.2)))
        pages = self.told.setdefault(job, (seed, []))[1]
        while not self.wants_rest and (path := self._next(job)):
            pages.append(path)
            if self.chance.random() < 0.5:
                self._compare(job, seed, len(pages) - 1, self._fetched(path))
        if len(self.told) > KEPT_JOBS:
            self._drop(next(iter(self.told)))

    def _begin(self, seed: int, slow: float) -> str:
        body = {"device": device(seed, slow), "config": CONFIG}
        return str(self.ask("POST", JOBS, (201,), json=body).json()["jobuid"])

    def _next(self, job: str) -> str:
        answer = self.ask("GET", f"{JOBS}/{job}/next-page-info", (200, 204))
        return answer.json()[0]["url"].removeprefix(self.running.url) if answer.status_code == 200 else ""

    def _fetched(self, path: str) -> str:
        return digest(self.ask("GET", path).content)

    def _drop(self, job: str) -> None:
        """From the request on it may be gone; from the answer on it must be."""
        del self.told[job]
        self.ask("DELETE", f"{JOBS}/{job}", (200, 204))
        self.deleted.add(job)

    def check(self) -> int:
        count = 0
        for job, (seed, paths) in self.told.items():
            for index, path in enumerate(paths):
                self._compare(job, seed, index, self._fetched(path))
                self._compare(job, seed, index, digest(self._content(job, index)))
                count += 1
        for job in self.deleted:
            self.ask("GET", f"{JOBS}/{job}", (404, 410))
        self.deleted = set(list(self.deleted)[-20:])
        return count

    def _compare(self, job: str, seed: int, index: int, found: str) -> None:
        if found != self.truth[seed][index]:
            what = [f"page {pages.index(found) + 1} of seed {of}" for of, pages in self.truth.items() if found in pages]
            raise Failed(f"page {index + 1} of job {job}, seed {seed}, is now {what or 'something else'}")

    def _content(self, job: str, index: int) -> bytes:
        return self.ask("GET", f"{JOBS}/{job}/content", params={"type": "image/png", "page": index}).content


State = list[tuple[str, int]]  # the images by id, with how many edits lie beside each


class Editing(Client):
    """Edits an image buffer of the classic protocol. What an answer confirmed must be; the last unanswered may be."""

    def __init__(self, running: Running, seed: int) -> None:
        super().__init__(running, seed)
        self.page = f"client {seed}"
        self.state: State = []
        self.open: Callable[[State], bool] | None = None  # whether a state can come of what was not answered
        self.images: dict[tuple[str, int], str] = {}

    def act(self) -> None:
        if self.open:  # look what became of it before the next change
            self.check()
        choice = self.chance.random()
        if len(self.state) < 2 or choice < 0.2:
            self._load()
        elif choice < 0.3:
            self._acquire()
        elif len(self.state) > KEPT_IMAGES:
            self._remove()
        elif choice < 0.75:
            self._rotate()
        else:
            self._look(self.chance.randrange(len(self.state)))

    def _call(self, method: str, may_become: Callable[[State], bool], **params: Any) -> Any:
        """Call a method; an answer that does not come leaves open whether it was done."""
        self.open = may_become
        body = {"id": self.page, "cmdId": "1", "params": params}
        answer = self.ask("POST", f"/f/{method}", json=body).json()
        self.open = None
        return answer["result"]

    def _load(self) -> None:
        before = list(self.state)
        ids = self._call("LoadImage", lambda now: _longer(before, now, 1), file=_picture(self.chance.randrange(256)))[0]
        self.state += [(id, 0) for id in ids]

    def _acquire(self) -> None:
        before, wanted = list(self.state), {"device": device(self.chance.choice(SEEDS)), "config": CONFIG}
        ids = self._call("AcquireImage", lambda now: _longer(before, now, PAGES), **wanted)[0]
        self.state += [(id, 0) for id in ids]

    def _rotate(self) -> None:
        index, before = self.chance.randrange(len(self.state)), list(self.state)
        after = [(id, steps + (at == index)) for at, (id, steps) in enumerate(before)]
        self._call("RotateRight", lambda now: now in (before, after), indices=[index])
        self.state = after

    def _remove(self) -> None:
        before, after = list(self.state), self.state[3:]
        self._call("RemoveImages", lambda now: now in (before, after), indices=[0, 1, 2])
        self.state = after

    def _look(self, index: int) -> None:
        """An image never changes but by an edit."""
        path = f"/dwt/dwt_1/img?id={self.page}&index={index}"
        found, key = digest(self.ask("GET", path).content), self.state[index]
        if self.images.setdefault(key, found) != found:
            raise Failed(f"image {key[0]} with {key[1]} edits is another one now")

    def check(self) -> int:
        body = {"id": self.page, "cmdId": "1", "params": {}}
        found = self.ask("POST", "/f/GetImages", json=body).json()["result"]
        now: State = [(each["id"], len(each["steps"])) for each in found]
        if now != self.state and not (self.open and self.open(now)):
            raise Failed(f"the buffer is {now}, and {self.state} was confirmed")
        self.state, self.open = now, None
        for index in range(len(now)):
            self._look(index)
        return len(now)


def _longer(before: State, now: State, most: int) -> bool:
    """Whether new images without edits were added, and nothing else."""
    added = now[len(before) :]
    return now[: len(before)] == before and len(added) <= most and all(not steps for _, steps in added)


def _picture(number: int) -> str:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((120, 80)).point(lambda value: (value + number) % 256).save(file, "png")
    return base64.b64encode(file.getvalue()).decode()
