"""Foreign readings: every line and cell is accounted for, and nothing is stored twice."""

import csv
import datetime
import gzip
import io
import itertools
import json
import os
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from office import Place

from nongso.platform.columns import MapError
from nongso.platform.foreign_file import FileError
from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.import_count import Count
from nongso.platform.importing import command, import_readings
from nongso.platform.telemetry import Row, Series
from nongso.wire import marks

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
        (('"binh-lu"', '"nowhere"'), "no cooperative 'nowhere'; there are: bac-ha, binh-lu"),
        (('cooperative = "binh-lu"', ""), "must name its cooperative; there are: "),
        (('"Nhà cũ"', '"' + "x" * 121 + '"'), "name must have 1 to 120 letters"),
        (('"Nhà cũ"', '""'), "name must have 1 to 120 letters"),
        (('"Nhà cũ"', r'"Nhà \u202e cũ"'), "control character"),
        (("{zone}", "localtime"), "no time zone called 'localtime'"),
        (("{zone}", "posixrules"), "no time zone called"),
        (("{zone}", "right/Asia/Bangkok"), "nearest: 'Asia/Bangkok'"),
        (("{zone}", "../../etc/passwd"), "no time zone called"),
        (("{zone}", "x" * 5000), "no time zone called"),
        (("%Y-%m-%d %H:%M", "%Y %Y"), r"\[time\] format: '%Y %Y' does not say year, month and"),
        (("%Y-%m-%d %H:%M", "%H:%M"), "does not say year, month and day"),
        (("%Y-%m-%d %H:%M", "%d/%m %H:%M"), "does not say year, month and day"),
        (("%Y-%m-%d %H:%M", "%Y-%m-%d %Q"), "does not say year, month and day"),
        (("%Y-%m-%d %H:%M", "%"), "does not say year, month and day"),
        (("%Y-%m-%d %H:%M", ""), "does not say year, month and day"),
        (("%Y-%m-%d %H:%M", "%Y-%m-%d %Z"), "does not say year, month and day"),
        (("%Y-%m-%d %H:%M", "%Y" * 5000), "does not say year, month and day"),
        (("factor = 100", "factor = inf"), "column 'hum': factor must lie between"),
        (("factor = 100", "factor = nan"), "factor must lie between"),
        (("factor = 100", "factor = 1" + "0" * 400), "factor must lie between"),
        (("factor = 100", "factor = 1" + "0" * 5000), "is not TOML"),
        (("factor = 100", "factor = 0"), "factor must not be 0"),
        (("factor = 100", "offset = -inf"), "offset must lie between"),
        (("factor = 100", "factor = true"), "factor must be a number"),
        (("factor = 100", 'zone = "tan-binh-1-k1"'), "'old' has no zone 'tan-binh-1-k1'; it has"),
        *(
            (("greenhouse =", f'encoding = "{encoding}"\ngreenhouse ='), "no text is written in")
            for encoding in (
                *("klingon", "idna", "punycode", "base64", "undefined", "unicode_escape", "hex"),
                *("rot13", "utf-7", "os", "", "x" * 5000, "../utf-8", r"utf\u0000"),
            )
        ),
        *(
            (("greenhouse =", f"delimiter = {delimiter}\ngreenhouse ="), "must be one character")
            for delimiter in ('""', "'\"'", '";;"', r'"\n"', r'"\u0000"', '"a"', '"1"', '"."')
        ),
        (("greenhouse =", 'decimal = ";"\ngreenhouse ='), 'decimal must be "." or ","'),
        (("greenhouse =", 'decimal = ","\ngreenhouse ='), "cannot be the same sign"),
        (("greenhouse =", "x = " + "[" * 9000 + "\ngreenhouse ="), "go too deep"),
        (("greenhouse =", "#" * 1_000_001 + "\ngreenhouse ="), "is too long for a map"),
        (("[time]", "[clock]"), "no entry 'clock'"),
        (("greenhouse =", "greenhouse = = "), "is not TOML"),
    ],
)
def test_a_wrong_map_is_told_what_is_wrong_and_what_comes_nearest(
    load,  # type: ignore[no-untyped-def]
    change: tuple[str, str],
    says: str,
) -> None:
    with pytest.raises(MapError, match=says.replace("(", r"\(")) as told:
        load(["when,temp,hum"], map_text=MAP.replace(*change))
    assert len(str(told.value)) < 600


