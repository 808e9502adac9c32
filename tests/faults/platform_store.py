"""The platform's two databases under a failing disk: power cuts, and errors at each call.

The real way in takes batches as gateways bring them. Every row that an answer named must be there
after the next start, once, as it was sent; a batch that got no answer may be there or not, and
changes nothing when it is brought again.
"""

import json
import random
import shutil
import sqlite3
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from flask import Flask
from office import KEY, NODE_1, NODE_2, configuration
from sqlite_layers import under_python
from torn_disk import Cut, Disk, lay_down

from nongso.platform import app as platform_app
from nongso.platform import health, migrations, uplink
from nongso.platform.people import Cooperative
from nongso.platform.settings import Settings
from nongso.platform.telemetry import SqliteTelemetry
from nongso.platform.telemetry.housekeeping import Housekeeper

START = 1_760_000_000
ZONE = "tan-binh-1-k1"
RECORDS, READINGS = "records.sqlite", "telemetry.sqlite"
Row = dict[str, Any]


@cache
def _migrated() -> tuple[bytes, str]:
    """Make records of this version with a gateway, once a process."""
    folder = Path(mkdtemp())
    settings = Settings(folder=folder, secret="0123456789abcdef" * 4)
    migrations.upgrade(settings)
    app = platform_app.create_app(settings)
    with app.extensions["nongso.records"].transaction() as session:
        session.add(Cooperative(slug="binh-lu", name="HTX Bình Lư"))
        session.flush()
        uplink.register_gateway(session, "binh-lu", "Bình Lư", "binh-lu", KEY)
    _close(app)
    content = settings.records_file.read_bytes()
    keys = settings.keys_file.read_text() if settings.keys_file.exists() else ""
    shutil.rmtree(folder)
    return content, keys


def _close(app: Flask) -> None:
    for name in ("nongso.telemetry", "nongso.records"):
        app.extensions[name].close()


def _settings(folder: Path) -> Settings:
    return Settings(folder=folder, secret="0123456789abcdef" * 4)


@contextmanager
def _platform(folder: Path) -> Iterator[Flask]:
    app = platform_app.create_app(_settings(folder))
    try:
        yield app
    finally:
        _close(app)


