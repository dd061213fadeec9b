"""What the browsers of this machine let web sites do with programs on it: their policies, and what their users decided.

Since 2025 Chromium and Firefox ask their user before a public site may talk to this machine ("local network access").
Without a yes the browser sends nothing, so the service cannot know of it; only the browser's own files tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dwtsvc.certs.stores import Machine

ALLOW, BLOCK = 1, 2  # as Chromium writes a decision
# The permission's name since it was split in two, and the older one. Measured with Chromium 156: the older name still
# grants what the newer one is asked for, and no longer denies it.
_NEW, _OLD = "loopback_network", "local_network_access"


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser by the name people know it, its programs, where administrators and users keep its settings."""

    name: str
    programs: tuple[str, ...]
    policies: tuple[str, ...]
    profiles: tuple[str, ...] = ()  # beneath the home folder; a pattern of folders

    def settings_page(self, origin: str) -> str:
        scheme = "edge" if self.name == "Edge" else "chrome"
        return f"{self.programs[0]} '{scheme}://settings/content/siteDetails?site={origin}'"


FIREFOX = Browser(
    "Firefox",
    ("firefox", "firefox-esr"),
    (
        "/etc/firefox/policies/policies.json",
        *(
            f"/usr/lib{bits}/{name}/distribution/policies.json"
            for bits in ("", "64")
            for name in ("firefox", "firefox-esr")
        ),
        "/opt/firefox/distribution/policies.json",
    ),
)
CHROMIUMS = (
    Browser(
        "Chromium",
        ("chromium", "chromium-browser"),
        ("/etc/chromium/policies/managed", "/var/snap/chromium/current/policies/managed"),
        (".config/chromium/*", "snap/chromium/common/chromium/*", ".var/app/org.chromium.Chromium/config/chromium/*"),
    ),
    Browser(
        "Chrome",
        ("google-chrome", "google-chrome-stable"),
        ("/etc/opt/chrome/policies/managed",),
        (".config/google-chrome/*", ".var/app/com.google.Chrome/config/google-chrome/*"),
    ),
    Browser(
        "Edge",
        ("microsoft-edge", "microsoft-edge-stable"),
        ("/etc/opt/edge/policies/managed",),
        (".config/microsoft-edge/*", ".var/app/com.microsoft.Edge/config/microsoft-edge/*"),
    ),
    Browser(
        "Brave",
        ("brave-browser", "brave"),
        ("/etc/brave/policies/managed",),
        (".config/BraveSoftware/Brave-Browser/*",),
    ),
)


@dataclass(frozen=True, slots=True)
class Decision:
    """Somebody's word about an origin, in `file`; `policy` if it was the administrator's."""

    origin: str
    allowed: bool
    file: Path
    policy: bool


def browsers(machine: Machine) -> list[Browser]:
    """Those that are installed, or have a folder with settings of this user."""
    return [each for each in (*CHROMIUMS, FIREFOX) if _is_here(machine, each)]


def _is_here(machine: Machine, browser: Browser) -> bool:
    return any(map(machine.programs.find, browser.programs)) or any(_profiles(machine, browser))


def decisions(machine: Machine, browser: Browser) -> list[Decision]:
    """Everything that was decided, the administrator's first: it cannot be overruled."""
    if browser is FIREFOX:
        return list(_firefox(machine))
    return [*_policies(machine, browser), *_users(machine, browser)]


def about(origin: str, decided: list[Decision]) -> Decision | None:
    """The decision that counts for an origin; a refusal counts before a grant of the same file."""
    fitting = [each for each in decided if _fits(each.origin, origin)]
    return min(fitting, key=lambda each: (not each.policy, each.allowed), default=None)


def _fits(pattern: str, origin: str) -> bool:
    """Whether a pattern of a policy means an origin: *, a host, [*.]host, with or without scheme and port."""
    if pattern == "*":
        return True
    scheme, separator, rest = pattern.partition("://")
    if not separator:
        scheme, rest = "", pattern
    wanted, asked = urlsplit(f"//{rest.replace('[*.]', '')}"), urlsplit(origin)
    host, below = wanted.hostname or "", "[*.]" in rest
    same = asked.hostname == host or (below and (asked.hostname or "").endswith(f".{host}"))
    ports = {"http": 80, "https": 443}
    port_fits = wanted.port is None or wanted.port == (asked.port or ports.get(asked.scheme))
    return same and scheme in ("", "*", asked.scheme) and port_fits


_ALLOWED = ("LoopbackNetworkAllowedForUrls", "LocalNetworkAccessAllowedForUrls")
_BLOCKED = ("LoopbackNetworkBlockedForUrls", "LocalNetworkAccessBlockedForUrls")


def _policies(machine: Machine, browser: Browser) -> Iterator[Decision]:
    for folder in browser.policies:
        for file in sorted(machine.beneath(folder).glob("*.json")):
            content = _object(file)
            for names, allowed in ((_BLOCKED, False), (_ALLOWED, True)):
                for name in names:
                    yield from (Decision(each, allowed, file, True) for each in _strings(content.get(name)))


def _users(machine: Machine, browser: Browser) -> Iterator[Decision]:
    for file in _profiles(machine, browser):
        settings = _within(_object(file), "profile", "content_settings", "exceptions")
        for name, words in ((_NEW, (ALLOW, BLOCK)), (_OLD, (ALLOW,))):
            for pair, entry in _within(settings, name).items():
                word = entry.get("setting") if isinstance(entry, Mapping) else None
                if word in words:
                    yield Decision(pair.partition(",")[0], word == ALLOW, file, False)


def _profiles(machine: Machine, browser: Browser) -> Iterator[Path]:
    for pattern in browser.profiles:
        yield from sorted(machine.home.glob(f"{pattern}/Preferences"))


def _firefox(machine: Machine) -> Iterator[Decision]:
    """One file counts, the first that is there. Switched off means that every site may."""
    file = next((each for each in map(machine.beneath, FIREFOX.policies) if each.is_file()), None)
    if file is None:
        return
    policy = _within(_object(file), "policies", "LocalNetworkAccess")
    if policy.get("Enabled") is False:
        yield Decision("*", True, file, True)
    for domain in _strings(policy.get("SkipDomains")):
        yield Decision(domain.replace("*.", "[*.]", 1), True, file, True)


def _object(file: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _within(value: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    for key in keys:
        found = value.get(key)
        value = found if isinstance(found, Mapping) else {}
    return value


def _strings(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
