"""dwtsvc.js on a foreign page in Chromium: connect with consent, scan, edit, save, and the way back after a restart of
the service. Why there is no service to be had is in test_client_causes.py."""

from __future__ import annotations

import io
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from pypdf import PdfWriter

from tests.browser.client_site import RUN, Site, allow, options, run, three_pages, wait
from tests.browser.rig import Running, serving, small_png
from tests.certs.rig import needs

# ---- connecting ----


def test_a_click_asks_for_consent_and_connects_once_the_user_allowed_it(
    visitor: Page, service: Running, shop: Site
) -> None:
    visitor.evaluate(
        """(options) => document.querySelector("#go").addEventListener("click", async () => {
          window.service = await dwtsvc.connect(options).catch((error) => ({ failed: error.code }));
        })""",
        options(service, scopes=["scan"]),
    )
    with visitor.expect_popup() as opened:
        visitor.get_by_role("button", name="Scan").click()
    popup = opened.value
    expect(popup.locator("#origin")).to_have_text(shop.url())
    expect(popup.locator("#scopes li")).to_have_count(2)  # `list` comes with every other
    assert visitor.evaluate("window.service") is None
    popup.get_by_role("button", name="Allow once").click()
    wait(visitor, "window.service")
    assert run(visitor, "return [service.state, service.base, (await service.devices()).map(({ id }) => id)]") == [
        "connected",
        service.url,
        ["virtual:adf", "virtual:flatbed"],
    ]


def test_a_user_who_never_allows_it_is_told_how_to_take_that_back(visitor: Page, service: Running) -> None:
    code = "return dwtsvc.connect(argument)"
    with visitor.expect_popup() as opened:
        visitor.evaluate(f"(o) => void (window.asked = ({RUN % code})(o))", options(service))
    opened.value.get_by_role("button", name="Never allow").click()
    said = visitor.evaluate("window.asked")
    assert said["code"] == "consent-denied" and said["action"] == "none" and "dwtsvc origins revoke" in said["hint"]


def test_a_page_that_opens_the_question_itself_is_told_its_address(visitor: Page, service: Running) -> None:
    visitor.evaluate(
        """(o) => void dwtsvc.connect({ ...o, onConsent: (url) => { window.question = url; return false; } })
          .then((service) => { window.service = service; })""",
        options(service),
    )
    wait(visitor, "window.question")
    question = visitor.evaluate("window.question")
    assert question.startswith(f"{service.url}/consent#") and len(visitor.context.pages) == 1
    visitor.wait_for_timeout(800)  # it goes on asking meanwhile
    window = visitor.context.new_page()
    window.goto(question)
    window.get_by_role("button", name="Allow once").click()
    wait(visitor, "window.service?.state === 'connected'")


def test_a_page_that_gave_up_stops_asking(visitor: Page, service: Running) -> None:
    said = run(
        visitor,
        """const stop = new AbortController();
        const asked = dwtsvc.connect({ ...argument, signal: stop.signal, onConsent: () => (stop.abort(), false) });
        return asked.catch((error) => error.name);""",
        options(service),
    )
    assert said == "AbortError"


def test_an_older_service_than_the_page_needs_is_said_to_be_too_old(
    visitor: Page, service: Running, shop: Site
) -> None:
    allow(service, shop.url())
    said = run(visitor, "return dwtsvc.connect(argument)", options(service, minVersion="999.1"))
    assert (said["code"], said["action"]) == ("version-too-old", "update")
    assert run(visitor, "return (await dwtsvc.connect(argument)).state", options(service, minVersion="0.0.9")) == (
        "connected"
    )


# ---- scanners and jobs ----


def test_capabilities_are_told_and_leave_no_job_behind(connected: Page) -> None:
    caps = run(
        connected,
        """const caps = await service.capabilities("virtual:adf", { caps: [257, 4376] });
        return [caps.map(({ capability }) => capability.value), await service.json("/api/device/scanners/jobs")]""",
    )
    assert caps == [[257, 4376], []]


def test_scanners_are_watched(connected: Page) -> None:
    assert run(
        connected,
        """const stop = new AbortController();
        for await (const { event, data } of service.watchDevices({ signal: stop.signal })) {
          stop.abort();
          return [event, data.map(({ id }) => id)];
        }""",
    ) == ["scanners", ["virtual:adf", "virtual:flatbed"]]


