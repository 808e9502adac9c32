"""What every store of readings does, whichever it is: real SQLite, InfluxDB, VictoriaMetrics.

SQLite comes twice: with rows only, and with every day sealed as soon as it is written.
"""

import datetime
import random
import time
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from telemetry_engines import Engine, Influx, ShortVictoria, Victoria

from nongso.platform.settings import Settings
from nongso.platform.telemetry import (
    DAY,
    HOUR,
    Row,
    Series,
    SqliteTelemetry,
    Summary,
    Telemetry,
    TelemetryAway,
    TelemetryError,
    Written,
    open_telemetry,
)
from nongso.platform.telemetry.housekeeping import Housekeeper
from nongso.wire import marks

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MIDNIGHT = int(datetime.datetime(2026, 3, 10, tzinfo=ZONE).timestamp())
SIM = marks.SIMULATED


class Keeper:
    """A store and what is behind it; each test has greenhouses of its own in it."""

    def __init__(self, kind: str, folder: Path) -> None:
        folder.mkdir()
        self.engine: Engine | None = None
        self.seals = kind == "sealed"
        if kind == "influxdb":
            self.engine = Influx(folder / "influxdb")
        elif kind == "victoriametrics":
            self.engine = Victoria(folder / "victoria")
        self.settings = Settings(
            folder=folder,
            secret="0123456789abcdef" * 4,
            telemetry=self.engine.setting if self.engine else "sqlite:///telemetry.sqlite",
        )
        self.store = open_telemetry(self.settings)
        self.houses = 0

    def new_house(self) -> str:
        self.houses += 1
        return f"nhà {self.houses}, dài=48"  # with all letters that a protocol could trip over

    def settle(self) -> None:
        if self.engine is not None:
            self.engine.settle()
        if self.seals:
            assert isinstance(self.store, SqliteTelemetry)
            Housekeeper(self.store, lambda: time.time() + 3 * DAY, rest=0).look()

    def reopen(self) -> None:
        self.store.close()
        self.store = open_telemetry(self.settings)

    def close(self) -> None:
        self.store.close()
        if self.engine is not None:
            self.engine.close()


@pytest.fixture(scope="module", params=["sqlite", "sealed", "influxdb", "victoriametrics"])
def keeper(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Keeper]:
    made = Keeper(request.param, tmp_path_factory.mktemp("keeper") / request.param)
    yield made
    made.close()


