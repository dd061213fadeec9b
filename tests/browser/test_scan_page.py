"""The scan page in Chromium: from the click on Scan to the saved file, by mouse and keyboard, and what goes wrong."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Download, Page, Route, expect
from pypdf import PdfReader

from tests.browser.rig import PATIENCE, Running, environment, serving
from tests.browser.scanpage import at, loaded, opened, options, order, picture, saved, scan, sizes, tool
from tests.certs.rig import needs


def test_from_the_feeder_to_a_pdf_by_keyboard(page: Page, service: Running, tmp_path: Path) -> None:
    opened(page, service)
    scan(page)
    expect(options(page)).to_have_count(3)
    first, second, third = order(page)
    page.locator("#pages").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Alt+ArrowRight")
    page.keyboard.press("Alt+ArrowRight")
    expect(page.locator("#said")).to_have_text("Moved to place 3 of 3.")
    assert order(page) == [second, third, first]
    page.keyboard.press("Home")
    page.keyboard.press("r")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    expect(tool(page, "undo")).to_have_attribute("aria-disabled", "false")
    page.keyboard.press("Control+z")
    expect(page.locator("#said")).to_have_text("Undone.")
    loaded(page, picture(800, 1100, ink=False))
    tool(page, "blanks").click()
    expect(page.locator("#toast-text")).to_have_text("1 blank page removed.")
    expect(options(page)).to_have_count(3)
    page.locator("#name").fill("Letters: spring")
    download = saved(page)
    assert download.suggested_filename == "Letters- spring.pdf"
    path = tmp_path / "letters.pdf"
    download.save_as(path)
    subprocess.run([needs("qpdf"), "--check", str(path)], check=True, capture_output=True)
    subprocess.run([needs("pdftotext"), str(path), str(tmp_path / "text")], check=True)
    sizes = [(each.mediabox.width > each.mediabox.height) for each in PdfReader(path).pages]
    assert sizes == [True, False, False]  # the page that lies is the one that was turned, at its new place


def test_nothing_is_lost_on_a_reload_and_what_was_done_can_still_be_undone(page: Page, service: Running) -> None:
    opened(page, service)
    scan(page)
    before = order(page)
    at(page, 2).click()
    tool(page, "remove").click()
    expect(options(page)).to_have_count(2)
    page.locator("#name").fill("Kept")
    page.locator("#name").press("Tab")
    page.reload()
    expect(options(page)).to_have_count(2)
    expect(page.locator("#name")).to_have_value("Kept")
    page.locator("#pages").focus()
    page.keyboard.press("Control+z")
    expect(options(page)).to_have_count(3)
    assert order(page) == before
    page.keyboard.press("Control+y")
    expect(options(page)).to_have_count(2)


def test_a_reload_in_the_middle_of_a_scan_shows_the_rest_of_it(page: Page, service: Running) -> None:
    opened(page, service, "virtual:adf?pages=4&slow=2")
    page.locator("#scan").click()
    expect(options(page).first).to_be_visible()
    page.reload()
    expect(page.locator("#cancel")).to_be_visible()
    expect(options(page)).to_have_count(4)
    expect(page.locator("#scan")).to_be_visible()


def test_the_pages_that_came_before_a_scan_was_cancelled_stay(page: Page, service: Running) -> None:
    opened(page, service, "virtual:adf?pages=50&slow=0.5")
    page.locator("#scan").click()
    expect(options(page).first).to_be_visible()
    page.locator("#cancel").click()
    expect(page.locator("#toast-text")).to_contain_text("Cancelled.")
    assert 0 < options(page).count() < 50
    expect(page.locator("#problem")).to_be_hidden()


def test_a_jam_is_told_with_what_to_do_and_the_rest_is_scanned_after_it(page: Page, service: Running) -> None:
    opened(page, service, "virtual:adf?pages=3&jam=2")
    scan(page)
    expect(page.locator("#problem")).to_contain_text("The paper is jammed.")
    expect(page.locator("#problem")).to_contain_text("put it back into the feeder")
    expect(options(page)).to_have_count(1)
    page.locator("#problem").get_by_role("button", name="Try again").click()
    expect(options(page)).to_have_count(3)
    expect(page.locator("#problem")).to_be_hidden()


@pytest.mark.parametrize(
    ("mishap", "told"),
    [
        ("busy=1", "The scanner is busy."),
        ("empty=1", "There is no paper in the feeder."),
        ("cover=1", "The cover is open."),
        ("denied=1", "This user may not use the scanner."),
    ],
)
def test_every_mishap_has_words_of_its_own(page: Page, service: Running, mishap: str, told: str) -> None:
    opened(page, service, f"virtual:adf?{mishap}")
    if "empty" in mishap:  # on its own the scanner would take what lies on the glass
        page.locator("#source").get_by_text("Feeder").click()
    page.locator("#scan").click()
    expect(page.locator("#problem .what")).to_contain_text(told)
    assert len(page.locator("#problem p").nth(1).inner_text()) > 15  # what to do


def test_pages_are_carried_by_the_mouse(page: Page, service: Running) -> None:
    opened(page, service)
    loaded(page, *(picture(600 + 10 * each, 800) for each in range(4)))
    ids = order(page)
    at(page, 1).click()
    at(page, 2).click(modifiers=["Shift"])
    target = at(page, 4).bounding_box()
    assert target
    at(page, 1).hover()
    page.mouse.down()
    page.mouse.move(target["x"] + target["width"] - 4, target["y"] + 60, steps=8)
    expect(page.locator(".load")).to_have_text("2 pages")
    page.mouse.up()
    expect(page.locator("#said")).to_have_text("Moved to place 3 of 4.")
    assert order(page) == [ids[2], ids[3], ids[0], ids[1]]
    tool(page, "undo").click()
    expect(page.locator("#said")).to_have_text("Undone.")
    assert order(page) == ids


def test_ranges_are_selected_removed_and_brought_back_by_the_bar(page: Page, service: Running) -> None:
    opened(page, service)
    loaded(page, *(picture(600, 800 + 10 * each) for each in range(5)))
    ids = order(page)
    page.locator("#pages").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#count")).to_have_text("3 of 5 selected")
    page.keyboard.press("Delete")
    expect(options(page)).to_have_count(2)
    page.locator("#toast-undo").click()
    expect(options(page)).to_have_count(5)
    assert order(page) == ids
    page.keyboard.press("Control+a")
    expect(page.locator("#count")).to_have_text("5 of 5 selected")


def test_a_page_is_cropped_in_the_viewer_by_numbers_and_by_keys(page: Page, service: Running) -> None:
    opened(page, service)
    loaded(page, picture(800, 1000))
    page.locator("#pages").focus()
    page.keyboard.press("Enter")
    page.locator(".viewer [data-tool=crop]").click()
    expect(page.locator(".area")).to_be_visible()
    for name, value in (("left", 20), ("top", 20), ("width", 100), ("height", 120)):
        page.locator(f".viewer [name={name}]").fill(str(value))
        page.locator(f".viewer [name={name}]").press("Tab")
    page.locator(".area").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".area")).to_have_count(0)
    width, height = sizes(page)[0]
    assert abs(width - (100 / 25.4 * 100 + 8)) < 6 and abs(height - 120 / 25.4 * 100) < 6
    page.locator(".viewer [data-tool=undo]").click()
    expect(page.locator("#said")).to_have_text("Undone.")
    assert sizes(page) == [(800, 1000)]
    page.keyboard.press("Escape")
    expect(page.locator("#pages")).to_be_focused()


def test_brightness_and_an_erased_area_change_the_page_and_come_back(page: Page, service: Running) -> None:
    opened(page, service)
    loaded(page, picture(800, 1000))
    at(page, 1).dblclick()
    before = page.locator(".viewer img").get_attribute("src")
    page.locator(".viewer [data-tool=adjust]").click()
    page.locator("#adjust-brightness").fill("40")
    page.locator("#adjust-contrast").fill("-20")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".viewer img")).not_to_have_attribute("src", str(before))
    page.locator(".viewer [data-tool=erase]").click()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".area")).to_have_count(0)
    for _ in range(2):
        page.locator(".viewer [data-tool=undo]").click()
        expect(page.locator(".viewer [data-tool=undo]")).to_have_attribute("aria-disabled", re.compile("true|false"))
    expect(page.locator(".viewer [data-tool=undo]")).to_have_attribute("aria-disabled", "true")
    expect(page.locator(".viewer img")).to_have_attribute("src", str(before))


def test_barcodes_of_a_page_are_read_beside_its_image(page: Page, service: Running) -> None:
    opened(page, service, "virtual:adf?pages=1&document=invoice")
    scan(page)
    at(page, 1).dblclick()
    page.locator(".viewer [data-tool=content]").click()
    expect(page.locator(".codes code").first).to_contain_text(re.compile(r"\w{4,}"))
    page.locator(".viewer [data-tool=over]").click()  # it is read again, as it is now
    expect(page.locator(".codes code").first).to_contain_text(re.compile(r"\w{4,}"))


def test_a_part_of_the_glass_is_scanned_after_a_preview(page: Page, service: Running) -> None:
    opened(page, service, "virtual:flatbed")
    page.locator("#preview").click()
    expect(page.locator(".preview .area")).to_be_visible()
    for name, value in (("left", 50), ("top", 40), ("width", 100), ("height", 80)):
        page.locator(f".preview [name={name}]").fill(str(value))
        page.locator(f".preview [name={name}]").press("Tab")
    page.get_by_role("button", name="Scan this area").click()
    expect(options(page)).to_have_count(1)
    width, height = sizes(page)[0]
    assert abs(width - 100 / 25.4 * 300) < 25 and abs(height - 80 / 25.4 * 300) < 25


def test_a_file_that_is_none_is_refused_in_words(page: Page, service: Running) -> None:
    opened(page, service)
    page.locator("#files").set_input_files([{"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"nonsense"}])
    expect(page.locator("#problem .what")).to_have_text("This file cannot be read.")


def test_files_are_dropped_onto_the_page(page: Page, service: Running) -> None:
    opened(page, service)
    drop = """(bytes) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(bytes)], "a.png", { type: "image/png" }));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(drop, list(picture(300, 400)))
    expect(options(page)).to_have_count(1)
    expect(page.locator("#toast-text")).to_have_text("1 page added.")


