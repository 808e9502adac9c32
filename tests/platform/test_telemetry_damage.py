"""A damaged file of readings is set aside and said; the farm's pages and gateways live on."""

import logging
import random
import re
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from office import BUS, KEY, NODE_1, Place

from nongso.platform.settings import Settings
from nongso.platform.telemetry import (
    Row,
    Series,
    SqliteTelemetry,
    TelemetryAway,
    TelemetryDamaged,
    TelemetryError,
    carving,
    damage,
)
from nongso.wire import marks
from nongso.wire.metrics import metric_of

AIR = Series("tan-binh-1", "tan-binh-1-k1", NODE_1, "air_temperature")
SOIL = Series("tan-binh-1", "tan-binh-1-k1", NODE_1, "soil_moisture")
T0 = 1790000000 - 1790000000 % 86400
READINGS = 3000
PAGE = 4096


def season(folder: Path) -> Path:
    """A file with readings every five minutes of two series, closed."""
    file = folder / "telemetry.sqlite"
    store = SqliteTelemetry(file)
    for series in (AIR, SOIL):
        store.write([Row(series, T0 + 300 * n, 20 + n % 17 / 10, 16) for n in range(READINGS)])
    store.close()
    return file


def flip_bits(found: bytearray, dice: random.Random) -> None:
    for _ in range(dice.choice((1, 4, 64))):
        found[dice.randrange(len(found))] ^= 1 << dice.randrange(8)


