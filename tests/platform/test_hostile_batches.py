"""Whatever comes in a batch: its good rows are stored, its bad ones are refused by name."""

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from office import KEY, NODE_1, Place, configuration
from sqlalchemy import text

from nongso.platform import jsonparts
from nongso.platform.greenhouse.records import Refused, Run

NOW = int(time.time())
DEEP = "[" * 100_000 + "]" * 100_000
ZONE = "tan-binh-1-k1"
PAGES = ("/greenhouses", "/greenhouses/tan-binh-1", "/api/v1/greenhouses")

RUN = {
    "id": "r-1",
    "zone": ZONE,
    "cause": "wished",
    "by": "Lan",
    "state": "done",
    "code": "done",
    "values": {"seconds": 600, "litres": 58.2},
    "ordered_seconds": 600,
    "started_at": NOW - 600,
    "ended_at": NOW,
    "seconds": 600,
    "litres": 58.2,
}
GOOD: dict[str, dict[str, Any]] = {
    "readings": {"node": NODE_1, "boot": 1, "seq": 1, "readings": [["light", NOW, 5.0, 16]]},
    "run": {"run": RUN},
    "command": {"command": {"id": "c-1", "state": "done", "code": "stopped", "at": NOW}},
    "alarm": {"alarm": {"id": "a-1", "code": "leak", "values": {"flow": 4.0}, "raised_at": NOW}},
    "configuration": {"configuration": configuration()},
    "node": {"node": {"eui64": NODE_1, "state": "online", "at": NOW}},
    "refused": {"refused": {"topic": "a", "code": "wrong_unit", "detail": "x", "at": NOW}},
    "zone": {
        "zone": {
            "id": ZONE,
            "mode": "band",
            "band": {"low": 40, "high": 55},
            "state": "idle",
            "at": NOW,
            "code": "soil_moist",
            "values": {"moisture": 50, "low": 40},
        }
    },
}


def send(place: Place, rows: list[str]) -> tuple[int, dict[str, Any]]:
    """Send rows that are JSON texts already, or not."""
    body = '{"gateway": "binh-lu", "store": "0000000000000000", "rows": [' + ",".join(rows) + "]}"
    answer = place.app.test_client().post(
        "/api/v1/gateways/binh-lu/batch",
        data=body.encode("utf-8", "surrogatepass"),
        headers={"Authorization": "Bearer " + KEY},
    )
    return answer.status_code, answer.json


def reading(number: int, at: int) -> str:
    row = {"id": number, "kind": "readings", "node": NODE_1, "readings": [["light", at, 5.0, 16]]}
    return json.dumps(row)


def check_good_rows_survive(farm: Place, bad: list[str]) -> dict[str, Any]:
    """Send bad rows between two good ones, then look at every page of the farm."""
    status, answer = send(farm, [reading(1, NOW - 2), *bad, reading(10**6, NOW - 1)])
    assert status == 200, answer
    assert {1, 10**6} <= set(answer["stored"])
    assert len(answer["stored"]) + len(answer["refused"]) == len(bad) + 2
    for page in PAGES:
        assert farm.ask(page).status_code == 200, page
    return answer


def seven(rest: str) -> str:
    return '{"id": 7, ' + rest + "}"


def readings_of(node: str, readings: str) -> str:
    return seven(f'"kind": "readings", "node": "{node}", "readings": {readings}')


@pytest.mark.parametrize(
    "row",
    [
        seven('"kind": "run", "extra": ' + DEEP),
        readings_of(NODE_1, DEEP),
        seven('"kind": "alarm", "alarm": {"id": "a", "code": "leak", "values": ' + DEEP + "}"),
        readings_of(NODE_1, '[["light", 1' + "0" * 30 + ", 1, 0]]"),
        readings_of(NODE_1, '[["light", 1, 1e400, 0]]'),
        readings_of(NODE_1, '[["light", 1, 1, 1' + "0" * 5000 + "]]"),
        readings_of("\\ud800", "[]"),
        readings_of("f" * 10**6, "[]"),
        seven('"kind": "\\ud800"'),
        seven('"kind": "\udfff"'),
        seven('"kind": "node", "node": {"eui64": "\\u0000", "state": "online", "at": 1}'),
        seven('"kind": "zone", "zone": {"id": "tan-binh-1-k1\\u0000", "state": "x", "at": 1}'),
        seven('"kind": "run", "run": NaN'),
        seven('"kind": ["run"]'),
        seven('"kind": "run", "run": {"id": tru}'),
    ],
)
def test_a_broken_row_is_refused_by_its_number(farm: Place, row: str) -> None:
    answer = check_good_rows_survive(farm, [row])
    (refused,) = answer["refused"]
    assert refused["id"] == 7
    assert refused["code"]
    assert refused["detail"]
    assert len(refused["detail"]) <= 500


@pytest.mark.parametrize(
    "row",
    [
        *("null", "1", '"row"', "[]", "{}", "1e400", "NaN", "-", DEEP, '{"kind": "run"}'),
        *('{"id": true, "kind": "run"}', '{"id": "7", "kind": "run"}', '{"id": 7.5}'),
    ],
)
def test_a_row_without_a_number_is_refused_by_its_place(farm: Place, row: str) -> None:
    (refused,) = check_good_rows_survive(farm, [row])["refused"]
    assert (refused["id"], refused["row"], refused["code"]) == (None, 1, "row_without_id")


