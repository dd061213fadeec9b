"""dwtsvc.js sends files to the site: from the page, in segments, and by the service."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page

from tests.browser.client_site import Site, allow, options, run, three_pages, wait
from tests.browser.rig import Running


def test_a_file_is_uploaded_by_the_page_with_progress(connected: Page, shop: Site) -> None:
    said = run(
        connected,
        """const buffer = await service.buffer(), told = [];
        await buffer.scan(argument);
        const file = await buffer.save();
        const reply = await dwtsvc.upload(file, { url: "/upload", fileName: "scan.pdf", fields: { customer: "17" },
          onProgress: ({ loaded, total }) => told.push([loaded, total]) });
        return [reply, file.size, told.at(-1)];""",
        three_pages(),
    )
    assert said[0] == {"status": 200, "text": "taken 1"} and said[2] == [said[1], said[1]]
    fields = shop.forms()[0]
    assert fields["customer"][1] == b"17" and fields["RemoteFile"][0] == "scan.pdf"
    assert fields["RemoteFile"][1].startswith(b"%PDF-") and len(fields["RemoteFile"][1]) == said[1]


def test_a_large_file_goes_in_segments_that_can_be_put_together(connected: Page, shop: Site) -> None:
    shop.refuse.extend([503, 429])
    reply = run(
        connected,
        """const file = new File([Uint8Array.from({ length: 250_000 }, (_, index) => index % 251)], "a b.bin");
        const told = [];
        const onProgress = ({ loaded }) => told.push(loaded);
        await dwtsvc.upload(file, { url: "/upload", segment: 64 * 1024, parallel: 3, onProgress });
        return told.at(-1);""",
    )
    ranges = {headers["content-range"]: body for _, headers, body in shop.uploads}
    assert reply == 250_000 and len(shop.uploads) == len(ranges) == 4
    assert len({headers["x-upload-id"] for _, headers, _ in shop.uploads}) == 1
    assert {headers["x-upload-name"] for _, headers, _ in shop.uploads} == {"a%20b.bin"}
    whole = b"".join(ranges[each] for each in sorted(ranges, key=lambda each: int(each.split()[1].split("-")[0])))
    assert whole == bytes(index % 251 for index in range(250_000))


def test_what_fails_for_good_is_not_tried_again_and_what_is_canceled_ends(connected: Page, shop: Site) -> None:
    shop.refuse.extend([400])
    said = run(connected, "return dwtsvc.upload(new Blob(['x']), { url: '/upload' })")
    assert said["code"] == "upload-failed" and shop.uploads == []
    gone = run(
        connected,
        """const stop = new AbortController();
        return dwtsvc.uploadAll([new Blob(["x"]), new Blob(["y"])], { url: "/canceled", signal: stop.signal,
          onProgress: () => stop.abort() }).catch((error) => error.name);""",
    )
    assert gone == "AbortError"


def test_several_files_are_uploaded_in_their_order(connected: Page, shop: Site) -> None:
    said = run(
        connected,
        """const files = ["a", "b", "c"].map((name) => new File([name], name));
        const replies = await dwtsvc.uploadAll(files, { url: "/upload", parallel: 1, method: "PUT" });
        return replies.map(({ text }) => text);""",
    )
    assert said == ["taken 1", "taken 2", "taken 3"]
    assert [(method, body) for method, _, body in shop.uploads] == [("PUT", b"a"), ("PUT", b"b"), ("PUT", b"c")]


def test_the_service_uploads_to_the_site_of_the_page(
    browser: Any, service: Running, shop: Site, tmp_path: Path
) -> None:
    """From 127.0.0.1, the one name without https that the service sends to."""
    page = browser.new_page()
    page.goto(shop.url("127.0.0.1"))
    wait(page, "window.webtwain")
    allow(service, shop.url("127.0.0.1"))
    page.evaluate("async (o) => void (window.service = await dwtsvc.connect(o))", options(service))
    said = run(
        page,
        """const buffer = await service.buffer();
        await buffer.scan(argument);
        const fields = { customer: "17" };
        return buffer.sendByService({ url: "/upload", type: "tiff", fileName: "all.tiff", fields });""",
        three_pages(),
    )
    page.close()
    service.tool.delete("/web/origins", params={"origin": shop.url("127.0.0.1")})
    assert said == {"status": 200, "text": "taken 1"}
    name, content = shop.forms()[0]["RemoteFile"]
    assert name == "all.tiff" and Image.open(io.BytesIO(content)).n_frames == 3  # type: ignore[attr-defined]
