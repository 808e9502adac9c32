"""Readings are stored once, late or twice, and nothing decides on a bad one."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nongso.platform.telemetry import (
    Row,
    Series,
    SqliteTelemetry,
    Telemetry,
    TelemetryError,
    Written,
)
from nongso.wire import marks

AIR = Series("tan-binh-1", "k1", "0001", "air_temperature")
SOIL = Series("tan-binh-1", "k1", "0001", "soil_moisture")
T0 = 1790000000 - 1790000000 % 86400


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    made = SqliteTelemetry(tmp_path / "telemetry.sqlite")
    yield made
    made.close()


def number(telemetry: Telemetry, series: Series = AIR) -> int:
    return next(n for n, one in telemetry.series().items() if one == series)


def test_the_same_week_again_changes_nothing(telemetry: Telemetry) -> None:
    week = [Row(AIR, T0 + 300 * n, 20 + n % 7, 16) for n in range(2016)]
    assert telemetry.write(week) == Written(2016, 0, 0, 0)
    assert telemetry.write(week) == Written(0, 0, 2016, 0)
    assert telemetry.write([*week[:5], Row(AIR, T0 - 300, 1.0, 16)]) == Written(1, 0, 5, 0)
    assert len(telemetry.points([number(telemetry)], T0 - 300, T0 + 7 * 86400)) == 2017


def test_another_value_for_the_same_time_is_kept_aside_and_counted(telemetry: Telemetry) -> None:
    telemetry.write([Row(AIR, T0, 20.0, 0)])
    for _ in range(2):
        assert telemetry.write([Row(AIR, T0, 21.0, 0)]) == Written(0, 0, 0, 1)
    assert telemetry.write([Row(AIR, T0, None, 3)]) == Written(0, 0, 0, 1)
    assert telemetry.points([number(telemetry)], T0, T0 + 1)[0].value == 20.0
    assert telemetry.tally() == {"stored": 1, "suspect": 0, "conflicting": 2}


def test_a_conflict_inside_one_batch_is_one_too(telemetry: Telemetry) -> None:
    rows = [Row(AIR, T0, 20.0, 0), Row(AIR, T0, 21.0, 0), Row(AIR, T0, 20.0, 0)]
    assert telemetry.write(rows) == Written(1, 0, 1, 1)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 20), st.sampled_from([None, 1.0, 2.0]), st.sampled_from([0, 1, 16, 35])
        ),
        max_size=40,
    ),
    st.randoms(),
)
def test_every_reading_is_counted_once_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, found: list[tuple[int, float, int]], dice: object
) -> None:
    telemetry = SqliteTelemetry(tmp_path_factory.mktemp("t") / "telemetry.sqlite")
    rows = [Row(AIR, T0 + at, value, mark) for at, value, mark in found]
    for batch in (rows, dice.sample(rows, len(rows))):  # type: ignore[attr-defined]
        written = telemetry.write(batch)
        assert sum(written) == len(batch)
    each = telemetry.write_each(rows)
    assert len(each) == len(rows)
    assert "stored" not in each
    if rows:
        kept = telemetry.points([number(telemetry)], T0, T0 + 100)
        assert len(kept) == len({at for at, _, _ in found})
    telemetry.close()


def test_only_good_readings_make_curves_and_summaries(telemetry: Telemetry) -> None:
    telemetry.write(
        [
            Row(AIR, T0, 20.0, marks.SIMULATED),
            Row(AIR, T0 + 60, 30.0, marks.SIMULATED),
            Row(AIR, T0 + 120, 900.0, marks.IMPOSSIBLE),
            Row(AIR, T0 + 180, None, marks.FAILED),
            Row(AIR, T0 + 7200, 10.0, marks.GOOD),
        ]
    )
    n = number(telemetry)
    assert telemetry.steps([n], T0, T0 + 86400, 3600) == [(T0, 25.0, 16), (T0 + 7200, 10.0, 0)]
    first, last = telemetry.summaries([n], T0, T0 + 86400, 3600)
    assert first == (T0, 20.0, 25.0, 30.0, 2, 2)
    assert last == (T0 + 7200, 10.0, 10.0, 10.0, 1, 0)
    assert [p.value for _, p in telemetry.suspects([n], T0, T0 + 86400)] == [None, 900.0]
    assert telemetry.origins([n], T0, T0 + 86400) == {0, 16}


def test_an_hour_with_suspects_only_has_no_values(telemetry: Telemetry) -> None:
    telemetry.write([Row(AIR, T0, 900.0, marks.IMPOSSIBLE)])
    assert telemetry.summaries([number(telemetry)], T0, T0 + 3600, 3600) == [
        (T0, None, None, None, 0, 1)
    ]


def test_the_newest_reading_is_never_one_from_a_wrong_clock(telemetry: Telemetry) -> None:
    telemetry.write([Row(AIR, T0, 20.0, 0), Row(AIR, T0 + 10**8, 21.0, marks.UNTIMED)])
    assert telemetry.latest([number(telemetry)])[number(telemetry)].value == 20.0


def test_readings_that_came_before_their_node_was_known_find_their_place(
    telemetry: Telemetry,
) -> None:
    telemetry.write([Row(Series("", "", "0001", "light"), T0, 100.0, 0)])
    telemetry.place("0001", "tan-binh-1", "k1")
    assert list(telemetry.series(greenhouse="tan-binh-1").values()) == [
        Series("tan-binh-1", "k1", "0001", "light")
    ]


def test_a_moved_node_keeps_its_past_where_it_was_measured(telemetry: Telemetry) -> None:
    old, new = AIR, AIR._replace(greenhouse="hung-binh-1", zone="k3")
    telemetry.write([Row(old, T0, 20.0, 0)])
    # the answer to that batch was lost, the node was moved, the batch comes again
    again = [Row(new, T0, 20.0, 0), Row(new, T0 + 300, 22.0, 0)]
    assert telemetry.write(again) == Written(1, 0, 1, 0)
    assert len(telemetry.points([number(telemetry, old)], T0, T0 + 999)) == 1
    assert len(telemetry.points([number(telemetry, new)], T0, T0 + 999)) == 1


def test_many_may_read_while_one_writes(telemetry: Telemetry) -> None:
    troubles: list[Exception] = []

    def read() -> None:
        try:
            for _ in range(50):
                telemetry.points(list(telemetry.series()), T0, T0 + 10**6)
        except Exception as error:
            troubles.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for n in range(30):
        telemetry.write([Row(SOIL, T0 + n, 50.0, 0)])
    for reader in readers:
        reader.join()
    assert troubles == []


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.sqlite"
    SqliteTelemetry(file).close()
    other = sqlite3.connect(file)
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(TelemetryError, match="another version"):
        SqliteTelemetry(file)
