"""One scanner as AirScan sees it: its address and names, what it can do, and what an order means for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dwtsvc.errors import BadArguments
from dwtsvc.esclxml import JPEG, PDF, PNG, VERSION, Description, Input, Ticket
from dwtsvc.model import MM_PER_INCH, Area, Capabilities, Device, Mode, Range, ScanRequest, Source, SourceCapabilities

FORMATS = {JPEG: "jpeg", PNG: "png", PDF: "pdf"}
OFFERED_DPI = (75, 100, 150, 200, 240, 300, 400, 600, 1200)
MOST_SLUG, MOST_INSTANCE = 40, 63  # characters of an address, bytes of a name in the DNS
SMALLEST = 1.0  # mm
_COLOURS = {Mode.COLOR: "color", Mode.GRAY: "grayscale", Mode.LINEART: "binary"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A shared scanner. `uuid` stays the same for the same scanner of the same user, and so does `slug`."""

    device: Device
    uuid: str
    capabilities: Capabilities

    @property
    def slug(self) -> str:
        words = re.sub(r"[^a-z0-9]+", "-", self.device.label.lower()).strip("-")[:MOST_SLUG].strip("-")
        return f"{words or 'scanner'}-{self.uuid[:6]}"

    @property
    def name(self) -> str:
        return self.device.label or self.device.id

    def instance(self, host: str, *, twin: bool) -> str:
        """The name that people see in a list of scanners of several machines; a `twin` has one of the same model."""
        told = f" {self.uuid[:4]}" if twin else ""
        place = f"{told} @ {host}".replace(".", " ").encode()[:MOST_INSTANCE]
        name = self.name.replace(".", " ").encode()[: MOST_INSTANCE - len(place)]
        return (name + place).decode(errors="ignore")

    def description(self, url: str) -> Description:
        """ScannerCapabilities; `url` is where the listener is, such as http://192.168.1.2:18627."""
        return Description(
            vendor=self.device.vendor,
            model=self.device.model or self.device.id,
            serial=self.uuid,  # some clients take no scanner without; the device's own is nobody's business
            uuid=self.uuid,
            inputs=tuple(_inputs(self.capabilities)),
            admin_url=f"{url}/",
            icon_url=f"{url}/favicon.ico",
        )

    def record(self, url: str, note: str) -> dict[str, str]:
        """What is announced of it: the TXT record."""
        sources = {each.source for each in self.capabilities.sources}
        modes = {mode for each in self.capabilities.sources for mode in each.modes}
        inputs = {"platen": Source.FLATBED in sources, "adf": bool({Source.FEEDER, Source.DUPLEX} & sources)}
        return {
            "txtvers": "1",
            "vers": VERSION,
            "ty": self.name,
            "note": note,
            "pdl": ",".join((PDF, JPEG, PNG)),
            "cs": ",".join(word for mode, word in _COLOURS.items() if mode in modes),
            "is": ",".join(word for word, there in inputs.items() if there),
            "duplex": "T" if Source.DUPLEX in sources else "F",
            "rs": f"{self.slug}/eSCL",
            "uuid": self.uuid,
            "adminurl": f"{url}/",
            "representation": f"{url}/favicon.ico",
        }

    def request(self, ticket: Ticket) -> ScanRequest:
        """What an order means. An area that is larger than the place for paper is cut to it: some clients take the
        largest of all places. Raises BadArguments for what the scanner cannot do."""
        if ticket.format not in FORMATS:
            raise BadArguments(f"There is no format '{ticket.format}'", hint=f"Choose one of: {', '.join(FORMATS)}.")
        at = self.capabilities.for_source(self._source(ticket.source))
        if ticket.mode not in (Mode.AUTO, *at.modes):
            raise BadArguments(f"The scanner has no mode '{ticket.mode}'")
        wish = ScanRequest(
            device=self.device.id,
            source=at.source,
            mode=ticket.mode,
            resolution=ticket.resolution or None,
            area=_cut(ticket.area, at),
            pages=1 if at.source is Source.FLATBED else None,
        )
        return self.capabilities.resolve(wish)

    def _source(self, asked: Source) -> Source:
        """The glass is what an order means that says nothing; a scanner without one has its feeder."""
        there = {each.source for each in self.capabilities.sources}
        return asked if asked is not Source.FLATBED or asked in there else Source.AUTO

    def measure(self, ticket: Ticket) -> tuple[int, int, int]:
        """Width, height and bytes of a row that an order comes to, in pixels. Raises BadArguments."""
        request = self.request(ticket)
        at = self.capabilities.for_source(request.source)
        area = request.area or Area(width=at.max_width, height=at.max_height)
        dpi = request.resolution or 0  # none is left open
        width, height = (round(side / MM_PER_INCH * dpi) for side in (area.width, area.height))
        bits = {Mode.COLOR: 24, Mode.GRAY: 8}.get(request.mode, 1)
        return width, height, (width * bits + 7) // 8


def _cut(area: Area | None, at: SourceCapabilities) -> Area | None:
    if area is None:
        return None
    width, height = min(area.width, at.max_width - area.left), min(area.height, at.max_height - area.top)
    if min(width, height) < SMALLEST:
        raise BadArguments("The area lies outside of what the scanner can see")
    return replace(area, width=width, height=height)


def _inputs(capabilities: Capabilities) -> Iterator[Input]:
    for each in sorted(capabilities.sources, key=lambda each: each.source is not Source.FLATBED):  # as eSCL has them
        if each.source is not Source.AUTO:
            yield Input(
                source=each.source,
                modes=tuple(mode for mode in each.modes if mode is not Mode.AUTO),
                formats=(PDF, JPEG, PNG),
                resolutions=_offered(each.resolutions),
                max_width=each.max_width,
                max_height=each.max_height,
            )


def _offered(resolutions: tuple[int, ...] | Range) -> tuple[int, ...]:
    """Resolutions one by one: many clients do not understand a range."""
    if not isinstance(resolutions, Range):
        return resolutions
    usual = tuple(dpi for dpi in OFFERED_DPI if dpi in resolutions and resolutions.nearest(dpi) == dpi)
    return usual or (round(resolutions.nearest(300)),)
