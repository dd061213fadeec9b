"""The same attacks in Firefox: a page runs them and reports what it read."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.browser.firefox import Firefox
from tests.browser.rig import ELSEWHERE, PATIENCE, REBOUND, Pages, Running, environment
from tests.browser.test_gadgets import READS, SENDS_POST, _body, arrived, asked, scanned, state, targets
from tests.server.daemon import until

__all__ = ["asked", "scanned", "targets"]  # fixtures

RUN = """<!doctype html><title>A site</title><script>
const gadgets = %(gadgets)s;
window.pending = %(pending)s;
const soon = () => new Promise((done) => setTimeout(() => done(""), 20000));
const attack = async ([name, url]) =>
  [name, url, String(await Promise.race([Promise.resolve(gadgets[name](url)).catch(() => ""), soon()]))];
(async () => {
  const read = [];
  for (const at_once of %(attacks)s) read.push(...(await Promise.all(at_once.map(attack))));
  await new Promise((done) => setTimeout(done, 500));
  await fetch("/report", { method: "POST", body: JSON.stringify(read) });
})();
</script>"""
GADGETS = ["img", "script", "link", "form GET", "form POST", "no-cors fetch", "beacon", "iframe", "WebSocket"]
GADGETS += ["EventSource", "popup", "fetch"]

Attacks = list[tuple[str, str]]


class Site:
    """A web site whose one page attacks, and takes the page's report."""

    def __init__(self) -> None:
        self.page, self.report = "", list[list[str]]()
        self.reported = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(site.page.encode())

            def do_POST(self) -> None:
                site.report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(204)
                self.end_headers()
                site.reported.set()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]


@contextmanager
def _site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        thread.join()
        site.server.server_close()


def run(
    fox: Firefox, host: str, attacks: Attacks, pending: str, before: Callable[[str], None] = lambda origin: None
) -> list[list[str]]:
    """What a page of this host reads with each gadget at each address, one gadget after the other; `before` is
    told the page's origin first."""
    grouped = [list(alike) for _, alike in itertools.groupby(attacks, key=lambda attack: attack[0])]
    with _site() as site:
        filled = {"gadgets": _body(), "pending": json.dumps(pending), "attacks": json.dumps(grouped)}
        site.page = RUN % filled
        before(f"http://{host}:{site.port}")
        fox.go(f"http://{host}:{site.port}/")
        assert site.reported.wait(2 * PATIENCE), "Firefox did not report"
        return site.report


@pytest.mark.parametrize("host", [ELSEWHERE, "127.0.0.1"])
def test_no_gadget_has_an_effect_from_firefox_either(
    fox: Firefox, service: Running, trusting: Pages, targets: list[str], asked: str, host: str
) -> None:
    paths = {name: f"/control/{name.replace(' ', '-')}?id=1" for name in GADGETS}
    control = [(name, trusting.url("127.0.0.1") + path) for name, path in paths.items()]
    chosen = [each for each in targets if not each.endswith(("/events", "/status", "/server"))][:8]
    attacks = [(name, service.url + target) for name in GADGETS for target in (*chosen, "/consent/decisions")]
    before = state(service)
    assert before["images"] == [1] and before["jobs"] and before["questions"]
    report = run(fox, host, control + attacks, asked)
    read = {(name, url): text for name, url, text in report}
    for name, url in control:
        wanted = {"POST"} if name in SENDS_POST else {"GET"}
        until(lambda at=paths[name], wanted=wanted: wanted & {*arrived(trusting.requests, at)}, lambda: str(paths))
        assert READS.get(name, "") in read[name, url]
    assert {text for (_, url), text in read.items() if url.startswith(service.url)} == {""}
    assert state(service) == before


def test_a_rebound_host_name_opens_nothing_in_firefox(
    fox: Firefox, service: Running, trusting: Pages, asked: str
) -> None:
    control = f"{trusting.url(REBOUND)}/control/rebound"
    own = f"http://{REBOUND}:{service.http}"
    before = state(service)
    addresses = ["/api/device/scanners", "/", "/healthz", "/fa/VersionInfo"]
    report = run(fox, ELSEWHERE, [("fetch", control), *(("fetch", own + each) for each in addresses)], asked)
    assert READS["fetch"] in report[0][2]
    assert [text for _, _, text in report[1:]] == [""] * len(addresses)
    assert state(service) == before


def test_a_page_with_consent_can_list_the_scanners_from_firefox_and_one_without_cannot(
    fox: Firefox, service: Running, asked: str
) -> None:
    def allow(origin: str) -> None:
        command = [sys.executable, "-m", "dwtsvc_cli.main", "origins", "allow", origin, "--scope", "list"]
        subprocess.run(command, env=environment(service.home), check=True, stdout=subprocess.DEVNULL)

    listing = [("fetch", f"{service.url}/api/device/scanners")]
    assert run(fox, ELSEWHERE, listing, asked)[0][2] == ""
    assert "virtual:adf" in run(fox, ELSEWHERE, listing, asked, before=allow)[0][2]
