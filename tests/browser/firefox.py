"""Debian's Firefox, steered by the protocol that it brings along: Marionette, lengths and JSON over a socket. To a page
its clicks and keys are those of a person, which a script's are not."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.browser.rig import ELSEWHERE, PATIENCE, REBOUND

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")

# Pages may open windows without a click, two names lead here, and nothing of Firefox's own calls or asks.
PREFERENCES = {
    "dom.disable_open_during_load": False,
    "dom.popup_maximum": 1000,
    "network.dns.localDomains": f"{ELSEWHERE},{REBOUND}",
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.security.https_first": False,
    "intl.accept_languages": "en-GB",
    "browser.download.folderList": 2,
    "browser.download.always_ask_before_handling_new_types": False,
    "browser.helperApps.neverAsk.saveToDisk": "application/pdf",
    "pdfjs.disabled": True,
    "marionette.port": 0,
}
KEYS = {"Enter": "\ue007", "Tab": "\ue004", "Escape": "\ue00c", "Home": "\ue011", "Left": "\ue012", "Right": "\ue014"}
KEYS |= {"Shift": "\ue008", "Control": "\ue009", "Alt": "\ue00a"}
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # what WebDriver calls a reference to one


def needs_firefox() -> str:
    """Skip with a plain word where there is none; in CI that is a failure."""
    if PROGRAM is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Firefox is not installed")
    return str(PROGRAM)


class FirefoxError(AssertionError):
    """Firefox refused a command."""


class Firefox:
    """One window that is looked at, and others that pages open. Waits are by polling, up to the usual patience."""

    def __init__(self, port: int, downloads: Path) -> None:
        self.downloads = downloads
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=2 * PATIENCE)
        self._stream = self._socket.makefile("rb")
        self._count = 0
        self._looked_at = ""
        self._receive()  # its greeting
        self._command("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": False}})

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    # ---- pages ----

    def go(self, url: str) -> None:
        self._command("WebDriver:Navigate", url=url)

    def reload(self) -> None:
        self._command("WebDriver:Refresh")

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body returns, or its promise; it sees the page's own globals, and no policy binds it."""
        body = f"""const done = arguments[arguments.length - 1];
        const work = async () => {{ {script} }};
        work().then((value) => done({{ value }}), (error) => done({{ error: String(error) }}));"""
        said = self._command("WebDriver:ExecuteAsyncScript", script=body, args=list(arguments), sandbox=None)["value"]
        if said is None or "error" in said:
            raise FirefoxError(said["error"] if said else "the page went away")
        return said.get("value")

    def wait(self, expression: str) -> Any:
        """Until the expression is true in the page; its value, if that is plain."""
        end, found = time.monotonic() + PATIENCE, None
        while not found:
            assert time.monotonic() < end, (expression, self.text("body")[:500])
            try:
                found = self.run(f"const it = {expression}; return typeof it === 'object' ? it !== null : it")
            except FirefoxError as error:  # while a page loads there is little in it
                self._look_again(error)
            time.sleep(0.02)
        return found

    def text(self, selector: str) -> str:
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    # ---- a person's hands ----

    def click(self, selector: str) -> None:
        """Click an element as soon as it is there and can be clicked."""
        quoted = json.dumps(selector)
        self.wait(f"[document.querySelector({quoted})].some((it) => it && !it.disabled && it.checkVisibility())")
        self._command("WebDriver:ElementClick", id=self._find(selector))

    def type(self, selector: str, text: str) -> None:
        """Replace what a field holds."""
        found = self._find(selector)
        self._command("WebDriver:ElementClear", id=found)
        self._command("WebDriver:ElementSendKeys", id=found, text=text)

    def press(self, *combinations: str) -> None:
        """Keys, each a name or a letter, with others held: `Alt+Right`."""
        for each in combinations:
            codes = [KEYS.get(name, name) for name in each.split("+")]
            actions = [{"type": "keyDown", "value": code} for code in codes]
            actions += [{"type": "keyUp", "value": code} for code in reversed(codes)]
            self._command("WebDriver:PerformActions", actions=[{"type": "key", "id": "keys", "actions": actions}])

    # ---- windows ----

    def windows(self) -> list[str]:
        return list(self._command("WebDriver:GetWindowHandles"))

    def window(self) -> str:
        return str(self._command("WebDriver:GetWindowHandle")["value"])

    def look_at(self, window: str) -> None:
        self._command("WebDriver:SwitchToWindow", handle=window, focus=True)
        self._looked_at = window

    def _look_again(self, error: FirefoxError) -> None:
        """A page with an opener policy gets another inside for its window, and the one we looked at is gone."""
        if "no such window" in str(error) and self._looked_at:
            with suppress(FirefoxError):
                self.look_at(self._looked_at)

    def opened(self, before: list[str]) -> str:
        """Look at the window that has come since; its name."""
        end = time.monotonic() + PATIENCE
        while not (new := [each for each in self.windows() if each not in before]):
            assert time.monotonic() < end, "no window was opened"
            time.sleep(0.05)
        self.look_at(new[0])
        return new[0]

    def only(self, window: str) -> None:
        """Close all the others."""
        for each in self.windows():
            if each != window:
                self.look_at(each)
                self._command("WebDriver:CloseWindow")
        self.look_at(window)

    def downloaded(self) -> Path:
        """The one file that was saved, once it is whole."""
        end = time.monotonic() + PATIENCE
        while not (found := list(self.downloads.iterdir())) or not all(map(_is_whole, found)):
            assert time.monotonic() < end, "nothing was saved"
            time.sleep(0.05)
        (file,) = found
        return file

    # ---- the protocol ----

    def _find(self, selector: str) -> str:
        found = self._command("WebDriver:FindElement", using="css selector", value=selector)["value"]
        return str(found[ELEMENT])

    def _command(self, name: str, **parameters: Any) -> Any:
        self._count += 1
        message = json.dumps([0, self._count, name, parameters]).encode()
        self._socket.sendall(b"%d:%b" % (len(message), message))
        _, number, error, result = self._receive()
        assert number == self._count
        if error:
            raise FirefoxError(f"{name}: {error['error']}: {error['message']}")
        return result

    def _receive(self) -> Any:
        digits = b""
        while not digits.endswith(b":"):
            byte = self._stream.read(1)
            assert byte, "Firefox is gone"
            digits += byte
        return json.loads(self._stream.read(int(digits[:-1])))


