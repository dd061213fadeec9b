"""dwtsvc.js beyond the first scan: a part of the glass, jobs after a reload, abilities, progress of reading, German."""

from __future__ import annotations

import io
import re
import subprocess
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect

from dwtsvc.server.pages import CLIENT
from tests.browser.client_site import Site, options, run, three_pages, wait
from tests.browser.rig import Running, small_png
from tests.certs.rig import needs


def test_a_part_of_the_glass_is_scanned_by_a_job_and_into_the_buffer(connected: Page) -> None:
    said = run(
        connected,
        """const area = { left: 25.4, top: 25.4, width: 50.8, height: 25.4 };
        const request = { device: "virtual:flatbed", resolution: 100, area };
        const job = await service.scan(request), [page] = await job.finished();
        await job.delete();
        const buffer = await service.buffer();
        await buffer.scan(request);
        const [image] = buffer.images;
        const beyond = await service.scan({ ...request, area: { ...area, width: 9999 } }).catch(({ code }) => code);
        return [page.width, page.height, image.width, image.height, beyond];""",
    )
    assert said == [200, 100, 200, 100, "bad-arguments"]


def test_a_page_that_was_loaded_again_finds_its_scan_and_shows_the_rest(connected: Page, service: Running) -> None:
    request = {**three_pages(), "device": "virtual:adf?pages=4&slow=2"}
    connected.evaluate("(request) => void service.buffer().then((buffer) => buffer.scan(request))", request)
    wait(connected, "async () => (await service.buffer()).images.length > 0")
    connected.reload()
    wait(connected, "window.webtwain")
    connected.evaluate("async (o) => void (window.service = await dwtsvc.connect(o))", options(service))
    said = run(
        connected,
        """const buffer = await service.buffer(), before = buffer.images.length;
        const job = (await service.jobs()).find(({ status }) => status === "running"), told = [];
        await buffer.follow(job, { onProgress: ({ page }) => told.push(page) });
        return [before, buffer.images.length, told.length > 0, await service.jobs()];""",
    )
    assert 0 < said[0] < 4 and said[1:] == [4, True, []]


def test_a_scan_into_the_buffer_tells_its_progress_and_leaves_no_job(connected: Page) -> None:
    said = run(
        connected,
        """const buffer = await service.buffer(), told = new Set();
        await buffer.scan({ ...argument, device: "virtual:adf?pages=2&slow=0.6" },
          { onProgress: ({ page }) => told.add(page) });
        const fault = await buffer.scan({ ...argument, device: "virtual:adf?pages=3&jam=2" })
          .catch(({ code, message }) => [code, message]);
        return [[...told], buffer.images.length, fault[0], fault[1].includes("jam"), await service.jobs()];""",
        three_pages(),
    )
    assert said[0] and set(said[0]) <= {1, 2} and said[1:] == [3, "paper-jam", True, []]


def test_what_a_scanner_can_do_is_told_in_the_words_of_a_request(connected: Page) -> None:
    said = run(connected, "return service.abilities('virtual:adf')")
    assert said["feeder"] is True and said["duplex"] is True
    assert {"bw", "gray", "color"} == set(said["modes"]) and "A4" in said["pageSizes"]
    assert said["resolutions"] is not None or said["least"] < said["most"]
    assert said["width"] > 200 and said["height"] > 280


def test_changes_together_are_looked_at_once(connected: Page) -> None:
    said = run(
        connected,
        """const buffer = await service.buffer(), told = [];
        const [one, two, three] = await buffer.scan(argument);
        buffer.addEventListener("change", ({ detail }) => told.push(detail.action));
        const urls = new Map(buffer.images.map(({ id, url }) => [id, url]));
        await buffer.together(async () => { await buffer.rotateLeft(one); await buffer.move(2, 0); });
        const { id, url, steps } = buffer.images.find((image) => image.id === one);
        return [told, buffer.images.map((image) => [one, two, three].indexOf(image.id)), steps.length,
          url !== urls.get(id), new URL(url).searchParams.get("image") === one];""",
        three_pages(),
    )
    assert said == [["together"], [2, 0, 1], 1, True, True]


def test_reading_many_images_tells_how_far_it_is_and_can_be_ended(connected: Page, shop: Site, tmp_path: Path) -> None:
    needs("tesseract")
    said = run(
        connected,
        """const buffer = await service.buffer(), told = [];
        await buffer.scan(argument);
        const onProgress = ({ page, pages }) => told.push([page, pages]);
        const [{ pages }] = await buffer.readText(buffer.images, { language: "eng", onProgress });
        const file = await buffer.save({ ocr: "eng", onProgress });
        await dwtsvc.upload(file, { url: "/upload", method: "PUT" });
        const stop = new AbortController();
        const how = { fast: true, signal: stop.signal, onProgress: () => stop.abort() };
        const ended = await buffer.readText(buffer.images, how).catch(({ name }) => name);
        return [pages.length, told, ended];""",
        {"device": "virtual:adf?pages=2&document=letter", "resolution": 150},
    )
    assert said == [2, [[1, 2], [2, 2]] * 2, "AbortError"], said
    (tmp_path / "read.pdf").write_bytes(shop.uploads[0][2])
    command = [needs("pdftotext"), str(tmp_path / "read.pdf"), "-"]
    assert len(subprocess.run(command, check=True, capture_output=True, text=True).stdout) > 100


