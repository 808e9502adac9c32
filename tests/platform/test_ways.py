"""A farmer says on the phone how a zone is to be watered, and the gateway is told exactly that."""

import datetime
import json
import re
import time
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from office import NODE_1, Place, form_token
from werkzeug.test import TestResponse

from nongso.gateway.irrigation.planting import read_balance
from nongso.gateway.irrigation.schedule import check, read_schedule
from nongso.platform.diary import entries as diary
from nongso.platform.greenhouse import ways
from nongso.platform.greenhouse.records import Zone
from nongso.platform.languages import day_of
from nongso.wire.slots import MOST_SLOTS

PAGE = "/greenhouses/tan-binh-1/way"
ZONE = "tan-binh-1-k1"
DAYS = ("day0-0", "day0-3")


def press(farm: Place, **fields: str) -> TestResponse:
    client = farm.client("farmer")
    page = client.get(f"{PAGE}?zone={ZONE}").text
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    form = {"form_token": token[1], "wish": str(uuid.uuid4()), "zone": ZONE, **fields}
    return client.post(PAGE, data=form)


def told(farm: Place) -> dict[str, Any]:
    (command,) = farm.poll()
    body: dict[str, Any] = json.loads(command["body"])
    return body


def test_hours_set_on_the_phone_reach_the_gateway(farm: Place) -> None:
    slots = {"at0": "05:30", "minutes0": "10", **dict.fromkeys(DAYS, "1")}
    slots |= {"at1": "16:05", "minutes1": "2,5", **{f"day1-{d}": "1" for d in range(7)}}
    answer = press(farm, mode="schedule", **slots)
    assert answer.status_code == 303
    body = told(farm)
    assert (body["do"], body["zone"], body["mode"]) == ("mode", ZONE, "schedule")
    assert body["schedule"] == {
        "slots": [
            {"days": [0, 3], "at": "05:30", "run_seconds": 600},
            {"days": [0, 1, 2, 3, 4, 5, 6], "at": "16:05", "run_seconds": 150},
        ],
        "utc_offset_minutes": 420,
    }


def test_what_the_gateway_took_stands_on_the_page_again(farm: Place) -> None:
    press(farm, mode="schedule", at0="05:30", minutes0="10", **{"day0-6": "1"})
    body = told(farm)
    farm.outcome(body["id"], "done", "mode_set", mode="schedule")
    client = farm.client("farmer")
    page = client.get(f"{PAGE}?zone={ZONE}").text
    assert 'value="05:30"' in page
    assert re.search(r'name="day0-6" value="1" checked', page)
    assert not re.search(r'name="day0-5" value="1" checked', page)
    assert re.search(r'value="schedule" checked', page)
    assert "theo giờ hẹn" in client.get("/greenhouses/tan-binh-1").text


def test_limits_of_moisture_set_on_the_phone_reach_the_gateway(farm: Place) -> None:
    answer = press(farm, mode="band", low="35", high="50,5", minutes="4", soak="20")
    assert answer.status_code == 303
    assert told(farm)["band"] == {
        "low": 35.0,
        "high": 50.5,
        "run_seconds": 240,
        "soak_seconds": 1200,
    }


def test_what_to_do_without_a_probe_is_the_farmers_choice(farm: Place) -> None:
    numbers = {"low": "35", "high": "50", "minutes": "4", "soak": "20"}
    press(farm, mode="band", **numbers, blindly="minimum")
    body = told(farm)
    assert body["band"]["fallback"] == "minimum"
    assert press(farm, mode="band", **numbers, blindly="everything").status_code == 400
    row = {"id": ZONE, "mode": "band", "state": "idle", "at": int(time.time())}
    farm.bring(farm.row("zone", zone=row | {"band": body["band"], "code": "soil_moist"}))
    page = farm.client("farmer").get(f"{PAGE}?zone={ZONE}").text
    assert page.count('value="minimum" checked') == 1


NO_PROBE = "Chưa có trạm nào đo độ ẩm đất ở khu này nên không tưới theo độ ẩm đất được."
BAND = {"mode": "band", "low": "35", "high": "50", "minutes": "4", "soak": "20"}


