"""Files on their way in: small ones in memory, large ones sealed on the disk, and nothing left of either at any end."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import shutil
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from dwtsvc.config import Settings
from dwtsvc.errors import BadInput, DiskFull, TooMany
from dwtsvc.paths import Paths
from dwtsvc.sealing import MAGIC, BrokenSeal, Seal
from dwtsvc.server import parsing
from dwtsvc.server.bridge import Bridge
from dwtsvc.server.classic import files
from dwtsvc.server.classic.client import Client
from dwtsvc.server.confined import Confined
from dwtsvc.server.gate.access import OWN
from dwtsvc.server.service import Service
from dwtsvc.server.uploads import IN_MEMORY, MOST_AT_ONCE, SUFFIX, Upload, Uploads
from tests.disks import mounted, names_in, needs_root
from tests.server import daemon

LARGE = IN_MEMORY + 1
MOST = 64 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "disk", "-o", "size=4m")


def playing(folder: Path, play: Callable[[Uploads], Coroutine[Any, Any, None]]) -> None:
    bridge = Bridge()
    try:
        asyncio.run(play(Uploads(folder, bridge)))
    finally:
        bridge.close()


async def pieces(content: bytes, fault: BaseException | None = None) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(content), 60_000):
        yield content[at : at + 60_000]
    if fault:
        raise fault


def padded_pdf(size: int) -> bytes:
    """A PDF of one page that has so many bytes: comments may stand before its end."""
    file = io.BytesIO()
    Image.new("1", (100, 100), 1).save(file, "pdf")
    content, line = file.getvalue(), b"%" + b"x" * 1023 + b"\n"
    at, lines = content.rindex(b"startxref"), (size - len(content)) // len(line)
    return content[:at] + line * lines + content[at:]


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("size", [0, 1, IN_MEMORY])
def test_a_small_file_stays_in_memory(tmp_path: Path, size: int, announced: bool) -> None:
    async def play(uploads: Uploads) -> None:
        async with uploads.receive(pieces(b"x" * size), size if announced else None) as upload:
            assert upload.read() == b"x" * size and upload.size == size
            assert list(tmp_path.iterdir()) == []

    playing(tmp_path, play)


@pytest.mark.parametrize("size", [LARGE, 3 * IN_MEMORY, 3 * IN_MEMORY + 77])
def test_a_large_file_lies_sealed_until_a_child_has_read_it(tmp_path: Path, size: int) -> None:
    folder, content = tmp_path / "upload", os.urandom(size)

    async def play(uploads: Uploads) -> None:
        async with uploads.receive(pieces(content), size) as upload:
            [file] = folder.iterdir()
            raw = file.read_bytes()
            assert raw.startswith(MAGIC) and content[:64] not in raw and content[-64:] not in raw
            assert file.stat().st_mode & 0o777 == 0o600 and folder.stat().st_mode & 0o777 == 0o700
            assert upload.read() == content and upload.size == size
            assert upload.content == b"" and repr(upload.key) not in repr(upload)
            with pytest.raises(BrokenSeal):
                Seal(bytes(32)).read(file, file.name)
        assert names_in(folder) == set()

    playing(folder, play)


def test_a_child_reads_what_the_service_does_not_hold(tmp_path: Path) -> None:
    confined = Confined(cores=1)

    async def play(uploads: Uploads) -> None:
        async with uploads.receive(pieces(padded_pdf(2 * LARGE)), None) as upload:
            [picture] = confined.iterate("a", parsing.file_pictures, upload, 72.0, False, None)
            assert picture.raster.width == 100
            Path(upload.path).write_bytes(b"nonsense")
            with pytest.raises(BadInput):
                list(confined.iterate("a", parsing.file_pictures, upload, 72.0, False, None))

    try:
        playing(tmp_path, play)
    finally:
        confined.close()


def test_nothing_is_left_of_a_file_that_broke_off_or_could_not_be_used(tmp_path: Path) -> None:
    async def play(uploads: Uploads) -> None:
        for fault in (ConnectionError("the client left"), asyncio.CancelledError()):
            with pytest.raises(type(fault)):
                async with uploads.receive(pieces(b"x" * LARGE, fault), LARGE + 1):
                    raise AssertionError("it was never whole")
            assert names_in(tmp_path) == set()
        with pytest.raises(BadInput):
            async with uploads.receive(pieces(b"x" * LARGE), LARGE):
                assert names_in(tmp_path)
                raise BadInput("The file cannot be read")
        assert names_in(tmp_path) == set()

    playing(tmp_path, play)


def test_a_request_that_is_cut_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    async def endless(coming: asyncio.Event) -> AsyncGenerator[bytes, None]:
        yield b"x" * LARGE
        coming.set()
        await asyncio.sleep(3600)

    async def play(uploads: Uploads) -> None:
        coming = asyncio.Event()

        async def receive() -> None:
            async with uploads.receive(endless(coming), None):
                pass

        task = asyncio.create_task(receive())
        await coming.wait()
        assert names_in(tmp_path)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert names_in(tmp_path) == set()

    playing(tmp_path, play)


@pytest.mark.parametrize("length", [LARGE, MOST, None])
def test_so_many_large_files_come_at_once_and_of_one_more_no_byte_is_taken(tmp_path: Path, length: int | None) -> None:
    asked = []

    async def told() -> AsyncGenerator[bytes, None]:
        asked.append(True)
        yield b"x"

    async def play(uploads: Uploads) -> None:
        async with contextlib.AsyncExitStack() as coming:
            for _ in range(MOST_AT_ONCE):
                await coming.enter_async_context(uploads.receive(pieces(b"x"), length))
            for _ in range(100 * MOST_AT_ONCE):
                with pytest.raises(TooMany):
                    await coming.enter_async_context(uploads.receive(told(), length))
            assert not asked
            await coming.enter_async_context(uploads.receive(pieces(b"x"), IN_MEMORY))
        async with uploads.receive(told(), length):
            assert asked

    playing(tmp_path, play)


def test_what_a_killed_service_left_is_deleted_at_the_start_and_nothing_else(tmp_path: Path) -> None:
    for name in (f"left{SUFFIX}", "mine.pdf"):
        (tmp_path / name).write_bytes(b"x")
    Uploads(tmp_path, Bridge())
    assert names_in(tmp_path) == {"mine.pdf"}


def test_a_folder_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    async def play(uploads: Uploads) -> None:
        for _ in range(2):
            async with uploads.receive(pieces(b"x" * LARGE), LARGE) as upload:
                assert len(upload.read()) == LARGE
            shutil.rmtree(tmp_path / "upload")

    playing(tmp_path / "upload", play)


@needs_root
def test_a_full_disk_is_told_and_keeps_nothing(disk: Path) -> None:
    async def play(uploads: Uploads) -> None:
        with pytest.raises(DiskFull):
            async with uploads.receive(pieces(b"x" * (8 << 20)), 8 << 20):
                pass
        assert names_in(disk) == set()

    playing(disk, play)


# ---- through the service ----


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    service = Service(Settings(), Paths.from_environment({"DWTSVC_HOME": str(tmp_path)}))
    yield Client(service, OWN, "1")
    asyncio.run(service.stop())


def test_a_file_that_a_buffer_would_not_take_is_refused_before_it_comes(client: Client) -> None:
    content = padded_pdf(2048)
    files.take_in(client, Upload(len(content), content))
    client.buffer.loaded = files.MOST_LOADED - 10
    files.check_coming(client, 10)
    for length in (11, 1000, MOST):
        with pytest.raises(TooMany, match="512 MiB"):
            files.check_coming(client, length)
    files.check_coming(client, None)  # not announced: counted when it is here
    assert client.buffer.loaded == files.MOST_LOADED - 10
    with pytest.raises(TooMany):
        files.take_in(client, Upload(len(content), content))


def test_a_file_needs_room_for_all_of_it_before_it_comes(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client.service.holdings, "_room", lambda used: used + 11)
    files.check_coming(client, 10)
    for length in (11, 1000, None):
        with pytest.raises(TooMany, match="room"):
            files.check_coming(client, length)


def test_the_room_is_asked_for_before_a_byte_has_come(tmp_path: Path) -> None:
    with daemon.running(tmp_path, monitor=False, cache_limit=str(MOST - 1)) as running, announced(running) as sender:
        head = sender.recv(1 << 16)  # nothing but the head was sent
    assert head.startswith(b"HTTP/1.1 429 ")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[daemon.Running]:
    with daemon.running(tmp_path_factory.mktemp("uploads"), monitor=False) as running:
        yield running


def announced(service: daemon.Running) -> socket.socket:
    """A client that has said that it will send 64 MiB."""
    client = socket.create_connection(("127.0.0.1", service.http), timeout=60)
    head = f"POST /f/LoadFile?id=broken HTTP/1.1\r\nHost: 127.0.0.1:{service.http}\r\nContent-Length: {MOST}\r\n\r\n"
    client.sendall(head.encode())
    return client


def begin_large(service: daemon.Running) -> socket.socket:
    """A client that has sent two of them, once they are on the disk."""
    client = announced(service)
    client.sendall(b"x" * (2 << 20))
    daemon.until(lambda: list(service.paths.upload.glob("*")))
    return client


def test_a_client_that_leaves_within_a_file_leaves_nothing_of_it(service: daemon.Running) -> None:
    begin_large(service).close()
    daemon.until(lambda: not list(service.paths.upload.glob("*")))
    assert service.client.get("/healthz").status_code == 200
    assert "rror" not in service.paths.log_file.read_text()  # who leaves is no fault of the service


def test_a_file_within_which_the_service_was_killed_is_gone_after_the_next_start(service: daemon.Running) -> None:
    with begin_large(service):
        service.kill()
        service._process.wait(60)  # type: ignore[union-attr]
        [left] = service.paths.upload.glob("*")
        assert left.name.endswith(SUFFIX) and b"x" * 64 not in left.read_bytes()
        service.start()
    assert list(service.paths.upload.glob("*")) == []


def test_four_of_the_largest_files_at_once_do_not_lie_in_the_memory_of_the_service(service: daemon.Running) -> None:
    content, clients = padded_pdf(MOST), "abcd"
    for client in clients:  # what is loaded once for all is not counted
        load(service, client, padded_pdf(2048))
    process = Path(f"/proc/{service.pid}")
    (process / "clear_refs").write_text("5")  # the highest so far is now what there is now
    before = memory(process)
    with ThreadPoolExecutor(len(clients)) as threads:
        list(threads.map(lambda client: load(service, client, content), clients))
    assert memory(process) - before < MOST
    assert list(service.paths.upload.glob("*")) == []


def load(service: daemon.Running, client: str, content: bytes) -> None:
    answer = httpx.post(f"{service.url}/f/LoadFile?id={client}", content=content, timeout=100)
    assert answer.status_code == 200 and len(answer.json()["result"][0]) == 1, answer.text


def memory(process: Path) -> int:
    """The most bytes that a process had in memory."""
    [line] = [line for line in (process / "status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10
