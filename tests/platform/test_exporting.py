"""The readings of a greenhouse leave as a CSV, exactly as they are stored, sealed or not."""

import csv
import io
import json
from pathlib import Path

import pytest

from nongso.commands.__main__ import main
from nongso.platform import exporting
from nongso.platform.settings import Settings
from nongso.platform.telemetry import DAY, HOUR, Row, Series, SqliteTelemetry
from nongso.platform.telemetry.housekeeping import Housekeeper
from nongso.wire import marks

AIR = Series("tan-binh-1", "k1", "=0001", "air_temperature")
SOIL = AIR._replace(name="soil_moisture.2")
T0 = 1790000000 - (1790000000 + 7 * HOUR) % DAY  # a midnight of the farm
ROWS = [
    Row(AIR, T0, 21.5, marks.SIMULATED),
    Row(AIR, T0 + 60, 0.1, marks.GOOD),
    Row(AIR, T0 + 120, None, marks.FAILED),
    Row(AIR, T0 + 50 * DAY, -3.25, marks.IMPORTED),
    Row(AIR, (1 << 40) - 1, 9.0, marks.UNTIMED),
    Row(SOIL, T0 + DAY, 140.0, marks.IMPOSSIBLE),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(folder=tmp_path, secret="x" * 40)
    store = SqliteTelemetry(settings.telemetry_file)
    store.write([*ROWS, Row(AIR._replace(greenhouse="hung-binh-1"), T0, 1.0, 0)])
    store.close()
    return settings


def lines(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def exported(settings: Settings, **more: object) -> list[list[str]]:
    asked = {"greenhouse": "tan-binh-1", "since": 0, "until": 1 << 40, "metric": None} | more
    file = settings.folder / "out.csv"
    assert exporting.command(settings, **asked, file=file) == 0  # type: ignore[arg-type]
    return lines(file.read_text("utf-8"))


def test_every_reading_is_a_line_with_its_time_quality_and_origin(settings: Settings) -> None:
    head, *rest = exported(settings)
    assert head == list(exporting.HEAD)
    day = exporting._time(T0)
    assert day.endswith("T00:00:00+07:00")
    place = ["tan-binh-1", "k1", "'=0001"]
    assert rest == [
        [day, *place, "air_temperature", "21.5", "°C", "good", "simulated"],
        [exporting._time(T0 + 60), *place, "air_temperature", "0.1", "°C", "good", "measured"],
        [exporting._time(T0 + 120), *place, "air_temperature", "", "°C", "failed", "measured"],
        [
            exporting._time(T0 + 50 * DAY),
            *place,
            "air_temperature",
            "-3.25",
            "°C",
            "good",
            "imported",
        ],
        [str((1 << 40) - 1), *place, "air_temperature", "9.0", "°C", "untimed", "measured"],
        [
            exporting._time(T0 + DAY),
            *place,
            "soil_moisture.2",
            "140.0",
            "%",
            "impossible",
            "measured",
        ],
    ]


def test_a_sealed_season_is_written_like_rows(settings: Settings) -> None:
    before = exported(settings)
    store = SqliteTelemetry(settings.telemetry_file)
    assert Housekeeper(store, lambda: T0 + 90 * DAY).look() == 4
    store.close()
    assert exported(settings) == before


def test_only_the_days_and_the_metric_that_were_asked_for(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    file = settings.folder / "platform.json"
    file.write_text(json.dumps({"folder": str(settings.folder), "secret": "0123456789abcdef" * 4}))
    day = exporting._time(T0)[:10]
    asked = ["export", "readings", "--settings", str(file), "--greenhouse", "tan-binh-1"]
    assert main([*asked, "--since", day, "--until", day]) == 0
    assert [line[5] for line in lines(capsys.readouterr().out)[1:]] == ["21.5", "0.1", ""]
    assert main([*asked, "--metric", "soil_moisture"]) == 0
    assert [line[4] for line in lines(capsys.readouterr().out)[1:]] == ["soil_moisture.2"]


def test_an_unknown_greenhouse_is_told_with_those_that_are_known(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"greenhouse": "tan-bin", "since": 0, "until": 1 << 40, "metric": None, "file": None}
    assert exporting.command(settings, **asked) == 1  # type: ignore[arg-type]
    assert "known: hung-binh-1, tan-binh-1" in capsys.readouterr().err
