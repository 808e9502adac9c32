"""Days that are over are sealed: small, checked, and in every answer as if they were rows."""

import itertools
import random
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from nongso.platform.telemetry import (
    DAY,
    HOUR,
    Columns,
    Row,
    Series,
    SqliteTelemetry,
    Written,
    blocks,
    damage,
    forgetting,
    sealed,
)
from nongso.platform.telemetry.blocks import BlockDamaged
from nongso.platform.telemetry.housekeeping import Housekeeper
from nongso.wire import marks

AIR = Series("tan-binh-1", "k1", "0000000000000001", "air_temperature")
SOIL = AIR._replace(name="soil_moisture")
T0 = 1790000000 - (1790000000 + 7 * HOUR) % DAY  # a midnight of the farm
SIM = marks.SIMULATED

numbers = st.one_of(
    st.none(),
    st.integers(-(10**9), 10**9).map(lambda n: n / 10),
    st.integers(0, 40).map(lambda n: 20 + n / 100),
    st.floats(),
    st.sampled_from([0.0, -0.0, 5e-324, float("inf"), float("nan"), 1e300, 2.0**53]),
)


def columns(rows: Sequence[tuple[int, float | None, int]]) -> Columns:
    return Columns(*zip(*rows, strict=True))


def bits(found: Columns) -> list[tuple[int, bytes | None, int]]:
    return [
        (at, None if value is None else struct.pack("<d", value), mark)
        for at, value, mark in zip(*found, strict=True)
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteTelemetry]:
    made = SqliteTelemetry(tmp_path / "telemetry.sqlite")
    yield made
    made.close()


def seal_all(store: SqliteTelemetry) -> int:
    return Housekeeper(store, lambda: T0 + 400 * DAY, rest=0).look()


def number(store: SqliteTelemetry, series: Series = AIR) -> int:
    return next(n for n, one in store.series().items() if one == series)


