"""The quick way to read a message says what the rules say, or nothing."""

import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.gateway import plainmessages
from nongso.gateway.intake import Sender, make_message, number_of
from nongso.wire import payload

NOW = 1_800_000_000
EUI64 = "02000000000000a1"
SENDER = Sender(EUI64, number_of(EUI64), "n-1", "nongso/1/farm/n-1/ack")
PLAIN: list[dict[str, Any]] = [
    {"bn": f"urn:dev:mac:{EUI64}:", "bt": NOW - 60, "n": "boot", "v": 7, "tq": "clock"},
    {"n": "seq", "v": 5},
    {"n": "simulated", "vb": True},
    {"n": "air_temperature", "u": "Cel", "v": 24.5},
    {"n": "soil_moisture.2", "u": "/", "v": 0.421},
]

numbers = st.one_of(
    st.sampled_from([0, -0.0, 5, 5.0, NOW, NOW + 9999, 1 << 53, 1 << 70, 1e29, -1e31, 1e308]),
    st.integers(-50, 200),
    st.floats(-50, 200),
)
names = ("boot", "seq", "lost", "simulated", "air_temperature", "light", "soil_moisture.02")
others = ("", "Cel", "%RH", "/", "unknown", "clock", "x_", f"urn:dev:mac:{EUI64}:", "\ud800")
words = st.sampled_from(names + others)
anything = st.one_of(numbers, words, st.none(), st.booleans(), st.just([1]), st.just({"a": 1}))
labels = st.sampled_from(["n", "u", "v", "vb", "vs", "t", "bn", "bt", "bu", "bv", "bver", "tq"])
changes = st.tuples(st.integers(0, 4), st.one_of(labels, st.just("x_")), anything)
places = st.tuples(st.integers(0, 4), st.integers(0, 4))


def by_the_rules(raw: bytes, now: int) -> tuple[Any, str, int] | None:
    """Return what the rules make of a message; ``None`` where they refuse it."""
    try:
        pack = msgspec.json.decode(raw)
        who = payload.identify(pack)
        (readings,) = payload.samples(pack, now)
    except (msgspec.DecodeError, UnicodeDecodeError, payload.PayloadError):
        return None
    assert who.eui64 == EUI64
    assert not payload.is_relative(pack)
    message = make_message(SENDER, who.boot, *who.seqs, readings, False, "up", raw)
    return message, payload.time_quality(pack), payload.lost(pack)


def quickly(raw: bytes, now: int) -> tuple[Any, str, int] | None:
    plain = plainmessages.read(raw, EUI64, now)
    if plain is None:
        return None
    boot, seq, readings, quality = plain
    return make_message(SENDER, boot, seq, readings, False, "up", raw), quality, 0


def exactly(found: tuple[Any, str, int] | None) -> str:
    """Tell 5 from 5.0, which are equal and are not written alike."""
    return repr(found)


@given(
    st.lists(changes, max_size=2),
    st.lists(places, max_size=1),
    st.sampled_from([NOW, NOW - 9999, payload.TIMES_END]),
)
def test_what_is_read_quickly_is_what_the_rules_say(
    changed: list[tuple[int, str, Any]], moved: list[tuple[int, int]], now: int
) -> None:
    pack = copy.deepcopy(PLAIN)
    for place, label, value in changed:
        pack[place][label] = value
    for one, other in moved:
        pack[one], pack[other] = pack[other], pack[one]
    raw = json.dumps(pack).encode()
    found = quickly(raw, now)
    if found is not None:
        assert exactly(found) == exactly(by_the_rules(raw, now))


def test_what_a_board_writes_is_read_quickly() -> None:
    records: list[Any] = [
        ("air_temperature", 0, 2450, None),
        ("air_humidity", 0, 801, None),
        ("soil_moisture.2", 0, 421, None),
    ]
    for simulated in (True, False):
        raw = payload.encode(EUI64, 7, 5, NOW - 60, records, simulated, quality="reckoned")
        found = quickly(raw, NOW)
        assert found is not None
        assert exactly(found) == exactly(by_the_rules(raw, NOW))


def test_what_stands_twice_in_a_record_is_read_alike() -> None:
    raw = json.dumps(PLAIN).encode()
    for old, new in (
        (b'"v": 24.5', b'"v": 24.5, "v": 3'),
        (b'"v": 5', b'"v": 5, "v": 6'),
        (b'"n": "air_temperature"', b'"n": "light", "n": "air_temperature"'),
        (b'"vb": true', b'"vb": true, "vb": false'),
    ):
        twice = raw.replace(old, new)
        assert exactly(quickly(twice, NOW)) == exactly(by_the_rules(twice, NOW)) != "None"


@pytest.mark.parametrize(
    ("place", "label", "value"),
    [
        (0, "tq", "unknown"),
        (0, "bt", 0),
        (0, "bt", payload.TIMES_END),
        (0, "bn", "urn:dev:mac:02000000000000a2:"),
        (1, "v", 5.5),
        (1, "v", -1),
        (1, "bt", NOW),
        (2, "v", 1),
        (3, "u", "%RH"),
        (3, "n", "no_such_metric"),
        (3, "v", None),
        (3, "v", 1e31),
        (3, "bn", ""),
        (3, "t", 0),
        (3, "vs", "failed"),
        (4, "x_", 1),
    ],
)
def test_what_is_not_plain_is_left_to_the_rules(place: int, label: str, value: object) -> None:
    pack = copy.deepcopy(PLAIN)
    assert quickly(json.dumps(pack).encode(), NOW) is not None
    pack[place][label] = value
    assert quickly(json.dumps(pack).encode(), NOW) is None
