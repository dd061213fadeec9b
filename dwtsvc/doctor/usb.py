"""Devices at USB that may be scanners, as the kernel and udev know them, and who may use their device files."""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dwtsvc.certs.stores import Machine

HARDWARE = ("/usr/lib/udev/hwdb.d/20-sane.hwdb", "/lib/udev/hwdb.d/20-sane.hwdb")
_KNOWN = re.compile(r"^usb:v([0-9A-F]{4})p([0-9A-F]{4})\*", re.MULTILINE)
PRINTER = 0x07  # a multifunction device is one, too
IPP_OVER_USB = (0x07, 0x01, 0x04)
READ_AND_WRITE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class UsbDevice:
    """A device that SANE knows (`known`), or a printer that may have a scanner in it. Ids are four hex digits."""

    vendor: str
    product: str
    label: str
    node: Path
    known: bool
    driverless: bool  # it speaks IPP over USB, which ipp-usb turns into a network scanner

    @property
    def name(self) -> str:
        return f"{self.label} ({self.vendor}:{self.product})".strip()


def devices(machine: Machine) -> Iterator[UsbDevice]:
    """Everything at USB that may scan, in the order of the ports."""
    known = _hardware(machine)
    for folder in sorted(machine.beneath("/sys/bus/usb/devices").glob("*")):
        if (folder / "idVendor").exists():
            device = _device(machine, folder, known)
            if device:
                yield device


def _device(machine: Machine, folder: Path, known: frozenset[tuple[str, str]]) -> UsbDevice | None:
    vendor, product = _read(folder / "idVendor"), _read(folder / "idProduct")
    interfaces = {_interface(each) for each in folder.glob("*:*")}
    scans = (vendor.lower(), product.lower()) in known or _matched(machine, _read(folder / "dev"))
    if not scans and all(each[0] != PRINTER for each in interfaces):
        return None
    node = f"/dev/bus/usb/{_number(folder / 'busnum'):03}/{_number(folder / 'devnum'):03}"
    return UsbDevice(
        vendor=vendor,
        product=product,
        label=f"{_read(folder / 'manufacturer')} {_read(folder / 'product')}".strip(),
        node=machine.beneath(node),
        known=scans,
        driverless=IPP_OVER_USB in interfaces,
    )


def _interface(folder: Path) -> tuple[int, ...]:
    names = ("bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")
    return tuple(_number(folder / name, 16) for name in names)


def _hardware(machine: Machine) -> frozenset[tuple[str, str]]:
    """The ids that libsane's own list names, so that a scanner is known also where udev does not run."""
    for each in HARDWARE:
        if text := _read(machine.beneath(each)):
            return frozenset((vendor.lower(), product.lower()) for vendor, product in _KNOWN.findall(text))
    return frozenset()


def _matched(machine: Machine, numbers: str) -> bool:
    """Whether udev holds the device with these numbers, such as 189:3, for a scanner."""
    return "E:libsane_matched=yes" in _read(machine.beneath(f"/run/udev/data/c{numbers}")).split("\n")


def _number(path: Path, base: int = 10) -> int:
    """0 for what is none: a device that is being pulled out has files without content."""
    try:
        return int(_read(path), base)
    except ValueError:
        return 0


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


# Rights


@dataclass(frozen=True, slots=True)
class Rights:
    """Who may use a device file: its mode and owners, and what its access list adds. Rights are 0 to 7, as in modes."""

    mode: str
    owner: int
    group: int
    users: dict[int, int] = field(default_factory=dict)
    groups: dict[int, int] = field(default_factory=dict)

    @property
    def helping_groups(self) -> list[int]:
        """The groups that may read and write, the owning one last: one that was added was added for scanning."""
        return [group for group, right in self.groups.items() if right & READ_AND_WRITE == READ_AND_WRITE]


def rights(node: Path) -> Rights:
    """Raises OSError."""
    found = node.stat()
    users, groups, mask = _access_list(node)
    groups = {group: right & mask for group, right in groups.items()}
    # With an access list, the group's bits of the mode are the list's mask.
    own = groups.pop(-1, (found.st_mode >> 3) & 7)
    limited = {user: right & mask for user, right in users.items()}
    return Rights(stat.filemode(found.st_mode), found.st_uid, found.st_gid, limited, {**groups, found.st_gid: own})


_USER, _OWNING_GROUP, _GROUP, _MASK = 0x02, 0x04, 0x08, 0x10


def _access_list(node: Path) -> tuple[dict[int, int], dict[int, int], int]:
    """Users, groups (-1 is the owning one) and the mask of a POSIX access list, as the kernel stores it."""
    try:
        data = os.getxattr(node, "system.posix_acl_access")
    except (OSError, AttributeError):
        return {}, {}, 7
    users: dict[int, int] = {}
    groups: dict[int, int] = {}
    mask = 7
    for tag, right, who in struct.iter_unpack("<HHI", data[4:]):
        if tag == _USER:
            users[who] = right
        elif tag == _GROUP:
            groups[who] = right
        elif tag == _OWNING_GROUP:
            groups[-1] = right
        elif tag == _MASK:
            mask = right
    return users, groups, mask
