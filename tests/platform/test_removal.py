"""A station is taken out from the phone: it is asked first, and kept in mind."""

import json
import re
import time
import uuid
from typing import Any

import pytest
from alembic import command as alembic
from flask.testing import FlaskClient
from office import NODE_1, NODE_2, Place, configuration, form_token, read_aloud
from sqlalchemy import select
from werkzeug.test import TestResponse

from nongso.platform import migrations
from nongso.platform.alerts.findings import look
from nongso.platform.greenhouse.records import Gateway, Node

HOUSE = "/greenhouses/tan-binh-1"
STATIONS = HOUSE + "/stations"
REMOVE = STATIONS + "/tb-02/remove"


@pytest.fixture
def client(farm: Place) -> FlaskClient:
    """The farmer's phone."""
    return farm.client("farmer")


def without(*boards: str) -> dict[str, Any]:
    """The farm as its gateway tells of it when these were taken out."""
    found = configuration()
    found["nodes"] = [node for node in found["nodes"] if node["eui64"] not in boards]
    return found


def press(client: FlaskClient) -> TestResponse:
    page = client.get(REMOVE)
    wish = re.search(r'name="wish" value="([\w-]+)"', page.text)
    assert wish is not None
    return client.post(REMOVE, data={"form_token": form_token(page), "wish": wish[1]})


def taken_out(farm: Place, client: FlaskClient, broker_told: bool = True) -> TestResponse:
    """The farmer presses, the gateway does it; returns the page that the phone shows then."""
    farm.poll()
    answer = press(client)
    assert answer.status_code == 303, answer.text
    (order,) = [json.loads(one["body"]) for one in farm.poll()]
    assert (order["do"], order["station"]) == (
        "remove",
        {"node": "tb-02", "greenhouse": "tan-binh-1", "board": NODE_2},
    )
    asking = client.get(answer.location)
    assert "Đang hỏi tủ điều khiển" in asking.text
    assert "Xem lại" in asking.text, "without script too"
    farm.bring(farm.row("configuration", configuration=without(NODE_2)))
    values = {"node": "tb-02", "board": NODE_2, "broker_told": broker_told}
    farm.outcome(order["id"], "done", "station_removed", **values)
    return client.get(answer.location)


def test_the_page_says_what_taking_out_means_before_anything_is_done(
    farm: Place, client: FlaskClient
) -> None:
    farm.poll()
    assert REMOVE in client.get(STATIONS).text
    page = client.get(REMOVE).text
    assert "Gỡ trạm này" in page
    assert "hết hiệu lực ngay" in page
    assert "Số đo cũ vẫn còn" in page
    assert "Khu 2 không còn trạm nào đo đất" in page, "the zone waters by itself, by this probe"
    other = client.get(STATIONS + "/tb-01/remove").text
    assert "không còn trạm nào đo đất" not in other, "Khu 1 waters by hand"
    assert farm.poll() == []
    for wrong in ("bus", "tb-09"):
        assert client.get(f"{STATIONS}/{wrong}/remove").status_code == 404, wrong


def test_a_station_that_was_taken_out_is_history_with_its_day_and_its_name(
    farm: Place, client: FlaskClient
) -> None:
    now = int(time.time())
    farm.bring(farm.readings(NODE_2, ["soil_moisture", now - 60, 12.0, 0]))
    farm.bring(farm.readings(NODE_1, ["soil_moisture", now - 60, 45.0, 0]))
    page = read_aloud(taken_out(farm, client))
    assert "Đã gỡ trạm tb-02. Trạm này không gửi được nữa; số đo cũ vẫn còn." in page
    day = time.strftime("%d/%m/%Y", time.gmtime(time.time() + 7 * 3600))
    assert f"Trạm tb-02: đã gỡ ngày {day}. Người gỡ: Farmer." in page
    assert 'id="tb-02"' not in page
    house = client.get(HOUSE).text
    assert "12%" not in house.partition("<figure")[0], "nothing of now"
    assert "Khu 2" in house.partition("<figure")[2], "its curve stays"
    told = farm.ask("/api/v1/series?greenhouse=tan-binh-1&metric=soil_moisture&node=tb-02").json
    assert told is not None
    assert [point[1] for point in told["points"]] == [12.0]
    audit = farm.client("clerk").get("/audit").text
    assert "Bấm gỡ trạm đo tb-02." in audit
    sticker = read_aloud(client.get(f"/tram/{NODE_2}"))
    assert "Trạm này trước là tb-02 của Nhà màng Tân Bình 1, đã gỡ ngày" in sticker


