"""docs/rest-api.md says what is true: its curl lines are run against the real service, and it names every call."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest
from PIL import Image

from dwtsvc import errors
from tests.server.faces import Served

DOCUMENT = Path(__file__).parents[2] / "docs" / "rest-api.md"
TEXT = DOCUMENT.read_text("utf-8")
EXAMPLES = re.findall(r"^```bash\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_examples_run_in_their_order(running: Served, tmp_path: Path) -> None:
    for program in ("curl", "jq"):
        if not shutil.which(program):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")
    script = "\n".join(EXAMPLES)
    environment = {**os.environ, "API": f"{running.url}/api"}
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for name, kind in (("first.png", "PNG"), ("page.jpg", "JPEG"), ("turned.jpg", "JPEG"), ("old.png", "PNG")):
        assert Image.open(tmp_path / name).format == kind
    assert (tmp_path / "letters.pdf").read_bytes()[:5] == b"%PDF-"
    assert Image.open(tmp_path / "letters.tiff").format == "TIFF"


def described(running: Served) -> set[tuple[str, str]]:
    """Every call of the REST API that the OpenAPI document knows, parameters taken out."""
    document = httpx.get(f"{running.url}/schema/openapi.json", timeout=60).json()
    paths = {path: methods for path, methods in document["paths"].items() if path.startswith(("/api/", "/DWTAPI/"))}
    return {(method.upper(), re.sub(r"\{\w+\}", "{}", path)) for path, methods in paths.items() for method in methods}


def test_the_document_names_every_call_and_no_other(running: Served) -> None:
    named = set()
    for method, path in re.findall(r"`(GET|POST|PATCH|DELETE) ([^`? ]+)[^`]*`", TEXT):
        whole = path.replace("...", "/device/scanners/jobs/{}", 1) if path.startswith("...") else path
        whole = whole if whole.startswith("/DWTAPI") else f"/api{whole}"
        named.add((method, re.sub(r"\{\w*\}", "{}", whole)))
    assert named == described(running)


def test_the_table_of_errors_is_right() -> None:
    known = {(each.http_status, each.service_code) for each in errors.tree()}
    rows = {(int(status), int(code)) for status, code in re.findall(r"^\| (\d{3}) \| (-\d+) \|", TEXT, re.MULTILINE)}
    assert rows and rows <= known
