"""One road: the same virtual scan has the same pixels whichever face asked for it."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image, ImageChops

from tests.server.faces import JOBS, Served

DEVICE = "virtual:adf?pages=1&seed=3"
MODES = {"color": 2, "gray": 1, "lineart": 0}
DPI = 100


def by_command(folder: Path, mode: str) -> Image.Image:
    environment = {**os.environ, "DWTSVC_HOME": str(folder / "home")}
    words = ["scan", "-d", DEVICE, "-r", str(DPI), "--mode", mode, "--source", "feeder", "-o", "page.png"]
    subprocess.run(
        [sys.executable, "-m", "dwtsvc_cli.main", *words], cwd=folder, env=environment, check=True, timeout=60
    )
    return Image.open(folder / "page.png")


def by_rest(running: Served, mode: str) -> Image.Image:
    config = {"PixelType": MODES[mode], "Resolution": DPI, "IfFeederEnabled": True}
    with httpx.Client(base_url=running.url, timeout=60) as client:
        # Another name for each mode: a virtual feeder that stays open stays empty.
        body = {"device": f"{DEVICE}&slow=0.00{MODES[mode]}", "config": config}
        job = client.post(JOBS, json=body).json()["jobuid"]
        page = client.get(f"{JOBS}/{job}/next-page")
        client.delete(f"{JOBS}/{job}")
    return Image.open(io.BytesIO(page.content))


@pytest.mark.parametrize("mode", MODES)
def test_the_command_and_the_rest_api_give_the_same_pixels(running: Served, tmp_path: Path, mode: str) -> None:
    one, other = by_command(tmp_path, mode), by_rest(running, mode)
    assert one.mode == other.mode and one.size == other.size
    assert ImageChops.difference(one, other).getbbox() is None
    assert one.info["dpi"] == other.info["dpi"]