def test_a_job_gives_its_pages_as_they_come_and_tells_its_progress(connected: Page) -> None:
    said = run(
        connected,
        """const job = await service.scan(argument), told = [];
        for (const name of ["state", "page", "progress"]) job.addEventListener(name, () => told.push(name));
        const pages = [];
        for await (const page of job) pages.push([page.index, page.width, page.bitDepth, (await page.blob()).type]);
        const { status } = job;
        const [barcodes, blank] = [await service.readBarcodes(job.pages[0]), await service.isBlank(job.pages[0])];
        const turned = await service.edited(job.pages[0], [{ name: "rotate", values: { degrees: 90 } }]);
        const size = await createImageBitmap(turned);
        await job.delete();
        return { pages, status, told: [...new Set(told)].sort(), barcodes, blank: blank.result,
          size: [size.width, size.height],
          page: [job.pages[0].width, job.pages[0].height], gone: await job.cancel().catch((error) => error.code) };""",
        three_pages(),
    )
    assert [page[0] for page in said["pages"]] == [0, 1, 2] and said["status"] == "completed"
    assert {(page[2], page[3]) for page in said["pages"]} == {(8, "image/png")}
    assert said["told"] == ["page", "progress", "state"] and said["blank"] is False and said["barcodes"] == []
    assert said["size"] == said["page"][::-1] and said["gone"] == "job-deleted"


def test_what_ends_a_job_is_thrown_after_its_good_pages(connected: Page) -> None:
    said = run(
        connected,
        """const job = await service.scan({ ...argument, device: "virtual:adf?pages=3&jam=2" }), pages = [];
        try { for await (const page of job) pages.push(page.index); }
        catch (error) { return [pages, error.code, error.message, job.status]; }""",
        three_pages(),
    )
    assert said[0] == [0] and said[1] == "paper-jam" and "jam" in said[2] and said[3] == "faulted"


def test_an_aborted_scan_is_canceled(connected: Page) -> None:
    said = run(
        connected,
        """const stop = new AbortController();
        const device = "virtual:adf?pages=50&slow=0.2";
        const job = await service.scan({ ...argument, device }, { signal: stop.signal });
        try { for await (const page of job) stop.abort(); } catch (error) { return [error.name, job.status]; }""",
        three_pages(),
    )
    assert said == ["AbortError", "canceled"]


def test_a_refusal_of_the_service_keeps_its_word_and_status(connected: Page) -> None:
    said = run(connected, "return service.scan({ device: 'virtual:none' })")
    assert (said["error"], said["code"]) == ("DwtsvcError", "no-scanner") and said["message"]


# ---- the buffer ----


def test_pages_are_scanned_moved_turned_and_put_back(connected: Page) -> None:
    said = run(
        connected,
        """const buffer = await service.buffer(), told = [];
        buffer.addEventListener("change", ({ detail }) => told.push(detail.action));
        const ids = await buffer.scan(argument);
        const order = () => buffer.images.map(({ id }) => ids.indexOf(id));
        const size = () => [buffer.images[0].width, buffer.images[0].height];
        const steps = [order(), size()];
        await buffer.move(ids[2], 0); steps.push(order());
        await buffer.rotateLeft(ids[2]); steps.push(size());
        await buffer.undo(ids[2]); steps.push(size());
        await buffer.redo(0); steps.push(size());
        await buffer.remove([1]); steps.push(order());
        return { steps, told: [...new Set(told)] };""",
        three_pages(),
    )
    upright = said["steps"][1]
    assert said["steps"][0] == [0, 1, 2] and said["steps"][2] == [2, 0, 1]
    assert said["steps"][3:] == [upright[::-1], upright, upright[::-1], [2, 1]]
    assert said["told"] == ["scan", "MoveImage", "RotateLeft", "Undo", "Redo", "RemoveImages"]


