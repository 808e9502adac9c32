"""What gateways bring is stored once, whatever comes twice, late, broken or hostile."""

import gzip
import json
import sqlite3
import time
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from office import BUS, KEY, NODE_1, NODE_2, Place, configuration

from nongso.platform import batches
from nongso.platform.greenhouse.records import Alarm, Greenhouse, Node, Refused, Run, Zone

NOW = int(time.time())


def stored(place: Place, *rows: dict[str, Any]) -> list[int]:
    answer = place.bring(*rows)
    assert answer.status_code == 200, answer.text
    assert answer.json["refused"] == []
    found: list[int] = answer.json["stored"]
    return found


def refused(place: Place, *rows: dict[str, Any]) -> dict[int, str]:
    answer = place.bring(*rows)
    assert answer.status_code == 200, answer.text
    return {row["id"]: row["code"] for row in answer.json["refused"]}


def run(**other: Any) -> dict[str, Any]:
    return {
        "id": "r-1",
        "zone": "tan-binh-1-k1",
        "cause": "wished",
        "by": "Lan",
        "state": "running",
        "code": "wished",
        "values": {},
        "ordered_seconds": 600,
        "started_at": NOW - 600,
        "ended_at": None,
        "seconds": 0,
        "litres": 0.0,
    } | other


ENDED = {"state": "done", "code": "done", "ended_at": NOW, "seconds": 600, "litres": 58.2}


def test_a_batch_that_comes_twice_is_stored_once(farm: Place) -> None:
    rows = [
        farm.readings(NODE_1, ["air_temperature", NOW, 24.5, 16], ["light", NOW, None, 19]),
        farm.row("run", run=run()),
        farm.row("node", node={"eui64": NODE_1, "state": "online", "at": NOW}),
    ]
    ids = [row["id"] for row in rows]
    assert stored(farm, *rows) == ids
    before = farm.telemetry.tally()
    assert stored(farm, *rows) == ids
    assert farm.telemetry.tally() == before == {"stored": 1, "suspect": 1, "conflicting": 0}


def test_one_broken_row_does_not_hold_the_others_up(farm: Place) -> None:
    good = farm.readings(NODE_1, ["light", NOW, 100.0, 16])
    bad = [
        farm.row("moonshine"),
        farm.row("run", run={"id": "only this"}),
        farm.readings(NODE_1, ["moon_phase", NOW, 1.0, 0]),
        farm.readings(NODE_1, ["light", NOW, 1.0, 99]),
        farm.readings(NODE_1, ["light", -1, 1.0, 0]),
        farm.readings(NODE_1, ["light", "now", 1.0, 0]),
        farm.row("zone", zone={"id": "roof", "state": "idle", "at": NOW}),
        farm.row("node", node={"eui64": "f" * 16, "state": "online", "at": NOW}),
    ]
    answer = farm.bring(*bad, good)
    assert answer.json["stored"] == [good["id"]]
    codes = {row["id"]: row["code"] for row in answer.json["refused"]}
    assert codes == dict(
        zip(
            [row["id"] for row in bad],
            [
                *("unknown_kind", "broken_row", "unknown_metric", "unknown_mark", "not_a_time"),
                *("broken_row", "unknown_zone", "unknown_node"),
            ],
            strict=True,
        )
    )
    assert all(row["detail"] for row in answer.json["refused"])


def test_a_run_that_has_ended_stays_ended(farm: Place) -> None:
    begin, end = farm.row("run", run=run()), farm.row("run", run=run(**ENDED))
    stored(farm, begin, end)
    stored(farm, begin)
    with farm.records.session() as session:
        kept = session.get_one(Run, "r-1")
        assert (kept.state, kept.litres, kept.ended_at) == ("done", 58.2, NOW)
        assert kept.start_code == "wished"


