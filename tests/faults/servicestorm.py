"""Hostile files given to a running service: loaded into a buffer and a document, and then looked at in every way.

Each answer is a result or the documented error object, never a 5xx; the service goes on, stays as large as it was, has
no more children than it may, and leaves none; its log tells the class of an error and no more.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import httpx
from PIL import Image

from tests.faults.badfiles import Made, saved
from tests.server.daemon import Running, lives, processes, until

DOCUMENTED = {200, 201, 204, 400, 413, 422}  # what may be said of a file; see docs/rest-api.md
PATIENCE = 150.0  # seconds for an answer: the longest limit is 120
MOST_MEMORY = 2**30  # bytes of the service itself
MOST_GROWTH = 200 * 2**20  # bytes, from the first file on
LOGGED = re.compile(r"confined work failed: \w+$")
STEPS = (
    [{"name": "rotate", "values": {"degrees": 90}}],
    [{"name": "deskew", "values": {}}],
    [{"name": "despeckle", "values": {}}],
)
PROCESS = "/api/process"
DOCUMENTS = "/api/storage/documents"
CLIENTS = 3  # at once


@dataclass
class Report:
    asked: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    largest: int = 0  # bytes of the service itself
    most_children: int = 0
    faults: list[str] = field(default_factory=list)


class ServiceStorm:
    """A service with a home and a temporary folder of its own, and a client that gives it files."""

    def __init__(self, root: Path) -> None:
        self.running = Running(root / "home", monitor=False)
        self._temporary, self.kept = root / "tmp", root / "kept"
        for folder in (self._temporary, self.kept):
            folder.mkdir(parents=True, exist_ok=True)
        self.running.environment["TMPDIR"] = str(self._temporary)
        self.report = Report()
        self._first = 0
        self._idle: SimpleQueue[str] = SimpleQueue()
        for number in range(CLIENTS):
            self._idle.put(f"storm{number}")

    def __enter__(self) -> ServiceStorm:
        self.running.start()
        self._pid = self.running.pid
        self._http = httpx.Client(base_url=self.running.url, timeout=PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self.running.close()

    def give(self, made: Iterable[Made]) -> None:
        """Each file through every call, some at once; what is wrong goes into the report."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            for _ in pool.map(self._one, made):
                pass

    def _one(self, made: Made) -> None:
        name, data = made
        client = self._idle.get()
        wrong = [*self._looked_at(data, client), *self._stands()]
        self._idle.put(client)
        if wrong:
            (self.kept / name).write_bytes(data)
            self.report.faults.append(f"{name}: {'; '.join(wrong)}")

    def end(self) -> None:
        """Stop the service; whatever is left of it is a fault."""
        self.report.faults += self._logged()
        children = [pid for pid in processes(self.running.home) if pid != self._pid]
        if code := self.running.stop():
            self.report.faults.append(f"the service ended with {code}")
        until(lambda: not any(map(lives, children)))
        if lying := os.listdir(self._temporary):
            self.report.faults.append(f"temporary files: {', '.join(lying)}")

    def _looked_at(self, data: bytes, client: str) -> Iterator[str]:
        """A file in the buffer of a client of its own."""
        yield from wrong_about(self._ask("POST", f"/f/LoadFile?id={client}", content=data))
        for index in self._ends(client):
            yield from self._processed(f"{self.running.url}/dwt/dwt_1/img?id={client}&index={index}")
        yield from wrong_about(self._ask("GET", f"/f/RemoveAllImages?id={client}"))

    def _ends(self, client: str) -> list[int]:
        """The first image and the last of what was loaded, also before a file failed."""
        told = self._ask("POST", "/f/HowManyImagesInBuffer", json={"id": client, "params": {}}).json()
        many = told["result"][0]
        return sorted({0, many - 1}) if many else []

    def _processed(self, source: str) -> Iterator[str]:
        for call in ("read-barcode", "check-blank"):
            yield from wrong_about(self._ask("POST", f"{PROCESS}/{call}", json={"source": source}))
        for format in ("json", "pdf"):
            body = {"source": source, "settings": {"language": "eng", "format": format, "rotate": True, "deskew": True}}
            yield from wrong_about(self._ask("POST", f"{PROCESS}/ocr", json=body))
        for steps, type in zip(STEPS, ("image/png", "image/jpeg", "image/tiff"), strict=True):
            body = {"source": source, "steps": steps, "type": type}
            yield from wrong_about(self._ask("POST", f"{PROCESS}/edit", json=body))
        yield from self._split(source)

    def _split(self, source: str) -> Iterator[str]:
        uid = self._ask("POST", DOCUMENTS).json()["uid"]
        added = self._ask("POST", f"{DOCUMENTS}/{uid}/pages", json={"source": source})
        yield from wrong_about(added)
        if added.is_success:
            body = {"document": uid, "separators": ["patcht", "blank", "text:x"], "dropBlank": True, "create": True}
            made = self._ask("POST", f"{PROCESS}/split", json=body)
            yield from wrong_about(made)
            for each in made.json().get("documents", []):
                self._ask("DELETE", f"{DOCUMENTS}/{each['uid']}")
        self._ask("DELETE", f"{DOCUMENTS}/{uid}")

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        self.report.asked += 1
        answer = self._http.request(method, path, **more)
        self.report.statuses[answer.status_code] += 1
        return answer

    def _stands(self) -> Iterator[str]:
        """The same service still answers, and it and its children keep to their limits."""
        if self._http.get("/healthz").status_code != 200 or self.running.pid != self._pid:
            yield "the service does not answer any more"
            return
        assert self._pid
        memory = _memory(self._pid)
        self._first = self._first or memory
        self.report.largest = max(self.report.largest, memory)
        children = [pid for pid in processes(self.running.home) if pid != self._pid]
        self.report.most_children = max(self.report.most_children, len(children))
        if memory > min(MOST_MEMORY, self._first + MOST_GROWTH):
            yield f"the service has {memory >> 20} MiB, at first {self._first >> 20}"
        if len(children) > 2 * (os.cpu_count() or 1):
            yield f"{len(children)} children"

    def _logged(self) -> Iterator[str]:
        """Lines about files that hold more than the class of an error."""
        lines = self.running.said().splitlines()
        log = self.running.paths.log_file
        lines += log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        for line in lines:
            if re.search(r"WARNING|ERROR|CRITICAL|Traceback|^\s", line) and not LOGGED.search(line):
                yield f"in the log: {line[:300]}"


def wrong_about(answer: httpx.Response) -> Iterator[str]:
    """What is not as documented about an answer."""
    told = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:200]}"
    if answer.status_code not in DOCUMENTED:
        yield told
    elif answer.status_code >= 400:
        said = answer.json()
        said = said.get("exception", said)  # the classic calls have it in their envelope
        if said.get("statusCode") != answer.status_code or not said.get("message") or said.get("code", 0) >= 0:
            yield f"no error object: {told}"
        if re.search(r"Traceback|\.py|/tmp|/root|site-packages", answer.text):
            yield f"it tells of the machine: {told}"


def _memory(pid: int) -> int:
    """Bytes that a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def through_service(root: Path, made: Iterable[Made]) -> Report:
    """All files through a service, a good one last, and the service stopped."""
    with ServiceStorm(root) as storm:
        storm.give(made)
        good = saved(Image.new("RGB", (200, 200), "white"), "PNG", dpi=(100, 100))
        storm.give([("good.png", good)])
        if storm.report.statuses[200] < 3:
            storm.report.faults.append("not even a good file was read")
        storm.end()
    return storm.report
