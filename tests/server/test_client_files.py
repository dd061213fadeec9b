"""The files of dwtsvc.js: small, typed, served to every page, kept by browsers, and the same in the npm package."""

from __future__ import annotations

import fnmatch
import gzip
import io
import json
import os
import re
import subprocess
import tarfile
import tomllib
from pathlib import Path

import httpx
import pytest

from dwtsvc.server.pages import CLIENT, client_files
from dwtsvc.version import __version__
from tests.certs.rig import needs
from tests.server.faces import PATIENCE, Served

ROOT = Path(__file__).parents[2]
NAMES = [path.relative_to(CLIENT).as_posix() for path in client_files()]
FOREIGN = {"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
KIB = 1024


def loaded(name: str) -> set[str]:
    """The modules that a page loads with this one, before it calls anything."""
    text = re.sub(r"/\*\*.*?\*/", "", (CLIENT / name).read_text("utf-8"), flags=re.DOTALL)
    named = re.findall(r'^(?:import|export) .*?from "(\./[^"]+)"', text, re.MULTILINE)
    below = [(Path(name).parent / each).as_posix() for each in named]
    return {name}.union(*(loaded(each) for each in below))


def get(served: Served, name: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{served.url}/{name}", headers={**FOREIGN, **headers}, timeout=PATIENCE)


def test_the_core_has_at_most_40_kib_and_12_kib_gzipped() -> None:
    files = {name: (CLIENT / name).read_bytes() for name in loaded("dwtsvc.js")}
    assert "dwtsvc/service.js" in files and "dwtsvc/prompt.js" not in files
    assert sum(map(len, files.values())) <= 40 * KIB
    assert sum(len(gzip.compress(each, 9)) for each in files.values()) <= 12 * KIB


def test_what_the_core_loads_later_and_what_it_never_loads_is_there_too() -> None:
    text = re.sub(r"/\*\*.*?\*/", "", (CLIENT / "dwtsvc.js").read_text("utf-8"), flags=re.DOTALL)
    later = set(re.findall(r'import\("(\./[^"]+)"\)\)?\.', text))
    assert later == {"./dwtsvc/prompt.js", "./dwtsvc/upload.js"} and all((CLIENT / each).is_file() for each in later)


def test_no_module_needs_another_server_or_evaluates_text() -> None:
    for path in CLIENT.rglob("*.js"):
        text = path.read_text("utf-8")
        assert not re.search(r"\beval\b|new Function|innerHTML|document\.write|style=", text), path.name
        assert set(re.findall(r"https?://[\w.-]+", text)) <= {"http://127.0.0.1", "https://pypi.org"}, path.name


@pytest.mark.parametrize("name", NAMES)
def test_any_page_may_load_a_file_with_its_type(running: Served, name: str) -> None:
    answer = get(running, name)
    media = "application/typescript" if name.endswith(".ts") else "text/javascript"
    assert answer.status_code == 200 and answer.content == (CLIENT / name).read_bytes()
    assert answer.headers["content-type"].partition(";")[0] == media
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_browser_may_keep_a_file_for_ever_only_under_its_version(running: Served) -> None:
    for_ever = "public, max-age=31536000, immutable"
    assert get(running, f"dwtsvc.js?v={__version__}").headers["cache-control"] == for_ever
    for other in ("dwtsvc.js", "dwtsvc.js?v=", "dwtsvc.js?v=0.0.1"):
        assert get(running, other).headers["cache-control"] == "public, no-cache"


def test_a_file_that_is_still_the_same_is_not_sent_again(running: Served) -> None:
    tag = get(running, "dwtsvc.js").headers["etag"]
    again = get(running, "dwtsvc.js", **{"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert again.headers["access-control-allow-origin"] == "*"
    assert get(running, "dwtsvc.js", **{"If-None-Match": '"another"'}).status_code == 200
    assert get(running, "dwtsvc-webtwain.js").headers["etag"] != tag


def test_nothing_else_of_that_folder_is_served(running: Served) -> None:
    for name in ("js/dwtsvc.js", "dwtsvc/", "dwtsvc/nothing.js", "dwtsvc/..%2fconsent.html"):
        assert get(running, name).status_code in (400, 403, 404), name


def test_the_wheel_takes_every_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["dwtsvc"]
    for path in client_files():
        name = path.relative_to(ROOT / "dwtsvc").as_posix()
        assert any(fnmatch.fnmatch(name, each) and name.count("/") == each.count("/") for each in patterns), name


# ---- what needs npm ----


def npm(*command: str) -> str:
    """Run a script of packaging/npm; skip on a machine that cannot get TypeScript."""
    needs("npm")
    done = subprocess.run(["sh", *command], cwd=ROOT, capture_output=True, text=True, timeout=110)
    if done.returncode and "npm error" in done.stderr and not os.environ.get("CI"):
        pytest.skip("the npm registry cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_modules_pass_the_strict_checks_and_their_types_are_the_ones_checked_in(tmp_path: Path) -> None:
    npm("packaging/npm/types", str(tmp_path))
    made = {path.relative_to(tmp_path).as_posix(): path.read_text("utf-8") for path in tmp_path.rglob("*.d.ts")}
    kept = {name: (CLIENT / name).read_text("utf-8") for name in NAMES if name.endswith(".d.ts")}
    assert set(made) == set(kept) == {name.replace(".js", ".d.ts") for name in NAMES if name.endswith(".js")}
    assert made == kept, "Run `make types`."


def test_a_wrong_type_in_a_page_is_found_by_the_types_that_are_shipped(tmp_path: Path) -> None:
    npm("packaging/npm/types", str(tmp_path / "checked"))
    page = 'import { connect } from "CLIENT/dwtsvc.js";\nconst service = await connect();\n'
    right = 'for await (const page of await service.scan({ mode: "gray" })) page.width.toFixed();\nexport {};\n'
    for name, more in {"right": right, "wrong": right.replace("gray", "grey")}.items():
        (tmp_path / f"{name}.ts").write_text((page + more).replace("CLIENT", str(CLIENT)))
    checked = {
        name: subprocess.run(
            [
                *(str(ROOT / "build/typescript/node_modules/.bin/tsc"), "--noEmit", "--strict", "--target", "es2022"),
                *("--module", "es2022", "--moduleResolution", "bundler", "--types", "", str(tmp_path / f"{name}.ts")),
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
        for name in ("right", "wrong")
    }
    assert checked["right"].returncode == 0, checked["right"].stdout
    assert '"grey"' in checked["wrong"].stdout and checked["wrong"].returncode != 0


def test_the_npm_package_holds_the_same_files_under_the_same_version() -> None:
    needs("npm")
    archive = ROOT / "dist" / npm("packaging/npm/pack").strip().splitlines()[-1]
    with tarfile.open(archive) as packed:
        files = {each.name.removeprefix("package/"): packed.extractfile(each) for each in packed if each.isfile()}
        held = {name: (content or io.BytesIO()).read() for name, content in files.items()}
    about = json.loads(held.pop("package.json"))
    assert (about["name"], about["version"], about["license"]) == ("dwtsvc", __version__, "MIT")
    assert set(held) == {*NAMES, "LICENSE", "README.md"}
    assert all(held[name] == (CLIENT / name).read_bytes() for name in NAMES)
    named = json.dumps(about["exports"])
    assert set(re.findall(r'"\./([\w./-]+\.(?:d\.ts|js))"', named)) <= set(NAMES)
