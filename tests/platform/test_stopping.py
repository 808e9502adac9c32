"""A gateway that is away is said so; after a stop nothing runs and nothing seems to run."""

import json
import re
import time
import uuid
from typing import Any

import pytest
from office import NODE_1, NODE_2, Place, form_token
from test_pages import fresh, text_of
from test_watering import ZONE, gateway, press, said, wish

from nongso.platform.greenhouse.records import AWAY_SECONDS, Command, Greenhouse, Zone
from nongso.platform.telemetry import TelemetryDamaged
from nongso.platform.uplink import register_gateway

PAGE = "/greenhouses/tan-binh-1"
K1, K2 = "tan-binh-1-k1", "tan-binh-1-k2"


def later(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + seconds)


def page(farm: Place, user: str = "farmer") -> str:
    return text_of(farm.client(user).get(PAGE).text)


def run_row(farm: Place, zone: str, started_at: int, cause: str = "wished") -> dict[str, Any]:
    run = {
        "id": str(uuid.uuid4()),
        "zone": zone,
        "cause": cause,
        "state": "running",
        "code": "wished",
        "ordered_seconds": 600,
        "started_at": started_at,
    }
    return farm.row("run", run=run)


def zone_row(farm: Place, zone: str, state: str, at: int, **other: Any) -> dict[str, Any]:
    return farm.row("zone", zone={"id": zone, "state": state, "at": at, **other})


def ordered(farm: Place, path: str, body: dict[str, Any]) -> str:
    """Order something by the API; return the id of the only command that the gateway is given."""
    assert farm.ask(path, body).status_code == 202
    (command,) = farm.poll()
    found: str = json.loads(command["body"])["id"]
    return found


# --- the gateway is away ------------------------------------------------------------------------


