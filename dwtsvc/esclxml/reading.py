"""eSCL documents read: what a scanner can do, how it is, what is asked of it.

Elements are found by their local names, because devices disagree about namespaces, and unknown ones are passed over.
A document is read within limits and without a DTD, so that no entity is ever expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from dwtsvc.errors import BadInput
from dwtsvc.esclxml.records import (
    JPEG,
    MODES,
    TUNINGS,
    UNITS,
    VERSION,
    Description,
    Input,
    JobStatus,
    Status,
    Ticket,
    Tuning,
)
from dwtsvc.model import Area, Mode, Range, Source

MOST_BYTES = 1 << 20
MOST_DEPTH = 32
MOST_ELEMENTS = 20_000
MOST_NAME = 128  # characters of a name, as people see it
MOST_DPI = 19200
MOST_LENGTH = 300 * 400  # 1/300 inch: no paper is longer than ten metres
_INPUTS = {
    "PlatenInputCaps": Source.FLATBED,
    "AdfSimplexInputCaps": Source.FEEDER,
    "AdfDuplexInputCaps": Source.DUPLEX,
}


class _Builder(ElementTree.TreeBuilder):
    """Builds the tree as long as it stays small."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._count = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise _bad("it has a DTD")  # without one there are no entities to expand

    def start(self, tag: Any, attrs: Any) -> Element:
        self._depth += 1
        self._count += 1
        if self._depth > MOST_DEPTH or self._count > MOST_ELEMENTS:
            raise _bad("it is nested too deeply, or has too many elements")
        return super().start(tag, attrs)

    def end(self, tag: str) -> Element:
        self._depth -= 1
        return super().end(tag)


def _bad(why: str) -> BadInput:
    return BadInput("This is no eSCL document", why=why)


def parse(document: bytes, root: str) -> Element:
    """The tree of a document whose root has that local name. Raises BadInput."""
    if len(document) > MOST_BYTES:
        raise _bad(f"it has over {MOST_BYTES} bytes")
    parser = ElementTree.XMLParser(target=_Builder())
    try:
        parser.feed(document)
        tree: Element = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError) as error:  # LookupError: an encoding that is none
        raise _bad(str(error)[:200]) from None
    if _local(tree) != root:
        raise _bad(f"it is a '{clean(_local(tree))}' and not a {root}")
    return tree