class Work:
    """Brings batches as a gateway does, and writes down which rows an answer has named."""

    def __init__(self, seed: int, disk: Disk) -> None:
        self.chance = random.Random(seed)
        self.named: list[Row] = []
        self.offered: list[Row] = []
        self.runs: list[Row] = []
        self._disk = disk
        self._last = 0
        self._at = START

    def row(self, kind: str, **body: Any) -> Row:
        self._last += 1
        return {"id": self._last, "kind": kind, **body}

    def configure(self, app: Flask) -> None:
        assert self.bring(app, [self.row("configuration", configuration=configuration())]) == 200

    def readings(self) -> Row:
        self._at += 1800
        node = self.chance.choice((NODE_1, NODE_2))
        value = float(self._last % 500) / 10
        readings = [["light", self._at, value, 16], ["air_temperature", self._at + 1, value, 16]]
        return self.row("readings", node=node, boot=1, seq=self._last, readings=readings)

    def alarm(self) -> Row:
        alarm = {"code": "leak", "values": {"n": self._last}, "zone": None, "cleared_at": None}
        name = str(uuid.UUID(int=self.chance.getrandbits(128)))
        return self.row("alarm", alarm={"id": name, "raised_at": self._at, **alarm})

    def run(self) -> Row:
        """A run begins, or one that began ends."""
        open_runs = [run for run in self.runs if run["ended_at"] is None]
        if open_runs:
            run = open_runs[0]
            run.update(state="done", code="done", ended_at=self._at, seconds=20, litres=7.5)
        else:
            run = {
                "id": str(uuid.UUID(int=self.chance.getrandbits(128))),
                **{"zone": ZONE, "cause": "wished", "by": "Lan", "state": "running"},
                **{"code": "wished", "values": {}, "ordered_seconds": 20},
                **{"started_at": self._at, "ended_at": None, "seconds": 0, "litres": None},
            }
            self.runs.append(run)
        return self.row("run", run=dict(run))

    def batch(self) -> list[Row]:
        """Draw a batch; sometimes rows that were brought before come again."""
        rows = [self.readings() for _ in range(self.chance.choice((0, 1, 5, 40)))]
        rows += [self.alarm() for _ in range(self.chance.choice((0, 0, 1, 3)))]
        rows += [self.run() for _ in range(self.chance.choice((0, 0, 1)))]
        if self.named and self.chance.random() < 0.2:
            rows = [*self.chance.sample(self.named, min(5, len(self.named))), *rows]
        return sorted(rows or [self.readings()], key=lambda row: int(row["id"]))

    def bring(self, app: Flask, rows: Sequence[Row]) -> int:
        """Bring a batch; what the answer names is promised."""
        known = {row["id"] for row in self.offered}
        self.offered += [row for row in rows if row["id"] not in known]
        answer = app.test_client().post(
            "/api/v1/gateways/binh-lu/batch",
            data=json.dumps({"gateway": "binh-lu", "store": "0" * 16, "rows": list(rows)}),
            headers={"Authorization": f"Bearer {KEY}"},
        )
        if answer.status_code == 200:
            assert answer.json["refused"] == []
            by_id = {row["id"]: row for row in rows}
            self.named += [by_id[number] for number in answer.json["stored"]]
            self._disk.promises()
        return int(answer.status_code)

    def seal(self, app: Flask) -> int:
        """Seal the days that are over by the farm's readings; returns how many."""
        return Housekeeper(app.extensions["nongso.telemetry"], lambda: self._at).look()


