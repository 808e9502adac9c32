"""Topics, acknowledgements, metrics and marks, on CPython and on MicroPython."""

import json

from nongso.wire import ack, marks, metrics, slots, topics


def refused(error, function, *arguments):
    """Return the error with which a function refuses its arguments."""
    try:
        function(*arguments)
    except error as e:
        return e
    raise AssertionError(f"{arguments!r} was accepted")


def test_topic_names_farm_node_and_leaf():
    assert topics.topic("tan-binh", "tb-01", "up") == "nongso/1/tan-binh/tb-01/up"
    assert topics.parse("nongso/1/tan-binh/tb-01/up") == ("tan-binh", "tb-01", "up")


def test_wrong_topics_are_refused_with_a_reason():
    for text in (
        "",
        "nongso/1/tan-binh/tb-01",
        "nongso/2/tan-binh/tb-01/up",
        "nongso/1/tan-binh/tb-01/up/more",
        "nongso/1/tan-binh/tb-01/down-there",
        "nongso/1/Tan-Binh/tb-01/up",
        "nongso/1/tan-binh/-tb/up",
        "nongso/1//tb-01/up",
        "nongso/1/" + "a" * 41 + "/tb-01/up",
        "nongso/1/tân-bình/tb-01/up",
    ):
        assert str(refused(topics.TopicError, topics.parse, text))
    refused(topics.TopicError, topics.topic, "tan-binh", "tb/01", "up")
    refused(topics.TopicError, topics.topic, "tan-binh", "tb-01", "shout")


def test_acknowledgement_comes_back_as_it_was_written():
    for boot, first, last in ((1, 2, 2), (1073741823, 1, 900), (7, 0, 1 << 40)):
        written = ack.encode(boot, first, last)
        assert ack.decode(written) == (boot, first, last)
        assert len(written) <= ack.MAX_BYTES
    assert json.loads(ack.encode(1, 2, 2)) == {"boot": 1, "seq": 2}


def test_what_is_no_acknowledgement_is_refused():
    for text in (
        b"",
        b"[]",
        b"7",
        b"{}",
        b'{"boot":1}',
        b'{"seq":1}',
        b'{"boot":1,"seq":-1}',
        b'{"boot":1,"seq":1.5}',
        b'{"boot":true,"seq":1}',
        b'{"boot":1,"seq":"2"}',
        b'{"boot":1,"from":9,"seq":2}',
        b'{"boot":1,"seq":1e400}',
        b'{"boot":1,"seq":2',
        b"[" * 100000,
        b'{"boot":1,"seq":2,"x":"' + b"y" * 1000000 + b'"}',
    ):
        assert refused(ValueError, ack.decode, text) is not None


def test_series_name_is_a_metric_or_a_metric_with_a_channel():
    assert metrics.metric_of("soil_moisture") is metrics.METRICS["soil_moisture"]
    assert metrics.metric_of("soil_moisture.2") is metrics.METRICS["soil_moisture"]
    assert metrics.metric_of("soil_moisture.99") is metrics.METRICS["soil_moisture"]
    for name in ("", ".", "soil", "soil_moisture.", "soil_moisture.0", "soil_moisture.02"):
        assert metrics.metric_of(name) is None, name
    for name in ("soil_moisture.100", "soil_moisture.a", "soil_moisture.1.2", "soil_moisture.²"):
        assert metrics.metric_of(name) is None, name


def test_what_cannot_be_is_impossible():
    moisture = metrics.metric_of("soil_moisture")
    assert metrics.is_possible(moisture, 0)
    assert metrics.is_possible(moisture, 100)
    for value in (-0.1, 100.1, float("nan"), float("inf"), -float("inf")):
        assert not metrics.is_possible(moisture, value)


def test_air_without_carbon_dioxide_is_a_broken_sensor():
    co2 = metrics.metric_of("co2")
    for ppm in (120, 250, 415, 1200, 5000):
        assert metrics.is_possible(co2, ppm), "a tight house at noon, outdoors, a closed night"
    for ppm in (0, 5, 80, 65535):
        assert not metrics.is_possible(co2, ppm)


def test_a_mark_tells_quality_and_origin():
    assert marks.quality(marks.FAILED | marks.SIMULATED) == "failed"
    assert marks.origin(marks.FAILED | marks.SIMULATED) == "simulated"
    assert marks.origin(marks.GOOD) == "measured"
    assert marks.origin(marks.IMPORTED) == "imported"
    assert marks.is_good(marks.SIMULATED)
    assert not marks.is_good(marks.UNTIMED)


def test_a_time_of_day_is_of_the_clock_or_of_the_sun():
    assert slots.read_time("5:30") == slots.read_time("05:30") == ("clock", 330)
    assert slots.read_time("23:59") == ("clock", 1439)
    assert slots.read_time("sunrise") == ("sunrise", 0)
    assert slots.read_time("sunset-60") == ("sunset", -60)
    for text in ("", ":", "5", "5:3", "24:00", "05:60", "005:30", "5:30 ", "sun", "sunrise10"):
        refused(ValueError, slots.read_time, text)
    for text in ("sunset+", "sunset+1000", "sunrise+ 1", "sunset--1", "+1:30", "1_0:30"):
        refused(ValueError, slots.read_time, text)


def test_slots_that_cannot_be_kept_are_refused_by_their_number():
    good = ((0, 6), "05:30", 600)
    by_sun = ((1,), "sunrise+10", 600)
    slots.check([good] * slots.MOST_SLOTS, 420, None, 600)
    slots.check([by_sun], 420, (22.3, 103.7), 600)
    for wrong, what in (
        (((), "05:30", 600), "days"),
        (((7,), "05:30", 600), "days"),
        (((0,), "05:30", 0), "run_seconds"),
        (((0,), "05:30", 601), "run_seconds"),
        (((0,), "25:30", 600), "at"),
        (by_sun, "at"),
    ):
        error = refused(slots.SlotError, slots.check, [good, wrong], 420, None, 600)
        assert (error.what, error.slot) == (what, 1)
    for slots_, offset, place, what in (
        ([good] * (slots.MOST_SLOTS + 1), 420, None, "slots"),
        ([good], 841, None, "offset"),
        ([good], 420, (70.0, 100.0), "place"),
    ):
        error = refused(slots.SlotError, slots.check, slots_, offset, place, 600)
        assert (error.what, error.slot) == (what, None)
