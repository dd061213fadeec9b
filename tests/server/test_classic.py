"""The classic protocol: the published calls byte for byte, and every method of ours on a real buffer."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import io
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from PIL import Image, ImageChops

from dwtsvc.config import Settings
from dwtsvc.paths import Paths
from dwtsvc.server import classic
from dwtsvc.server.classic import files as files_module
from dwtsvc.server.classic import images, uploading
from dwtsvc.server.gate.access import SCOPES, Caller, RouteTable, of_origin
from dwtsvc.server.rest.jobs import begin
from dwtsvc.server.rest.model import CreateJob, DeviceConfiguration
from dwtsvc.server.rest.refusals import handlers
from dwtsvc.server.service import Service
from dwtsvc.version import __version__
from tests.disks import open_files

SITE = of_origin("https://a.example", SCOPES)
OTHER = of_origin("https://b.example", SCOPES)


class Page:
    """A page that calls the classic protocol with its own id."""

    def __init__(
        self,
        client: TestClient[Any],
        callers: dict[str, Caller],
        caller: Caller,
        id: str = "1",
        service: Any = None,
    ) -> None:
        self.client, self.callers, self.caller, self.id, self.service = client, callers, caller, id, service

    def ask(self, method: str, status: int = 200, /, **params: object) -> Any:
        self.callers["now"] = self.caller
        answer = self.client.post(f"/f/{method}", json={"id": self.id, "cmdId": "7", "params": params})
        assert answer.status_code == status, answer.text
        if answer.headers["content-type"] != "application/json":
            return answer.content
        said = answer.json()
        assert (said["id"], said["method"], said["cmdId"]) == (self.id, method, "7")
        return said["result"] if status == 200 else said["exception"]

    def get(self, url: str) -> Any:
        self.callers["now"] = self.caller
        return self.client.get(url)

    def load(self, *pictures: Image.Image, format: str = "png") -> list[str]:
        return [self.ask("LoadImage", file=packed(picture, format))[0][0] for picture in pictures]

    def image(self, index: int, **size: int | str) -> Image.Image:
        query = "&".join(f"{name}={value}" for name, value in {"id": self.id, "index": index, **size}.items())
        answer = self.get(f"/dwt/dwt_1/img?{query}")
        assert answer.status_code == 200, answer.text
        return Image.open(io.BytesIO(answer.content))


def packed(image: Image.Image, format: str = "png", **how: Any) -> str:
    file = io.BytesIO()
    image.save(file, format, **how)
    return base64.b64encode(file.getvalue()).decode()


def picture(number: int = 0, size: tuple[int, int] = (60, 40)) -> Image.Image:
    image = Image.radial_gradient("L").resize(size).convert("RGB")
    image.paste((200, 10 * number % 256, 30), (0, 0, 20, 10))
    return image


def same(a: Image.Image, b: Image.Image) -> bool:
    return a.size == b.size and ImageChops.difference(a.convert("RGB"), b.convert("RGB")).getbbox() is None


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Any]:
    paths = Paths.from_environment({"DWTSVC_HOME": str(tmp_path)})
    service = Service(Settings(), paths)
    callers: dict[str, Caller] = {}
    app = Litestar(classic.routes(service), exception_handlers=handlers(), openapi_config=None)
    table = RouteTable()
    images.mount(table, service)

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope.setdefault("state", {})["caller"] = callers["now"]
            route = table.find(scope["path"])
            if route and route.app:
                await route.app(scope, receive, send)
                return
        await app(scope, receive, send)

    with TestClient(guarded) as client:  # type: ignore[arg-type]
        yield lambda caller=SITE, id="1": Page(client, callers, caller, id, service)
    asyncio.run(service.stop())
    assert not open_files(tmp_path)


@pytest.fixture
def page(pages: Any) -> Page:
    made: Page = pages()
    return made


def test_the_published_calls_answer_byte_for_byte(page: Page) -> None:
    first, second, third = __version__.split(".")
    expected = f'{{"id":"1","method":"VersionInfo","result":["{first}, {second}, {third}, 0000","","64"],"cmdId":""}}'
    for path in ("/fa/VersionInfo?ts=1700000000000", "/f/VersionInfo?ts=1"):
        answer = page.get(path)
        assert (answer.status_code, answer.text) == (200, expected)
        assert answer.headers["content-type"] == "application/json"
    page.load(picture())
    answer = page.get("/f/RemoveAllImages?id=1&1699")
    assert answer.text == '{"id":"1","method":"RemoveAllImages","result":[true],"cmdId":""}'
    assert page.ask("HowManyImagesInBuffer") == [0]


def test_images_follow_the_published_rules_of_size(page: Page) -> None:
    page.load(picture(size=(400, 800)))
    assert same(page.image(0), picture(size=(400, 800)))
    for size in (
        {"width": -1, "height": -1},
        {"width": 0, "height": 0},
        {"width": 9000, "height": 9000},
        {"width": 300},
    ):
        whole = page.image(0, **size, ticks=1)
        assert (whole.format, whole.size) == ("PNG", (400, 800))
    assert page.image(0, width=200, height=200, t=5).size == (100, 200)
    assert page.image(0, width=10, height=10).size == (75, 150)
    for query in ("id=1&index=1", "id=2&index=0", "index=0", "id=1", "id=1&index=x", "id=1&index=-1"):
        assert page.get(f"/dwt/dwt_1/img?{query}").status_code in (400, 404)


def test_a_small_image_comes_from_memory_and_changes_with_the_page(page: Page) -> None:
    page.load(picture(size=(400, 800)))
    first = page.get("/dwt/dwt_1/img?id=1&index=0&width=200&height=200&ticks=1").content
    assert page.get("/dwt/dwt_1/img?id=1&index=0&width=200&height=200&ticks=2").content == first
    page.ask("RotateRight", indices=[0])
    assert page.image(0, width=200, height=200).size == (200, 100)
    page.ask("Undo", indices=[0])
    assert page.get("/dwt/dwt_1/img?id=1&index=0&width=200&height=200&ticks=3").content == first


def test_every_page_and_every_site_has_a_buffer_of_its_own(pages: Any) -> None:
    mine, sibling, stranger = pages(), pages(id="2"), pages(OTHER)
    (id,) = mine.load(picture())
    for other in (sibling, stranger):
        assert other.ask("HowManyImagesInBuffer") == [0]
        assert other.ask("ImageIDToIndex", id=id) == [-1]
        assert other.get("/dwt/dwt_1/img?id=1&index=0").status_code == (200 if other.caller is SITE else 404)
    stranger.ask("RemoveAllImages")
    assert mine.ask("HowManyImagesInBuffer") == [1]


def test_images_are_ordered_selected_and_removed(page: Page) -> None:
    ids = page.load(*(picture(number) for number in range(4)))
    page.ask("MoveImage", source=0, target=2)
    page.ask("SwitchImage", source=0, target=3)
    assert [each["id"] for each in page.ask("GetImages")] == [ids[3], ids[2], ids[0], ids[1]]
    assert page.ask("IndexToImageID", index=1) == [ids[2]] and page.ask("ImageIDToIndex", id=ids[0]) == [2]
    assert page.ask("SelectImages", indices=[3, 0]) == [[3, 0]] and page.ask("GetSelectedImages") == [[3, 0]]
    page.ask("RotateLeft")
    assert [bool(each["steps"]) for each in page.ask("GetImages")] == [True, False, False, True]
    page.ask("RemoveImages")
    assert [each["id"] for each in page.ask("GetImages")] == [ids[2], ids[0]]
    assert page.ask("SelectAllImages") == [[0, 1]]
    assert page.ask("SetCurrentImageIndexInBuffer", index=1) == [1] and page.ask("CurrentImageIndexInBuffer") == [1]
    assert page.ask("IndexToImageID", 404, index=9)["code"] == -1040


def test_tags_filter_what_a_page_sees(page: Page) -> None:
    page.load(picture(0))
    page.ask("SetDefaultTag", name="bills")
    (second,) = page.load(picture(1))
    page.ask("TagImages", tag="old", indices=[0, 1])
    assert page.ask("FilterImagesByTag", name="bills") == [1]
    assert page.ask("IndexToImageID", index=0) == [second]
    page.ask("RenameTag", name="bills", to="invoices")
    assert [each["name"] for each in page.ask("GetTagList")] == ["old", "invoices"]
    assert page.ask("ClearFilter") == [2]
    page.ask("RemoveTag", tag="old")
    assert [each["name"] for each in page.ask("GetTagList")] == ["invoices"]


def test_named_documents_hold_images(page: Page) -> None:
    first, second = page.load(picture(0), picture(1))
    page.ask("CreateDocument", name="taxes")
    (copies,) = page.ask("CopyToDocument", name="taxes", indices=[0])
    page.ask("MoveToDocument", name="taxes", indices=[1])
    assert page.ask("GetDocumentInfoList") == [
        {"name": "", "imageIds": [first]},
        {"name": "taxes", "imageIds": [second, *copies]},
    ]
    assert page.ask("OpenDocument", name="taxes") == [2]
    page.load(picture(2))
    page.ask("RenameDocument", name="taxes", to="taxes 2026")
    assert page.ask("HowManyImagesInBuffer") == [3]
    assert page.ask("CreateDocument", 400, name="taxes 2026")["code"] == -2113
    page.ask("RemoveDocument", name="taxes 2026")
    assert page.ask("HowManyImagesInBuffer") == [1]


EDITS = [
    ("Rotate", {"angle": 90}, (40, 60)),
    ("Rotate", {"angle": 10, "keepSize": True}, (60, 40)),
    ("RotateLeft", {}, (40, 60)),
    ("Flip", {}, (60, 40)),
    ("Mirror", {}, (60, 40)),
    ("Crop", {"left": 5, "top": 5, "right": 25, "bottom": 15}, (20, 10)),
    ("Erase", {"left": 0, "top": 0, "right": 30, "bottom": 30, "fill": "#ff0000"}, (60, 40)),
    ("ChangeImageSize", {"width": 30}, (30, 20)),
    ("ChangeImageSize", {"width": 30, "height": 50, "interpolation": 1}, (30, 50)),
    ("SetDPI", {"dpi": 100, "resample": True}, (30, 20)),
    ("ChangeBitDepth", {"bits": 8}, (60, 40)),
    ("ConvertToBW", {"level": 100}, (60, 40)),
    ("ConvertToGrayScale", {}, (60, 40)),
    ("Invert", {}, (60, 40)),
    ("ChangeBrightness", {"value": 300}, (60, 40)),
    ("ChangeContrast", {"value": -300}, (60, 40)),
]


@pytest.mark.parametrize(("method", "params", "size"), EDITS, ids=lambda value: value if isinstance(value, str) else "")
def test_an_edit_shows_and_can_be_undone_and_done_again(
    page: Page, method: str, params: dict[str, Any], size: tuple[int, int]
) -> None:
    page.load(picture())
    assert page.ask(method, **params) == [True]
    edited = page.image(0)
    edited.load()
    (shown,) = page.ask("GetImages")
    assert edited.size == size == (shown["width"], shown["height"])
    assert not same(edited, picture())
    page.ask("Undo")
    assert same(page.image(0), picture())
    page.ask("Redo")
    assert same(page.image(0), edited)


def test_setting_the_dpi_alone_leaves_the_pixels(page: Page) -> None:
    page.load(picture())
    page.ask("SetDPI", dpi=600)
    assert same(page.image(0), picture()) and page.ask("GetImages")[0]["dpi"] == 600
    assert page.image(0).info["dpi"][0] == pytest.approx(600, abs=0.1)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("Rotate", {}),
        ("Rotate", {"angle": "ninety"}),
        ("Rotate", {"angle": 1e9}),
        ("Rotate", {"angle": 5, "interpolation": 9}),
        ("Crop", {"left": 0, "top": 0, "right": 9999, "bottom": 10}),
        ("Crop", {"left": 20, "top": 0, "right": 10, "bottom": 10}),
        ("Erase", {"left": 0, "top": 0, "right": 9, "bottom": 9, "fill": "javascript:"}),
        ("ChangeImageSize", {}),
        ("ChangeImageSize", {"width": 10**9}),
        ("ChangeBitDepth", {"bits": 7}),
        ("ChangeBrightness", {"value": 1001}),
        ("ConvertToBW", {"level": 999}),
        ("Undo", {}),
        ("TagImages", {"tag": ""}),
        ("TagImages", {"tag": "a\nb"}),
        ("OpenDocument", {"name": "no such"}),
        ("LoadImage", {"file": "no base64!"}),
        ("LoadImage", {"file": base64.b64encode(b"GIF89a nonsense").decode()}),
        ("LoadImage", {"file": "", "dpi": 5}),
        ("SaveImages", {"type": "exe"}),
        ("SaveImages", {"quality": 0}),
        ("SaveImages", {"type": "png", "indices": []}),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(page: Page, method: str, params: dict[str, Any]) -> None:
    page.load(picture())
    answer = page.client.post(f"/f/{method}", json={"id": "1", "params": params})
    assert answer.status_code in (400, 413, 422), answer.text
    said = answer.json()
    assert said["result"] == [False] and said["exception"]["message"] and said["exception"]["code"] < 0
    assert same(page.image(0), picture()) and page.ask("HowManyImagesInBuffer") == [1]


@pytest.mark.parametrize("body", ["", "[]", "{", '{"id": 5}', '{"params": []}', '{"id": ""}', '{"cmdId": null}'])
def test_malformed_calls_are_refused(page: Page, body: str) -> None:
    page.callers["now"] = page.caller
    answer = page.client.post("/f/GetImages", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400 and answer.json()["code"] == -2113


def test_files_come_in_with_all_their_pages_and_go_out_again(page: Page) -> None:
    tiff = io.BytesIO()
    picture(1).save(tiff, "tiff", save_all=True, append_images=[picture(2), picture(3)])
    page.ask("LoadImage", file="data:image/tiff;base64," + base64.b64encode(tiff.getvalue()).decode())
    assert page.ask("HowManyImagesInBuffer") == [3]
    pdf = page.ask("SaveImages", type="pdf", indices=[0, 1, 2])
    assert pdf.startswith(b"%PDF-")
    page.callers["now"] = page.caller
    answer = page.client.post("/f/LoadFile?id=1&dpi=72&insertAt=0", content=pdf)
    assert answer.status_code == 200 and len(answer.json()["result"][0]) == 3
    assert page.ask("HowManyImagesInBuffer") == [6]
    back = Image.open(io.BytesIO(page.ask("SaveImages", type="tiff", indices=[3, 5])))
    assert getattr(back, "n_frames", 1) == 2 and same(back, picture(1))
    assert base64.b64decode(page.ask("ConvertToBase64", type="png", indices=[3])[0]).startswith(b"\x89PNG")


def test_a_file_that_cannot_be_loaded_is_refused_in_the_envelope_too(page: Page) -> None:
    page.callers["now"] = page.caller
    answer = page.client.post("/f/LoadFile?id=1", content=b"GIF89a nonsense")
    said = answer.json()
    assert answer.status_code == 422 and said["method"] == "LoadFile" and said["result"] == [False]
    assert said["exception"]["message"]


@pytest.mark.parametrize("files", [3, 200])
def test_one_buffer_takes_so_many_bytes_of_files_until_it_is_emptied(
    page: Page, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    content = packed(Image.new("L", (40, 40)))
    monkeypatch.setattr(files_module, "MOST_LOADED", 2 * len(base64.b64decode(content)))
    page.ask("LoadImage", file=content)
    page.ask("LoadImage", file=content)
    for _ in range(files - 2):
        assert "at most" in page.ask("LoadImage", 429, file=content)["message"]
    page.ask("RemoveAllImages")
    page.ask("LoadImage", file=content)


def test_a_jpeg_stays_as_it_is_through_the_buffer(page: Page) -> None:
    file = base64.b64decode(packed(picture(), "jpeg", quality=70, dpi=(200, 200)))
    page.ask("LoadImage", file=base64.b64encode(file).decode())
    assert page.ask("SaveImages", type="jpeg", indices=[0]) == file
    assert file in page.ask("SaveImages", type="pdf", indices=[0])


def test_blank_and_skew_are_told(page: Page) -> None:
    page.load(Image.new("RGB", (800, 1000), "white"))
    blank, score, reason = page.ask("IsBlankImage", index=0)
    assert blank is True and 0.5 < score <= 1 and reason
    assert page.ask("GetSkewAngle", index=0) == [0.0]


def test_the_answers_are_plain_json(page: Page) -> None:
    page.load(picture())
    page.callers["now"] = page.caller
    answer = page.client.post("/f/GetImages", json={})
    assert json.loads(answer.text)["result"][0]["url"].startswith("/dwt/dwt_")


def test_the_documentation_lists_every_method_as_it_is() -> None:
    text = (Path(__file__).parents[2] / "docs" / "classic.md").read_text("utf-8")
    for method in classic.METHODS.values():
        fields = msgspec.structs.fields(method.wants)
        wants = ", ".join(f"`{each.encode_name}`" + ("" if each.required else "?") for each in fields)
        about = (inspect.getdoc(method.call) or "").splitlines()[0]
        assert f"| `{method.name}` | {wants} | {method.access} | {about} |\n" in text
    named = re.findall(r"^\| `([A-Z]\w+)` \|", text, re.MULTILINE)
    assert sorted(named) == sorted(classic.METHODS)


def test_a_camera_is_listed_by_its_number_and_acquired_from(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DWTSVC_WEBCAMS", "virtual")
    assert [each["id"] for each in page.ask("GetDevices", deviceType=4096)] == ["webcam:virtual"]
    assert "webcam:virtual" not in [each["id"] for each in page.ask("GetDevices")]
    (ids,) = page.ask("AcquireImage", device="webcam:virtual?document=1")
    assert len(ids) == 1


def test_a_scan_fills_the_buffer(page: Page) -> None:
    (first,) = page.load(picture())
    page.ask("SetDefaultTag", name="scanned")
    config = {"Resolution": 50, "IfFeederEnabled": True}
    (ids,) = page.ask("AcquireImage", device="virtual:adf?pages=3&seed=2", config=config, insertAt=0)
    shown = page.ask("GetImages")
    assert [each["id"] for each in shown] == [*ids, first]
    assert [each["tags"] for each in shown] == [["scanned"]] * 3 + [[]]
    assert {each["dpi"] for each in shown[:3]} == {50.0}
    assert page.ask("CancelAllPendingTransfers") == [False]


def test_after_a_jam_the_images_before_it_are_there(page: Page) -> None:
    page.ask("SelectDevice", device="virtual:adf?pages=5&jam=3")
    said = page.ask("AcquireImage", 409, config={"Resolution": 50})
    assert said["code"] == -1020 and page.ask("HowManyImagesInBuffer") == [2]


def test_a_busy_scanner_and_a_wrong_wish_are_told(page: Page) -> None:
    assert page.ask("AcquireImage", 400, device="virtual:adf", config={"Resolution": 1})["code"] == -2113
    assert page.ask("AcquireImage", 423, device="virtual:adf?busy=1")["code"] == -1004
    assert page.ask("AcquireImage", 404, device="nonsense:1")["code"] == -1003


def test_a_part_of_the_glass_is_scanned(page: Page) -> None:
    frame = {"left": 1, "top": 1, "right": 3, "bottom": 2}
    caps = {"exception": "fail", "capabilities": [{"capability": 4372, "curValue": frame}]}
    page.ask("AcquireImage", device="virtual:flatbed", config={"Resolution": 100, "PixelType": 1}, caps=caps)
    (image,) = page.ask("GetImages")
    assert (image["width"], image["height"]) == (200, 100)
    beyond = {**caps, "capabilities": [{"capability": 4372, "curValue": {**frame, "right": 99}}]}
    assert page.ask("AcquireImage", 400, device="virtual:flatbed", caps=beyond)["error"] == "bad-arguments"


def test_the_pages_of_a_job_are_taken_and_the_job_stays(page: Page) -> None:
    body = CreateJob(config=DeviceConfiguration(Resolution=50), autoRun=False)
    held = begin(page.service, SITE, "virtual:adf?pages=2&seed=31", body, None)
    (ids,) = page.ask("AcquireImage", job=held.uid)
    assert [each["id"] for each in page.ask("GetImages")] == ids and len(ids) == 2
    (again,) = page.ask("AcquireImage", job=held.uid)
    assert len(again) == 2 and held.job.state == "completed"
    page.service.holdings.delete_job(held)
    assert page.ask("AcquireImage", 410, job=held.uid)["error"] == "job-deleted"


def test_nobody_takes_the_pages_of_anothers_job(page: Page, pages: Any) -> None:
    held = begin(page.service, SITE, "virtual:adf?pages=1&seed=32", CreateJob(autoRun=False), None)
    assert pages(OTHER).ask("AcquireImage", 404, job=held.uid)["error"] == "unknown-job"
    page.service.holdings.delete_job(held)


def test_an_image_that_is_named_by_its_id_is_shown_wherever_it_stands(page: Page) -> None:
    first, second = page.load(picture(1), picture(2))
    page.ask("MoveImage", source=0, target=1)
    assert same(page.image(0, image=first), picture(1)) and same(page.image(0), picture(2))
    url = next(each["url"] for each in page.ask("GetImages") if each["id"] == second)
    page.ask("MoveImage", source=0, target=1)
    assert same(Image.open(io.BytesIO(page.get(url).content)), picture(2))
    page.ask("RemoveImages", indices=[0])
    assert page.get(f"/dwt/dwt_1/img?id=1&index=0&image={first}").status_code == 404


def test_empty_pages_can_be_left_out(page: Page) -> None:
    def scan(seed: int, remove: bool) -> None:
        device = f"virtual:adf?pages=2&document=blank&seed={seed}"
        page.ask("AcquireImage", device=device, config={"Resolution": 75}, removeBlank=remove)

    scan(1, True)
    assert page.ask("HowManyImagesInBuffer") == [0]
    scan(2, False)
    assert page.ask("HowManyImagesInBuffer") == [2]


class Desk(BaseHTTPRequestHandler):
    """A site that takes files."""

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        self.server.taken.append((self.command, dict(self.headers), self.rfile.read(length)))  # type: ignore[attr-defined]
        self.send_response(302 if self.path == "/away" else 201)
        self.send_header("location", "http://127.0.0.1:1/")
        self.end_headers()
        self.wfile.write(b"taken")

    do_PUT = do_POST

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def desk() -> Iterator[Any]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    server.taken = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_images_are_uploaded_to_the_site_that_asks(pages: Any, desk: Any) -> None:
    site = f"http://127.0.0.1:{desk.server_port}"
    page = pages(of_origin(site, SCOPES))
    page.load(picture(0), picture(1))
    how = {"url": f"{site}/in?x=1", "indices": [0, 1], "fields": {"user": "ann"}, "headers": {"X-Key": "k"}}
    assert page.ask("HTTPUpload", **how) == [201, "taken"]
    assert page.ask("HTTPUpload", url=f"{site}/in", type="png", method="PUT") == [201, "taken"]
    assert page.ask("HTTPUpload", url=f"{site}/away", type="png")[0] == 302  # and nobody went there
    (_, headers, form), (method, _, file) = desk.taken[:2]
    assert headers["X-Key"] == "k" and b'name="user"\r\n\r\nann\r\n' in form
    assert b'filename="scan.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF-' in form
    assert method == "PUT" and same(Image.open(io.BytesIO(file)), picture(1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://127.0.0.1:1/"},
        {"url": "https://b.example/"},
        {"url": "https://a.example.evil/"},
        {"url": "https://a.example@evil.example/"},
        {"url": "http://a.example/"},
        {"url": "https://a.example:8443/"},
        {"url": "file:///etc/passwd"},
        {"url": "https://a.example/", "method": "DELETE"},
        {"url": "https://a.example/", "headers": {"Host": "b.example"}},
        {"url": "https://a.example/", "headers": {"X-A": "1\r\nX-B: 2"}},
        {"url": "https://a.example/", "headers": {"X A": "1"}},
    ],
)
def test_nothing_is_uploaded_anywhere_else(page: Page, wrong: dict[str, Any]) -> None:
    page.load(picture())
    assert page.ask("HTTPUpload", 400, **wrong)["code"] == -2113


def test_no_more_images_are_named_than_there_are(page: Page) -> None:
    """A list of the same index a million times would be a million steps, or records, of one request."""
    page.load(picture(), picture(1))
    page.ask("RotateLeft", indices=[0, 0])
    for method in ("RotateLeft", "GetImages", "SelectImages", "CopyToDocument"):
        page.ask(method, 400, indices=[0] * 3, **({"name": ""} if method == "CopyToDocument" else {}))
    assert len(page.ask("GetImages")[0]["steps"]) == 2


def test_the_event_loop_does_not_wait_for_the_disk(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    from dwtsvc.server.holdings import Holdings

    buffer, loops = Holdings.buffer, list[bool]()

    def noted(*given: Any, **how: Any) -> Any:
        loops.append(bool(asyncio._get_running_loop()))
        return buffer(*given, **how)

    page.load(picture())
    monkeypatch.setattr(Holdings, "buffer", noted)
    page.image(0)
    page.ask("AcquireImage", device="virtual:adf?pages=1", config={"Resolution": 50}, insertAt=0)
    assert loops and not any(loops)


def test_a_site_that_answers_by_drops_does_not_keep_an_upload_for_ever(
    pages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dripping(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(20):
                    self.wfile.write(b".")
                    done.wait(0.1)

        def log_message(self, *_: Any) -> None: ...

    done = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    site = f"http://127.0.0.1:{server.server_port}"
    page = pages(of_origin(site, SCOPES))
    page.load(picture())
    monkeypatch.setattr(uploading, "MOST_SECONDS", 0.3, raising=False)
    try:
        page.ask("HTTPUpload", 422, url=site, type="png", method="PUT")
    finally:
        done.set()
        server.shutdown()
        thread.join()
        server.server_close()
