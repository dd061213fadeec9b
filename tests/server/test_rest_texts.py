"""Text over REST: read by real tesseract from a virtual scanner's page, as words, files, and in searchable PDFs."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from pypdf import PdfReader

from tests.server.faces import DOCUMENTS, Api, Play, Served, page_urls, scanned

OCR = "/api/process/ocr"
DEVICE = "virtual:adf?pages=2&seed=3"
PDFA = "http://www.aiim.org/pdfa/ns/id/"


@pytest.fixture(autouse=True, scope="module")
def programs() -> None:
    for program in ("tesseract", "pdftotext"):
        if not shutil.which(program):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")


async def sources(client: httpx.AsyncClient, dpi: int = 150, device: str = DEVICE) -> list[str]:
    job = await scanned(client, device=device, config={"Resolution": dpi, "PixelType": 1})
    return await page_urls(client, job)


async def document_of(client: httpx.AsyncClient, urls: list[str], **headers: str) -> str:
    body = {"password": headers["DWT-DOC-PASSWORD"]} if headers else {}
    uid = str((await client.post(DOCUMENTS, json=body)).json()["uid"])
    for url in urls:
        put = await client.post(f"{DOCUMENTS}/{uid}/pages", json={"source": url}, headers=headers)
        assert put.status_code == 200, put.text
    return uid


def words_of(file: bytes, folder: Path) -> list[str]:
    """The words that pdftotext finds."""
    path = folder / "found.pdf"
    path.write_bytes(file)
    said = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, text=True, check=True, timeout=30)
    return re.findall(r"[A-Za-z]{4,}", said.stdout)


def events_of(text: str) -> list[tuple[str, Any]]:
    found = re.findall(r"^event: (\w+)\ndata: (.*)\n\n", text, re.MULTILINE)
    return [(name, json.loads(data)) for name, data in found]


def test_words_are_told_with_their_places_and_how_sure_they_are(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        source = (await sources(client))[0]
        size = Image.open(io.BytesIO((await client.get(source)).content)).size
        answer = await client.post(OCR, json={"source": source})
        assert answer.status_code == 200, answer.text
        (page,) = answer.json()["pages"]
        assert (page["width"], page["height"]) == size and page["languages"] == "eng" and page["confidence"] > 60
        words = [word for line in page["lines"] for word in line["words"]]
        assert len(words) > 20
        for word in words:
            left, top, right, bottom = word["box"]
            assert 0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]

    play(scene)


def test_each_format_is_a_file_of_its_kind(play: Play, tmp_path: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        source = (await sources(client))[0]

        async def read(format: str) -> httpx.Response:
            made = await client.post(OCR, json={"source": source, "settings": {"format": format}})
            assert made.status_code == 200, made.text
            return made

        page = (await read("json")).json()["pages"][0]
        word = max(
            (word["text"] for line in page["lines"] for word in line["words"] if word["text"].isalpha()), key=len
        )
        for format, kind, mark in (
            ("text", "text/plain", word),
            ("hocr", "text/vnd.hocr+html", "ocrx_word"),
            ("alto", "application/xml", "<alto"),
            ("tsv", "text/tab-separated-values", "level\tpage_num"),
        ):
            made = await read(format)
            assert made.headers["content-type"].split(";")[0] == kind and mark in made.text and word in made.text
        pdf = await read("pdf")
        assert pdf.headers["content-type"] == "application/pdf" and word in words_of(pdf.content, tmp_path)

    play(scene)


def test_a_page_on_its_side_is_turned_before_it_is_read(play: Play, tmp_path: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        upright = (await sources(client, 200))[0]
        turned = Image.open(io.BytesIO((await client.get(upright)).content)).rotate(90, expand=True)
        folder = tmp_path / "turned"
        folder.mkdir()
        turned.save(folder / "1.png", dpi=(200, 200))
        source = (await sources(client, 200, f"virtual:adf?folder={folder}&skew=0&noise=0"))[0]

        async def words(**settings: Any) -> set[str]:
            made = await client.post(OCR, json={"source": source, "settings": {"format": "text", **settings}})
            assert made.status_code == 200, made.text
            return set(re.findall(r"[A-Za-z]{5,}", made.text))

        right = await client.post(OCR, json={"source": upright, "settings": {"format": "text"}})
        known = set(re.findall(r"[A-Za-z]{5,}", right.text))
        found = await words(rotate=True)
        assert len(known & found) > len(known) / 2 > len(known & await words())
        pdf = await client.post(OCR, json={"source": source, "settings": {"format": "pdf", "rotate": True}})
        box = PdfReader(io.BytesIO(pdf.content)).pages[0].mediabox
        assert box.height > box.width and len(known & set(words_of(pdf.content, tmp_path))) > len(known) / 2

    play(scene)


def test_what_cannot_be_read_is_refused_and_says_what_to_install(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        source = (await sources(client, 50))[0]

        async def refused(settings: Any) -> httpx.Response:
            return await client.post(OCR, json={"source": source, "settings": settings})

        missing = await refused({"language": "eng+tlh"})
        assert missing.status_code == 501 and missing.json()["error"] == "missing-dependency"
        assert "tlh" in missing.json()["message"] and "install" in missing.json()["message"].lower()
        for wrong in ({"language": "../eng"}, {"language": "-c x"}, {"psm": 0}, {"psm": 99}, {"format": "docx"}, 5):
            assert (await refused(wrong)).status_code == 400, wrong
        uid = await document_of(client, [source])
        content = f"{DOCUMENTS}/{uid}/content"
        assert (await client.get(content, params={"ocr": "tlh"})).status_code == 501
        for query in (
            {"ocr": "eng", "type": "image/tiff"},
            {"pdfa": "2b", "type": "image/tiff"},
            {"pdfa": "1b"},
            {"pdfa": "2b", "password": "x"},
            {"pdfa": "2b", "creator": "x"},
            {"pdfa": "2b", "version": "1.4"},
            {"pdfa": "2b", "pageType": "2"},
        ):
            assert (await client.get(content, params=query)).status_code == 400, query

    play(scene)


def test_without_the_engine_the_answer_is_how_to_install_it(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        source = (await sources(client, 50))[0]
        monkeypatch.setenv("PATH", "/nowhere")
        for answer in (await client.post(OCR, json={"source": source}), await client.get(f"{OCR}/languages")):
            assert answer.status_code == 501 and "install" in answer.json()["message"].lower()

    play(scene)


def test_the_languages_are_listed(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        told = (await client.get(f"{OCR}/languages")).json()
        assert "eng" in told["languages"] and "osd" not in told["languages"] and told["default"] == "eng"
        assert told["engines"]["tesseract"]

    play(scene)


def test_a_document_is_exported_so_that_it_can_be_searched(play: Play, tmp_path: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        urls = await sources(client)
        headers = {"DWT-DOC-PASSWORD": "secret"}
        content = f"{DOCUMENTS}/{await document_of(client, urls, **headers)}/content"
        plain = await client.get(content, headers=headers)
        found = await client.get(f"{content}?ocr=eng+fra", headers=headers)  # the plus is a blank in a URL
        assert found.status_code == 200, found.text
        assert not words_of(plain.content, tmp_path) and len(words_of(found.content, tmp_path)) > 40
        one = await client.get(content, params={"ocr": "eng", "pages": "1"}, headers=headers)
        assert len(PdfReader(io.BytesIO(one.content)).pages) == 1 and len(words_of(one.content, tmp_path)) > 20

    play(scene)


def _text_of(node: Any) -> str:
    return str(node.value if node.nodeType == node.ATTRIBUTE_NODE else node.firstChild.data)


def test_a_document_is_exported_as_pdfa(play: Play, tmp_path: Path) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        content = f"{DOCUMENTS}/{await document_of(client, await sources(client, 75))}/content"
        for level, part in (("2b", "2"), ("3b", "3")):
            made = await client.get(content, params={"pdfa": level, "ocr": "eng", "title": "Letters", "keyWords": "a"})
            assert made.status_code == 200, made.text
            reader = PdfReader(io.BytesIO(made.content))
            said = reader.xmp_metadata
            assert said is not None and reader.metadata is not None
            claim = {each.localName: _text_of(each) for each in said.get_nodes_in_namespace("", PDFA)}
            assert claim == {"part": part, "conformance": "B"}
            assert reader.metadata.title == "Letters" and reader.metadata["/Keywords"] == "a"
            assert words_of(made.content, tmp_path)

    play(scene)


def test_a_page_is_read_once_for_the_life_of_the_service(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        content = f"{DOCUMENTS}/{await document_of(client, await sources(client, 100))}/content"
        calls = []
        run = api.service.confined.run

        def counted(*arguments: Any, **named: Any) -> Any:
            calls.append(arguments[1].__name__)
            return run(*arguments, **named)

        monkeypatch.setattr(api.service.confined, "run", counted)
        first = await client.get(content, params={"ocr": "eng"})
        assert calls == ["developed"] * 2
        again = await client.get(content, params={"ocr": "eng", "pages": "1,0"})
        assert again.status_code == first.status_code == 200 and calls == ["developed"] * 2
        assert (await client.get(content, params={"ocr": "fra"})).status_code == 200
        assert calls == ["developed"] * 4

    play(scene)


def test_progress_is_told_as_events_and_then_the_result(running: Served, tmp_path: Path) -> None:
    """With a real client against the real service, and curl as the second."""
    with httpx.Client(base_url=running.url, timeout=60) as client:
        job = client.post("/api/device/scanners/jobs", json={"device": DEVICE, "config": {"Resolution": 100}}).json()
        urls = []
        while (told := client.get(f"/api/device/scanners/jobs/{job['jobuid']}/next-page-info")).status_code == 200:
            urls.append(told.json()[0]["url"])
        uid = client.post(DOCUMENTS, json={}).json()["uid"]
        for url in urls:
            client.post(f"{DOCUMENTS}/{uid}/pages", json={"source": url}).raise_for_status()
        accept = {"accept": "text/event-stream"}
        with client.stream("GET", f"{DOCUMENTS}/{uid}/content?ocr=eng", headers=accept) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            events = events_of("".join(stream.iter_text()))
        assert events[:-1] == [("progress", {"page": page, "pages": 2}) for page in (1, 2)]
        name, result = events[-1]
        assert name == "result" and len(words_of(client.get(result["url"]).content, tmp_path)) > 20
        said = client.post(OCR, json={"source": urls[0]}, headers=accept)
        assert [name for name, _ in events_of(said.text)] == ["progress", "result"]
        assert events_of(said.text)[-1][1] == client.post(OCR, json={"source": urls[0]}).json()
    by_curl = subprocess.run(
        ["curl", "-fsN", "-H", "Accept: text/event-stream", f"{running.url}{DOCUMENTS}/{uid}/content?ocr=eng"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert events_of(by_curl.stdout) == events


def test_what_goes_wrong_once_events_flow_is_the_last_of_them(play: Play) -> None:
    async def scene(api: Api, client: httpx.AsyncClient) -> None:
        source = (await sources(client, 50))[0]
        for page in api.service.store.root.glob("*/page-*"):
            page.unlink()
        said = await client.post(
            "/api/process/split", json={"sources": [source]}, headers={"accept": "text/event-stream"}
        )
        assert said.status_code == 200
        ((name, error),) = events_of(said.text)
        assert name == "error" and error["error"] == "page-damaged" and error["statusCode"] == 500

    play(scene)
