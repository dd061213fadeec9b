"""Which Python runs a driver: this one, or on Windows one of 32 bits for drivers of that width.

The other one needs nothing installed: the worker and its TWAIN driver are Python alone, and are taken from here.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path

WORKER = "dwtsvc.devices.worker"
TWAIN32 = "dwtsvc.devices.twain32"
NAMED = "DWTSVC_PYTHON32"
# Not by -m: the small Python that one can unpack anywhere ignores PYTHONPATH.
_BORROW = "import runpy, sys; sys.path += sys.argv.pop(1).split(';'); runpy.run_module({!r}, run_name='__main__')"


def command(module: str) -> list[str]:
    """The command that starts the worker of a driver's module."""
    other = python32() if module == TWAIN32 else None
    if other:
        folders = ";".join(dict.fromkeys(map(str, _folders())))
        return [str(other), "-c", _BORROW.format(WORKER), folders, module]
    # -P: a file named like a module in the current folder must not be imported instead of it
    return [sys.executable, "-P", "-m", WORKER, module]


def _folders() -> list[Path]:
    """Where this Python has dwtsvc and pytwain."""
    from importlib.util import find_spec

    specs = (find_spec("dwtsvc"), find_spec("twain"))
    return [Path(spec.origin).parents[1] for spec in specs if spec and spec.origin]


def is_32_bits() -> bool:
    return sys.maxsize < 2**32


@cache
def python32() -> Path | None:
    """A Python of 32 bits: the one that the environment names, else the newest that Windows knows; None without one."""
    if named := os.environ.get(NAMED):
        return Path(named)
    found = _registered()
    return found[max(found)] if found else None


if sys.platform == "win32":
    import winreg

    _PYTHONS = r"Software\Python\PythonCore"

    def _registered() -> dict[tuple[int, int], Path]:
        """Every 32-bit Python from 3.11 on that an installer has registered, as PEP 514 says."""
        found: dict[tuple[int, int], Path] = {}
        for root in (winreg.HKEY_LOCAL_MACHINE, winreg.HKEY_CURRENT_USER):
            try:
                with winreg.OpenKey(root, _PYTHONS, 0, winreg.KEY_READ | winreg.KEY_WOW64_32KEY) as pythons:
                    found |= _listed(pythons)
            except OSError:
                continue
        return found

    def _listed(pythons: winreg.HKEYType) -> dict[tuple[int, int], Path]:
        found = {}
        for place in range(winreg.QueryInfoKey(pythons)[0]):
            tag = winreg.EnumKey(pythons, place)
            version = tag.removesuffix("-32").split(".")
            if tag.endswith("-32") and len(version) == 2 and all(part.isdigit() for part in version):
                folder = winreg.QueryValue(pythons, rf"{tag}\InstallPath")
                numbers = int(version[0]), int(version[1])
                if numbers >= (3, 11) and (Path(folder) / "python.exe").is_file():
                    found[numbers] = Path(folder) / "python.exe"
        return found

else:

    def _registered() -> dict[tuple[int, int], Path]:
        return {}
