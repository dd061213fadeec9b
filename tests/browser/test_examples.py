"""Every example of docs/examples does what it promises: pages in Chromium, programs against the running service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from dwtsvc.server.pages import CLIENT
from tests.browser.client_site import Site, allow, options, site
from tests.browser.rig import Running, serving
from tests.certs.rig import needs

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
PACKAGES = ["react@19.2.0", "react-dom@19.2.0", "vue@3.5.22", "esbuild@0.25.11"]
# How an application would use the component; `dwtsvc` is the npm package.
MOUNT = {
    "react.jsx": """import { createRoot } from "react-dom/client";
import { Scanner } from "./react.jsx";
createRoot(document.querySelector("main")).render(
  <Scanner options={OPTIONS} onSaved={(file) => { document.title = file.type; }} />);
""",
    "vue.js": """import { createApp, h } from "vue";
import { Scanner } from "./vue.js";
const onSaved = (file) => { document.title = file.type; };
createApp({ render: () => h(Scanner, { options: OPTIONS, onSaved }) }).mount("main");
""",
}


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Running]:
    """A service whose feeder is full."""
    with serving(tmp_path / "home", device="virtual:adf") as running:
        yield running


@pytest.fixture
def shop(fresh: Running) -> Iterator[Site]:
    """The examples know the usual ports, the test's service has others: the site serves them with those."""
    with site() as made:
        made.folders.append(EXAMPLES)
        made.stand_for(fresh)
        yield made


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with React, Vue, a bundler, and dwtsvc as an application would install it."""
    needs("npm")
    folder = tmp_path_factory.mktemp("packages")
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), *PACKAGES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    if done.returncode:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"npm could not install: {done.stderr}")
    return folder


def test_a_short_page_scans_and_shows_the_pages(page: Page, fresh: Running, shop: Site) -> None:
    page.goto(f"{shop.url()}/scan.html")
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Scan").click()
    opened.value.get_by_role("button", name="Allow once").click()
    expect(page.locator("img")).to_have_count(2)


def test_what_goes_wrong_is_told_on_the_page_until_the_next_scan(page: Page, tmp_path: Path) -> None:
    with serving(tmp_path / "home", device="virtual:adf?jam=2") as jammed, site() as shop:
        shop.folders.append(EXAMPLES)
        shop.stand_for(jammed)
        allow(jammed, shop.url())
        page.goto(f"{shop.url()}/scan.html")
        told = page.get_by_role("alert")
        page.get_by_role("button", name="Scan").click()
        expect(told).to_contain_text("The paper is jammed")
        expect(told).to_contain_text("Take the sheet out")
        page.get_by_role("button", name="Scan").click()
        expect(told).to_be_empty()
        expect(page.locator("img")).to_have_count(3)


def test_the_same_page_without_a_service_says_what_is_missing(page: Page, fresh: Running, shop: Site) -> None:
    fresh.kill()
    page.goto(f"{shop.url('127.0.0.1')}/scan.html")
    page.get_by_role("button", name="Scan").click()
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("was not found on this computer")


def test_the_rest_api_is_enough_to_scan_from_a_page(page: Page, fresh: Running, shop: Site) -> None:
    allow(fresh, shop.url(), ("scan", "read"))
    page.goto(f"{shop.url()}/rest.html")
    page.get_by_role("button", name="Scan").click()
    expect(page.locator("img")).to_have_count(2)
    assert fresh.tool.get("/api/device/scanners/jobs").json() == []


@pytest.mark.parametrize("name", ["react.jsx", "vue.js"])
def test_a_component_scans_turns_and_saves(page: Page, fresh: Running, shop: Site, packages: Path, name: str) -> None:
    allow(fresh, shop.url())
    (packages / name).write_text((EXAMPLES / name).read_text())
    (packages / "main.jsx").write_text(MOUNT[name].replace("OPTIONS", json.dumps(options(fresh))))
    bundled = packages / "bundled"
    command = [str(packages / "node_modules/.bin/esbuild"), str(packages / "main.jsx"), "--bundle", "--format=esm"]
    command += ["--splitting", f"--outdir={bundled}", "--jsx=automatic", '--define:process.env.NODE_ENV="production"']
    command += [
        f"--alias:dwtsvc={CLIENT / 'dwtsvc.js'}",
        "--alias:vue=vue/dist/vue.esm-bundler.js",
        "--log-level=error",
    ]
    subprocess.run(command, check=True, timeout=60, cwd=packages)
    shop.folders.insert(0, bundled)
    (bundled / "component.html").write_text(
        '<!doctype html><title>x</title><main></main><script type="module" src="/main.js"></script>'
    )
    page.goto(f"{shop.url()}/component.html")
    page.get_by_role("button", name="Scan").click()
    expect(page.locator("img")).to_have_count(2)
    first = page.get_by_role("img", name="Page 1")
    expect(first).to_have_js_property("complete", True)
    before = first.get_attribute("src") or ""
    page.get_by_role("button", name="Rotate page 1").click()
    expect(first).not_to_have_attribute("src", before)
    page.get_by_role("button", name="Save").click()
    expect(page).to_have_title("application/pdf")


@pytest.mark.parametrize(("name", "program"), [("scan.py", sys.executable), ("scan.sh", "sh")])
def test_a_program_scans_to_files(tmp_path: Path, fresh: Running, name: str, program: str) -> None:
    if name.endswith(".sh"):
        needs("curl"), needs("jq")
    environment = {**os.environ, "DWTSVC_URL": fresh.url}
    work = tmp_path / "work"
    work.mkdir()
    subprocess.run([program, str(EXAMPLES / name)], cwd=work, env=environment, check=True, timeout=60)
    assert sorted(path.name for path in work.iterdir()) == ["page-1.jpg", "page-2.jpg"]
    assert {Image.open(path).format for path in work.iterdir()} == {"JPEG"}
    assert fresh.tool.get("/api/device/scanners/jobs").json() == []
