"""Reading by the classic protocol: our own methods, and OCRPro as far as it was published, with real tesseract."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.server.test_classic import OTHER, SITE, Page, page, pages, picture

__all__ = ["page", "pages"]

FIRST, SECOND = "Quarterly report", "Invoice number"


@pytest.fixture(autouse=True, scope="module")
def programs() -> None:
    for program in ("tesseract", "pdftotext"):
        if not shutil.which(program):
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed")


def written(*lines: str) -> Image.Image:
    """A page of text, a line every 200 pixels."""
    image = Image.new("L", (1000, 200 * len(lines) + 100), 255)
    font = ImageFont.load_default(48)
    for row, line in enumerate(lines):
        ImageDraw.Draw(image).text((80, 80 + 200 * row), line, fill=0, font=font)
    image.info["dpi"] = (200, 200)
    return image


def pdf_text(file: bytes, folder: Path) -> str:
    (folder / "found.pdf").write_bytes(file)
    said = subprocess.run(["pdftotext", folder / "found.pdf", "-"], capture_output=True, text=True, timeout=30)
    assert said.returncode == 0, said.stderr
    return said.stdout


def ocr_pro(page: Page, status: int = 200, /, **call: Any) -> dict[str, Any]:
    page.callers["now"] = page.caller
    answer = page.client.post("/dwt/dwt_19/OCRPro", json={"productKey": "t0", **call})
    assert answer.status_code == status, answer.text
    said: dict[str, Any] = answer.json()
    return said


def test_reading_tells_after_each_image_how_far_it_is(page: Page) -> None:
    page.load(written(FIRST), written(SECOND))
    page.callers["now"] = page.caller
    call = {"id": "1", "params": {"indices": [0, 1], "language": "eng", "format": "text"}}
    answer = page.client.post("/f/Recognize", json=call, headers={"Accept": "text/event-stream"})
    told = [part.split("\ndata: ") for part in answer.text.strip().split("\n\n")]
    assert [name.removeprefix("event: ") for name, _ in told] == ["progress", "progress", "result"]
    assert json.loads(told[1][1]) == {"page": 2, "pages": 2}
    assert FIRST in json.loads(told[2][1])["result"][0] and SECOND in json.loads(told[2][1])["result"][0]
    call["params"] = {"indices": [7]}
    wrong = page.client.post("/f/Recognize", json=call, headers={"Accept": "text/event-stream"}).text
    assert wrong.startswith("event: error\n") and '"error":"unknown-item"' in wrong


def test_text_is_recognized_in_every_format(page: Page, tmp_path: Path) -> None:
    page.load(written(FIRST), written(SECOND))
    (found,) = page.ask("Recognize", indices=[0, 1], language="eng")
    assert [each["text"].strip() for each in found["pages"]] == [FIRST, SECOND]
    (text,) = page.ask("Recognize", indices=[1], format="text")
    assert text.strip() == SECOND
    (pdf,) = page.ask("Recognize", indices=[0, 1], format="pdf")
    assert re.findall(r"\w+ \w+", pdf_text(base64.b64decode(pdf), tmp_path)) == [FIRST, SECOND]
    assert page.ask("Recognize", 400, indices=[0], format="docx")["code"] == -2113
    missing = page.ask("Recognize", 501, indices=[0], language="tlh")
    assert missing["error"] == "missing-dependency" and "install" in missing["message"].lower()
    assert page.ask("Recognize", 404, indices=[7])["code"] == -1040


def test_images_are_read_with_their_edits(page: Page) -> None:
    page.load(written(FIRST, SECOND))
    page.ask("Crop", left=0, top=0, right=1000, bottom=220, indices=[0])
    (text,) = page.ask("Recognize", indices=[0], format="text")
    assert text.strip() == FIRST
    page.ask("Undo", indices=[0])
    (text,) = page.ask("Recognize", indices=[0], format="text")
    assert FIRST in text and SECOND in text


def test_images_are_saved_as_searchable_pdf_and_pdfa(page: Page, tmp_path: Path) -> None:
    page.load(written(FIRST), written(SECOND))
    assert not pdf_text(page.ask("SaveImages", indices=[0, 1]), tmp_path).strip()
    file = page.ask("SaveImages", indices=[0, 1], ocr="eng", pdfa="3b")
    assert FIRST in pdf_text(file, tmp_path) and SECOND in pdf_text(file, tmp_path) and b"pdfaid" in file
    (text,) = page.ask("ConvertToBase64", indices=[1], ocr="eng")
    assert SECOND in pdf_text(base64.b64decode(text), tmp_path)
    for wrong in ({"type": "png", "ocr": "eng"}, {"type": "tiff", "pdfa": "2b"}, {"pdfa": "1a"}, {"ocr": "../x"}):
        assert page.ask("SaveImages", 400, indices=[0], **wrong)["code"] == -2113


def test_the_orientation_of_a_page_is_detected(page: Page) -> None:
    lines = [f"{FIRST} and {SECOND} {row} on this page" for row in range(8)]
    upright = written(*lines)
    page.load(upright, upright.rotate(90, expand=True), picture())
    found = page.ask("DetectPageOrientation", indices=[0, 1, 2])
    assert [each["angle"] for each in found] == [0, 90, 0]
    assert found[1]["confidence"] > 2 and found[2]["confidence"] == 0


def test_ocr_pro_reads_images_by_index_id_and_address(page: Page, tmp_path: Path) -> None:
    first, second = page.load(written(FIRST), written(SECOND))
    (shown,) = page.ask("GetImages", indices=[0])
    for name in ("0", 0, first, shown["url"], "/dwt/dwt_19/img?id=1&index=0", "http://127.0.0.1:18622" + shown["url"]):
        said = ocr_pro(page, inputFile=[name], settings={"languages": "eng", "outputFormat": "UFormattedTxt"})
        assert base64.b64decode(said["resultFile"]).decode().strip() == FIRST
        assert said["code"] == 0 and said["message"] == "Recognize succeeded." and said["errorList"] == []
        letters = said["resultDetail"][0]
        assert [each["letter"] for each in letters] == FIRST.split()
        assert letters[0]["boundary"][2] < letters[1]["boundary"][0]
    settings = {"recognitionModule": "fastest", "recognitionMethod": "File", "threadCount": "2"}
    settings |= {"languages": "eng,fra", "outputFormat": "IOTPDF", "pdfAVersion": "pdf/a-2b"}
    said = ocr_pro(page, inputFile=[first, second], settings=settings, zones=[])
    file = base64.b64decode(said["resultFile"])
    assert FIRST in pdf_text(file, tmp_path) and SECOND in pdf_text(file, tmp_path) and b"pdfaid" in file
    assert said["Request"]["inputFile"] == [first, second] and settings.items() <= said["Request"]["settings"].items()


def test_ocr_pro_reads_zones_where_they_lie(page: Page) -> None:
    page.load(written(FIRST, SECOND))
    said = ocr_pro(page, inputFile=["0"], zones=[[0, 220, 1000, 500]])
    assert base64.b64decode(said["resultFile"]).decode().strip() == SECOND
    left, top, _, bottom = said["resultDetail"][0][0]["boundary"]
    assert 70 < left < 100 and 270 < top < bottom < 360
    for zone in ([0, 0, 5000, 10], [10, 10, 5, 5], [-1, 0, 5, 5]):
        assert ocr_pro(page, 400, inputFile=["0"], zones=[zone])["errorList"] == []


def test_ocr_pro_reads_and_writes_no_file_of_the_machine(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    written(FIRST).save(path)
    page.load(written(SECOND))
    for name in (
        str(path),
        f"file://{path}",
        "d:\\input\\1.tif",
        "../1.png",
        "https://elsewhere.example/dwt/x/img?id=1&index=0",
    ):
        refused = ocr_pro(page, 400, inputFile=["0", name])
        assert refused["code"] == -2113 and "files of the machine" in refused["cause"]["message"]
        assert FIRST not in str(refused) and refused["errorList"] == []
    target = tmp_path / "out.pdf"
    refused = ocr_pro(page, 400, inputFile=["0"], outputFile=str(target))
    assert "outputFile" in refused["message"] and not target.exists()
    for settings in (
        {"outputFormat": "XML"},
        {"redaction": {"findText": "x"}},
        {"recognitionModule": "best"},
        {"pdfAVersion": "pdf/a-1a"},
    ):
        assert ocr_pro(page, 400, inputFile=["0"], settings=settings)["statusCode"] == 400
    assert ocr_pro(page, 501, inputFile=["0"], settings={"languages": "arabic"})["error"] == "missing-dependency"
    assert ocr_pro(page, 404, inputFile=["9"])["code"] == -1040
    assert ocr_pro(page, 400, inputFile=[])["statusCode"] == 400


def test_ocr_pro_reads_no_image_of_another_site(pages: Any) -> None:
    mine, stranger = pages(SITE), pages(OTHER)
    (id,) = mine.load(written(FIRST))
    (shown,) = mine.ask("GetImages", indices=[0])
    for name in (id, "0", shown["url"]):
        assert ocr_pro(stranger, 400 if name == id else 404, inputFile=[name])["code"] in (-2113, -1040)


def test_an_image_that_cannot_be_read_is_named_and_the_others_are_read(page: Page, tmp_path: Path) -> None:
    page.load(written(FIRST), written(SECOND))
    [stored] = tmp_path.rglob("page-1")
    stored.write_bytes(b"nonsense")
    said = ocr_pro(page, inputFile=["0", "1"])
    assert said["code"] < 0 and [each["input"] for each in said["errorList"]] == ["0"]
    assert base64.b64decode(said["resultFile"]).decode().strip() == SECOND
