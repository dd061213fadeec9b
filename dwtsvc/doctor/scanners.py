"""Checks of scanners: the driver, what it finds, and the right to use what is plugged in."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator

from dwtsvc.doctor import usb
from dwtsvc.doctor.patient import Finding, Patient, failed, ok, skipped, warning
from dwtsvc.doctor.usb import Rights, UsbDevice

RULES = "/etc/udev/rules.d/60-dwtsvc-scanner.rules"  # before 70-uaccess.rules, which reads libsane_matched
GROUP = "scanner"


def driver(patient: Patient) -> Iterator[Finding]:
    """SANE itself, asked in a process of its own, as a scan asks it."""
    if sys.platform == "win32":
        yield skipped("driver", "SANE is not for Windows")
        return
    found, complaints = patient.sane
    install = patient.install(apt="libsane1 sane-utils", dnf="sane-backends", pacman="sane", zypper="sane-backends")
    for said in complaints:
        missing = "not installed" in said
        yield failed("driver", said, command=install if missing else "SANE_DEBUG_DLL=3 scanimage -L")
    if not complaints:
        yield ok("driver", f"SANE answers, {_many(len(found), 'scanner')}")


def scanners(patient: Patient) -> Iterator[Finding]:
    found, complaints = patient.sane
    for each in found:
        yield ok("scanners", f"{each.label} is `{each.id}`")
    if not found:
        say = skipped if complaints else warning
        advice = "Switch it on, plug it in, then list them. `dwtsvc scan -d virtual:adf` tries the rest without one."
        yield say("scanners", "No scanner was found", advice=advice, command="dwtsvc devices")
    yield from _network(patient)


def _network(patient: Patient) -> Iterator[Finding]:
    """Whether SANE looks for scanners in the network that need no driver of their own."""
    backends = _backends(patient)
    found = [each for each in ("airscan", "escl") if each in backends]
    if found:
        yield ok("scanners", f"Scanners in the network are looked for by {' and '.join(found)}")
    elif backends:
        install = patient.install(apt="sane-airscan", dnf="sane-airscan", pacman="sane-airscan", zypper="sane-airscan")
        yield skipped("scanners", "Scanners in the network that need no driver are not looked for", command=install)


def _backends(patient: Patient) -> set[str]:
    """The backends that SANE is configured to load, in its main file and those that packages add."""
    folder = patient.beneath("/etc/sane.d")
    names: set[str] = set()
    for path in (folder / "dll.conf", *folder.glob("dll.d/*")):
        try:
            lines = path.read_text("utf-8", errors="replace").splitlines()
        except OSError:
            continue
        names |= {line.partition("#")[0].strip() for line in lines}
    return names - {""}


def rights(patient: Patient) -> Iterator[Finding]:
    """The device file of each scanner at USB: whether it may be read and written by this process."""
    found = list(usb.devices(patient.machine))
    if not found:
        yield skipped("rights", "No scanner is plugged into USB; one in the network needs no right")
    for device in found:
        yield _right(patient, device)


def _right(patient: Patient, device: UsbDevice) -> Finding:
    name, node = device.name, device.node
    try:
        who = usb.rights(node)
    except OSError as error:
        found = f"{name}: its device file {node} is not there: {error.strerror}"
        return failed("rights", found, advice="Plug it in again.", command="sudo udevadm trigger --action=add")
    shown = _shown(who)
    if os.access(node, os.R_OK | os.W_OK):
        told = f"{name}: {_myself()} may use {node} ({shown})"
        return _driverless(patient, told) if device.driverless and not device.known else ok("rights", told)
    found = f"{name}: {_myself()} may not write to {node} ({shown})"
    say = failed if device.known else warning  # a printer need not have a scanner in it
    return say("rights", found, **_missing(device, who))


def _driverless(patient: Patient, told: str) -> Finding:
    if patient.programs.find("ipp-usb") or patient.beneath("/usr/sbin/ipp-usb").exists():
        return ok("rights", f"{told}; ipp-usb makes it a network scanner")
    install = patient.install(apt="ipp-usb sane-airscan", dnf="ipp-usb sane-airscan", pacman="ipp-usb sane-airscan")
    return warning("rights", f"{told}; it needs ipp-usb to scan without a driver of its own", command=install)


def _missing(device: UsbDevice, who: Rights) -> dict[str, str]:
    """The exact right that is missing, and how to get it."""
    groups = [group for group in who.helping_groups if group]  # nobody shall become a member of root
    if not groups:
        advice = f"No group may use it: udev knows no rule for {device.vendor}:{device.product}. Add one:"
        return {"advice": advice, "command": _rule(device)}
    name = _group(groups[0])
    if _is_member(groups[0]):
        advice = f"You are a member of the group {name} since you logged in: log out and in again."
        return {"advice": advice, "command": f"newgrp {name}"}
    advice = f"Become a member of the group {name}, then log out and in again:"
    return {"advice": advice, "command": f"sudo usermod -aG {name} {shlex.quote(_myself())}"}


def _rule(device: UsbDevice) -> str:
    rule = (
        f'ATTRS{{idVendor}}=="{device.vendor}", ATTRS{{idProduct}}=="{device.product}", '
        f'ENV{{libsane_matched}}="yes", MODE="0660", GROUP="{GROUP}"'
    )
    trigger = "sudo udevadm control --reload && sudo udevadm trigger --action=add"
    return f"echo {shlex.quote(rule)} | sudo tee {RULES} && {trigger}"


def _is_member(group: int) -> bool:
    """Whether the list of groups says so, although this process does not have the group."""
    import grp

    try:
        return _myself() in grp.getgrgid(group).gr_mem
    except KeyError:
        return False


def _shown(who: Rights) -> str:
    """As `ls -l` and `getfacl` would say it, in one line."""
    listed = [f"user {_user(each)} {_letters(right)}" for each, right in who.users.items()]
    listed += [f"group {_group(each)} {_letters(right)}" for each, right in who.groups.items() if each != who.group]
    return ", ".join([f"{who.mode} {_user(who.owner)} {_group(who.group)}", *listed])


def _letters(right: int) -> str:
    return "".join(letter if right & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))


def _myself() -> str:
    return _user(os.geteuid())


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _many(count: int, thing: str) -> str:
    return f"{count} {thing}{'s' * (count != 1)}"
