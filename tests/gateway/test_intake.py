"""Messages judged: what is kept, what is refused and why, and when two are the same."""

import json
from typing import Any

import pytest
from control_box import NODES, message, settings_file
from hypothesis import given, settings
from hypothesis import strategies as st

from nongso.gateway.intake import Intake
from nongso.gateway.ledger import Message, Refusal, same
from nongso.gateway.settings import load
from nongso.gateway.storefile import Ledgered
from nongso.wire import marks, payload

NOW = 1_790_000_000
UP = "nongso/1/tan-binh/tb-01/up"


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Intake:
    folder = tmp_path_factory.mktemp("settings")
    return Intake(load(settings_file(folder, 1883, "http://127.0.0.1:1")))


def kept(intake: Intake, raw: bytes, now: int = NOW) -> Message:
    found = intake.judge(UP, raw, now)[0].kept
    assert isinstance(found, Message)
    return found


def pack(**changes: Any) -> list[dict[str, Any]]:
    """Return a good pack whose last record is changed."""
    found: list[dict[str, Any]] = json.loads(message(1, at=NOW))
    found[-1].update(changes)
    return found


def as_bytes(found: Any) -> bytes:
    return json.dumps(found).encode()


def test_a_message_becomes_a_row_with_its_original_times(intake: Intake) -> None:
    found = kept(intake, message(3, at=NOW - 86400))
    row = json.loads(found.body)
    assert (row["kind"], row["node"], row["boot"], row["seq"]) == (
        "readings",
        NODES["tb-01"],
        7,
        3,
    )
    assert row["readings"][0] == ["air_temperature", NOW - 86400, 24.5, marks.SIMULATED]
    assert row["readings"][2][1] == NOW - 86400 + 2


