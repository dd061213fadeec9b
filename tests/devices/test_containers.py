"""TWAIN's containers: what a data source tells, and what it is told."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwtsvc.devices import containers
from dwtsvc.devices.containers import ARRAY, BOOL, ENUMERATION, FIX32, INT16, ONE_VALUE, RANGE, UINT16
from dwtsvc.errors import DriverError


def fixed(value: float) -> bytes:
    return struct.pack("<i", round(value * 65536))[2:] + struct.pack("<i", round(value * 65536))[:2]


def test_a_range_keeps_its_sign_and_its_fractions() -> None:
    # pytwain gives these as the whole numbers of their 32 bits.
    ends = [-1000, 1000, 0.5, 0, -12.25]
    data = struct.pack("<H", FIX32) + b"".join(fixed(end) for end in ends)
    told = containers.unpack(RANGE, data)
    assert told.limits == (-1000, 1000, 0.5)
    assert told.current == -12.25
    assert containers.size_of(RANGE, data[: containers.HEAD]) == len(data)


def test_a_range_of_short_numbers_has_them_in_long_ones() -> None:
    data = struct.pack("<Hiiiii", INT16, -5, 5, 1, 0, -3)
    assert containers.unpack(RANGE, data).current == -3


def test_an_enumeration_names_its_current_value_by_its_place() -> None:
    data = struct.pack("<HIII3H", UINT16, 3, 2, 0, 0, 1, 2)
    told = containers.unpack(ENUMERATION, data)
    assert (told.values, told.allowed, told.current) == ((0, 1, 2), (0, 1, 2), 2)
    assert containers.size_of(ENUMERATION, data[: containers.HEAD]) == len(data)


def test_an_enumeration_with_a_place_outside_has_no_current_value() -> None:
    assert containers.unpack(ENUMERATION, struct.pack("<HIIIH", UINT16, 1, 9, 0, 4)).current is None


def test_an_array_of_numbers() -> None:
    data = struct.pack("<HI2H", UINT16, 2, 0x101, 0x1118)
    assert containers.unpack(ARRAY, data).values == (0x101, 0x1118)
    assert containers.size_of(ARRAY, data[: containers.HEAD]) == len(data)


def test_one_value_is_no_choice() -> None:
    told = containers.unpack(ONE_VALUE, struct.pack("<HI", BOOL, 1))
    assert (told.current, told.allowed) == (True, ())


def test_texts_end_at_their_zero() -> None:
    data = struct.pack("<H34s", 9, b"Kodak\0rubbish")
    assert containers.unpack(ONE_VALUE, data).current == "Kodak"
    assert containers.size_of(ONE_VALUE, data[: containers.HEAD]) == 36


@pytest.mark.parametrize("kind", [ARRAY, ENUMERATION, 99])
def test_a_container_of_absurd_size_or_kind_is_refused(kind: int) -> None:
    with pytest.raises(DriverError):
        containers.size_of(kind, struct.pack("<HI", UINT16, 0xFFFFFFFF))


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(DriverError):
        containers.size_of(ONE_VALUE, struct.pack("<HI", 77, 0))


@given(st.floats(-32768, 32767, width=32))
def test_a_fixed_number_comes_back_as_near_as_it_can(value: float) -> None:
    told = containers.unpack(ONE_VALUE, containers.pack(FIX32, value))
    assert told.current == pytest.approx(value, abs=1 / 65536)


@given(st.integers(-32768, 32767))
def test_a_whole_number_comes_back(value: int) -> None:
    assert containers.unpack(ONE_VALUE, containers.pack(INT16, value)).current == value


@pytest.mark.parametrize(("type", "value"), [(INT16, 40000), (UINT16, -1), (FIX32, 40000.0), (8, 1)])
def test_a_value_that_its_type_cannot_hold_is_refused(type: int, value: float) -> None:
    with pytest.raises(ValueError):
        containers.pack(type, value)
