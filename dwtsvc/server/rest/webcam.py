"""GET /api/device/webcam/preview: what a camera sees, as a picture that moves."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Annotated, Any

from litestar import get
from litestar.params import QueryParameter
from litestar.response import Stream

from dwtsvc.errors import BadArguments, DwtsvcError
from dwtsvc.previews import Preview
from dwtsvc.server.gate.access import Access, caller
from dwtsvc.server.gate.heads import only_looks
from dwtsvc.server.rest import events
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.jobs import Req

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

PREVIEW = "/api/device/webcam/preview"
BOUNDARY = "picture"
TYPE = f"multipart/x-mixed-replace; boundary={BOUNDARY}"

Name = Annotated[str, QueryParameter(name="device", max_length=1024, description="A camera, as the list has it.")]
Width = Annotated[int, QueryParameter(name="width", ge=16, le=1280, description="The longest side, in pixels.")]
Rate = Annotated[int, QueryParameter(name="rate", ge=1, le=15, description="Pictures a second, at most.")]


def routes(service: Service) -> list[Any]:
    @get(
        PREVIEW,
        opt={"access": Access.CAMERA},
        operation_id="previewWebcam",
        responses=problems(404, 423, 501),
        operation_class=described(types=("multipart/x-mixed-replace",)),
        summary="Watch what a camera sees, as MJPEG; it ends when you go, or after ten minutes",
    )
    async def preview(request: Req, name: Name, width: Width = 640, rate: Rate = 5) -> Stream:
        device = await service.bridge.outside(service.choice.device, caller(request), name)
        if not device.startswith("webcam:"):
            raise BadArguments("Only a camera has a preview", hint="Take one from the list of scanners, type 4096.")
        parts = () if only_looks(request) else await live(request, device, width, rate)
        return Stream(parts, media_type=TYPE, headers={"cache-control": "no-store"})

    async def live(request: Req, device: str, width: int, rate: int) -> AsyncGenerator[bytes, None]:
        folder = service.paths.create(service.paths.runtime)
        opened = await service.bridge.outside(service.jobs.preview, device, width=width, rate=rate, folder=folder)
        return pictures(service, opened, events.until_told(service, request))

    return [preview]


async def pictures(service: Service, opened: Preview, goes_on: Callable[[], bool]) -> AsyncGenerator[bytes, None]:
    """The pictures as parts, until the reader goes, the camera fails, or it no longer `goes_on`; then the camera is
    closed."""
    try:
        while goes_on() and (picture := await service.bridge.outside(opened.next)) is not None:
            head = f"--{BOUNDARY}\r\ncontent-type: image/jpeg\r\ncontent-length: {len(picture)}\r\n\r\n"
            yield head.encode() + picture + b"\r\n"
    except DwtsvcError:  # the answer has begun: there is no status to tell it with, and the pictures end
        return
    finally:
        # Not awaited: this task may have been cancelled, because its reader has gone, and must not wait any more.
        threading.Thread(target=opened.close, name="preview-end", daemon=True).start()
