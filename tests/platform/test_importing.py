"""Foreign readings: every line and cell is accounted for, and nothing is stored twice."""

import gzip
import itertools
from pathlib import Path

import pytest
from office import Place

from nongso.platform.columns import MapError
from nongso.platform.foreign_file import FileError
from nongso.platform.importing import Count, command, import_readings
from nongso.platform.telemetry import Series

ROOT = Path(__file__).parents[2]
PANTAR = ROOT.parent / "shared" / "data" / "pantar-30mhz"

MAP = """
greenhouse = "old"
name = "Nhà cũ"
cooperative = "binh-lu"
[time]
column = "when"
format = "%Y-%m-%d %H:%M"
zone = "{zone}"
[columns."temp"]
metric = "air_temperature"
node = "n-1"
[columns."hum"]
metric = "air_humidity"
node = "n-1"
factor = 100
"""


@pytest.fixture
def load(place: Place, tmp_path: Path):  # type: ignore[no-untyped-def]
    def load(lines: list[str], zone: str = "Asia/Ho_Chi_Minh", map_text: str = MAP) -> Count:
        file, map_file = tmp_path / "old.csv", tmp_path / "old.toml"
        file.write_text("\n".join(lines) + "\n")
        map_file.write_text(map_text.replace("{zone}", zone))
        count = import_readings(place.settings, file, map_file)
        assert count.closes()
        return count

    return load


def values(place: Place, name: str = "air_temperature") -> list[tuple[int, float | None, int]]:
    series = [n for n, s in place.telemetry.series(greenhouse="old").items() if s.name == name]
    return [tuple(p) for p in place.telemetry.points(series, 0, 1 << 40)]


def test_every_line_and_cell_is_accounted_for(place: Place, load) -> None:  # type: ignore[no-untyped-def]
    lines = [
        "when,temp,hum,else",
        "2021-05-01 00:00,21.5,0.62,x",
        "2021-05-01 00:05,,NaN,x",
        "2021-05-01 00:10,900,0.62,x",
        "2021-05-01 00:15,warm,0.62,x",
        "yesterday,20,0.5,x",
        "2021-05-01 00:20,20",
        "1970-05-01 00:20,20,0.5,x",
        "2021-05-01 00:00,22.5,0.62,x",
        "",
        "2021-05-01 00:25,inf,0.62,x",
    ]
    count = load(lines)
    assert (count.lines, count.stored, count.already, count.refused) == (9, 4, 1, 4)
    assert (count.cells_stored, count.cells_suspect, count.cells_already) == (5, 1, 1)
    assert (count.cells_empty, count.cells_refused, count.cells) == (2, 3, 12)
    assert count.reasons == {
        "nothing to load": 1,
        "not a number": 2,
        "time": 2,
        "wrong number of cells": 1,
        "another value for the same time": 1,
    }
    reasons = dict(count.refusals)
    assert "'warm' is not a number" in reasons[5]
    assert "'yesterday' is not of the form" in reasons[6]
    assert values(place)[0][1:] == (21.5, 32)
    assert values(place)[1][1:] == (900.0, 33)
    again = load(lines)
    assert (again.stored, again.cells_stored, again.cells_suspect) == (0, 0, 0)
    assert (again.refused, again.lines) == (4, 9)


def test_the_hour_that_comes_twice_and_the_hour_that_never_was(place: Place, load) -> None:  # type: ignore[no-untyped-def]
    autumn = [
        f"2019-10-27 {t},20,0.5" for t in ("01:30", "02:00", "02:30", "02:00", "02:30", "03:00")
    ]
    spring = [f"2020-03-29 {t},20,0.5" for t in ("01:30", "02:00", "02:30", "03:00")]
    count = load(["when,temp,hum", *autumn, *spring], zone="Europe/Amsterdam")
    assert (count.stored, count.refused, count.repeated_hour) == (8, 2, 4)
    assert "does not exist in Europe/Amsterdam" in count.refusals[0][1]
    times = [at for at, _, _ in values(place)]
    assert [b - a for a, b in itertools.pairwise(times[:6])] == [1800] * 5
    assert load(["when,temp,hum", *autumn, *spring], zone="Europe/Amsterdam").stored == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('"when"', '"wen"'), "no column 'wen'; nearest: 'when'"),
        (('[columns."temp"]', '[columns."tmp"]'), "no column 'tmp'; nearest: 'temp'"),
        (("air_humidity", "humidity"), "no metric called 'humidity'; nearest: 'air_humidity'"),
        (("{zone}", "Asia/Hanoi"), "no time zone called 'Asia/Hanoi'"),
        (("factor", "faktor"), "no entry 'faktor'; nearest: 'factor'"),
        (("air_humidity", "air_temperature"), "are both air_temperature of node n-1"),
        (('"old"', '"Old House"'), "greenhouse: not a slug"),
        (('"binh-lu"', '"nowhere"'), "must name its cooperative; there are: "),
        (("[time]", "[clock]"), "no entry 'clock'"),
        (("greenhouse =", "greenhouse = = "), "is not TOML"),
    ],
)
def test_a_wrong_map_is_told_what_is_wrong_and_what_comes_nearest(
    load,  # type: ignore[no-untyped-def]
    change: tuple[str, str],
    says: str,
) -> None:
    with pytest.raises(MapError, match=says.replace("(", r"\(")):
        load(["when,temp,hum"], map_text=MAP.replace(*change))


