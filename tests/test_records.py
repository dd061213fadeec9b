"""Records survive the way through JSON; anything of another shape is refused."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwtsvc.devices import wire
from dwtsvc.model import Area, Capabilities, DriverOption, Mode, Range, Raster, ScanRequest, Source, SourceCapabilities
from dwtsvc.records import BadRecord, pack, unpack

REQUESTS = st.builds(
    ScanRequest,
    device=st.text(),
    source=st.sampled_from(Source),
    mode=st.sampled_from(Mode),
    resolution=st.none() | st.integers(1, 9600),
    area=st.none() | st.builds(Area, width=st.floats(1, 500), height=st.floats(1, 500)),
    pages=st.none() | st.integers(1, 10**6),
    options=st.lists(st.tuples(st.text(), st.text())).map(tuple),
)


def through_json(record: object) -> object:
    return json.loads(json.dumps(record, default=pack))


@given(REQUESTS)
def test_a_request_comes_back_as_it_was(request: ScanRequest) -> None:
    assert unpack(ScanRequest, through_json(request)) == request


def test_nested_records_unions_and_tuples_come_back() -> None:
    source = SourceCapabilities(
        source=Source.FEEDER,
        name="ADF",
        modes=(Mode.GRAY,),
        resolutions=Range(minimum=50.0, maximum=600.0),
        max_width=1.0,
        max_height=2.0,
    )
    option = DriverOption(name="x", title="X", type="int", choices=("1", "2"))
    found = Capabilities(device="sane:x", sources=(source,), options=(option,))
    assert unpack(Capabilities, through_json(found)) == found


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"width": "12"},
        {"width": 1, "height": 1, "channels": 1, "depth": 8, "bytes_per_line": 1, "dpi": 1, "more": 1},
        {"width": True, "height": 1, "channels": 1, "depth": 8, "bytes_per_line": 1, "dpi": 1},
        {"width": 1},
    ],
)
def test_another_shape_is_refused(value: object) -> None:
    with pytest.raises(BadRecord):
        unpack(Raster, value)


def test_an_unknown_word_of_an_enumeration_is_refused() -> None:
    with pytest.raises(BadRecord):
        unpack(ScanRequest, {"device": "x", "mode": "infrared"})


@pytest.mark.parametrize(
    "line", [b"not json\n", b"[1]\n", b'{"say": "ready"}', b"x" * (wire.MAX_MESSAGE + 2), b"[" * 9999]
)
def test_what_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(wire.BadMessage):
        wire.read(io.BytesIO(line))


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_messages_come_back_one_by_one(message: dict[str, object]) -> None:
    stream = io.BytesIO()
    wire.write(stream, say="x", values=message)
    wire.write(stream, say="y")
    stream.seek(0)
    assert wire.read(stream) == {"say": "x", "values": message}
    assert wire.read(stream) == {"say": "y"}
    assert wire.read(stream) is None