def test_documents_that_begin_at_marked_pages_are_saved_apart(page: Page, service: Running, tmp_path: Path) -> None:
    opened(page, service)
    loaded(page, *(picture(600, 800) for _ in range(3)))
    at(page, 3).click()
    tool(page, "divide").click()
    expect(at(page, 3)).to_have_attribute("aria-label", "Page 3 of 3, begins a document")
    page.locator("#save").click()
    downloads: list[Download] = []
    page.on("download", lambda download: downloads.append(download))
    with page.expect_event("download", lambda _: len(downloads) == 2):
        page.locator("dialog").get_by_role("button", name="Save").click()
    expect(page.locator("#toast-text")).to_have_text("2 files saved.")
    counts = []
    for download in sorted(downloads, key=lambda each: each.suggested_filename):
        download.save_as(tmp_path / download.suggested_filename)
        counts.append(len(PdfReader(tmp_path / download.suggested_filename).pages))
    assert counts == [2, 1]


@pytest.mark.parametrize(("form", "magic"), [("tiff", b"II*\0"), ("jpeg", b"\xff\xd8"), ("png", b"\x89PNG")])
def test_pages_are_saved_as_pictures(page: Page, service: Running, tmp_path: Path, form: str, magic: bytes) -> None:
    opened(page, service)
    loaded(page, picture(600, 800))
    saved(page, form).save_as(tmp_path / "file")
    assert (tmp_path / "file").read_bytes().startswith(magic)


