"""A station is let in from the phone: the page asks the gateway for a code and shows it."""

import json
import re
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from alembic import command as alembic
from flask.testing import FlaskClient
from office import BUS, NODE_1, NODE_2, Place, configuration, form_token, read_aloud
from sqlalchemy import select
from werkzeug.test import TestResponse

from nongso.platform import migrations
from nongso.platform.greenhouse.records import Command, Gateway, Node
from nongso.wire import marks, reasons

STATIONS = "/greenhouses/tan-binh-1/stations"
NEW = STATIONS + "/new"
BOARD = "0211aafffe000001"
PASSED_ON = {"claim": "ABCDE-FGHJK", "address": "192.168.1.10:8082", "seconds": 600}


@pytest.fixture
def client(farm: Place) -> FlaskClient:
    """The farmer's phone."""
    return farm.client("farmer")


def press(client: FlaskClient, place: str, **fields: str) -> TestResponse:
    """Tap a button of the page "Thêm trạm"."""
    page = client.get(NEW)
    wish = re.search(r'name="wish" value="([\w-]+)"', page.text)
    assert wish is not None
    data = {"form_token": form_token(page), "wish": wish[1], "place": place, "board": ""}
    return client.post(NEW, data=data | fields)


def asked(
    farm: Place, client: FlaskClient, place: str = "new:tan-binh-1-k1", **fields: str
) -> tuple[str, str]:
    """Ask for a code; returns the page's path and the order's id."""
    farm.poll()
    answer = press(client, place, **fields)
    assert answer.status_code == 303, answer.text
    path = urlsplit(answer.location).path
    return path, path.rpartition("/")[2]


def opened(farm: Place, number: str, seconds: int = 600) -> None:
    until = int(time.time()) + seconds
    farm.outcome(number, "running", "claim_open", node="tb-03", until=until, **PASSED_ON)


def replaced() -> dict[str, Any]:
    """The farm after a board has taken the place of tb-01's."""
    found = configuration()
    found["nodes"][0]["eui64"] = BOARD
    return found


def test_a_tap_asks_the_gateway_and_the_page_shows_the_code(
    farm: Place, client: FlaskClient
) -> None:
    path, number = asked(farm, client)
    (order,) = [json.loads(one["body"]) for one in farm.poll()]
    assert (order["id"], order["do"]) == (number, "enrol")
    assert order["station"] == {
        "node": "tb-03",
        "greenhouse": "tan-binh-1",
        "zone": "tan-binh-1-k1",
        "replace": False,
    }
    assert "Đang hỏi tủ điều khiển" in client.get(path).text
    opened(farm, number)
    page = client.get(path).text
    assert "ABCDE-FGHJK" in page
    assert "còn 10" in page
    assert "192.168.1.10:8082" in page
    assert "http://192.168.4.1/?code=ABCDE-FGHJK&amp;gateway=192.168.1.10:8082" in page
    assert '<svg class="qr"' in page


def test_the_page_says_when_the_station_is_heard_for_the_first_time(
    farm: Place, client: FlaskClient
) -> None:
    path, number = asked(farm, client)
    opened(farm, number)
    farm.outcome(number, "done", "station_admitted", node="tb-03", board=BOARD, broker_told=True)
    page = read_aloud(client.get(path))
    assert "ABCDE" not in page, "a used code is nobody's business"
    assert "đã nhận trạm tb-03. Đang chờ số đo đầu tiên." in page
    farm.bring(farm.readings(BOARD, ["soil_moisture", int(time.time()), 45.0, 0]))
    page = read_aloud(client.get(path))
    assert "Đã nhận được số đo của trạm tb-03" in page
    assert "Đo được: độ ẩm đất." in page
    assert "Xem lại" not in page, "all is well"