def test_moisture_is_no_choice_where_no_station_measures_the_soil(farm: Place) -> None:
    client = farm.client("farmer")
    assert NO_PROBE not in client.get(f"{PAGE}?zone={ZONE}").text, "its station was never heard"
    now = int(time.time())
    farm.bring(farm.readings(NODE_1, ["air_temperature", now, 21.0, 0]))
    page = client.get(f"{PAGE}?zone={ZONE}").text
    assert NO_PROBE in page
    assert re.search('value="band" disabled', page)
    refused = press(farm, **BAND)
    assert (refused.status_code, farm.poll()) == (409, [])
    assert NO_PROBE in refused.text
    farm.bring(farm.readings(NODE_1, ["soil_moisture", now + 1, None, 3]))  # it hangs on its cable
    page = client.get(f"{PAGE}?zone={ZONE}").text
    assert NO_PROBE not in page
    assert not re.search('value="band" disabled', page)
    assert press(farm, **BAND).status_code == 303


def test_a_zone_whose_probe_was_taken_out_is_unlocked_but_not_set_to_moisture_again(
    farm: Place,
) -> None:
    band = {"low": 35.0, "high": 50.0, "run_seconds": 240, "soak_seconds": 1200}
    farm.bring(farm.readings(NODE_1, ["air_temperature", int(time.time()), 21.0, 0]))
    client = farm.client("farmer")
    for mode, status in (("band", 303), ("manual", 409)):
        row = {"id": ZONE, "mode": mode, "state": "locked", "at": int(time.time()), "band": band}
        farm.bring(farm.row("zone", zone=row))
        page = client.get("/greenhouses/tan-binh-1")
        sent = {"form_token": form_token(page), "wish": str(uuid.uuid4()), "zone": ZONE}
        answer = client.post(
            "/greenhouses/tan-binh-1/mode", data={**sent, "mode": "band", "unlock": "1"}
        )
        assert answer.status_code == status, mode
    assert NO_PROBE in answer.text


def test_what_cannot_be_used_is_told_at_the_top_with_a_link_to_each_field(farm: Place) -> None:
    answer = press(
        farm, **BAND | {"low": "x", "soak": "-1"}, at0="5 rưỡi", minutes0="10", planted="x"
    )
    top = answer.text[: answer.text.index('<form method="post" action="/greenhouses/')]
    links = re.findall('<li><a href="#([a-z0-9]+)">([^<]+)</a>: Xin nhập một số từ', top)
    assert links == [
        ("low", "Bắt đầu tưới khi độ ẩm đất dưới (phần trăm)"),
        ("soak", "Nghỉ mấy phút cho nước thấm rồi mới tưới tiếp"),
    ]
    answer = press(farm, mode="schedule", at0="5 rưỡi", minutes0="10", at1="05:30", minutes1="5")
    assert re.findall('<li><a href="#([a-z0-9]+)">([^<]+)</a>', answer.text) == [
        ("at0", "Lần 1"),
        ("days1", "Lần 2"),
    ]
    for place in ("at0", "days1"):
        assert answer.text.count(f'id="{place}"') == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"mode": "schedule"}, "Xin hẹn ít nhất một giờ tưới."),
        ({"mode": "schedule", "at0": "05:30", "minutes0": "10"}, "Xin chọn ít nhất một ngày."),
        ({"mode": "schedule", "at0": "5 rưỡi", "minutes0": "10"}, "Xin nhập giờ, ví dụ 05:30."),
        ({"mode": "schedule", "at0": "05:30", "minutes0": "999"}, "Xin nhập một số từ"),
        ({"mode": "band", "low": "60", "high": "50", "minutes": "4", "soak": "0"}, "cao hơn"),
        ({"mode": "band", "low": "", "high": "50", "minutes": "4", "soak": "0"}, "từ 0 đến 99"),
        ({"mode": "band", "low": "1e9", "high": "50", "minutes": "4", "soak": "0"}, "từ 0 đến 99"),
    ],
)
def test_what_cannot_be_used_is_said_at_its_field_and_nothing_is_sent(
    farm: Place, fields: dict[str, str], sentence: str
) -> None:
    answer = press(farm, **fields)
    assert answer.status_code == 400
    assert sentence in answer.text
    for value in fields.values():
        assert f'value="{value}"' in answer.text, "what was typed stays"
    assert farm.poll() == []