def test_a_gateway_not_heard_for_a_while_needs_attention(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(farm)
    assert "Bình thường" in page(farm)
    later(monkeypatch, AWAY_SECONDS + 10)
    for found in (page(farm), text_of(farm.client("farmer").get("/greenhouses").text)):
        assert "Cần chú ý" in found
        assert "Không liên lạc được với tủ điều khiển từ" in found
        assert "Chưa tưới từ xa được." in found
        assert "Bình thường" not in found
    farm.poll()
    assert "Bình thường" in page(farm)


def test_a_gateway_that_only_asks_for_commands_is_not_away(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(farm)
    real, gone = time.time, [0]
    monkeypatch.setattr(time, "time", lambda: real() + gone[0])
    for _ in range(20):
        farm.poll()
        gone[0] += 20
        assert "Không liên lạc được" not in page(farm)


def test_no_wish_for_water_waits_for_a_gateway_that_is_away(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, AWAY_SECONDS + 10)
    answer = farm.ask(ZONE + "/water", wish())
    assert (answer.status_code, answer.json["code"]) == (409, "gateway_away")
    assert answer.json["detail"].startswith("Chưa tưới: không liên lạc được với tủ điều khiển từ")
    assert "ngày" not in answer.json["detail"]
    spoken = said(press(farm, "water", zone=K1, minutes="5"))
    assert "Lệnh này không được giữ lại" in spoken
    assert "ngày" not in spoken
    assert farm.poll() == []


def test_an_unanswered_stop_sends_people_to_the_valve(farm: Place) -> None:
    answer = press(farm, "stop")
    assert said(answer) == (
        "Chưa dừng được: tủ điều khiển chưa trả lời. Xin ra đóng van bằng tay."
    )
    assert 'class="note urgent" id="said"' in answer
    (sent,) = farm.ask("/api/v1/stop", {}).json["commands"]
    assert sent["detail"].startswith("Chưa dừng được")


def test_a_stop_that_expired_or_failed_is_urgent_too(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway(farm, monkeypatch, "refused", "supervisor_gone"):
        answer = press(farm, "stop")
    assert "không điều khiển được van. Xin ra đóng van bằng tay." in said(answer)
    (command,) = farm.ask("/api/v1/stop", {}).json["commands"]
    later(monkeypatch, 301)
    answer = farm.client("farmer").get(f"{PAGE}?said={command['id']}").text
    assert "đóng van bằng tay" in said(answer)
    assert 'class="note urgent" id="said"' in answer


# --- nothing runs after a stop ------------------------------------------------------------------


@pytest.mark.parametrize("zone", [None, K1])
def test_a_stop_takes_back_the_unanswered_wishes_before_it(farm: Place, zone: str | None) -> None:
    first, other = wish(), wish()
    farm.ask(ZONE + "/water", first)
    farm.ask("/api/v1/zones/tan-binh-1-k2/water", other)
    stop = {"id": str(uuid.uuid4())} | ({"zone": zone} if zone else {})
    assert farm.ask("/api/v1/stop", stop).status_code == 202
    offered = [(c["do"], c.get("zone")) for c in (json.loads(p["body"]) for p in farm.poll())]
    assert ("water", K1) not in offered
    assert (("water", K2) in offered) == (zone is not None)
    assert ("stop", zone) in offered
    answer = farm.ask(ZONE + "/water", first)
    assert (answer.status_code, answer.json["code"]) == (409, "stopped_meanwhile")
    assert "có người đã bấm dừng" in answer.json["detail"]
    # A new wish is a new decision, and the same stop once more does not touch it.
    again = wish()
    farm.ask(ZONE + "/water", again)
    farm.ask("/api/v1/stop", stop)
    assert farm.ask(ZONE + "/water", again).status_code == 202


def test_a_stop_takes_back_an_unanswered_return_to_the_band(farm: Place) -> None:
    press(farm, "mode", zone=K1, mode="band")
    press(farm, "mode", zone=K2, mode="manual")
    farm.ask("/api/v1/stop", {})
    offered = [json.loads(c["body"]) for c in farm.poll()]
    assert sorted((c["do"], c.get("mode")) for c in offered) == [
        ("mode", "manual"),
        ("stop", None),
    ]


def test_after_an_answered_stop_no_page_says_that_water_runs(farm: Place) -> None:
    fresh(farm)
    now = int(time.time())
    farm.bring(run_row(farm, K1, now - 60), zone_row(farm, K1, "running", now - 60))
    assert "Đang tưới khu 1" in page(farm)
    stop = ordered(farm, "/api/v1/stop", {})
    farm.outcome(stop, "done", "stopped")
    found = page(farm)
    assert "Đang tưới" not in found
    assert "đang tưới" not in found
    assert "Dừng tưới khu 1" not in found
    states = {
        z["id"]: z["state"]
        for z in farm.ask("/api/v1/greenhouses").json["greenhouses"][0]["zones"]
    }
    assert states == {K1: "idle", K2: "idle"}
    farm.bring(run_row(farm, K1, now + 5))
    assert "Đang tưới khu 1" in page(farm)


def test_a_stop_of_one_zone_leaves_the_other_running(farm: Place) -> None:
    fresh(farm)
    now = int(time.time())
    farm.bring(run_row(farm, K1, now - 60), run_row(farm, K2, now - 60))
    farm.outcome(ordered(farm, "/api/v1/stop", {"zone": K1}), "done", "stopped")
    found = page(farm)
    assert "Đang tưới khu 1" not in found
    assert "Đang tưới khu 2" in found


def test_the_word_about_an_old_wish_is_not_that_water_runs(farm: Place) -> None:
    now = int(time.time())
    wished = wish()
    farm.ask(ZONE + "/water", wished)
    farm.outcome(str(wished["id"]), "running", "wished")
    row = run_row(farm, K1, now - 30)
    row["run"]["id"] = wished["id"]
    farm.bring(row)
    address = f"{PAGE}?said={wished['id']}"
    assert "Đang tưới" in said(farm.client("farmer").get(address).text)
    stop = farm.ask("/api/v1/stop", {}).json["commands"][0]["id"]
    farm.outcome(stop, "done", "stopped")
    assert said(farm.client("farmer").get(address).text) == "Đã dừng theo yêu cầu, van đã tắt."


def test_a_changed_mode_is_shown_with_its_answer(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(farm)
    with gateway(farm, monkeypatch, "done", "mode_set", mode="band"):
        press(farm, "mode", zone=K1, mode="band")
    with farm.records.session() as session:
        assert session.get_one(Zone, K1).mode == "band"
    # A row about the zone from before is no news any more.
    farm.bring(zone_row(farm, K1, "idle", int(time.time()) - 60, mode="manual"))
    with farm.records.session() as session:
        assert session.get_one(Zone, K1).mode == "band"
    farm.bring(zone_row(farm, K1, "idle", int(time.time()) + 1, mode="off"))
    with farm.records.session() as session:
        assert session.get_one(Zone, K1).mode == "off"


def test_turning_a_zone_off_ends_its_run_for_the_page(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = int(time.time())
    farm.bring(run_row(farm, K1, now - 60), zone_row(farm, K1, "running", now - 60))
    with gateway(farm, monkeypatch, "done", "mode_set", mode="off"):
        press(farm, "mode", zone=K1, mode="off")
    found = page(farm)
    assert "Đang tưới" not in found
    assert "Khu này đang tắt, không tưới." in found


# --- the way back -------------------------------------------------------------------------------


def test_after_a_stop_one_button_lets_a_zone_water_itself_again(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(farm, soil=31.2)
    assert "Cho tự tưới lại" not in page(farm)
    with gateway(farm, monkeypatch, "done", "stopped"):
        spoken = said(press(farm, "stop"))
    assert "Khu tự tưới đang tạm nghỉ" in spoken
    found = page(farm)
    assert "Khu này đang tạm nghỉ vì Farmer bấm Dừng tất cả lúc" in found
    assert "Khu này sẽ tự tưới." not in found
    shown = farm.client("farmer").get(PAGE).text
    assert shown.count(">Cho tự tưới lại</button>") == 1
    assert ">Cho tự tưới lại</button>" not in farm.client("officer").get(PAGE).text
    with gateway(farm, monkeypatch, "done", "mode_set", mode="band") as heard:
        press(farm, "mode", zone=K2, mode="band")
    assert (heard[0]["do"], heard[0]["mode"]) == ("mode", "band")
    assert "đang tạm nghỉ" not in page(farm)


def second_house(farm: Place) -> None:
    """Another greenhouse of the same cabinet, with a zone that waters itself."""
    with farm.records.transaction() as session:
        first = session.get_one(Zone, K2)
        columns = {c.name: getattr(first, c.name) for c in Zone.__table__.columns}
        session.add(
            Greenhouse(
                slug="hung-binh-1",
                name="Nhà màng Hưng Bình 1",
                cooperative="binh-lu",
                gateway="binh-lu",
            )
        )
        session.flush()
        session.add(Zone(**columns | {"id": "hung-binh-1-k1", "greenhouse": "hung-binh-1"}))


def test_a_stop_of_everything_is_told_in_every_greenhouse_and_each_goes_on_by_one_button(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    second_house(farm)
    fresh(farm)
    assert "Dừng tất cả: nước ngừng ở mọi nhà màng" in page(farm)
    with gateway(farm, monkeypatch, "done", "stopped"):
        spoken = said(press(farm, "stop"))
    assert spoken.startswith("Đã dừng ở Nhà màng Hưng Bình 1, Nhà màng Tân Bình 1. Bơm và các van")
    client = farm.client("farmer")
    for house in (PAGE, "/greenhouses/hung-binh-1"):
        shown = text_of(client.get(house).text)
        assert "Tưới tự động ở nhà màng này đang tạm dừng vì Farmer bấm Dừng tất cả lúc" in shown
        assert "Cho nhà màng này tự tưới lại " in shown
        assert "Khu này đang tạm nghỉ vì Farmer bấm Dừng tất cả lúc" in shown
    assert text_of(client.get("/greenhouses").text).count("vì Farmer bấm Dừng tất cả lúc") >= 1
    assert "lại</button>" not in farm.client("officer").get(PAGE).text
    with gateway(farm, monkeypatch, "done", "mode_set", mode="band") as heard:
        press(farm, "resume")
    assert [(one["do"], one["zone"], one["mode"]) for one in heard] == [("mode", K2, "band")]
    assert "tạm dừng" not in page(farm)
    other = text_of(client.get("/greenhouses/hung-binh-1").text)
    assert "đang tạm dừng vì Farmer bấm Dừng tất cả" in other, "that one was not asked for"
    again = press(farm, "resume")
    assert "tạm dừng" not in text_of(again), "nothing rests: the press changes nothing"
    assert farm.poll() == []


def test_a_zone_that_was_stopped_alone_blames_no_stop_of_everything(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(farm)
    with gateway(farm, monkeypatch, "done", "stopped"):
        press(farm, "stop")
    with gateway(farm, monkeypatch, "done", "mode_set", mode="band"):
        press(farm, "mode", zone=K2, mode="band")
    with gateway(farm, monkeypatch, "done", "stopped"):
        press(farm, "stop", zone=K2)
    found = page(farm)
    assert "Khu này đang tạm nghỉ vì Farmer bấm Dừng tưới lúc" in found
    assert "bấm Dừng tất cả lúc" not in found
    with farm.records.transaction() as session:
        session.query(Command).delete()  # as with the stop of another platform
    assert "Khu này đang tạm nghỉ vì có người đã bấm dừng." in page(farm)


def test_a_cabinet_that_did_not_stop_is_told_on_the_page_of_another_greenhouse(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with farm.records.transaction() as session:
        register_gateway(session, "ban-cau", "Tủ Bản Cẩu", "binh-lu", "k" * 64)
        session.add(
            Greenhouse(
                slug="ban-cau-1", name="Nhà màng Bản Cẩu", cooperative="binh-lu", gateway="ban-cau"
            )
        )
    monkeypatch.setattr("nongso.platform.greenhouse.commands.ANSWER_SECONDS", 0.3)
    with gateway(farm, monkeypatch, "done", "stopped"):
        answer = press(farm, "stop")
    assert said(answer).startswith(
        "Chưa dừng được ở Nhà màng Bản Cẩu: tủ điều khiển không trả lời"
    )
    assert 'class="note urgent" id="said"' in answer


def test_everything_can_be_stopped_from_the_pages_of_a_wet_test(farm: Place) -> None:
    for told in ({}, {"state": "open"}, {"state": "asked"}):
        farm.tell_test(**told)
        shown = farm.client("farmer").get(f"{PAGE}/wet-test?zone={K1}").text
        form = shown.rsplit(f'action="{PAGE}/stop"', 1)[1].split("</form>", 1)[0]
        assert "Dừng tất cả</button>" in form
        assert 'name="zone"' not in form, "not of this zone alone"


def test_where_nothing_waters_itself_a_stop_speaks_of_no_rest(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway(farm, monkeypatch, "done", "stopped"):
        spoken = said(press(farm, "stop", zone=K1))
    tail = "Thấy nước còn chảy thì xin ra khóa van bằng tay."
    assert spoken == f"Đã dừng. Van của khu này đã tắt. {tail}"


def test_a_locked_zone_stays_locked_by_a_stop(farm: Place) -> None:
    farm.bring(zone_row(farm, K2, "locked", int(time.time()) - 5, code="zone_locked"))
    farm.outcome(ordered(farm, "/api/v1/stop", {}), "done", "stopped")
    with farm.records.session() as session:
        assert session.get_one(Zone, K2).state == "locked"


@pytest.mark.parametrize("was_tested", [True, False])
def test_a_zone_that_gets_locked_brings_its_unlocking_to_the_page_that_stands_open(
    farm: Place, was_tested: bool
) -> None:
    if not was_tested:
        farm.tell_test()
    farm.bring(zone_row(farm, K1, "locked", int(time.time()) + 1, code="zone_locked"))
    found = farm.client("farmer").get(PAGE).text
    live = {
        zone: re.search(rf'<div data-live="unlock-{zone}">(.*?)</div>', found, re.DOTALL)
        for zone in (K1, K2)
    }
    assert "Mở khóa</button>" in live[K1][1]
    assert "<button" not in live[K2][1]
    assert found.count("Mở khóa</button>") == 1
    assert "Mở khóa</button>" not in farm.client("officer").get(PAGE).text


@pytest.mark.parametrize("form", ["mode", "way"])
def test_a_lock_comes_off_by_its_own_button_alone(
    farm: Place, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """A page that was opened before the trouble, or the buttons beside, change the mode only."""
    farm.bring(zone_row(farm, K1, "locked", int(time.time()) + 1, code="zone_locked"))
    client = farm.client("farmer")
    for mode in ("manual", "off"):
        fields = {"form_token": form_token(client.get(PAGE)), "wish": str(uuid.uuid4())}
        answer = client.post(f"{PAGE}/{form}", data=fields | {"zone": K1, "mode": mode})
        assert (answer.status_code, farm.poll()) == (409, [])
        assert "xin bấm Mở khóa rồi mới đổi." in answer.text
    with gateway(farm, monkeypatch, "done", "unlocked", zone=K1, mode="manual"):
        found = said(press(farm, "mode", zone=K1, mode="manual", unlock="1"))
    assert found.startswith("Đã mở khóa khu 1.")


def test_unlocking_a_zone_that_is_off_speaks_of_no_watering(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway(farm, monkeypatch, "done", "unlocked", zone=K1, mode="off"):
        found = said(press(farm, "mode", zone=K1, mode="off"))
    assert found == "Đã mở khóa khu 1. Khu này đang tắt, chưa tưới được."


# --- small things -------------------------------------------------------------------------------


def test_the_water_button_of_a_card_is_for_those_who_may_water(farm: Place) -> None:
    fresh(farm)
    for user, sees in (("farmer", True), ("clerk", True), ("officer", False), ("helper", False)):
        assert (f'href="{PAGE}#water"' in farm.client(user).get("/greenhouses").text) == sees


def test_a_running_zone_offers_no_five_minutes_more(farm: Place) -> None:
    assert page(farm).count("Tưới 5 phút") == 2
    farm.bring(run_row(farm, K1, int(time.time()) - 5))
    assert page(farm).count("Tưới 5 phút") == 1


def test_a_stop_may_be_pressed_while_the_gateway_is_away(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(monkeypatch, AWAY_SECONDS + 10)
    client = farm.client("helper")
    token = form_token(client.get(PAGE))
    body = {"form_token": token, "wish": str(uuid.uuid4())}
    assert client.post("/greenhouses/stop", data=body).status_code == 303
    assert [json.loads(c["body"])["do"] for c in farm.poll()] == ["stop"]
    with farm.records.session() as session:
        assert session.query(Command).count() == 1


def test_days_that_nobody_can_look_at_are_not_there(farm: Place) -> None:
    farm.bring(farm.readings(NODE_1, ["light", int(time.time()), 1.0, 0]), farm.readings(NODE_2))
    client = farm.client("farmer")
    for query in ("day=9999-12-31", "day=0001-01-01&days=30", "day=9999-12-30&days=7"):
        assert client.get(f"{PAGE}?{query}").status_code == 404
    assert client.get(PAGE + "?day=1990-01-01&days=30").status_code == 200
    assert client.get(PAGE + "?day=2200-12-31&days=30").status_code == 200


# --- the readings are away ----------------------------------------------------------------------


def without_readings(farm: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_rest: Any, **_more: Any) -> Any:
        raise TelemetryDamaged("the file of readings is damaged")

    for verb in ("series", "latest", "summaries", "steps", "points", "lately", "version"):
        monkeypatch.setattr(farm.telemetry, verb, away)


@pytest.mark.parametrize("path", ["/greenhouses", PAGE])
def test_water_is_stopped_although_no_reading_can_be_shown(
    farm: Place, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client = farm.client("farmer")
    without_readings(farm, monkeypatch)
    looked = client.get(path)
    assert looked.status_code == 503
    assert "Chưa xem được số đo" in looked.text
    assert 'action="/greenhouses/stop"' in looked.text
    wished = re.search(r'name="wish" value="([^"]+)"', looked.text)
    assert wished is not None
    with gateway(farm, monkeypatch, "done", "stopped"):
        data = {"form_token": form_token(looked), "wish": wished.group(1)}
        answer = client.post("/greenhouses/stop", data=data)
    assert answer.status_code == 303
    told = client.get(answer.location)
    assert told.status_code == 503
    assert "Đã dừng. Bơm và các van đã tắt" in said(told.text)
    assert "Dừng tất cả" in told.text


def test_who_may_not_stop_is_offered_no_button_where_readings_are_away(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, stranger = farm.client("officer"), farm.client()
    without_readings(farm, monkeypatch)
    looked = officer.get(PAGE)
    assert looked.status_code == 503
    assert "/greenhouses/stop" not in looked.text
    assert "/greenhouses/stop" not in stranger.get("/nowhere").text
    assert "/greenhouses/stop" not in farm.client("farmer").get("/nowhere").text
