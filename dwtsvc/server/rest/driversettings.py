"""A driver's own settings as a text that a client keeps and sends back with a job."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from dwtsvc.errors import BadArguments
from dwtsvc.model import Capabilities, DriverOption, ScanRequest

Apply = Callable[[ScanRequest, Capabilities], ScanRequest]

BY_REQUEST = frozenset({  # what a scan says itself, whatever the driver's settings were
    *("source", "mode", "depth", "resolution", "x-resolution", "y-resolution", "preview"),
    *("tl-x", "tl-y", "br-x", "br-y", "page-width", "page-height"),
})  # fmt: skip


def text_of(capabilities: Capabilities) -> str:
    """The driver's settings as they are now, to be sent back with a job: base64 of a JSON object."""
    kept = {each.name: each.value for each in capabilities.options if _may_be_kept(each)}
    return base64.b64encode(msgspec.json.encode({"dwtsvc": 1, "options": kept})).decode()


def _may_be_kept(option: DriverOption) -> bool:
    return (
        option.settable
        and option.active
        and option.type != "button"
        and option.name not in BY_REQUEST
        and option.value != ""
    )


def applied(text: str) -> Apply:
    """Takes the options of such a text into a scan. Raises BadArguments for other texts and for unknown options."""
    try:
        said = msgspec.json.decode(base64.b64decode(text, validate=True), type=dict[str, Any])
        options = msgspec.convert(said.get("options"), dict[str, str])
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadArguments(
            "The settings are not of this service",
            why=str(error),
            hint="Take them from scanner/settings of a pending job.",
        ) from error

    def apply(request: ScanRequest, capabilities: Capabilities) -> ScanRequest:
        known = {each.name for each in capabilities.options}
        for name in options:
            if name not in known:
                raise BadArguments(
                    f"The scanner has no setting '{name[:40]}'", hint="Take the settings of this scanner."
                )
        return replace(request, options=tuple(options.items()))

    return apply
