"""A node on a board whose clock, network and sensors the test holds in its hands."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from slots import Slots
from tests.firmware.conftest import Broker, Gateway, until

from nongso.node import record, settings, sleep, station
from nongso.node.life import Life
from nongso.node.ring import Ring
from nongso.node.sampling import Sampler
from nongso.node.sensors import SensorFault
from nongso.node.station import Station
from nongso.wire import marks, payload

NOW = 1790000000


class Thermometer:
    """A sensor that shows what it is told."""

    name = "thermometer"
    series = ("air_temperature",)

    def __init__(self) -> None:
        self.shows: int | str = 2450

    def start(self) -> int:
        return 0

    def read(self) -> tuple[int, ...]:
        if isinstance(self.shows, str):
            raise SensorFault(self.shows)
        return (self.shows,)


class Board:
    """A board in the hand."""

    simulated = False

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.clock: int | None = None
        self.has_network = True
        self.fed = 0
        self.asked_time = 0
        self.server_time = NOW
        self.lights: list[bool] = []
        self.memory = b""
        self.slept: list[int] = []
        self.is_off = False

    async def join_network(self) -> None:
        if not self.has_network:
            raise OSError("no Wi-Fi farm")

    def unix_seconds(self) -> int | None:
        return self.clock

    async def set_clock(self) -> None:
        self.asked_time += 1
        if not self.has_network:
            raise OSError("no answer from the time server")
        self.clock = self.server_time

    def feed(self) -> None:
        self.fed += 1

    def light(self, is_on: bool) -> None:
        self.lights.append(is_on)

    def carried(self) -> bytes:
        return self.memory

    def carry(self, found: bytes) -> None:
        self.memory = found

    def sleep(self, ms: int) -> None:
        self.slept.append(ms)

    async def invite(self, seconds: int, on_turn: Callable[[], object]) -> bool:
        raise OSError("this board has no Wi-Fi of its own")

    async def wait_for_switch_off(self) -> None:
        while not self.is_off:
            await asyncio.sleep(0.02)


class Hand:
    """A station in a thread of its own, and everything that one can do to it."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        self.board = Board(folder)
        self.sensor = Thermometer()
        self._settings = settings.parse(json.dumps(config))
        self._thread: threading.Thread | None = None
        self.failure: BaseException | None = None
        self.life = Life(self.board.folder)
        self.starts_anew = False

    def start(self) -> Station:
        self.board.is_off = False
        made = Station(
            self._settings,
            self.board,
            Sampler([(self.sensor, "")]),
            Slots(self.board.folder),
            self.life,
        )
        self.boot = made.boot

        def run() -> None:
            try:
                self.starts_anew = asyncio.run(made.run())
            except Exception as e:
                self.failure = e

        self._thread = threading.Thread(target=run)
        self._thread.start()
        return made

    def end(self) -> None:
        self.board.is_off = True
        if self._thread is not None:
            self._thread.join(10)
            assert not self._thread.is_alive()


@pytest.fixture
def hand(tmp_path: Path, config: dict[str, Any]) -> Iterator[Hand]:
    made = Hand(config, tmp_path)
    yield made
    made.end()


def packs(gateway: Gateway, boot: int) -> list[list[dict[str, Any]]]:
    return [json.loads(message) for b, _, message in list(gateway.heard) if b == boot]


def test_without_a_clock_times_count_from_now(hand: Hand, gateway: Gateway) -> None:
    hand.start()
    pack = until(lambda: packs(gateway, hand.boot), "a sample")[0]
    assert payload.is_relative(pack)
    (reading,) = payload.readings(pack, NOW)
    assert NOW - 2 <= reading.at <= NOW
    assert reading.mark == marks.GOOD


@pytest.mark.walk
def test_samples_that_wait_become_absolute_when_the_clock_is_known(
    hand: Hand, gateway: Gateway
) -> None:
    hand.board.has_network = False
    hand.start()
    ring = Path(hand.board.folder) / "ring" / "00000001.seg"
    until(lambda: ring.exists() and ring.stat().st_size > 60, "samples in the ring")
    hand.board.clock = NOW
    until((Path(hand.board.folder) / "origins").exists, "the clock to be noticed")
    hand.board.has_network = True
    until(lambda: len(packs(gateway, hand.boot)) >= 3, "the samples")
    times = [payload.readings(pack, NOW)[0] for pack in packs(gateway, hand.boot)]
    assert not any(payload.is_relative(pack) for pack in packs(gateway, hand.boot))
    assert all(NOW - 10 <= reading.at <= NOW for reading in times)
    assert times[0].at < times[-1].at
    assert all(reading.mark == marks.GOOD for reading in times)


