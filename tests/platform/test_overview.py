"""What the commune's officer reports: numerators over denominators, and nothing about a person."""

import csv
import datetime
import io
import time
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from office import NODE_1, Place, form_token

from nongso.platform.diary import season
from nongso.platform.diary.season import Before
from nongso.platform.greenhouse.records import Gateway, Greenhouse, Run
from nongso.platform.languages import day_of
from nongso.platform.overview import feed, indicators, stated
from nongso.platform.overview.feed import FIELDS
from nongso.platform.overview.quarters import Quarter, back_from, quarter_of, read

NOW = int(time.time())
TODAY = day_of(NOW)


def state(place: Place, name: str, value: str, day: str = "2026-01-01", **more: str) -> str:
    desk = place.client("officer")
    page = desk.get("/overview/figures")
    sent = {"id": str(uuid.uuid4()), "name": name, "value": value, "day": day, "source": "Báo cáo"}
    return desk.post(
        "/overview/figures",
        data={**sent, **more, "form_token": form_token(page)},
        follow_redirects=True,
    ).text


def measure(place: Place, days: int) -> None:
    """A good reading every hour of these days until now."""
    hours = range(NOW - days * 86400, NOW, 3600)
    readings = [["soil_moisture", at, 45.0, 0] for at in hours]
    for start in range(0, len(readings), 200):
        place.bring(place.readings(NODE_1, *readings[start : start + 200]))


@given(st.dates(datetime.date(2020, 1, 1), datetime.date(2199, 12, 31)))
def test_every_day_lies_in_the_quarter_that_is_said(day: datetime.date) -> None:
    quarter = quarter_of(day)
    assert quarter.first <= day < quarter.next.first
    assert quarter.next.before == quarter
    assert read(quarter.code) == (quarter if day.year < 2100 else None)
    assert back_from(quarter, 3)[0] == quarter.before.before


def test_the_report_is_due_before_the_20th_of_the_last_month() -> None:
    assert Quarter(2026, 4).report_day == datetime.date(2026, 12, 20)


def test_a_share_without_its_denominator_has_no_value_and_says_what_is_missing(
    farm: Place,
) -> None:
    page = farm.client("officer").get("/overview/report").text
    assert "Nhà màng có số đo tự động" in page
    assert "chưa có" in page


def test_measured_greenhouses_are_counted_over_what_the_commune_states(farm: Place) -> None:
    measure(farm, 2)
    state(farm, "greenhouses", "8")
    page = farm.client("officer").get("/overview/report").text
    assert "12,5%" not in page  # so far a computer plays it
    with farm.records.transaction() as session:
        session.get_one(Gateway, "binh-lu").simulated = False
    page = farm.client("officer").get("/overview/report").text
    assert "12,5%" in page


def test_an_old_report_keeps_the_figure_of_its_time() -> None:
    found = [
        stated.Stated("producers", 300, "2026-01-01", "a"),
        stated.Stated("producers", 400, "2026-10-01", "b"),
        stated.Stated("producers", 310, "2026-01-01", "corrected"),
    ]
    assert stated.in_force(found, "producers", Quarter(2026, 3)) == found[2]
    assert stated.in_force(found, "producers", Quarter(2026, 4)) == found[1]
    assert stated.in_force(found, "producers", Quarter(2025, 4)) is None


def test_water_is_compared_with_before_in_the_same_greenhouses_only(farm: Place) -> None:
    measure(farm, 14)
    quarter = quarter_of(day_of(NOW))
    with farm.records.transaction() as session:
        house = session.get(Greenhouse, "tan-binh-1")
        assert house is not None
        season.state_before(
            session,
            str(uuid.uuid4()),
            house.slug,
            house.cooperative,
            "x",
            Before(litres_week=2000),
            NOW,
        )
        session.add(
            Run(
                id=str(uuid.uuid4()),
                zone="tan-binh-1-k1",
                gateway="binh-lu",
                cause="person",
                state="done",
                code="done",
                values={},
                ordered_seconds=600,
                started_at=NOW - 90000,
                ended_at=NOW - 89400,
                seconds=600,
                litres=2000,
            )
        )
    with farm.app.test_request_context(), farm.records.session() as session:
        found = {
            one.code: one for one in indicators.indicators(session, farm.telemetry, quarter, NOW)
        }
    saved = found["water_saved"]
    assert saved.denominator.value == 2000
    # 2,000 litres over the 14 or 15 days touched, within this quarter
    assert saved.percent is not None
    assert 40 < saved.percent < 60