def test_an_alarm_that_is_over_stays_over(farm: Place) -> None:
    alarm = {"id": "a-1", "code": "leak", "values": {"flow": 4.0}, "zone": None, "raised_at": NOW}
    raised = farm.row("alarm", alarm=alarm)
    stored(farm, raised, farm.row("alarm", alarm=alarm | {"cleared_at": NOW + 9}), raised)
    with farm.records.session() as session:
        assert session.get_one(Alarm, "a-1").cleared_at == NOW + 9


def test_an_older_word_about_a_zone_or_node_changes_nothing(farm: Place) -> None:
    new = {"id": "tan-binh-1-k1", "mode": "off", "state": "idle", "at": NOW, "code": "zone_off"}
    stored(
        farm,
        farm.row("zone", zone=new),
        farm.row("zone", zone=new | {"mode": "band", "at": NOW - 5}),
        farm.row("node", node={"eui64": NODE_1, "state": "offline", "at": NOW}),
        farm.row("node", node={"eui64": NODE_1, "state": "online", "at": NOW - 5}),
    )
    farm.configure()  # says "manual", as the file on the gateway still does
    with farm.records.session() as session:
        assert session.get_one(Zone, "tan-binh-1-k1").mode == "off"
        assert session.get_one(Node, NODE_1).state == "offline"


def test_readings_from_before_the_configuration_find_their_greenhouse(place: Place) -> None:
    stored(place, place.readings(NODE_1, ["light", NOW, 100.0, 16]))
    assert place.telemetry.series(greenhouse="tan-binh-1") == {}
    place.configure()
    (series,) = place.telemetry.series(greenhouse="tan-binh-1").values()
    assert series.zone == "tan-binh-1-k1"


def test_impossible_values_are_marked_even_if_the_gateway_did_not(farm: Place) -> None:
    stored(
        farm,
        farm.readings(NODE_1, ["air_humidity", NOW, 180.0, 0], ["air_humidity", NOW + 1, None, 0]),
    )
    assert farm.telemetry.tally()["suspect"] == 2


def test_what_is_no_longer_on_the_farm_keeps_its_past_only(farm: Place) -> None:
    found = configuration()
    found["greenhouses"][0]["zones"].pop()
    found["nodes"] = found["nodes"][:1]
    stored(farm, farm.row("configuration", configuration=found))
    with farm.records.session() as session:
        assert session.get_one(Zone, "tan-binh-1-k2").gone
        assert session.get_one(Node, NODE_2).gateway is None
    wish = {"seconds": 20, "id": str(uuid.uuid4())}
    assert farm.ask("/api/v1/zones/tan-binh-1-k2/water", wish).status_code == 404


def test_an_older_configuration_comes_too_late(farm: Place) -> None:
    old = farm.row("configuration", configuration=configuration("Tên cũ"))
    farm.configure("Tên mới")
    stored(farm, old)
    with farm.records.session() as session:
        assert session.get_one(Greenhouse, "tan-binh-1").name == "Tên mới"
    # a new disk begins its numbers anew
    again = {"id": 1, "kind": "configuration", "configuration": configuration("Tên mới hơn")}
    assert farm.bring(again, store="f" * 16).json["stored"] == [1]
    with farm.records.session() as session:
        assert session.get_one(Greenhouse, "tan-binh-1").name == "Tên mới hơn"


