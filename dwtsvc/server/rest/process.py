"""/api/process: what is on a page, and a page edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from litestar import Response, post
from litestar.params import JSONBody

from dwtsvc.errors import BadArguments
from dwtsvc.model import Step
from dwtsvc.server import parsing
from dwtsvc.server.gate.access import Access, caller
from dwtsvc.server.rest import barcodewords, sheets
from dwtsvc.server.rest.body import strict
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.documents import SOURCE
from dwtsvc.server.rest.jobs import ProductKey, Req
from dwtsvc.server.rest.model import BlankResult, BlankSettings, CheckBlank, EditPage, ReadBarcode

if TYPE_CHECKING:
    from dwtsvc.server.rest.sheets import Sheet
    from dwtsvc.server.service import Service

T = TypeVar("T")

ENGINES = {"BestCoverage": "both", "Balance": "auto", "BestSpeed": "zxing"}
EDITED = tuple(sheets.FORMATS)
OF_A_SOURCE = (404, 410, 422)


def routes(service: Service) -> list[Any]:
    async def apart(request: Req, function: Callable[..., T], sheet: Sheet, *asked: Any) -> T:
        """A function of `parsing` on a page, in a confined child."""
        bucket = caller(request).bucket
        return await service.bridge.confined(service.confined.run, bucket, function, sheet.page, sheet.data, *asked)

    @post(
        "/api/process/read-barcode",
        opt={"access": Access.READ},
        operation_id="readBarcode",
        status_code=200,
        responses=problems(*OF_A_SOURCE, 501),
        operation_class=described(body={"source": SOURCE, "settings": "BestCoverage"}, answer=[barcodewords.EXAMPLE]),
        summary="Read the barcodes of a scanned page",
    )
    async def read_barcode(
        request: Req, data: JSONBody[ReadBarcode], product_key: ProductKey = None
    ) -> list[dict[str, Any]]:
        wanted = await strict(request, data)
        engine = engine_of(wanted.settings)
        sheet = await sheets.of_source(service, request, wanted.source)
        return [barcodewords.shown(code) for code in await apart(request, parsing.barcodes, sheet, engine)]

    @post(
        "/api/process/check-blank",
        opt={"access": Access.READ},
        operation_id="checkBlank",
        status_code=200,
        responses=problems(*OF_A_SOURCE),
        operation_class=described(
            body={"source": SOURCE, "settings": {"minBlockHeight": 20, "maxBlockHeight": 30}},
            answer=BlankResult(False, 0.06, "ink on 9.8% of the page"),
        ),
        summary="Whether a scanned page is blank",
    )
    async def check_blank(request: Req, data: JSONBody[CheckBlank]) -> BlankResult:
        wanted = await strict(request, data)
        _check_heights(wanted.settings)
        sheet = await sheets.of_source(service, request, wanted.source)
        heights = (wanted.settings.minBlockHeight, wanted.settings.maxBlockHeight) if wanted.settings else (None, None)
        found = await apart(request, parsing.blank, sheet, (), *heights)
        return BlankResult(found.blank, found.score, found.reason)

    @post(
        "/api/process/edit",
        opt={"access": Access.EDIT},
        operation_id="edit",
        status_code=200,
        responses=problems(*OF_A_SOURCE),
        operation_class=described(
            body={"source": SOURCE, "steps": [{"name": "rotate", "values": {"degrees": 90}}], "type": "image/png"},
            types=EDITED,
        ),
        summary="A scanned page with edits, as a file; the page itself stays as it is",
    )
    async def edit(request: Req, data: JSONBody[EditPage]) -> Response[bytes]:
        wanted = await strict(request, data)
        steps = [Step(name=each.name, values=each.values) for each in wanted.steps]
        _check_steps(steps)
        sheet = await sheets.of_source(service, request, wanted.source)
        form = sheets.FORMATS[wanted.type], service.settings.quality, steps
        made = await apart(request, parsing.encoded, sheet, *form)
        return Response(made, media_type=wanted.type)

    return [read_barcode, check_blank, edit]


def engine_of(settings: str | None) -> str:
    """The barcode engine that a preset or a JSON template of settings means; templates are only checked to be JSON."""
    if not settings:
        return ENGINES["BestCoverage"]
    if settings in ENGINES:
        return ENGINES[settings]
    try:
        msgspec.json.decode(settings, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadArguments(
            "The barcode settings are no JSON object", why=str(error), hint=f"Choose one of: {', '.join(ENGINES)}."
        ) from error
    return ENGINES["BestCoverage"]


def _check_heights(settings: BlankSettings | None) -> None:
    if settings and settings.minBlockHeight > settings.maxBlockHeight:
        raise BadArguments("minBlockHeight must not be above maxBlockHeight")


def _check_steps(steps: list[Step]) -> None:
    from dwtsvc.imaging.steps import check

    for step in steps:
        check(step)
