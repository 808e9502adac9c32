"""Samples as messages, alone and together, on CPython and on MicroPython."""

import gc
import json

from nongso.node import record
from nongso.node.messages import Messages
from nongso.node.ring import Item
from nongso.wire import marks, payload
from nongso.wire.writing import MAX_BYTES, Writer

NODE = "02a1b2c3d4e5f601"
NOW = 1790000600
COLUMNS = ("air_temperature", "light", "soil_moisture.2", "water_flow")


def items(*samples, columns=COLUMNS, boot=7, simulated=False, is_unix=True, lost=0):
    """What the ring gives: (seq, time, values) packed under one heading."""
    heading = record.pack_heading(boot, simulated, columns)
    return [
        Item(heading, record.pack(seq, at, is_unix, lost, values), (0, seq))
        for seq, at, values in samples
    ]


def message(found, base, zero, quality=b"clock"):
    """Write a message and decode its JSON."""
    out = Writer(bytearray(MAX_BYTES))
    Messages(NODE).write(out, found, base, zero, quality)
    return json.loads(bytes(out.buffer[: out.at]))


def test_a_sample_alone_is_what_older_gateways_take():
    pack = message(items((9, NOW, [-5, 61000, 444, "stuck"])), NOW, NOW)
    base = "urn:dev:mac:02a1b2c3d4e5f601:"
    assert pack == [
        {"bn": base, "bt": NOW, "n": "boot", "v": 7, "tq": "clock"},
        {"n": "seq", "v": 9},
        {"n": "air_temperature", "u": "Cel", "v": -0.05},
        {"n": "light", "u": "lx", "v": 61000},
        {"n": "soil_moisture.2", "u": "/", "v": 0.444},
        {"n": "water_flow", "vs": "stuck"},
    ]


def test_samples_together_are_the_same_as_each_alone():
    samples = [
        (9, NOW - 600, [2450, 0, "absent", 725]),
        (11, NOW - 300, [-1, 5, 444, "failed"]),
        (12, NOW - 299, ["crc_error", 200000, 0, 0]),
    ]
    together = message(items(*samples, simulated=True, lost=4), NOW - 600, NOW - 600)
    assert payload.identify(together) == (NODE, 7, (9, 11, 12))
    assert payload.lost(together) == 4
    assert payload.time_quality(together) == "clock"
    found = payload.samples(together, NOW)
    for k, sample in enumerate(samples):
        at = sample[1]
        alone = message(items(sample, simulated=True), at, at)
        assert payload.identify(alone) == (NODE, 7, (sample[0],))
        assert payload.samples(alone, NOW) == [found[k]]
        assert found[k][0].at == at
        assert marks.origin(found[k][0].mark) == "simulated"


def test_without_a_clock_samples_together_count_from_now():
    found = items((1, 70, [2450, 1, 2, 3]), (2, 100, [2451, 1, 2, 3]), is_unix=False)
    pack = message(found, None, 100, b"ago")
    assert payload.is_relative(pack)
    assert payload.time_quality(pack) == "ago"
    assert [one[0].at for one in payload.samples(pack, NOW)] == [NOW - 30, NOW]


def test_a_time_that_nobody_knows_is_never_good():
    pack = message(items((1, 70, [2450, 1, 2, 3])), NOW, 70, b"unknown")
    assert payload.readings(pack, NOW)[0].mark == marks.UNTIMED


def test_an_unknown_word_for_the_time_counts_as_none():
    pack = message(items((1, NOW, [2450, 1, 2, 3])), NOW, NOW, b"soon")
    assert payload.time_quality(pack) == ""
    assert payload.readings(pack, NOW)[0].mark == marks.GOOD


def test_what_is_too_long_is_refused_and_the_writer_can_go_on():
    out = Writer(bytearray(120))
    found = items((1, NOW, [2450, 1, 2, 3]))
    made = Messages(NODE)
    for _ in range(2):
        out.begin(0, 120)
        code = ""
        try:
            made.write(out, found, NOW, NOW, b"clock")
        except payload.PayloadError as e:
            code = e.code
        assert code == "too_long"
    out = Writer(bytearray(MAX_BYTES))
    made.write(out, found, NOW, NOW, b"clock")
    assert out.at > 200


def test_ten_samples_of_seven_values_take_less_than_240_bytes_each():
    columns = ("air_temperature", "air_humidity", "light", "soil_moisture", "soil_moisture.2")
    columns += ("co2", "battery")
    values = [2450, 712, 61000, 444, 512, 815, 372]
    samples = [(100000 + k, NOW + 300 * k, values) for k in range(10)]
    out = Writer(bytearray(MAX_BYTES))
    made = Messages(NODE)
    made.write(out, items(*samples, columns=columns, boot=(1 << 30) - 1), NOW, NOW, b"reckoned")
    assert out.at <= 10 * 240
    out.begin(0, MAX_BYTES)
    made.write(out, items(samples[0], columns=columns), NOW, NOW, b"reckoned")
    assert out.at <= 400


def test_writing_takes_nothing_from_a_boards_heap():
    if not hasattr(gc, "mem_alloc"):
        return
    out = Writer(bytearray(MAX_BYTES))
    made = Messages(NODE)
    found = items((1, NOW, [2450, 1, 2, 725]), (2, NOW + 300, [-1, 5, "absent", 0]))
    alone = found[:1]
    made.write(out, found, NOW, NOW, b"clock")
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(100):
        out.begin(0, MAX_BYTES)
        made.write(out, found, NOW, NOW, b"clock")
        out.begin(0, MAX_BYTES)
        made.write(out, alone, NOW, NOW, b"clock")
    taken = gc.mem_alloc() - before
    gc.enable()
    assert taken == 0, taken