def test_files_that_cannot_be_read_are_named(place: Place, tmp_path: Path) -> None:
    map_file = tmp_path / "map.toml"
    map_file.write_text(MAP.replace("{zone}", "UTC"))
    file = tmp_path / "x.csv"
    with pytest.raises(FileError, match=r"x\.csv: cannot be read"):
        import_readings(place.settings, file, map_file)
    whole = gzip.compress(b"when,temp,hum\n" + b"2021-05-01 00:00,20,0.5\n" * 9999)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileError, match="the file is damaged"):
        import_readings(place.settings, file, map_file)
    file.write_bytes(b"when,temp,hum\n2021-05-01 00:00,20\xff,0.5\n")
    with pytest.raises(FileError, match="is not utf-8"):
        import_readings(place.settings, file, map_file)
    file.write_bytes(b'when,temp,hum\n"2021-05-01 00:00,20,0.5\n')
    with pytest.raises(FileError, match="is not CSV"):
        import_readings(place.settings, file, map_file)


def test_an_existing_greenhouse_is_filled_and_keeps_its_name(farm: Place, load) -> None:  # type: ignore[no-untyped-def]
    own = MAP.replace('"old"', '"tan-binh-1"')
    assert load(["when,temp,hum", "2021-05-01 00:00,20,0.5"], map_text=own).stored == 1
    found = farm.telemetry.series(greenhouse="tan-binh-1")
    assert Series("tan-binh-1", "", "n-1", "air_temperature") in found.values()
    assert "Nhà màng Tân Bình 1" in farm.client("farmer").get("/greenhouses/tan-binh-1").text


@pytest.mark.skipif(not PANTAR.exists(), reason="the recorded greenhouse data is not here")
def test_a_month_of_a_real_glasshouse_loads_once_and_opens(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    file = PANTAR / "one-month-every-5-minutes.csv.gz"
    map_file = ROOT / "docs" / "maps" / "pantar-30mhz.toml"
    assert command(place.settings, file, map_file) == 0
    said = capsys.readouterr()
    assert "8641 stored + 0 already there + 3 refused = 8644" in said.out
    assert "100 %" in said.err
    assert command(place.settings, file, map_file) == 0
    assert "0 stored + 8641 already there + 3 refused = 8644" in capsys.readouterr().out
    page = place.client("farmer").get("/greenhouses/pantar?day=2020-09-01")
    assert page.text.count('<svg class="chart"') >= 8
    assert len(page.data) < 60_000
    series = "/api/v1/series?greenhouse=pantar&metric=air_temperature&node=kas-4-l&since=0"
    points = place.ask(series).json["points"]
    assert points[0] == [1597574700, 33.1, "good"]


@pytest.mark.skipif(not PANTAR.exists(), reason="the recorded greenhouse data is not here")
def test_a_year_with_both_changes_of_the_clock_closes(place: Place, tmp_path: Path) -> None:
    map_file = tmp_path / "year.toml"
    map_file.write_text(
        'greenhouse = "year"\ncooperative = "binh-lu"\n[time]\ncolumn = ""\n'
        'format = "%Y-%m-%d %H:%M:%S"\nzone = "Europe/Amsterdam"\n'
        '[columns."Sensor kas 4 L (073) - Temperature (°C) - averages"]\n'
        'metric = "air_temperature"\nnode = "kas-4-l"\n'
    )
    file = PANTAR / "330-days-some-sensors-every-hour.csv.gz"
    count = import_readings(place.settings, file, map_file)
    assert count.closes()
    assert (count.lines, count.repeated_hour) == (7921, 2)
    series = list(place.telemetry.series(greenhouse="year"))
    times = [p.at for p in place.telemetry.points(series, 0, 1 << 40)]
    steps = {b - a for a, b in itertools.pairwise(times)}
    assert min(steps) == 3600
    assert len(times) == count.stored