def test_the_saved_pdf_is_sound_and_holds_the_pages_in_their_order(connected: Page, shop: Site, tmp_path: Path) -> None:
    kind = run(
        connected,
        """const buffer = await service.buffer();
        await buffer.scan(argument);
        await buffer.move(2, 0);
        await buffer.rotateRight(0);
        const file = await buffer.save({ title: "A letter" });
        await dwtsvc.upload(file, { url: "/upload", method: "PUT" });
        return file.type;""",
        three_pages(),
    )
    file = tmp_path / "saved.pdf"
    file.write_bytes(shop.uploads[0][2])
    assert kind == "application/pdf"
    subprocess.run([needs("qpdf"), "--check", str(file)], check=True, stdout=subprocess.DEVNULL)
    info = subprocess.run([needs("pdfinfo"), "-l", "3", str(file)], check=True, capture_output=True, text=True).stdout
    assert "Title:           A letter" in info and "Pages:           3" in info
    sizes = [line.split("size:")[1].split("pts")[0].split("x") for line in info.splitlines() if "size:" in line][:3]
    lies = [float(width) > float(height) for width, height in sizes]
    assert lies == [True, False, False]


def test_files_of_every_kind_come_out_and_go_in(connected: Page) -> None:
    said = run(
        connected,
        """const buffer = await service.buffer();
        await buffer.scan(argument);
        const files = {};
        for (const type of ["tiff", "png", "jpeg", "bmp", "webp"])
          files[type] = await buffer.save({ type, which: type === "tiff" ? undefined : 0 });
        const pdf = await buffer.save();
        await buffer.clear();
        await buffer.load([files.tiff, files.png]);
        const counts = [buffer.images.length];
        await buffer.load(pdf, { at: 0 });
        counts.push(buffer.images.length);
        return [Object.entries(files).map(([type, file]) => [type, file.type]), counts];""",
        three_pages(),
    )
    assert said[0] == [[kind, f"image/{kind}"] for kind in ("tiff", "png", "jpeg", "bmp", "webp")]
    assert said[1] == [4, 7]


def test_a_pdf_is_drawn_at_the_resolution_that_is_asked_for(connected: Page) -> None:
    drawn = PdfWriter()
    drawn.add_blank_page(144, 72)
    drawn.encrypt("secret")
    file = io.BytesIO()
    drawn.write(file)
    code = """const buffer = await service.buffer(), file = new Blob([Uint8Array.from(argument)]);
    const locked = await buffer.load(file).catch((error) => error.code);
    await buffer.load([file], { dpi: 50, gray: true, password: "secret" });
    return [locked, ...buffer.images.map(({ width, height, dpi, bitDepth }) => [width, height, dpi, bitDepth])];"""
    assert run(connected, code, list(file.getvalue())) == ["encrypted", [100, 50, 50, 8]]


def test_a_file_that_is_none_is_refused_with_its_reason(connected: Page) -> None:
    said = run(connected, "return (await service.buffer()).load(new Blob(['no picture']))")
    assert said["code"] == "bad-input"


def test_files_that_are_dropped_are_loaded(connected: Page) -> None:
    run(connected, "(await service.buffer()).accept(document.body)")
    run(
        connected,
        """const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(argument)], "a.png", { type: "image/png" }));
        for (const name of ["dragover", "drop"])
          document.body.dispatchEvent(new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));""",
        list(small_png()),
    )
    wait(connected, "async () => (await service.buffer()).images.length === 1")


