"""Very dirty logs of real loggers come in as a node's messages, in the order of their files.

Three years later than they were written, because no node measures before 2024; else as they are:
clocks that step back, times that come twice, 750 °C, light that changes its unit, soil in the
air. ``LOGS=whole`` (``make real-logs``) brings every row, otherwise stretches of each file.
"""

import csv
import gzip
import os
import random
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from control_box import FARM, KEY, Box, Mosquitto, Speaker, settings_file, until
from flask import Flask

from nongso.gateway.inbox import Inbox
from nongso.gateway.irrigation.facts import newest_usable
from nongso.gateway.latest import Latest
from nongso.gateway.settings import load
from nongso.gateway.store import Store
from nongso.gateway.uplink import batch_text, configuration_of
from nongso.platform import app as platform_app
from nongso.platform import migrations, uplink
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.telemetry import DAY, HOUR, SqliteTelemetry
from nongso.platform.telemetry.housekeeping import Housekeeper
from nongso.wire import payload
from nongso.wire.metrics import metric_of

LOGS = Path(__file__).parents[3] / "shared/data/veneto-tunnel-1"
IS_WHOLE = os.environ.get("LOGS") == "whole"
STRETCHES, STRETCH = 3, 48  # a file, and rows each, where not all are brought
LATER = 1096 * DAY
ROWS_A_MESSAGE = 8  # as a node that sleeps in between
MESSAGES_A_TURN = 4  # a node has no more under way
PATIENCE_SECONDS = 30.0
ROME = ZoneInfo("Europe/Rome")

# Where a logger hangs and what its columns are: series name, and what makes it our unit.
SOIL = (("soil_temperature", 1.0), ("air_temperature", 1.0), ("par", 1.0))
MICRO = (*SOIL, ("soil_moisture.1", 100.0), ("soil_moisture.2", 100.0))
FILES = {
    "Micro_1": MICRO,
    "Micro_2": MICRO,
    "TRH_1": (("air_temperature", 1.0), ("air_humidity", 1.0)),
    "Temp_4ch_1": tuple((f"air_temperature.{n}", 1.0) for n in (1, 2, 3, 4)),
    "Ref_AirTemp": (("air_temperature", 1.0),),
    "Ref_RH": (("air_humidity", 1.0),),
    "Ref_PAR": (("light", 1000.0),),  # says klux all the time
    "Ref_SoilTemp": (("soil_temperature", 1.0),),
    "Ref_WaterCont": (("soil_moisture", 1.0),),
}
# What can be on a farm, told here once more: the test is not to believe the catalogue.
POSSIBLE = {
    "air_temperature": (-20.0, 70.0),
    "air_humidity": (0.0, 100.0),
    "light": (0.0, 200_000.0),
    "soil_moisture": (0.0, 100.0),
    "soil_temperature": (-20.0, 70.0),
    "par": (0.0, 3000.0),
}

pytestmark = pytest.mark.skipif(
    not LOGS.exists(), reason="the real logs (../shared/data) are not on this machine"
)


class Line(NamedTuple):
    """A row of a log: when, and a number in the last decimal of each series, or none."""

    at: int
    numbers: tuple[tuple[str, int | None], ...]


def slug_of(file: str) -> str:
    return file.lower().replace("_", "-")


def is_possible(name: str, value: float) -> bool:
    low, high = POSSIBLE[name.partition(".")[0]]
    return low <= value <= high


def decimals_of(name: str) -> int:
    metric = metric_of(name)
    assert metric is not None
    return int(metric.decimals)


def lines_of(file: str) -> list[Line]:
    """Read a log in the order of its rows; all of it, or the same stretches each time."""
    with gzip.open(LOGS / f"{file}.csv.gz", "rt", encoding="utf-8-sig", newline="") as text:
        head, *rows = csv.reader(text)
    when = next(n for n, title in enumerate(head) if title in ("Timestamp", "Europe/Rome"))
    columns = [n for n, title in enumerate(head) if n != when and title != "Read_NO"]
    assert len(columns) == len(FILES[file])
    if not IS_WHOLE:
        dice = random.Random(file)
        begins = sorted(dice.sample(range(len(rows) - STRETCH), STRETCHES))
        wanted = [*begins, worst(rows, columns, FILES[file])]
        taken = {n for begin in wanted for n in range(begin, begin + STRETCH)}
        rows = [row for n, row in enumerate(rows) if n in taken]
    return [
        Line(
            at_of(row[when]) + LATER,
            tuple(
                (name, number_of(name, row[column], factor))
                for column, (name, factor) in zip(columns, FILES[file], strict=True)
            ),
        )
        for row in rows
    ]


