"""The past days: what a gateway takes, the same every time, and no jump at their end."""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nongso.gateway.simulated.farm import begin
from nongso.gateway.simulated.past import (
    SAMPLE_SECONDS,
    Past,
    live_through,
    window,
)
from nongso.gateway.simulated.settings import FarmSettings
from nongso.gateway.simulated.state import StateFile
from nongso.wire import marks, payload

NOW = 1_795_303_999.0
DAYS = 9


@pytest.fixture(scope="module")
def nine_days(settings_in: Callable[[Path], FarmSettings]) -> Past:
    return live_through(replace(settings_in(Path("/")), days=DAYS), *window(NOW, DAYS))


def test_every_message_is_one_that_the_wire_accepts(nine_days: Past) -> None:
    counted: dict[str, set[tuple[str, int]]] = defaultdict(set)
    sequences: dict[str, list[int]] = defaultdict(list)
    for message in nine_days.messages:
        assert len(message.payload) <= payload.MAX_BYTES
        pack = json.loads(message.payload)
        eui64, boot, (seq,) = payload.identify(pack)
        assert (boot, seq) == (message.boot, message.seq)
        sequences[eui64].append(seq)
        readings = payload.readings(pack, int(NOW))
        assert len(readings) == message.readings
        for name, at, value, mark in readings:
            assert marks.is_good(mark), (name, value)
            assert marks.origin(mark) == "simulated"
            assert value is not None
            assert (name, at) not in counted[eui64]
            counted[eui64].add((name, at))
    assert set(counted) == {"0200000000000001", "0200000000000002", "0200000000000009"}
    for found in sequences.values():
        assert sorted(found) == list(range(1, len(found) + 1))
    assert {name for name, _ in counted["0200000000000001"]} == {
        "air_temperature",
        "air_humidity",
        "light",
        "soil_moisture",
    }
    assert {name for name, _ in counted["0200000000000009"]} == {
        "water_total",
        "water_flow",
        "tank_level",
    }


def series(past: Past, node: str, name: str) -> dict[int, float]:
    found = {}
    for message in past.messages:
        if message.node == node:
            for reading in payload.readings(json.loads(message.payload), int(NOW)):
                if reading.name == name:
                    found[reading.at] = reading.value
    return found


def test_a_second_run_gives_the_same_bytes(nine_days: Past, farm_settings: FarmSettings) -> None:
    again = live_through(replace(farm_settings, days=DAYS), *window(NOW, DAYS))
    assert again.messages == nine_days.messages
    assert again.model.state() == nine_days.model.state()


def test_another_window_is_another_boot(nine_days: Past, farm_settings: FarmSettings) -> None:
    later = live_through(replace(farm_settings, days=DAYS), *window(NOW + 600, DAYS))
    assert {message.boot for message in later.messages}.isdisjoint(
        message.boot for message in nine_days.messages
    )


def test_two_nodes_are_silent_for_some_hours_and_the_rest_is_whole(nine_days: Past) -> None:
    start, end = window(NOW, DAYS)
    whole = (end - start) // SAMPLE_SECONDS + 1
    for node, hours in (("tb-01", 5.4), ("hb-01", 8.7), ("binh-lu-bus", 0.0)):
        name = "tank_level" if node == "binh-lu-bus" else "soil_moisture"
        times = sorted(series(nine_days, node, name))
        assert (times[0], times[-1]) == (start, end)
        gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
        long = [gap for gap in gaps if gap > SAMPLE_SECONDS]
        assert len(long) == (1 if hours else 0)
        assert len(times) == pytest.approx(whole - hours * 6, abs=3)


def test_beds_were_watered_in_the_morning_through_the_meter(nine_days: Past) -> None:
    totals = series(nine_days, "binh-lu-bus", "water_total")
    times = sorted(totals)
    used = {at: totals[at] - totals[before] for before, at in itertools.pairwise(times)}
    assert all(litres >= 0 for litres in used.values())
    watered = [at for at, litres in used.items() if litres > 0]
    assert watered
    assert all(6.0 <= (at + 7 * 3600) % 86400 / 3600 <= 7.5 for at in watered)
    soil = series(nine_days, "tb-01", "soil_moisture")
    assert 30.0 < min(soil.values()) < max(soil.values()) < 60.0
    assert max(soil.values()) - min(soil.values()) > 4.0


def test_the_live_farm_goes_on_where_the_past_ends(
    nine_days: Past, farm_settings: FarmSettings, tmp_path: Path
) -> None:
    state = StateFile(tmp_path / "state.json")
    state.put(model=nine_days.model.state())
    live = begin(farm_settings, StateFile(tmp_path / "state.json"), NOW)
    assert live.at == NOW
    node = farm_settings.nodes[0]
    last = series(nine_days, "tb-01", "soil_moisture")[window(NOW, DAYS)[1]]
    assert live.truth(node)["soil_moisture"] == pytest.approx(last, abs=0.4)
    assert live.water.total_litres == nine_days.model.water.total_litres


def test_after_an_accelerated_run_the_farm_keeps_its_soil_and_the_real_time(
    nine_days: Past, farm_settings: FarmSettings, tmp_path: Path
) -> None:
    state = StateFile(tmp_path / "state.json")
    ahead = nine_days.model.state() | {"at": NOW + 50 * 86400}
    state.put(model=ahead)
    live = begin(farm_settings, state, NOW)
    assert live.at == NOW
    assert live.bed("tan-binh-1-k1").upper == nine_days.model.bed("tan-binh-1-k1").upper
