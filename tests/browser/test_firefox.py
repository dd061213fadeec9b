"""The same attacks in Firefox, which no driver steers here: a page runs them and reports what it read."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.browser.rig import ELSEWHERE, PATIENCE, REBOUND, Pages, Running, environment
from tests.browser.test_gadgets import READS, SENDS_POST, _body, arrived, asked, scanned, state, targets

__all__ = ["asked", "scanned", "targets"]  # fixtures

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
pytestmark = pytest.mark.skipif(FIREFOX is None, reason="Firefox is not installed")

# Pages may open windows without a click, the two names lead here, and nothing of Firefox's own calls or asks.
PREFERENCES = {
    "dom.disable_open_during_load": False,
    "dom.popup_maximum": 1000,
    "network.dns.localDomains": f"{ELSEWHERE},{REBOUND}",
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.security.https_first": False,
}
RUN = """<!doctype html><title>A site</title><script>
const gadgets = %(gadgets)s;
window.pending = %(pending)s;
const soon = () => new Promise((done) => setTimeout(() => done(""), 5000));
(async () => {
  const read = [];
  for (const [name, url] of %(attacks)s) {
    const got = await Promise.race([Promise.resolve(gadgets[name](url)).catch(() => ""), soon()]);
    read.push([name, url, String(got)]);
  }
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
    folder: Path, host: str, attacks: Attacks, pending: str, before: Callable[[str], None] = lambda origin: None
) -> list[list[str]]:
    """What a page of this host reads with each gadget at each address, in a Firefox of its own.

    `before` is told the page's origin before Firefox starts.
    """
    assert FIREFOX
    profile = folder / "profile"
    profile.mkdir(parents=True, exist_ok=True)
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()]
    (profile / "user.js").write_text("".join(lines))
    with _site() as site:
        filled = {"gadgets": _body(), "pending": json.dumps(pending), "attacks": json.dumps(attacks)}
        site.page = RUN % filled
        before(f"http://{host}:{site.port}")
        command = [FIREFOX, "--headless", "--no-remote", "--profile", str(profile), f"http://{host}:{site.port}/"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
            try:
                assert site.reported.wait(2 * PATIENCE), "Firefox did not report"
            finally:
                browser.terminate()
        return site.report


@pytest.mark.parametrize("host", [ELSEWHERE, "127.0.0.1"])
def test_no_gadget_has_an_effect_from_firefox_either(
    tmp_path: Path, service: Running, trusting: Pages, targets: list[str], asked: str, host: str
) -> None:
    paths = {name: f"/control/{name.replace(' ', '-')}?id=1" for name in GADGETS}
    control = [(name, trusting.url("127.0.0.1") + path) for name, path in paths.items()]
    chosen = [each for each in targets if not each.endswith(("/events", "/status", "/server"))][:8]
    attacks = [(name, service.url + target) for name in GADGETS for target in (*chosen, "/consent/decisions")]
    before = state(service)
    assert before["images"] == [1] and before["jobs"] and before["questions"]
    report = run(tmp_path, host, control + attacks, asked)
    read = {(name, url): text for name, url, text in report}
    for name, url in control:
        methods = arrived(trusting.requests, paths[name])
        assert methods and (name not in SENDS_POST or "POST" in methods), name
        assert READS.get(name, "") in read[name, url]
    assert {text for (_, url), text in read.items() if url.startswith(service.url)} == {""}
    assert state(service) == before


def test_a_rebound_host_name_opens_nothing_in_firefox(
    tmp_path: Path, service: Running, trusting: Pages, asked: str
) -> None:
    control = f"{trusting.url(REBOUND)}/control/rebound"
    own = f"http://{REBOUND}:{service.http}"
    before = state(service)
    addresses = ["/api/device/scanners", "/", "/healthz", "/fa/VersionInfo"]
    report = run(tmp_path, ELSEWHERE, [("fetch", control), *(("fetch", own + each) for each in addresses)], asked)
    assert READS["fetch"] in report[0][2]
    assert [text for _, _, text in report[1:]] == [""] * len(addresses)
    assert state(service) == before


def test_a_page_with_consent_can_list_the_scanners_from_firefox_and_one_without_cannot(
    tmp_path: Path, service: Running, asked: str
) -> None:
    def allow(origin: str) -> None:
        command = [sys.executable, "-m", "dwtsvc_cli.main", "origins", "allow", origin, "--scope", "list"]
        subprocess.run(command, env=environment(service.home), check=True, stdout=subprocess.DEVNULL)

    listing = [("fetch", f"{service.url}/api/device/scanners")]
    assert run(tmp_path / "without", ELSEWHERE, listing, asked)[0][2] == ""
    assert "virtual:adf" in run(tmp_path / "with", ELSEWHERE, listing, asked, before=allow)[0][2]
