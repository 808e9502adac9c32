"""While the engine of readings dies and comes back, gateways keep what was not acknowledged.

The engines are real and are killed in the middle of writing. A ledger of what was acknowledged
to which gateway is the judge: all of it is there, once, with its own time and value.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from telemetry_engines import Engine, Influx, Victoria

from nongso.platform.settings import Settings
from nongso.platform.telemetry import Row, Series, Telemetry, TelemetryAway, open_telemetry, writer
from nongso.wire import marks

GATEWAYS, BATCHES, ROWS = 3, 9, 40
SECONDS = 60.0
AIR = Series("tan-binh-1", "k1", "0000000000000001", "air_temperature")
BEGIN = int(time.time()) - 86400


class Gateway:
    """Brings its rows batch by batch, and each again until it is acknowledged."""

    def __init__(self, number: int, store: Telemetry) -> None:
        self.series = AIR._replace(node=f"{number + 1:016x}")
        self._store = store
        self.outbox = [
            [
                Row(self.series, BEGIN + (n * ROWS + m) * 60, (n * m) % 70 / 10, marks.SIMULATED)
                for m in range(ROWS)
            ]
            for n in range(BATCHES)
        ]
        self.ledger: list[Row] = []  # what was acknowledged
        self.refused = 0
        self.conflicting = 0
        self.changed = threading.Event()

    def bring_all(self) -> None:
        deadline = time.monotonic() + SECONDS
        while self.outbox and time.monotonic() < deadline:
            try:
                written = self._store.write(self.outbox[0])
            except TelemetryAway:
                self.refused += 1
                self.changed.wait(0.02)  # as a gateway that heard 503
                continue
            self.conflicting += written.conflicting
            self.ledger += self.outbox.pop(0)


class Nemesis:
    """Kills the engine when a write is on its way: before it has it, or before it has answered."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dice = random.Random(2)
        self.moments = ["after", "before", "before", "after"]
        self.has_struck, self.is_dead = threading.Event(), threading.Event()
        self.has_struck.set()  # until it may
        self._lock = threading.Lock()

    def strike(self, moment: str) -> bool:
        with self._lock:
            if self.has_struck.is_set() or moment != self.moments[0] or self._dice.random() < 0.7:
                return False
            self.moments.pop(0)
            self.has_struck.set()
        self._engine.kill()
        self.is_dead.set()
        return True


@pytest.fixture(params=[Influx, Victoria])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    made = request.param(tmp_path / "engine")
    yield made
    made.close()


def test_nothing_acknowledged_is_lost_when_the_engine_is_killed_while_it_writes(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.2)
    store = open_telemetry(Settings(tmp_path, secret="x" * 40, telemetry=engine.setting))
    gateways = [Gateway(number, store) for number in range(GATEWAYS)]
    threads = [threading.Thread(target=one.bring_all, daemon=True) for one in gateways]
    nemesis = Nemesis(engine)
    kills = len(nemesis.moments)
    if isinstance(engine, Influx):
        engine.door.strike = nemesis.strike  # type: ignore[attr-defined]
    try:
        for thread in threads:
            thread.start()
        for n in range(kills):
            refused = told(gateways)
            if isinstance(engine, Influx):
                nemesis.has_struck.clear()
                assert nemesis.is_dead.wait(SECONDS)
                nemesis.is_dead.clear()
            else:  # after some more batches, at no particular moment of one
                wanted = (n + 1) * GATEWAYS * BATCHES * ROWS // (kills + 1)
                wait_for(threads, partial(has_acknowledged, gateways, wanted))
                engine.kill()
            wait_for(threads, partial(has_refused, gateways, refused))
            assert store.health().trouble
            engine.start()
        for thread in threads:
            thread.join(SECONDS)
        assert not any(one.outbox for one in gateways)
        assert told(gateways) >= kills
        assert sum(one.conflicting for one in gateways) == 0
        engine.settle()
        for one in gateways:  # the same again changes nothing
            assert store.write(one.ledger).already == len(one.ledger)
        store.close()
        store = open_telemetry(Settings(tmp_path, secret="x" * 40, telemetry=engine.setting))
        engine.settle()
        by_series = {series: number for number, series in store.series().items()}
        for one in gateways:
            number = by_series[one.series]
            found = store.points([number], BEGIN, BEGIN + 10 * 86400)
            assert [tuple(point) for point in found] == [row[1:] for row in one.ledger]
            (day,) = store.summaries([number], BEGIN, BEGIN + 10 * 86400, 10 * 86400)
            assert (day.good, day.suspect) == (len(one.ledger), 0)
    finally:
        for one in gateways:
            one.outbox = []
        for thread in threads:
            thread.join(SECONDS)
        store.close()


def acknowledged(gateways: list[Gateway]) -> int:
    return sum(len(one.ledger) for one in gateways)


def told(gateways: list[Gateway]) -> int:
    """How often gateways heard that the store is away."""
    return sum(one.refused for one in gateways)


def has_acknowledged(gateways: list[Gateway], rows: int) -> bool:
    return acknowledged(gateways) >= rows


def has_refused(gateways: list[Gateway], times: int) -> bool:
    return told(gateways) > times


def wait_for(threads: list[threading.Thread], what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < deadline
        assert any(thread.is_alive() for thread in threads)
        time.sleep(0.002)