@pytest.mark.parametrize(
    ("raw", "code", "is_acked"),
    [
        (b"", "not_json", False),
        (b"{", "not_json", False),
        (b"\xff\xfe", "not_json", False),
        (b'[{"bn":"\xff"}]', "not_json", False),
        (b"[" * 4000, "not_json", False),
        (as_bytes(pack())[:-20] + b',"v":NaN}]', "not_json", False),
        (b"[]", "no_identity", False),
        (b"{}", "no_identity", False),
        (b"null", "no_identity", False),
        (as_bytes(json.loads(message(1, at=NOW))[1:]), "no_identity", False),
        (message(1, at=NOW).ljust(payload.MAX_BYTES + 1), "too_long", False),
        (b"x" * 1_000_000, "too_long", False),
        (message(1, node="tb-02", at=NOW), "wrong_topic", True),
        (as_bytes(pack(n="mood")), "unknown_metric", True),
        (as_bytes(pack(u="Cel")), "wrong_unit", True),
        (as_bytes(pack(v="wet")), "not_a_number", True),
        (as_bytes(pack(v=True)), "not_a_number", True),
        (as_bytes(pack(v=1e300)), "not_a_number", True),
        (as_bytes(pack(must_=1)), "not_understood", True),
        (as_bytes([*pack(), {"n": "light", "vs": "tired"}]), "unknown_status", True),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(
    intake: Intake, raw: bytes, code: str, is_acked: bool
) -> None:
    (letter,) = intake.judge(UP, raw, NOW)
    assert isinstance(letter.kept, Refusal)
    assert letter.kept.code == code
    assert letter.kept.raw == raw
    assert (letter.ack_topic is not None) == is_acked
    if is_acked:
        assert (letter.ack_topic, letter.boot, letter.seq) == (UP.replace("up", "ack"), 7, 1)


@pytest.mark.parametrize(
    ("topic", "node", "code"),
    [
        ("nongso/1/tan-binh/tb-09/up", None, "unknown_node"),
        ("nongso/1/tan-binh/tb-09/up", "tb-01", "wrong_topic"),
        ("nongso/1/hung-binh/tb-01/up", "tb-01", "wrong_farm"),
        ("nongso/2/tan-binh/tb-01/up", "tb-01", "wrong_version"),
        ("nongso/1/tan-binh/tb-01/upp", "tb-01", "wrong_topic"),
        ("nongso/1/tan-binh/tb-01/ack", "tb-01", "wrong_topic"),
        ("nongso/1/tan-binh/up", "tb-01", "wrong_topic"),
        ("nongso/1/Tân Bình/tb-01/up", "tb-01", "wrong_topic"),
        ("nongso", "tb-01", "wrong_topic"),
        ("", "tb-01", "wrong_topic"),
    ],
)
def test_strangers_are_not_answered(
    intake: Intake, topic: str, node: str | None, code: str
) -> None:
    raw = message(1, at=NOW)
    if node is None:
        raw = raw.replace(NODES["tb-01"].encode(), b"0200000000000999")
    (letter,) = intake.judge(topic, raw, NOW)
    assert isinstance(letter.kept, Refusal)
    assert letter.kept.code == code
    assert letter.ack_topic is None


@pytest.mark.parametrize("value", [-300.0, 85.1, 1e6])
def test_an_impossible_value_is_kept_and_marked(intake: Intake, value: float) -> None:
    found = json.loads(message(1, at=NOW))
    found[3]["v"] = value
    readings = kept(intake, as_bytes(found)).readings
    assert (readings[0].value, marks.quality(readings[0].mark)) == (value, "impossible")
    assert marks.quality(readings[1].mark) == "good"


@pytest.mark.parametrize("at", [1_600_000_000, NOW + 7200])
def test_a_reading_with_an_impossible_time_is_kept_and_marked(intake: Intake, at: int) -> None:
    readings = kept(intake, message(1, at=at)).readings
    assert {marks.quality(r.mark) for r in readings} == {"untimed"}
    assert readings[0].at == at


def known(found: Message) -> Ledgered:
    return Ledgered(found.digest, found.base)


def test_a_clock_that_was_never_set_doubts_no_node_whose_clock_is_right(intake: Intake) -> None:
    found = kept(intake, message(1, at=NOW), now=1000)
    assert [r.at for r in found.readings] == [NOW, NOW, NOW + 2]
    assert {marks.quality(r.mark) for r in found.readings} == {"good"}


def test_a_message_sent_again_is_the_same(intake: Intake) -> None:
    assert same(kept(intake, message(1, at=NOW)), known(kept(intake, message(1, at=NOW))))


@pytest.mark.parametrize("gap", [0, 1, 60, 86400])
def test_without_a_clock_a_later_sending_is_the_same(intake: Intake, gap: int) -> None:
    """Its times are relative to now, so the bytes differ with each sending."""
    first = kept(intake, message(1, at=None))
    again = json.loads(message(1, at=None))
    for record in again:
        if "t" in record:
            record["t"] -= gap
    assert same(kept(intake, as_bytes(again), NOW + gap), known(first))


def test_with_the_clock_set_meanwhile_it_is_still_the_same(intake: Intake) -> None:
    relative = kept(intake, message(1, at=None))
    absolute = kept(intake, message(1, at=NOW - 500))
    assert same(absolute, known(relative))
    assert same(relative, known(absolute))


def test_other_contents_under_a_number_are_another_message(intake: Intake) -> None:
    first = known(kept(intake, message(1, at=NOW)))
    assert not same(kept(intake, message(1, at=NOW, warm=2451)), first)
    assert not same(kept(intake, message(1, at=NOW + 1)), first)
    assert not same(kept(intake, message(1, at=None, warm=2451)), first)
    shifted = json.loads(message(1, at=NOW))
    shifted[-1]["t"] += 1  # another distance between two readings
    assert not same(kept(intake, as_bytes(shifted)), first)
    renamed = json.loads(message(1, at=NOW))
    renamed[-1]["n"] = "soil_moisture.2"
    assert not same(kept(intake, as_bytes(renamed)), first)
    measured = [r for r in json.loads(message(1, at=NOW)) if r.get("n") != "simulated"]
    assert not same(kept(intake, as_bytes(measured)), first)


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["bn", "bt", "n", "v", "vs", "u", "t"]), inner, max_size=5
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | _json_values.map(as_bytes))
def test_no_message_whatever_breaks_the_intake(intake: Intake, raw: bytes) -> None:
    intake.judge(UP, raw, NOW)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10), st.sampled_from(["bn", "bt", "n", "v", "vs", "u", "t"]), _json_values)