def test_tags_documents_selection_and_every_edit_reach_the_service(connected: Page) -> None:
    said = run(
        connected,
        """const buffer = await service.buffer("2"), said = {};
        await buffer.clear();
        const [one, two, three] = await buffer.scan(argument);
        await buffer.tag("paid", [one, three]);
        await buffer.filter("paid"); said.paid = buffer.images.map(({ id }) => id === one || id === three);
        await buffer.filter(); said.all = buffer.images.length;
        await buffer.untag("paid", one);
        said.tags = (await buffer.tags()).map(({ name, imageIds }) => [name, imageIds.length]);
        await buffer.createDocument("Bills"); await buffer.moveTo("Bills", two);
        await buffer.openDocument("Bills"); said.bills = buffer.images.map(({ id }) => id === two);
        await buffer.renameDocument("Bills", "Letters");
        said.names = (await buffer.documents()).map(({ name }) => name);
        await buffer.removeDocument("Letters"); said.left = buffer.images.length;
        await buffer.select(buffer.images); said.selected = await buffer.selected();
        await buffer.swap(0, 1); said.swapped = buffer.images.map(({ id }) => id === three);
        await buffer.setCurrent(one); said.current = await buffer.current();
        const { width, height } = buffer.images[0];
        await buffer.crop({ left: 0, top: 0, right: 100, bottom: 50 }, 0);
        said.cropped = [buffer.images[0].width, buffer.images[0].height];
        await buffer.erase({ left: 0, top: 0, right: 9, bottom: 9, fill: "#000000" }, 0);
        await buffer.resize({ width: 50 }, 0); said.resized = [buffer.images[0].width, buffer.images[0].height];
        await buffer.setDpi(150, 0); said.dpi = buffer.images[0].dpi;
        await buffer.brightness(100, 0); await buffer.contrast(-100, 0); await buffer.invert(0); await buffer.toGray(0);
        await buffer.flip(0); await buffer.mirror(0); await buffer.deskew(1);
        await buffer.rotate(2.5, 1, { keepSize: true });
        await buffer.toBlackAndWhite(1, { level: 128 }); await buffer.setDepth(8, 0);
        said.steps = buffer.images.map(({ steps }) => steps.map(({ name }) => name));
        said.picture = (await buffer.picture(buffer.images[0], { width: 150 })).type;
        said.blank = (await buffer.isBlank(1)).blank; said.skew = typeof (await buffer.skew(1));
        return said;""",
        three_pages(),
    )
    assert said["paid"] == [True, True] and said["all"] == 3 and said["tags"] == [["paid", 1]]
    assert said["bills"] == [True] and said["names"] == ["", "Letters"] and said["left"] == 2
    assert said["selected"] == [0, 1] and said["swapped"] == [True, False] and said["current"] == 1
    assert said["cropped"] == [100, 50] and said["resized"] == [50, 25] and said["dpi"] == 150
    first = ["crop", "erase", "resize", "dpi", "brightness", "contrast", "invert", "gray", "flip", "flip", "depth"]
    assert said["steps"] == [first, ["deskew", "rotate", "threshold"]]
    assert said["picture"].startswith("image/") and said["blank"] is False and said["skew"] == "number"


def test_addresses_of_images_show_them_and_are_renewed_in_time(connected: Page, service: Running) -> None:
    connected.clock.install()
    run(connected, "await (await service.buffer()).scan(argument)", three_pages())
    shown = """async () => {
      const buffer = await service.buffer(), image = new Image();
      image.src = buffer.thumbnail(buffer.images[0], 200);
      await image.decode();
      return [image.naturalWidth <= 200, buffer.images[0].url];
    }"""
    before = connected.evaluate(shown)
    run(
        connected,
        "(await service.buffer()).addEventListener('change', ({ detail }) => { window.renewed = detail.action; })",
    )
    time.sleep(1.1)  # a signature says the second in which it ends
    connected.clock.fast_forward(9 * 60_000)
    wait(connected, "window.renewed === 'urls'")
    after = connected.evaluate(shown)
    assert before[0] and after[0] and before[1] != after[1]


def test_a_service_that_cannot_do_something_is_told_from_a_fault(connected: Page) -> None:
    said = run(connected, "return (await service.buffer()).call('NoSuchMethod')")
    assert (said["code"], said["action"]) == ("not-supported", "update")


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("(await service.buffer()).readText([0], { language: 'eng' })", "/f/Recognize"),
        ("service.readText({ url: 'http://127.0.0.1/page' }, { language: 'eng', fast: true })", "/api/process/ocr"),
    ],
)
def test_text_is_asked_for_where_the_service_can_read_and_else_it_says_that_it_cannot(
    connected: Page, shop: Site, code: str, path: str
) -> None:
    """Against answers as such services give them: what ours knows depends on what is installed."""
    sent: list[Any] = []
    answers = [
        (404, {"error": "nothing-found", "message": "There is nothing at this address"}),
        (200, {"result": ["x"]}),
    ]

    def answer(route: Route) -> None:
        sent.append(route.request.post_data_json)
        status, body = answers.pop(0)
        route.fulfill(status=status, json=body, headers={"Access-Control-Allow-Origin": shop.url()})

    connected.route(f"**{path}", answer)
    assert run(connected, f"return {code}")["code"] == "not-supported"
    assert run(connected, f"return {code}") in (["x"], {"result": ["x"]})
    if path == "/f/Recognize":
        assert sent[1] == {"id": "1", "params": {"indices": [0], "language": "eng"}}
    else:
        assert sent[1] == {"source": "http://127.0.0.1/page", "settings": {"language": "eng", "fast": True}}


