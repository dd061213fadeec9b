"""The pages of the service for a person: welcome, consent, the legal notice, and the files they are made of; and
dwtsvc.js, the client for the pages of others."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated, Any

from litestar import Request, Response, delete, get, post
from litestar.params import FromQuery, HeaderParameter, QueryParameter

from dwtsvc.devices.ways import once
from dwtsvc.errors import ServiceRefused, UnknownItem
from dwtsvc.server import welcome
from dwtsvc.server.gate import access
from dwtsvc.server.gate.access import Access
from dwtsvc.server.gate.grants import canonical
from dwtsvc.version import __version__

if TYPE_CHECKING:
    from dwtsvc.server.service import Service

WEB = Path(__file__).parent / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
A_DAY = "public, max-age=86400"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_FIRST = "public, no-cache"  # kept, but only used after the service has said that it is still the same

KnownTag = Annotated[str | None, HeaderParameter(name="If-None-Match")]
Origin = Annotated[str, QueryParameter(name="origin", max_length=300)]

_FILES = {
    "style.css": "text/css",
    "welcome.js": "text/javascript",
    "consent.js": "text/javascript",
    "consent-texts.js": "text/javascript",
}
CLIENT = WEB / "js"
_CLIENT_MEDIA = {".js": "text/javascript", ".ts": "application/typescript"}
SCAN = WEB / "scan"
_SCAN_MEDIA = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_ICONS = {"favicon.svg": "image/svg+xml", "favicon.ico": "image/vnd.microsoft.icon"}


def routes(service: Service) -> list[Any]:
    """The handlers, over the service. What they change, a web site cannot, whatever it has consent for."""
    page = Template((WEB / "welcome.html").read_text("utf-8"))
    files = [_file(name, media, Access.PAGE) for name, media in _FILES.items()]
    icons = [_file(name, media, Access.PUBLIC) for name, media in _ICONS.items()]
    own = [_welcome(service, page), _page("/consent", "consent.html"), *_scan(), _legal()]
    own += [_health(), _look(service), _forget(service)]
    return [*files, *icons, *map(_client_file, client_files()), *own]


def _scan() -> list[Any]:
    """The scan page and all that it is made of: what lies in its folder is served below /scan/."""
    parts = sorted(part for part in SCAN.iterdir() if part.suffix in _SCAN_MEDIA)
    served = [_file(f"scan/{part.name}", _SCAN_MEDIA[part.suffix], Access.PAGE) for part in parts]
    return [_page("/scan", "scan/scan.html"), *served]


def _file(name: str, media: str, needed: Access) -> Any:
    body = (WEB / name).read_bytes()
    kept = {"cache-control": A_DAY} if needed is Access.PUBLIC else {}

    @get(f"/{name}", opt={"access": needed}, sync_to_thread=False, include_in_schema=False)
    def file() -> Response[bytes]:
        return Response(body, media_type=media, headers=kept)

    return file


def client_files() -> list[Path]:
    """The modules of dwtsvc.js with their types, in the order of their names."""
    return sorted(path for path in CLIENT.rglob("*") if path.suffix in _CLIENT_MEDIA)


def _client_file(path: Path) -> Any:
    """A file that any page may load. `?v=` with the version of the service lets browsers keep it for ever."""
    body, media = path.read_bytes(), _CLIENT_MEDIA[path.suffix]
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'

    @get(
        f"/{path.relative_to(CLIENT).as_posix()}",
        opt={"access": Access.PUBLIC},
        sync_to_thread=False,
        include_in_schema=False,
    )
    def file(v: FromQuery[str] = "", known: KnownTag = None) -> Response[bytes]:
        headers = {"etag": tag, "cache-control": FOR_EVER if v == __version__ else ASK_FIRST}
        if known and tag in known:
            return Response(b"", status_code=304, headers=headers)
        return Response(body, media_type=media, headers=headers)

    return file


def _html(body: str) -> Response[bytes]:
    return Response(body.encode(), media_type="text/html", headers={"content-security-policy": POLICY})


def _welcome(service: Service, page: Template) -> Any:
    @get("/", opt={"access": Access.PAGE}, sync_to_thread=True, include_in_schema=False)
    def home() -> Response[bytes]:
        service.scanners.begin()
        return _html(page.substitute(welcome.sections(service)))

    return home


def _page(path: str, name: str) -> Any:
    body = (WEB / name).read_text("utf-8")

    @get(path, opt={"access": Access.PAGE}, sync_to_thread=False, include_in_schema=False)
    def page() -> Response[bytes]:
        return _html(body)

    return page


def _legal() -> Any:
    @get("/legal.txt", opt={"access": Access.PAGE}, sync_to_thread=True, include_in_schema=False)
    def notice() -> Response[bytes]:
        """The licences of all parts."""
        return Response(_notice(), media_type="text/plain")

    return notice


@cache
def _notice() -> bytes:
    from dwtsvc.server import legal

    return legal.notice().encode()


def _health() -> Any:
    @get("/healthz", opt={"access": Access.HEALTH}, include_in_schema=False, sync_to_thread=False)
    def health() -> Response[bytes]:
        """Whether the service answers. It says nothing else."""
        return Response(b"ok\n", media_type="text/plain")

    return health


def _look(service: Service) -> Any:
    @post("/web/devices", opt={"access": Access.ADMIN}, status_code=200, include_in_schema=False)
    async def look() -> dict[str, int]:
        """Ask every driver anew for its scanners; how many there are."""
        return {"count": len(once(await service.bridge.outside(service.scanners.listed, refresh=True)))}

    return look


def _forget(service: Service) -> Any:
    @delete("/web/origins", opt={"access": Access.ADMIN}, sync_to_thread=True, status_code=204, include_in_schema=False)
    def forget(request: Request[Any, Any, Any], origin: Origin) -> None:
        """Forget what was decided about a web site. What was allowed once is no setting: any own page ends it."""
        if access.caller(request).kind == "own" and not service.settings.enable_web_setup:
            if service.consent.end_once(canonical(origin)):
                return
            hint = "Run `dwtsvc origins revoke`, or set EnableWebSetup."
            raise ServiceRefused("The pages of the service may not change settings", hint=hint)
        if not service.consent.revoke(canonical(origin)):
            raise UnknownItem("Nothing was decided about this web site")

    return forget
