"""Windows: a task of the user, started at log-on in the session that TWAIN's dialogs need. It runs the monitor."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as xml

from dwtsvc.install.files import Run, UnitFile, check, put, run, take_away
from dwtsvc.paths import Paths

_SPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"


class Task:
    """The task `name` of the task scheduler, and the file it was made from."""

    def __init__(
        self, name: str, command: Sequence[str], paths: Paths, environ: Mapping[str, str], *, run: Run = run
    ) -> None:
        self._name, self._command, self._paths, self._environ, self._run = name, command, paths, environ, run

    def files(self) -> list[UnitFile]:
        return [UnitFile(self._paths.state / f"{self._name}.task.xml", self._definition())]

    def install(self, *, start: bool) -> list[str]:
        (file,) = self.files()
        Paths.create(file.path.parent)
        changed = put(file) or not self._is_there()
        if changed:
            check(self._run, ["schtasks", "/Create", "/TN", self._name, "/XML", str(file.path), "/F"])
        done = [f"The task {self._name} {'made' if changed else 'is already there'}."]
        if not start:
            return [*done, "It starts when you log on."]
        check(self._run, ["schtasks", "/Run", "/TN", self._name])
        return [*done, "It is running."]

    def uninstall(self) -> list[str]:
        there = self._is_there()
        if there:
            self._run(["schtasks", "/End", "/TN", self._name])
            check(self._run, ["schtasks", "/Delete", "/TN", self._name, "/F"])
        take_away(self.files()[0].path)
        return [f"The task {self._name} {'removed' if there else 'is not installed'}."]

    def purge(self) -> list[str]:
        return []

    def _is_there(self) -> bool:
        return self._run(["schtasks", "/Query", "/TN", self._name]).code == 0

    def _user(self) -> str:
        domain, user = self._environ.get("USERDOMAIN", ""), self._environ.get("USERNAME", "")
        return f"{domain}\\{user}" if domain else user

    def _definition(self) -> bytes:
        """The task as schtasks wants it: UTF-16 with a byte order mark."""
        task = xml.Element("Task", version="1.2", xmlns=_SPACE)
        _add(task, "RegistrationInfo", Description="Document scanning service")
        _add(_add(task, "Triggers"), "LogonTrigger", Enabled="true", UserId=self._user())
        principal = _add(_add(task, "Principals"), "Principal", UserId=self._user(), LogonType="InteractiveToken")
        principal.set("id", "Author")
        _add(principal, "RunLevel").text = "LeastPrivilege"
        settings = _add(
            task,
            "Settings",
            MultipleInstancesPolicy="IgnoreNew",
            DisallowStartIfOnBatteries="false",
            StopIfGoingOnBatteries="false",
            ExecutionTimeLimit="PT0S",
            Hidden="true",
        )
        _add(settings, "RestartOnFailure", Interval="PT1M", Count="3")
        program, *arguments = self._command
        actions = _add(task, "Actions")
        actions.set("Context", "Author")
        _add(actions, "Exec", Command=program, Arguments=subprocess.list2cmdline(arguments))
        xml.indent(task)
        text = xml.tostring(task, "unicode")
        return f'<?xml version="1.0" encoding="UTF-16"?>\n{text}\n'.encode("utf-16")


def _add(parent: xml.Element, name: str, **children: str) -> xml.Element:
    element = xml.SubElement(parent, name)
    for child, text in children.items():
        xml.SubElement(element, child).text = text
    return element