def test_the_page_says_which_sensors_of_a_new_station_give_nothing_and_what_to_do(
    farm: Place, client: FlaskClient
) -> None:
    now = int(time.time())
    path, number = asked(farm, client)
    farm.outcome(number, "done", "station_admitted", node="tb-03", board=BOARD, broker_told=True)
    farm.bring(
        farm.readings(BOARD, ["soil_moisture", now, None, marks.FAILED]),
        farm.readings(BOARD, ["light", now, None, marks.FAILED]),
    )
    page = read_aloud(client.get(path))
    assert "Đã nghe được trạm tb-03" in page
    assert "chưa có số đo nào dùng được" in page
    assert "Không có số: ánh sáng, độ ẩm đất." in page
    assert 'badge good"' not in page
    farm.bring(
        farm.readings(BOARD, ["air_temperature", now, 24.0, 0]),
        farm.readings(BOARD, ["air_humidity", now, 240.0, marks.IMPOSSIBLE]),
    )
    page = read_aloud(client.get(path))
    assert "Đã nhận được số đo của trạm tb-03" in page
    for said in (
        "Đo được: nhiệt độ.",
        "Không có số: ánh sáng, độ ẩm đất.",
        "Số không đúng: độ ẩm không khí.",
        "Xin xem giắc cắm và dây nối của các cảm biến này",
        "còn cần chỉnh mức khô và mức ướt",
        "Xem lại",
    ):
        assert said in page
    assert 'badge good"' not in page


def test_a_gateway_that_is_away_gives_no_code_and_the_page_says_so(
    farm: Place, client: FlaskClient
) -> None:
    with farm.records.transaction() as session:
        session.get_one(Gateway, "binh-lu").seen_at = int(time.time()) - 3600
    answer = press(client, "new:")
    assert answer.status_code == 409
    assert "Tủ điều khiển không trả lời nên chưa có mã." in answer.text


def test_an_expired_and_a_used_code_are_said_in_words(farm: Place, client: FlaskClient) -> None:
    path, number = asked(farm, client)
    opened(farm, number, seconds=0)
    assert "Mã đã hết hạn" in client.get(path).text
    for code in reasons.STATIONS:
        if code in ("claim_open", "station_admitted") or "calib" in code or "silent" in code:
            continue
        if code in ("station_removed", "station_not_removed", "station_measures_source"):
            continue
        path, number = asked(farm, client, "new:", name=code.replace("_", "-"))
        farm.outcome(number, "refused", code, node="tb-03", board=BOARD)
        page = client.get(path).text
        assert 'role="alert"' in page
        assert f"({code})" not in page, "each has its own sentence"
        assert "Lấy mã mới" in page


def test_a_replaced_station_keeps_its_history_in_one_line(
    farm: Place, client: FlaskClient
) -> None:
    now = int(time.time())
    farm.bring(
        farm.readings(NODE_1, ["soil_temperature", now - 7200, 21.0, 0]),
        farm.readings(NODE_1, ["soil_moisture", now - 7200, 45.0, 0]),
        farm.readings(NODE_2, ["soil_moisture", now - 60, 45.0, 0]),
    )
    path, number = asked(farm, client, "replace:tb-01")
    farm.outcome(number, "done", "station_admitted", node="tb-01", board=BOARD, broker_told=True)
    farm.bring(farm.row("configuration", configuration=replaced()))
    farm.bring(farm.readings(BOARD, ["soil_moisture", now - 30, 47.0, 0]))
    with farm.records.session() as session:
        old = session.get_one(Node, NODE_1)
        assert (old.gateway, old.replaced_by) == (None, BOARD)
    assert "Trạm hỏng không còn gửi được" in client.get(path).text
    page = client.get(STATIONS).text
    assert page.count('<h2><span class="whole">tb-01') == 1
    assert NODE_1 not in page
    assert "Số đo cũ vẫn nối liền với số đo mới. Đầu đo độ ẩm đất cần chỉnh lại." in page
    told = farm.ask("/api/v1/series?greenhouse=tan-binh-1&metric=soil_moisture&node=tb-01").json
    assert told is not None
    assert [point[1] for point in told["points"]] == [45.0, 47.0]
    house = client.get("/greenhouses/tan-binh-1").text
    assert NODE_1 not in house, "the old board is nobody's business any more"
    now_page = house.partition("<svg")[0]
    assert "mất tín hiệu" not in now_page


