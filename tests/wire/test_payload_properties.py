"""Whatever comes in, a message is read or refused by name; whatever goes out comes back."""

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from nongso.wire import marks, payload
from nongso.wire.metrics import METRICS

EUI64 = st.text("0123456789abcdef", min_size=16, max_size=16)
NOW = 1790000000

MEMBERS = ["bn", "bt", "bu", "bv", "bver", "n", "u", "v", "vs", "vb", "t", "s", "x_"]
NUMBERS = st.integers() | st.floats() | st.sampled_from([1e400, 10**400, 1 << 63])
WORDS = st.sampled_from([*METRICS, "boot", "seq", "Cel", "lx", "%RH", "/", "absent", ""])
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=10)
JSON = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), SCALARS)
RECORDS = st.lists(st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6), max_size=5)

CELLS = st.one_of(
    st.tuples(st.sampled_from(sorted(METRICS)), st.integers(-(10**12), 10**12), st.none()),
    st.tuples(st.sampled_from(sorted(METRICS)), st.none(), st.sampled_from(payload.STATUSES)),
)


@given(
    EUI64,
    st.integers(0, 2**30 - 1),
    st.integers(0, 2**40),
    st.integers(payload.EARLIEST, NOW),
    st.lists(CELLS, min_size=1, max_size=12),
    st.booleans(),
    st.integers(0, 10**9),
)
@settings(deadline=None)
def test_what_a_node_writes_the_gateway_reads(eui64, boot, seq, base, cells, simulated, lost):
    records = [(name, -i, number, status) for i, (name, number, status) in enumerate(cells)]
    message = payload.encode(eui64, boot, seq, base, records, simulated, lost)
    assert message == payload.encode(eui64, boot, seq, base, records, simulated, lost)
    pack = json.loads(message)
    assert payload.identify(pack) == (eui64, boot, (seq,))
    assert payload.lost(pack) == lost
    found = payload.readings(pack, NOW)
    assert [(r.name, r.at) for r in found] == [(n, base + at) for n, at, _, _ in records]
    for reading, (name, number, status) in zip(found, cells, strict=True):
        assert (marks.origin(reading.mark) == "simulated") == simulated
        if status:
            assert reading.value is None
            assert marks.quality(reading.mark) == "failed"
        else:
            exact = number / 10 ** METRICS[name].decimals
            assert math.isclose(reading.value, exact, rel_tol=1e-12, abs_tol=1e-9)


def refusal(function, *arguments):
    """Return how a message is refused, ``None`` if it is read; other errors fly."""
    try:
        function(*arguments)
    except payload.PayloadError as e:
        code, text = e.code, str(e)
    else:
        return None
    assert len(text) < 200
    return code


@given(JSON | RECORDS)
@settings(deadline=None, max_examples=200)
def test_foreign_json_has_an_identity_or_is_refused(found):
    assert refusal(payload.identify, found) in (None, "no_identity")


@given(RECORDS)
@settings(deadline=None, max_examples=300)
def test_foreign_records_are_read_or_refused_by_name(pack):
    def read():
        for reading in payload.readings(pack, NOW):
            assert isinstance(reading.at, int)
            assert payload.is_time(reading.at)
            assert reading.value is None or math.isfinite(reading.value)

    assert refusal(read) in (
        None,
        "unknown_metric",
        "wrong_unit",
        "not_a_number",
        "unknown_status",
        "not_understood",
    )


def test_nan_and_numbers_beyond_floats_are_refused():
    for text in ("NaN", "1e400", "-1e400", "Infinity", "1" + "0" * 4000):
        pack = json.loads(f'[{{"bt":1790000000,"n":"light","u":"lx","v":{text}}}]')
        assert refusal(payload.readings, pack, NOW) == "not_a_number", text


def test_of_two_equal_keys_one_counts():
    pack = json.loads('[{"bt":1790000000,"n":"light","u":"lx","v":1,"v":2}]')
    assert payload.readings(pack, NOW)[0].value == 2


def test_deep_nesting_and_a_megabyte_end_in_a_short_refusal():
    deep: object = 0
    for _ in range(900):
        deep = [deep]
    for bad in (deep, "x" * 1_000_000, {"n": "y" * 1_000_000}):
        for key in ("n", "v", "u", "t", "bt", "bn"):
            pack = [{"n": "light", "u": "lx", "v": 1, key: bad}]
            assert refusal(payload.identify, pack) == "no_identity"
            assert key == "bn" or refusal(payload.readings, pack, NOW)


def test_many_records_are_read_in_one_go():
    pack = [{"n": "light", "u": "lx", "v": i} for i in range(20_000)]
    assert len(payload.readings(pack, NOW)) == 20_000
