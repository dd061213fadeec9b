"""An open network scanner: what it can do, and what is asked of it for a scan."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from threading import Event

from dwtsvc.devices.driver import Frame, PageEnd
from dwtsvc.devices.esclhttp import Link, Waiting
from dwtsvc.devices.escljob import Jobs
from dwtsvc.devices.esclrefusal import EMPTY
from dwtsvc.errors import BadArguments, FeederEmpty
from dwtsvc.esclxml import JPEG, PDF, PNG, Description, Input, Ticket, Tuning
from dwtsvc.model import Area, Capabilities, DriverOption, Mode, Range, ScanRequest, Source, SourceCapabilities

FORMATS = {"jpeg": JPEG, "png": PNG, "pdf": PDF}
FORMAT_OPTION = "document-format"
_NAMES = {Source.FLATBED: "Platen", Source.FEEDER: "Feeder", Source.DUPLEX: "Feeder, both sides"}


class EsclSource:
    """An open scanner."""

    def __init__(self, device: str, link: Link, described: Description) -> None:
        self._device, self._described = device, described
        self._jobs, self._most_pages = Jobs(link), link.limits.job_pages
        self._inputs = {each.source: each for each in described.inputs}

    def capabilities(self) -> Capabilities:
        sources = tuple(
            SourceCapabilities(
                source=each.source,
                name=_NAMES[each.source],
                modes=each.modes,
                resolutions=each.resolutions,
                max_width=each.max_width,
                max_height=each.max_height,
            )
            for each in self._described.inputs
        )
        about = self._described
        options = tuple(self._options())
        return Capabilities(
            device=self._device, sources=sources, options=options, vendor=about.vendor, model=about.model
        )

    def scan(self, request: ScanRequest, cancelled: Event) -> Generator[Frame, None, None]:
        options = self._checked(request.options)
        source = self._choose(request.source, cancelled)
        number = 0
        while request.pages is None or number < request.pages:
            # One more than is allowed, so that a scanner that never stops is an error and no success.
            wanted = self._most_pages + 1 if request.pages is None else request.pages - number
            ticket = self._ticket(request, source, options)
            try:
                with closing(self._jobs.pages(ticket, wanted, cancelled)) as frames:
                    for frame in frames:
                        number += isinstance(frame, PageEnd)
                        yield frame
            except FeederEmpty:
                # auto: the feeder turned out to be empty, so it is the glass
                if number or request.source is not Source.AUTO or Source.FLATBED not in self._inputs:
                    raise
                source = Source.FLATBED
                continue
            if source is not Source.FLATBED or request.pages is None:
                return

    # -- what is asked -------------------------------------------------------------------------------------------

    def _options(self) -> Iterator[DriverOption]:
        yield DriverOption(
            name=FORMAT_OPTION,
            title="What pages are sent as",
            type="string",
            value="auto",
            choices=("auto", *(name for name, mime in FORMATS.items() if self._sends(mime))),
        )
        for each in self._described.tunings:
            allowed = Range(minimum=each.minimum, maximum=each.maximum, step=each.step)
            title = each.name.replace("-", " ").capitalize()
            yield DriverOption(name=each.name, title=title, type="int", value=str(each.normal), range=allowed)

    def _sends(self, mime: str) -> bool:
        return any(mime in each.formats for each in self._described.inputs)

    def _checked(self, given: tuple[tuple[str, str], ...]) -> dict[str, str | int]:
        known = {each.name: each for each in self._described.tunings}
        checked: dict[str, str | int] = {}
        for name, text in given:
            if name == FORMAT_OPTION:
                checked[name] = self._format_named(text)
            elif name in known:
                checked[name] = _whole(known[name], text)
            else:
                listed = ", ".join((FORMAT_OPTION, *known))
                raise BadArguments(f"The scanner has no option '{name}'", hint=f"Choose one of: {listed}.")
        return checked

    def _format_named(self, text: str) -> str:
        mime = FORMATS.get(text, "")
        if text != "auto" and not self._sends(mime):
            able = ", ".join(("auto", *(name for name, each in FORMATS.items() if self._sends(each))))
            raise BadArguments(f"The scanner cannot send '{text}'", hint=f"Choose one of: {able}.")
        return mime

    def _ticket(self, request: ScanRequest, source: Source, options: dict[str, str | int]) -> Ticket:
        at = self._inputs[source]
        resolution = request.resolution or 300
        if resolution not in at.resolutions:  # auto turned to the glass, which may have others
            resolution = self.capabilities().for_source(source).nearest_resolution(resolution)
        return Ticket(
            source=source,
            mode=request.mode,
            resolution=resolution,
            format=str(options.get(FORMAT_OPTION) or _format(at, request.mode)),
            area=request.area or Area(width=at.max_width, height=at.max_height),
            tunings=tuple((name, int(value)) for name, value in options.items() if name != FORMAT_OPTION),
            version=self._described.version,
        )

    def _choose(self, source: Source, cancelled: Waiting) -> Source:
        """What `auto` means now: the feeder unless it says that it is empty."""
        if source is not Source.AUTO:
            return source
        if Source.FEEDER not in self._inputs:
            return next(iter(self._inputs))
        empty = self._jobs.status(cancelled).feeder == EMPTY
        return Source.FLATBED if empty and Source.FLATBED in self._inputs else Source.FEEDER


def _whole(tuning: Tuning, text: str) -> int:
    if text.removeprefix("-").isdigit() and text.isascii() and tuning.minimum <= int(text) <= tuning.maximum:
        return int(text)
    allowed = f"{tuning.minimum} to {tuning.maximum}"
    raise BadArguments(f"Option {tuning.name} cannot be '{text}'", hint=f"Write a whole number, {allowed}.")


def _format(at: Input, mode: Mode) -> str:
    """JPEG cannot hold black and white; every scanner can send it otherwise, whatever it says."""
    order = (PNG, PDF, JPEG) if mode is Mode.LINEART else (JPEG, PNG, PDF)
    return next((mime for mime in order if mime in at.formats), JPEG)