def test_a_number_too_big_for_any_store_is_still_named(farm: Place) -> None:
    row = '{"id": 1' + "0" * 30 + ', "kind": "run"}'
    (refused,) = check_good_rows_survive(farm, [row])["refused"]
    assert refused["id"] == 10**30


def hostile() -> st.SearchStrategy[object]:
    leaf = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([10**30, -(10**30), 2**63, 2**63 - 1, -(2**63), 2**53, 1e308, -1.0, 1e15]),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=8),
        st.sampled_from(["\ud800", "\x00", "x" * 5000, "", "tan-binh-1", ZONE, NODE_1, "r-1"]),
    )
    return st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "kind", "low", "high", "seconds", "since", "percent"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )


def places_in(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a JSON value."""
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places_in(inner, (*path, key))
    if isinstance(value, list):
        for n, inner in enumerate(value):
            found += places_in(inner, (*path, n))
    return found


@st.composite
def spoilt_rows(draw: st.DrawFn) -> str:
    """A good row of some kind in which one to three places hold something else."""
    kind = draw(st.sampled_from(sorted(GOOD)))
    row = json.loads(json.dumps({"id": 7, "kind": kind, **GOOD[kind]}))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(places_in(row)[1:]))
        inner = row
        for step in way:
            inner = inner[step]
        if draw(st.booleans()) and isinstance(inner, dict):
            del inner[last]
        else:
            inner[last] = draw(hostile())
    return json.dumps(row)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
@given(st.lists(spoilt_rows() | hostile().map(json.dumps), min_size=1, max_size=3))
def test_no_row_whatever_it_holds_loses_a_good_one(farm: Place, rows: list[str]) -> None:
    check_good_rows_survive(farm, rows)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(st.binary(max_size=200) | hostile().map(lambda value: json.dumps(value).encode()))
def test_a_body_that_is_no_batch_is_refused_whole(farm: Place, body: bytes) -> None:
    answer = farm.app.test_client().post(
        "/api/v1/gateways/binh-lu/batch",
        data=body,
        headers={"Authorization": "Bearer " + KEY},
    )
    assert answer.status_code == 400
    assert answer.json["detail"]


def test_a_row_that_only_the_database_refuses_is_set_aside(farm: Place) -> None:
    refusal = "ALTER TABLE run ADD CONSTRAINT no_such_run CHECK (id <> 'r-2')"
    if farm.records.is_file:
        refusal = (
            "CREATE TRIGGER no_such_run BEFORE INSERT ON run WHEN new.id = 'r-2' "
            "BEGIN SELECT raise(ABORT, 'not this one'); END"
        )
    with farm.records.transaction() as session:
        session.execute(text(refusal))
    rows = [json.dumps({"id": n, "kind": "run", "run": RUN | {"id": f"r-{n}"}}) for n in (1, 2, 3)]
    status, answer = send(farm, [*rows, reading(4, NOW)])
    assert status == 200
    assert answer["stored"] == [1, 3, 4]
    assert [(row["id"], row["code"]) for row in answer["refused"]] == [(2, "not_storable")]
    with farm.records.session() as session:
        assert [session.get(Run, f"r-{n}") is not None for n in (1, 2, 3)] == [True, False, True]


def test_a_report_about_rubbish_is_kept_without_its_rubbish(farm: Place) -> None:
    body = {"topic": "a\x00b", "code": "not_json", "detail": "\x00" * 9 + "x" * 9999, "at": NOW}
    row = json.dumps({"id": 7, "kind": "refused", "refused": body})
    assert check_good_rows_survive(farm, [row])["refused"] == []
    with farm.records.session() as session:
        (kept,) = session.query(Refused).all()
        assert (kept.topic, len(kept.detail)) == ("ab", 500)


def test_a_reading_from_far_ahead_is_not_the_newest(farm: Place) -> None:
    send(farm, [reading(1, NOW), reading(2, NOW + 10**9)])
    for page in PAGES:
        assert farm.ask(page).status_code == 200
    (house,) = farm.ask("/api/v1/greenhouses").json["greenhouses"]
    assert house["latest"]["light"]["at"] == NOW


@pytest.mark.parametrize("wait", ["nan", "inf", "-inf", "-1", "x", "", "1e999", "0x10"])
def test_a_wait_that_is_no_time_is_refused_at_once(farm: Place, wait: str) -> None:
    answer = farm.app.test_client().get(
        f"/api/v1/gateways/binh-lu/commands?poll={'0' * 32}&wait={wait}",
        headers={"Authorization": "Bearer " + KEY},
    )
    assert (answer.status_code, answer.json["code"]) == (400, "no_wait")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    ),
    st.sampled_from([None, 1]),
)
def test_cutting_json_finds_the_same_parts_as_reading_it(
    value: object, indent: int | None
) -> None:
    raw = json.dumps(value, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if isinstance(value, dict):
        cut = {json.loads(k): json.loads(v) for k, v in jsonparts.members(raw).items()}
        assert cut == value
    elif isinstance(value, list):
        assert [json.loads(part) for part in jsonparts.elements(raw)] == value
    else:
        with pytest.raises(jsonparts.NotParts):
            jsonparts.elements(raw)