def _is_whole(file: Path) -> bool:
    return file.suffix != ".part" and file.stat().st_size > 0


@contextmanager
def firefox(folder: Path, **preferences: Any) -> Iterator[Firefox]:
    """Firefox with a profile of its own, which is empty."""
    profile, downloads = folder / "profile", folder / "downloads"
    for each in (profile, downloads):
        each.mkdir(parents=True)
    wanted = {**PREFERENCES, "browser.download.dir": str(downloads), **preferences}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
    (profile / "user.js").write_text("".join(lines))
    command = [needs_firefox(), "--headless", "--marionette", "--no-remote", "--profile", str(profile), "about:blank"]
    environment = {**os.environ, "HOME": str(folder), "MOZ_HEADLESS_WIDTH": "1280", "MOZ_HEADLESS_HEIGHT": "900"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            steered = Firefox(_port(profile, process), downloads)
            yield steered
            steered.close()
        finally:
            process.terminate()


def _port(profile: Path, process: subprocess.Popen[bytes]) -> int:
    file, end = profile / "MarionetteActivePort", time.monotonic() + PATIENCE
    while not (file.exists() and file.read_text().strip()):
        assert process.poll() is None and time.monotonic() < end, "Firefox did not start"
        time.sleep(0.05)
    return int(file.read_text())
