"""Barcodes, blank pages and edits over REST."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import zxingcpp
from PIL import Image

from dwtsvc.imaging import barcode, patchcode
from dwtsvc.server.rest import barcodewords
from tests.server.faces import JOBS, Api, Play, page_urls

TEXT = "DWTSVC-0001"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder that the virtual scanner serves: a page with a barcode, and an empty one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    page = Image.new("L", (850, 1100), 255)
    code = zxingcpp.create_barcode(TEXT, zxingcpp.BarcodeFormat.Code128)
    page.paste(Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=3)), (150, 200))
    page.save(folder / "1.png", dpi=(100, 100))
    Image.new("L", (850, 1100), 255).save(folder / "2.png", dpi=(100, 100))
    return folder


async def sources(client: httpx.AsyncClient, pictures: Path) -> list[str]:
    device = f"virtual:adf?folder={quote(str(pictures))}&skew=0&noise=0"
    made = await client.post(JOBS, json={"device": device, "config": {"Resolution": 100, "PixelType": 1}})
    assert made.status_code == 201, made.text
    return await page_urls(client, made.json()["jobuid"])


def test_a_barcode_is_told_in_both_spellings(play: Play, pictures: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        full, blank = await sources(client, pictures)
        for settings in (None, "BestCoverage", "BestSpeed", "Balance", '{"ImageParameter":{"Name":"any"}}'):
            answer = await client.post("/api/process/read-barcode", json={"source": full, "settings": settings})
            assert answer.status_code == 200, answer.text
            (code,) = answer.json()
            assert code["BarcodeFormat"] == code["barcodeFormat"] == 2 and code["barcodeFormatString"] == "CODE_128"
            assert code["barcodeText"] == TEXT and bytes(code["barcodeBytes"]) == TEXT.encode()
            place = code["LocalizationResult"]
            assert place == code["localizationResult"] and len(place["ResultPoints"]) == 4
            assert place["ResultPoints"][0] == f"{place['x1']}, {place['y1']}" and place["x1"] < place["x2"]
        assert (await client.post("/api/process/read-barcode", json={"source": blank})).json() == []
        for wrong in ("Fastest", "{", "[]"):
            refused = await client.post("/api/process/read-barcode", json={"source": full, "settings": wrong})
            assert refused.status_code == 400

    play(scene)


@pytest.mark.parametrize(("text", "turned"), [("T", False), ("2", False), ("3", True)])
def test_a_patch_code_is_read_by_the_dpi_of_its_page(play: Play, tmp_path: Path, text: str, turned: bool) -> None:
    page = Image.new("L", (583, 827), 255)  # A5 at 100 dpi: as if on A4, its bars would be too wide
    page.paste(patchcode.drawn(text, 100), (190, 60))
    (tmp_path / "sheets").mkdir()
    (page.rotate(180) if turned else page).save(tmp_path / "sheets" / "1.png", dpi=(100, 100))

    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        (sheet,) = await sources(client, tmp_path / "sheets")
        (code,) = (await client.post("/api/process/read-barcode", json={"source": sheet})).json()
        assert (code["barcodeText"], code["type"], code["engine"]) == (text, "patch", "patch")
        assert (code["barcodeFormat"], code["BarcodeFormatString"]) == (0x40000, "PATCHCODE")
        assert code["localizationResult"]["barcodeFormatString"] == "PATCHCODE"
        assert code["localizationResult"]["angle"] == (180 if turned else 0)

    play(scene)


def test_every_type_that_the_protocol_numbers_is_one_that_is_read() -> None:
    assert set(barcodewords.FORMATS) <= set(barcode.TYPES)
    assert len(dict(barcodewords.FORMATS.values())) == len(barcodewords.FORMATS)


def test_a_blank_page_is_told_from_a_full_one(play: Play, pictures: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        full, blank = await sources(client, pictures)

        async def result(source: str, settings: Any = None) -> httpx.Response:
            return await client.post("/api/process/check-blank", json={"source": source, "settings": settings})

        assert (await result(full)).json()["result"] is False
        assert (await result(blank)).json()["result"] is True
        assert (await result(blank, {"minBlockHeight": 5, "maxBlockHeight": 5})).json()["result"] is True
        for wrong in ({"minBlockHeight": 31}, {"minBlockHeight": 0}, {"minBlockHeight": 9, "maxBlockHeight": 8}, 5):
            assert (await result(blank, wrong)).status_code == 400

    play(scene)


def test_a_page_is_edited_into_any_format_and_stays_as_it_is(play: Play, pictures: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        source = (await sources(client, pictures))[0]
        before = (await client.get(source)).content
        size = Image.open(io.BytesIO(before)).size
        for kind, word in (("png", "PNG"), ("jpeg", "JPEG"), ("tiff", "TIFF"), ("webp", "WEBP"), ("bmp", "BMP")):
            steps = [{"name": "rotate", "values": {"degrees": 90}}, {"name": "gray"}]
            body = {"source": source, "steps": steps, "type": f"image/{kind}"}
            made = await client.post("/api/process/edit", json=body)
            assert made.headers["content-type"] == f"image/{kind}"
            image = Image.open(io.BytesIO(made.content))
            assert image.format == word and image.size == size[::-1]
        pdf = await client.post("/api/process/edit", json={"source": source, "type": "application/pdf"})
        assert pdf.content[:5] == b"%PDF-"
        assert (await client.post("/api/process/edit", json={"source": source})).content == before
        assert (await client.get(source)).content == before

    play(scene)


def test_an_edit_that_does_not_exist_is_refused_with_those_that_do(play: Play, pictures: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        source = (await sources(client, pictures))[0]
        for step in (
            {"name": "no-such"},
            {"name": "rotate", "values": {"degrees": "x"}},
            {"name": "crop", "values": {"left": 1e6, "width": 1e6}},
            {"name": "resize", "values": {"width": 1_000_000, "height": 1_000_000}},
        ):
            refused = await client.post("/api/process/edit", json={"source": source, "steps": [step]})
            assert refused.status_code in (400, 413), (step, refused.text)
            assert refused.json()["code"] in (-2113, -2313)
        bodies: list[dict[str, Any]] = [
            {"source": source, "type": "text/html"},
            {"source": source, "steps": [{}] * 101},
            {"steps": []},
        ]
        for body in bodies:
            assert (await client.post("/api/process/edit", json=body)).status_code == 400

    play(scene)


def test_a_source_that_is_gone_is_told(play: Play, pictures: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        source = (await sources(client, pictures))[0]
        await client.delete(source.partition("/next-page")[0])
        for path in ("read-barcode", "check-blank", "edit"):
            gone = await client.post(f"/api/process/{path}", json={"source": source})
            assert gone.status_code == 410 and gone.json()["code"] == -1034

    play(scene)


def test_the_log_level_is_changed_and_others_are_refused(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        assert (await client.get("/api/server")).json() == {"logLevel": 1}
        assert (await client.patch("/api/server", json={"logLevel": 14})).json() == {"logLevel": 14}
        assert (await client.get("/api/server")).json() == {"logLevel": 14}
        for wrong in ({"logLevel": 2}, {"logLevel": "1"}, {}, {"logLevel": None}):
            assert (await client.patch("/api/server", json=wrong)).status_code == 400
        version = (await client.get("/api/server/version")).json()
        assert version["compatible"] is True and version["version"].isdigit() and version["moduleVersions"]["core"]
        status = (await client.get("/api/server/status")).json()
        assert status["version"] and json.dumps(status)
        assert (await client.patch("/api/server", json={"logLevel": 1})).status_code == 200

    play(scene)
