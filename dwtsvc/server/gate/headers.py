"""The headers of security that every answer has, put together once.

A page of ours may say its own policy, and a public file how long it may be kept; nothing else may be said otherwise.
"""

from __future__ import annotations

from dwtsvc.server.gate.access import Access

Header = tuple[bytes, bytes]

METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
# The names that a page of a consented origin may send, in both spellings of the protocol.
SENDABLE = (
    b"Content-Type, Authorization, X-DWTSVC, X-DWTSVC-Token, DWT-PRODUCT-KEY, DWT-DOC-PASSWORD, "
    b"X-DICS-LICENSE-KEY, X-DICS-DOC-PASSWORD"
)
READABLE = b"Content-Disposition, Location, Retry-After"
PREFLIGHT_LASTS = b"600"  # seconds; a consent that was taken back must not live on in the browser

_COMMON: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"vary", b"Origin"),
]
_NO_CONTENT: Header = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_PAGE_CONTENT: Header = (
    b"content-security-policy",
    b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
)
_NO_FRAME: Header = (b"x-frame-options", b"DENY")
_NOT_KEPT: Header = (b"cache-control", b"no-store")
_OURS_ONLY: Header = (b"cross-origin-resource-policy", b"same-origin")
_FOR_ALL: Header = (b"cross-origin-resource-policy", b"cross-origin")
_ANY_READER: Header = (b"access-control-allow-origin", b"*")  # a module script is fetched with CORS; it holds no data

DATA = [*_COMMON, _NO_CONTENT, _NOT_KEPT, _OURS_ONLY]
IMAGE = [*_COMMON, _NO_CONTENT, _NOT_KEPT]  # a signed one is shown by pages of any origin
PAGE = [*_COMMON, _PAGE_CONTENT, _NO_FRAME, _NOT_KEPT, _OURS_ONLY]
PUBLIC = [*_COMMON, _NO_CONTENT, _NOT_KEPT, _FOR_ALL, _ANY_READER]

_OWN_WORD = {Access.PAGE: frozenset({b"content-security-policy"}), Access.PUBLIC: frozenset({b"cache-control"})}
_CORS = frozenset(
    b"access-control-" + name
    for name in (b"allow-origin", b"allow-credentials", b"allow-headers", b"allow-methods", b"expose-headers")
)
_GUARDED = frozenset(name for name, _ in (*PAGE, *PUBLIC)) | _CORS | {b"server"}


def complete(given: list[Header], ours: list[Header], access: Access | None) -> list[Header]:
    """The headers of an answer: those of its route, without the ones that are the guard's business, and ours."""
    if access in _OWN_WORD:
        return _with_own_word(given, ours, _OWN_WORD[access])
    headers = ours.copy()
    for header in given:
        if header[0] not in _GUARDED:
            headers.append(header)
    return headers


def readable_by(origin: bytes) -> list[Header]:
    """What lets the pages of one origin read an answer. Never with credentials: a cookie proves nothing here."""
    return [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", READABLE)]


def preflight(origin: bytes) -> list[Header]:
    """The answer to a browser that asks whether a page of this origin may send a request."""
    return [
        *DATA,
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", SENDABLE),
        (b"access-control-max-age", PREFLIGHT_LASTS),
    ]


def _with_own_word(given: list[Header], ours: list[Header], free: frozenset[bytes]) -> list[Header]:
    said = {name for name, _ in given} & free
    kept = [header for header in given if header[0] not in _GUARDED or header[0] in said]
    return [*(header for header in ours if header[0] not in said), *kept]