def test_a_name_that_another_board_has_now_is_no_more_among_those_taken_out(
    farm: Place, client: FlaskClient
) -> None:
    assert "Trạm đã gỡ" in taken_out(farm, client).text
    found = configuration()
    for node in found["nodes"]:
        if node["eui64"] == NODE_2:
            node["eui64"] = "02000000000000ff"
    farm.bring(farm.row("configuration", configuration=found))
    page = client.get(STATIONS).text
    assert 'id="tb-02"' in page
    assert "Trạm đã gỡ" not in page
    farm.bring(farm.row("configuration", configuration=without(NODE_2)))
    page = read_aloud(client.get(STATIONS))
    assert page.count("Trạm tb-02: đã gỡ ngày") == 2, "both boards are history again"


def test_a_press_whose_answer_was_lost_may_be_sent_again(farm: Place, client: FlaskClient) -> None:
    farm.poll()
    page = client.get(REMOVE)
    wish = re.search(r'name="wish" value="([\w-]+)"', page.text)
    assert wish is not None
    form = {"form_token": form_token(page), "wish": wish[1]}
    first = client.post(REMOVE, data=form)
    (order,) = [json.loads(one["body"]) for one in farm.poll()]
    assert client.post(REMOVE, data=form).location == first.location, "not answered yet"
    farm.bring(farm.row("configuration", configuration=without(NODE_2)))
    values = {"node": "tb-02", "board": NODE_2, "broker_told": True}
    farm.outcome(order["id"], "done", "station_removed", **values)
    again = client.post(REMOVE, data=form)
    assert (again.status_code, again.location) == (303, first.location)
    assert "Đã gỡ trạm tb-02." in read_aloud(client.get(again.location))
    assert farm.poll() == [], "it is not asked for twice"
    another = {**form, "wish": str(uuid.uuid4())}
    assert client.post(REMOVE, data=another).status_code == 404, "another press finds no station"
    assert client.post(STATIONS + "/tb-09/remove", data=form).status_code == 404
    stranger = farm.client("farmer-bac-ha")
    mine = form | {"form_token": form_token(stranger.get("/me"))}
    assert stranger.post(REMOVE, data=mine).status_code in (403, 404), "nobody else is told"


def test_its_alerts_end_with_it(farm: Place, client: FlaskClient) -> None:
    now = int(time.time())
    farm.bring(
        farm.readings(NODE_2, ["air_temperature", now, 45.0, 0], ["soil_moisture", now, 5.0, 0]),
        farm.row("node", node={"eui64": NODE_2, "state": "offline", "at": now}),
    )

    def causes() -> set[str]:
        with farm.records.session() as session:
            return {one.cause for one in look(session, farm.telemetry, now) if one.value}

    def known() -> set[str]:
        with farm.records.session() as session:
            return {one.cause for one in look(session, farm.telemetry, now)}

    hot, dry = "heat@greenhouse:tan-binh-1", "soil_dry@zone:tan-binh-1-k2"
    assert {hot, dry, "node_silent@greenhouse:tan-binh-1"} <= causes()
    taken_out(farm, client)
    assert not causes() & {hot, dry, "node_silent@greenhouse:tan-binh-1"}
    assert not known() & {hot, dry}, "what nobody measures any more cannot stand for ever"


def test_what_a_station_measured_before_it_moved_says_nothing_of_its_old_place(
    farm: Place, client: FlaskClient
) -> None:
    now = int(time.time())
    farm.bring(
        farm.readings(NODE_2, ["air_temperature", now, 45.0, 0], ["soil_moisture", now, 12.0, 0])
    )
    found = configuration()
    second = found["greenhouses"][0] | {"slug": "tan-binh-2", "name": "Nhà 2", "zones": []}
    found["greenhouses"].append(second)
    found["nodes"][1] |= {"greenhouse": "tan-binh-2", "zone": None}
    farm.bring(farm.row("configuration", configuration=found))
    old = client.get(HOUSE).text
    assert "45,0" not in old.partition("<figure")[0]
    assert "45,0" in old, "its curve stays"
    with farm.records.session() as session:
        causes = {one.cause for one in look(session, farm.telemetry, now)}
    assert "heat@greenhouse:tan-binh-1" not in causes
    farm.bring(farm.readings(NODE_2, ["air_temperature", now + 1, 21.0, 0]))
    assert "21,0" in client.get("/greenhouses/tan-binh-2").text.partition("<figure")[0]


