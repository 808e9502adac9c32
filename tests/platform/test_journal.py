"""A growing record says what was measured, and names what was not."""

import datetime
import json
from zoneinfo import ZoneInfo

import pytest
from office import Place

from nongso.platform.greenhouse.journal import greenhouses, growing_record
from nongso.platform.greenhouse.records import Run
from nongso.platform.telemetry import Row, Series

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
FIRST = int(datetime.datetime(2026, 10, 1, tzinfo=ZONE).timestamp())
HOUR, DAY = 3600, 86400
AIR = Series("tan-binh-1", "tan-binh-1-k1", "0001", "air_temperature")
SOIL = Series("tan-binh-1", "tan-binh-1-k1", "0001", "soil_moisture.2")


@pytest.fixture
def grown(farm: Place) -> Place:
    """Ten days; the fourth is missing, the fifth has suspects only from noon."""
    rows = []
    for n in range(10 * 24 * 6):
        at = FIRST + n * 600
        day, hour = divmod(at - FIRST, DAY)
        if day == 3:
            continue
        suspect = day == 4 and hour >= 12 * HOUR
        mark = 17 if suspect else 16
        rows.append(Row(AIR, at, 500.0 if suspect else 18.0 + day, mark))
        rows.append(Row(SOIL, at, 50.0, mark))
    farm.telemetry.write(rows)
    with farm.records.transaction() as session:
        for n, (seconds, litres, begun) in enumerate(
            [(120, 58.2, FIRST + DAY), (60, 20.1, FIRST + 5 * DAY), (60, 9.9, FIRST - DAY)]
        ):
            session.add(
                Run(
                    id=f"r-{n}",
                    zone="tan-binh-1-k1",
                    gateway="binh-lu",
                    cause="band",
                    by=None,
                    state="done",
                    code="done",
                    values={},
                    start_values={},
                    ordered_seconds=seconds,
                    started_at=begun,
                    ended_at=begun + seconds,
                    seconds=seconds,
                    litres=litres,
                )
            )
    return farm


def test_the_growing_days_are_summed_up(grown: Place) -> None:
    with grown.records.session() as session:
        record = growing_record(session, grown.telemetry, "tan-binh-1", FIRST, FIRST + 10 * DAY)
    assert record is not None
    assert record["days"] == 10
    assert record["missing_days"] == ["2026-10-04"]
    assert record["missing_hours"] == 24 + 12
    assert record["metrics"]["air_temperature"]["low"] == 18.0
    assert record["metrics"]["air_temperature"]["high"] == 27.0
    assert record["metrics"]["soil_moisture"]["mean"] == 50.0
    assert "light" not in record["metrics"]
    assert (record["litres"], record["waterings"]) == (78.3, 2)
    assert (record["simulated"], record["imported"]) == (True, False)
    assert record["suspect"] == 2 * 72
    assert json.loads(json.dumps(record)) == record


def test_a_day_that_is_only_touched_is_not_missing(grown: Place) -> None:
    since, until = FIRST + 23 * HOUR, FIRST + DAY + 2 * HOUR
    with grown.records.session() as session:
        record = growing_record(session, grown.telemetry, "tan-binh-1", since, until)
    assert record is not None
    assert (record["days"], record["missing_days"], record["missing_hours"]) == (2, [], 0)


def test_where_nothing_was_measured_there_is_no_record(grown: Place) -> None:
    with grown.records.session() as session:
        for slug, since, until in (
            ("tan-binh-1", FIRST - 9 * DAY, FIRST - 8 * DAY),
            ("tan-binh-1", FIRST + DAY, FIRST),
            ("nowhere", FIRST, FIRST + DAY),
        ):
            assert growing_record(session, grown.telemetry, slug, since, until) is None
        assert [g.slug for g in greenhouses(session, "binh-lu")] == ["tan-binh-1"]
        assert list(greenhouses(session, "bac-ha")) == []
