"""eSCL documents written from their records."""

from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from dwtsvc.esclxml.records import TUNINGS, UNITS, VERSION, WORDS, Description, Input, Status, Ticket
from dwtsvc.model import Mode, Range, Source

SCAN = "http://schemas.hp.com/imaging/escl/2011/05/03"
PWG = "http://www.pwg.org/schemas/2010/12/sm"

for _prefix, _space in (("scan", SCAN), ("pwg", PWG)):
    ElementTree.register_namespace(_prefix, _space)


def description_document(told: Description) -> bytes:
    """A description as ScannerCapabilities."""
    tree = _root("ScannerCapabilities", told.version)
    _add(tree, PWG, "MakeAndModel", f"{told.vendor} {told.model}".strip())
    if told.vendor:
        _add(tree, SCAN, "Manufacturer", told.vendor)
    if told.serial:
        _add(tree, PWG, "SerialNumber", told.serial)
    if told.uuid:
        _add(tree, SCAN, "UUID", told.uuid)
    for word, url in (("AdminURI", told.admin_url), ("IconURI", told.icon_url)):
        if url:
            _add(tree, SCAN, word, url)
    for each in told.inputs:
        if each.source is Source.FLATBED:
            _add_input(_add(tree, SCAN, "Platen"), "PlatenInputCaps", each)
    _add_feeder(tree, [each for each in told.inputs if each.source is not Source.FLATBED])
    for tuning in told.tunings:
        limits = _add(tree, SCAN, TUNINGS[tuning.name] + "Support")
        for word, value in zip(
            ("Min", "Max", "Normal", "Step"), (tuning.minimum, tuning.maximum, tuning.normal, tuning.step), strict=True
        ):
            _add(limits, SCAN, word, value)
    return _bytes(tree)


def _add_feeder(tree: Element, told: list[Input]) -> None:
    if not told:
        return
    feeder = _add(tree, SCAN, "Adf")
    for each in told:
        _add_input(feeder, "AdfDuplexInputCaps" if each.source is Source.DUPLEX else "AdfSimplexInputCaps", each)
    options = _add(feeder, SCAN, "AdfOptions")  # empty too: one client takes no feeder without
    if any(each.source is Source.DUPLEX for each in told):
        _add(options, SCAN, "AdfOption", "Duplex")


def _add_input(parent: Element, name: str, told: Input) -> None:
    caps = _add(parent, SCAN, name)
    for word, value in (("Width", told.max_width), ("Height", told.max_height)):
        _add(caps, SCAN, f"Min{word}", 1)
        _add(caps, SCAN, f"Max{word}", round(value * UNITS))
    _add(caps, SCAN, "MaxScanRegions", 1)
    profile = _add(_add(caps, SCAN, "SettingProfiles"), SCAN, "SettingProfile")
    modes, formats = _add(profile, SCAN, "ColorModes"), _add(profile, SCAN, "DocumentFormats")
    for mode in told.modes:
        _add(modes, SCAN, "ColorMode", WORDS[mode])
    for space, word in ((PWG, "DocumentFormat"), (SCAN, "DocumentFormatExt")):
        for each in told.formats:
            _add(formats, space, word, each)
    _add_resolutions(_add(profile, SCAN, "SupportedResolutions"), told.resolutions)
    intents = _add(caps, SCAN, "SupportedIntents")
    for intent in ("Document", "TextAndGraphic", "Photo", "Preview"):
        _add(intents, SCAN, "Intent", intent)
    finest = told.resolutions.maximum if isinstance(told.resolutions, Range) else max(told.resolutions)
    for word in ("MaxOpticalXResolution", "MaxOpticalYResolution"):
        _add(caps, SCAN, word, round(finest))


def _add_resolutions(parent: Element, resolutions: tuple[int, ...] | Range) -> None:
    if isinstance(resolutions, Range):
        limits = _add(parent, SCAN, "ResolutionRange")
        for word in ("XResolutionRange", "YResolutionRange"):
            part = _add(limits, SCAN, word)
            for name, value in (
                ("Min", resolutions.minimum),
                ("Max", resolutions.maximum),
                ("Normal", resolutions.nearest(300)),
                ("Step", resolutions.step or 1),
            ):
                _add(part, SCAN, name, round(value))
        return
    discrete = _add(parent, SCAN, "DiscreteResolutions")
    for dpi in resolutions:
        one = _add(discrete, SCAN, "DiscreteResolution")
        _add(one, SCAN, "XResolution", dpi)
        _add(one, SCAN, "YResolution", dpi)


