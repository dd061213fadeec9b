"""The main road of dwtsvc.js in Firefox: a page goes it and reports how far it came."""

from __future__ import annotations

import json

from tests.browser.client_site import allow, options, site, three_pages
from tests.browser.firefox import Firefox
from tests.browser.rig import ELSEWHERE, PATIENCE, Running
from tests.server.running import free_port

ROAD = """import { connect, upload, installPrompt } from "/dwtsvc.js";
const [options, nowhere, request] = %s, said = {};
try {
  said.absent = await connect(nowhere).catch((error) => error.code);
  said.refused = await connect({ ...options, ask: false }).catch((error) => error.code);
  await fetch("/allow", { method: "POST", body: "{}" });
  const service = await connect(options);
  said.devices = (await service.devices()).map(({ id }) => id);
  said.pages = [];
  for await (const page of await service.scan(request)) said.pages.push((await page.blob()).type);
  const buffer = await service.buffer();
  await buffer.scan({ ...request, device: request.device + "9" });
  await buffer.move(2, 0);
  await buffer.rotateLeft(0);
  await buffer.undo(0);
  said.images = buffer.images.length;
  const shown = new Image();
  shown.src = buffer.thumbnail(buffer.images[0], 200);
  await shown.decode();
  said.shown = shown.naturalWidth > 0;
  const told = [];
  const onProgress = ({ loaded, total }) => told.push(loaded / total);
  said.reply = await upload(await buffer.save(), { url: "/upload", onProgress });
  said.progress = told.at(-1);
  const stop = new AbortController();
  const closed = installPrompt({ reconnect: () => {}, signal: stop.signal });
  const found = () => document.querySelector("dwtsvc-dialog")?.shadowRoot?.querySelector("dialog");
  while (!found()?.open) await new Promise((done) => setTimeout(done, 20));
  const dialog = found();
  said.dialog = [dialog.open, getComputedStyle(dialog.querySelector("button")).backgroundColor];
  stop.abort();
  said.closed = await closed;
} catch (error) {
  said.error = `${error.code} ${error.name}: ${error.message}`;
}
await fetch("/report", { method: "POST", body: JSON.stringify(said) });
"""


def test_a_page_in_firefox_connects_scans_edits_shows_and_uploads(fox: Firefox, service: Running) -> None:
    with site() as shop:
        nowhere = {"ports": {"http": [free_port()], "https": [free_port()]}}
        shop.script = ROAD % json.dumps([options(service), nowhere, three_pages()])
        shop.on_allow = lambda: allow(service, shop.url(ELSEWHERE))
        fox.go(shop.url())
        assert shop.reported.wait(PATIENCE), "Firefox did not report"
        said = shop.report
    service.tool.delete("/web/origins", params={"origin": shop.url(ELSEWHERE)})
    assert said == {
        "absent": "page-insecure",  # the site has no https
        "refused": "origin-not-allowed",
        "devices": ["virtual:adf", "virtual:flatbed"],
        "pages": ["image/png"] * 3,
        "images": 3,
        "shown": True,
        "reply": {"status": 200, "text": "taken 1"},
        "progress": 1,
        "dialog": [True, "rgb(11, 87, 208)"],
        "closed": None,
    }
    assert shop.forms()[0]["RemoteFile"][1].startswith(b"%PDF-")
