"""Somebody with a phone stands at a new valve: told what to look at, asked what was seen."""

import json
import re
import time
import uuid
from typing import Any

import pytest
from flask.testing import FlaskClient
from office import Place, form_token, wet_test
from werkzeug.test import TestResponse

from nongso.platform import consent, people
from nongso.platform.people import LogIn

HOUSE, ZONE = "/greenhouses/tan-binh-1", "tan-binh-1-k1"
PAGE = f"{HOUSE}/wet-test"
TEST = wet_test()["last"]["id"]


@pytest.fixture
def new_zone(farm: Place) -> Place:
    """A zone that its gateway has never seen tested."""
    farm.tell_test()
    return farm


def page(farm: Place, user: str = "farmer") -> str:
    return farm.client(user).get(f"{PAGE}?zone={ZONE}").text


def press(farm: Place, path: str = PAGE, user: str = "farmer", **fields: str) -> TestResponse:
    return press_as(farm.client(user), path, **fields)


def press_as(client: FlaskClient, path: str = PAGE, **fields: str) -> TestResponse:
    token = form_token(client.get(f"{PAGE}?zone={ZONE}"))
    form = {"form_token": token, "wish": str(uuid.uuid4()), "zone": ZONE, **fields}
    return client.post(path, data=form)


def see(farm: Place, saw: str, **fields: str) -> TestResponse:
    return press(farm, PAGE + "/seen", saw=saw, **({"test": TEST} | fields))


def told(farm: Place) -> dict[str, Any]:
    (command,) = farm.poll()
    body: dict[str, Any] = json.loads(command["body"])
    return body


def test_a_zone_that_was_never_tested_says_so_and_leads_to_its_test(new_zone: Place) -> None:
    shown = new_zone.client("farmer").get(HOUSE).text
    assert "Khu này chưa thử nước nên chưa tưới được." in shown
    assert f'href="{PAGE}?zone={ZONE}">Thử nước</a>' in shown
    assert f'value="{ZONE}"><div class="row buttons"' not in shown  # no minutes to press
    officer = new_zone.client("officer").get(HOUSE).text
    assert "Khu này chưa thử nước" in officer
    assert PAGE not in officer


def test_the_page_says_where_to_stand_and_what_will_happen(new_zone: Place) -> None:
    shown = page(new_zone)
    assert "Bước 1: ra đứng cạnh van" in shown
    assert "Đứng chỗ nhìn thấy van và cả khu này." in shown
    assert "Mở van 1 phút" in shown.replace("\u00a0", " ")


def test_a_press_goes_to_the_gateway_as_any_wish_for_water(new_zone: Place) -> None:
    assert press(new_zone).status_code == 303
    body = told(new_zone)
    assert (body["do"], body["zone"], body["seconds"]) == ("wet_test", ZONE, 60)
    assert body["by"] == "Farmer"


@pytest.mark.parametrize("saw", ["right", "shut", "open", "nothing", "elsewhere"])
def test_what_was_seen_goes_to_the_gateway_with_the_test_it_is_about(
    farm: Place, saw: str
) -> None:
    farm.tell_test(state="asked")
    assert see(farm, saw).status_code == 303
    body = told(farm)
    assert (body["do"], body["test"]) == ("wet_test_seen", {"run": TEST, "saw": saw})


def test_what_was_measured_stands_above_the_question(farm: Place) -> None:
    farm.tell_test(state="asked")
    shown = page(farm).replace("\u00a0", " ")
    for line in (
        "Rơ-le của van đã bật và đã tắt đúng lệnh.",
        "Máy bơm chạy sau khi van mở 2 giây.",
        "Đồng hồ thấy nước chảy sau khoảng 5 giây.",
        "Đã chảy 78 lít.",
        "Nước chảy đều 80 lít mỗi phút.",
        "Bơm và van tổng tắt rồi thì nước ngừng chảy.",
    ):
        assert line in shown
    for button in ("Không thấy nước", "Nước chảy ở khu khác"):
        assert f">{button}</button>" in shown


