"""/api/process/split: a stack of pages becomes documents, or the map of what would become of each page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from litestar import post
from litestar.params import JSONBody

from dwtsvc import separators
from dwtsvc.buffer import Buffer
from dwtsvc.errors import BadArguments, OriginNotAllowed, UnknownItem
from dwtsvc.facts import PageFacts
from dwtsvc.server import parsing, texts
from dwtsvc.server.gate.access import Access, caller
from dwtsvc.server.looks import Ask, Look
from dwtsvc.server.rest import bufferlinks, documents, pagelinks, progress, sheets
from dwtsvc.server.rest.body import strict
from dwtsvc.server.rest.described import described, problems
from dwtsvc.server.rest.documents import Password
from dwtsvc.server.rest.jobs import UID, Req
from dwtsvc.server.rest.model import MadeDocument, MappedPage, SplitPages, SplitResult
from dwtsvc.server.rest.sheets import Sheet
from dwtsvc.splitting import Row

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

MOST_PAGES = 10_000
SEARCHING = 10.0  # seconds for all patterns on all pages
EXAMPLE = SplitResult(
    [
        MappedPage(1, 1, True, "", 0.98),
        MappedPage(2, 2, False, "separator sheet: patch code T", 0.95),
        MappedPage(2, 3, True, "", 0.97),
    ],
    [MadeDocument(1, "Yk1pU2dWc1ZtT0pBb3d3Zg"), MadeDocument(2, "c0JfZ1ZsQW1WbkZ0d0Rxcg")],
)


@dataclass(frozen=True, slots=True)
class Stack:
    """The pages to split, in order, whose they are, and the names of what begins a new document."""

    looks: Sequence[Look]
    bucket: str
    wanted: SplitPages


def routes(service: Service) -> list[Any]:
    @post(
        "/api/process/split",
        opt={"access": Access.READ},
        operation_id="split",
        status_code=200,
        responses=problems(404, 409, 410, 422, 501),
        operation_class=described(
            body={"jobuid": UID, "separators": ["patcht"], "dropBlank": True, "create": True},
            answer=EXAMPLE,
            types=("application/json", progress.EVENTS),
        ),
        summary="Split pages into documents: the page map, and with `create` stored documents",
    )
    async def split(request: Req, data: JSONBody[SplitPages], password: Password = None) -> SplitResult:
        wanted = await strict(request, data)
        if wanted.create:
            _check_may_edit(request)
            await service.bridge.run(documents.check_room, service, request)
        named = [separators.parse(each) for each in wanted.separators]
        ask = await service.bridge.confined(_asked, service, named)
        stack = Stack(await looks_of(request, wanted), caller(request).bucket, wanted)
        room = partial(documents.check_room, service, request)
        work = partial(_split, service, stack, ask, room)
        return await progress.answered(  # type: ignore[no-any-return]
            service, request, work, answer=lambda found: found, result=lambda found: found
        )

    async def looks_of(request: Req, wanted: SplitPages) -> list[Look]:
        """The pages that are named in one of three ways. Raises BadArguments, UnknownItem, JobDeleted."""
        if sum(each is not None for each in (wanted.sources, wanted.jobuid, wanted.document)) != 1:
            raise BadArguments("The pages are not named", hint="Send one of sources, jobuid and document.")
        bucket = caller(request).bucket
        if wanted.document is not None:
            password = documents.password_of(request)
            buffer = await service.bridge.run(service.documents.open, bucket, wanted.document, password)
            found = [Look(leaf.page, sheets.reader(buffer.store, leaf.page), leaf.steps) for leaf in buffer.leaves]
        elif wanted.jobuid is not None:
            pages = service.holdings.job(bucket, wanted.jobuid).job.pages
            found = [Look(page, sheets.reader(service.store, page)) for page in pages]
        else:
            found = await service.bridge.run(_linked, service, request, wanted.sources or ())
        if not 0 < len(found) <= MOST_PAGES:
            raise BadArguments(f"{len(found)} pages cannot be split", hint=f"Name 1 to {MOST_PAGES}.")
        return found

    return [split]


def _check_may_edit(request: Req) -> None:
    who = caller(request)
    if who.kind == "origin" and Access.EDIT not in who.scopes:
        raise OriginNotAllowed(
            "This web site has no consent to edit", hint="Ask for it, or leave `create` out to see the page map only."
        )


def _linked(service: Service, request: Req, urls: Sequence[str]) -> list[Look]:
    """The pages at these addresses. Blocking."""
    return [_of_url(service, caller(request).bucket, request.url.netloc, url) for url in urls]


def _of_url(service: Service, bucket: str, host: str, url: str) -> Look:
    if image := bufferlinks.parse(url, host):
        return bufferlinks.look(service, bucket, *image)
    link = pagelinks.parse(url, host)
    if link is None:
        raise UnknownItem("A source is no page of this service", hint="Take the url that next-page-info tells.")
    page = pagelinks.find(service.holdings.job(bucket, link.job).job, link)
    return Look(page, sheets.reader(service.store, page))


def _asked(service: Service, named: Sequence[separators.Separator]) -> Ask:
    """What must be known of the pages; text only where a separator looks for one. Raises MissingDependency."""
    reading = texts.asked(service.settings).reading if any(each.kind == "text" for each in named) else None
    return Ask(separators=True, reading=reading)


def _split(
    service: Service, stack: Stack, ask: Ask, check_room: Callable[[], None], tell: progress.Tell
) -> SplitResult:
    """Look at every page, decide, and make the documents. Blocking."""
    facts = []
    found = service.findings.each(stack.bucket, stack.looks, ask)
    for number, (look, page) in enumerate(zip(stack.looks, found, strict=True), 1):
        facts.append(PageFacts.of(number, look.page.back, page))
        tell(number, len(stack.looks))
    wanted = stack.wanted
    asked = facts, wanted.separators, wanted.duplex, wanted.dropBlank
    rows = service.confined.run(stack.bucket, parsing.split, *asked, timeout=SEARCHING, name="The stack")
    made = _created(service, stack, rows, check_room) if wanted.create else []
    return SplitResult([MappedPage(row.document, row.page, row.kept, row.reason, row.confidence) for row in rows], made)


def _created(service: Service, stack: Stack, rows: Sequence[Row], check_room: Callable[[], None]) -> list[MadeDocument]:
    """The documents of the kept pages; after a failure none of them is left."""
    password = stack.wanted.password
    made: dict[int, tuple[str, Buffer]] = {}
    try:
        for row in rows:
            if not row.kept or row.document is None:
                continue
            if row.document not in made:
                check_room()
                made[row.document] = service.documents.create(stack.bucket, password)
            _copy(stack.looks[row.page - 1], made[row.document][1])
    except BaseException:
        for uid, _ in made.values():
            service.documents.delete(stack.bucket, uid, password)
        raise
    return [MadeDocument(number, uid) for number, (uid, _) in sorted(made.items())]


def _copy(look: Look, buffer: Buffer) -> None:
    leaf = sheets.adopt(Sheet(look.page, look.read()), buffer, None)
    if look.steps:
        buffer.edit(leaf.id, *look.steps)
