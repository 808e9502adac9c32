"""No page calls good what went wrong, offers what is not possible, or forgets a repair untried."""

import time
import uuid
from typing import Any

import pytest
from office import Place, read_aloud

HOUSE, ZONE = "/greenhouses/tan-binh-1", "tan-binh-1-k1"
NOW = int(time.time())


def run(farm: Place, code: str = "done", at: int = NOW - 60, **more: Any) -> dict[str, Any]:
    return farm.row(
        "run",
        run={
            "id": str(uuid.uuid4()),
            "zone": ZONE,
            "cause": "wished",
            "by": "Farmer",
            "state": "done",
            "code": code,
            "values": {},
            "ordered_seconds": 30,
            "started_at": at,
            "ended_at": at + 30,
            "seconds": 30.0,
            "litres": 20.0,
        }
        | more,
    )


def alarm(farm: Place, code: str, at: int, is_over: bool = True, **more: Any) -> dict[str, Any]:
    found = {"id": str(uuid.uuid4()), "code": code, "values": {}, "zone": None, "raised_at": at}
    return farm.row("alarm", alarm=found | {"cleared_at": at + 60 if is_over else None} | more)


def state(farm: Place, state: str, mode: str = "manual", zone: str = ZONE) -> dict[str, Any]:
    return farm.row("zone", zone={"id": zone, "state": state, "mode": mode, "at": NOW})


def fresh(farm: Place) -> None:
    """Readings of now, so that nothing else is to be said of the greenhouse."""
    at = int(time.time())
    values = [["air_temperature", at, 22.0, 0], ["soil_moisture", at, 60.0, 0]]
    for node in ("0000000000000001", "0000000000000002"):
        farm.bring(farm.readings(node, *values))


def shown(farm: Place, path: str = HOUSE, user: str = "farmer") -> str:
    return read_aloud(farm.client(user).get(path)).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("code", "level"),
    [
        *(("done", "good"), ("stopped", "good"), ("high_flow", "urgent")),
        *(("valve_not_closed", "urgent"), ("no_flow", "attention"), ("low_flow", "attention")),
        *(("tank_ran_low", "attention"), ("of_tomorrow", "attention")),
    ],
)
def test_what_became_of_a_press_has_the_colour_of_how_its_run_ended(
    farm: Place, code: str, level: str
) -> None:
    asked = farm.ask(f"/api/v1/zones/{ZONE}/water", {"seconds": 30, "id": str(uuid.uuid4())})
    wish = asked.json["id"]
    values = {"tank_percent": 3.0, "lowest_percent": 10.0} if code == "tank_ran_low" else {}
    farm.outcome(wish, "done", code, seconds=30.0, **values)
    assert f'class="note {level}" id="said"' in shown(farm, f"{HOUSE}?said={wish}")
    farm.bring(run(farm, code, id=wish, values=values))
    page = shown(farm, f"{HOUSE}?said={wish}")
    assert f'class="note {level}" id="said"' in page
    assert level == "good" or "Đã tưới xong" not in page.split('id="said"')[1].split("</p>")[0]


@pytest.mark.parametrize(("code", "zone"), [("high_flow", ZONE), ("leak", None)])
def test_a_zone_that_was_unlocked_is_not_called_normal_before_it_has_watered_well(
    farm: Place, code: str, zone: str | None
) -> None:
    fresh(farm)
    untried = "Khu 1 vừa mở khóa sau sự cố, chưa tưới xong lần nào."
    farm.bring(run(farm, at=NOW - 7200), state(farm, "idle"))
    assert untried not in shown(farm, "/greenhouses")
    farm.bring(alarm(farm, code, NOW - 3600, zone=zone), state(farm, "locked"))
    assert untried not in shown(farm)
    farm.bring(state(farm, "idle"))
    for path in ("/greenhouses", HOUSE):
        assert untried in shown(farm, path)
        assert "Tân Bình 1: bình thường" not in shown(farm, path)
    farm.bring(run(farm, "no_flow", at=NOW - 1800), run(farm, at=NOW - 1700, cause="hand"))
    assert untried in shown(farm)
    farm.bring(run(farm, at=NOW - 600))
    assert untried not in shown(farm)


def test_a_locked_zone_offers_no_minutes_and_says_why(farm: Place) -> None:
    button = f'value="{ZONE}">'
    farm.bring(state(farm, "idle"), state(farm, "idle", zone="tan-binh-1-k2"))
    assert 'name="minutes" value="10">Tưới 10 phút</button>' in shown(farm)
    farm.bring(state(farm, "locked"))
    first, second = shown(farm).split(button, 1)[1].split('id="tan-binh-1-k2"')
    assert 'value="10">Tưới 10 phút</button>' not in first
    assert ">Tưới 10 phút</s>" in first
    assert "Chưa tưới: khu này đang khóa vì có sự cố." in shown(farm)
    assert 'value="10">Tưới 10 phút</button>' in second, "the other zone waters"
    assert ">Tưới</a>" in shown(farm, "/greenhouses")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("emergency_stop", "nút dừng khẩn cấp ở tủ điều khiển đang được ấn"),
        ("stop_button_silent", "nút dừng khẩn cấp ở tủ điều khiển không trả lời"),
        ("supervisor_gone", "phần giữ an toàn cho van không chạy"),
        ("mains_gone", "đang mất điện ở máy bơm"),
    ],
)
def test_a_farm_that_is_stopped_offers_no_water_and_says_why(
    farm: Place, code: str, sentence: str
) -> None:
    farm.bring(state(farm, "idle"), state(farm, "idle", zone="tan-binh-1-k2"))
    farm.bring(alarm(farm, code, NOW - 60, is_over=False))
    page = shown(farm)
    assert 'name="minutes" value="10">' not in page
    assert page.count(f"Chưa tưới: {sentence}") == 2
    home = shown(farm, "/greenhouses")
    assert ">Vì sao chưa tưới được</a>" in home
    assert ">Tưới</a>" not in home


def test_a_zone_that_is_off_offers_no_minutes(farm: Place) -> None:
    farm.bring(state(farm, "idle", mode="off"))
    first = shown(farm).split(f'id="{ZONE}"', 1)[1].split('id="tan-binh-1-k2"')[0]
    assert "Chưa tưới: khu này đang tắt." in first
    assert 'value="10">Tưới 10 phút</button>' not in first
