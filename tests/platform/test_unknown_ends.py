"""Runs whose end nobody told, litres that nobody counted, and stops that could not be done."""

import time
import uuid
from typing import Any

import pytest
from office import Place
from test_pages import text_of
from test_stopping import K1, K2, PAGE, later, page, run_row, zone_row
from test_watering import ZONE, gateway, press, said, wish

from nongso.platform.greenhouse.journal import growing_record
from nongso.platform.greenhouse.records import UNHEARD_SECONDS, Gateway

ENDED = "Không biết lần tưới này dừng lúc nào vì tủ điều khiển không báo lại."
UNMETERED = "không có đồng hồ nước"


def runs(farm: Place, zone: str = K1) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = farm.ask(f"/api/v1/zones/{zone}/runs").json["runs"]
    return found


def test_a_run_that_nobody_ends_is_over_when_its_time_is(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = run_row(farm, K1, int(time.time()))
    row["run"]["litres"] = None
    farm.bring(row)
    assert [(r["state"], r["ended_at"]) for r in runs(farm)] == [("running", None)]
    later(monkeypatch, 600 + UNHEARD_SECONDS + 5)
    (run,) = runs(farm)
    assert (run["state"], run["code"], run["values"]) == ("done", "end_unknown", {})
    assert (run["ended_at"], run["seconds"], run["litres"]) == (None, None, None)
    assert run["detail"].startswith(ENDED)
    assert ENDED in page(farm)
    end = {**row["run"], "state": "done", "code": "stopped", "seconds": 12, "litres": 3.5}
    farm.bring(farm.row("run", run=end | {"ended_at": row["run"]["started_at"] + 12}))
    (run,) = runs(farm)
    assert (run["code"], run["seconds"], run["litres"]) == ("stopped", 12, 3.5), "the truth counts"


def test_a_gateway_that_lost_its_disk_ends_the_run_that_it_knows_no_more(farm: Place) -> None:
    begun = int(time.time()) - 100
    row = run_row(farm, K1, begun)
    farm.bring(row, run_row(farm, K2, begun), zone_row(farm, K1, "running", begun))
    farm.rows = 0
    farm.bring(zone_row(farm, K1, "idle", begun + 40), store="f" * 16)
    (run,) = runs(farm)
    assert (run["state"], run["code"]) == ("done", "end_unknown")
    assert [r["state"] for r in runs(farm, K2)] == ["running"]
    farm.rows = 100
    farm.bring(row)  # what was told before is told again: it does not run again
    assert runs(farm)[0]["code"] == "end_unknown"
    end = {**row["run"], "state": "done", "code": "gateway_lost", "seconds": 21.0}
    farm.bring(farm.row("run", run=end | {"ended_at": begun + 21}))
    assert (runs(farm)[0]["code"], runs(farm)[0]["seconds"]) == ("gateway_lost", 21.0)


def test_a_new_run_in_a_zone_ends_one_that_was_never_ended(farm: Place) -> None:
    begun = int(time.time()) - 100
    farm.bring(run_row(farm, K1, begun), run_row(farm, K1, begun + 50))
    assert [r["code"] for r in runs(farm)] == ["wished", "end_unknown"]


def test_a_zone_row_from_before_a_run_does_not_end_it(farm: Place) -> None:
    begun = int(time.time()) - 100
    idle = zone_row(farm, K1, "idle", begun)
    farm.bring(idle, run_row(farm, K1, begun))
    farm.bring(idle)
    assert [r["state"] for r in runs(farm)] == ["running"]


def test_the_word_about_a_wish_says_that_its_end_is_not_known(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    wished = wish(600)
    with gateway(farm, monkeypatch, "running", "wished"):
        answer = farm.ask(ZONE + "/water", wished).json
    assert (answer["state"], answer["code"]) == ("running", "wished")
    assert answer["detail"].replace("\xa0", " ") == (
        "Đang tưới khu 1. Nước sẽ tự tắt sau 10 phút."
    )
    row = run_row(farm, K1, int(time.time()))
    row["run"]["id"] = wished["id"]
    farm.bring(row)
    later(monkeypatch, 600 + UNHEARD_SECONDS + 5)
    answer = farm.ask(ZONE + "/water", wished).json
    assert (answer["state"], answer["code"]) == ("done", "end_unknown")
    assert answer["detail"].startswith(ENDED)
    shown = farm.client("farmer").get(f"{PAGE}?said={wished['id']}").text
    assert said(shown).startswith(ENDED)


# --- litres -------------------------------------------------------------------------------------


def ended_row(farm: Place, code: str, litres: float | None, at: int) -> dict[str, Any]:
    run = run_row(farm, K1, at)["run"]
    over = {"state": "done", "code": code, "ended_at": at + 60, "seconds": 60.0, "litres": litres}
    values = {"seconds": 60.0, "litres": litres} if code == "done" else {}
    return farm.row("run", run={**run, **over, "id": str(uuid.uuid4()), "values": values})


@pytest.mark.parametrize("code", ["done", "stopped"])
def test_a_run_without_a_meter_says_so_in_words(farm: Place, code: str) -> None:
    farm.bring(ended_row(farm, code, None, int(time.time()) - 200))
    (run,) = runs(farm)
    assert (run["code"], run["litres"]) == (code, None)
    assert UNMETERED in run["detail"]
    assert UNMETERED in page(farm)
    client = farm.client("farmer")
    client.set_cookie("nongso_language", "en")
    assert "no water meter" in text_of(client.get(PAGE).text)


def test_a_run_whose_meter_counted_nothing_has_no_litres_and_a_meter(farm: Place) -> None:
    farm.bring(ended_row(farm, "done", 0.0, int(time.time()) - 200))
    (run,) = runs(farm)
    assert run["litres"] == 0.0
    assert UNMETERED not in run["detail"]


@pytest.mark.parametrize(
    ("litres", "total", "unmetered"),
    [((10.0, None), 10.0, 1), ((None, None), None, 2), ((), 0.0, 0)],
)
def test_a_growing_record_names_the_waterings_that_nobody_measured(
    farm: Place, litres: tuple[float | None, ...], total: float | None, unmetered: int
) -> None:
    now = int(time.time())
    farm.bring(
        farm.readings("0000000000000001", ["air_temperature", now - 500, 20.0, 16]),
        *(ended_row(farm, "done", found, now - 400 + n) for n, found in enumerate(litres)),
    )
    with farm.records.session() as session:
        record = growing_record(session, farm.telemetry, "tan-binh-1", now - 3600, now)
    assert record is not None
    assert (record["litres"], record["unmetered"]) == (total, unmetered)
    assert record["waterings"] == len(litres)


# --- what a stop and a wish are answered --------------------------------------------------------


def test_a_stop_that_the_cabinet_could_not_do_says_so(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway(farm, monkeypatch, "refused", "supervisor_gone"):
        answer = farm.ask("/api/v1/stop", {})
        watered = farm.ask(ZONE + "/water", wish())
    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert (answer.json["code"], answer.json["state"]) == ("supervisor_gone", "refused")
    assert "Xin ra đóng van bằng tay" in answer.json["detail"]
    (command,) = answer.json["commands"]
    assert (command["state"], command["code"]) == ("refused", "supervisor_gone")
    assert (watered.status_code, watered.json["code"]) == (409, "supervisor_gone")


def test_a_stop_that_nobody_answers_says_so(farm: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = {"id": str(uuid.uuid4())}
    answer = farm.ask("/api/v1/stop", stop)
    assert (answer.status_code, answer.json["state"]) == (202, "sent")
    assert answer.json["code"] == "unanswered"
    assert answer.json["detail"].startswith("Chưa dừng được: tủ điều khiển chưa trả lời.")
    later(monkeypatch, 301)
    answer = farm.ask("/api/v1/stop", stop)
    assert (answer.status_code, answer.json["code"]) == (409, "expired")


def test_a_stop_that_was_done_says_so(farm: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(farm, monkeypatch, "done", "stopped"):
        answer = farm.ask("/api/v1/stop", {})
    assert (answer.status_code, answer.json["state"]) == (202, "done")
    assert answer.json["code"] == "stopped"
    assert answer.json["detail"].startswith("Đã dừng.")


def test_a_stop_where_there_is_no_cabinet_has_nothing_to_do(farm: Place) -> None:
    answer = farm.ask("/api/v1/stop", {}, user="farmer-bac-ha")
    assert (answer.status_code, answer.json["state"]) == (202, "done")
    assert "không có gì để dừng" in answer.json["detail"]


def test_a_wish_that_nobody_answers_says_until_when_it_holds(farm: Place) -> None:
    answer = farm.ask(ZONE + "/water", wish())
    assert (answer.status_code, answer.json["state"]) == (202, "sent")
    assert answer.json["code"] == "unanswered"
    assert "tủ điều khiển chưa trả lời" in answer.json["detail"]


def test_a_wish_that_cannot_be_written_down_is_refused_in_words(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway(farm, monkeypatch, "refused", "cannot_record"):
        answer = farm.ask(ZONE + "/water", wish())
        spoken = said(press(farm, "water", zone=K1, minutes="5"))
    assert (answer.status_code, answer.json["code"]) == (409, "cannot_record")
    assert "bộ nhớ của tủ điều khiển bị đầy hoặc hỏng" in answer.json["detail"]
    assert "mở van bằng tay" in spoken


def test_a_gateway_that_speaks_from_memory_keeps_its_place(farm: Place) -> None:
    """Its disk cannot be opened: the outcome counts, and nothing of its store is forgotten."""
    wished = wish()
    farm.ask(ZONE + "/water", wished)
    with farm.records.session() as session:
        before = session.get_one(Gateway, "binh-lu")
        known = (before.store, before.configured_row)
    at = int(time.time())
    outcome = {"id": wished["id"], "state": "refused", "code": "cannot_record", "at": at}
    farm.bring({"id": 0, "kind": "command", "command": outcome}, store="none")
    assert farm.ask(ZONE + "/water", wished).json["code"] == "cannot_record"
    with farm.records.session() as session:
        after = session.get_one(Gateway, "binh-lu")
        assert (after.store, after.configured_row) == known