def test_a_page_in_german_is_told_in_german_and_asked_too(connected: Page, service: Running) -> None:
    connected.evaluate("document.documentElement.lang = 'de-AT'")
    said = run(connected, "return dwtsvc.connect({ ports: { http: [1] }, https: false })")
    assert said["code"] == "page-insecure" and "Scan-Dienst" in said["message"]
    connected.evaluate("void dwtsvc.installPrompt({ reconnect: async () => null })")
    expect(connected.get_by_role("button", name="Neu mit dem Dienst verbinden")).to_be_visible()


def test_every_text_of_the_client_is_there_in_both_languages() -> None:
    source = (CLIENT / "dwtsvc" / "texts.js").read_text("utf-8")
    errors, dialogs = source.split("const DIALOGS")
    entries = re.findall(r'^  "?([\w-]+)"?: \[(.*?)\],$', errors, re.MULTILINE | re.DOTALL)
    assert len(entries) == 14
    assert {len(re.findall(r'"[^"]*"', texts)) for _, texts in entries} == {5}
    lines = re.findall(r"^  \w+: \[(.*)\],$", dialogs, re.MULTILINE)
    assert len(lines) == 10 and {len(re.findall(r'"[^"]*"', line)) for line in lines} == {2}
    for path in CLIENT.rglob("*.js"):
        code = set(re.findall(r'DwtsvcError\("([\w-]+)"', path.read_text("utf-8")))
        assert code <= {name for name, _ in entries}, path.name


def test_the_known_names_scan_a_part_of_the_glass_and_stop(connected: Page, service: Running) -> None:
    said: Any = run(
        connected,
        """const dwt = await webtwain.CreateDWTObjectEx({ ...argument, WebTwainId: "layout" });
        await dwt.RemoveAllImages();
        dwt.SetImageLayout(1, 1, 3, 2);
        await dwt.AcquireImageAsync({ device: "virtual:flatbed", Resolution: 100 });
        const size = [dwt.GetImageWidth(0), dwt.GetImageHeight(0)];
        dwt.ResetImageLayout();
        const curValue = { left: 0, top: 0, right: 1, bottom: 1 };
        const caps = { exception: "fail", capabilities: [{ capability: 4372, curValue }] };
        await dwt.AcquireImageAsync({ device: "virtual:flatbed", Resolution: 50, caps });
        size.push(dwt.GetImageWidth(1), dwt.GetImageHeight(1));
        const none = await dwt.CancelAllPendingTransfers();
        dwt.RegisterEvent("OnPostTransfer", async () => { window.stopped = await dwt.CancelAllPendingTransfers(); });
        const device = "virtual:adf?pages=50&slow=0.3";
        const ended = await dwt.AcquireImageAsync({ device, IfFeederEnabled: true }).catch(({ name }) => name);
        return [size, none, ended, window.stopped, dwt.HowManyImagesInBuffer < 30];""",
        options(service),
    )
    assert said == [[200, 100, 50, 50], False, "AbortError", True, True]


def test_what_is_pasted_is_loaded(connected: Page) -> None:
    code = """const buffer = await service.buffer();
    buffer.accept(document.body);
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(argument)], "a.png", { type: "image/png" }));
    const about = { clipboardData: data, bubbles: true, cancelable: true };
    document.body.dispatchEvent(new ClipboardEvent("paste", about));"""
    run(connected, code, list(small_png()))
    wait(connected, "async () => (await service.buffer()).images.length === 1")


def test_a_storm_of_a_thousand_thumbnails_shows_every_one_of_them(connected: Page) -> None:
    stack = io.BytesIO()
    sheets = [Image.new("1", (160, 200), 1) for _ in range(250)]
    sheets[0].save(stack, "tiff", save_all=True, append_images=sheets[1:], compression="group4")
    said = run(
        connected,
        """const buffer = await service.buffer(), file = new Blob([Uint8Array.from(argument)]);
        await buffer.load([file, file, file, file]);
        const shown = await Promise.allSettled(buffer.images.map((each) => {
          const image = new Image();
          image.src = buffer.thumbnail(each, 150);
          return image.decode();
        }));
        return [buffer.images.length, shown.filter(({ status }) => status === "fulfilled").length];""",
        list(stack.getvalue()),
    )
    assert said == [1000, 1000]


def test_pages_are_scanned_between_others_and_blank_ones_left_out(connected: Page) -> None:
    said = run(
        connected,
        """const buffer = await service.buffer();
        const before = await buffer.scan(argument);
        const between = await buffer.scan(argument, { at: 1 });
        const blank = { ...argument, device: "virtual:adf?pages=2&document=blank" };
        const none = await buffer.scan(blank, { removeBlank: true });
        return [buffer.images.map(({ id }) => before.includes(id)), between.length, none];""",
        {**three_pages(), "pages": 2, "device": "virtual:adf?pages=4&seed=77"},
    )
    assert said == [[True, False, False, True], 2, []]
