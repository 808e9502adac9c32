"""The past days: what a gateway takes, the same every time, and no jump at their end."""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from nongso.commands.house import House
from nongso.commands.ports import Ports
from nongso.gateway.settings import load
from nongso.gateway.simulated import past_account
from nongso.gateway.simulated.farm import begin
from nongso.gateway.simulated.past import (
    BY,
    SAMPLE_SECONDS,
    Past,
    live_through,
    window,
)
from nongso.gateway.simulated.settings import Band, FarmSettings, SettingsError, from_dict, read
from nongso.gateway.simulated.state import StateFile
from nongso.gateway.store import Store
from nongso.gateway.waterbook import WaterBook
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


@pytest.fixture(scope="module")
def by_band(settings_in: Callable[[Path], FarmSettings]) -> Past:
    """Three weeks in which the zone of tb-01 waters itself by its band, and people the other."""
    settings = settings_in(Path("/"))
    first, *others = settings.houses
    bands = (replace(first.zones[0], band=Band(40.0, 55.0, 120.0, 900.0)), *first.zones[1:])
    houses = (replace(first, zones=bands), *others)
    return live_through(replace(settings, houses=houses, days=21), *window(NOW, 21))


def test_a_zone_with_a_band_was_watered_by_that_band_and_by_what_its_probe_read(
    by_band: Past,
) -> None:
    """The reasons in the list of waterings are the numbers of the curve and of the way today."""
    soil = series(by_band, "tb-01", "soil_moisture")
    runs = [run for run in by_band.waterings if run.zone == "tan-binh-1-k1"]
    assert {run.code for run in runs} == {"soil_dry", "soil_filling"}
    for run in runs:
        assert (run.cause, run.by, run.seconds) == ("band", None, 120.0)
        read = max(at for at in soil if at <= run.started_at)
        assert run.values["moisture"] == pytest.approx(soil[read])
        if run.code == "soil_dry":
            assert run.values["moisture"] < run.values["low"] == 40.0
        else:
            assert 40.0 <= run.values["moisture"] < run.values["high"] == 55.0
    for sooner, later in itertools.pairwise(runs):
        assert later.started_at - sooner.started_at >= 120 + 900
    others = [run for run in by_band.waterings if run.zone != "tan-binh-1-k1"]
    assert others
    assert {(run.cause, run.by, run.code) for run in others} == {("wished", BY, "wished")}


def test_the_waterings_of_the_past_are_what_its_meter_counted(by_band: Past) -> None:
    totals = series(by_band, "binh-lu-bus", "water_total")
    counted = totals[max(totals)] - totals[min(totals)]
    assert sum(run.litres for run in by_band.waterings) == pytest.approx(counted, rel=0.01)


@pytest.mark.parametrize(
    "band",
    [
        {"low": 55.0, "high": 40.0, "run_seconds": 120, "soak_seconds": 900},
        {"low": 40.0, "high": 55.0, "run_seconds": 0, "soak_seconds": 900},
        {"low": 40.0, "high": 55.0, "run_seconds": 120},
        "40",
    ],
)
def test_a_band_that_cannot_be_is_refused(band: object, tmp_path: Path) -> None:
    file = farm_file(tmp_path)
    found = json.loads(file.read_text())
    found["greenhouses"][0]["zones"][1]["band"] = band
    with pytest.raises(SettingsError):
        from_dict(found, tmp_path)


PORTS = Ports(*range(10_001, 10_001 + len(fields(Ports))))


def farm_file(folder: Path) -> Path:
    """The simulated farm of a demo."""
    with House(folder / "data") as house:
        return house.write_farm(PORTS, 1.0)


def test_the_gateways_own_account_of_a_source_has_the_waterings_of_the_past(
    tmp_path: Path,
) -> None:
    """Once: what was taken since stays counted when a start that was cut off is made again."""
    farm = replace(read(farm_file(tmp_path)), days=DAYS)
    with House(tmp_path / "data") as house:
        settings = load(house.write_gateway(PORTS))
    past = live_through(farm, *window(NOW, DAYS))
    assert {run.cause for run in past.waterings} == {"band", "wished"}
    for _ in range(2):
        past_account.lay_down(settings, past.waterings)
    store = Store(settings.store_file)
    try:
        (source,) = settings.sources
        today, season = WaterBook(settings, store).drawn_litres(source, NOW)
    finally:
        store.close()
    midnight = NOW + 7 * 3600 - (NOW + 7 * 3600) % 86400 - 7 * 3600
    of_today = [run.litres for run in past.waterings if run.started_at >= midnight]
    assert today == pytest.approx(sum(of_today)) != 0
    assert season == pytest.approx(sum(run.litres for run in past.waterings))


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
