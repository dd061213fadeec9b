"""Which web origins the configuration allows beforehand, and what: all but cameras, unless it names those."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from dwtsvc.config import Settings
from dwtsvc.errors import BadArguments
from dwtsvc.server.gate.access import USUAL, Access
from dwtsvc.server.gate.grants import canonical

# What `*` grants. Not UPLOAD: the service would send pages to addresses that nobody chose.
ANYBODY = USUAL - {Access.UPLOAD}

_log = logging.getLogger("dwtsvc.server")


class Configured:
    """The settings `Access-Control-Allow-Origin` and, for cameras, `camera_origins`."""

    def __init__(self, settings: Settings) -> None:
        self._listed = settings.access_control_allow_origin
        self._named = _canonical("Access-Control-Allow-Origin", self._listed)
        self._cameras = _canonical("camera_origins", settings.camera_origins)
        self._all_cameras = "*" in settings.camera_origins

    def scopes(self, origin: str) -> frozenset[Access]:
        """What an origin, as browsers send it, may do; nothing if it is not allowed."""
        if origin in self._named:
            return USUAL | ({Access.CAMERA} if self._all_cameras or origin in self._cameras else frozenset())
        if "*" in self._listed and origin.startswith(("https://", "http://")):
            return ANYBODY | ({Access.CAMERA} if origin in self._cameras else frozenset())
        return frozenset()

    def listed(self) -> list[tuple[str, frozenset[Access]]]:
        """What the configuration names, as it does, with what that may do."""
        return [(each, ANYBODY if each == "*" else self._scopes_of(each)) for each in self._listed]

    def _scopes_of(self, text: str) -> frozenset[Access]:
        try:
            return self.scopes(canonical(text))
        except BadArguments:
            return frozenset()


def _canonical(setting: str, origins: Iterable[str]) -> frozenset[str]:
    """The origins of a setting as browsers send them; one that is none matches nothing."""
    found = set()
    for each in origins:
        try:
            found.add(canonical(each))
        except BadArguments:
            if each != "*":
                _log.warning("%s names something that is no web origin", setting)
    return frozenset(found)