def test_a_valve_that_only_the_pump_stopped_is_asked_about_and_not_called_closed(
    farm: Place,
) -> None:
    """With pump and main valve off, water stops also behind a valve that is stuck open."""
    farm.tell_test(state="asked")
    shown = page(farm)
    assert "Máy không đo được riêng van này có đóng kín không" in shown
    assert 'value="shut">Nước chảy đúng khu này, van đã đóng kín</button>' in shown
    assert ">Van không đóng kín</button>" in shown
    assert 'value="right"' not in shown
    farm.tell_test(state="closing")
    assert "Van đã đóng" not in page(farm)
    farm.tell_test(state="failed", code="saw_open")
    assert "Van của khu này không đóng kín." in page(farm)


@pytest.mark.parametrize(("left", "said"), [(0.0, "Van này đóng được."), (1.5, "còn 1,5 lít")])
def test_a_valve_that_was_measured_is_said_with_its_numbers(
    farm: Place, left: float, said: str
) -> None:
    farm.tell_test(state="asked", is_shut=True, fall_l_per_min=22.0, shut_l_per_min=left)
    shown = page(farm).replace("\u00a0", " ")
    assert "Bơm tắt, van mở: nước tự chảy 22 lít mỗi phút." in shown
    assert said in shown
    assert 'value="right">Nước chảy đúng khu này</button>' in shown
    assert "Máy không đo được" not in shown


@pytest.mark.parametrize("state", ["asked", "passed"])
@pytest.mark.parametrize(
    ("known", "said"),
    [
        (8.0, "Nước chảy mạnh hơn hẳn mức đã biết của khu này: 80 lít mỗi phút, trước là 8,0 lít"),
        (
            160.0,
            "Nước chảy yếu hơn hẳn mức đã biết của khu này: 80 lít mỗi phút, trước là 160 lít",
        ),
        (75.0, ""),
        (None, ""),
    ],
)
def test_water_that_is_not_as_much_as_was_known_is_told_before_the_answer_and_after_it(
    farm: Place, state: str, known: float | None, said: str
) -> None:
    """A neighbour's valve that stands open is not seen by who stands at this one."""
    farm.tell_test(state=state, is_armed=state == "passed", known_l_per_min=known)
    shown = page(farm).replace("\u00a0", " ")
    assert ("hơn hẳn mức đã biết" in shown) == bool(said)
    assert said in shown


def test_water_that_the_meter_did_not_see_is_not_said_to_have_stopped(farm: Place) -> None:
    nothing = {"litres": None, "flow_l_per_min": None, "water_after_seconds": None}
    farm.tell_test(state="asked", **nothing, known_l_per_min=400.0)
    shown = page(farm).replace("\u00a0", " ")
    assert "Trước đây khu này chảy 400 lít mỗi phút, lần này đồng hồ không đếm được gì." in shown
    assert "nước ngừng chảy" not in shown
    farm.tell_test(state="asked", known_l_per_min=80.0)
    assert "Bơm và van tổng tắt rồi thì nước ngừng chảy." in page(farm)


def test_without_a_meter_the_page_says_that_nothing_was_measured(farm: Place) -> None:
    nothing = dict.fromkeys(("litres", "flow_l_per_min", "closed_l_per_min"))
    row = {"id": ZONE, "mode": "off", "state": "idle", "at": int(time.time())}
    found = wet_test("asked", **nothing, water_after_seconds=None) | {"has_meter": False}
    farm.bring(farm.row("zone", zone=row | {"wet_test": found}))
    shown = page(farm)
    assert "Tủ này không có đồng hồ nước nên không đo được gì" in shown
    assert "lít" not in re.sub(r"<[^>]+>", "", shown)


def test_an_armed_zone_says_who_has_opened_and_who_has_seen(farm: Place) -> None:
    seen = {"saw": "right", "seen_by": "Lý Thị Mẩy", "seen_at": int(time.time())}
    farm.tell_test(state="passed", is_armed=True, code="saw_right", **seen)
    for shown in (page(farm), farm.client("farmer").get(HOUSE).text):
        assert "Người mở van: Farmer. Người nhìn thấy nước: Lý Thị Mẩy." in shown
    assert "80 lít mỗi phút" in page(farm).replace("\u00a0", " ")
    assert "Thử nước lại" in farm.client("farmer").get(HOUSE).text


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("saw_nothing", "Không thấy nước ở khu này."),
        ("saw_elsewhere", "dây van trong tủ hoặc ống có thể bị nối nhầm"),
        ("still_flows", "Đã tắt bơm và mọi van mà nước vẫn chảy 3,0 lít mỗi phút."),
        ("not_shut", "Đã tắt bơm và van của khu này mà nước vẫn chảy 3,0 lít mỗi phút."),
        ("no_flow", "Xin xem bể nước, máy bơm, van tổng và van tay"),
        ("valve_not_opened", "Rơ-le của van không bật."),
        ("valve_not_closed", "Van không đóng lại được"),
        ("pump_not_started", "Máy bơm hoặc van tổng không bật."),
        ("of_tomorrow", "Xin xem van và đường ống, rồi thử lại."),
    ],
)
def test_a_test_that_failed_says_what_to_look_at(farm: Place, code: str, sentence: str) -> None:
    farm.tell_test(state="failed", code=code, closed_l_per_min=3.0, shut_l_per_min=3.0)
    for shown in (page(farm), farm.client("farmer").get(HOUSE).text):
        assert sentence in shown.replace("\u00a0", " ")
        assert "không được. Người thử: Farmer." in shown
    assert "Bước 1: ra đứng cạnh van" in page(farm)


