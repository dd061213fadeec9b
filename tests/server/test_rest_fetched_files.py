"""What another site sends as a page is a stranger's file: read where it can be, else the error object, never a 5xx."""

from __future__ import annotations

import io

import httpx
import pytest
from PIL import Image

from dwtsvc.server import fetch
from tests.end_to_end.test_odd_inputs import looks_right, turned
from tests.faults.badfiles import BAD_IMAGES, mutated
from tests.server.faces import Api, Play
from tests.server.test_rest_bad_input import problem

PROCESS = "/api/process"
SLOW = {"many-directories.tiff", "dpi-72.jpg"}
FILES = {name: make for name, make in BAD_IMAGES.items() if name not in SLOW}
UNREADABLE = {"bomb-too-large.png", "half.jpg", "huge.tiff", "no-pixels.png", "lying.webp", "words.pgm", "empty.png"}
UNREADABLE |= {"larger-than-its-data.jpg"}


def site(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> None:
    """Another site, which sends these files by their names."""
    monkeypatch.setattr(fetch, "fetch", lambda url, allowed: files[url.rpartition("/")[2]])


def test_hostile_pictures_of_another_site_are_read_or_refused(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {name: make() for name, make in FILES.items()} | dict(mutated(5, 30))
    site(monkeypatch, files)

    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        for number, name in enumerate(files):
            call = ("read-barcode", "check-blank")[number % 2]
            answer = await client.post(f"{PROCESS}/{call}", json={"source": f"https://scans.example/{name}"})
            if answer.status_code != 200 or name in UNREADABLE:
                assert problem(answer, 422)["error"] == "bad-input"
        assert len(api.service.confined.children) == 1

    play(scene, fetch_sources=True)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_picture_that_its_exif_turns_is_taken_upright(
    play: Play, monkeypatch: pytest.MonkeyPatch, orientation: int
) -> None:
    site(monkeypatch, {"a.jpg": turned(orientation)})

    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        asked = {"source": "https://scans.example/a.jpg", "steps": [], "type": "image/png"}
        made = await client.post(f"{PROCESS}/edit", json=asked)
        assert made.status_code == 200, made.text
        assert looks_right(Image.open(io.BytesIO(made.content)))

    play(scene, fetch_sources=True)