def clean(text: str | None) -> str:
    """A text of a stranger, fit to be shown: one line, printable, at most 128 characters."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text or "")
    return " ".join(printable.split())[:MOST_NAME].strip()


def description(document: bytes) -> Description:
    """What ScannerCapabilities say. Raises BadInput, also when there is no place for paper that could be used."""
    tree = parse(document, "ScannerCapabilities")
    inputs = tuple(_inputs(tree))
    if not inputs:
        raise _bad("it names no place for paper with colours, resolutions and a size")
    model, vendor = clean(_text(tree, "MakeAndModel")), clean(_text(tree, "Manufacturer"))
    if vendor and model.lower().startswith(vendor.lower() + " "):
        model = model[len(vendor) :].strip()
    return Description(
        version=clean(_text(tree, "Version")) or VERSION,
        vendor=vendor,
        model=model,
        serial=clean(_text(tree, "SerialNumber")),
        uuid=uuid_of(_text(tree, "UUID")),
        inputs=inputs,
        tunings=tuple(_tunings(tree)),
        admin_url=clean(_text(tree, "AdminURI")),
        icon_url=clean(_text(tree, "IconURI")),
    )


def uuid_of(text: str | None) -> str:
    """A UUID as all write it, or nothing where it is none: also "urn:uuid:...", which some devices say."""
    from uuid import UUID

    try:
        return str(UUID(clean(text)))
    except ValueError:
        return ""


def _inputs(tree: Element) -> Iterator[Input]:
    named = {name: each for each in tree.iter() if _local(each) == "SettingProfile" and (name := each.get("name"))}
    found: dict[Source, Input] = {}
    for element in tree.iter():
        source = _INPUTS.get(_local(element))
        if source and source not in found and (read := _input(element, source, named)):
            found[source] = read
    # Older devices say that they have a duplex unit, and describe it no further.
    options = {clean(each.text) for each in _all(tree, "AdfOption")}
    if "Duplex" in options and Source.FEEDER in found and Source.DUPLEX not in found:
        found[Source.DUPLEX] = replace(found[Source.FEEDER], source=Source.DUPLEX)
    yield from (found[source] for source in _INPUTS.values() if source in found)


def _input(element: Element, source: Source, named: dict[str, Element]) -> Input | None:
    parts = [element, *(named[ref] for each in _all(element, "SettingProfile") if (ref := each.get("ref")) in named)]
    modes = tuple(dict.fromkeys(MODES[word] for word in _words(parts, "ColorMode") if word in MODES))
    formats = tuple(word.lower() for word in _words(parts, "DocumentFormat", "DocumentFormatExt"))
    resolutions = _discrete(parts) or _range(parts)
    width, height = _number(element, "MaxWidth", MOST_LENGTH), _number(element, "MaxHeight", MOST_LENGTH)
    if not modes or not resolutions or not width or not height:
        return None
    return Input(
        source=source,
        modes=tuple(mode for mode in Mode if mode in modes),
        formats=tuple(dict.fromkeys(formats)) or (JPEG,),
        resolutions=resolutions,
        max_width=round(width / UNITS, 2),
        max_height=round(height / UNITS, 2),
    )


def _discrete(parts: list[Element]) -> tuple[int, ...]:
    """The resolutions that are the same along and across; nobody wants others."""
    found = set()
    for part in parts:
        for each in _all(part, "DiscreteResolution"):
            across, along = _number(each, "XResolution", MOST_DPI), _number(each, "YResolution", MOST_DPI)
            if across and across == along:
                found.add(across)
    return tuple(sorted(found))


def _range(parts: list[Element]) -> Range | None:
    for part in parts:
        for each in _all(part, "XResolutionRange", "XResolution"):
            low, high = _number(each, "Min", MOST_DPI), _number(each, "Max", MOST_DPI)
            if low and high and low <= high:
                return Range(minimum=low, maximum=high, step=_number(each, "Step", MOST_DPI) or 1)
    return None


def _tunings(tree: Element) -> Iterator[Tuning]:
    for name, word in TUNINGS.items():
        for each in _all(tree, f"{word}Support"):
            low, high, normal = (_signed(each, part) for part in ("Min", "Max", "Normal"))
            if low is not None and high is not None and low < high:
                step = max(_signed(each, "Step") or 1, 1)
                normal = min(max(low, low if normal is None else normal), high)
                yield Tuning(name=name, minimum=low, maximum=high, normal=normal, step=step)
                break


def status(document: bytes) -> Status:
    """What a ScannerStatus says. Raises BadInput."""
    tree = parse(document, "ScannerStatus")
    jobs = tuple(
        JobStatus(
            path=clean(_text(each, "JobUri")),
            state=clean(_text(each, "JobState")),
            reasons=tuple(clean(reason.text) for reason in _all(each, "JobStateReason")),
            completed=_number(each, "ImagesCompleted", 1 << 30) or 0,
            waiting=_number(each, "ImagesToTransfer", 1 << 30) or 0,
            age=_number(each, "Age", 1 << 30) or 0,
        )
        for each in _all(tree, "JobInfo")
    )
    return Status(
        state=clean(next((child.text for child in tree if _local(child) == "State"), "")),
        feeder=clean(_text(tree, "AdfState")),
        jobs=jobs,
        version=clean(_text(tree, "Version")) or VERSION,
    )


def ticket(document: bytes) -> Ticket:
    """What ScanSettings ask for. Raises BadInput.

    What they leave out is the glass, JPEG, everything, and any mode and resolution: not all scanners have 300 dpi.
    """
    tree = parse(document, "ScanSettings")
    source = Source.FLATBED
    if "feeder" in (_text(tree, "InputSource") or "").lower():
        source = Source.DUPLEX if clean(_text(tree, "Duplex")).lower() in ("true", "1") else Source.FEEDER
    word = clean(_text(tree, "ColorMode"))
    mode = MODES.get(word) if word else Mode.AUTO
    if mode is None:
        raise _bad(f"the colour mode '{word}' is not known")
    return Ticket(
        source=source,
        mode=mode,
        resolution=_number(tree, "XResolution", MOST_DPI) or 0,
        format=clean(_text(tree, "DocumentFormatExt") or _text(tree, "DocumentFormat")).lower() or JPEG,
        area=_area(tree),
        tunings=tuple((name, value) for name, word in TUNINGS.items() if (value := _signed(tree, word)) is not None),
        version=clean(_text(tree, "Version")) or VERSION,
    )


def _area(tree: Element) -> Area | None:
    for region in _all(tree, "ScanRegion"):
        left, top = (_number(region, word, MOST_LENGTH) or 0 for word in ("XOffset", "YOffset"))
        width, height = (_number(region, word, MOST_LENGTH) for word in ("Width", "Height"))
        if width and height:
            return Area(left=left / UNITS, top=top / UNITS, width=width / UNITS, height=height / UNITS)
    return None


def _local(element: Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _all(element: Element, *names: str) -> Iterator[Element]:
    return (each for each in element.iter() if _local(each) in names)


def _text(element: Element, name: str) -> str | None:
    return next((each.text for each in _all(element, name)), None)


def _words(parts: list[Element], *names: str) -> list[str]:
    return [clean(each.text) for part in parts for each in _all(part, *names)]


def _signed(element: Element, name: str) -> int | None:
    text = clean(_text(element, name))
    return (
        int(text) if text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) < 10 else None
    )


def _number(element: Element, name: str, most: int) -> int | None:
    """A number from 0 to `most`; None for anything else."""
    value = _signed(element, name)
    return value if value is not None and 0 <= value <= most else None
