"""What a zone says of itself: at once after a change, with the time that passes, and once."""

import json
import re
import time
from typing import Any

import pytest
from office import Place
from test_pages import fresh, home, text_of
from test_watering import gateway, said
from test_watering import press as pressed
from test_ways import press

from nongso.platform.greenhouse import sentences

PAGE = "/greenhouses/tan-binh-1"
K1, K2 = "tan-binh-1-k1", "tan-binh-1-k2"


def tell(farm: Place, zone: str, at: int, **state: Any) -> None:
    body = {"id": zone, "state": "idle", "at": at, **state}
    answer = farm.bring(farm.row("zone", zone=body))
    assert answer.json is not None
    assert answer.json["refused"] == []


def begin(farm: Place, number: str, cause: str, by: str | None) -> None:
    run = {
        "id": number,
        "zone": K1,
        "cause": cause,
        "by": by,
        "state": "running",
        "code": cause,
        "values": {},
        "ordered_seconds": 300,
        "started_at": int(time.time()),
        "ended_at": None,
        "seconds": 0,
        "litres": 0.0,
    }
    farm.bring(farm.row("run", run=run))


def page(farm: Place, query: str = "") -> str:
    return text_of(farm.client("farmer").get(PAGE + query).text)


def test_the_next_hour_stands_there_as_soon_as_a_schedule_is_saved(farm: Place) -> None:
    """The zone's row and the outcome are of the same second, the row before the outcome."""
    fresh(farm)
    press(farm, mode="schedule", at0="05:30", minutes0="10", **{"day0-0": "1"})
    (command,) = farm.poll()
    body, now = json.loads(command["body"]), int(time.time())
    tomorrow = now + 20 * 3600
    zone = {"mode": "schedule", "schedule": body["schedule"], "code": "next_slot"}
    tell(farm, K1, now, **zone, values={"at": tomorrow})
    outcome = {"state": "done", "code": "mode_set", "values": {"mode": "schedule"}}
    farm.bring(farm.row("command", command={"id": body["id"], "at": now, **outcome}))
    assert "Lần tưới theo giờ hẹn tới:" in page(farm)


def test_until_the_cabinet_has_told_more_the_page_says_that_it_waits(farm: Place) -> None:
    fresh(farm)
    press(farm, mode="schedule", at0="05:30", minutes0="10", **{"day0-0": "1"})
    (command,) = farm.poll()
    farm.outcome(json.loads(command["body"])["id"], "done", "mode_set", mode="schedule")
    assert "Cách tưới: theo giờ hẹn" in page(farm)
    assert "Đang chờ tủ điều khiển báo khu này sẽ tưới thế nào." in page(farm)


def test_the_minutes_that_water_soaks_in_go_down_while_nobody_tells_anew(farm: Place) -> None:
    now = int(time.time())
    for at, words in (
        (now - 1000, "Vừa tưới xong, đang chờ số đo mới."),
        (now - 863, "chờ thêm 40 giây"),
        (now - 303, "chờ thêm 10 phút"),
        (now, "chờ thêm 15 phút cho nước thấm"),
    ):
        tell(farm, K2, at, mode="band", code="soaking", values={"seconds_left": 900})
        assert words in page(farm)


def test_a_zone_that_rests_after_a_stop_is_told_where_all_houses_stand(farm: Place) -> None:
    fresh(farm)
    assert "Bình thường" in home(farm)
    tell(farm, K2, int(time.time()), mode="band", code="stopped_by_person")
    said = home(farm)
    assert "Cần chú ý" in said
    assert "Khu 2 đang tạm nghỉ vì có người đã bấm dừng." in said
    tell(farm, K2, int(time.time()), mode="manual", code="mode_manual")
    assert "tạm nghỉ" not in home(farm)


def test_after_a_press_its_sentence_stands_above_the_zones_once(farm: Place) -> None:
    fresh(farm)
    client = farm.client("farmer")
    form = client.get(PAGE).text
    token = re.search(r'name="form_token" value="([^"]+)"', form)
    wish = re.search(r'name="wish" value="([^"]+)"', form)
    assert token is not None
    assert wish is not None
    form_ = {"form_token": token[1], "wish": wish[1], "zone": K1, "minutes": "5"}
    client.post(PAGE + "/water", data=form_)
    (command,) = farm.poll()
    number = json.loads(command["body"])["id"]
    begin(farm, number, "wished", "Lan")
    farm.outcome(number, "running", "wished")
    above, _, zones = page(farm, f"?said={number}").partition("Khu tưới ")
    assert above.count("Đang tưới khu 1.") == 1
    assert "Đang tưới khu 1." in zones
    above, _, _ = page(farm).partition("Khu tưới ")
    assert above.count("Đang tưới khu 1.") == 1


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (1094, "18 phút"),
        (620, "10 phút"),
        (590, "10 phút"),
        (100, "1 phút 30 giây"),
        (9, "30 giây"),
    ],
)
def test_advice_is_in_minutes_and_halves(farm: Place, seconds: int, said: str) -> None:
    with farm.app.test_request_context():
        told = {"seconds": seconds, "litres": 903.7, "allowed_litres": 486.4}
        words = sentences.waiting("should_water", told, {})
    assert words.replace("\xa0", " ").startswith(f"Nên tưới {said}: cây đã dùng")


@pytest.mark.parametrize("by", [None, "Lan"])
def test_a_stop_says_that_water_still_runs_where_somebody_waters_by_hand(
    farm: Place, monkeypatch: pytest.MonkeyPatch, by: str | None
) -> None:
    begin(farm, "h-1", "hand", by)
    shown = page(farm)
    assert ("công tắc ở tủ điều khiển đang để tay" in shown) == (by is None)
    assert ("Dừng tưới khu 1" in shown.partition("Khu 1")[2]) == (by is not None)
    with gateway(farm, monkeypatch, "done", "stopped"):
        stopped = said(pressed(farm, "stop"))
    assert stopped.startswith("Đã dừng. Các van do máy mở đã tắt. Chỗ đang tưới bằng tay thì nước")
    with gateway(farm, monkeypatch, "done", "stopped"):
        stopped = said(pressed(farm, "stop", zone=K1))
    assert ("nước vẫn chảy" in stopped) == (by is None), "its phone ends a hose, not a switch"
