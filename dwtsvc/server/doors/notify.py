"""What the service tells systemd: ready, stopping, alive. Without systemd nothing is sent."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping

_log = logging.getLogger(__name__)


def notify(message: str, environ: Mapping[str, str] | None = None) -> bool:
    """Send a line such as READY=1 to the socket that NOTIFY_SOCKET names; False if there is none or it is gone."""
    address = (os.environ if environ is None else environ).get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return False
    if address.startswith("@"):  # the abstract namespace
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # a full queue must not hold the loop
            sender.sendto(message.encode(), address)
    except OSError as error:
        _log.debug("The service manager was not told %s: %s", message, error)
        return False
    return True


def watchdog_seconds(environ: Mapping[str, str] | None = None) -> float | None:
    """How often systemd wants a sign of life of this process, halved as its manual asks; None if it wants none."""
    environ = os.environ if environ is None else environ
    wanted, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or int(wanted) == 0 or pid not in ("", str(os.getpid())):
        return None
    return int(wanted) / 2_000_000


async def keep_alive(environ: Mapping[str, str] | None = None) -> None:
    """Send WATCHDOG=1 as long as the loop turns: a loop that hangs sends none, and systemd ends the service."""
    seconds = watchdog_seconds(environ)
    while seconds is not None:
        notify("WATCHDOG=1", environ)
        await asyncio.sleep(seconds)