def status_document(told: Status) -> bytes:
    """A status as ScannerStatus."""
    tree = _root("ScannerStatus", told.version)
    _add(tree, PWG, "State", told.state)
    if told.feeder:
        _add(tree, SCAN, "AdfState", told.feeder)
    jobs = _add(tree, SCAN, "Jobs") if told.jobs else tree  # one client breaks at an empty one
    for each in told.jobs:
        info = _add(jobs, SCAN, "JobInfo")
        _add(info, PWG, "JobUri", each.path)
        _add(info, PWG, "JobUuid", each.path.rpartition("/")[2])
        _add(info, SCAN, "Age", each.age)
        _add(info, PWG, "ImagesCompleted", each.completed)
        _add(info, PWG, "ImagesToTransfer", each.waiting)
        _add(info, PWG, "JobState", each.state)
        reasons = _add(info, PWG, "JobStateReasons")
        for reason in each.reasons:
            _add(reasons, PWG, "JobStateReason", reason)
    return _bytes(tree)


def image_document(path: str, width: int, height: int, line: int) -> bytes:
    """What a page of a job is, as ScanImageInfo: pixels, and bytes of a row without compression."""
    tree = _root("ScanImageInfo", VERSION)
    _add(tree, PWG, "JobUri", path)
    _add(tree, PWG, "JobUuid", path.rpartition("/")[2])
    for word, value in (("ActualWidth", width), ("ActualHeight", height), ("ActualBytesPerLine", line)):
        _add(tree, SCAN, word, value)
    return _bytes(tree)


def buffer_document(asked: Ticket, width: int, height: int, line: int) -> bytes:
    """What a ticket would give, as ScanBufferInfo."""
    tree = _root("ScanBufferInfo", VERSION)
    tree.append(_settings(asked))
    for word, value in (("ImageWidth", width), ("ImageHeight", height), ("BytesPerLine", line)):
        _add(tree, SCAN, word, value)
    return _bytes(tree)


def ticket_document(asked: Ticket) -> bytes:
    """A ticket as ScanSettings."""
    return _bytes(_settings(asked))


def _settings(asked: Ticket) -> Element:
    tree = _root("ScanSettings", asked.version)
    if asked.area:
        region = _add(_add(tree, PWG, "ScanRegions"), PWG, "ScanRegion")
        _add(region, PWG, "ContentRegionUnits", "escl:ThreeHundredthsOfInches")
        area = (("XOffset", asked.area.left), ("YOffset", asked.area.top))
        for word, value in (*area, ("Width", asked.area.width), ("Height", asked.area.height)):
            _add(region, PWG, word, round(value * UNITS))
    _add(tree, PWG, "InputSource", "Platen" if asked.source is Source.FLATBED else "Feeder")
    if asked.mode is not Mode.AUTO:
        _add(tree, SCAN, "ColorMode", WORDS[asked.mode])
    _add(tree, PWG, "DocumentFormat", asked.format)
    _add(tree, SCAN, "DocumentFormatExt", asked.format)
    for axis in ("XResolution", "YResolution") if asked.resolution else ():
        _add(tree, SCAN, axis, asked.resolution)
    if asked.source is not Source.FLATBED:
        _add(tree, SCAN, "Duplex", "true" if asked.source is Source.DUPLEX else "false")
    for name, number in asked.tunings:
        _add(tree, SCAN, TUNINGS[name], number)
    return tree


def _root(name: str, version: str) -> Element:
    tree = Element(f"{{{SCAN}}}{name}")
    _add(tree, PWG, "Version", version)
    return tree


def _add(parent: Element, space: str, name: str, text: object = None) -> Element:
    child = SubElement(parent, f"{{{space}}}{name}")
    child.text = None if text is None else str(text)
    return child


def _bytes(tree: Element) -> bytes:
    document: bytes = ElementTree.tostring(tree, "UTF-8", xml_declaration=True)
    return document
