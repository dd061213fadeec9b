"""A client that others wrote, `twain-wia-sane-scanner` as it comes from PyPI, against the real service: every call."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pypdf
import pytest
from dynamsoftservice import ScannerController, ScannerType
from PIL import Image

from tests.server.faces import Served


@pytest.fixture
def scanner() -> ScannerController:
    return ScannerController(timeout=60, raise_errors=True)


def job(scanner: ScannerController, running: Served, device: str, **body: Any) -> str:
    """A job as the client's own examples make one, licence and all."""
    config = {"IfShowUI": False, "PixelType": 2, "Resolution": 50, "IfFeederEnabled": False, "IfDuplexEnabled": False}
    made = scanner.createJob(
        running.url,
        {
            "license": "any key",
            "device": device,
            "autoRun": True,
            "scannerFailureTimeout": 90,
            "config": {**config, "IfFeederEnabled": "adf" in device},
            **body,
        },
    )
    return str(made["jobuid"])


def test_ten_pages_are_scanned_and_stored_as_a_pdf(scanner: ScannerController, running: Served, tmp_path: Path) -> None:
    devices = scanner.getDevices(running.url, ScannerType.SANESCANNER)
    assert all(isinstance(each["device"], str) for each in devices)
    uid = job(scanner, running, "virtual:adf?pages=10&seed=1")
    document = scanner.createDocument(running.url, {"password": "secret"})["uid"]
    count = 0
    while info := scanner.getImageInfo(running.url, uid):
        count += 1
        inserted = scanner.insertPage(running.url, document, {"password": "secret", "source": info["url"]})
        assert len(inserted["pages"]) == count
    assert count == 10
    name = scanner.getDocumentFile(running.url, document, str(tmp_path), {"title": "ten"}, documentPassword="secret")
    reader = pypdf.PdfReader(tmp_path / name)
    assert len(reader.pages) == 10 and reader.metadata is not None and reader.metadata.title == "ten"
    assert scanner.deleteDocument(running.url, document, "secret") and scanner.deleteJob(running.url, uid)


def test_the_device_text_is_sent_back_verbatim(scanner: ScannerController, running: Served) -> None:
    device = next(each for each in scanner.getDevices(running.url) if "flatbed" in each["name"])
    uid = job(scanner, running, device["device"])
    assert len(scanner.getImageStreams(running.url, uid)) == 1


def test_pages_as_files_and_streams(scanner: ScannerController, running: Served, tmp_path: Path) -> None:
    uid = job(scanner, running, "virtual:adf?pages=2&seed=2")
    files = scanner.getImageFiles(running.url, uid, str(tmp_path), "image/jpeg")
    assert all(Image.open(tmp_path / name).format == "JPEG" for name in files) and files
    assert scanner.getImageStream(running.url, uid) is None
    assert scanner.getImageFile(running.url, uid, str(tmp_path)) == ""
    first, second = scanner.getImageInfo(running.url, uid), scanner.getImageInfo(running.url, uid)
    data = scanner.getStreamFromUrl(first["url"])
    assert data is not None and Image.open(io.BytesIO(data)).format == "PNG" and first["url"] != second["url"]
    assert scanner.getImageInfo(running.url, uid) == {}


def test_a_pending_job_its_capabilities_settings_and_states(scanner: ScannerController, running: Served) -> None:
    uid = job(scanner, running, "virtual:adf?pages=1&seed=3", autoRun=False)
    assert scanner.checkJob(running.url, uid)["status"] == "pending"
    caps = scanner.getScannerCapabilities(running.url, uid, [257, 4376])
    assert [each["capability"]["value"] for each in caps] == [257, 4376]
    settings = scanner.getScannerSettings(running.url, uid, showUI=False)["settings"]
    assert scanner.updateJob(running.url, uid, {"status": "running"}) == {"status": "running"}
    assert len(scanner.getImageStreams(running.url, uid)) == 1
    assert scanner.checkJob(running.url, uid)["status"] == "completed"
    again = job(scanner, running, "virtual:adf?pages=1&seed=5", settings=settings)
    assert len(scanner.getImageStreams(running.url, again)) == 1


def test_the_server_the_process_calls_and_the_rest_of_documents(scanner: ScannerController, running: Served) -> None:
    assert scanner.getServerInfo(running.url)["compatible"] is True
    assert scanner.getServerInfo(running.url + "/api/")["version"]
    before = scanner.getServerSettings(running.url)
    assert scanner.updateServerSettings(running.url, {"logLevel": 14}) == {"logLevel": 14}
    assert scanner.updateServerSettings(running.url, before) == before
    uid = job(scanner, running, "virtual:adf?pages=1&seed=4&document=letter")
    source = scanner.getImageInfo(running.url, uid)["url"]
    assert scanner.checkBlank(running.url, {"source": source})["result"] is False
    codes = scanner.readBarcode(running.url, {"license": "x", "source": source, "settings": "BestSpeed"})
    assert isinstance(codes, list)
    document = scanner.createDocument(running.url, {})["uid"]
    page = scanner.insertPage(running.url, document, {"source": source})["pages"][0]["uid"]
    assert scanner.getDocumentInfo(running.url, document)["pages"] == [{"uid": page}]
    tiff = scanner.getDocumentStream(running.url, document, {"type": "image/tiff", "pages": [0], "compression": 5})
    assert tiff is not None and Image.open(io.BytesIO(tiff)).format == "TIFF"
    assert scanner.deletePage(running.url, document, page)
    assert scanner.getDocumentInfo(running.url, document)["pages"] == []


def test_errors_reach_the_client_with_their_words(running: Served) -> None:
    scanner = ScannerController(timeout=60)
    assert scanner.checkJob(running.url, "no-such-job") == {}
    assert scanner.last_error is not None and scanner.last_error["code"] == -1034
    assert scanner.createJob(running.url, {"device": "virtual:nothing"}) == {}
    assert scanner.last_error["code"] == -1003 and "virtual:adf" in scanner.last_error["message"]
