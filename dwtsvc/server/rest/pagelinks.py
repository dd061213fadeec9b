"""The addresses of scanned pages: what a client is told, and what it may name as the source of something."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

from dwtsvc.errors import UnknownItem
from dwtsvc.jobs import Job
from dwtsvc.model import PageInfo

JOBS = "/api/device/scanners/jobs"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

_PATH = re.compile(re.escape(JOBS) + r"/([^/]+)/(next-page|content)")


@dataclass(frozen=True, slots=True)
class Link:
    """A page of a job, by its imageuid or by its 0-based index."""

    job: str
    imageuid: str = ""
    index: int = -1


def imageuid(page: PageInfo) -> str:
    """The id of a page: 24 hexadecimal digits that stay the same over a restart and tell nothing of the disk."""
    return hashlib.blake2b(page.id.encode(), digest_size=12, person=b"dwtsvc page").hexdigest()


def base(request: Any) -> str:
    """Scheme, host and port by which the client reached the service."""
    return f"{request.url.scheme}://{request.url.netloc}"


def path(job: str, page: PageInfo) -> str:
    return f"{JOBS}/{job}/next-page?page={imageuid(page)}"


def parse(url: str, host: str) -> Link | None:
    """The page that an address of our own means; None for any other address. `host` is that of the request."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query, max_num_fields=32)
        ours = parts.scheme in ("http", "https") and is_ours(parts, host)
    except ValueError:
        return None
    match = _PATH.fullmatch(parts.path)
    named = query.get("page", [])
    if not ours or not match or len(named) != 1:
        return None
    if match[2] == "next-page":
        return Link(match[1], imageuid=named[0].lower())
    return Link(match[1], index=int(named[0])) if re.fullmatch(r"[0-9]{1,9}", named[0]) else None


def is_ours(parts: SplitResult, host: str) -> bool:
    """Whether an address means this service, by a name of this machine or by that of the request."""
    return "@" not in parts.netloc and (parts.hostname in LOOPBACK or parts.netloc.lower() == host.lower())


def find(job: Job, link: Link) -> PageInfo:
    """The page of a job that a link means. Raises UnknownItem."""
    pages = job.pages
    if link.index < 0:
        found = next((page for page in pages if imageuid(page) == link.imageuid), None)
    else:
        found = pages[link.index] if link.index < len(pages) else None
    if found is None:
        raise UnknownItem("There is no such page", hint="Take the url that next-page-info tells.")
    return found