class House:
    """One greenhouse in the store."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.slug = keeper.new_house()
        self.air = Series(self.slug, "k1", f"{keeper.houses:016x}", "air_temperature")
        self.soil = self.air._replace(name="soil_moisture.2")

    @property
    def store(self) -> Telemetry:
        return self.keeper.store

    def write(self, *rows: Row) -> Written:
        written = self.store.write(rows)
        self.keeper.settle()
        return written

    def number(self, series: Series | None = None) -> int:
        wanted = series or self.air
        return next(n for n, one in self.store.series(node=wanted.node).items() if one == wanted)


@pytest.fixture
def house(keeper: Keeper) -> House:
    return House(keeper)


def test_readings_come_back_as_they_were(house: House) -> None:
    values = [21.37, 0.1, -5.25, 0.0, 1e-3, 101325.25, 123456789.123, 99999.99, 3.0]
    rows = [Row(house.air, MIDNIGHT + 60 * n, value, SIM) for n, value in enumerate(values)]
    assert house.write(*rows) == Written(len(values), 0, 0, 0)
    found = house.store.points([house.number()], MIDNIGHT, MIDNIGHT + HOUR)
    assert found == [(row.at, row.value, row.mark) for row in rows]
    assert list(house.store.series(greenhouse=house.slug).values()) == [house.air]


def test_what_was_written_is_read_at_once(house: House) -> None:
    now = int(time.time())
    house.store.write([Row(house.air, now - 60, 20.5, SIM), Row(house.air, now, 20.7, SIM)])
    number = house.number()
    assert house.store.latest([number])[number] == (now, 20.7, SIM)
    assert [p.value for p in house.store.points([number], now - HOUR, now + 1)] == [20.5, 20.7]


def test_the_same_batch_again_changes_nothing(house: House) -> None:
    week = [Row(house.air, MIDNIGHT + 300 * n, 20 + n % 7, SIM) for n in range(2016)]
    assert house.store.write(week) == Written(2016, 0, 0, 0)
    assert house.store.write(week) == Written(0, 0, 2016, 0)  # at once: the answer was lost
    house.keeper.settle()
    assert house.store.write(week) == Written(0, 0, 2016, 0)
    assert house.store.write_each(week[:3]) == ["already"] * 3
    house.keeper.reopen()
    assert house.write(*week[:5], Row(house.air, MIDNIGHT - 300, 1.0, SIM)) == Written(1, 0, 5, 0)
    number = house.number()
    assert len(house.store.points([number], MIDNIGHT - 300, MIDNIGHT + 7 * DAY)) == 2017
    days = house.store.summaries([number], MIDNIGHT, MIDNIGHT + 7 * DAY, DAY)
    assert [day.good for day in days] == [288] * 7


def test_the_first_value_stays(house: House) -> None:
    before = house.store.tally()
    assert house.store.write([Row(house.air, MIDNIGHT, 20.0, 0)]) == Written(1, 0, 0, 0)
    for _ in range(2):
        assert house.write(Row(house.air, MIDNIGHT, 21.0, 0)) == Written(0, 0, 0, 1)
    assert house.write(Row(house.air, MIDNIGHT, None, marks.FAILED)) == Written(0, 0, 0, 1)
    rows = [
        Row(house.air, MIDNIGHT, 20.0, 0),
        Row(house.soil, 60, 1.0, 0),
        Row(house.soil, 60, 2.0, 0),
    ]
    assert house.store.write_each(rows) == ["already", "stored", "conflicting"]
    house.keeper.settle()
    number = house.number()
    assert house.store.points([number], MIDNIGHT, MIDNIGHT + 1) == [(MIDNIGHT, 20.0, 0)]
    assert house.store.latest([number])[number].value == 20.0
    (hour,) = house.store.summaries([number], MIDNIGHT, MIDNIGHT + HOUR, HOUR)
    assert hour == (MIDNIGHT, 20.0, 20.0, 20.0, 1, 0)
    assert house.store.tally()["conflicting"] >= before["conflicting"] + 3


def test_suspects_keep_their_mark_and_change_no_curve(house: House) -> None:
    house.write(
        Row(house.air, MIDNIGHT, 20.0, SIM),
        Row(house.air, MIDNIGHT + 60, 30.0, SIM),
        Row(house.air, MIDNIGHT + 120, 900.0, marks.IMPOSSIBLE | SIM),
        Row(house.air, MIDNIGHT + 180, None, marks.FAILED | SIM),
        Row(house.air, MIDNIGHT + 2 * HOUR, 10.0, marks.GOOD),
        Row(house.air, MIDNIGHT + 3 * HOUR, None, marks.FAILED),
    )
    n, store = house.number(), house.store
    assert [p.mark for p in store.points([n], MIDNIGHT, MIDNIGHT + DAY)] == [16, 16, 17, 19, 0, 3]
    assert store.suspects([n], MIDNIGHT, MIDNIGHT + DAY) == [
        (n, (MIDNIGHT + 3 * HOUR, None, 3)),
        (n, (MIDNIGHT + 180, None, 19)),
        (n, (MIDNIGHT + 120, 900.0, 17)),
    ]
    assert len(store.suspects([n], MIDNIGHT, MIDNIGHT + DAY, limit=1)) == 1
    assert store.steps([n], MIDNIGHT, MIDNIGHT + DAY, HOUR) == [
        (MIDNIGHT, 25.0, 16),
        (MIDNIGHT + 2 * HOUR, 10.0, 0),
    ]
    assert store.steps([n], MIDNIGHT, MIDNIGHT + DAY, 600)[0] == (MIDNIGHT, 25.0, 16)
    assert store.summaries([n], MIDNIGHT, MIDNIGHT + DAY, HOUR) == [
        Summary(MIDNIGHT, 20.0, 25.0, 30.0, 2, 2),
        Summary(MIDNIGHT + 2 * HOUR, 10.0, 10.0, 10.0, 1, 0),
        Summary(MIDNIGHT + 3 * HOUR, None, None, None, 0, 1),
    ]
    assert store.origins([n], MIDNIGHT, MIDNIGHT + DAY) == {0, 16}
    assert store.origins([n], MIDNIGHT, MIDNIGHT + 181) == {16}
    assert store.latest([n])[n] == (MIDNIGHT + 3 * HOUR, None, 3)
    assert store.latest_good(n, MIDNIGHT) == (MIDNIGHT + 2 * HOUR, 10.0, 0)
    assert store.latest_good(n, MIDNIGHT + 2 * HOUR + 1) is None


def test_a_day_begins_at_midnight_of_the_farm(house: House) -> None:
    late, early = MIDNIGHT + DAY - 1, MIDNIGHT + DAY
    house.write(
        Row(house.air, MIDNIGHT - 1, 1.0, SIM),
        Row(house.air, MIDNIGHT, 10.0, SIM),
        Row(house.air, late, 20.0, SIM),
        Row(house.air, early, 40.0, SIM),
    )
    days = house.store.summaries([house.number()], MIDNIGHT - DAY, MIDNIGHT + 2 * DAY, DAY)
    assert [(d.since, d.low, d.mean, d.high) for d in days] == [
        (MIDNIGHT - DAY, 1.0, 1.0, 1.0),
        (MIDNIGHT, 10.0, 15.0, 20.0),
        (MIDNIGHT + DAY, 40.0, 40.0, 40.0),
    ]


def test_readings_that_come_late_are_in_their_hour_and_day(house: House) -> None:
    n = None
    for value, at in ((20.0, 60), (24.0, 7200), (10.0, 120), (None, 180), (30.0, 7300)):
        mark = SIM if value is not None else marks.FAILED | SIM
        house.write(Row(house.air, MIDNIGHT + at, value, mark))
        n = n or house.number()
        house.store.summaries([n], MIDNIGHT, MIDNIGHT + DAY, DAY)  # somebody looks in between
    assert n is not None
    (day,) = house.store.summaries([n], MIDNIGHT, MIDNIGHT + DAY, DAY)
    assert day == (MIDNIGHT, 10.0, 21.0, 30.0, 4, 1)
    hours = house.store.summaries([n], MIDNIGHT, MIDNIGHT + DAY, HOUR)
    assert [(h.low, h.high, h.good, h.suspect) for h in hours] == [
        (10.0, 20.0, 2, 1),
        (24.0, 30.0, 2, 0),
    ]


def test_a_gap_stays_a_gap(house: House) -> None:
    house.write(
        *(Row(house.air, MIDNIGHT + n * 600, 20.0, SIM) for n in range(144) if n // 6 != 5)
    )
    n = house.number()
    hours = house.store.summaries([n], MIDNIGHT, MIDNIGHT + DAY, HOUR)
    assert [(h.since - MIDNIGHT) // HOUR for h in hours] == [h for h in range(24) if h != 5]
    assert len(house.store.steps([n], MIDNIGHT, MIDNIGHT + DAY, 600)) == 138
    assert house.store.points([n], MIDNIGHT + 5 * HOUR, MIDNIGHT + 6 * HOUR) == []


def test_rollups_say_what_the_readings_say(house: House) -> None:
    dice = random.Random(7)
    rows = {}
    for _ in range(3000):
        series = dice.choice((house.air, house.soil))
        at = MIDNIGHT + dice.randrange(-3 * DAY, 3 * DAY)
        bad = dice.random() < 0.1
        rows[series, at] = Row(series, at, round(dice.uniform(0, 40), 2), SIM | bad)
    shuffled = list(rows.values())
    dice.shuffle(shuffled)
    for begin in range(0, len(shuffled), 500):
        house.store.write(shuffled[begin : begin + 500])
    house.keeper.settle()
    numbers = [house.number(), house.number(house.soil)]
    for step, since, until in (
        (HOUR, MIDNIGHT - 3 * DAY, MIDNIGHT + 3 * DAY),
        (DAY, MIDNIGHT - 3 * DAY, MIDNIGHT + 3 * DAY),
        (3 * HOUR, MIDNIGHT - DAY, MIDNIGHT + DAY),
        (DAY, MIDNIGHT - 2 * DAY, MIDNIGHT + DAY + 1234),  # ends in the middle of a day
        (DAY, MIDNIGHT - DAY + 777, MIDNIGHT + DAY),  # begins nowhere in particular
    ):
        expected = []
        for begin in range(since, until, step):
            inside = [r for r in rows.values() if begin <= r.at < min(begin + step, until)]
            good = [r.value for r in inside if r.value is not None and marks.is_good(r.mark)]
            if inside:
                mean = sum(good) / len(good) if good else None
                low, high = min(good, default=None), max(good, default=None)
                expected.append((begin, low, mean, high, len(good), len(inside) - len(good)))
        found = house.store.summaries(numbers, since, until, step)
        assert [f._replace(mean=None) for f in found] == [(*e[:2], None, *e[3:]) for e in expected]
        assert [f.mean for f in found] == pytest.approx([e[2] for e in expected])
        means = [(e[0], e[2]) for e in expected if e[2] is not None]
        curve = house.store.steps(numbers, since, until, step)
        assert [p.at for p in curve] == [at for at, _ in means]
        assert [p.value for p in curve] == pytest.approx([mean for _, mean in means])


def test_weeks_of_a_reading_a_minute_come_whole(house: House) -> None:
    rows = [Row(house.air, MIDNIGHT + 60 * n, n % 97 / 10, SIM) for n in range(8 * 1440)]
    assert house.write(*rows).stored == len(rows)
    number = [house.number()]
    found = house.store.columns(number, MIDNIGHT, MIDNIGHT + 8 * DAY)
    assert list(found.at) == [row.at for row in rows]
    assert list(found.value) == [row.value for row in rows]
    assert set(found.mark) == {SIM}
    points = house.store.points(number, MIDNIGHT, MIDNIGHT + 8 * DAY, limit=10_500)
    assert points == [row[1:] for row in rows[:10_500]]


def test_the_newest_of_all_stations_is_found(house: House) -> None:
    now = int(time.time())
    rows = [
        Row(house.air._replace(node=f"{house.keeper.houses:08x}{n:08x}"), now - age, float(n), SIM)
        for n in range(120)
        for age in (3 * DAY + n, 600 + n, *((60,) if n % 2 else ()))
    ]
    rows.append(Row(house.soil, now - 400 * DAY, 40.0, SIM))  # silent for more than a year
    house.write(*rows)
    found = house.store.series(greenhouse=house.slug)
    latest = house.store.latest(found)
    assert len(latest) == 121
    for number, series in found.items():
        if series == house.soil:
            assert latest[number] == (now - 400 * DAY, 40.0, SIM)
        else:
            n = int(series.node[8:], 16)
            assert latest[number] == (now - (60 if n % 2 else 600 + n), float(n), SIM)
    assert house.store.span(list(found)) == (now - 400 * DAY, now - 60)


def test_readings_of_wrong_clocks_are_kept_with_their_own_time(house: House) -> None:
    now = int(time.time())
    times = (0, 1000, MIDNIGHT, now + 30 * DAY, now + 1000 * DAY, 10**10, (1 << 40) - 1)
    rows = [Row(house.air, at, 20.0 + n, marks.UNTIMED | SIM) for n, at in enumerate(times)]
    rows.append(Row(house.air, now - 60, 19.0, SIM))
    assert house.write(*rows) == Written(1, len(times), 0, 0)
    assert house.write(*rows) == Written(0, 0, len(times) + 1, 0)
    house.keeper.reopen()
    assert house.write(*rows) == Written(0, 0, len(times) + 1, 0)
    n = house.number()
    found = house.store.points([n], 0, 1 << 40)
    assert [(p.at, p.value) for p in found] == sorted((row.at, row.value) for row in rows)
    assert house.store.latest([n])[n] == (now - 60, 19.0, SIM)
    assert len(house.store.suspects([n], 0, 1 << 40)) == len(times)
    (day,) = house.store.summaries([n], MIDNIGHT, MIDNIGHT + DAY, DAY)
    assert (day.good, day.suspect) == (0, 1)


def test_a_node_that_becomes_known_has_its_first_readings_too(house: House) -> None:
    first = house.air._replace(greenhouse="", zone="")
    house.write(Row(first, MIDNIGHT, 20.0, SIM))
    house.store.place(first.node, house.slug, "k1")
    house.store.place(first.node, house.slug, "k1")
    house.keeper.settle()
    again = [Row(house.air, MIDNIGHT, 20.0, SIM), Row(house.air, MIDNIGHT + 60, 21.0, SIM)]
    assert house.write(*again) == Written(1, 0, 1, 0)
    for _ in range(2):
        assert list(house.store.series(greenhouse=house.slug).values()) == [house.air]
        points = house.store.points([house.number()], MIDNIGHT, MIDNIGHT + DAY)
        assert [p.value for p in points] == [20.0, 21.0]
        (day,) = house.store.summaries([house.number()], MIDNIGHT, MIDNIGHT + DAY, DAY)
        assert day.good == 2
        house.keeper.reopen()


def test_a_node_that_was_moved_keeps_its_past_where_it_was(house: House) -> None:
    new = house.air._replace(greenhouse=house.slug + "b", zone="k9")
    house.write(Row(house.air, MIDNIGHT, 20.0, SIM))
    again = [Row(new, MIDNIGHT, 20.0, SIM), Row(new, MIDNIGHT + 300, 22.0, SIM)]
    assert house.write(*again) == Written(1, 0, 1, 0)
    assert len(house.store.points([house.number()], MIDNIGHT, MIDNIGHT + HOUR)) == 1
    assert len(house.store.points([house.number(new)], MIDNIGHT, MIDNIGHT + HOUR)) == 1


def test_pages_learn_that_something_was_written(house: House) -> None:
    before = house.store.version(), house.store.lately()
    house.write(Row(house.air, MIDNIGHT, 20.0, SIM))
    assert house.store.version() != before[0]
    assert house.store.lately() != before[1]


def test_nothing_that_was_confirmed_is_lost_when_the_engine_dies(keeper: Keeper) -> None:
    engine = keeper.engine
    if engine is None:
        pytest.skip("SQLite is no program of its own; tests/platform/test_telemetry_damage.py")
    house = House(keeper)
    confirmed: list[Row] = []
    refused: list[Row] = []
    now = int(time.time()) - 3600
    for n in range(40):
        if n in (10, 25):
            engine.kill()
        if n in (15, 27):
            assert keeper.store.health().trouble
            engine.start()
        row = Row(house.air, now + n, 20 + n / 10, SIM)
        try:
            assert keeper.store.write([row]) == Written(1, 0, 0, 0)
            confirmed.append(row)
        except TelemetryAway:
            refused.append(row)
            with pytest.raises(TelemetryAway):
                keeper.store.latest([0, *keeper.store.series()])
    assert len(refused) == 7
    keeper.store.write(refused)  # the gateway brings again what was not acknowledged
    assert keeper.store.write([*confirmed, *refused]).already == 40
    assert keeper.store.health().trouble == ""
    engine.end()
    engine.start()
    keeper.reopen()
    found = keeper.store.points([house.number()], now, now + HOUR)
    assert [(p.at, p.value) for p in found] == [
        (row.at, row.value) for row in sorted(confirmed + refused, key=lambda row: row.at)
    ]


def test_the_platform_starts_while_the_engine_is_away(keeper: Keeper) -> None:
    engine = keeper.engine
    if engine is None:
        pytest.skip("SQLite is no program of its own")
    house = House(keeper)
    engine.end()
    keeper.reopen()
    assert "cannot be reached" in keeper.store.health().trouble
    with pytest.raises(TelemetryAway):
        keeper.store.write([Row(house.air, MIDNIGHT, 20.0, SIM)])
    engine.start()
    assert keeper.store.write([Row(house.air, MIDNIGHT, 20.0, SIM)]) == Written(1, 0, 0, 0)
    assert keeper.store.health().trouble == ""


def test_an_engine_that_would_drop_old_readings_is_refused(tmp_path: Path) -> None:
    engine = ShortVictoria(tmp_path / "short")
    settings = Settings(folder=tmp_path, secret="x" * 40, telemetry=engine.setting)
    try:
        with pytest.raises(TelemetryError, match="-retentionPeriod=100y"):
            open_telemetry(settings)
    finally:
        engine.close()
