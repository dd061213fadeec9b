"""docs/browser.md and docs/migrate.md: their snippets run in a page, and their tables name what there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from dwtsvc.server.pages import CLIENT
from tests.browser.client_site import Site, allow, site, wait
from tests.browser.rig import Running, serving

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```js\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = """const said = [];
console.log = (...texts) => said.push(texts);
window.said = said;
try {
  await import("/snippets.js");
  window.done = "all of it";
} catch (error) {
  window.done = `${error.name} ${error.code ?? ""}: ${error.message} ${error.stack}`;
}
"""


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path / "home", device="virtual:adf") as running:
        yield running


@pytest.fixture
def shop(fresh: Running, tmp_path: Path) -> Iterator[Site]:
    with site() as made:
        made.folders.append(tmp_path)
        made.script = RUN
        made.stand_for(fresh)
        yield made


@pytest.mark.parametrize(("document", "uploads"), [("browser.md", 4), ("migrate.md", 0)])
def test_the_snippets_of_a_document_run_one_after_another(
    page: Page, fresh: Running, shop: Site, tmp_path: Path, document: str, uploads: int
) -> None:
    snippets = BLOCK.findall((DOCS / document).read_text("utf-8"))
    assert snippets
    (tmp_path / "snippets.js").write_text("\n".join(snippets))
    allow(fresh, shop.url())
    page.goto(shop.url())
    wait(page, "window.done")
    assert page.evaluate("window.done") == "all of it", page.evaluate("window.said")
    assert len(page.evaluate("window.said")) >= len(snippets) and len(shop.uploads) == uploads


def test_the_first_page_of_the_document_is_the_example() -> None:
    shown = re.search(r"^```html\n(.*?)^```$", (DOCS / "browser.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert shown and shown[1] == (DOCS / "examples" / "scan.html").read_text("utf-8")


def names(module: str, kind: str) -> set[str]:
    """The public members of a class, from its declaration."""
    text = (CLIENT / module).read_text("utf-8").partition(f"class {kind} ")[2].partition("\n}")[0]
    return set(re.findall(r"^    (?:/\*\*.*?\*/ )?(?:get |set )?(\w+)[(<:?;]", text, re.MULTILINE)) - {"constructor"}


def test_every_known_name_is_in_the_table_and_every_name_of_the_table_is_there() -> None:
    table = (DOCS / "migrate.md").read_text("utf-8").partition("<!-- names -->")[2].partition("<!-- /names -->")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    ours = names("dwtsvc-webtwain.d.ts", "WebTwain") - {"service", "buffer"}
    assert len(ours) > 60 and told == ours | {"CreateDWTObjectEx"}
    members = names("dwtsvc/buffer.d.ts", "Buffer")
    assert {name for row in rows for name in re.findall(r"`buffer\.(\w+)", row[2])} <= members
    events = set(re.findall(r"#tell\(\"(\w+)\"", (CLIENT / "dwtsvc-webtwain.js").read_text("utf-8")))
    assert set(re.findall(r"`(On\w+)`", table)) == events


def test_the_table_of_the_buffer_names_every_method() -> None:
    text = (DOCS / "browser.md").read_text("utf-8")
    table = text.partition("| What | Methods |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`(\w+)`", table))
    assert told == names("dwtsvc/buffer.d.ts", "Buffer") - {"id", "images", "look", "indices"}


def test_the_table_of_causes_names_every_cause() -> None:
    known = set(re.findall(r'^  "([\w-]+)": \[', (CLIENT / "dwtsvc/texts.js").read_text("utf-8"), re.MULTILINE))
    text = (DOCS / "browser.md").read_text("utf-8")
    causes = text.partition("### When there is no service")[2].partition("### The dialog")[0]
    told = set(re.findall(r"^\| `([\w-]+)`", causes, re.MULTILINE))
    told.remove("code")  # the head of the table
    assert told <= known and known - told == {"not-supported", "connection-lost", "upload-failed"}
