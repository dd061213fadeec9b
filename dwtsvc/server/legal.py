"""The legal notice: every part that is installed with dwtsvc, its licence, and the words of that licence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, PackagePath, distribution

# Programs and libraries of the system that are used if they are there. They do not come with dwtsvc.
OF_THE_SYSTEM = (
    ("SANE (libsane and its backends)", "GPL-2.0-or-later with the SANE exception", "http://www.sane-project.org/"),
    ("Tesseract OCR", "Apache-2.0", "https://github.com/tesseract-ocr/tesseract"),
    ("ZBar (libzbar)", "LGPL-2.1-or-later", "https://github.com/mchehab/zbar"),
    ("NSS tools (certutil)", "MPL-2.0", "https://firefox-source-docs.mozilla.org/security/nss/"),
    ("OpenSSL", "Apache-2.0", "https://www.openssl.org/"),
    ("Python", "PSF-2.0", "https://www.python.org/"),
)

_HEAD = """dwtsvc: legal notice

dwtsvc is free software under the MIT licence. It stands on the work of others. This list was made from what is
installed on this computer; the words of the licences follow below, as far as a part brings them.

pyinsane2 and pytwain are under versions of the GNU General Public License. Each of them is loaded only by the process
that talks to the scanner, which is another program than the service and exchanges data with it through pipes and files.
"""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_WORDS = re.compile(r"(licen[cs]e|copying|notice|authors)", re.IGNORECASE)
_RULE = "=" * 100
_MOST_BYTES = 1 << 18  # of one file; the longest licence in use has a seventh of it


def notice() -> str:
    """The whole text. Blocking: it reads some dozens of files."""
    parts = closure("dwtsvc")
    listed = [f"{_title(each):40}{licence(each):48}{_home(each)}".rstrip() for each in parts]
    system = [f"{name:40}{terms:48}{home}" for name, terms, home in OF_THE_SYSTEM]
    words = [text for each in parts for text in _words(each)]
    used = ["Used where the system has them:", "", *system]
    return "\n".join([_HEAD, "Installed parts:", "", *listed, "", *used, "", *words])


def closure(root: str) -> list[Distribution]:
    """A distribution and all that it needs and that is installed, by name; the root comes first."""
    found: dict[str, Distribution] = {}
    waiting = [root]
    while waiting:
        name = _plain(waiting.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:  # for another system, or an extra that nobody asked for
            continue
        waiting += _needed(found[name])
    first = found.pop(_plain(root), None)
    return [*([first] if first else []), *(found[name] for name in sorted(found))]


def licence(part: Distribution) -> str:
    """The licence as the part's author declares it, in a few words."""
    if said := _field(part, "License-Expression"):
        return said
    classified = [each for each in part.metadata.get_all("Classifier") or [] if each.startswith("License :: ")]
    short = _field(part, "License")
    if short and "\n" not in short and len(short) <= 60:
        return short
    return ", ".join(each.rpartition(" :: ")[2] for each in classified) or "see its words below"


def _needed(part: Distribution) -> Iterator[str]:
    for requirement in part.requires or []:
        name, _, marker = requirement.partition(";")
        found = _NAME.match(name.strip())
        if found and "extra ==" not in marker:
            yield found[0]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _field(part: Distribution, name: str) -> str:
    return str(part.metadata[name]).strip() if name in part.metadata else ""


def _title(part: Distribution) -> str:
    return f"{part.metadata['Name']} {part.version}"


def _home(part: Distribution) -> str:
    urls = dict(each.partition(", ")[::2] for each in part.metadata.get_all("Project-URL") or [])
    known = {name.lower(): url for name, url in urls.items()}
    ways = (known.get(name) for name in ("homepage", "source", "repository", "source code", "github"))
    return str(_field(part, "Home-page") or next(filter(None, ways), ""))


def _words(part: Distribution) -> Iterator[str]:
    """Each licence file of a part below a heading; some have dozens, of the libraries built into them."""
    for path in part.files or []:
        if _is_licence(path) and (text := _read(part, path)):
            yield f"{_RULE}\n{_title(part)}: {path.name}\n{_RULE}\n\n{text.strip()}\n"


def _is_licence(path: PackagePath) -> bool:
    """In the folder of the part's metadata: its code may have modules of such names."""
    inside = path.parts[0].endswith((".dist-info", ".egg-info")) or len(path.parts) == 1
    named = "licenses" in path.parts[1:-1] or _WORDS.match(path.name) is not None
    return inside and named and path.suffix not in (".py", ".pyc")


def _read(part: Distribution, path: PackagePath) -> str:
    try:
        with open(str(part.locate_file(path)), "rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