def test_the_same_press_twice_is_one_wish(farm: Place) -> None:
    client = farm.client("farmer")
    page = client.get(f"{PAGE}?zone={ZONE}").text
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    assert token is not None
    form = {"form_token": token[1], "wish": str(uuid.uuid4()), "zone": ZONE, "mode": "manual"}
    for _time in range(2):
        assert client.post(PAGE, data=form).status_code == 303
    assert len(farm.poll()) == 1


PLANTS = {
    "crop": "ca-chua",
    "planted": "2026-01-01",
    "soil": "nhieu-mun",
    "wetted": "drip",
    "flow": "79,5",
    "fallback": "minimum",
}


def planted() -> str:
    return (day_of(time.time()) - datetime.timedelta(days=40)).isoformat()


@pytest.mark.parametrize("mode", ["balance", "advice"])
def test_plants_and_soil_set_on_the_phone_reach_the_gateway(farm: Place, mode: str) -> None:
    answer = press(farm, mode=mode, **(PLANTS | {"planted": planted()}))
    assert answer.status_code == 303
    body = told(farm)
    assert (body["mode"], body["balance"]) == (
        mode,
        {
            "crop": "ca-chua",
            "planted": planted(),
            "soil": "nhieu-mun",
            "flow_l_per_min": 79.5,
            "wetted_share": 0.4,
            "fallback": "minimum",
        },
    )
    read_balance(body["balance"])  # the gateway can read what the page writes
    farm.outcome(body["id"], "done", "mode_set", mode=mode)
    page = farm.client("farmer").get(f"{PAGE}?zone={ZONE}").text
    assert 'value="79,5"' in page
    assert 'name="soil" value="nhieu-mun" checked' in page


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"flow": ""}, "Xin nhập một số từ 0,1 đến 1.000."),
        ({"flow": "0"}, "Xin nhập một số từ 0,1 đến 1.000."),
        ({"planted": "2200-01-01"}, "không quá hôm nay"),
        ({"planted": "hôm qua"}, "không quá hôm nay"),
    ],
)
def test_plants_that_cannot_be_are_said_at_their_field(
    farm: Place, fields: dict[str, str], sentence: str
) -> None:
    answer = press(farm, mode="balance", **(PLANTS | {"planted": planted()} | fields))
    assert answer.status_code == 400
    assert sentence in answer.text
    assert farm.poll() == []


def test_no_crop_is_supposed_and_the_day_of_planting_is_the_diarys(farm: Place) -> None:
    day = planted()
    with farm.records.transaction() as session:
        line = diary.Entry("planted", day, crop="rau cải")
        diary.write(
            session, str(uuid.uuid4()), "tan-binh-1", "binh-lu", "farmer", line, int(time.time())
        )
    page = farm.client("farmer").get(f"{PAGE}?zone={ZONE}").text
    assert '<option value="" selected>Xin chọn</option>' in page
    assert f'name="planted" type="date" value="{day}"' in page
    answer = press(farm, mode="balance", **(PLANTS | {"planted": day, "crop": ""}))
    assert answer.status_code == 400
    assert "Xin chọn cây trồng." in answer.text
    assert farm.poll() == []


def test_a_crop_that_is_in_no_list_is_no_press_of_a_person(farm: Place) -> None:
    answer = press(farm, mode="balance", **(PLANTS | {"crop": "lan"}))
    assert answer.status_code == 400
    assert farm.poll() == []


def test_the_flow_that_the_meter_has_counted_stands_in_its_field(farm: Place) -> None:
    now = int(time.time())
    for n, litres in enumerate((390.0, 400.0, 800.0)):
        run = {"id": f"run-{n}", "zone": ZONE, "cause": "wished", "code": "done", "state": "done"}
        run |= {"ordered_seconds": 300, "started_at": now - 9000 + n, "ended_at": now - 8000}
        farm.bring(farm.row("run", run=run | {"seconds": 300, "litres": litres}))
    page = farm.client("farmer").get(f"{PAGE}?zone={ZONE}").text
    assert re.search(r'name="flow" value="80"', page)


