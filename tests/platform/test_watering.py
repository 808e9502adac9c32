"""One wish waters once; a phone is told what happened; a gateway gets fresh, signed wishes."""

import hmac
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from office import KEY, Place, form_token

from nongso.platform.greenhouse import commands
from nongso.platform.greenhouse.records import Command

ZONE = "/api/v1/zones/tan-binh-1-k1"


@contextmanager
def gateway(
    farm: Place,
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    code: str | None = None,
    **values: Any,
) -> Iterator[list[dict[str, Any]]]:
    """A gateway on its long poll that answers every command the same way."""
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 5.0)
    heard: list[dict[str, Any]] = []
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            for command in farm.poll(wait=0.2):
                body = json.loads(command["body"])
                heard.append(body)
                farm.outcome(body["id"], state, code, **values)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield heard
    finally:
        over.set()
        thread.join()


def wish(seconds: object = 20, **other: object) -> dict[str, object]:
    return {"seconds": seconds, "id": str(uuid.uuid4()), **other}


def test_the_phone_hears_that_water_runs(farm: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(farm, monkeypatch, "running", "wished") as heard:
        wished = wish()
        answer = farm.ask(ZONE + "/water", wished)
        assert (answer.status_code, answer.json["state"]) == (202, "running")
        assert farm.ask(ZONE + "/water", wished).json["state"] == "running"
    assert [(c["id"], c["do"], c["seconds"], c["by"]) for c in heard] == [
        (wished["id"], "water", 20, "Farmer")
    ]


def test_the_phone_hears_why_no_water_runs(farm: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(farm, monkeypatch, "refused", "tank_low", tank_percent=12, needed_percent=20):
        answer = farm.ask(ZONE + "/water", wish())
    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert answer.json["code"] == "tank_low"
    assert answer.json["detail"].startswith("Chưa tưới: bể chỉ còn 12% nước.")
    english = farm.app.test_client().post(
        ZONE + "/water",
        json=wish(10**6),
        headers={"Authorization": "Bearer " + farm.tokens["farmer"], "Accept-Language": "en"},
    )
    assert english.json["detail"].startswith("Not watered: 30 min at a time is the most.")
    (refused,) = farm.ask(ZONE + "/runs").json["runs"]
    assert (refused["state"], refused["code"]) == ("refused", "tank_low")


def test_a_silent_gateway_leaves_the_wish_sent_until_it_expires(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    wished = wish()
    answer = farm.ask(ZONE + "/water", wished)
    assert (answer.status_code, answer.json["state"]) == (202, "sent")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 301)
    assert farm.poll() == []
    answer = farm.ask(ZONE + "/water", wished)
    assert (answer.status_code, answer.json["code"]) == (409, "expired")
    assert "hết hạn" in answer.json["detail"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/zones/roof/water", wish(), 404),
        (ZONE + "/water", wish(0), 400),
        (ZONE + "/water", wish(-5), 400),
        (ZONE + "/water", wish("ten"), 400),
        (ZONE + "/water", wish(True), 400),
        (ZONE + "/water", wish(1.5), 400),
        (ZONE + "/water", {"seconds": 20}, 400),
        (ZONE + "/water", {"seconds": 20, "id": "again"}, 400),
        (ZONE + "/water", wish(moon=1), 400),
        (ZONE + "/water", wish(expires=1), 409),
        (ZONE + "/water", wish(expires=10**11), 409),
        (ZONE + "/water", wish(1801), 409),
        (ZONE + "/water", [], 400),
        ("/api/v1/stop", {"zone": "roof"}, 404),
    ],
)
def test_a_wish_that_cannot_be_is_refused_with_a_sentence(
    farm: Place, path: str, body: object, status: int
) -> None:
    answer = farm.ask(path, body)
    assert answer.status_code == status
    assert answer.json["detail"]
    assert farm.poll() == []


def test_one_id_is_one_wish(farm: Place) -> None:
    wished = wish()
    assert farm.ask(ZONE + "/water", wished).status_code == 202
    assert farm.ask(ZONE + "/water", wished).status_code == 202
    other = farm.ask(ZONE + "/water", wished | {"seconds": 40})
    assert (other.status_code, other.json["code"]) == (409, "id_used")
    other = farm.ask("/api/v1/zones/tan-binh-1-k2/water", wished)
    assert (other.status_code, other.json["code"]) == (409, "id_used")
    assert len(farm.poll()) == 1


def test_the_same_wish_at_once_from_many_phones_is_one(farm: Place) -> None:
    wished = wish()
    statuses: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: statuses.append(farm.ask(ZONE + "/water", wished).status_code)
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 8
    assert len(farm.poll()) == 1


def test_a_command_is_signed_for_its_gateway_and_its_poll(farm: Place) -> None:
    farm.ask(ZONE + "/water", wish())
    poll = uuid.uuid4().hex
    (command,) = farm.poll(poll=poll)
    right = hmac.new(KEY.encode(), command["body"].encode(), "sha256").hexdigest()
    assert command["signature"] == right
    body = json.loads(command["body"])
    assert (body["gateway"], body["poll"]) == ("binh-lu", poll)
    assert 290 <= body["ttl"] <= 300


def test_an_unanswered_command_is_offered_again_but_not_at_once(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    farm.ask(ZONE + "/water", wish())
    assert len(farm.poll()) == 1
    assert farm.poll() == []
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + commands.OFFER_AGAIN_SECONDS + 1)
    (again,) = farm.poll()
    farm.outcome(json.loads(again["body"])["id"], "running", "wished")
    monkeypatch.setattr(time, "monotonic", lambda: real() + 60)
    assert farm.poll() == []


def test_a_poll_needs_its_number(farm: Place) -> None:
    for query in ("", "?poll=abc", "?poll=" + "G" * 32, "?poll=" + "0" * 32 + "&wait=long"):
        answer = farm.app.test_client().get(
            "/api/v1/gateways/binh-lu/commands" + query,
            headers={"Authorization": "Bearer " + KEY},
        )
        assert answer.status_code == 400


def test_outcomes_only_go_forward(farm: Place) -> None:
    wished = wish()
    farm.ask(ZONE + "/water", wished)
    for state, code in (("queued", None), ("running", "wished"), ("queued", None)):
        farm.outcome(str(wished["id"]), state, code)
    with farm.records.session() as session:
        assert session.get_one(Command, wished["id"]).state == "running"
    farm.outcome(str(wished["id"]), "done", "done", seconds=20, litres=3)
    farm.outcome(str(wished["id"]), "refused", "tank_low")
    farm.outcome(str(wished["id"]), "running", "wished")
    with farm.records.session() as session:
        assert session.get_one(Command, wished["id"]).state == "done"


def test_stop_reaches_every_gateway_of_the_cooperative(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway(farm, monkeypatch, "done", "stopped") as heard:
        answer = farm.ask("/api/v1/stop", {})
        assert (answer.status_code, answer.json["state"]) == (202, "done")
        assert farm.ask("/api/v1/stop", {"zone": "tan-binh-1-k1"}).status_code == 202
        assert (
            farm.app.test_client()
            .post("/api/v1/stop", headers={"Authorization": "Bearer " + farm.tokens["helper"]})
            .status_code
            == 202
        )
    assert [(c["do"], c.get("zone")) for c in heard] == [
        ("stop", None),
        ("stop", "tan-binh-1-k1"),
        ("stop", None),
    ]


def test_a_stop_of_everything_takes_the_hose_out_of_nobodys_hand(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {
        "id": "r-hose",
        "zone": "tan-binh-1-k1",
        "cause": "hand",
        "by": None,
        "state": "running",
        "code": "by_hand",
        "values": {},
        "ordered_seconds": 1800,
        "started_at": int(time.time()) - 60,
        "ended_at": None,
    }
    farm.bring(farm.row("run", run=run))
    client = farm.client("farmer")
    with gateway(farm, monkeypatch, "done", "stopped"):
        farm.ask("/api/v1/stop", {})
        assert "không bị coi là rò" in client.get("/greenhouses/tan-binh-1").text
        farm.ask("/api/v1/stop", {"zone": "tan-binh-1-k1"})
    page = client.get("/greenhouses/tan-binh-1").text
    assert "nước chảy không bị coi là rò" not in page
    assert "Dừng tưới" not in page


# --- the same by buttons -----------------------------------------------------------------------


def press(farm: Place, button: str, user: str = "farmer", **fields: str) -> str:
    """Open the page, press a button, and return the page that follows."""
    client = farm.client(user)
    page = client.get("/greenhouses/tan-binh-1")
    body = {"form_token": form_token(page), "wish": str(uuid.uuid4()), **fields}
    answer = client.post("/greenhouses/tan-binh-1/" + button, data=body)
    if answer.status_code == 303:
        return client.get(answer.location).text
    return answer.text


def said(page: str) -> str:
    return page.split('id="said"', 1)[1].split(">", 1)[1].split("</p>", 1)[0].replace("\xa0", " ")


def test_after_the_press_the_page_says_what_happened(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway(farm, monkeypatch, "running", "wished"):
        page = press(farm, "water", zone="tan-binh-1-k1", minutes="10")
    assert said(page) == "Đang tưới khu 1. Nước sẽ tự tắt sau 10 phút."
    with gateway(farm, monkeypatch, "refused", "zone_busy"):
        page = press(farm, "water", zone="tan-binh-1-k1", minutes="other", other="2,5")
    assert said(page).startswith("Chưa tưới thêm: khu này đang tưới rồi.")
    with gateway(farm, monkeypatch, "done", "stopped"):
        assert said(press(farm, "stop")).startswith("Đã dừng. Bơm và các van đã tắt")
        assert said(press(farm, "stop", zone="tan-binh-1-k1")).startswith("Đã dừng.")
    with gateway(farm, monkeypatch, "done", "mode_set", mode="band") as heard:
        page = press(farm, "mode", zone="tan-binh-1-k1", mode="band")
    assert said(page) == "Đã đổi cách tưới thành: theo độ ẩm đất."
    told = {"zone": "tan-binh-1-k1", "mode": "band"}
    with gateway(farm, monkeypatch, "done", "unlocked", **told):
        page = press(farm, "mode", zone="tan-binh-1-k1", mode="band")
    assert said(page) == "Đã mở khóa khu 1. Cách tưới: theo độ ẩm đất. Xin để ý lần tưới đầu."
    with gateway(farm, monkeypatch, "refused", "still_open", zone="tan-binh-1-k1"):
        page = press(farm, "mode", zone="tan-binh-1-k1", mode="band")
    assert said(page).startswith("Chưa mở khóa: van khu 1 vẫn chưa đóng được.")
    assert heard[0]["band"] == {"low": 40.0, "high": 55.0, "run_seconds": 120, "soak_seconds": 900}


def test_without_an_answer_the_page_says_until_when_the_wish_holds(farm: Place) -> None:
    page = press(farm, "water", zone="tan-binh-1-k1", minutes="5")
    assert said(page).startswith("Đã gửi lệnh, tủ điều khiển chưa trả lời. Từ giờ đến")


def test_a_button_pressed_twice_is_one_wish_and_another_button_another(farm: Place) -> None:
    client = farm.client("farmer")
    body = {
        "form_token": form_token(client.get("/greenhouses/tan-binh-1")),
        "wish": str(uuid.uuid4()),
        "zone": "tan-binh-1-k1",
    }
    for minutes in ("5", "5", "10"):
        answer = client.post("/greenhouses/tan-binh-1/water", data=body | {"minutes": minutes})
        assert answer.status_code == 303
    assert sorted(json.loads(c["body"])["seconds"] for c in farm.poll()) == [300, 600]


def test_a_person_who_takes_the_hose_reads_until_when_that_is_right(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway(farm, monkeypatch, "running", "by_hand") as heard:
        page = press(farm, "hand", zone="tan-binh-1-k1", minutes="60")
    assert [(c["do"], c["zone"], c["seconds"]) for c in heard] == [("hand", "tan-binh-1-k1", 3600)]
    assert "bằng tay" in said(page)
    assert "tự tắt" not in said(page), "nothing of ours closes a hose"


@pytest.mark.parametrize(
    ("minutes", "says"),
    [
        ("1.250", "Chưa rõ 1.250 là bao nhiêu phút"),
        ("mười", "Xin nhập số phút"),
        ("", "Xin nhập số phút"),
        ("0", "lớn hơn 0"),
        ("999", "nhiều nhất 30 phút"),
    ],
)
def test_minutes_that_cannot_be_are_asked_back(farm: Place, minutes: str, says: str) -> None:
    page = press(farm, "water", zone="tan-binh-1-k1", minutes="other", other=minutes)
    assert says in said(page)
    assert farm.poll() == []


def test_a_forms_zone_must_be_of_the_page(farm: Place) -> None:
    assert "Không tìm thấy" in press(farm, "water", zone="roof", minutes="5")
    client = farm.client("farmer")
    token = form_token(client.get("/greenhouses/tan-binh-1"))
    for button, fields in (
        ("water", {"zone": "tan-binh-1-k1", "minutes": "5", "wish": "no-uuid"}),
        ("mode", {"zone": "tan-binh-1-k1", "mode": "flood", "wish": str(uuid.uuid4())}),
    ):
        answer = client.post(
            "/greenhouses/tan-binh-1/" + button, data={**fields, "form_token": token}
        )
        assert answer.status_code == 400
    assert farm.poll() == []