@pytest.mark.parametrize("form", ["searchable", "pdfa"])
def test_a_searchable_pdf_has_the_text_of_its_pages_in_their_order(
    page: Page, service: Running, tmp_path: Path, form: str
) -> None:
    if service.tool.get("/api/process/ocr/languages").status_code != 200:
        pytest.skip("no text recognition is installed")
    opened(page, service, "virtual:adf?pages=2&document=letter")
    page.locator("#dpi").select_option("200")
    scan(page)
    page.locator("#pages").focus()
    page.keyboard.press("Home")
    page.keyboard.press("Alt+ArrowRight")
    expect(page.locator("#said")).to_have_text("Moved to place 2 of 2.")
    saved(page, form).save_as(tmp_path / "text.pdf")
    text = subprocess.run(
        [needs("pdftotext"), str(tmp_path / "text.pdf"), "-"], check=True, capture_output=True, text=True
    ).stdout
    first, second = text.split("\f")[:2]
    assert "Serial 000002" in first and "Serial 000001" in second and "Miss Thornbury" in text
    assert (b"pdfaid:part" in (tmp_path / "text.pdf").read_bytes()) is (form == "pdfa")


def test_separator_sheets_part_the_stack_and_can_be_brought_back(page: Page, service: Running, tmp_path: Path) -> None:
    opened(page, service)
    sheet = tmp_path / "sheet.png"
    command = [sys.executable, "-m", "dwtsvc_cli.main", "barcode", "sheet", "-o", str(tmp_path / "sheet.pdf")]
    subprocess.run(command, check=True, capture_output=True, env=environment(tmp_path / "home"), timeout=PATIENCE)
    subprocess.run(
        [
            needs("pdftoppm"),
            "-r",
            "200",
            "-png",
            "-singlefile",
            str(tmp_path / "sheet.pdf"),
            str(sheet.with_suffix("")),
        ],
        check=True,
    )
    loaded(page, picture(800, 1100), sheet.read_bytes(), picture(810, 1100))
    tool(page, "split").click()
    expect(page.locator("#toast-text")).to_have_text("2 documents found.")
    expect(options(page)).to_have_count(2)
    expect(at(page, 2)).to_have_attribute("aria-label", "Page 2 of 2, begins a document")
    page.locator("#toast-undo").click()
    expect(options(page)).to_have_count(3)


