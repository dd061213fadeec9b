"""What a device makes of a request, and what it refuses with the allowed values."""

from __future__ import annotations

import pytest

from dwtsvc.errors import BadArguments
from dwtsvc.model import Area, Capabilities, Mode, Range, ScanRequest, Source, SourceCapabilities

FLATBED = SourceCapabilities(
    source=Source.FLATBED,
    name="Flatbed",
    modes=(Mode.COLOR, Mode.GRAY),
    resolutions=(75, 150, 600),
    max_width=216.0,
    max_height=297.0,
)
FEEDER = SourceCapabilities(
    source=Source.FEEDER,
    name="ADF",
    modes=(Mode.GRAY, Mode.LINEART),
    resolutions=Range(minimum=50, maximum=400, step=50),
    max_width=216.0,
    max_height=356.0,
)
DEVICE = Capabilities(device="sane:x", sources=(FLATBED, FEEDER))


def request(**values: object) -> ScanRequest:
    return ScanRequest(device="sane:x", **values)  # type: ignore[arg-type]


def test_nobody_asked_for_a_resolution_so_it_is_the_nearest_to_300() -> None:
    assert DEVICE.resolve(request(source=Source.FLATBED)).resolution == 150
    assert DEVICE.resolve(request(source=Source.FEEDER, mode=Mode.GRAY)).resolution == 300


def test_a_resolution_that_was_asked_for_must_exist() -> None:
    with pytest.raises(BadArguments) as refused:
        DEVICE.resolve(request(source=Source.FLATBED, resolution=300))
    assert "75, 150, 600 dpi" in refused.value.hint
    with pytest.raises(BadArguments, match="500 dpi") as refused:
        DEVICE.resolve(request(source=Source.FEEDER, mode=Mode.GRAY, resolution=500))
    assert "50..400" in refused.value.hint


@pytest.mark.parametrize(
    ("source", "asked", "made"),
    [
        (Source.FLATBED, Mode.LINEART, Mode.GRAY),  # thresholded afterwards
        (Source.FLATBED, Mode.AUTO, Mode.COLOR),
        (Source.FEEDER, Mode.AUTO, Mode.GRAY),
        (Source.FEEDER, Mode.LINEART, Mode.LINEART),
    ],
)
def test_a_mode_becomes_the_best_the_source_has(source: Source, asked: Mode, made: Mode) -> None:
    assert DEVICE.resolve(request(source=source, mode=asked)).mode is made


def test_colour_cannot_be_made_up() -> None:
    with pytest.raises(BadArguments) as refused:
        DEVICE.resolve(request(source=Source.FEEDER, mode=Mode.COLOR))
    assert "gray, lineart" in refused.value.hint


def test_auto_speaks_of_the_feeder_if_there_is_one() -> None:
    assert DEVICE.for_source(Source.AUTO) is FEEDER


def test_a_missing_source_lists_the_others() -> None:
    with pytest.raises(BadArguments) as refused:
        DEVICE.resolve(request(source=Source.DUPLEX))
    assert refused.value.hint == "Choose one of: auto, feeder, flatbed."


def test_an_area_a_little_too_large_is_cut_and_a_larger_one_refused() -> None:
    a4 = Area(width=210, height=298)
    assert DEVICE.resolve(request(source=Source.FLATBED, area=a4)).area == Area(width=210, height=297)
    with pytest.raises(BadArguments) as refused:
        DEVICE.resolve(request(source=Source.FLATBED, area=Area(left=10, width=210, height=297)))
    assert "216 x 297 mm" in refused.value.hint


@pytest.mark.parametrize("area", [Area(left=-1, width=10, height=10), Area(width=0, height=10)])
def test_an_impossible_area_is_refused(area: Area) -> None:
    with pytest.raises(BadArguments):
        DEVICE.resolve(request(source=Source.FLATBED, area=area))


def test_a_range_knows_its_nearest_step() -> None:
    assert Range(minimum=50, maximum=400, step=50).nearest(310) == 300
    assert Range(minimum=50, maximum=400).nearest(1000) == 400