def test_a_file_of_which_nothing_can_be_read_is_named(place: Place, tmp_path: Path) -> None:
    map_file = tmp_path / "map.toml"
    map_file.write_text(MAP.replace("{zone}", "UTC"))
    file = tmp_path / "x.csv"
    with pytest.raises(FileError, match=r"x\.csv: cannot be read"):
        import_readings(place.settings, file, map_file)
    head = b"when,temp,hum\n"
    for contents, says in (
        (b"", "is empty"),
        (b"\x1f\x8b", "the file is damaged"),
        (gzip.compress(head)[:12], "the file is damaged"),
        (b"\xef\xbb\xbf\xff,temp,hum\n", "a byte is not utf-8; look at encoding in the map"),
        (b'when,"temp,hum\n', "head: is not CSV"),
        (head.decode().encode("utf-16"), 'write encoding = "utf-16" into the map'),
        (b"x" * 2_000_000, "more than 1000000 characters; look at delimiter"),
    ):
        file.write_bytes(contents)
        with pytest.raises(FileError, match=says):
            import_readings(place.settings, file, map_file)
    for contents, says in (
        (b"when;temp;hum\n", "one single cell: look at delimiter"),
        (b"when,temp\n", "no column 'hum'"),
        (b"when,temp,hum,temp\n", "more than one column 'temp'"),
        (b"," * 500_000, "no column 'when'"),
    ):
        file.write_bytes(contents)
        with pytest.raises(MapError, match=says):
            import_readings(place.settings, file, map_file)


