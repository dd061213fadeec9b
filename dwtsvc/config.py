"""Settings: one table, and one way to find their values.

A value comes from the first of these that has one: an option of the command, the environment (DWTSVC_<NAME>), the
user's DSConfiguration.ini, the system's, the default. Our own keys stand in the section [dwtsvc] of that file, the
published keys of the protocol (LogLevel, Server, ...) anywhere outside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from dwtsvc import ini, kinds
from dwtsvc.errors import BadArguments, BadConfiguration
from dwtsvc.ini import Entry
from dwtsvc.kinds import Kind
from dwtsvc.model import Mode, Source
from dwtsvc.paths import HOME_VARIABLE, Paths
from dwtsvc.suffixes import FORMATS

SECTION = "dwtsvc"
PREFIX = "DWTSVC_"
FORMAT = kinds.words("auto", *FORMATS, jpg="jpeg", tif="tiff")
TIFF_COMPRESSION = kinds.words("auto", "none", "lzw", "deflate", "jpeg", "g4")
QUALITY = kinds.whole(1, 100)
RESOLUTION = kinds.optional(kinds.whole(1, 19200))

T = TypeVar("T")


def _setting(default: T, kind: Kind[T], meaning: str, *, published: str = "") -> T:
    """A field of Settings, which mypy shall take for its value; `published` is the protocol's name for the key."""
    return field(default=default, metadata={"kind": kind, "meaning": meaning, "published": published})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The value of every setting. This is the table: each setting is described here and nowhere else."""

    device: str | None = _setting(
        None, kinds.optional(kinds.DEVICE), "The scanner to use; auto is the first one found."
    )
    source: Source = _setting(
        Source.AUTO,
        kinds.enumeration(Source),
        "Where the paper lies; auto is the feeder if it is loaded, else the glass.",
    )
    mode: Mode = _setting(Mode.COLOR, kinds.enumeration(Mode), "Colours; auto keeps each page as what it is.")
    resolution: int | None = _setting(None, RESOLUTION, "Dots per inch; auto is what the scanner has nearest to 300.")
    size: str = _setting("auto", kinds.SIZE, "The paper; auto is the scanner's own default area.")
    format: str = _setting("auto", FORMAT, "What is written; auto follows the name of the output, else pdf.")
    quality: int = _setting(85, QUALITY, "Quality of JPEG and WebP, also inside PDF and TIFF.")
    tiff_compression: str = _setting(
        "auto", TIFF_COMPRESSION, "Compression of TIFF; auto is g4 for black and white, else deflate."
    )
    scanner_timeout: float = _setting(
        120.0, kinds.seconds(0.1, 86400), "Seconds without any progress after which a scanner counts as hanging."
    )
    cancel_grace: float = _setting(
        5.0,
        kinds.seconds(0, 600),
        "Seconds a scanner gets to stop when a scan is cancelled, before its worker is killed.",
    )
    discovery_timeout: float = _setting(10.0, kinds.seconds(0.1, 600), "Seconds each driver gets to list its scanners.")
    escl_devices: tuple[str, ...] = _setting(
        (), kinds.WEB_ADDRESSES, "Network scanners by address, for those in other networks: `http://192.168.1.7/eSCL`."
    )
    escl_discovery: bool = _setting(True, kinds.SWITCH, "Look for scanners in the network.")
    watch_buttons: bool = _setting(False, kinds.SWITCH, "Scan when a button is pressed that a profile names.")
    button_interval: float = _setting(
        1.0, kinds.seconds(0.2, 60), "Seconds between two looks at the buttons of a scanner, which open it each time."
    )
    share: str = _setting(
        "off", kinds.SHARE, "Offer the scanners to phones and desktops (AirScan): where the service listens for them."
    )
    share_port: int = _setting(
        18627, kinds.whole(1, 65534), "The port that shared scanners are at; the one after it has encryption."
    )
    share_devices: tuple[str, ...] = _setting(
        (), kinds.DEVICES, "The scanners that are shared; nothing is those of this machine itself."
    )
    share_allow: tuple[str, ...] = _setting(
        (), kinds.NETWORKS, "The networks that may use shared scanners; nothing is the one the service listens in."
    )
    share_announce: bool = _setting(True, kinds.SWITCH, "Announce shared scanners, so that phones find them.")
    webcams: str = _setting(
        "on",
        kinds.words("on", "off", "virtual"),
        "Whether cameras are listed and may be opened; virtual lists a test picture, too.",
    )
    keep_days: int = _setting(
        30, kinds.whole(1, 3650), "Days after which pages that wait for `dwtsvc scan --recover` are deleted."
    )
    max_page_bytes: int = _setting(2 << 30, kinds.BYTES, "The largest page taken from a scanner.")
    progress: str = _setting("auto", kinds.words("auto", "on", "off"), "Show progress; auto is on a terminal only.")
    http_ports: tuple[int, ...] = _setting((18622, 18625), kinds.PORTS, "The ports of the service without encryption.")
    https_ports: tuple[int, ...] = _setting((18623, 18626), kinds.PORTS, "The ports of the service with encryption.")
    require_token: bool = _setting(False, kinds.SWITCH, "Programs of the same user need the token of the service, too.")
    ask_consent: str = _setting(
        "auto",
        kinds.words("auto", "on", "off"),
        "A web site may ask the user for access; auto is where there is a screen.",
    )
    job_idle: float = _setting(
        600.0, kinds.seconds(1, 86400), "Seconds after which a job of the service that nobody uses ends by itself."
    )
    worker_idle: float = _setting(
        60.0, kinds.seconds(0, 86400), "Seconds after which the service lets go of a scanner that nobody uses."
    )
    job_pages: int = _setting(10_000, kinds.whole(1, 1_000_000), "Pages after which a job of the service is stopped.")
    job_time: float = _setting(
        4 * 3600.0, kinds.seconds(1, 7 * 86400), "Seconds after which a running job of the service is stopped."
    )
    cache_limit: int = _setting(8 << 30, kinds.BYTES, "What all pages that the service holds may take on the disk.")
    cache_share: int = _setting(
        20, kinds.whole(1, 100), "And what percentage of the disk's free room they may take, if that is less."
    )
    origin_cache_limit: int = _setting(2 << 30, kinds.BYTES, "What the pages of one web site may take on the disk.")
    memory_limit: int = _setting(256 << 20, kinds.BYTES, "Memory for thumbnails and images in work.")
    language: str = _setting(
        "eng", kinds.LANGUAGES, "The languages that text is read in, as tesseract names them: `deu+eng`."
    )
    tessdata: str | None = _setting(
        None, kinds.optional(kinds.TEXT), "The folder with tesseract's models; auto is where tesseract looks."
    )
    fetch_sources: bool = _setting(
        False, kinds.SWITCH, "The service may fetch an image from an https address that a web site names."
    )
    upload_targets: tuple[str, ...] = _setting(
        (), kinds.ORIGINS, "The web sites the service may upload to, besides the one that asks."
    )
    server: str | None = _setting(
        None, kinds.ADDRESS, "The address the service listens on besides this machine's own.", published="Server"
    )
    access_control_allow_origin: tuple[str, ...] = _setting(
        (), kinds.ORIGINS, "The web sites that may use the service.", published="Access-Control-Allow-Origin"
    )
    camera_origins: tuple[str, ...] = _setting(
        (), kinds.ORIGINS, "Those of Access-Control-Allow-Origin that may use cameras, too; * is all it names."
    )
    enable_web_setup: bool = _setting(
        False, kinds.SWITCH, "The page of the service may change settings.", published="EnableWebSetup"
    )
    log_level: int = _setting(
        1,
        kinds.one_of(0, 1, 14, 30),
        "How much the service logs; 14 and 30 are for finding faults.",
        published="LogLevel",
    )
    enable_scanner_access_auth: bool = _setting(
        False, kinds.SWITCH, "Ask before a web site uses a scanner.", published="EnableScannerAccessAuth"
    )
    enable_file_access_auth: bool = _setting(
        False, kinds.SWITCH, "Ask before a web site uses a file.", published="EnableFileAccessAuth"
    )
    enable_webcam_access_auth: bool = _setting(
        False, kinds.SWITCH, "Ask before a web site uses a camera.", published="EnableWebcamAccessAuth"
    )
    enable_enhanced_mode: bool = _setting(
        False, kinds.SWITCH, "A port for each user of a machine with many.", published="EnableEnhancedMode"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A row of the table. `name` is the key in the file, `attribute` the field of Settings."""

    name: str
    attribute: str
    kind: Kind[Any]
    default: Any
    meaning: str
    published: bool

    @property
    def variable(self) -> str:
        return PREFIX + self.attribute.upper()

    @property
    def option(self) -> str:
        return "--" + self.attribute.replace("_", "-")

    def show(self, value: object) -> str:
        return self.kind.show(value)