def worst(rows: list[list[str]], columns: list[int], series: tuple[tuple[str, float], ...]) -> int:
    """Return where the first impossible value is about to come, or the end."""
    for n, row in enumerate(rows):
        for column, (name, factor) in zip(columns, series, strict=True):
            number = number_of(name, row[column], factor)
            if number is not None and not is_possible(name, number / 10 ** decimals_of(name)):
                return max(0, n - STRETCH // 2)
    return len(rows) - STRETCH


def at_of(text: str) -> int:
    style = "%d/%m/%Y %H:%M:%S" if "/" in text else "%Y-%m-%d %H:%M:%S"
    return int(datetime.strptime(text, style).replace(tzinfo=ROME).timestamp())


def number_of(name: str, text: str, factor: float) -> int | None:
    value = float(text)
    return None if value != value else round(value * factor * 10 ** decimals_of(name))


def messages_of(file: str, eui64: str, lines: list[Line]) -> Iterator[bytes]:
    """Write the messages of a node that had this log's probes."""
    for seq, begin in enumerate(range(0, len(lines), ROWS_A_MESSAGE), 1):
        some = lines[begin : begin + ROWS_A_MESSAGE]
        records: list[tuple[str, int, int | None, str | None]] = [
            (name, line.at - some[0].at, number, None)
            for line in some
            for name, number in line.numbers
        ]
        yield payload.encode(eui64, boot_of(file), seq, some[0].at, records)


def boot_of(file: str) -> int:
    return list(FILES).index(file) + 1


class Watched(Latest):
    """Asks after each reading what watering would decide on, as if it were then."""

    def __init__(self) -> None:
        super().__init__()
        self.decided_on: list[tuple[str, float]] = []

    def take(
        self, eui64: str, readings: Iterable[Any], now: float | None = None
    ) -> list[tuple[str, str]]:
        changed = []
        for one in readings:
            changed += super().take(eui64, [one], now)
            newest = self.get(eui64, one.name)
            assert newest is not None
            found = newest_usable([newest], newest.at, 900.0)
            if found is not None:
                self.decided_on.append((found.name, found.value))
        return changed


class Office:
    """The platform, and what the gateway's rows become there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        settings = Settings(folder=folder, secret="0123456789abcdef" * 4)
        migrations.upgrade(settings)
        self.app: Flask = platform_app.create_app(settings)
        with self.app.extensions["nongso.records"].transaction() as session:
            session.add(Cooperative(slug="binh-lu", name="HTX Bình Lư"))
            session.flush()
            uplink.register_gateway(session, "binh-lu", "Bình Lư", "binh-lu", KEY)
        self.telemetry: SqliteTelemetry = self.app.extensions["nongso.telemetry"]

    def take_all(self, store: Store) -> None:
        """Bring what waits on the gateway, until nothing does."""
        for protected in (True, False):
            while True:
                store_id, rows = store.rows(protected, 500, 1 << 20)
                if not rows:
                    break
                got = self.app.test_client().post(
                    "/api/v1/gateways/binh-lu/batch",
                    data=gzip.compress(batch_text("binh-lu", store_id, rows)),
                    headers={"Authorization": "Bearer " + KEY, "Content-Encoding": "gzip"},
                )
                assert got.status_code == 200, got.text
                assert got.json["refused"] == []
                store.named(store_id, protected, got.json["stored"], [])

    def close(self) -> None:
        for name in ("nongso.telemetry", "nongso.records"):
            self.app.extensions[name].close()


def bring(box: Box, inbox: Inbox, logs: dict[str, list[Line]], eui64s: dict[str, str]) -> None:
    """Send all logs side by side, each in the order of its rows, as nodes do: few at a time."""
    speaker: Speaker = box.speaker("demo")
    waiting = {
        file: list(enumerate(messages_of(file, eui64s[file], lines), 1))
        for file, lines in logs.items()
    }
    sent: set[tuple[int, int]] = set()
    while any(waiting.values()):
        for file, messages in waiting.items():
            now, waiting[file] = messages[:MESSAGES_A_TURN], messages[MESSAGES_A_TURN:]
            for seq, raw in now:
                speaker.send(raw, slug_of(file))
                sent.add((boot_of(file), seq))
        until(lambda: speaker.told >= sent, "all are told", PATIENCE_SECONDS)
    assert inbox.refused == {}


def test_each_row_of_dirty_logs_is_accounted_for_and_nothing_impossible_counts(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    logs = {file: lines_of(file) for file in FILES}
    eui64s = {file: f"{0x0200000000000100 + n:016x}" for n, file in enumerate(FILES)}
    box = Box(tmp_path, mosquitto, "http://127.0.0.1:1")
    nodes = [
        {"farm": FARM, "slug": slug_of(file), "eui64": eui64, "greenhouse": "tan-binh-1"}
        for file, eui64 in eui64s.items()
    ]
    box.settings_file = settings_file(tmp_path, mosquitto.port, "http://127.0.0.1:1", nodes=nodes)
    box.settings = load(box.settings_file)
    watched = Watched()
    office = Office(tmp_path / "platform")
    try:
        store = box.store(latest=watched)
        store.record("configuration", configuration_of(box.settings))
        inbox = box.inbox(store)
        bring(box, inbox, logs, eui64s)
        office.take_all(store)
        look(office.telemetry, logs, eui64s)
        Housekeeper(office.telemetry, time.time, rest=0).look()
        look(office.telemetry, logs, eui64s)
        wrong = [one for one in watched.decided_on if not is_possible(*one)]
        assert watched.decided_on
        assert wrong == []
    finally:
        box.close()
        office.close()


def look(telemetry: SqliteTelemetry, logs: dict[str, list[Line]], eui64s: dict[str, str]) -> None:
    """Compare what the store holds and shows with the logs themselves."""
    numbers = {(one.node, one.name): n for n, one in telemetry.series().items()}
    conflicts = conflicts_of(telemetry)
    expected_suspects = other_values = 0
    for file, lines in logs.items():
        told: dict[tuple[str, int], list[float | None]] = {}
        for line in lines:
            for name, number in line.numbers:
                value = None if number is None else round(number / 10 ** decimals_of(name), 6)
                told.setdefault((name, line.at), []).append(value)
        for name, _ in FILES[file]:
            series = numbers[eui64s[file], name]
            stored = {p.at: p for p in telemetry.points([series], 0, 1 << 40, limit=10**7)}
            given = {at: values for (one, at), values in told.items() if one == name}
            # every row: its time is there, with its value or beside another one
            assert stored.keys() == given.keys()
            for at, values in given.items():
                others = conflicts.get((series, at), set())
                other_values += len(others)
                assert {stored[at].value} | others == set(values), (file, name, at)
            bad = {
                at for at, p in stored.items() if p.value is None or not is_possible(name, p.value)
            }
            expected_suspects += len(bad)
            seen = telemetry.suspects([series], 0, 1 << 40, 10**7)
            assert {point.at for _, point in seen} == bad
            check_sums(telemetry, series, name, stored.keys() - bad, bad)
    assert expected_suspects > 100
    tally = telemetry.tally()
    held = sum(len({line.at for line in lines}) * len(FILES[file]) for file, lines in logs.items())
    assert tally["stored"] + tally["suspect"] == held
    assert tally["suspect"] == expected_suspects
    assert tally["conflicting"] == other_values


def check_sums(
    telemetry: SqliteTelemetry, series: int, name: str, good: set[int], bad: set[int]
) -> None:
    since = min(good | bad)
    since -= (since + 7 * HOUR) % DAY
    for step in (HOUR, DAY):
        sums = telemetry.summaries([series], since, max(good | bad) + 2 * DAY, step)
        assert sum(one.good for one in sums) == len(good)
        assert sum(one.suspect for one in sums) == len(bad)
        for one in sums:
            for value in (one.low, one.mean, one.high):
                assert value is None or is_possible(name, value)
    steps = telemetry.steps([series], since, max(good | bad) + 1, 5400)
    assert all(point.value is not None and is_possible(name, point.value) for point in steps)


def conflicts_of(telemetry: SqliteTelemetry) -> dict[tuple[int, int], set[float | None]]:
    found: dict[tuple[int, int], set[float | None]] = {}
    for series, at, value in telemetry._ask("SELECT series, at, value FROM conflict"):
        found.setdefault((series, at), set()).add(value)
    return found
