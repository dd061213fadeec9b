"""The connection under one request of httpx: seen as it is made, cut by another thread; and where redirects may lead.

The limits of httpx are of silence, and a byte a minute is none: who has a deadline for all of it must cut.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult


class Connection:
    """`watch` goes into a request as its extension "trace"; `stream` is httpcore's, None before there is one."""

    def __init__(self) -> None:
        self.stream: Any = None

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self.stream = info["return_value"]

    def cut(self) -> None:
        """Whoever reads or writes gets an error of httpx; nothing happens where there is no connection."""
        with suppress(OSError, AttributeError):
            # The plain socket's own shutdown: that of TLS would take its state away under the thread that reads.
            socket.socket.shutdown(self.stream.get_extra_info("socket"), socket.SHUT_RDWR)


def may_lead(here: SplitResult, there: SplitResult) -> bool:
    """Whether a redirect stays with its host and is no less safe: to the same port, or from http to https.

    Raises ValueError for a port that is none.
    """
    upgraded = (here.scheme, there.scheme) == ("http", "https")
    if there.scheme != here.scheme and not upgraded:
        return False
    return there.hostname == here.hostname and (there.port == here.port or upgraded) and "@" not in there.netloc