def _rows() -> Iterable[Setting]:
    for each in fields(Settings):
        assert each.default is not MISSING
        name = each.metadata["published"]
        yield Setting(
            name=name or each.name,
            attribute=each.name,
            kind=each.metadata["kind"],
            default=each.default,
            meaning=each.metadata["meaning"],
            published=bool(name),
        )


SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in _rows()}
_BY_KEY = {name.lower(): setting for name, setting in SETTINGS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCertificate:
    """A section [host] of the file: the certificate and key, files in the `cert` folder, for one TLS host name."""

    host: str
    cert_name: str
    key_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The settings, for each name in SETTINGS where its value comes from, and what should be looked at."""

    settings: Settings
    sources: Mapping[str, str]
    hosts: tuple[HostCertificate, ...] = ()
    warnings: tuple[str, ...] = ()

    def value(self, name: str) -> Any:
        return getattr(self.settings, find(name).attribute)

    def shown(self, name: str) -> str:
        """The value as a configuration file would say it."""
        return find(name).show(self.value(name))


class _Findings:
    """What the layers said so far; a later layer overwrites an earlier one."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = dict.fromkeys(SETTINGS, "default")
        self.hosts: dict[str, HostCertificate] = {}
        self.warnings: list[str] = []

    def take(self, setting: Setting, value: object, source: str) -> None:
        self.values[setting.attribute] = value
        self.sources[setting.name] = source

    def loaded(self) -> Loaded:
        return Loaded(
            settings=Settings(**self.values),
            sources=self.sources,
            hosts=tuple(self.hosts.values()),
            warnings=tuple(self.warnings),
        )


def load(paths: Paths, environ: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Loaded:
    """Every setting with its value and source. `overrides` are options by setting name; None means not given.

    Raises BadConfiguration for a file or variable, BadArguments for an option.
    """
    findings = _Findings()
    for path in dict.fromkeys((paths.system_config_file, paths.config_file)):
        _read_file(path, findings)
    _read_environment(environ, findings)
    for name, value in (overrides or {}).items():
        if value is not None:
            setting = find(name)
            findings.take(setting, setting.kind.argument(setting.option, str(value)), f"option {setting.option}")
    return findings.loaded()


def check(path: Path) -> tuple[str, ...]:
    """The warnings about one configuration file, or its first fault as BadConfiguration."""
    findings = _Findings()
    _read_file(path, findings)
    return tuple(findings.warnings)


def find(name: str) -> Setting:
    """The setting of a name; BadArguments with the nearest name if there is none."""
    if setting := _BY_KEY.get(name.lower()):
        return setting
    raise BadArguments(f"There is no setting '{name}'", hint=_did_you_mean(name) or "`dwtsvc config` lists all.")


def write_setting(path: Path, name: str, value: str, *, mode: int = 0o600) -> Setting:
    """Set a setting in a file, where it stands or in its proper place; BadArguments for a wrong value."""
    setting = find(name)
    setting.kind.argument(setting.name, value)
    with ini.editing(path, mode=mode) as document:
        here = _standing(document, setting.name)
        section = here.section if here else "" if setting.published else SECTION
        document.set(section, setting.name, value.strip())
    return setting


def remove_setting(path: Path, name: str) -> bool:
    """Remove a setting from a file; False if it was not there. A misspelt key of our section can be removed too."""
    with ini.editing(path) as document:
        here = _standing(document, name)
        if here is None:
            find(name)
            return False
        return document.unset(here.section, here.key)


def settings_table() -> str:
    """The table of all settings for the documentation, in Markdown."""
    rows = [("Name", "Default", "Allowed", "Meaning"), ("---",) * 4]
    for each in SETTINGS.values():
        default = each.show(each.default)
        rows.append((f"`{each.name}`", f"`{default}`" if default else "", each.kind.allowed, each.meaning))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _standing(document: ini.Document, name: str) -> Entry | None:
    """Where a key stands: a published one anywhere outside our section, any other in it."""
    setting = _BY_KEY.get(name.lower())
    if not (setting and setting.published):
        return document.find(SECTION, name)
    entries = (entry for entry in document.entries() if not _is_ours(entry))
    return next((entry for entry in entries if entry.key.lower() == name.lower()), None)


def _is_ours(entry: Entry) -> bool:
    return entry.section.lower() == SECTION


def _read_file(path: Path, findings: _Findings) -> None:
    given: dict[str, int] = {}
    certificates: dict[str, dict[str, Entry]] = {}
    for entry in ini.read(path).entries():
        setting = _BY_KEY.get(entry.key.lower())
        if setting and setting.published != _is_ours(entry):
            _refuse_second(path, entry, given)
            findings.take(setting, _value(path, entry, setting), f"{path}:{entry.line}")
        elif _is_ours(entry):
            raise unknown_key(path, entry, _did_you_mean(entry.key, setting))
        elif entry.section and entry.key.lower() in ("cert_name", "key_name"):
            certificates.setdefault(entry.section.lower(), {})[entry.key.lower()] = entry
        else:
            findings.warnings.append(_warning(path, entry, setting))
    for named in certificates.values():
        certificate = _certificate(path, named)
        findings.hosts[certificate.host.lower()] = certificate


def _refuse_second(path: Path, entry: Entry, given: dict[str, int]) -> None:
    first = given.setdefault(entry.key.lower(), entry.line)
    if first != entry.line:
        raise BadConfiguration(
            f"{path}:{entry.line}: {entry.key} is given twice",
            why=f"it already stands in line {first}",
            hint="Remove one of the two lines.",
        )


def _value(path: Path, entry: Entry, setting: Setting) -> Any:
    return entry_value(path, entry, setting.kind, default=setting.show(setting.default))


def entry_value(path: Path, entry: Entry, kind: Kind[T], default: str = "") -> T:
    """The value of a line; BadConfiguration with file, line, key, value and what is allowed."""
    try:
        return kind.parse(entry.value.strip())
    except ValueError:
        raise BadConfiguration(
            f"{path}:{entry.line}: {entry.key} cannot be '{entry.value}'",
            why=f"allowed: {kind.allowed}",
            hint="Correct the line" + (f", or remove it for the default, {default}." if default else ", or remove it."),
        ) from None


def unknown_key(path: Path, entry: Entry, hint: str) -> BadConfiguration:
    return BadConfiguration(
        f"{path}:{entry.line}: unknown key '{entry.key}' in [{entry.section}]", hint=hint or "Remove the line."
    )


def _certificate(path: Path, named: dict[str, Entry]) -> HostCertificate:
    some = next(iter(named.values()))
    for key in ("cert_name", "key_name"):
        if key not in named or not named[key].value:
            raise BadConfiguration(
                f"{path}:{some.line}: [{some.section}] has no {key}",
                hint="A host needs both, cert_name and key_name; each is the name of a file in the folder cert.",
            )
    return HostCertificate(host=some.section, cert_name=named["cert_name"].value, key_name=named["key_name"].value)


def _warning(path: Path, entry: Entry, ours: Setting | None) -> str:
    advice = f"; it counts only in the section [{SECTION}]" if ours else ""
    return f"{path}:{entry.line}: unknown key '{entry.key}' outside [{SECTION}] is kept and not used{advice}"


def _read_environment(environ: Mapping[str, str], findings: _Findings) -> None:
    if device := environ.get("SANE_DEFAULT_DEVICE"):
        findings.take(SETTINGS["device"], f"sane:{device}", "environment SANE_DEFAULT_DEVICE")
    variables = {setting.variable: setting for setting in SETTINGS.values()}
    for variable in sorted(name for name in environ if name.startswith(PREFIX) and name != HOME_VARIABLE):
        setting = variables.get(variable)
        if setting is None:
            findings.warnings.extend(_misspelt(variable, list(variables)))
        elif environ[variable]:
            findings.take(setting, _variable(setting, environ[variable]), f"environment {variable}")


def _variable(setting: Setting, text: str) -> Any:
    try:
        return setting.kind.parse(text.strip())
    except ValueError:
        raise BadConfiguration(
            f"The environment variable {setting.variable} cannot be '{text}'", why=f"allowed: {setting.kind.allowed}"
        ) from None


def _misspelt(variable: str, known: list[str]) -> list[str]:
    """A warning for a variable that looks like one of ours. Others may be another program's business."""
    near = nearest(variable, known, 0.85)
    return [f"environment {variable} is not used; did you mean {near}?"] if near else []


def _did_you_mean(name: str, misplaced: Setting | None = None) -> str:
    if misplaced:
        return f"{misplaced.name} stands outside [{SECTION}]: move it to the top of the file."
    near = nearest(name, SETTINGS)
    return f"Did you mean {near}?" if near else ""


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    from difflib import get_close_matches

    by_folded = {each.lower(): each for each in known}
    matches = get_close_matches(name.lower(), by_folded, n=1, cutoff=likeness)
    return by_folded[matches[0]] if matches else None
