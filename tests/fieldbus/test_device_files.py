"""Device files: what they say is checked, and their numbers become quantities of the farm."""

import math
import re
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_line import Line

from nongso.gateway.devicefile import (
    DeviceFileError,
    known_devices,
    load_device,
    parse_device,
)
from nongso.gateway.registers import Register

GOOD = """
schema = "nongso-device/1"
id = "x"
name = "x"
[[registers]]
name = "a"
function = 4
address = 0
type = "uint16"
[[quantities]]
metric = "tank_level"
unit = "%"
from = "a"
"""


@pytest.mark.parametrize("device", known_devices())
def test_every_device_file_can_be_read(device: str) -> None:
    assert load_device(device).id == device


def test_an_unknown_device_names_the_known_ones() -> None:
    for name in ("relay-of-my-uncle", "../settings", ""):
        with pytest.raises(DeviceFileError, match="relay-waveshare-rtu-8ch"):
            load_device(name)


@pytest.mark.parametrize(
    ("change", "to", "says"),
    [
        ("nongso-device/1", "nongso-device/2", "schema"),
        ('"uint16"', '"uint12"', "uint12"),
        ("function = 4", "function = 6", "must be 3 (holding registers) or 4"),
        ("address = 0", "address = 70000", "address"),
        ("address = 0", "adress = 0", "adress"),
        ('unit = "%"', 'unit = "l"', "tank_level"),
        ('"tank_level"', '"tank"', "tank"),
        ('from = "a"', 'from = "b"', "not described"),
        ('id = "x"', "", "id"),
        ("[[registers]]", "[[registers", "x.toml"),
    ],
)
def test_a_wrong_device_file_says_what_is_wrong(change: str, to: str, says: str) -> None:
    with pytest.raises(DeviceFileError, match=re.escape(says)):
        parse_device(GOOD.replace(change, to), "x.toml")


@given(st.integers(0, 2**32 - 1))
def test_32_bit_numbers_know_which_word_comes_first(number: int) -> None:
    high, low = number >> 16, number & 0xFFFF
    assert Register("t", 4, 0, "uint32").number((high, low)) == number
    assert Register("t", 4, 0, "uint32", word_order="low_first").number((low, high)) == number


@given(st.integers(-(2**15), 2**15 - 1), st.floats(width=32, allow_nan=False))
def test_signed_and_floating_numbers(small: int, real: float) -> None:
    assert Register("t", 4, 0, "int16").number((small & 0xFFFF,)) == small
    words = struct.unpack(">HH", struct.pack(">f", real))
    assert Register("t", 4, 0, "float32").number(words) == real


@pytest.mark.parametrize(
    ("decimals", "level", "percent"),
    [(1, 1700, 85.0), (1, 240, 12.0), (0, 240, 12.0), (1, -30, 0.0), (1, 2050, 100.0)],
)
def test_the_tank_reads_in_percent_of_its_height(
    decimals: int, level: int, percent: float
) -> None:
    """240 with one decimal is 24 cm of 2 m; a dry probe reads a little below zero."""
    tank = load_device("level-qdy30a")
    full = 2000.0
    numbers = {"decimals": decimals, "level": level, "range_zero": 0.0, "range_full": full}
    assert tank.values(numbers) == {"tank_level": percent}


@pytest.mark.parametrize(
    "wrong", [{"range_full": 0.0}, {"decimals": 9.0}, {"decimals": math.nan}, {"level": math.inf}]
)
def test_a_tank_that_makes_no_sense_gives_no_reading(wrong: dict[str, float]) -> None:
    numbers = {"decimals": 1.0, "level": 100.0, "range_zero": 0.0, "range_full": 2000.0}
    assert load_device("level-qdy30a").values(numbers | wrong) == {}


def test_the_scale_is_read_once_a_connection_and_holes_are_not_read_across(
    new_line: Callable[..., Line],
) -> None:
    held = {3: 1, 4: 1700, 5: 0, 6: 2000}

    def probe(n: int, unit: int, pdu: bytes) -> list[tuple[float, int, bytes]]:
        function, address, count = struct.unpack(">BHH", pdu)
        if any(a not in held for a in range(address, address + count)):
            return [(0.0, unit, bytes([function | 0x80, 2]))]
        words = [held[a] for a in range(address, address + count)]
        return [(0.0, unit, struct.pack(f">BB{count}H", function, 2 * count, *words))]

    line = new_line(probe)
    bus = line.bus()
    tank = load_device("level-qdy30a")
    assert bus.quantities(3, tank) == {"tank_level": 85.0}
    held[4] = 1000
    assert bus.quantities(3, tank) == {"tank_level": 50.0}
    assert [frame[8:].hex(" ") for frame in line.asked] == ["00 03 00 04", "00 04 00 01"]
    held[3] = 0  # another probe, and the line was cut between
    bus.close()
    held[4], held[6] = 100, 200
    assert bus.quantities(3, tank) == {"tank_level": 50.0}
    bus.close()
