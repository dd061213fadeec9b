"""Checks of the folders and of the disks they are on."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from dwtsvc.doctor.patient import Finding, Patient, existing, failed, free_bytes, ok, warning

FULL = 64 << 20  # an A4 page of 300 dpi in colour takes 26 MB while it comes
TIGHT = 1 << 30


def folders(patient: Patient) -> Iterator[Finding]:
    """Every folder that is written to. The configuration may be read by others: it holds no secret."""
    paths = patient.paths
    secret = {paths.state, paths.cache, paths.data, paths.log, paths.runtime}
    found = 0
    for folder in dict.fromkeys((*_written(patient), paths.config)):
        fault = _unusable(folder, patient.uid) or (_open_to_others(folder) if folder in secret else None)
        if fault:
            found += 1
            yield fault
    if not found:
        yield ok("folders", "All can be written to, and are closed to others")


def _written(patient: Patient) -> tuple[Path, ...]:
    paths = patient.paths
    return paths.state, paths.cache, paths.data, paths.storage, paths.log, paths.runtime


def _unusable(folder: Path, uid: int) -> Finding | None:
    there, quoted = existing(folder), shlex.quote(str(folder))
    if not there.is_dir():
        return failed("folders", f"{there} is a file where a folder must be", command=f"rm {shlex.quote(str(there))}")
    if os.access(there, os.W_OK | os.X_OK):
        return None
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return failed("folders", f"{folder} is on a disk that is mounted read-only", command=_remount(there))
    if there == folder and folder.stat().st_uid != uid:
        command = f"sudo chown -R $USER {quoted}"
        return failed("folders", f"{folder} belongs to {_owner(folder)}, not to you", command=command)
    return failed("folders", f"{folder} cannot be written to", command=f"chmod u+rwx {shlex.quote(str(there))}")


def _remount(folder: Path) -> str:
    mount = next(each for each in (folder, *folder.parents) if os.path.ismount(each))
    return f"sudo mount -o remount,rw {shlex.quote(str(mount))}"


def _open_to_others(folder: Path) -> Finding | None:
    if not folder.exists() or not folder.stat().st_mode & 0o077:
        return None
    found = f"{folder} is open to other users (mode {folder.stat().st_mode & 0o777:o})"
    return failed("folders", found, command=f"chmod go-rwx {shlex.quote(str(folder))}")


def _owner(folder: Path) -> str:
    import pwd

    uid = folder.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def disk(patient: Patient) -> Iterator[Finding]:
    """One finding for each disk, with the folders of ours that are on it."""
    paths = patient.paths
    uses = {"pages": paths.pages, "cache": paths.cache, "storage": paths.storage, "log": paths.log}
    disks: dict[int, list[str]] = {}
    for use, folder in uses.items():
        disks.setdefault(existing(folder).stat().st_dev, []).append(use)
    for names in disks.values():
        yield _room({name: uses[name] for name in names}, paths.dump)


def _room(uses: dict[str, Path], dumps: Path) -> Finding:
    free = min(free_bytes(folder) for folder in uses.values())
    which = " and ".join(f"{use} ({folder})" for use, folder in uses.items())
    if free >= TIGHT:
        return ok("disk", f"{_size(free)} are free for {which}")
    say, word = (failed, "is full") if free < FULL else (warning, "has little room")
    held = {use: _held(folder) for use, folder in uses.items()}
    kept = ", ".join(f"{use} {_size(size)}" for use, size in held.items())
    found = f"The disk of {which} {word}: {_size(free)} are free; on it {kept}"
    return say("disk", found, advice=_what_to_delete(uses, dumps), command=_clean(uses))


def _what_to_delete(uses: dict[str, Path], dumps: Path) -> str:
    said = []
    if "cache" in uses:
        said.append("The cache may be deleted while the service is stopped.")
    if "pages" in uses:
        said.append(f"Pages that wait are written out by `dwtsvc scan --recover -o FILE`; {dumps} may be emptied.")
    if "storage" in uses:
        said.append("Documents in the storage are deleted by whoever stored them.")
    return " ".join([*said, "Else make room on this disk, or move the folder to another."])


def _clean(uses: dict[str, Path]) -> str:
    if "cache" in uses:
        return f"rm -rf {shlex.quote(str(uses['cache']))}/*"
    if "pages" in uses:
        return "dwtsvc scan --recover --dry-run"
    return f"du -sh {shlex.join(map(str, uses.values()))}"


def _held(folder: Path) -> int:
    """What a folder holds, in bytes; what vanishes meanwhile counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * 512
            except OSError:
                continue
    return total


def _size(size: int) -> str:
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} bytes"
