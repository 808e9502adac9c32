"""The season's curves: a year of days in one light picture, gaps and waterings seen."""

import datetime
import random
import re
import time
import uuid
from html import unescape

import pytest
from office import NODE_1, NODE_2, Place, configuration

from nongso.platform.diary import entries as diary
from nongso.platform.diary.entries import Entry
from nongso.platform.greenhouse.period import day_begins
from nongso.platform.greenhouse.records import Run
from nongso.platform.languages import NO_BREAK, day_of
from nongso.platform.telemetry import Row, Series

SLUG = "tan-binh-1"
PAGE = f"/greenhouses/{SLUG}"
ONE = datetime.timedelta(days=1)


@pytest.fixture
def today() -> datetime.date:
    return day_of(time.time())


def plant(farm: Place, day: datetime.date) -> None:
    with farm.records.transaction() as session:
        diary.write(
            session,
            str(uuid.uuid4()),
            SLUG,
            "binh-lu",
            "farmer",
            Entry("planted", day.isoformat(), crop="dưa lưới"),
            int(time.time()),
        )


def measure(farm: Place, days: list[datetime.date]) -> None:
    """Three readings a day of what four sensors in two zones measure."""
    farm.bring(farm.row("configuration", configuration=configuration()))
    names = ("air_temperature", "air_humidity", "soil_moisture", "light")
    rows, chance = [], random.Random(7)
    for node, zone in ((NODE_1, "tan-binh-1-k1"), (NODE_2, "tan-binh-1-k2")):
        for number, name in enumerate(names):
            series = Series(SLUG, zone, node, name)
            for day in days:
                noon = day_begins(day) + 12 * 3600
                middle = 20 + 10 * number + chance.uniform(-3, 3)
                rows += [
                    Row(series, noon + hour * 3600, middle + hour * 1.3, 16) for hour in (-6, 0, 3)
                ]
    farm.telemetry.write(rows)


def ran(farm: Place, day: datetime.date, state: str = "done") -> None:
    begun = day_begins(day) + 7 * 3600
    with farm.records.transaction() as session:
        session.add(
            Run(
                id=str(uuid.uuid4()),
                zone="tan-binh-1-k1",
                gateway="binh-lu",
                cause="band",
                state=state,
                code="wished",
                values={},
                start_values={},
                ordered_seconds=300,
                started_at=begun,
                ended_at=begun + 300,
                seconds=300,
            )
        )


def season(farm: Place, **query: str) -> str:
    answer = farm.client("farmer").get(PAGE, query_string={"days": "season", **query})
    assert answer.status_code == 200
    return unescape(answer.text).replace(NO_BREAK, " ")


def picture(page: str, of: str) -> str:
    found = re.search(rf'<svg class="chart"[^>]*aria-label="{of}.*?</svg>', page, re.S)
    assert found is not None, page
    return found.group()


def test_the_days_highest_is_never_below_what_a_station_has_measured(
    farm: Place, today: datetime.date
) -> None:
    farm.bring(farm.row("configuration", configuration=configuration()))
    day = today - ONE
    rows = [
        Row(Series(SLUG, zone, node, "air_temperature"), day_begins(day) + 100 * n, value, 16)
        for node, zone, warmer in ((NODE_1, "tan-binh-1-k1", 0), (NODE_2, "tan-binh-1-k2", 2))
        for n, value in enumerate((20.0 + warmer, 21.0 + warmer, 24.4 + warmer))
    ]
    farm.telemetry.write(rows)
    page = farm.client("farmer").get(PAGE, query_string={"days": "1", "day": str(day)})
    assert "thấp nhất 20,0°C, cao nhất 26,4°C" in unescape(page.text)


def test_the_season_begins_with_the_planting(farm: Place, today: datetime.date) -> None:
    planted = today - 90 * ONE
    plant(farm, planted)
    measure(farm, [today - n * ONE for n in range(120)])
    page = season(farm)
    assert f"Cả vụ, từ {planted:%d/%m/%Y} đến {today:%d/%m/%Y}" in page
    drawn = picture(page, "nhiệt độ")
    assert 'class="spread' in drawn, "lowest to highest of each day"
    assert 'class="gap"' not in drawn
    assert drawn.count("M") - drawn.count("grid") >= 2


def test_the_arrow_leads_to_the_season_before_and_back(farm: Place, today: datetime.date) -> None:
    first, second = today - 200 * ONE, today - 60 * ONE
    plant(farm, first)
    plant(farm, second)
    measure(farm, [today - n * ONE for n in range(210)])
    now = season(farm)
    assert f"từ {second:%d/%m/%Y} đến {today:%d/%m/%Y}" in now
    assert f"day={second - ONE}&days=season" in now
    before = season(farm, day=str(second - ONE))
    assert f"Cả vụ, từ {first:%d/%m/%Y} đến {second - ONE:%d/%m/%Y}" in before
    assert f"day={today}&days=season" in before
    assert f"day={first - ONE}&days=season" in before


def test_without_a_planting_the_year_is_shown_and_said(farm: Place, today: datetime.date) -> None:
    measure(farm, [today - n * ONE for n in range(5)])
    page = season(farm)
    assert f"Từ {today - 364 * ONE:%d/%m/%Y} đến {today:%d/%m/%Y}" in page
    assert "Nhật ký chưa ghi ngày trồng của vụ này." in page