def test_the_reckoned_soil_of_the_gateway_is_kept(farm: Place) -> None:
    bed = {"at": 1_790_000_000, "missing_mm": 3.5, "reference_mm": 1.0, "used_mm": 1.1}
    bed |= {"watered_mm": 0.0, "drained_mm": 0.0, "thirsty_seconds": 0, "measured_seconds": 9}
    bed |= {"total_mm": 30.0, "allowed_mm": 6.0, "day": 20717}
    state = {"id": ZONE, "state": "idle", "at": int(time.time()), "mode": "advice", "bed": bed}
    values = {"seconds": 600, "litres": 800.0, "allowed_litres": 700.0}
    row = farm.row("zone", zone=state | {"code": "should_water", "values": values})
    assert farm.bring(row).json["refused"] == []
    page = farm.client("farmer").get("/greenhouses/tan-binh-1").text
    assert "Nên tưới 10 phút: cây đã dùng 800\u00a0lít nước trong đất." in page


@pytest.mark.parametrize(("hours", "seconds"), [("0", None), ("6", 21600), ("72", 259200)])
def test_watering_by_hand_can_be_for_a_while(farm: Place, hours: str, seconds: int | None) -> None:
    assert press(farm, mode="manual", hours=hours).status_code == 303
    body = told(farm)
    assert (body["mode"], body.get("seconds")) == ("manual", seconds)


def test_a_while_that_is_in_no_list_is_no_press_of_a_person(farm: Place) -> None:
    assert press(farm, mode="manual", hours="9999").status_code == 400


def test_more_hours_than_a_zone_may_have_are_refused_and_none_is_dropped(farm: Place) -> None:
    slots = {f"at{n}": f"{n % 24:02d}:{n:02d}" for n in range(MOST_SLOTS)}
    slots |= {f"minutes{n}": "5" for n in range(MOST_SLOTS)}
    slots |= {f"day{n}-{n % 7}": "1" for n in range(MOST_SLOTS)}
    one_more = {f"at{MOST_SLOTS}": "23:59", f"minutes{MOST_SLOTS}": "5", "day28-0": "1"}
    answer = press(farm, mode="schedule", **slots, **one_more)
    assert answer.status_code == 400
    assert "mỗi khu hẹn được nhiều nhất 28 giờ tưới" in answer.text
    assert 'value="23:59"' in answer.text, "what was typed stays"
    assert farm.poll() == []
    assert press(farm, mode="schedule", **slots).status_code == 303
    assert len(told(farm)["schedule"]["slots"]) == MOST_SLOTS


times = st.one_of(
    st.from_regex(r"[0-9]{1,3}:[0-9]{1,3}", fullmatch=True),
    st.from_regex(r"sun(rise|set)?[+-]{0,2}[0-9]{0,4}", fullmatch=True),
    st.sampled_from(["sunrise+10", "sunset-60", "sunriset", "05:30", "24:00", "٠٥:30", "-1:30"]),
    st.text(max_size=8).map(str.strip).filter(lambda text: not re.match(r"\d.*(h|giờ)", text)),
)


@given(
    at=times,
    days=st.sets(st.integers(0, 6)),
    minutes=st.integers(0, 70),
    place=st.sampled_from([None, [22.33, 103.66]]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_form_takes_exactly_the_hours_that_the_gateway_takes(
    farm: Place, at: str, days: set[int], minutes: int, place: list[float] | None
) -> None:
    kept = {"slots": [], **({"place": place} if place else {})}
    zone = Zone(
        mode="schedule", max_run_seconds=3600, schedule=kept, balance={"flow_l_per_min": 1}
    )
    form = {"mode": "schedule", "at0": at, "minutes0": str(minutes)}
    form |= {f"day0-{day}": "1" for day in days}
    with farm.app.test_request_context(method="POST", data=form):
        typed = ways._typed(zone)
        told = ways._schedule(typed, zone)
    slot = {"days": sorted(days), "at": at, "run_seconds": minutes * 60}
    try:
        check(read_schedule(kept | {"slots": [slot]}), zone.max_run_seconds)
    except ValueError:
        assert typed.wrong
    else:
        assert not typed.wrong
        check(read_schedule(told), zone.max_run_seconds)
