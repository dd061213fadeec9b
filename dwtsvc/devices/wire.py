"""Messages between the parent and a device worker: one JSON object a line, bounded, checked when read.

Pixels never travel here: they go into slot files (see worker.py). JSON and not pickle, because a driver that a
hostile scanner took over must not be able to run code in the parent.

Parent to worker, key `do`:   record, list, watch, sense, open, scan, release, cancel
Worker to parent, key `say`:  ready, device, changed, sensors, capabilities, resolved, page, rows, page_end, waiting,
                              done, failed
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from dwtsvc.records import pack

MAX_MESSAGE = 1 << 20

Message = dict[str, Any]


class BadMessage(ValueError):
    """What came over the wire is not a message."""


def write(stream: BinaryIO, **message: Any) -> None:
    """Send one message; records are packed by their fields."""
    stream.write(json.dumps(message, default=pack, separators=(",", ":")).encode() + b"\n")
    stream.flush()


def read(stream: BinaryIO) -> Message | None:
    """The next message, or None at end of file. Raises BadMessage on anything else."""
    line = stream.readline(MAX_MESSAGE + 1)
    if not line:
        return None
    if len(line) > MAX_MESSAGE or not line.endswith(b"\n"):
        raise BadMessage(f"a message of over {MAX_MESSAGE} bytes, or one cut short")
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not a message: {line[:60]!r}") from error
    if not isinstance(message, dict):
        raise BadMessage(f"not a message: {line[:60]!r}")
    return message