def test_one_odd_field_never_breaks_the_intake(
    intake: Intake, place: int, field: str, value: Any
) -> None:
    found = json.loads(message(1, at=NOW))
    found[place % len(found)][field] = value
    (letter,) = intake.judge(UP, as_bytes(found), NOW)
    if isinstance(letter.kept, Message):
        json.loads(letter.kept.body)


def many(count: int = 3, **changes: Any) -> list[dict[str, Any]]:
    """A message of several samples, as a node writes them."""
    base = f"urn:dev:mac:{NODES['tb-01']}:"
    found: list[dict[str, Any]] = [
        {"bn": base, "bt": NOW - 900, "n": "boot", "v": 7, "tq": "clock"}
    ]
    for series, unit, values in (
        ("seq", None, range(4, 4 + count)),
        ("light", "lx", range(count)),
        ("soil_moisture", "/", [0.1 * i for i in range(count)]),
    ):
        for k, value in enumerate(values):
            found.append({"v": value, "t": 300 * k})
        found[-count].update({"bn": base + series} | ({"bu": unit} if unit else {}))
    found[-1].update(changes)
    return found


def test_samples_that_come_together_are_kept_as_if_each_came_alone(intake: Intake) -> None:
    letters = intake.judge(UP, as_bytes(many()), NOW)
    assert [(one.boot, one.seq, one.time_quality) for one in letters] == [
        (7, 4, "clock"),
        (7, 5, "clock"),
        (7, 6, "clock"),
    ]
    for k, letter in enumerate(letters):
        assert isinstance(letter.kept, Message)
        single = [
            {
                "bn": f"urn:dev:mac:{NODES['tb-01']}:",
                "bt": NOW - 900 + 300 * k,
                "n": "boot",
                "v": 7,
            },
            {"n": "seq", "v": 4 + k},
            {"n": "light", "u": "lx", "v": k},
            {"n": "soil_moisture", "u": "/", "v": 0.1 * k},
        ]
        alone = kept(intake, as_bytes(single))
        assert (letter.kept.key, letter.kept.digest, letter.kept.base, letter.kept.body) == (
            (alone.key, alone.digest, alone.base, alone.body)
        )


@pytest.mark.parametrize(
    ("pack", "code"),
    [
        (many(v="x"), "not_a_number"),
        (many(t=601), "not_understood"),
        (many(vs="tired", v=None), "not_a_number"),
        (many(n="light"), "not_understood"),
        (many()[:-1], "not_understood"),
        ([*many(), {"v": 0.2, "t": 900}], "not_understood"),
        ([*many()[:5], *many()[6:]], "not_understood"),
    ],
)
def test_what_comes_together_is_refused_together_and_all_of_it_acknowledged(
    intake: Intake, pack: list[dict[str, Any]], code: str
) -> None:
    first, *others = intake.judge(UP, as_bytes(pack), NOW)
    assert isinstance(first.kept, Refusal)
    assert (first.kept.code, first.kept.raw) == (code, as_bytes(pack))
    assert [(one.kept, one.ack_topic) for one in others] == [(None, first.ack_topic)] * 2
    assert [one.seq for one in (first, *others)] == [4, 5, 6]


def test_two_samples_with_one_number_have_no_identity(intake: Intake) -> None:
    found = many()
    found[2]["v"] = 4
    (letter,) = intake.judge(UP, as_bytes(found), NOW)
    assert isinstance(letter.kept, Refusal)
    assert (letter.kept.code, letter.ack_topic) == ("no_identity", None)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 9), st.sampled_from(["bn", "bt", "bu", "n", "v", "vs", "t", "tq"]), _json_values
)
def test_one_odd_field_among_several_samples_never_breaks_the_intake(
    intake: Intake, place: int, field: str, value: Any
) -> None:
    found = many()
    found[place][field] = value
    letters = intake.judge(UP, as_bytes(found), NOW)
    assert letters[0].kept is not None
    for letter in letters:
        if isinstance(letter.kept, Message):
            json.loads(letter.kept.body)