def test_a_pdf_can_be_pdf_a_and_searchable(connected: Page, shop: Site, tmp_path: Path) -> None:
    needs("tesseract")
    said = run(
        connected,
        """const job = await service.scan(argument), [page] = await job.finished();
        const { languages } = await service.languages();
        const found = await service.readText(page, { language: "eng", rotate: true });
        const text = await service.readText(page, { language: "eng", rotate: true, format: "text" });
        const { pages } = await service.split({ jobuid: job.id, separators: ["every:1"], onProgress: () => {} });
        const buffer = await service.buffer();
        await buffer.load(await page.blob());
        await dwtsvc.upload(await buffer.save({ pdfa: "2b", ocr: "eng" }), { url: "/upload", method: "PUT" });
        const same = text.startsWith(found.pages[0].text.slice(0, 50));
        return [languages.includes("eng"), same, text.length > 100, pages.length];""",
        {"device": "virtual:adf?pages=1&document=letter", "resolution": 200},
    )
    assert said == [True, True, True, 1], str(said)
    file = tmp_path / "searchable.pdf"
    file.write_bytes(shop.uploads[0][2])
    assert b"pdfaid:part" in file.read_bytes()
    text = subprocess.run([needs("pdftotext"), str(file), "-"], check=True, capture_output=True, text=True).stdout
    assert len(text) > 100


def test_documents_stay_in_the_service_under_their_password(connected: Page) -> None:
    said = run(
        connected,
        """const documents = await service.documents(), job = await service.scan(argument);
        const [page, other] = await job.finished();
        const made = await documents.create({ password: "secret" });
        await made.add(page); await made.add(other, { at: 0 });
        await made.describe({ customer: 17 });
        const wrong = await documents.open(made.uid, { password: "guess" }).catch((error) => error.code);
        const opened = await documents.open(made.uid, { password: "secret" });
        const { pages, metadata } = await opened.info();
        await opened.remove(0);
        const file = await opened.content({ type: "image/tiff" });
        const listed = (await documents.list()).map(({ uid }) => uid === made.uid);
        await made.delete();
        return [wrong, pages.length, metadata, file.type, listed, (await documents.list()).length];""",
        three_pages(),
    )
    assert said == ["wrong-password", 2, {"customer": 17}, "image/tiff", [True], 0]


# ---- the service goes and comes back ----


def test_the_connection_comes_back_by_itself_after_a_restart(tmp_path: Path, page: Page, shop: Site) -> None:
    with serving(tmp_path / "home") as first:
        ports = {"http_ports": str(first.http), "https_ports": str(first.https)}
        allow(first, shop.url())
        page.goto(shop.url())
        wait(page, "window.webtwain")
        page.evaluate("async (o) => void (window.service = await dwtsvc.connect(o))", options(first))
        page.evaluate(
            """() => { window.states = [];
            service.addEventListener("state", ({ detail }) => states.push(detail.state)); }"""
        )
        job = run(page, "const job = await service.scan(argument); await job.finished(); return job.id", three_pages())
        first.kill()
        wait(page, "states.includes('lost')")
        assert run(page, "return service.devices()")["code"] == "connection-lost"
    with serving(tmp_path / "home", **ports):
        wait(page, "states.includes('connected')")
        assert run(page, "return (await service.devices()).length") == 2
        assert run(page, "return (await service.json(argument)).status", f"/api/device/scanners/jobs/{job}") == (
            "completed"
        )
        assert page.evaluate("states") == ["lost", "connected"]


def test_a_service_that_forgot_the_consent_of_once_says_so(tmp_path: Path, page: Page, shop: Site) -> None:
    with serving(tmp_path / "home") as first:
        ports = {"http_ports": str(first.http), "https_ports": str(first.https)}
        page.goto(shop.url())
        wait(page, "window.webtwain")
        with page.expect_popup() as opened:
            page.evaluate("(o) => void dwtsvc.connect(o).then((s) => { window.service = s; })", options(first))
        opened.value.get_by_role("button", name="Allow once").click()
        wait(page, "window.service")
    with serving(tmp_path / "home", **ports):
        wait(page, "service.state === 'refused'")
        with page.expect_popup() as opened:
            page.evaluate("void service.askAgain()")
        opened.value.get_by_role("button", name="Allow once").click()
        wait(page, "service.state === 'connected'")