def _ask(file: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as db:
        return db.execute(sql).fetchall()


def readings_in(file: Path) -> list[tuple[Any, ...]]:
    """Read every reading as pages do: node, name, time, value and mark."""
    store = SqliteTelemetry(file)
    try:
        return [
            (series.node, series.name, *point)
            for number, series in store.series().items()
            for point in store.points([number], 0, 1 << 40)
        ]
    finally:
        store.close()


def check(folder: Path, named: Sequence[Row], offered: Sequence[Row]) -> None:
    """Hold what is in both files against what was promised and what was brought."""
    for name in (RECORDS, READINGS):
        (verdict,) = _ask(folder / name, "PRAGMA integrity_check(1)")
        assert verdict == ("ok",), f"corrupt: {name}: {verdict}"
    found = readings_in(folder / READINGS)
    assert len(found) == len(set(found)), "a reading twice"
    assert set(_readings(named)) <= set(found), "readings lost"
    assert set(found) <= set(_readings(offered)), "readings that nobody sent"
    assert _ask(folder / READINGS, "SELECT count(*) FROM conflict") == [(0,)]
    assert dict(_ask(folder / READINGS, "SELECT * FROM tally"))["stored"] == len(found)
    alarms = {row[0] for row in _ask(folder / RECORDS, "SELECT id FROM alarm")}
    assert {row["alarm"]["id"] for row in named if row["kind"] == "alarm"} <= alarms, "alarm lost"
    runs = dict(_ask(folder / RECORDS, "SELECT id, ended_at FROM run"))
    for row in named:
        if row["kind"] == "run":
            assert row["run"]["id"] in runs, "run lost"
            ended_at = row["run"]["ended_at"]
            assert ended_at is None or runs[row["run"]["id"]] == ended_at, "end of a run lost"


def _readings(rows: Sequence[Row]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        if row["kind"] == "readings":
            for reading in row["readings"]:
                yield row["node"], *reading


def _check_cut(cut: Cut, work: Work, folder: Path) -> int:
    """Check one power cut; now and then the gateway brings everything again."""
    named = work.named[: cut.promised]
    lay_down(cut.image, folder)
    check(folder, named, work.offered)
    if work.chance.random() < 0.01:
        again = Work(0, Disk(folder, 0))
        with _platform(folder) as app:
            for start in range(0, len(work.offered), 400):
                assert again.bring(app, work.offered[start : start + 400]) == 200
        check(folder, work.offered, work.offered)
    shutil.rmtree(folder)
    return len(named)


def begin(folder: Path) -> Settings:
    """Lay down a platform that knows a gateway; its readings are made by the first start."""
    folder.mkdir()
    records, keys = _migrated()
    settings = _settings(folder)
    settings.records_file.write_bytes(records)
    if keys:
        settings.keys_file.write_text(keys)
        settings.keys_file.chmod(0o600)
    return settings


def power_cuts(seed: int, folder: Path, turns: int = 40) -> Counter[str]:
    """One life of a platform with a power cut at every sixth call or so."""
    home = folder / "home"
    begin(home)
    disk = Disk(home, seed)
    work = Work(seed, disk)
    count: Counter[str] = Counter()
    disk.promised = lambda: len(work.named)
    with under_python(disk), _platform(home) as app:
        disk.settle()
        work.configure(app)
        disk.is_cutting, disk.likely = True, 0.15
        for _ in range(turns):
            if work.chance.random() < 0.1:
                count["days sealed"] += work.seal(app)
            assert work.bring(app, work.batch()) == 200
            cuts, disk.cuts = disk.cuts, []
            for cut in cuts:
                count["promises looked for"] += _check_cut(cut, work, folder / "cut")
                count["cuts"] += 1
        disk.is_cutting = False
    check(home, work.named, work.offered)
    return count


def first_starts(seed: int, folder: Path) -> Counter[str]:
    """Power cuts while the very first file of readings is made."""
    home = folder / "home"
    home.mkdir(parents=True)
    disk = Disk(home, seed)
    disk.settle()
    disk.is_cutting, disk.likely = True, 1.0
    with under_python(disk):
        SqliteTelemetry(home / READINGS).close()
    for cut in disk.cuts:
        lay_down(cut.image, folder / "cut")
        SqliteTelemetry(folder / "cut" / READINGS).close()
        assert not list((folder / "cut").glob("*.damaged*")), "called damaged"
        shutil.rmtree(folder / "cut")
    return Counter(cuts=len(disk.cuts))


def refusals(seed: int, folder: Path, most: int = 10_000) -> Counter[str]:
    """A disk that is full or fails at the first, second, third … call, until nothing is left.

    Even seeds: full; odd ones: broken. It lasts for ``seed // 2 % 3`` more calls.
    """
    why, lasts = ("full", "broken")[seed % 2], 1 + seed // 2 % 3
    home = folder / "home"
    begin(home)
    disk = Disk(home, seed)
    work = Work(seed, disk)
    count: Counter[str] = Counter()
    probe, health.PROBE_SECONDS = health.PROBE_SECONDS, 0.0
    try:
        with under_python(disk), _platform(home) as app:
            disk.settle()
            work.configure(app)
            for first in range(1, most):
                rows = [work.readings(), work.alarm(), work.run(), work.readings()]
                if not _one_refusal(app, disk, work, rows, why, range(first, first + lasts)):
                    break
                count["refused calls"] += 1
    finally:
        health.PROBE_SECONDS = probe
    check(home, work.named, work.offered)
    return count


def _one_refusal(
    app: Flask, disk: Disk, work: Work, rows: Sequence[Row], why: str, refused: range
) -> bool:
    """Bring a batch some of whose calls are refused; ``False`` if it made fewer calls."""
    disk.calls = 0
    disk.refuses = lambda number: why if number in refused else None
    status = work.bring(app, rows)
    was_reached = disk.calls >= refused.start
    disk.refuses = lambda number: None
    assert status in (200, 503), f"an error without a name: {status}"
    assert work.bring(app, rows) == 200, "it works again, and the platform does not know"
    return was_reached