def test_samples_of_a_boot_that_never_had_a_clock_say_that_nobody_knows_when(
    hand: Hand, gateway: Gateway
) -> None:
    hand.board.has_network = False
    hand.start()
    ring = Path(hand.board.folder) / "ring" / "00000001.seg"
    until(lambda: ring.exists() and ring.stat().st_size > 30, "samples in the ring")
    hand.end()
    first_boot = hand.boot
    hand.board.has_network = True
    hand.board.clock = NOW
    hand.start()
    pack = until(lambda: packs(gateway, first_boot), "the old samples")[0]
    assert payload.readings(pack, NOW)[0].mark == marks.UNTIMED
    assert not payload.is_relative(pack)
    fresh = until(lambda: packs(gateway, hand.boot), "the new samples")[0]
    assert payload.readings(fresh, NOW)[0] == ("air_temperature", NOW, 24.5, marks.GOOD)


def test_a_failed_sensor_is_a_word_and_never_an_old_number(hand: Hand, gateway: Gateway) -> None:
    hand.sensor.shows = "stuck"
    hand.start()
    pack = until(lambda: packs(gateway, hand.boot), "a sample")[0]
    assert pack[-1]["vs"] == "stuck"
    assert "v" not in pack[-1]


def test_a_part_that_breaks_ends_the_node_and_is_told(hand: Hand, gateway: Gateway) -> None:
    class Broken(Thermometer):
        def read(self) -> tuple[int, ...]:
            raise ZeroDivisionError("in a driver")

    hand.sensor = Broken()
    hand.start()
    until(lambda: hand.failure is not None, "the end")
    assert isinstance(hand.failure, ZeroDivisionError)


def test_the_watchdog_is_fed_while_all_is_well(hand: Hand, broker: Broker) -> None:
    hand.start()
    until(lambda: hand.board.fed, "a feeding")


def test_a_ring_that_was_full_tells_the_gateway_how_much_it_gave_up(
    hand: Hand, gateway: Gateway
) -> None:
    ring = Ring(hand.board.folder + "/ring", 262144)
    heading = record.pack_heading(1, False, ("air_temperature",))
    ring.lost = 41
    ring.append(heading, record.pack(1, NOW, True, 0, [2450]))
    item = ring.read()
    assert item is not None
    ring.forget(item.place)  # writes the cursor, and with it what was lost
    hand.board.clock = NOW
    hand.start()
    pack = until(lambda: packs(gateway, hand.boot), "a sample")[0]
    assert payload.lost(pack) == 41


def test_a_number_that_the_quantity_cannot_have_is_a_word() -> None:
    sensor = Thermometer()
    sampler = Sampler([(sensor, ".2")])
    found = []
    for shows in (-2000, 7000, -2001, 7001):
        sensor.shows = shows
        found += asyncio.run(sampler.sample())
    assert found == [-2000, 7000, "out_of_range", "out_of_range"]


def test_without_a_broker_for_long_the_node_starts_anew_and_keeps_its_ring(
    hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station, "_BROKER_PATIENCE_MS", 100)
    monkeypatch.setattr(station, "_FEED_MS", 20)
    hand.board.has_network = False
    hand.start()
    until(lambda: hand.starts_anew, "the start anew")
    ring = Ring(hand.board.folder + "/ring")
    assert ring.read() is not None
    assert hand.failure is None