def test_a_board_that_comes_back_is_a_station_again(farm: Place) -> None:
    farm.bring(farm.row("configuration", configuration=replaced()))
    farm.configure()
    with farm.records.session() as session:
        assert session.get_one(Node, NODE_1).replaced_by is None
        assert session.get_one(Node, BOARD).replaced_by == NODE_1


def test_a_sticker_leads_to_the_greenhouses_or_to_the_station(
    farm: Place, client: FlaskClient
) -> None:
    page = client.get(f"/tram/{BOARD.upper()}")
    assert f"{NEW}?board={BOARD}" in page.text
    assert BOARD in client.get(f"{NEW}?board={BOARD}").text
    known = client.get(f"/tram/{NODE_1}")
    assert known.status_code == 303
    assert known.location.endswith(STATIONS + "#tb-01")
    for wrong in ("x", BOARD + "0", "g" * 16, BUS):
        assert client.get(f"/tram/{wrong}").status_code == 404, wrong
    assert farm.client("farmer-bac-ha").get(f"/tram/{NODE_1}").status_code == 404
    assert farm.client().get(f"/tram/{BOARD}").location.endswith(f"next=/tram/{BOARD}")


def test_a_sticker_says_what_an_old_board_was_to_those_who_had_it(
    farm: Place, client: FlaskClient
) -> None:
    farm.bring(farm.row("configuration", configuration=replaced()))
    page = read_aloud(client.get(f"/tram/{NODE_1}"))
    assert "Đây là trạm tb-01 cũ của Nhà màng Tân Bình 1: trạm khác đã thay nó ngày" in page
    assert "<li>" not in page
    elsewhere = farm.client("farmer-bac-ha").get(f"/tram/{NODE_1}")
    assert elsewhere.status_code == 200, "who has bought the board may let it in"
    assert "Tân Bình" not in elsewhere.text


def test_a_scanned_board_is_the_only_one_that_the_code_lets_in(
    farm: Place, client: FlaskClient
) -> None:
    asked(farm, client, "new:", board=BOARD)
    (order,) = [json.loads(one["body"]) for one in farm.poll()]
    assert order["station"]["board"] == BOARD
    again = press(client, "new:", board=NODE_2)
    assert again.status_code == 409
    assert "Trạm này đang là trạm tb-02 rồi." in read_aloud(again)


def test_a_board_may_take_its_own_name_again_and_no_other(
    farm: Place, client: FlaskClient
) -> None:
    farm.poll()
    assert press(client, "replace:tb-01", board=NODE_2).status_code == 409
    asked(farm, client, "replace:tb-01", board=NODE_1)


def test_what_nobody_can_mean_is_refused(farm: Place, client: FlaskClient) -> None:
    farm.poll()
    for place, status in (
        ("", 400),
        ("other:x", 400),
        ("new:elsewhere", 404),
        ("replace:bus", 404),
        ("replace:elsewhere", 404),
    ):
        assert press(client, place).status_code == status, place
    wrong = press(client, "new:", name="Trạm số 9")
    assert wrong.status_code == 400
    assert "chỉ gồm chữ thường không dấu" in wrong.text
    assert press(client, "new:", board="x").status_code == 404
    assert farm.poll() == []
    assert farm.client("farmer-bac-ha").get(NEW).status_code == 404


def test_a_name_is_proposed_that_no_station_ever_had(farm: Place, client: FlaskClient) -> None:
    farm.bring(farm.row("configuration", configuration=replaced()))
    assert "Tên trạm: tb-03" in read_aloud(client.get(NEW))
    found = configuration()
    del found["nodes"][1]
    farm.bring(farm.row("configuration", configuration=found))
    assert "Tên trạm: tb-03" in read_aloud(client.get(NEW))