def zero_a_page(found: bytearray, dice: random.Random) -> None:
    begin = dice.randrange(len(found) // 4096) * 4096
    found[begin : begin + 4096] = bytes(4096)


def cut_off(found: bytearray, dice: random.Random) -> None:
    del found[dice.choice((0, 50, dice.randrange(len(found)))) :]


def overwrite(found: bytearray, dice: random.Random) -> None:
    begin = dice.randrange(len(found))
    found[begin : begin + 3000] = dice.randbytes(len(found[begin : begin + 3000]))


def ask_everything(store: SqliteTelemetry) -> None:
    """Ask as the pages do; trouble has a name or there is none."""
    try:
        series = list(store.series())
        store.latest(series)
        store.points(series, T0, T0 + 10**8)
        store.steps(series, T0, T0 + 10**6, 600)
        store.summaries(series, T0, T0 + 10**6, 3600)
        store.summaries(series, T0 - 7 * 3600, T0 + 10**6, 86400)
        store.suspects(series, T0, T0 + 10**6)
        store.origins(series, T0, T0 + 10**6)
        store.span(series)
        store.tally()
        store.lately()
    except TelemetryAway:
        assert store.health().trouble
    store.health()


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


Harm = Callable[[bytearray, random.Random], None]
HARMS: list[Harm] = [flip_bits, zero_a_page, cut_off, overwrite]


def opens_anyway(whole: bytes, harm: Harm, dice: random.Random, folder: Path) -> bool:
    """Harm a file, open it, use it; say whether it was set aside."""
    folder.mkdir()
    file = folder / "telemetry.sqlite"
    harmed = bytearray(whole)
    harm(harmed, dice)
    file.write_bytes(harmed)
    store = SqliteTelemetry(file)
    aside = damage.all_set_aside(file)
    assert [path.read_bytes() for path in aside] == [harmed] * len(aside)
    ask_everything(store)
    new = Row(AIR, T0 - 300, 21.0, 16)
    try:
        assert store.write([new]).stored + store.write([new]).already == 2
    except TelemetryAway:
        assert store.health().trouble
    store.close()
    return bool(aside)


@pytest.mark.parametrize("harm", HARMS)
def test_whatever_happens_to_the_file_the_store_opens_and_keeps_the_damaged_one(
    tmp_path: Path, harm: Harm
) -> None:
    whole = season(tmp_path).read_bytes()
    aside_so_often = sum(
        opens_anyway(whole, harm, random.Random(seed), tmp_path / str(seed)) for seed in range(25)
    )
    assert aside_so_often > (0 if harm is flip_bits else 15)


def test_a_spoilt_name_of_a_table_is_damage(tmp_path: Path) -> None:
    def spoil(found: bytearray, dice: random.Random) -> None:
        at = found.index(b"tabletallytally")
        found[at + 5] = 0xD5

    whole = season(tmp_path).read_bytes()
    assert opens_anyway(whole, spoil, random.Random(1), tmp_path / "spoilt")


@pytest.mark.parametrize("harm", HARMS)
def test_damage_while_running_has_a_name_and_is_told_once(
    tmp_path: Path,
    harm: Callable[[bytearray, random.Random], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = season(tmp_path).read_bytes()
    shut = 0
    for seed in range(25):
        folder = tmp_path / str(seed)
        folder.mkdir()
        file = folder / "telemetry.sqlite"
        file.write_bytes(whole)
        store = SqliteTelemetry(file)
        harmed = bytearray(whole)
        harm(harmed, random.Random(seed))
        file.write_bytes(harmed)  # the same file under the running store
        caplog.clear()
        for _ in range(3):
            ask_everything(store)
        if store.health().trouble:
            shut += 1
            with pytest.raises(TelemetryDamaged):
                store.write([Row(AIR, T0 + 10**7, 21.0, 16)])
            assert len(caplog.records) == 1
        store.close()
    assert shut > (0 if harm is flip_bits else 10)


def test_what_a_damaged_file_still_gives_is_carried_over(tmp_path: Path) -> None:
    file = season(tmp_path)
    harmed = bytearray(file.read_bytes())
    for page in range(20, 24):  # leaves in the middle of the readings
        harmed[page * 4096 : page * 4096 + 4096] = bytes(4096)
    file.write_bytes(harmed)
    store = SqliteTelemetry(file)
    assert store.tally()["stored"] == 0
    store.write([Row(AIR, T0 + 10**7, 21.0, 16)])  # gateways go on meanwhile
    store.carry_over()
    wait_for(lambda: "carried over" in store.health().carried)
    wait_for(lambda: "going on" not in store.health().carried)
    kept = store.tally()["stored"]
    assert READINGS * 2 * 0.8 < kept < READINGS * 2
    for number, series in store.series().items():
        for point in store.points([number], T0, T0 + 10**6):
            assert point.value == 20 + (point.at - T0) // 300 % 17 / 10, series
        days = store.summaries([number], T0 - 7 * 3600, T0 + 10**6, 86400)
        assert sum(day.good for day in days) == len(store.points([number], T0, T0 + 10**6))
    store.close()
    again = SqliteTelemetry(file)
    again.carry_over()  # it was done once
    assert again._carrier is None
    assert again.tally()["stored"] == kept
    assert again.health().set_aside == tuple(p.name for p in damage.all_set_aside(file))
    again.close()


# A row of ``reading`` begins: five bytes of types, series 1 (no byte) or 2 (one), a time of four.
AS_STORED = re.compile(rb"\x05(?:(\x09)\x04.\x01|\x01\x04.\x01\x02)(.{4})", re.DOTALL)


def read_back(folder: Path, whole: bytes, zeroed: Iterable[int]) -> tuple[set[Row], set[Row]]:
    """What comes back after these pages (from 1) were zeroed, and what other pages still hold."""
    harmed = bytearray(whole)
    for page in zeroed:
        harmed[(page - 1) * PAGE : page * PAGE] = bytes(PAGE)
    left = {
        (1 if hit[1] else 2, int.from_bytes(hit[2], "big")) for hit in AS_STORED.finditer(harmed)
    }
    sound, file = folder / "sound.sqlite", folder / "harmed.sqlite"
    sound.write_bytes(whole)
    file.write_bytes(harmed)
    with closing(sqlite3.connect(sound)) as connection:
        stands = {
            Row((AIR, SOIL)[number - 1], at, value, mark)
            for number, at, value, mark in connection.execute("SELECT * FROM reading")
            if (number, at) in left
        }
    return {row for rows in damage.readable(file) for row in rows}, stands


def test_readings_come_back_although_the_root_of_their_table_is_destroyed(tmp_path: Path) -> None:
    whole = season(tmp_path).read_bytes()
    found, stands = read_back(tmp_path, whole, [6])
    assert len(stands) > READINGS * 2 * 0.98
    assert len(found & stands) >= 0.95 * len(stands)


@pytest.mark.parametrize(
    "zeroed", [[1], [2], [3], [4], [3, 6], [1, 6], [1, 4, 6], range(4, 26)], ids=str
)
def test_readings_come_back_whichever_first_pages_are_destroyed(
    tmp_path: Path, zeroed: Iterable[int]
) -> None:
    whole = season(tmp_path).read_bytes()
    found, stands = read_back(tmp_path, whole, zeroed)
    assert len(stands) > READINGS * 2 * 0.5
    assert len(found & stands) >= 0.95 * len(stands)


def test_readings_of_untouched_pages_come_back_whichever_pages_are_destroyed(
    tmp_path: Path,
) -> None:
    whole = season(tmp_path).read_bytes()
    for seed in range(10):
        dice = random.Random(seed)
        zeroed = dice.sample(range(4, len(whole) // PAGE + 1), 15)
        found, stands = read_back(tmp_path, whole, zeroed)
        assert len(found & stands) >= 0.95 * len(stands), zeroed


def test_without_any_name_of_a_series_no_reading_is_given_to_one(tmp_path: Path) -> None:
    whole = season(tmp_path).read_bytes()
    assert read_back(tmp_path, whole, [3, 4])[0] == set()


def test_a_conflicting_value_never_comes_back_as_the_reading(tmp_path: Path) -> None:
    file = season(tmp_path)
    store = SqliteTelemetry(file)
    store.write([Row(AIR, T0 + 300 * n, 33.0, 16) for n in range(600)])
    assert store.tally()["conflicting"] == 600
    store.close()
    found, _ = read_back(tmp_path, file.read_bytes(), range(6, 13))
    assert len(found) > READINGS
    assert 33.0 not in {row.value for row in found}


def test_readings_that_were_taken_out_do_not_come_back(tmp_path: Path) -> None:
    file = season(tmp_path)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA secure_delete = OFF")  # the default differs between systems
        connection.execute("DELETE FROM reading WHERE at > ?", (T0 + 300 * READINGS // 2,))
    found, _ = read_back(tmp_path, file.read_bytes(), [6])
    assert len(found) > READINGS * 0.95
    assert len({row for row in found if row.at > T0 + 300 * READINGS // 2}) == 0


def test_readings_in_the_log_come_back_although_the_file_is_destroyed(tmp_path: Path) -> None:
    file, harmed = season(tmp_path), tmp_path / "harmed.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        with connection:
            connection.execute("UPDATE series SET zone = 'k9' WHERE id = 1")
            connection.executemany(
                "INSERT INTO reading VALUES (1, ?, 20.5, 16)",
                ((T0 + 10**7 + n,) for n in range(READINGS)),
            )
        Path(f"{harmed}-wal").write_bytes(Path(f"{file}-wal").read_bytes())
    harmed.write_bytes(bytes(3 * PAGE))
    found = {row for rows in damage.readable(harmed) for row in rows}
    assert len(found) > READINGS * 0.95
    assert {row.series for row in found} <= {AIR._replace(zone="k9"), SOIL}


@pytest.fixture(scope="module")
def sound_season(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return season(tmp_path_factory.mktemp("season"))


def check_rows(folder: Path, raw: bytes) -> None:
    file = folder / "hostile.sqlite"
    for path in (file, Path(f"{file}-wal")):
        path.write_bytes(raw)
    carving.series_in(file)
    for carved in carving.readings_in(file):
        assert len(carved) < 40_000
    for rows in damage.readable(file):
        for row in rows:
            metric = metric_of(row.series.name)
            assert metric is not None
            assert 0 <= row.at < 1 << 40
            assert row.value is None or not marks.is_good(row.mark) or metric.low <= row.value


hostile = hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@hostile
@given(
    st.lists(
        st.tuples(st.sampled_from([0, 2, 5, 10, 13]), st.binary(max_size=600)).map(
            lambda page: (bytes([page[0]]) + page[1]).ljust(PAGE, page[1][-1:] or b"\0")
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_hostile_pages_never_raise(tmp_path: Path, pages: list[bytes], has_header: bool) -> None:
    head = b"SQLite format 3\0".ljust(PAGE, b"\1") if has_header else b""
    check_rows(tmp_path, head + b"".join(pages))


@hostile
@given(st.lists(st.tuples(st.integers(0, 1 << 30), st.binary(min_size=1, max_size=40))))
def test_rows_of_a_scribbled_file_are_plausible(
    tmp_path: Path, sound_season: Path, scribbles: list[tuple[int, bytes]]
) -> None:
    harmed = bytearray(sound_season.read_bytes()[: 16 * PAGE])
    for where, what in scribbles:
        begin = where % (len(harmed) - len(what))
        harmed[begin : begin + len(what)] = what
    check_rows(tmp_path, bytes(harmed))


def test_carrying_over_goes_on_after_a_restart(tmp_path: Path) -> None:
    file = season(tmp_path)
    harmed = bytearray(file.read_bytes())
    harmed[20 * 4096 : 21 * 4096] = bytes(4096)
    file.write_bytes(harmed)
    first = SqliteTelemetry(file)
    first.carry_over()
    first.close()
    second = SqliteTelemetry(file)
    second.carry_over()
    wait_for(lambda: second.health().carried.endswith("carried over"))
    assert second.tally()["stored"] > READINGS * 2 * 0.8
    second.close()


def test_a_file_that_is_no_database_is_kept_and_a_new_one_begins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "telemetry.sqlite"
    file.write_bytes(b"this is no database, but long enough to look like a file" * 30)
    SqliteTelemetry(file).close()
    (aside,) = damage.all_set_aside(file)
    assert aside.read_bytes().startswith(b"this is no database")
    assert "set aside" in caplog.text


def test_an_emptied_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.sqlite"
    file.touch()
    store = SqliteTelemetry(file)
    assert len(store.health().set_aside) == 1
    store.close()


def test_a_disk_that_damages_file_after_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.sqlite"
    for _ in range(damage.MOST_IN_AN_HOUR):
        file.write_bytes(b"x" * 5000)
        SqliteTelemetry(file).close()
    file.write_bytes(b"x" * 5000)
    with pytest.raises(TelemetryError, match="the disk fails"):
        SqliteTelemetry(file)
    assert file.read_bytes() == b"x" * 5000


def test_nothing_is_acknowledged_into_a_file_that_was_taken_away(tmp_path: Path) -> None:
    store = SqliteTelemetry(tmp_path / "telemetry.sqlite")
    store.write([Row(AIR, T0, 20.0, 16)])
    (tmp_path / "telemetry.sqlite").rename(tmp_path / "elsewhere.sqlite")
    with pytest.raises(TelemetryAway, match="moved or replaced"):
        store.write([Row(AIR, T0 + 300, 20.0, 16)])
    store.close()
    kept = sqlite3.connect(tmp_path / "elsewhere.sqlite")
    assert kept.execute("SELECT count(*) FROM reading").fetchone() == (1,)
    kept.close()


def test_pages_and_gateways_hear_503_while_the_file_is_damaged(
    farm: Place, caplog: pytest.LogCaptureFixture
) -> None:
    now = int(time.time())
    sample = farm.readings(NODE_1, ["air_temperature", now - 60, 21.5, 16])
    assert farm.bring(sample).status_code == 200
    file = farm.settings.telemetry_file
    file.write_bytes(bytes(file.stat().st_size))
    caplog.set_level(logging.ERROR)
    browser = farm.client("farmer")
    for _ in range(2):
        page = browser.get("/greenhouses/tan-binh-1")
        assert page.status_code == 503
        assert "Chưa xem được số đo" in page.text
        answer = farm.bring(farm.readings(NODE_1, ["air_temperature", now, 21.5, 16]))
        assert answer.status_code == 503
        assert answer.headers["Retry-After"]
    assert "Traceback" not in caplog.text
    assert caplog.text.count("is damaged") == 1
    health = farm.app.test_client().get("/healthz")
    assert health.status_code == 503
    assert "damaged" in health.text
    assert farm.app.test_client().get("/metrics").status_code == 200
    assert browser.get("/records/").status_code != 500


def test_after_the_next_start_the_farm_goes_on_and_healthz_names_the_file(farm: Place) -> None:
    file = farm.settings.telemetry_file
    farm.close()
    file.write_bytes(b"\0" * 5000)
    again = open_again(farm.settings)
    (name,) = again.telemetry.health().set_aside
    health = again.app.test_client().get("/healthz")
    assert health.status_code == 200
    assert name in health.text
    again.rows = 100
    answer = again.bring(again.readings(BUS, ["tank_level", int(time.time()), 60.0, 16]), key=KEY)
    assert answer.status_code == 200
    assert again.client("farmer").get("/greenhouses/tan-binh-1").status_code == 200
    again.close()


def open_again(settings: Settings) -> Place:
    from nongso.platform import app as app_of

    return Place(settings, app_of.create_app(settings))
