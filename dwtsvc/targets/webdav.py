"""A folder of a WebDAV server, such as Nextcloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from dwtsvc.targets.carrying import place
from dwtsvc.targets.parcel import Arrival, Parcel, Watched
from dwtsvc.targets.patience import Deadline
from dwtsvc.targets.target import Target
from dwtsvc.targets.web import CHUNK, Web


class WebDav:
    """Files are put under a hidden name and then moved, so that nobody sees half of one."""

    def __init__(self, target: Target, secret: str | None, deadline: Deadline) -> None:
        self._web = Web(target, secret, deadline)
        self._base = target.shown.rstrip("/") + "/"

    def __enter__(self) -> WebDav:
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()

    def carry(self, parcel: Parcel) -> Arrival:
        return place(self, parcel)

    def size(self, name: str) -> int | None:
        reply = self._web.ask("HEAD", self.location(name), headers={"Accept-Encoding": "identity"}, also=(404,))
        if reply.status == 404:
            return None
        length = reply.headers.get("content-length", "")
        return int(length) if length.isascii() and length.isdigit() else -1

    def sha256(self, name: str) -> str:
        return self._web.sha256(self.location(name))

    def write(self, name: str, parcel: Parcel) -> None:
        # With its length said, for not every server takes a file in chunks.
        length = {"Content-Length": str(parcel.size), "Content-Type": parcel.media_type}
        self._web.ask("PUT", self.location(name), headers=length, parcel=parcel, body=_whole)

    def move(self, name: str, to: str) -> bool:
        headers = {"Destination": self.location(to), "Overwrite": "F"}
        return self._web.ask("MOVE", self.location(name), headers=headers, also=(412,)).status != 412

    def remove(self, name: str) -> None:
        self._web.ask("DELETE", self.location(name), also=(404,))

    def location(self, name: str) -> str:
        return self._base + quote(name, safe="")


def _whole(file: Watched) -> dict[str, Any]:
    def pieces() -> Iterator[bytes]:
        while piece := file.read(CHUNK):
            yield piece

    return {"content": pieces()}