def test_a_safe_start_measures_nothing_but_stands_in_the_network(
    hand: Hand, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(6):
        hand.life.begin(False)
    assert hand.life.is_safe
    hand.start()
    until(lambda: ("online", False) in gateway.status, "the node")
    until(lambda: hand.board.fed, "a feeding")
    monkeypatch.setattr(station, "SAFE_FOR_MS", 0)
    until(lambda: hand.starts_anew, "the start anew")
    assert gateway.heard == []
    hand.life.begin(False)
    assert not hand.life.is_safe


def test_a_node_that_runs_for_a_while_has_started_well(
    hand: Hand, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station, "GOOD_AFTER_MS", 0)
    monkeypatch.setattr(station, "_FEED_MS", 20)
    for _ in range(5):
        hand.life.begin(False)
    hand.start()
    until(lambda: hand.board.fed > 2, "some time")
    hand.life.begin(False)
    assert not hand.life.is_safe


def test_a_clock_that_runs_fast_is_set_back(
    hand: Hand, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station, "_CLOCK_MS", 20)
    monkeypatch.setattr(station, "_CLOCK_AGAIN_MS", 20)
    hand.board.clock = NOW + 500
    hand.board.server_time = NOW
    hand.start()
    until(
        lambda: any(payload.readings(p, NOW)[0].at == NOW for p in packs(gateway, hand.boot)),
        "a sample with the right time",
    )
    asked = hand.board.asked_time
    hand.board.has_network = False
    until(lambda: hand.board.asked_time > asked + 2, "more questions")
    assert hand.failure is None


class Sleeper:
    """A node that sleeps, woken by hand, time after time."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        more = {"sleep_every": 3, "interval_seconds": 300, "awake_seconds": 10}
        self.settings = settings.parse(json.dumps({**config, **more}))
        self.board = Board(folder)
        self.board.clock = NOW
        self.life = Life(self.board.folder)

    def wake(self) -> Station:
        made = Station(
            self.settings,
            self.board,
            Sampler([(Thermometer(), "")]),
            Slots(self.board.folder),
            self.life,
        )

        async def run() -> None:
            assert not await asyncio.wait_for(made.run(), 20)

        asyncio.run(run())
        made.sleep()
        return made

    def flash(self) -> list[str]:
        return sorted(path.name for path in (Path(self.board.folder) / "ring").iterdir())


@pytest.fixture
def sleeper(config: dict[str, Any], tmp_path: Path) -> Sleeper:
    return Sleeper(config, tmp_path)


def test_a_node_that_sleeps_sends_every_third_time_and_spares_its_flash(
    sleeper: Sleeper, gateway: Gateway
) -> None:
    boots = {sleeper.wake().boot for _ in range(7)}
    assert len(boots) == 1, "a wake is no new start"
    until(lambda: gateway.numbers(*boots) == set(range(1, 8)), "all samples")
    assert sleeper.flash() == []
    assert len(sleeper.board.slept) == 7
    assert all(1000 <= ms <= 300000 for ms in sleeper.board.slept)
    times = [word for word, _ in gateway.status]
    assert times.count("online") == 3
    assert "offline" not in times, "who sleeps is not gone"


def test_samples_wait_in_the_memory_that_outlives_the_sleep(
    sleeper: Sleeper, gateway: Gateway
) -> None:
    boot = sleeper.wake().boot
    sleeper.wake()
    sleeper.wake()
    until(lambda: gateway.numbers(boot) == {1}, "the first sample")
    carried = sleep.unpack(sleeper.board.memory)
    assert carried is not None
    assert (carried.boot, carried.seq, len(carried.samples)) == (boot, 3, 2)


def test_a_power_cut_between_two_sleeps_begins_a_new_boot(
    sleeper: Sleeper, gateway: Gateway
) -> None:
    first = sleeper.wake().boot
    sleeper.board.memory = b""
    assert sleeper.wake().boot != first


def test_without_a_gateway_the_node_sleeps_all_the_same_and_keeps_what_it_has(
    sleeper: Sleeper, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.acknowledges = False
    made = sleeper.settings._replace(awake_seconds=1)
    sleeper.settings = made
    boot = sleeper.wake().boot
    assert sleeper.flash() == ["00000001.seg"]
    for _ in range(2):
        sleeper.wake()
    assert sleeper.flash() == ["00000001.seg"], "the flash is touched when sending failed only"
    gateway.acknowledges = True
    sleeper.settings = made._replace(awake_seconds=10)
    sleeper.wake()
    until(lambda: gateway.numbers(boot) == {1, 2, 3, 4}, "all samples")


def test_times_before_the_clock_was_known_go_on_through_the_sleep(
    sleeper: Sleeper, gateway: Gateway
) -> None:
    sleeper.board.clock = None
    sleeper.board.has_network = False
    sleeper.settings = sleeper.settings._replace(awake_seconds=1)
    boot = sleeper.wake().boot
    sleeper.wake()
    sleeper.wake()
    sleeper.board.has_network = True
    sleeper.settings = sleeper.settings._replace(awake_seconds=10)
    sleeper.wake()
    until(lambda: len(packs(gateway, boot)) >= 4, "all samples")
    at = [payload.readings(pack, NOW)[0].at for pack in packs(gateway, boot)]
    assert at[0] <= NOW - 3 * 299
    assert all(290 <= later - earlier <= 310 for earlier, later in pairwise(at[:4]))


def test_a_safe_start_does_not_sleep(sleeper: Sleeper, gateway: Gateway) -> None:
    for _ in range(6):
        sleeper.life.begin(False)
    sleeper.board.is_off = True
    sleeper.wake()
    assert sleeper.board.slept == []


def test_the_lamp_tells_from_afar_what_is_wrong(
    hand: Hand, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station, "_LINK_IS_GONE_MS", 300)
    made = hand.start()
    until(lambda: packs(gateway, hand.boot), "a sample")
    until(lambda: made._blinks() == 1, "one blink: all is well")
    assert True in hand.board.lights
    hand.sensor.shows = "absent"
    until(lambda: made._blinks() == 4, "four blinks: a sensor gives no number")
    hand.sensor.shows = 2450
    until(lambda: made._blinks() == 1, "one blink again")
    made._uplink._ack_trouble.failed("nothing is acknowledged")
    assert made._blinks() == 3


def test_a_start_that_the_gateway_has_heard_is_a_good_one(hand: Hand, gateway: Gateway) -> None:
    for _ in range(5):
        hand.life.begin(False)
    hand.start()
    until(lambda: Life(hand.board.folder)._bad.numbers == (0,), "the gateway's word")