def test_a_gateway_cannot_take_what_is_another_ones(farm: Place) -> None:
    from nongso.platform import uplink

    other_key = "another-key-of-forty-characters-12345678"
    with farm.records.transaction() as session:
        uplink.register_gateway(session, "bac-ha", "Bắc Hà", "bac-ha", other_key)
    stored(farm, farm.row("run", run=run()), farm.readings(BUS, ["tank_level", NOW, 60.0, 16]))
    alarm = {"id": "a-1", "code": "leak", "values": {}, "raised_at": NOW}
    stored(farm, farm.row("alarm", alarm=alarm))
    mine = configuration("Của tôi")
    only_nodes = configuration() | {"greenhouses": []}
    rows = [
        farm.row("configuration", configuration=mine),
        farm.row("configuration", configuration=only_nodes),
        farm.row("run", run=run(**ENDED)),
        farm.row("alarm", alarm=alarm | {"cleared_at": NOW}),
        farm.readings(NODE_1, ["light", NOW, 5.0, 16]),
    ]
    answer = farm.bring(*rows, key=other_key, gateway="bac-ha")
    assert [row["code"] for row in answer.json["refused"]] == [
        *("greenhouse_taken", "node_taken", "run_of_another", "alarm_of_another"),
        "node_of_another",
    ]
    with farm.records.session() as session:
        assert session.get_one(Greenhouse, "tan-binh-1").name == "Nhà màng Tân Bình 1"


def test_refused_messages_of_the_farm_are_kept_once(farm: Place) -> None:
    row = farm.row(
        "refused",
        refused={
            "topic": "a/b",
            "code": "wrong_unit",
            "detail": "x" * 9999,
            "node": None,
            "at": NOW,
        },
    )
    stored(farm, row)
    stored(farm, row)
    with farm.records.session() as session:
        (kept,) = session.query(Refused).all()
        assert len(kept.detail) == 500


def send(place: Place, body: bytes) -> tuple[int, dict[str, Any]]:
    answer = place.app.test_client().post(
        "/api/v1/gateways/binh-lu/batch", data=body, headers={"Authorization": "Bearer " + KEY}
    )
    return answer.status_code, answer.json


def test_gzip_is_understood_and_a_bomb_is_not_unpacked(farm: Place) -> None:
    batch = {"gateway": "binh-lu", "store": "0" * 16, "rows": []}
    assert send(farm, gzip.compress(json.dumps(batch).encode())) == (
        200,
        {"stored": [], "refused": []},
    )
    bomb = gzip.compress(b" " * (64 * 1024 * 1024))
    status, answer = send(farm, bomb)
    assert (status, answer["code"]) == (413, "too_large")
    status, answer = send(farm, b"x" * (1024 * 1024 + 1))
    assert (status, answer["code"]) == (413, "too_large")
    status, answer = send(farm, gzip.compress(json.dumps(batch).encode())[:-9])
    assert (status, answer["code"]) == (400, "not_gzip")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"gateway": "binh-lu"}',
        b'{"gateway": "binh-lu", "store": "x", "rows": [}',
        b'{"gateway": "binh-lu", "store": "x", "rows": [1]',
        b'{"gateway": "hung-binh", "store": "x", "rows": []}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_batch_is_refused_as_a_whole(farm: Place, body: bytes) -> None:
    status, answer = send(farm, body)
    assert status == 400
    assert answer["detail"]


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "kind", "node", "readings", "run", "zone", "at", "values"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_row_whatever_it_holds_breaks_the_door(farm: Place, row: object) -> None:
    try:
        body = json.dumps({"gateway": "binh-lu", "store": "0" * 16, "rows": [row]})
    except ValueError:
        return
    status, _answer = send(farm, body.encode())
    assert status in (200, 400)


def test_a_full_disk_says_wait_and_keeps_nothing(farm: Place) -> None:
    other = sqlite3.connect(farm.settings.telemetry_file, isolation_level=None)
    farm.telemetry._writer.execute("PRAGMA busy_timeout = 50")
    other.execute("BEGIN IMMEDIATE")
    answer = farm.bring(farm.readings(NODE_1, ["light", NOW, 1.0, 16]), farm.row("run", run=run()))
    other.execute("ROLLBACK")
    other.close()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    with farm.records.session() as session:
        assert session.get(Run, "r-1") is None


def test_row_and_byte_limits_stand_as_agreed() -> None:
    assert batches.MOST_PACKED == 1024 * 1024
    assert batches.MOST_UNPACKED == 8 * 1024 * 1024
