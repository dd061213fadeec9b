"""The classic protocol: `/fa/VersionInfo`, `/f/<Method>` in its envelope, and our own methods beside the published.

The published calls are byte for byte as they were published: VersionInfo and RemoveAllImages by GET. All others are our
own and take a POST of `{"id", "cmdId", "params": {...}}`. docs/classic.md lists them; OpenAPI does not, for
no one schema describes their answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs

import msgspec
from litestar import Request, Response, get, post
from litestar.params import FromQuery, HeaderParameter, JSONBody
from litestar.response import Stream

from dwtsvc.errors import BadArguments, DwtsvcError
from dwtsvc.server import faults, saving
from dwtsvc.server.classic import bufferwork, devices, edits, files, ocrpro, texts
from dwtsvc.server.classic.client import Client, Clients
from dwtsvc.server.classic.files import File
from dwtsvc.server.classic.images import client_id
from dwtsvc.server.classic.methods import Group, Method
from dwtsvc.server.gate import access
from dwtsvc.server.gate.access import Access
from dwtsvc.server.gate.heads import only_looks
from dwtsvc.server.rest import progress
from dwtsvc.version import __version__

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

METHODS = Group({**devices.METHODS, **bufferwork.METHODS, **edits.METHODS, **texts.METHODS, **files.METHODS})
FIRST_CLIENT = "1"
BITS = "64"
JSON = "application/json"


class Call(msgspec.Struct, frozen=True):
    """`id` is the page's own name for its image buffer, `cmdId` whatever it wants to find in the answer."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = FIRST_CLIENT
    cmdId: Annotated[str, msgspec.Meta(max_length=64)] = ""
    params: dict[str, Any] = {}


def version_info() -> list[str]:
    """The version as the protocol says it, four numbers with comma and blank between; nothing; the bits."""
    numbers = [*__version__.split("."), "0", "0", "0"][:4]
    return [", ".join(numbers[:3]) + f", {numbers[3]:0>4}", "", BITS]


def routes(service: Service) -> list[Any]:
    """Every address of the classic protocol but the images."""
    clients = Clients(service)

    def client_of(request: Request[Any, Any, Any], id: str) -> Client:
        return clients.find(access.caller(request), id)

    @get(
        ["/fa/VersionInfo", "/f/VersionInfo"],
        opt={"access": Access.LIST},
        sync_to_thread=False,
        include_in_schema=False,
    )
    def version() -> Response[bytes]:
        """The version of the service; pages look for it to see that it is there."""
        return _enveloped(FIRST_CLIENT, "VersionInfo", version_info(), "")

    @get("/f/RemoveAllImages", opt={"access": Access.EDIT}, include_in_schema=False)
    async def remove_all(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Remove all images of a page."""
        query = parse_qs(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        id = client_id(query.get("id", [FIRST_CLIENT])[0].encode("latin-1"))
        if only_looks(request):
            return _enveloped(id, "RemoveAllImages", [True], "")
        return await answer(request, METHODS["RemoveAllImages"], Call(id=id))

    @post("/f/LoadFile", opt={"access": Access.EDIT, "files": True}, status_code=200, include_in_schema=False)
    async def load_file(
        request: Request[Any, Any, Any],
        id: FromQuery[str] = FIRST_CLIENT,
        insertAt: FromQuery[int | None] = None,
        dpi: FromQuery[int] = 200,
        gray: FromQuery[bool] = False,
        password: Annotated[str | None, HeaderParameter(name="DWT-DOC-PASSWORD")] = None,
    ) -> Response[bytes]:
        """Load a file that is sent as it is, at most 64 MiB; the ids of the new images."""
        how = {"at": insertAt, "dpi": dpi, "gray": gray, "password": password}
        try:
            client = client_of(request, client_id(id.encode()))
            length = announced(request)
            await service.bridge.run(files.check_coming, client, length)
            async with service.uploads.receive(request.stream(), length) as file:
                result = await service.bridge.confined(files.take_in, client, file, **how)  # type: ignore[arg-type]
        except DwtsvcError as error:
            return _refused(Call(id=id), "LoadFile", error)
        return _enveloped(id, "LoadFile", result, "")

    def announced(request: Request[Any, Any, Any]) -> int | None:
        """The bytes that a body is to have, where it says; the guard has looked at the header."""
        said = request.headers.get("content-length")
        return int(said) if said else None

    async def answer(request: Request[Any, Any, Any], method: Method, call: Call) -> Response[Any]:
        try:
            client = client_of(request, call.id)
            if method.told:
                return await told(request, client, method, call)
            result = await called(client, method, wanted(method, call.params))
        except DwtsvcError as error:
            return _refused(call, method.name, error)
        if isinstance(result, File):
            return Stream(saving.chunks(result.content, service.bridge), media_type=result.media_type)
        return _enveloped(call.id, method.name, result, call.cmdId)

    def wanted(method: Method, params: Mapping[str, Any]) -> Any:
        try:
            return msgspec.convert(params, method.wants)
        except msgspec.ValidationError as error:
            raise BadArguments(f"{method.name} cannot be called like this", why=str(error)) from None

    async def told(request: Request[Any, Any, Any], client: Client, method: Method, call: Call) -> Response[Any]:
        work = partial(method.call, client, wanted(method, call.params))
        said = {"id": call.id, "method": method.name, "cmdId": call.cmdId}
        found: Response[Any] = await progress.answered(
            service,
            request,
            work,
            answer=lambda result: _enveloped(call.id, method.name, result, call.cmdId),
            result=lambda result: {**said, "result": result},
        )
        return found

    async def called(client: Client, method: Method, wants: Any) -> Any:
        if method.awaited:
            return await method.call(client, wants)
        bridge = service.bridge
        run = bridge.outside if method.outside else bridge.confined if method.confined else bridge.run
        return await run(method.call, client, wants)

    def handler(method: Method) -> Any:
        @post(f"/f/{method.name}", opt={"access": method.access}, status_code=200, include_in_schema=False)
        async def call(request: Request[Any, Any, Any], data: JSONBody[Call]) -> Response[Any]:
            return await answer(request, method, data)

        return call

    return [version, remove_all, load_file, *map(handler, METHODS.values()), *ocrpro.routes(service, clients)]


def _enveloped(id: str, method: str, result: list[Any], cmd_id: str) -> Response[bytes]:
    return _json({"id": id, "method": method, "result": result, "cmdId": cmd_id}, 200)


def _refused(call: Call, method: str, error: DwtsvcError) -> Response[bytes]:
    status, _, body = faults.answer(error)
    said = {"id": call.id, "method": method, "result": [False], "cmdId": call.cmdId, "exception": msgspec.Raw(body)}
    return _json(said, status)


def _json(said: dict[str, Any], status: int) -> Response[bytes]:
    return Response(msgspec.json.encode(said), status_code=status, media_type=JSON)