# ---- the names that others know ----


def test_the_layer_of_known_names_scans_edits_saves_and_uploads(connected: Page, service: Running, shop: Site) -> None:
    said = run(
        connected,
        """const { CreateDWTObjectEx, ImageType, UploadDataFormat } = webtwain, said = { events: [] };
        const dwt = await CreateDWTObjectEx({ ...argument, WebTwainId: "known" });
        await dwt.RemoveAllImages();
        const events = ["OnPreAllTransfers", "OnPostTransfer", "OnPostAllTransfers", "OnBitmapChanged", "OnPostLoad"];
        for (const name of events)
          dwt.RegisterEvent(name, () => said.events.push(name));
        const devices = await dwt.GetDevicesAsync();
        said.devices = devices.map(({ displayName }) => typeof displayName);
        await dwt.SelectDeviceAsync(devices.find(({ id }) => id === "virtual:adf"));
        dwt.Resolution = 75;
        await dwt.AcquireImageAsync({ PixelType: 1, IfFeederEnabled: true, XferCount: 3 });
        said.count = dwt.HowManyImagesInBuffer; said.current = dwt.CurrentImageIndexInBuffer;
        said.dpi = dwt.GetImageXResolution(0);
        const upright = [dwt.GetImageWidth(0), dwt.GetImageHeight(0)];
        await new Promise((ok, fail) => dwt.RotateLeft(0, ok, fail));
        said.turned = `${[dwt.GetImageHeight(0), dwt.GetImageWidth(0)]}` === `${upright}`;
        said.failed = await new Promise((done) => dwt.RotateLeft(99, () => done("no"), (code) => done(code)));
        await dwt.MoveImage(0, 2); await dwt.SwitchImage(0, 1); await dwt.Crop(0, 0, 0, 60, 40);
        said.cropped = [dwt.GetImageWidth(0), dwt.GetImageHeight(0)];
        await dwt.RemoveImage(0); said.left = dwt.HowManyImagesInBuffer;
        const text = await dwt.ConvertToBase64([0], ImageType.PNG);
        await dwt.LoadImageFromBase64Binary(text, ImageType.PNG); said.loaded = dwt.HowManyImagesInBuffer;
        said.ids = dwt.ImageIDToIndex(dwt.IndexToImageID(2));
        dwt.SetHTTPFormField("customer", "17");
        const { Binary } = UploadDataFormat;
        said.reply = await dwt.HTTPUpload("/upload", undefined, ImageType.MULTIPAGE_TIF, Binary, "all.tif");
        return said;""",
        options(service),
    )
    assert said["devices"] == ["string", "string"] and said["count"] == 3 and said["current"] == 2
    assert said["dpi"] == 75 and said["turned"] and said["failed"] == "unknown-item" and said["cropped"] == [60, 40]
    assert said["left"] == 2 and said["loaded"] == 3 and said["ids"] == 2 and said["reply"] == "taken 1"
    wanted = [
        "OnPreAllTransfers",
        *["OnPostTransfer"] * 3,
        "OnPostAllTransfers",
        *["OnBitmapChanged"] * 2,
        "OnPostLoad",
    ]
    assert said["events"] == wanted
    assert shop.forms()[0]["customer"][1] == b"17" and shop.forms()[0]["RemoteFile"][0] == "all.tif"


def test_a_scanner_is_chosen_in_a_dialog_and_a_pdf_is_downloaded(connected: Page, service: Running) -> None:
    connected.evaluate(
        """async (o) => { window.dwt = await webtwain.CreateDWTObjectEx({ ...o, WebTwainId: "dialog" });
          dwt.SelectSourceAsync().then((chosen) => { window.chosen = chosen; }); }""",
        options(service),
    )
    connected.get_by_role("dialog").get_by_role("button", name="Virtual flatbed").click()
    wait(connected, "window.chosen")
    assert "flatbed" in connected.evaluate("dwt.CurrentSourceName")
    connected.evaluate("async () => { dwt.Resolution = 75; await dwt.AcquireImageAsync(); }")
    with connected.expect_download() as downloaded:
        connected.evaluate("dwt.SaveAllAsPDF('letter.pdf')")
    assert downloaded.value.suggested_filename == "letter.pdf"
    assert Path(downloaded.value.path()).read_bytes().startswith(b"%PDF-")
