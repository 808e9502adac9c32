"""A program finds every reading with its sensor, and is told in words what it asks wrongly."""

import time

import pytest
from office import BUS, NODE_1, NODE_2, Place

SERIES = "/api/v1/series?greenhouse=tan-binh-1&metric="


@pytest.fixture
def measured(farm: Place) -> Place:
    at = int(time.time()) - 600
    farm.bring(
        farm.readings(
            NODE_1, ["soil_moisture", at, 31.0, 16], ["soil_moisture", at + 60, 32.0, 16]
        ),
        farm.readings(NODE_2, ["soil_moisture", at + 30, 55.0, 0], ["light", at, 900.0, 0]),
        farm.readings(
            BUS,
            ["tank_level", at, 71.0, 16],
            ["water_flow", at, 4.5, 16],
            ["water_total", at, 1000.0, 16],
        ),
    )
    return farm


def test_readings_of_several_nodes_are_told_apart(measured: Place) -> None:
    found = measured.ask(SERIES + "soil_moisture").json
    assert [value for _, value, _ in found["points"]] == [31.0, 55.0, 32.0]
    one, two = found["series"]
    assert (one["node"], one["eui64"], one["zone"]) == ("tb-01", NODE_1, "tan-binh-1-k1")
    assert (one["name"], one["origin"], len(one["points"])) == ("soil_moisture", "simulated", 2)
    assert (two["node"], two["origin"], two["points"][0][1]) == ("tb-02", "measured", 55.0)
    stepped = measured.ask(SERIES + "soil_moisture&step=86400").json
    assert [len(s["points"]) for s in stepped["series"]] == [1, 1]
    assert round(stepped["points"][0][1], 2) == round((31 + 32 + 55) / 3, 2)


@pytest.mark.parametrize("query", ["node=tb-02", f"node={NODE_2}", "zone=tan-binh-1-k2"])
def test_one_node_or_zone_can_be_asked_for(measured: Place, query: str) -> None:
    found = measured.ask(f"{SERIES}soil_moisture&{query}").json
    assert [s["node"] for s in found["series"]] == ["tb-02"]
    assert [value for _, value, _ in found["points"]] == [55.0]


@pytest.mark.parametrize("metric", ["tank_level", "water_flow", "water_total"])
def test_tank_and_meter_of_the_cabinet_are_found(measured: Place, metric: str) -> None:
    found = measured.ask(SERIES + metric).json
    assert [(s["node"], s["zone"]) for s in found["series"]] == [("bus", None)]
    assert len(found["points"]) == 1
    latest = measured.ask("/api/v1/greenhouses").json["greenhouses"][0]["latest"]
    assert (latest[metric]["origin"], latest[metric]["node"]) == ("simulated", "bus")
    assert measured.ask(f"{SERIES}{metric}&node=bus").json["points"] == found["points"]


def test_the_newest_values_say_where_they_come_from(measured: Place) -> None:
    latest = measured.ask("/api/v1/greenhouses").json["greenhouses"][0]["latest"]
    assert latest["light"]["origin"] == "measured"
    assert latest["soil_moisture"]["origin"] == "simulated"
    assert latest["soil_moisture"]["zone"] == "tan-binh-1-k1"


@pytest.mark.parametrize(
    ("query", "status", "code", "says"),
    [
        ("metric=mood", 400, "unknown_metric", "Không có số đo mood"),
        ("metric=light&node=roof", 404, "unknown_node", "không có trạm đo roof"),
        ("metric=light&zone=roof", 404, "unknown_zone", "không có khu tưới roof"),
        ("metric=light&from=1", 400, "unknown_parameter", "Không có tham số from"),
        ("metric=light&since=soon", 400, "not_a_number", "since phải là số nguyên"),
        ("metric=light&since=-1", 400, "out_of_range", "since phải từ 0 đến"),
        ("metric=light&since=0&step=1", 400, "too_many_points", "Nhiều số đo quá"),
    ],
)
def test_a_wrong_question_is_answered_in_words(
    measured: Place, query: str, status: int, code: str, says: str
) -> None:
    path = "/api/v1/series?greenhouse=tan-binh-1&" + query
    answer = measured.ask(path)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert says in answer.json["detail"]
    english = measured.ask(path + "&lang=en").json["detail"]
    assert english != answer.json["detail"]


def test_an_empty_day_of_a_known_zone_is_empty(measured: Place) -> None:
    found = measured.ask(SERIES + "light&zone=tan-binh-1-k1").json
    assert (found["points"], found["series"]) == ([], [])
    assert measured.ask(SERIES + "light&until=10").json["series"][0]["origin"] is None


def test_a_node_of_another_house_is_not_there(measured: Place) -> None:
    answer = measured.ask("/api/v1/series?greenhouse=roof&metric=light")
    assert (answer.status_code, answer.json["detail"]) == (404, "Không có nhà màng roof.")


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"seconds": "ten", "id": "x"}, "seconds", "Giá trị của trường seconds không đúng loại."),
        ({"seconds": 20}, "id", "Thiếu trường id."),
        ({"seconds": 20, "moon": 1}, "moon", "Không có trường nào tên là moon."),
        ([], None, "Nội dung gửi lên không đọc được: cần một đối tượng JSON."),
    ],
)
def test_a_broken_body_is_named_by_its_field(
    farm: Place, body: object, field: str | None, says: str
) -> None:
    answer = farm.ask("/api/v1/zones/tan-binh-1-k1/water", body).json
    assert (answer["detail"], answer["field"]) == (says, field)
    assert answer["reason"]


def test_the_api_describes_its_series(farm: Place) -> None:
    found = farm.client().get("/api/v1/openapi.json").json["paths"]["/api/v1/series"]["get"]
    assert {p["name"] for p in found["parameters"]} >= {"node", "zone", "step"}
    assert "origin" in found["responses"]["200"]["description"]