def test_two_presses_are_one_asking(farm: Place, client: FlaskClient) -> None:
    farm.poll()
    page = client.get(NEW)
    wish = re.search(r'name="wish" value="([\w-]+)"', page.text)
    assert wish is not None
    data = {"form_token": form_token(page), "wish": wish[1], "place": "new:", "board": ""}
    assert client.post(NEW, data=data).location == client.post(NEW, data=data).location
    assert len(farm.poll()) == 1


def test_an_older_version_forgets_who_replaced_whom_and_nothing_else(
    farm: Place, client: FlaskClient
) -> None:
    asked(farm, client)
    farm.bring(farm.row("configuration", configuration=replaced()))
    with farm.records.engine.begin() as connection:
        alembic.downgrade(migrations._config(connection), "greenhouse_6")
        alembic.upgrade(migrations._config(connection), "heads")
    with farm.records.session() as session:
        assert session.get_one(Node, NODE_1).slug == "tb-01"
        assert session.get_one(Node, NODE_1).replaced_by is None
        (command,) = session.scalars(select(Command))
        assert (command.do, command.station) == ("enrol", None)


def test_a_probe_is_taught_from_the_phone_and_its_age_is_told(
    farm: Place, client: FlaskClient
) -> None:
    farm.bring(farm.readings(NODE_1, ["soil_moisture", int(time.time()) - 60, 45.0, 0]))
    path = STATIONS + "/tb-01/calibrate"
    assert path in client.get(STATIONS).text
    for point, sentence in (("dry", "Đã nhớ mức khô."), ("wet", "Đã nhớ mức ướt.")):
        farm.poll()
        page = client.get(path)
        assert "chưa được chỉnh đủ mức khô và mức ướt" in page.text
        wish = re.search(r'name="wish" value="([\w-]+)"', page.text)
        assert wish is not None
        data = {"form_token": form_token(page), "wish": wish[1]}
        assert client.post(path, data=data | {"point": "light:dry"}).status_code == 400
        said = client.post(path, data=data | {"point": f"soil_moisture:{point}"})
        assert said.status_code == 303
        (order,) = [json.loads(one["body"]) for one in farm.poll()]
        told = {"node": "tb-01", "series": "soil_moisture", "point": point}
        assert (order["do"], order["station"]) == (
            "calibrate",
            told | {"greenhouse": "tan-binh-1"},
        )
        assert "Đang đợi trạm trả lời" in client.get(said.location).text
        farm.outcome(order["id"], "done", "calibrated", counts=2900, board=NODE_1, **told)
        assert sentence in client.get(said.location).text
    assert "Đầu đo độ ẩm đất đã chỉnh lúc" in client.get(STATIONS).text
    farm.bring(farm.row("configuration", configuration=replaced()))
    farm.bring(farm.readings(BOARD, ["soil_moisture", int(time.time()) - 30, 45.0, 0]))
    page = client.get(STATIONS).text
    assert "Đầu đo độ ẩm đất cần chỉnh lại." in page
    assert "đã chỉnh lúc" not in page, "the old board's points are not the new one's"
    assert client.get(STATIONS + "/bus/calibrate").status_code == 404
    for code, sentence in (
        ("station_silent", "Trạm không trả lời"),
        ("calibration_refused", "Trạm không nhận mức này: hai mức gần như nhau."),
    ):
        page = client.get(path)
        data = {"form_token": form_token(page), "point": "soil_moisture:dry"}
        data["wish"] = re.findall(r'name="wish" value="([\w-]+)"', page.text)[0]
        said = client.post(path, data=data)
        (order,) = [json.loads(one["body"]) for one in farm.poll()]
        farm.outcome(order["id"], "refused", code, node="tb-01")
        assert sentence in client.get(said.location).text