def test_two_tabs_show_the_same_pages(context: BrowserContext, page: Page, service: Running) -> None:
    opened(page, service)
    loaded(page, picture(600, 800), picture(610, 800), picture(620, 800))
    other = context.new_page()
    opened(other, service)
    expect(options(other)).to_have_count(3)
    at(page, 1).click()
    tool(page, "remove").click()
    expect(options(other)).to_have_count(2)
    at(other, 2).click()
    other.locator("#pages").press("Alt+ArrowLeft")
    expect(other.locator("#said")).to_have_text("Moved to place 1 of 2.")
    expect(page.locator("#pages [aria-posinset='1']")).to_have_attribute("data-id", order(other)[0])


def test_a_thousand_pages_are_in_the_buffer_and_few_in_the_document(page: Page, service: Running) -> None:
    opened(page, service)
    stack = io.BytesIO()
    sheets = [Image.new("1", (120, 160), 1) for _ in range(250)]
    sheets[0].save(stack, "tiff", save_all=True, append_images=sheets[1:], compression="group4")
    client = page.evaluate("localStorage.getItem('dwtsvc.client')")
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": service.url}
    for _ in range(4):
        answer = service.tool.post(f"/f/LoadFile?id={client}", content=stack.getvalue(), headers=headers)
        assert answer.status_code == 200, answer.text
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/img?" in request.url else None)
    page.reload()
    expect(page.locator("#count")).to_have_text("1,000 pages")
    expect(at(page, 1)).to_be_visible()
    page.wait_for_timeout(500)
    assert options(page).count() < 80 and len(asked) < 80
    page.locator("#pages").focus()
    page.keyboard.press("End")
    expect(at(page, 1000)).to_be_visible()
    expect(at(page, 1000).locator("img")).to_have_attribute("src", re.compile("image="))
    assert options(page).count() < 80 and len(asked) < 250
    page.keyboard.press("Alt+Home")
    expect(page.locator("#said")).to_have_text("Moved to place 1 of 1,000.")


