"""What a node carries through its sleep. Runs on both interpreters."""

from nongso.node import record, sleep
from nongso.node.ring import Item

COLUMNS = ("air_temperature", "air_humidity", "light", "soil_moisture", "soil_moisture.2", "co2")
HEADING = record.pack_heading((1 << 30) - 1, False, COLUMNS)


def tail(count, heading=HEADING):
    """Samples as they wait in memory."""
    values = [2450, 712, 61000, 444, 512, 815]
    return [
        Item(heading, record.pack(n + 1, 1790000000 + 300 * n, True, 0, values), (0, n))
        for n in range(count)
    ]


def test_what_is_carried_comes_back():
    for count in (0, 1, 2, 40, 70):
        items = tail(count)
        found = sleep.unpack(sleep.pack(77, count, 3600, 5, items))
        assert found[:4] == (77, count, 3600, 5)
        assert found.samples == [(item.heading, item.body) for item in items]


def test_samples_of_several_headings_keep_theirs():
    items = tail(3) + tail(2, b"another") + tail(1)
    found = sleep.unpack(sleep.pack(77, 6, 0, 0, items))
    assert found.samples == [(item.heading, item.body) for item in items]


def test_seventy_samples_of_six_values_can_be_carried():
    assert len(sleep.pack(77, 70, 3600, 5, tail(70))) <= sleep.LARGEST


def test_too_much_to_carry_is_refused():
    try:
        sleep.pack(77, 1, 0, 0, tail(200))
    except ValueError:
        return
    raise AssertionError("was packed")


def test_what_memory_happens_to_hold_is_nothing():
    good = sleep.pack(77, 3, 3600, 5, tail(3))
    for found in (b"", b"x", bytes(2048), b"\xff" * 2048, good[:-1], good + b"x"):
        assert sleep.unpack(found) is None
    for place in range(len(good)):
        garbled = bytearray(good)
        garbled[place] ^= 4
        assert sleep.unpack(bytes(garbled)) is None, place
