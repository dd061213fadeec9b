"""What a request's head must not say: what another reader could understand otherwise, or what is no HTTP/1.1."""

from __future__ import annotations

from collections.abc import Mapping

from dwtsvc.errors import BadArguments, DwtsvcError

# Fields that decide something. One that stands twice is refused: which of the two counts is a matter of taste.
SINGLE = frozenset(
    b"host content-length transfer-encoding expect origin authorization content-type content-encoding "
    b"sec-fetch-site sec-fetch-mode sec-fetch-dest x-dwtsvc-token dwt-product-key".split()
)

Single = Mapping[bytes, bytes]  # the fields of a head that are in SINGLE, by lower-case name


class Refused(Exception):
    """Raised in a callback of the parser, which ends its work at once."""

    def __init__(self, status: int, error: DwtsvcError) -> None:
        super().__init__(status, error)
        self.status = status
        self.error = error


def refused(what: str) -> Refused:
    return Refused(400, BadArguments(what))


def check_version(version: str, method: bytes, single: Single) -> None:
    if version not in ("1.1", "1.0"):
        raise Refused(505, BadArguments("The service speaks HTTP/1.1"))
    if version == "1.1" and b"host" not in single:
        raise refused("The request has no Host")
    if method == b"CONNECT":
        raise refused("The service is no proxy")


def check_framing(version: str, single: Single, *, upgrades: bool) -> None:
    """Where a body ends must be clear, also to a reader who ignores an upgrade."""
    coding, length = single.get(b"transfer-encoding"), single.get(b"content-length")
    if coding is not None and (coding.lower() != b"chunked" or length is not None or version == "1.0"):
        raise refused("The length of the request's body is not clear")
    if upgrades and (coding is not None or length not in (None, b"0")):
        raise refused("A request with a body cannot change the protocol")


def check_expectation(single: Single) -> None:
    if single.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise Refused(417, BadArguments("The request expects what the service does not know"))


def check_authority(address: bytes, schema: bytes | None, scheme: str | None, single: Single) -> None:
    """An address with a host in it, as for a proxy, must name the host that Host names."""
    authority = address.partition(b"//")[2].split(b"/", 1)[0].split(b"?", 1)[0]
    named = authority.lower() == single.get(b"host", b"").lower()
    if not (named and (schema or b"").decode("ascii").lower() == scheme):
        raise refused("The address of the request does not agree with its Host")