def test_what_is_no_file_is_not_waited_for(place: Place, tmp_path: Path) -> None:
    map_file, pipe = tmp_path / "map.toml", tmp_path / "pipe"
    map_file.write_text(MAP.replace("{zone}", "UTC"))
    os.mkfifo(pipe)
    for odd in (tmp_path, pipe, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(FileError, match="is not a file"):
            import_readings(place.settings, odd, map_file)
        with pytest.raises(MapError, match="is not a file"):
            import_readings(place.settings, map_file, odd)


def test_a_file_that_breaks_off_is_loaded_up_to_there_and_said(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    map_file, file = tmp_path / "map.toml", tmp_path / "x.csv.gz"
    map_file.write_text(MAP.replace("{zone}", "UTC"))
    lines = [
        f"2021-05-{d:02} {h:02}:{m:02},{zlib.crc32(bytes((d, h, m))) % 4999 / 100},0.5"
        for d in range(1, 29)
        for h in range(24)
        for m in range(0, 60, 5)
    ]
    whole = gzip.compress("\n".join(["when,temp,hum", *lines]).encode())
    file.write_bytes(whole[:-9])
    assert command(place.settings, file, map_file) == 1
    said = capsys.readouterr()
    assert re.search(r"lines: 80\d\d stored \+ 0 already there \+ \d refused = 80\d\d", said.out)
    assert "the file is damaged: Compressed file ended before the end-of-stream" in said.err
    assert "What stood before it is loaded." in said.err
    half = len(whole) // 2
    file.write_bytes(whole[:half] + b"\x00\xff\x13" * 999 + whole[half + 2997 :])
    count = import_readings(place.settings, file, map_file)
    assert count.closes()
    assert (count.stored, count.already > 1000, count.is_done) == (0, True, False)
    assert "the file is damaged" in count.broke_off


def test_a_broken_line_is_refused_alone(place: Place, tmp_path: Path) -> None:
    map_file, file = tmp_path / "map.toml", tmp_path / "x.csv"
    map_file.write_text(MAP.replace("{zone}", "UTC"))
    file.write_bytes(
        b"\xef\xbb\xbfwhen,temp,hum,note\r\n"
        b'2021-05-01 00:00,20,0.5,"two\nlines"\n'
        b"2021-05-01 00:05,20\xff,0.5,\r"
        b'2021-05-01 00:10,"20"x,0.5,\r\n'
        b"2021-05-01 00:15,2\x000,0.5,\n"
        + b"2021-05-01 00:20,20,0.5,"
        + b"x" * 3_000_000
        + b"\n\n\r\n"
        b"0001-01-01 00:00,20,0.5,\n9999-12-31 23:59,20,0.5,\n"
        b"2021-05-01 00:25,20,0.5,\n"
        b'2021-05-01 00:30,20,0.5,"\n2021-05-01 00:35,20,0.5,'
    )
    count = import_readings(place.settings, file, map_file)
    assert count.closes()
    assert (count.lines, count.stored, count.refused) == (10, 3, 7)
    assert count.reasons == {
        "not in the encoding": 1,
        "not CSV": 2,
        "not a number": 1,
        "line too long": 1,
        "time": 2,
    }
    assert count.refusals[-1][1].startswith("is not CSV (and the 1 lines after it)")
    again = import_readings(place.settings, file, map_file)
    assert (again.stored, again.already, again.refused) == (0, 3, 7)


@pytest.mark.parametrize(
    ("encoding", "zone_name"),
    [("utf-16", "UTF-16"), ("cp1258", "windows-1258"), ("utf-8", "UTF8")],
)
def test_files_of_older_machines_are_read_in_their_encoding(
    place: Place, tmp_path: Path, encoding: str, zone_name: str
) -> None:
    map_file, file = tmp_path / "map.toml", tmp_path / "x.csv"
    text = MAP.replace("{zone}", "UTC").replace('"temp"', '"độ"')
    map_file.write_text(f'encoding = "{zone_name}"\ndelimiter = "\\t"\n' + text)
    head = "độ" if encoding == "utf-16" else "đô\u0323"  # older Windows writes marks apart
    file.write_bytes(f"when\t{head}\thum\n2021-05-01 00:00\t20\t0.5\n".encode(encoding))
    assert import_readings(place.settings, file, map_file).stored == 1


def test_a_decimal_comma_is_read_when_the_map_says_so_and_suggested_when_not(load) -> None:  # type: ignore[no-untyped-def]
    lines = ["when;temp;hum", "2021-05-01 00:00;20,5;0,5", "2021-05-01 00:05;1.020,5;0,5"]
    own = 'delimiter = ";"\n' + MAP
    count = load(lines, map_text=own)
    assert count.refused == 2
    assert 'the map says decimal = ","' in count.refusals[0][1]
    count = load(lines, map_text='decimal = ","\n' + own)
    assert (count.stored, count.cells_stored, count.cells_suspect) == (2, 3, 1)


@pytest.mark.parametrize(
    "cell", ["1_0", "٢٠", "inf", "nan1", "1e999", "0x14", "2 0", "1e13", "--2"]
)
def test_what_only_python_calls_a_number_is_refused(load, cell: str) -> None:  # type: ignore[no-untyped-def]
    count = load(["when,temp,hum", f"2021-05-01 00:00,{cell},0.5"])
    assert (count.cells_stored, count.cells_refused) == (1, 1)


def test_a_map_that_fits_no_line_makes_nothing_and_says_where_to_look(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    map_file, file = tmp_path / "map.toml", tmp_path / "x.csv"
    map_file.write_text(MAP.replace("{zone}", "UTC"))
    file.write_text("when,temp,hum\n" + "01/05/2021 00:00,20,0.5\n" * 30)
    assert command(place.settings, file, map_file) == 1
    said = capsys.readouterr()
    assert "0 stored + 0 already there + 30 refused = 30" in said.out
    assert (
        "nothing was loaded: all 30 lines were refused. First: line 2: '01/05/2021 00:00' is not "
        "of the form '%Y-%m-%d %H:%M'; line 3:" in said.err
    )
    assert f"Look at time.format in the map ({map_file}, line 7)." in said.err
    with place.records.session() as session:
        assert session.get(Greenhouse, "old") is None, "nobody sees an empty greenhouse"
    file.write_text("when,temp,hum\n")
    assert command(place.settings, file, map_file) == 1
    assert "the file has a head and no line below it" in capsys.readouterr().err


def test_readings_go_to_no_other_cooperatives_greenhouse_and_to_no_zone_that_is_not(
    farm: Place,
    load,  # type: ignore[no-untyped-def]
) -> None:
    lines = ["when,temp,hum", "2021-05-01 00:00,20,0.5"]
    own = MAP.replace('"old"', '"tan-binh-1"')
    with pytest.raises(MapError, match="belongs to cooperative 'binh-lu', not to 'bac-ha'"):
        load(lines, map_text=own.replace('"binh-lu"', '"bac-ha"'))
    with pytest.raises(MapError, match="no zone 'tan-binh-1-k9'; nearest: 'tan-binh-1-k"):
        load(lines, map_text=own + 'zone = "tan-binh-1-k9"\n')
    assert load(lines, map_text=own + 'zone = "tan-binh-1-k2"\n').stored == 1


def test_a_file_with_the_newest_line_first_passes_the_double_hour_backward(load, place) -> None:  # type: ignore[no-untyped-def]
    clock = ["03:30", "03:00", "02:30", "02:00", "02:30", "02:00", "01:30", "01:00"]
    lines = ["when,temp,hum", *(f"2019-10-27 {at},20,0.5" for at in clock)]
    count = load(lines, zone="Europe/Amsterdam")
    assert (count.stored, count.repeated_hour) == (8, 4)
    times = [at for at, _, _ in values(place)]
    assert [b - a for a, b in itertools.pairwise(times)] == [1800] * 7
    assert load(lines, zone="Europe/Amsterdam").stored == 0


def test_an_infinite_value_of_older_days_is_answered_as_no_number(farm: Place) -> None:
    now = int(time.time())
    series = Series("tan-binh-1", "", "n-1", "air_temperature")
    farm.telemetry.write([Row(series, now - 60, float("inf"), marks.IMPOSSIBLE)])
    answer = farm.ask("/api/v1/series?greenhouse=tan-binh-1&metric=air_temperature")
    found = json.loads(answer.text, parse_constant=pytest.fail)
    assert found["points"] == [[now - 60, None, "impossible"]]
    assert (
        "tan-binh-1"
        in json.loads(farm.ask("/api/v1/greenhouses").text, parse_constant=pytest.fail)[
            "greenhouses"
        ][0]["slug"]
    )
    assert farm.client("farmer").get("/greenhouses/tan-binh-1").status_code == 200


IMPORT = """
import os
import sys
from pathlib import Path
from nongso.platform.importing import import_readings
from nongso.platform.settings import Settings
folder, file, map_file = map(Path, sys.argv[1:])
settings = Settings(folder, "0123456789abcdef" * 4, records=os.environ["NONGSO_RECORDS"])
sys.stdin.readline()
count = import_readings(settings, file, map_file)
print(count.closes(), count.lines, count.stored, count.already, count.refused, count.cells_stored)
"""


def test_two_imports_of_one_file_at_once_share_the_work(place: Place, tmp_path: Path) -> None:
    map_file, file = tmp_path / "map.toml", tmp_path / "x.csv"
    map_file.write_text(MAP.replace("{zone}", "UTC"))
    begin = datetime.datetime(2021, 5, 1)  # noqa: DTZ001
    times = [begin + datetime.timedelta(minutes=n) for n in range(30_000)]
    file.write_text("when,temp,hum\n" + "".join(f"{t:%Y-%m-%d %H:%M},20,0.5\n" for t in times))
    words = [sys.executable, "-c", IMPORT, str(place.settings.folder), str(file), str(map_file)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "NONGSO_RECORDS": place.settings.records,
    }
    running = [
        subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    for one in running:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=60) for one in running]
    assert [one.returncode for one in running] == [0, 0], said
    counts = [out.split() for out, _ in said]
    assert [count[0] for count in counts] == ["True", "True"]
    assert [int(count[2]) + int(count[3]) for count in counts] == [30_000, 30_000]
    assert sum(int(count[5]) for count in counts) == 60_000, "each reading is stored by one"
    assert len(values(place)) == 30_000


CELLS = st.one_of(
    st.sampled_from(
        ["", "NaN", "20", "0.5", "-7.25", "900", "1e9", "1e300", "warm", "20,5", "inf"]
    ),
    st.text("0123456789.,-+eE \"'\n\r;\x00é\ud800", max_size=9),
)
TIMES = st.one_of(
    st.datetimes(datetime.datetime(2019, 10, 26), datetime.datetime(2019, 10, 28)).map(  # noqa: DTZ001
        lambda at: f"{at:%Y-%m-%d %H:%M}"
    ),
    st.sampled_from(["2019-10-27 02:30", "2020-03-29 02:30", "0001-01-01 00:00", "", "x"]),
)


@pytest.fixture
def no_waiting_for_the_disk(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Hundreds of imports: nobody pulls the plug meanwhile."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    return place


@given(
    rows=st.lists(st.tuples(TIMES, CELLS, CELLS, st.booleans()), max_size=12),
    quoted=st.booleans(),
    ending=st.sampled_from(["\n", "\r\n", "\r"]),
    cut=st.integers(0, 40),
    packed=st.booleans(),
)
@hypothesis.settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_the_count_closes_whatever_a_file_holds_and_a_second_run_stores_nothing(
    no_waiting_for_the_disk: Place,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str, bool]],
    quoted: bool,
    ending: str,
    cut: int,
    packed: bool,
) -> None:
    folder = tmp_path_factory.mktemp("file")
    map_file, file = folder / "map.toml", folder / "x.csv"
    map_file.write_text(MAP.replace("{zone}", "Europe/Amsterdam"))
    out = io.StringIO()
    writer = csv.writer(
        out, lineterminator=ending, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    )
    writer.writerow(["when", "temp", "hum"])
    for at, temperature, humidity, whole in rows:
        if whole:
            writer.writerow([at, temperature, humidity])
        else:
            out.write(f"{at},{temperature},{humidity}{ending}")
    contents = out.getvalue().encode(errors="surrogatepass")
    if cut < len(contents) - 60:  # keeps the head
        contents = contents[: len(contents) - cut]
    file.write_bytes(gzip.compress(contents) if packed else contents)
    first = import_readings(no_waiting_for_the_disk.settings, file, map_file)
    assert first.closes()
    second = import_readings(no_waiting_for_the_disk.settings, file, map_file)
    assert second.closes()
    assert (second.lines, second.stored, second.cells_stored) == (first.lines, 0, 0)


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
    assert " 90 stored and marked as suspect," in said.out, "the CO₂ sensor was dead for a morning"
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