def count(store: SqliteTelemetry, table: str) -> int:
    with closing(sqlite3.connect(store.file)) as connection:
        (found,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(found)


@given(
    st.dictionaries(
        st.integers(0, sealed.LAST - 1), st.tuples(numbers, st.integers(0, 63)), min_size=1
    )
)
def test_every_reading_comes_out_of_a_block_bit_for_bit(
    found: dict[int, tuple[float | None, int]],
) -> None:
    given_ones = columns([(at, *found[at]) for at in sorted(found)])
    assert bits(blocks.unseal(7, blocks.seal(7, given_ones))) == bits(given_ones)


@given(
    st.integers(1, 400),
    st.sampled_from([60, 61, 300]),
    st.sampled_from([0, 1, 2, 6]),
    st.randoms(use_true_random=False),
)
def test_a_steady_sensor_comes_out_bit_for_bit_and_small(
    count: int, step: int, decimals: int, dice: random.Random
) -> None:
    level, rows = 20.0, []
    for n in range(count):
        level += dice.choice((-1, 0, 0, 1)) / 10**decimals
        rows.append((T0 + n * step, round(level, decimals), SIM))
    block = blocks.seal(1, columns(rows))
    assert bits(blocks.unseal(1, block)) == bits(columns(rows))
    assert len(block) < 100 + count


@st.composite
def steps_of(draw: st.DrawFn) -> tuple[int, list[int]]:
    """Draw how many bytes a step takes, and steps."""
    width = draw(st.sampled_from([1, 1, 2, 4]))
    most = min(draw(st.sampled_from([8, 128, 1 << 31])), 1 << (8 * width - 1))
    wild = st.integers(-most, most - 1) | st.sampled_from([-most, most - 1])
    return width, draw(st.lists(wild, max_size=300))


@given(st.integers(-(10**12), 10**12), steps_of(), st.data())
def test_a_sum_without_its_numbers_is_that_of_the_numbers(
    first: int, found: tuple[int, list[int]], data: st.DataObject
) -> None:
    width, steps = found
    raw = b"".join(step.to_bytes(width, "little", signed=True) for step in steps)
    numbers = blocks.Differences(first, [raw[n::width] for n in range(width)])
    each = list(itertools.accumulate(steps, initial=first))
    assert (list(numbers), len(numbers), numbers[-1]) == (each, len(each), each[-1])
    ends = sorted(data.draw(st.sets(st.integers(1, len(each)), max_size=9)))
    wanted = [sum(each[begin:end]) for begin, end in itertools.pairwise([0, *ends])]
    assert numbers.sums(ends) == wanted


def test_the_steepest_day_is_summed_up_as_its_numbers_are() -> None:
    for step in (-128, -9, -8, 7, 8, 127):
        numbers = blocks.Differences(0, [step.to_bytes(1, "little", signed=True) * 1439])
        assert numbers.sums([1440]) == [sum(range(0, 1440 * step, step))]


runs = st.lists(st.tuples(st.integers(1, 90), st.integers(1, 60)), max_size=4)


def times_of(those: list[tuple[int, int]]) -> list[int]:
    """Return times with so many even steps, one run after another."""
    return list(
        itertools.accumulate((step for step, many in those for _ in range(many)), initial=T0)
    )


@given(runs, st.data())
def test_times_in_stretches_read_like_a_list_of_them(
    those: list[tuple[int, int]], data: st.DataObject
) -> None:
    times = times_of(those)
    sealed_ones = blocks.unseal(1, blocks.seal(1, columns([(at, 1.0, 0) for at in times]))).at
    ends = sorted(data.draw(st.sets(st.integers(1, len(times)))) | {len(times)})
    pieces = [times[begin:end] for begin, end in itertools.pairwise([0, *ends])]
    for found in (sealed_ones, blocks.Times([range(T0, T0), *pieces])):
        assert list(found) == times
        assert found == times
        assert found != times[1:]
        assert list(reversed(found)) == times[::-1]
        assert [found[n] for n in range(-len(times), len(times))] == times * 2
        cut = data.draw(st.slices(len(times)))
        assert list(found[cut]) == times[cut]
        with pytest.raises(IndexError):
            found[len(times)]


@given(runs, st.lists(st.sampled_from([20.0, 20.01, 21.5, None]), min_size=1), st.integers(1, 400))
def test_a_step_has_its_readings_and_no_others(
    those: list[tuple[int, int]], values: list[float | None], step: int
) -> None:
    given_ones = columns(
        [
            (at, value, SIM if value is not None else SIM | marks.FAILED)
            for at, value in zip(times_of(those), itertools.cycle(values), strict=False)
        ]
    )
    block = blocks.seal(1, given_ones)
    found, scale = blocks.scaled(1, block)
    wanted: dict[int, list[float | None]] = {}
    for at, value in zip(given_ones.at, given_ones.value, strict=True):
        wanted.setdefault(at - (at - T0) % step, []).append(value)
    for extremes in (True, False):
        parts = list(
            sealed.parts(
                *(found, scale, T0, step), is_plain=blocks.is_plain(block), extremes=extremes
            )
        )
        assert [(part.at, part.good, part.suspect) for part in parts] == [
            (at, len(these) - these.count(None), these.count(None)) for at, these in wanted.items()
        ]
        for part, these in zip(parts, wanted.values(), strict=True):
            good = [value for value in these if value is not None]
            assert part.total == pytest.approx(sum(good), abs=1e-9)
            if extremes and good:
                assert (part.low, part.high) == (min(good), max(good))


@hypothesis_settings(max_examples=200)
@given(st.data())
def test_a_block_with_any_flipped_bit_or_under_another_place_is_refused(
    data: st.DataObject,
) -> None:
    block = bytearray(blocks.seal(7, columns([(T0 + 60 * n, n % 9 / 10, SIM) for n in range(50)])))
    with pytest.raises(BlockDamaged):
        blocks.unseal(8, bytes(block))
    with pytest.raises(BlockDamaged):
        blocks.unseal(7, bytes(block[: data.draw(st.integers(0, len(block) - 1))]))
    bit = data.draw(st.integers(0, 8 * len(block) - 1))
    block[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BlockDamaged):
        blocks.unseal(7, bytes(block))


@pytest.mark.parametrize("seed", range(2))
def test_whether_sealed_or_not_every_answer_is_the_same(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    plain = SqliteTelemetry(tmp_path / "plain.sqlite")
    store = SqliteTelemetry(tmp_path / "sealed.sqlite")
    # whole numbers of halves: their sums are exact in any order
    times = [T0 + n * 600 + dice.choice((0, 0, 0, 1)) for n in range(-20, 6 * 144)]
    times += [T0 + dice.randrange(6 * DAY) for _ in range(100)] + [0, 59, 10**6]
    dice.shuffle(times)
    rows = [
        Row(
            series, at, *dice.choice(((dice.randrange(80) / 2, SIM),) * 6 + ((None, 19), (9.0, 1)))
        )
        for at in times
        for series in (AIR, SOIL)
    ]
    for begin in range(0, len(rows), 400):
        batch = rows[begin : begin + 400]
        late = [row._replace(value=1000.0) for row in rows[:begin][:3]]  # another value, late
        assert plain.write(batch) == store.write(batch)
        assert plain.write_each(batch + late) == store.write_each(batch + late)
        Housekeeper(store, lambda: T0 + dice.randrange(3, 9) * DAY, rest=0).look()
    assert count(store, "sealed") > 8
    assert store.tally() == plain.tally()
    assert store.series() == plain.series()
    both = list(store.series())
    for series in ([both[0]], both):
        for since, until in (
            (T0, T0 + 6 * DAY),
            (0, T0 + 9 * DAY),
            (T0 - 7, T0 + DAY + 1),
            (T0 + 777, T0 + 40000),
            (T0 + 2 * DAY, T0 + 2 * DAY),
        ):
            assert store.points(series, since, until) == plain.points(series, since, until)
            assert store.points(series, since, until, limit=7) == plain.points(
                series, since, until, limit=7
            )
            assert store.suspects(series, since, until, 9) == plain.suspects(
                series, since, until, 9
            )
            assert store.origins(series, since, until) == plain.origins(series, since, until)
            for step in (HOUR, DAY, 3 * HOUR, 500):
                if since:
                    assert store.summaries(series, since, until, step) == plain.summaries(
                        series, since, until, step
                    )
                    assert store.steps(series, since, until, step) == plain.steps(
                        series, since, until, step
                    )
        assert store.latest(series) == plain.latest(series)
        assert store.span(series) == plain.span(series)
        for since in (0, T0 + DAY, T0 + 6 * DAY - 30):
            assert store.latest_good(both[0], since) == plain.latest_good(both[0], since)
    plain.close()
    store.close()


def test_a_day_stays_rows_until_six_hours_after_its_end(
    store: SqliteTelemetry,
) -> None:
    store.write([Row(AIR, T0 + 600 * n, n / 10, SIM) for n in range(4 * 144)])
    assert Housekeeper(store, lambda: T0 + 3 * DAY + 5).look() == 2
    assert (count(store, "sealed"), count(store, "reading")) == (2, 288)
    assert Housekeeper(store, lambda: T0 + 3 * DAY + 5).look() == 0
    assert count(store, "hour") == 48  # hours of sealed days are in the blocks
    assert Housekeeper(store, lambda: T0 + 3 * DAY + 6 * HOUR - 1).look() == 0
    assert Housekeeper(store, lambda: T0 + 3 * DAY + 6 * HOUR).look() == 1
    assert (count(store, "sealed"), count(store, "reading")) == (3, 144)


def test_a_late_reading_joins_its_sealed_day(store: SqliteTelemetry) -> None:
    store.write([Row(AIR, T0 + 600 * n, 20.0, SIM) for n in range(144) if n != 50])
    seal_all(store)
    late = [Row(AIR, T0 + 30000, 23.0, SIM), Row(AIR, T0 + 600, 20.0, SIM)]
    assert store.write(late) == Written(1, 0, 1, 0)
    assert store.write(late) == Written(0, 0, 2, 0)
    for _ in range(2):
        assert len(store.points([number(store)], T0, T0 + DAY)) == 144
        (day,) = store.summaries([number(store)], T0, T0 + DAY, DAY)
        hours = store.summaries([number(store)], T0, T0 + DAY, HOUR)
        assert (day.good, day.high, sum(hour.good for hour in hours)) == (144, 23.0, 144)
        seal_all(store)
        assert (count(store, "sealed"), count(store, "reading")) == (1, 0)
    assert store.write(late) == Written(0, 0, 2, 0)
    assert store.write([late[0]._replace(value=1.0)]) == Written(0, 0, 0, 1)


def test_a_day_of_a_reading_a_second_lies_in_blocks_of_a_page_each(
    store: SqliteTelemetry,
) -> None:
    dice = random.Random(3)
    rows = [Row(AIR, T0 + n, round(dice.gauss(20, 2), 2), SIM) for n in range(0, DAY // 2, 4)]
    store.write(rows)
    assert seal_all(store) == 1
    with closing(sqlite3.connect(store.file)) as connection:
        sizes = [size for (size,) in connection.execute("SELECT length(block) FROM sealed")]
    assert len(sizes) > 2
    assert max(sizes) <= sealed.MOST_BYTES
    found = store.columns([number(store)], T0, T0 + DAY)
    assert list(found.value) == [row.value for row in rows]
    store.write([Row(AIR, T0 + 4001, 9.0, SIM)])
    seal_all(store)
    assert len(store.points([number(store)], T0, T0 + DAY)) == len(rows) + 1


def test_a_file_from_before_sealed_days_is_sealed_step_by_step(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.sqlite"
    store = SqliteTelemetry(file)
    store.write([Row(AIR, T0 + 600 * n, n % 70 / 10, SIM) for n in range(1000)])
    before = store.points([number(store)], T0, T0 + 9 * DAY)
    days = store.summaries([number(store)], T0, T0 + 9 * DAY, DAY)
    store.close()
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript("DROP TABLE sealed; DROP TABLE sealing; PRAGMA user_version = 2")
    store = SqliteTelemetry(file)
    assert store.points([number(store)], T0, T0 + 9 * DAY) == before
    assert seal_all(store) == 7
    assert count(store, "reading") == 0
    assert store.points([number(store)], T0, T0 + 9 * DAY) == before
    assert store.summaries([number(store)], T0, T0 + 9 * DAY, DAY) == days
    store.close()


def test_the_file_gets_smaller_when_its_days_are_sealed(store: SqliteTelemetry) -> None:
    dice = random.Random(4)
    for begin in range(T0, T0 + 20 * DAY, DAY):
        values = [(begin + n, round(20 + dice.random(), 1)) for n in range(0, DAY, 60)]
        store.write([Row(AIR, at, value, SIM) for at, value in values])
    (before,) = store._ask("PRAGMA page_count")[0]
    seal_all(store)
    while store.give_back(256, 0):
        pass
    (after,) = store._ask("PRAGMA page_count")[0]
    assert after < before / 6


SEALER = """
import sys
from pathlib import Path
from nongso.platform.telemetry import SqliteTelemetry, housekeeping

class Telling(SqliteTelemetry):
    def seal(self, series, day):
        print(flush=True)
        return super().seal(series, day)

store = Telling(Path(sys.argv[1]))
housekeeping.Housekeeper(store, lambda: int(sys.argv[2]), rest=0).look()
"""


def test_whenever_the_sealing_is_killed_each_reading_is_there_once(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.sqlite"
    store = SqliteTelemetry(file)
    rows = [
        Row(AIR._replace(node=f"{n:016x}"), T0 + HOUR * hour, (n * 7 + hour) % 90 / 10, SIM)
        for n in range(12)
        for hour in range(24 * 24)
    ]
    store.write(rows)
    store.close()
    wanted = sorted((row.series, row.at, row.value, row.mark) for row in rows)
    dice = random.Random(5)
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", SEALER, str(file), str(T0 + 400 * DAY)], stdout=subprocess.PIPE
        )
        try:
            assert child.stdout is not None
            for _ in range(dice.randrange(2, 60)):
                assert child.stdout.readline()
            moment = time.monotonic() + dice.uniform(0, 0.005)
            while time.monotonic() < moment:
                pass
        finally:
            child.kill()
            child.communicate(timeout=30)
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        store = SqliteTelemetry(file)
        found = [
            (series, *point)
            for n, series in store.series().items()
            for point in store.points([n], T0, T0 + 40 * DAY)
        ]
        assert count(store, "sealed") > 0
        assert count(store, "reading") > 0
        store.close()
        assert sorted(found) == wanted
    assert damage.all_set_aside(file) == []


def damage_block(file: Path, place: int) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        (block,) = connection.execute(
            "SELECT block FROM sealed WHERE place = ?", (place,)
        ).fetchone()
        harmed = bytearray(block)
        harmed[len(harmed) // 2] ^= 4
        connection.execute("UPDATE sealed SET block = ? WHERE place = ?", (bytes(harmed), place))


def test_a_damaged_day_is_named_and_not_served_and_the_others_are(
    store: SqliteTelemetry, caplog: pytest.LogCaptureFixture
) -> None:
    store.write([Row(AIR, T0 + 600 * n, 20.0 + n % 5, SIM) for n in range(3 * 144)])
    seal_all(store)
    n = number(store)
    days = store.summaries([n], T0, T0 + 3 * DAY, DAY)
    assert store.health().notes == ()
    damage_block(store.file, sealed.place_of(n, T0 + DAY))
    seal_all(store)  # its first look of the day compares all checksums
    assert "1 blocks of sealed readings are damaged" in store.health().notes[0]
    assert store.health().trouble == ""
    day = time.strftime("%Y-%m-%d", time.gmtime(T0 + DAY + 7 * HOUR))
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert f"air_temperature of station {AIR.node} on {day}" in told
    points = store.points([n], T0, T0 + 3 * DAY)
    assert [(p.at - T0) // DAY for p in points] == [0] * 144 + [2] * 144
    assert store.summaries([n], T0, T0 + 3 * DAY, DAY) == days
    # what comes for that day now may have been in the block: shown, and not counted twice
    again = [Row(AIR, T0 + DAY + 600 * m, 30.0, SIM) for m in range(3)]
    assert store.write(again).stored == 3
    assert store.write(again).already == 3
    seal_all(store)
    assert len(store.points([n], T0, T0 + 3 * DAY)) == 288 + 3
    assert store.summaries([n], T0, T0 + 3 * DAY, DAY) == days
    assert len(caplog.records) < 10


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[Row]]:
    """A file of sealed days and a few rows, and all of its readings."""
    dice = random.Random(6)
    store = SqliteTelemetry(tmp_path_factory.mktemp("season") / "telemetry.sqlite")
    rows = [
        Row(series, T0 + 300 * n, round(20 + dice.random() * 3, 1), SIM)
        for series in (AIR, SOIL)
        for n in range(30 * 288)
    ]
    store.write(rows)
    Housekeeper(store, lambda: T0 + 28 * DAY, rest=0).look()
    assert count(store, "sealed") == 54
    store.close()
    return store.file, set(rows)


def test_sealed_days_come_back_although_their_tree_is_destroyed(
    tmp_path: Path, season: tuple[Path, set[Row]]
) -> None:
    (whole, rows), file = (season[0].read_bytes(), season[1]), tmp_path / "harmed.sqlite"
    with closing(sqlite3.connect(season[0])) as connection:
        roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_master"))
    for names in (["sealed"], ["sealed", "reading"], ["series", "sealed", "hour"]):
        harmed = bytearray(whole)
        for page in (roots[name] for name in names):
            harmed[(page - 1) * 4096 : page * 4096] = bytes(4096)
        file.write_bytes(harmed)
        found = {row for some in damage.readable(file) for row in some}
        assert found <= rows
        assert {row for row in rows if row.at < T0 + 27 * DAY} <= found


def test_what_is_left_of_destroyed_pages_is_right_and_nearly_all(
    tmp_path: Path, season: tuple[Path, set[Row]], caplog: pytest.LogCaptureFixture
) -> None:
    (whole, rows), file = (season[0].read_bytes(), season[1]), tmp_path / "harmed.sqlite"
    with closing(sqlite3.connect(season[0])) as connection:
        (block,) = connection.execute("SELECT block FROM sealed ORDER BY place").fetchone()
    for seed in range(3):
        dice = random.Random(seed)
        harmed = bytearray(whole)
        harmed[whole.index(block) + 30] ^= 16
        for page in dice.sample(range(8, len(whole) // 4096), 3 * seed):
            harmed[page * 4096 : page * 4096 + 4096] = bytes(4096)
        for _ in range(20):
            harmed[dice.randrange(8 * 4096, len(harmed))] ^= 16
        file.write_bytes(harmed)
        found = {row for some in damage.readable(file) for row in some}
        from_blocks = {row for row in found if row.at < T0 + 27 * DAY}
        assert from_blocks <= rows  # a flipped bit in a block is noticed, always
        assert len(found & rows) > 0.6 * len(rows)
    assert "the sealed readings of tan-binh-1/k1/" in caplog.text


def test_a_sealed_greenhouse_that_was_imported_can_be_taken_out(
    store: SqliteTelemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "BLOCKS_A_TURN", 2)
    old = AIR._replace(greenhouse="old", node="old-1")
    rows = [Row(old, T0 + 600 * n, n % 9 / 10, marks.IMPORTED | (n % 50 == 0)) for n in range(900)]
    store.write([*rows, *(row._replace(series=AIR, mark=SIM) for row in rows)])
    store.write([rows[5]._replace(value=99.0)])
    seal_all(store)
    store.write([Row(old, T0 + 7, 1.0, marks.IMPORTED)])
    with pytest.raises(forgetting.NotImported):
        forgetting.count(store.file, AIR.greenhouse)
    expected = forgetting.Forgotten(1, 901, 1)
    assert forgetting.count(store.file, "old") == expected
    assert forgetting.forget(store.file, "old") == expected
    assert store.series(greenhouse="old") == {}
    assert store.tally() == {"stored": 900, "suspect": 0, "conflicting": 0}
    assert len(store.points([number(store)], T0, T0 + 9 * DAY)) == 900
    assert count(store, "sealed") == 7
