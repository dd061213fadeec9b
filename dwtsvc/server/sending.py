"""The owner's named targets, for the scan page: their names, and pages of a buffer that go to one of them."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Request, get, post
from litestar.params import JSONBody

from dwtsvc.disk import telling
from dwtsvc.errors import BadConfiguration, DiskFull, DwtsvcError, FileAccess, ServiceRefused
from dwtsvc.naming import clean
from dwtsvc.records import pack
from dwtsvc.scratch import Scratch
from dwtsvc.secrets import Secrets
from dwtsvc.server.classic import files
from dwtsvc.server.classic.client import Client
from dwtsvc.server.gate.access import Access, caller
from dwtsvc.server.rest import progress
from dwtsvc.suffixes import FORMATS
from dwtsvc.targets import Facts, Patience, named, send

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

ATTEMPTS = 3  # somebody looks on, and can try again
TARGETS = "/web/targets"
USUAL = "scan"


class Wanted(files.Saved, frozen=True, kw_only=True):
    """The images `indices` of the buffer `client`, as a file that is called `name`, to the target of a name.

    `delivery` is the same for every attempt at one delivery, 32 hexadecimal digits.
    """

    client: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    target: Annotated[str, msgspec.Meta(max_length=200)]
    name: Annotated[str, msgspec.Meta(max_length=400)]
    delivery: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


def routes(service: Service) -> list[Any]:
    """For tools and own pages: no web site learns of the targets, or sends to one."""

    @get(TARGETS, opt={"access": Access.ADMIN}, sync_to_thread=True, include_in_schema=False)
    def targets() -> dict[str, list[str]]:
        """The names of the targets, in the order of the file."""
        return {"targets": named.names(service.paths)}

    @post(TARGETS, opt={"access": Access.ADMIN}, status_code=200, include_in_schema=False)
    async def deliver(request: Request[Any, Any, Any], data: JSONBody[Wanted]) -> Any:
        """Send pages; the receipt, or progress and receipt as events. Who goes away while pages are read sends none."""
        client = Client(service, caller(request), data.client)
        work = partial(delivered, client, data)
        return await progress.answered(service, request, work, answer=lambda receipt: receipt, result=lambda each: each)

    return [targets, deliver]


def delivered(client: Client, wants: Wanted, tell: progress.Tell) -> dict[str, Any]:
    """The receipt. Blocking. Raises BadArguments, ServiceRefused, DiskFull.

    The pages lie in the open while they are sent; what a service left there that was killed, the next delivery removes.
    """
    paths = client.service.paths
    target = named.target(paths, wants.target)
    count = len(client.chosen(wants.indices))
    with _scratch(paths.create(paths.cache)) as folder:
        with files.saved(client, wants, lambda number: tell(number - 1, count)).content as content:
            file = Path(folder, (clean(wants.name) or USUAL) + FORMATS[wants.type][0])
            with telling(file), file.open("wb") as copy:
                shutil.copyfileobj(content, copy)
        tell(count, count)
        facts, secrets = Facts(title=wants.title, pages=count), Secrets.of(paths)
        patience = Patience(attempts=ATTEMPTS, total=target.timeout)
        try:
            return pack(send(target, file, facts, secrets=secrets, patience=patience, id=wants.delivery))
        except (FileAccess, DiskFull, BadConfiguration) as error:
            raise _told(error) from None


def _scratch(cache: Path) -> Scratch:
    with telling(cache):
        return Scratch("send", cache)


def _told(error: DwtsvcError) -> ServiceRefused:
    """The same in words that may be shown: here the reader is the owner of the folders that they name."""
    return ServiceRefused(error.what, why=error.why, hint=error.hint)
