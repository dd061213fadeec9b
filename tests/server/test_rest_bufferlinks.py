"""Images of a buffer as the source of what is read from pages: at full size, with their edits, by their address."""

from __future__ import annotations

import io

import httpx
import pytest
import zxingcpp
from PIL import Image

from dwtsvc.errors import BadArguments
from dwtsvc.server.rest.bufferlinks import parse
from tests.server.faces import Served

TEXT = "DWTSVC-0001"


def page_with_code() -> bytes:
    page = Image.new("L", (850, 1100), 255)
    code = zxingcpp.create_barcode(TEXT, zxingcpp.BarcodeFormat.Code128)
    page.paste(Image.fromarray(zxingcpp.write_barcode_to_image(code, scale=3)), (150, 200))
    file = io.BytesIO()
    page.save(file, "png", dpi=(100, 100))
    return file.getvalue()


def read(running: Served, index: int, name: str) -> httpx.Response:
    source = f"{running.url}/dwt/dwt_1/img?id={name}&index={index}&width=200&height=200"
    return httpx.post(f"{running.url}/api/process/read-barcode", json={"source": source}, timeout=60)


def test_an_image_of_a_buffer_is_read_at_full_size_and_with_its_edits(running: Served) -> None:
    loaded = httpx.post(f"{running.url}/f/LoadFile?id=whole", content=page_with_code(), timeout=60)
    assert loaded.status_code == 200, loaded.text
    assert [code["barcodeText"] for code in read(running, 0, "whole").json()] == [TEXT]
    box = {"left": 0, "top": 0, "right": 850, "bottom": 600, "indices": [0], "fill": "#ffffff"}
    erased = httpx.post(f"{running.url}/f/Erase", json={"id": "whole", "params": box}, timeout=60)
    assert erased.status_code == 200, erased.text
    assert read(running, 0, "whole").json() == []


def test_an_image_is_read_by_its_id_when_another_one_took_its_place(running: Served) -> None:
    made = httpx.post(f"{running.url}/f/LoadFile?id=moved", content=page_with_code(), timeout=60).json()
    (id,) = made["result"][0]
    empty = io.BytesIO()
    Image.new("L", (400, 400), 255).save(empty, "png")
    httpx.post(f"{running.url}/f/LoadFile?id=moved&insertAt=0", content=empty.getvalue(), timeout=60)
    assert read(running, 0, "moved").json() == []
    found = read(running, 0, f"moved&image={id}").json()
    assert [code["barcodeText"] for code in found] == [TEXT]
    assert read(running, 0, "moved&image=none").status_code == 404


def test_what_is_no_image_of_this_buffer_is_not_found(running: Served) -> None:
    httpx.post(f"{running.url}/f/LoadFile?id=mine", content=page_with_code(), timeout=60)
    assert read(running, 0, "mine").status_code == 200
    assert read(running, 1, "mine").status_code == 404
    assert read(running, 0, "another's").status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.example/dwt/dwt_1/img?id=a&index=0",
        "http://a@127.0.0.1/dwt/dwt_1/img?id=a&index=0",
        "http://127.0.0.1/dwt/dwt_1/img?id=a",
        "http://127.0.0.1/dwt/img?id=a&index=0",
        "file:///dwt/dwt_1/img?id=a&index=0",
    ],
)
def test_other_addresses_are_no_images_of_a_buffer(url: str) -> None:
    assert parse(url, "127.0.0.1:18622") is None
    assert parse("http://127.0.0.1:18622/dwt/dwt_1/img?id=a&index=2", "127.0.0.1:18622") == ("a", 2, "")


def test_an_index_that_is_no_number_is_refused() -> None:
    with pytest.raises(BadArguments):
        parse("http://127.0.0.1/dwt/dwt_1/img?id=a&index=-1", "127.0.0.1")