@pytest.mark.parametrize("user", ["farmer", "clerk", "helper"])
def test_the_overview_is_for_officers(farm: Place, user: str) -> None:
    for path in ("/overview", "/overview/report", "/overview/figures"):
        assert farm.client(user).get(path).status_code == 403


def test_every_cooperative_stands_on_the_overview(farm: Place) -> None:
    page = farm.client("officer").get("/overview").text
    assert "HTX binh-lu" in page
    assert "HTX bac-ha" in page
    assert "Nhà màng Tân Bình 1" in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": "nhiều"}, "Xin ghi một số"),
        ({"day": "2999-01-01"}, "Ngày này chưa đến"),
        ({"source": ""}, "Ô này còn trống"),
        ({"name": "x"}, "Xin chọn một dòng"),
    ],
)
def test_a_figure_that_cannot_be_understood_is_asked_back(
    farm: Place, fields: dict[str, str], said: str
) -> None:
    assert said in state(farm, **{"name": "producers", "value": "5", **fields})


@pytest.mark.parametrize(
    "path", ["?quarter=2999-Q1", "?quarter=x", "?quarter=2026-Q9", "?quarter="]
)
def test_a_quarter_to_come_has_no_report(farm: Place, path: str) -> None:
    assert farm.client("officer").get("/overview/report" + path).status_code == 404


def test_open_data_gives_what_its_contents_describe_in_both_shapes(farm: Place) -> None:
    measure(farm, 3)
    state(farm, "greenhouses", "8")
    stranger = farm.client()
    contents = stranger.get("/open-data/").get_json()
    assert set(contents["files"]) == set(FIELDS)
    for name, fields in FIELDS.items():
        rows = stranger.get(f"/open-data/{name}.json").get_json()
        assert rows, name
        assert all(set(row) == set(fields) for row in rows)
        table = list(csv.reader(io.StringIO(stranger.get(f"/open-data/{name}.csv").text[1:])))
        assert table[0] == list(fields)
        assert len(table) == len(rows) + 1


def test_open_data_is_reckoned_once_a_minute_however_often_strangers_ask(
    farm: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    reckoned = []
    real = feed.quality_of

    def counted(*rest: Any) -> Any:
        reckoned.append(rest)
        return real(*rest)

    clock = {"now": NOW - NOW % 60 + 1}
    monkeypatch.setattr(feed, "quality_of", counted)
    monkeypatch.setattr(feed.time, "time", lambda: clock["now"])
    stranger = farm.client()
    first = stranger.get("/open-data/quality.json").get_json()
    for query in ("", "?days=3", "?x=1", "?days=4&y=2"):
        assert stranger.get("/open-data/quality.json" + query).get_json() == first
    assert stranger.get("/open-data/quality.csv").status_code == 200
    assert len(reckoned) == 1
    clock["now"] += 60
    stranger.get("/open-data/quality.json")
    assert len(reckoned) == 2
    monkeypatch.setattr(feed, "MOST_REMEMBERED", 3)
    feed.prepare(farm.app)
    for days in range(1, 20):
        stranger.get(f"/open-data/climate.json?days={days}")
    assert len(farm.app.extensions["nongso.open_data"]) <= 3


def test_open_data_names_nobody(farm: Place) -> None:
    measure(farm, 1)
    everything = "".join(farm.client().get(f"/open-data/{name}.json").text for name in FIELDS)
    for word in ("Farmer", "Clerk", "farmer", "clerk", "officer", NODE_1, "tb-01"):
        assert word not in everything
    answer = farm.client().get("/open-data/climate.json")
    assert "Set-Cookie" not in answer.headers
    assert "public" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("query", ["?days=0", "?days=-1", "?days=x", "?days=99999", "?days=²"])
def test_open_data_says_what_it_expects(farm: Place, query: str) -> None:
    assert farm.client().get("/open-data/climate.json" + query).status_code == 400


def test_the_same_form_with_another_number_is_asked_back(farm: Place) -> None:
    id_ = str(uuid.uuid4())
    state(farm, "producers", "300", id=id_)
    assert "Dòng này đã ghi rồi" in state(farm, "producers", "400", id=id_)