@pytest.mark.parametrize("code", ["stopped", "not_answered", "gateway_lost"])
def test_a_test_that_was_broken_off_is_to_be_done_again(farm: Place, code: str) -> None:
    farm.tell_test(state="broken_off", code=code)
    assert "Xin thử lại." in page(farm)
    assert "Khu này chưa thử nước" in farm.client("farmer").get(HOUSE).text


def test_while_the_valve_is_open_both_phones_see_it_and_can_stop_it(farm: Place) -> None:
    farm.tell_test(state="open")
    for user in ("farmer", "clerk"):
        shown = page(farm, user)
        assert "Van đang mở. Nước sẽ tự tắt lúc" in shown
        assert "Dừng tưới" in shown
        assert "Mở van 1" not in shown
    assert "Đang thử nước khu này. Người thử: Farmer." in farm.client("farmer").get(HOUSE).text


@pytest.mark.parametrize(
    "test",
    [
        {"state": "open"},
        {"state": "closing"},
        {"state": "broken_off", "code": "stopped"},
        {"state": "broken_off", "code": "emergency_stop"},
        {"state": "broken_off", "code": "restarted"},
    ],
)
def test_who_sees_wrong_water_says_so_at_once_and_after_a_stop_too(
    farm: Place, test: dict[str, str]
) -> None:
    farm.tell_test(is_armed=True, **test)
    asked = "Thấy nước sai thì bấm ngay" if test["state"] == "open" else "có thấy gì sai không?"
    for shown in (page(farm), farm.client("farmer").get(HOUSE).text):  # wherever it was stopped
        assert asked in shown
        assert f'name="test" value="{TEST}"' in shown
        assert 'value="nothing"' in shown
        assert 'value="elsewhere"' in shown
        assert 'value="right"' not in shown
    assert asked not in farm.client("officer").get(HOUSE).text
    assert see(farm, "elsewhere").status_code == 303
    assert told(farm)["test"] == {"run": TEST, "saw": "elsewhere"}


def test_what_spoilt_a_test_is_said(farm: Place) -> None:
    farm.tell_test(state="broken_off", code="by_hand")
    assert "có người tưới tay" in page(farm)
    farm.tell_test(state="broken_off", code="rewired")
    assert "đã nối sang chỗ khác trong tủ" in page(farm)
    assert "Thấy nước sai" not in page(farm)


def test_why_a_press_came_to_nothing_is_said_on_the_page(new_zone: Place) -> None:
    answer = press(new_zone)
    new_zone.outcome(told(new_zone)["id"], "refused", "test_needs_quiet", zone="tan-binh-1-k2")
    shown = new_zone.client("farmer").get(answer.location).text.replace("\u00a0", " ")
    assert "đang có nước chảy ở khu 2 (Nhà màng Tân Bình 1)" in shown


def test_a_gateway_that_is_away_gets_no_test(new_zone: Place) -> None:
    with new_zone.records.transaction() as session:
        from nongso.platform.greenhouse.records import Gateway

        session.get_one(Gateway, "binh-lu").seen_at = int(time.time()) - 600
    answer = press(new_zone)
    assert answer.status_code == 409
    assert "không liên lạc được với tủ điều khiển" in answer.text


