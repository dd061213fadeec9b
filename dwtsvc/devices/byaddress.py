"""Network scanners by address, for those that do not announce themselves here: ask one, keep it, forget it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from dwtsvc import config
from dwtsvc.devices import connect
from dwtsvc.devices.esclknown import Known, address
from dwtsvc.errors import BadArguments, BadConfiguration, DriverError, NoRightToScanner, NoScanner, ScannerBusy
from dwtsvc.esclxml import clean, uuid_of
from dwtsvc.paths import Paths

SETTING = "escl_devices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A scanner that answered. `certificate` is the SHA-256 of the one it showed, empty where it has no TLS."""

    device: str
    name: str
    uuid: str
    address: str
    certificate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """The addresses that were taken out of the configuration, and the scanners whose certificates are forgotten."""

    addresses: tuple[str, ...]
    known: tuple[str, ...]


def ask(text: str, known: Known, *, timeout: float) -> Asked:
    """The scanner at `http://HOST/eSCL`, or at a bare HOST or HOST:PORT; its certificate is pinned from now on.

    A bare host is asked encrypted first, then in the clear. Raises BadArguments for what is no address, NoScanner where
    none answers, NoRightToScanner for a certificate that is not the one of before, or none where there was one.
    """
    reasons = []
    for url in _urls(text):
        try:
            return _answering(url, known, timeout)
        except (NoRightToScanner, ScannerBusy):
            raise
        except DriverError as error:
            reasons.append(error)
    if len(reasons) == 1:
        raise reasons[0]
    raise NoScanner(
        f"There is no scanner at {clean(text)}",
        why="; ".join(map(str, reasons)),
        hint="Check that it is on, and that AirScan or eSCL is switched on in its settings.",
    )


def _answering(url: str, known: Known, timeout: float) -> Asked:
    with connect("escl", timeout=timeout) as worker:
        found = worker.open(url)
    key = found.device.removeprefix("escl:")
    uuid = uuid_of(key)
    record = known.get(uuid or address(url).netloc.lower())
    place = record.urls[0] if uuid and record.urls else key
    if record.certificate and place.startswith("http:"):
        raise NoRightToScanner(
            f"The scanner at {place} was encrypted before, and is not now",
            why=f"it is to show the certificate with SHA-256 {record.certificate}",
            hint=f"Add its https address, or forget the certificate with `dwtsvc devices remove {key}`.",
        )
    return Asked(
        device=found.device,
        name=f"{found.vendor} {found.model}".strip(),
        uuid=uuid,
        address=place,
        certificate=record.certificate,
    )


def keep(asked: Asked, paths: Paths, environ: Mapping[str, str]) -> bool:
    """Keep a scanner in the user's configuration, so that it is listed; False if it is there already.

    Raises BadConfiguration where the environment decides, which a file cannot change.
    """
    there = _in_force(paths, environ)
    if asked.address in map(_plain, there):
        return False
    _write(paths, environ, (*there, asked.address))
    return True


def forget(text: str, paths: Paths, environ: Mapping[str, str], known: Known) -> Forgotten:
    """Take a scanner out of the configuration and forget its certificate, by its device id, UUID, address or host."""
    name = text.strip().removeprefix("escl:")
    uuid = uuid_of(name) if "://" not in name else ""
    there = _in_force(paths, environ)
    urls = set(known.get(uuid).urls if uuid else _urls(name))
    gone = tuple(each for each in there if _plain(each) in urls)
    if gone:
        _write(paths, environ, tuple(each for each in there if each not in gone))
    keys = {uuid} if uuid else {key for url in urls for key in known.at(url)}
    places = {address(url).netloc.lower() for url in urls}
    return Forgotten(addresses=gone, known=tuple(known.forget(keys | places)))


def _urls(text: str) -> tuple[str, ...]:
    """The addresses that are meant, in the form that they are kept in. Raises BadArguments."""
    text = text.strip()
    if "://" in text:
        return (address(text).geturl(),)
    host = text
    with suppress(ValueError):
        host = f"[{text}]" if ip_address(text).version == 6 else text
    return tuple(address(f"{scheme}://{host}", said=text).geturl() for scheme in ("https", "http"))


def _plain(url: str) -> str:
    """An address of the configuration in the form that the driver gives it; one that is none stays as it is."""
    try:
        return address(url).geturl()
    except BadArguments:
        return url


def _in_force(paths: Paths, environ: Mapping[str, str]) -> tuple[str, ...]:
    return config.load(paths, environ).settings.escl_devices


def _write(paths: Paths, environ: Mapping[str, str], addresses: tuple[str, ...]) -> None:
    source = config.load(paths, environ).sources[SETTING]
    if source.startswith("environment"):
        hint = "Change the variable, or take it away and try again."
        raise BadConfiguration(f"The setting {SETTING} is taken from the {source}", hint=hint)
    Paths.create(paths.config_file.parent)
    config.write_setting(paths.config_file, SETTING, ",".join(addresses))