def test_a_station_that_comes_back_is_one_again(farm: Place, client: FlaskClient) -> None:
    taken_out(farm, client)
    farm.configure()
    with farm.records.session() as session:
        assert session.get_one(Node, NODE_2).removed_at is None
    page = client.get(STATIONS).text
    assert "Trạm đã gỡ" not in page
    assert 'id="tb-02"' in page


def test_a_board_that_was_taken_out_may_come_in_again(farm: Place, client: FlaskClient) -> None:
    farm.bring(farm.readings(NODE_2, ["soil_moisture", int(time.time()) - 60, 12.0, 0]))
    taken_out(farm, client)
    page = client.get(f"{STATIONS}/new?board={NODE_2}")
    wish = re.search(r'name="wish" value="([\w-]+)"', page.text)
    assert wish is not None
    data = {"form_token": form_token(page), "wish": wish[1], "place": "new:", "board": NODE_2}
    farm.poll()
    assert client.post(f"{STATIONS}/new", data=data).status_code == 303
    (order,) = [json.loads(one["body"]) for one in farm.poll()]
    assert order["station"]["node"] == "tb-03", "its old name is its history's"
    farm.outcome(
        order["id"], "done", "station_admitted", node="tb-03", board=NODE_2, broker_told=True
    )
    found = configuration()
    found["nodes"][1] |= {"slug": "tb-03", "zone": "tan-binh-1-k1"}
    farm.bring(farm.row("configuration", configuration=found))
    claim = f"{STATIONS}/claims/{order['id']}"
    assert "Đang chờ số đo đầu tiên" in client.get(claim).text, (
        "what it measured before is no word"
    )
    page = read_aloud(client.get(STATIONS))
    assert "Trạm đo tb-03 chưa gửi số nào." in page
    assert "12%" not in page, "that was at its old place"
    farm.bring(farm.readings(NODE_2, ["soil_moisture", int(time.time()) + 1, 33.0, 0]))
    assert "Đã nhận được số đo" in client.get(claim).text
    assert "33%" in client.get(STATIONS).text


def test_a_gateway_that_is_away_takes_nothing_out_and_the_page_says_so(
    farm: Place, client: FlaskClient
) -> None:
    with farm.records.transaction() as session:
        session.get_one(Gateway, "binh-lu").seen_at = int(time.time()) - 3600
    answer = press(client)
    assert answer.status_code == 409
    assert "Tủ điều khiển không trả lời nên chưa gỡ được." in answer.text
    assert farm.poll() == []


def test_every_reason_not_to_take_out_is_a_sentence(farm: Place, client: FlaskClient) -> None:
    for code, said in (
        ("station_unknown", "Tủ điều khiển không có trạm tb-02."),
        ("station_measures_source", "đo mực nước của Suối Nậm Pé"),
        ("interrupted", "chưa gỡ xong"),
        ("expired", "quá muộn nên chưa gỡ"),
        ("station_not_removed", "Chưa gỡ được (station_not_removed)."),
    ):
        farm.poll()
        answer = press(client)
        (order,) = [json.loads(one["body"]) for one in farm.poll()]
        farm.outcome(order["id"], "refused", code, node="tb-02", source="Suối Nậm Pé")
        assert said in read_aloud(client.get(answer.location)), code
    assert "Trạm đã gỡ" not in client.get(STATIONS).text


def test_a_broker_that_was_not_told_is_told_of(farm: Place, client: FlaskClient) -> None:
    page = taken_out(farm, client, broker_told=False).text
    assert "Xin báo người phụ trách máy khởi động lại phần nhận tin của tủ" in page


def test_nobody_elses_press_is_told(farm: Place, client: FlaskClient) -> None:
    farm.poll()
    answer = press(client)
    number = answer.location.partition("said=")[2].partition("#")[0]
    other = farm.client("farmer-bac-ha")
    assert other.get(f"{STATIONS}?said={number}").status_code == 404
    assert 'id="said"' not in client.get(f"{STATIONS}?said=elsewhere").text


def test_an_older_version_forgets_when_and_nothing_else(farm: Place, client: FlaskClient) -> None:
    taken_out(farm, client)
    with farm.records.engine.begin() as connection:
        alembic.downgrade(migrations._config(connection), "greenhouse_7")
        alembic.upgrade(migrations._config(connection), "heads")
    with farm.records.session() as session:
        node = session.scalars(select(Node).where(Node.eui64 == NODE_2)).one()
        assert (node.slug, node.gateway, node.removed_at) == ("tb-02", None, None)
