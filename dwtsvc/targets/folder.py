"""A folder of this machine, or one that is mounted here."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from dwtsvc.errors import FileAccess
from dwtsvc.parts import PartFile, is_taken, writing
from dwtsvc.targets.carrying import MOST_NAMES, no_name
from dwtsvc.targets.parcel import Arrival, Parcel, numbered, unreadable
from dwtsvc.targets.patience import Deadline
from dwtsvc.targets.target import Target

CHUNK = 1 << 20


class Folder:
    """Files appear whole or not at all, and none is replaced. Raises FileAccess and DiskFull."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self._folder, self._deadline = Path(target.url), deadline

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def carry(self, parcel: Parcel) -> Arrival:
        for number in range(1, MOST_NAMES):
            place = self._folder / numbered(parcel.name, number)
            if self._is_it(place, parcel):
                return Arrival(location=str(place), verified="sha256", already_there=True)
            if os.path.lexists(place):
                continue
            try:
                return self._write(place, parcel)
            except FileAccess:
                if not is_taken(place):  # else another sender was quicker, or is writing it
                    raise
        raise no_name(parcel)

    def _write(self, place: Path, parcel: Parcel) -> Arrival:
        part = PartFile(place)
        try:
            with parcel.opened(self._deadline) as file, writing(place):
                while data := file.read(CHUNK):
                    part.file.write(data)
                part.file.flush()
                part.file.seek(0)
                if _sha256(part.file) != parcel.sha256:
                    raise FileAccess(f"{place} cannot be written", why="what is read back is not what was written")
            part.commit()
        finally:
            part.abort()
        return Arrival(location=str(place), verified="sha256")

    def _is_it(self, place: Path, parcel: Parcel) -> bool:
        try:
            if not place.is_file() or place.stat().st_size != parcel.size:
                return False
            with place.open("rb") as file:
                return _sha256(file) == parcel.sha256
        except OSError as error:
            raise unreadable(place, error) from error


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while data := file.read(CHUNK):
        digest.update(data)
    return digest.hexdigest()