def test_the_pin_is_asked_before_the_valve_opens_and_before_a_zone_is_armed(farm: Place) -> None:
    farm.tell_test(state="asked")
    with farm.records.transaction() as session:
        person = people.find_person(session, "farmer")
        assert person is not None
        person.pin_hash = people.hash_secret("135790")
    assert press(farm).status_code == 403
    assert see(farm, "right").status_code == 403
    assert farm.poll() == []
    assert see(farm, "nothing").status_code == 303  # to switch off needs none
    assert see(farm, "right", pin="135790").status_code == 303


def test_a_helper_tests_only_where_the_farmer_has_let_her_water(new_zone: Place) -> None:
    helper = new_zone.client("helper")
    assert helper.get(f"{PAGE}?zone={ZONE}").status_code == 403
    act_for(new_zone, helper, "records")
    assert helper.get(f"{PAGE}?zone={ZONE}").status_code == 403
    act_for(new_zone, helper, "water")
    assert press_as(helper).status_code == 303
    assert told(new_zone)["by"] == "Helper (nhập hộ Farmer)"
    with new_zone.records.session() as session:
        from nongso.platform.audit import read

        (deed,) = read(session, everything=True, what=("wet_test",), limit=5)
        assert deed.helper == _id(new_zone, "helper")
        assert deed.person == _id(new_zone, "farmer")


def act_for(farm: Place, helper: FlaskClient, *scopes: str) -> None:
    now = int(time.time())
    cookie = helper.get_cookie("nongso_log_in")
    assert cookie is not None
    with farm.records.transaction() as session:
        farmer, own = people.find_person(session, "farmer"), people.find_person(session, "helper")
        assert farmer is not None
        assert own is not None
        made, _code = consent.offer(session, farmer, 1, scopes, now)
        log_in = session.get_one(LogIn, people.hashed(cookie.value))
        consent.take_up(session, made, own, log_in, now)


def _id(farm: Place, user: str) -> str:
    with farm.records.session() as session:
        found = people.find_person(session, user)
        assert found is not None
        return found.id


def test_who_has_left_is_named_no_more_however_often_the_gateway_tells(farm: Place) -> None:
    from nongso.platform.greenhouse.records import Zone
    from nongso.platform.members import leaving

    farm.tell_test()
    press(farm)
    begun = told(farm)["id"]
    farm.tell_test(state="asked", id=begun)
    see(farm, "right", test=begun)
    answered = next(
        body["id"] for c in farm.poll() if (body := json.loads(c["body"]))["do"] != "wet_test"
    )
    test = {"id": begun, "seen_id": answered, "seen_by": "Farmer", "saw": "right"}
    farm.tell_test(state="passed", is_armed=True, **test)
    with farm.records.transaction() as session:
        person = people.find_person(session, "farmer")
        assert person is not None
        leaving.forget(session, person, int(time.time()))
    for _time in range(2):
        with farm.records.session() as session:
            wet = session.get_one(Zone, ZONE).wet_test
            assert wet is not None
            assert {wet["passed"]["by"], wet["passed"]["seen_by"]} == {leaving.NOBODY}
        farm.tell_test(state="passed", is_armed=True, **test)


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (PAGE, {"zone": "roof"}, 404),
        (PAGE, {"wish": "again"}, 400),
        (PAGE + "/seen", {"saw": "maybe", "test": TEST}, 400),
        (PAGE + "/seen", {"saw": "right"}, 400),
        (PAGE + "/seen", {"saw": "right", "test": "x" * 101}, 400),
    ],
)
def test_nonsense_reaches_no_gateway(
    farm: Place, path: str, fields: dict[str, str], status: int
) -> None:
    farm.tell_test(state="asked")
    assert press(farm, path, **fields).status_code == status
    assert farm.poll() == []


def test_a_gateway_of_before_knows_no_tests_and_its_zones_water_as_ever(farm: Place) -> None:
    assert farm.client("farmer").get(f"{PAGE}?zone={ZONE}").status_code == 404
    shown = farm.client("farmer").get(HOUSE).text.replace("\u00a0", " ")
    assert "Thử nước" not in shown
    assert 'name="minutes" value="5"' in shown


def test_the_same_press_twice_is_one_test(new_zone: Place) -> None:
    client = new_zone.client("farmer")
    token = form_token(client.get(f"{PAGE}?zone={ZONE}"))
    form = {"form_token": token, "wish": str(uuid.uuid4()), "zone": ZONE}
    for _time in range(2):
        assert client.post(PAGE, data=form).status_code == 303
    assert len(new_zone.poll()) == 1
