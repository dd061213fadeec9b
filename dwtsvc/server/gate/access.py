"""Who may call what: each route's access class, and the caller that the guard found.

A route says what it asks of its caller, once, where it is declared:

    @get("/api/device/scanners", opt={"access": Access.LIST})
    @post("/f/LoadFile", opt={"access": Access.EDIT, "files": True})    # its body may be a file

A Litestar router or controller hands its own `opt` down to its handlers. A route that says nothing keeps the service
from starting: a forgotten one would otherwise be open to every web page.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from dwtsvc.errors import DwtsvcError, OriginNotAllowed

if TYPE_CHECKING:
    from litestar import Litestar

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Access(StrEnum):
    """What a route asks of its caller."""

    PUBLIC = "public"  # anybody, from any page; holds no data
    HEALTH = "health"  # anybody who used a name of this machine; holds no data
    PAGE = "page"  # a person's own navigation to it, and the service's own pages
    ASK = "ask"  # any web origin: the way to ask for consent
    LIST = "list"  # from here to CAMERA: the scopes that a web origin gets by consent
    SCAN = "scan"
    READ = "read"
    EDIT = "edit"
    UPLOAD = "upload"
    CAMERA = "camera"  # cameras: to find them in lists, to watch them, and with SCAN to scan with them
    IMAGE = "image"  # as READ; and a GET with a valid signature needs nothing else
    ADMIN = "admin"  # tools and own pages; no web origin, whatever it has consent for


SCOPES = frozenset({Access.LIST, Access.SCAN, Access.READ, Access.EDIT, Access.UPLOAD, Access.CAMERA})
USUAL = SCOPES - {Access.CAMERA}  # what is meant where none is named: who means a camera says so
_EVERYTHING = frozenset(Access)

Kind = Literal["tool", "origin", "own", "image", "nobody"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a tool of this user, a web origin with consent, an own page, the holder of a signed URL, or nobody.

    `origin` is the page's origin as the browser sent it; for "image" it is the bucket that the signature was made for.
    """

    kind: Kind
    origin: str | None = None
    scopes: frozenset[Access] = frozenset()

    @property
    def bucket(self) -> str:
        """The key under which all that this caller makes is kept: nobody sees another bucket's things."""
        if self.kind in ("origin", "image"):
            return self.origin or ""
        return "" if self.kind == "tool" else self.kind

    @property
    def sees_cameras(self) -> bool:
        """Whether it may know of cameras and open them: no web site that did not get consent for just that."""
        return self.kind in ("tool", "own") or Access.CAMERA in self.scopes


TOOL = Caller("tool", scopes=_EVERYTHING)
OWN = Caller("own", scopes=_EVERYTHING)
NOBODY = Caller("nobody")


def of_origin(origin: str, scopes: Iterable[Access]) -> Caller:
    """A web origin with consent for `scopes`. Who may read may see images."""
    granted = frozenset(scopes) & SCOPES
    seen = {Access.IMAGE} if Access.READ in granted else frozenset[Access]()
    return Caller("origin", origin, granted | seen | {Access.PUBLIC, Access.HEALTH, Access.ASK})


def caller(request: Any) -> Caller:
    """The caller of a Litestar request or an ASGI scope. Raises KeyError where no guard stands before the app."""
    scope = request if isinstance(request, Mapping) else request.scope
    found: Caller = scope["state"]["caller"]
    return found


def no_consent(access: Access) -> OriginNotAllowed:
    """What a web origin is told that has consent, but not for this."""
    deed = {Access.IMAGE: "read", Access.CAMERA: "use cameras"}.get(access, access.value)
    hint = "Ask for it, or allow it with `dwtsvc origins allow`."
    return OriginNotAllowed(f"This web site has no consent to {deed}", hint=hint)


class Route:
    """One address: the access class of each method, which of them take files (their bodies may be large), and the app
    that answers if it is not the main one."""

    __slots__ = ("app", "files", "methods")

    def __init__(self) -> None:
        self.methods: dict[str, Access] = {}
        self.files: set[str] = set()
        self.app: App | None = None