def test_a_season_longer_than_a_year_shows_its_last_year_and_says_so(
    farm: Place, today: datetime.date
) -> None:
    plant(farm, today - 500 * ONE)
    measure(farm, [today])
    page = season(farm)
    assert f"Từ {today - 364 * ONE:%d/%m/%Y} đến {today:%d/%m/%Y}" in page
    assert "Vụ này dài hơn 365 ngày." in page


def test_a_single_day_without_readings_is_a_gap(farm: Place, today: datetime.date) -> None:
    plant(farm, today - 99 * ONE)
    days = [today - n * ONE for n in range(100)]
    missing = days.pop(40)
    measure(farm, days)
    drawn = picture(season(farm), "nhiệt độ")
    (gap,) = re.findall(r'class="gap" x="([\d.]+)" y="\d+" width="([\d.]+)"', drawn)
    curve = re.search(r'class="curve c0" d="([^"]*)"', drawn)
    assert curve is not None
    assert curve.group(1).count("M") == 2, "nothing is drawn over a day nobody measured"
    left, right, wide = _frame(drawn)
    begins = left + (missing - (today - 99 * ONE)).days * wide
    assert float(gap[0]) == pytest.approx(begins, abs=0.1), "the day itself, not half of the next"
    assert float(gap[1]) == pytest.approx(wide, abs=0.1)
    assert float(gap[0]) < right


def _frame(drawn: str) -> tuple[float, float, float]:
    """Return the left edge, the right edge and the width of one of a hundred days."""
    grid = re.search(r'class="grid" d="M(\d+) [\d.]+H(\d+)', drawn)
    assert grid is not None
    left, right = float(grid.group(1)), float(grid.group(2))
    exact = 8 + 7.6 * max(len(text) for text in re.findall(r'class="up"[^>]*>([^<]*)<', drawn))
    assert abs(exact - left) <= 0.5
    return exact, right, (right - exact) / 100


def test_months_are_named_below_the_picture(farm: Place, today: datetime.date) -> None:
    plant(farm, today - 300 * ONE)
    measure(farm, [today - n * ONE for n in range(301)])
    drawn = picture(season(farm), "nhiệt độ")
    along = re.findall(r'class="along[^>]*>([^<]*)<', drawn)
    assert 4 <= len(along) <= 7
    assert all(text.startswith("01/") for text in along)


def test_days_with_water_are_marked_at_the_soil(farm: Place, today: datetime.date) -> None:
    plant(farm, today - 80 * ONE)
    measure(farm, [today - n * ONE for n in range(81)])
    for n in (3, 4, 20):
        ran(farm, today - n * ONE)
    ran(farm, today - 30 * ONE, state="refused")
    page = season(farm)
    marks = re.search(r'class="water" d="([^"]*)"', picture(page, "độ ẩm đất"))
    assert marks is not None
    assert marks.group(1).count("m") == 2, "two days side by side are one mark"
    assert "ngày có tưới" in page
    assert 'class="water"' not in picture(page, "nhiệt độ")


def test_a_planting_of_today_shows_the_hours_of_today(farm: Place, today: datetime.date) -> None:
    plant(farm, today)
    measure(farm, [today])
    page = season(farm)
    assert f"Cả vụ, từ {today:%d/%m/%Y} đến {today:%d/%m/%Y}" in page
    assert ">24h<" in page


def test_a_year_of_two_zones_stays_light(farm: Place, today: datetime.date) -> None:
    plant(farm, today - 364 * ONE)
    measure(farm, [today - n * ONE for n in range(365)])
    for n in range(0, 365, 2):
        ran(farm, today - n * ONE)
    client = farm.client("farmer")
    page = client.get(PAGE + "?days=season")
    assert page.text.count('<svg class="chart"') == 4
    fetched = re.findall(r'(?:href|src)="/static/([^"?]+\.(?:css|js))', page.text)
    assert "nongso.css" in fetched
    travels = 0
    for one in (PAGE + "?days=season", *(f"/static/{name}" for name in fetched)):
        with client.get(one, headers={"Accept-Encoding": "gzip"}) as packed:
            assert packed.headers["Content-Encoding"] == "gzip"
            travels += len(packed.data)
    assert travels <= 30_000, "as it travels"
    assert len(page.data) <= 60_000, "and as the phone holds it"


def test_coordinates_told_from_the_one_before_lead_to_the_same_places(farm: Place) -> None:
    from nongso.platform.greenhouse.charts import _line

    spots = [(20.0, 100.04), (20.8, 99.1), (21.6, 99.1), (22.4, 120.0), (32.4, 9.96)]
    first, rest = _line(spots).removeprefix("M").split("l")
    assert [float(n) for n in first.split()] == [20.0, 100.0]
    numbers = [float(n) for n in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
    x, y = 20.0, 100.0
    for (wanted_x, wanted_y), dx, dy in zip(spots[1:], numbers[::2], numbers[1::2], strict=True):
        x, y = x + dx, y + dy
        assert x == pytest.approx(wanted_x, abs=0.051)
        assert y == pytest.approx(wanted_y, abs=0.051)