def test_profiles_settings_and_the_look_are_kept(page: Page, service: Running) -> None:
    opened(page, service)
    expect(page.locator("#dpi option", has_text="300 dpi")).to_have_count(1)
    page.locator("#source").get_by_text("Both sides").click()
    page.locator("#mode").get_by_text("Gray").click()
    page.locator("#dpi").select_option("200")
    page.locator("#profile-save").click()
    page.get_by_label("Name of the profile").fill("Letters")
    page.keyboard.press("Enter")
    expect(page.locator("#profile")).to_have_value("mine:Letters")
    page.locator("#profile").select_option("photo")
    expect(page.locator("#dpi")).to_have_value("600")
    page.locator("#theme").click()
    page.locator("#theme").click()
    page.reload()
    expect(page.locator("html[data-theme=dark]")).to_be_attached()
    page.locator("#profile").select_option("mine:Letters")
    expect(page.locator("#dpi")).to_have_value("200")
    expect(page.locator("#source input:checked")).to_have_value("duplex")
    expect(page.locator("#mode input:checked")).to_have_value("gray")


def test_a_list_that_did_not_come_yet_is_not_called_empty(page: Page, service: Running) -> None:
    waiting: list[Route] = []
    page.route("**/f/GetDevices", lambda route: waiting.append(route))
    page.goto(f"{service.url}/scan")
    expect(page.locator("#device")).to_have_text("Looking for scanners…")
    while not waiting:
        page.wait_for_timeout(20)
    waiting.pop().fulfill(json={"result": []})
    expect(page.locator("#device")).to_have_text("No scanner found")


def test_a_scanner_that_vanishes_is_told_and_so_is_none_at_all(page: Page, service: Running) -> None:
    page.goto(f"{service.url}/scan")
    expect(page.locator("#device option")).to_have_count(2)
    page.route("**/f/GetDevices", lambda route: route.fulfill(json={"result": []}))
    page.locator("#look").click()
    expect(page.locator("#device-hint")).to_contain_text("Switch the scanner on")
    expect(page.locator("#scan")).to_be_disabled()
    page.unroute("**/f/GetDevices")
    page.locator("#look").click()
    expect(page.locator("#scan")).to_be_enabled()


def test_a_scanner_that_comes_by_a_better_way_stays_the_chosen_one(page: Page, service: Running) -> None:
    def shown(name: str, *also: str) -> None:
        one = {"id": name, "name": "Acme Paperlight", "virtual": False, "kind": "scanner", "also": also}
        page.unroute("**/f/GetDevices")
        page.route("**/f/GetDevices", lambda route: route.fulfill(json={"result": [one]}))

    shown("sane:airscan:e0:acme")
    page.goto(f"{service.url}/scan")
    expect(page.locator("#device")).to_have_value("sane:airscan:e0:acme")
    shown("escl:acme", "sane:airscan:e0:acme")
    page.locator("#look").click()
    expect(page.locator("#device")).to_have_value("escl:acme")
    expect(page.locator("#device option")).to_have_count(1)
    expect(page.locator("#scan")).to_be_enabled()


def test_a_service_that_is_gone_is_told_and_its_return_finds_all_pages(browser: Browser, home: Path) -> None:
    context = browser.new_context()
    page = context.new_page()
    with serving(home) as first:
        opened(page, first)
        loaded(page, picture(600, 800), picture(610, 800))
        first.kill()
        at(page, 1).click()
        tool(page, "right").click()
        expect(page.locator("#problem .what")).to_have_text("The service does not answer.")
    with serving(home, http_ports=str(first.http)):
        page.locator("#problem").get_by_role("button", name="Try again").click()
        expect(page.locator("#problem")).to_be_hidden()
        expect(tool(page, "undo")).to_have_attribute("aria-disabled", "false")
        assert sizes(page) == [(800, 600), (610, 800)]
    context.close()