class _Node:
    """A component of paths. A parameter stands for one component, or for all that follow."""

    __slots__ = ("children", "parameter", "route", "takes_rest")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.parameter: _Node | None = None
        self.takes_rest = False
        self.route: Route | None = None


class RouteTable:
    """Every address of the service. It walks a path exactly as Litestar's router does: a component that is declared
    in words wins over a parameter, and there is no way back. Otherwise the guard would judge another route than the
    one that answers."""

    def __init__(self) -> None:
        self._plain: dict[str, Route] = {}
        self._root = _Node()

    def add(self, path: str, methods: Mapping[str, Access], app: App | None = None, *, files: bool = False) -> None:
        """Declare an address such as `/dwt/{version}/img`; `app`, where given, answers it instead of the main app.
        With `files` the body may be a file, else it is at most a JSON text. What GET may do, HEAD may.

        Raises DwtsvcError if one of its methods is declared already.
        """
        route = self._route(path)
        if "GET" in methods:
            methods = {**methods, "HEAD": methods["GET"]}
        for method, access in methods.items():
            if method in route.methods:
                raise DwtsvcError(f"The route {method} {path} is declared twice")
            route.methods[method] = access
            if files:
                route.files.add(method)
        route.app = app or route.app

    def find(self, path: str) -> Route | None:
        """The route of a path as ASGI gives it: percent signs decoded, no query. None if there is none."""
        if found := self._plain.get(path):
            return found
        trimmed = path[:-1] if len(path) > 1 and path[-1] == "/" else path
        if trimmed[:1] != "/" or "//" in path or "/." in trimmed or "\\" in trimmed or not trimmed.isprintable():
            return None
        return self._plain.get(trimmed) or self._walk(trimmed)

    def paths(self) -> dict[str, Mapping[str, Access]]:
        """Every declared address with the access class of each method."""
        return dict(_listed(self._root, ""))

    def _route(self, path: str) -> Route:
        node = self._root
        for part in _parts(path):
            node = _below(node, part)
        if node.route is None:
            node.route = Route()
            if "{" not in path:
                self._plain[path if path == "/" else path.rstrip("/")] = node.route
        return node.route

    def _walk(self, path: str) -> Route | None:
        node = self._root
        for part in _parts(path):
            step = node.children.get(part) or node.parameter
            if step is None:
                return None
            node = step
            if node.takes_rest:
                break
        return node.route


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def _below(node: _Node, part: str) -> _Node:
    if not part.startswith("{"):
        return node.children.setdefault(part, _Node())
    node.parameter = node.parameter or _Node()
    node.parameter.takes_rest |= part.endswith(":path}")
    return node.parameter


def _listed(node: _Node, path: str) -> Iterable[tuple[str, Mapping[str, Access]]]:
    if node.route:
        yield path or "/", node.route.methods
    for name, child in node.children.items():
        yield from _listed(child, f"{path}/{name}")
    if node.parameter:
        yield from _listed(node.parameter, path + ("/{rest}" if node.parameter.takes_rest else "/{}"))


def routes(app: Litestar) -> RouteTable:
    """The table of an app's routes. Raises DwtsvcError if one does not say its access class, or is no plain HTTP.

    Litestar's own answers to OPTIONS are left out: the guard answers those of browsers, and the rest are no secret to
    a caller who may use the route.
    """
    table = RouteTable()
    for route in app.routes:
        for handler in getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]:
            methods = getattr(handler, "http_methods", None)
            if methods == {"OPTIONS"}:
                continue
            said = getattr(handler, "opt", None) or {}
            access = said.get("access")
            if not isinstance(access, Access):
                raise DwtsvcError(f"The route {route.path} does not say who may call it", hint="Give it opt['access'].")
            if not methods:
                raise DwtsvcError(f"The route {route.path} is no plain HTTP route", hint="Use RouteTable.add.")
            table.add(route.path, dict.fromkeys(map(str, methods), access), files=bool(said.get("files")))
    return table
