"""A sample in the ring and its time. Runs on CPython and on MicroPython."""

from nongso.node import clock, record
from nongso.wire import payload


def test_a_sample_comes_back_as_it_was():
    for values in (
        [2450, 712, 61000, 444],
        [-1, 0, 1, -2000],
        ["absent", "stuck", "crc_error", "out_of_range", "failed"],
        [10**10, -(10**12), "failed", 63, 64, 127, 128],
        [],
    ):
        packed = record.pack(12, 1790000000, True, 3, values)
        assert record.unpack(packed, len(values)) == (12, 1790000000, True, 3, values)
    packed = record.pack(1 << 40, 55, False, 0, [1])
    assert record.unpack(packed, 1) == (1 << 40, 55, False, 0, [1])


def test_a_sample_of_four_values_takes_little_of_the_flash():
    assert len(record.pack(30000, 1790000000, True, 0, [2450, 712, 61000, 444])) <= 20


def test_a_heading_comes_back_as_it_was():
    for columns in (("light",), ("air_temperature", "soil_moisture.2")):
        for boot in (1, (1 << 30) - 1):
            packed = record.pack_heading(boot, True, columns)
            assert record.unpack_heading(packed) == (boot, True, columns)


class Ticks:
    """Ticks that wrap after 2**30 ms, as on a board."""

    def __init__(self):
        self.now = (1 << 30) - 5000

    def ticks(self):
        """Milliseconds, wrapped."""
        return self.now & ((1 << 30) - 1)

    def diff(self, later, earlier):
        """Milliseconds between, at most half a turn."""
        return ((later - earlier + (1 << 29)) & ((1 << 30) - 1)) - (1 << 29)


def test_uptime_goes_on_when_the_ticks_wrap():
    ticks = Ticks()
    made = clock.Clock(lambda: None, ticks.ticks, ticks.diff)
    for day in range(1, 40):
        ticks.now += 86400000
        assert made.uptime() == day * 86400


def test_a_time_is_kept_counted_from_now_or_named_unknown(scratch):
    ticks = Ticks()
    made = clock.Clock(lambda: None, ticks.ticks, ticks.diff)
    origins = clock.Origins(scratch)
    ticks.now += 100000
    assert clock.base_time(1790000000, True, 7, 7, made, origins) == (
        1790000000,
        1790000000,
        b"clock",
    )
    assert clock.base_time(70, False, 7, 7, made, origins) == (None, 100, b"ago")
    unknown = payload.unknown_time(6, 70)
    assert clock.base_time(70, False, 6, 7, made, origins) == (unknown, 70, b"unknown")


def test_when_the_clock_is_known_earlier_samples_get_their_time_for_good(scratch):
    made = clock.Clock(lambda: None)
    origins = clock.Origins(scratch)
    origins.remember(7, 1790000000)
    for known in (origins, clock.Origins(scratch)):
        assert clock.base_time(70, False, 7, 9, made, known) == (1790000070, 70, b"reckoned")
    for boot in range(8, 16):
        origins.remember(boot, 1790000000 + boot)
    again = clock.Origins(scratch)
    assert again.of(7) is None  # the oldest of nine
    assert again.of(8) == 1790000008
    assert again.of(15) == 1790000015


def test_a_torn_origins_file_is_not_believed(scratch):
    origins = clock.Origins(scratch)
    origins.remember(7, 1790000000)
    with open(scratch + "/origins", "rb") as file:
        whole = file.read()
    for cut in range(len(whole)):
        with open(scratch + "/origins", "wb") as file:
            file.write(whole[:cut])
        assert clock.Origins(scratch).of(7) is None
