"""Pages of a buffer that the service's own page sends to a named target of the owner: names, receipts, refusals."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from dwtsvc.paths import Paths
from dwtsvc.targets import named
from tests.browser.rig import Running, serving
from tests.server.test_classic import packed

OWN = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "X-DWTSVC": "1"}
SITE = {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "X-DWTSVC": "1"}
DELIVERY = "0123456789abcdef" * 2


class Archive(BaseHTTPRequestHandler):
    """A server that takes forms, after it was away for as many requests as `refuse` says."""

    refuse: list[int]
    taken: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if type(self).refuse:
            self.send_response(type(self).refuse.pop(0))
        else:
            type(self).taken.append(body)
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def forms() -> Iterator[type[Archive]]:
    class Fresh(Archive):
        refuse, taken = [], []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    Fresh.port = server.server_address[1]  # type: ignore[attr-defined]
    yield Fresh
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        for number in (1, 2):
            file = packed(Image.new("L", (60 * number, 80), 255))
            call = {"id": "desk", "params": {"file": file}}
            answer = running.tool.post("/f/LoadImage", json=call, headers={**OWN, "Origin": running.url})
            assert answer.status_code == 200, answer.text
        yield running


def save(service: Running, name: str, url: str) -> None:
    named.save(service.paths, name, {"url": url})


def ask(service: Running, method: str = "GET", headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    own = headers if headers is not None else {**OWN, "Origin": service.url}
    wanted = {"client": "desk", "name": "A: letter", "delivery": DELIVERY, **more}
    body = {"json": wanted} if method == "POST" else {}
    return service.tool.request(method, "/web/targets", headers=own, **body)


def test_a_page_learns_the_names_of_the_targets_and_nothing_else(service: Running, tmp_path: Path) -> None:
    save(service, "Shelf", f"folder:{tmp_path}")
    assert ask(service).json() == {"targets": ["Shelf"]}
    named.delete(service.paths, "Shelf")
    assert ask(service).json() == {"targets": []}


def test_pages_arrive_in_a_folder_under_their_name_and_twice_is_once(service: Running, tmp_path: Path) -> None:
    save(service, "Shelf", f"folder:{tmp_path}")
    receipt = ask(service, "POST", target="shelf", type="pdf", title="Mail").json()
    file = tmp_path / "A- letter.pdf"
    assert Path(receipt["location"]) == file and receipt["already_there"] is False
    assert receipt["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    picture = ask(service, "POST", target="Shelf", type="png", indices=[1], name="../../" + "x" * 300).json()
    made = Path(picture["location"])
    assert made.parent == tmp_path and Image.open(made).size == (120, 80)
    again = ask(service, "POST", target="Shelf", type="png", indices=[1], name="../../" + "x" * 300).json()
    assert again["already_there"] is True and len(list(tmp_path.iterdir())) == 2


def test_pages_that_a_killed_service_left_on_their_way_are_removed_by_the_next_delivery(
    service: Running, tmp_path: Path
) -> None:
    save(service, "Shelf", f"folder:{tmp_path}")
    left = service.paths.cache / "dwtsvc-send-left"
    left.mkdir()
    for name in (".lock", "letter.pdf"):
        (left / name).touch()
    assert ask(service, "POST", target="Shelf", type="pdf", delivery="a" * 32).status_code == 200
    assert not [path for path in service.paths.cache.iterdir() if path.name.startswith("dwtsvc-")]


def test_a_web_form_that_was_away_gets_the_file_and_progress_is_told(service: Running, forms: Any) -> None:
    save(service, "Office", f"http://127.0.0.1:{forms.port}/in")
    forms.refuse.append(503)
    own = {**OWN, "Origin": service.url, "Accept": "text/event-stream"}
    answer = ask(service, "POST", own, target="Office", type="tiff", indices=[0, 1])
    told = [part.split("\ndata: ") for part in answer.text.strip().split("\n\n")]
    assert [name for name, _ in told] == ["event: progress", "event: result"], answer.text
    assert json.loads(told[0][1]) == {"page": 2, "pages": 2} and json.loads(told[1][1])["attempts"] == 2
    assert len(forms.taken) == 1 and b"II*\0" in forms.taken[0]


def test_what_does_not_arrive_is_told_in_words(service: Running, forms: Any, tmp_path: Path) -> None:
    save(service, "Gone", f"folder:{tmp_path / 'nowhere'}")
    said = ask(service, "POST", target="Gone")
    assert said.status_code == 403 and said.json()["error"] == "service-refused"
    assert str(tmp_path / "nowhere") in said.json()["message"]
    save(service, "Office", f"http://127.0.0.1:{forms.port}/in")
    forms.refuse.append(401)
    refused = ask(service, "POST", target="Office")
    assert refused.status_code >= 400 and "Office" in refused.json()["message"], refused.text
    assert ask(service, "POST", target="none").status_code == 400
    assert ask(service, "POST", target="Office", type="exe").status_code == 400
    assert ask(service, "POST", target="Office", delivery="../x").status_code == 400
    assert ask(service, "POST", target="./here").status_code == 400 and forms.taken == []


def test_no_web_site_learns_of_targets_or_sends_to_one(service: Running, tmp_path: Path) -> None:
    save(service, "Shelf", f"folder:{tmp_path}")
    origin = {**SITE, "Sec-Fetch-Dest": "empty"}
    question = service.tool.post("/consent/requests", json={"scopes": ["read", "upload"]}, headers=origin).json()["id"]
    service.tool.post("/consent/decisions", json={"id": question, "decision": "always"})
    assert service.tool.post("/f/HowManyImagesInBuffer", json={"id": "desk"}, headers=origin).status_code == 200
    assert ask(service, headers=origin).status_code == 403
    assert ask(service, "POST", origin, target="Shelf").status_code == 403
    assert list(tmp_path.iterdir()) == []


def test_the_targets_of_the_configuration_are_those_of_the_command(service: Running, tmp_path: Path) -> None:
    save(service, "Shelf", f"folder:{tmp_path}")
    home = Paths.from_environment({"DWTSVC_HOME": str(service.home)})
    assert named.names(home) == ask(service).json()["targets"]
