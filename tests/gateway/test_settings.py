"""Settings: what fits is taken whole, what does not is refused by its key."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from control_box import settings_file

from nongso.gateway.errors import SettingsError
from nongso.gateway.run import init
from nongso.gateway.settings import load

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return settings_file(tmp_path, 1883, "https://nongso.example.vn")


def change(file: Path, how: Change) -> None:
    found = json.loads(file.read_text())
    how(found)
    file.write_text(json.dumps(found))


def test_the_farm_of_the_contract_is_understood(file: Path) -> None:
    settings = load(file)
    zone = settings.zones()["tan-binh-1-k1"]
    assert (zone.coil, zone.mode, zone.band and zone.band.low) == (0, "manual", 40.0)
    assert settings.bus.relay.device == "relay-waveshare-rtu-8ch"
    assert settings.store_file == file.parent / "store.sqlite"
    assert settings.valves_socket == file.parent / "valves.sock"
    assert settings.store_megabytes == 512


def zone(found: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = found["greenhouses"][0]["zones"][0]
    return first


PLANTS = {"crop": "ca-chua", "planted": "2026-10-01", "soil": "thit", "flow_l_per_min": 80}


def test_a_zone_can_have_plants(file: Path) -> None:
    change(file, lambda f: zone(f).update(mode="balance", balance=PLANTS))
    balance = load(file).zones()["tan-binh-1-k1"].balance
    assert balance is not None
    assert (balance.flow_l_per_min, balance.fallback) == (80.0, "nothing")


PZEM = {"unit": 5, "device": "meter-pzem-016"}
STREAM = {"id": "suoi", "name": "Suối Nậm Pé", "kind": "stream", "litres_per_day": 4000}


def draws(found: dict[str, Any], flow: float | None = 40.0, **more: Any) -> None:
    found["sources"] = [STREAM | more]
    zone(found).update(source="suoi", flow_l_per_min=flow)


def test_a_zone_can_have_its_water_from_a_source(file: Path) -> None:
    sun = {"begin": "sunrise+90", "end": "sunset-90", "place": [22.4, 103.6]}
    change(file, lambda f: draws(f, tested_on="2026-09-01", sun_hours=sun))
    settings = load(file)
    assert settings.zones()["tan-binh-1-k1"].source == "suoi"
    (source,) = settings.sources
    assert (source.litres_per_day, source.needs_test) == (4000.0, False)
    assert source.sun_hours is not None
    assert source.sun_hours.place == (22.4, 103.6)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (lambda f: draws(f, kind="sea"), r"sources\[0\]: kind must be one of"),
        (lambda f: draws(f, id="no slug"), r"sources\[0\].id"),
        (lambda f: draws(f, level_node="ff" * 8), r"sources\[0\].level_node"),
        (lambda f: (draws(f), f["sources"].append(STREAM)), "stands twice"),
        (lambda f: (draws(f), zone(f).update(source="gieng")), "which is not under sources"),
        (lambda f: draws(f, flow=None), "flow_l_per_min is needed: by it the quota of suoi"),
    ],
)
def test_a_source_that_cannot_be_meant_is_refused(file: Path, how: Change, says: str) -> None:
    change(file, how)
    with pytest.raises(SettingsError, match=says):
        load(file)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (lambda f: f.update(colour="red"), "unknown key colour"),
        (lambda f: zone(f).update(colour="red"), r"greenhouses\[0\].zones\[0\].colour"),
        (lambda f: f.update(folder="/"), "unknown key folder"),
        (lambda f: f.pop("bus"), "bus is missing"),
        (lambda f: f["broker"].pop("port"), "broker.port is missing"),
        (lambda f: f["broker"].update(port="1883"), "broker.port must be a whole number"),
        (lambda f: f["broker"].update(port=True), "broker.port must be a whole number"),
        (lambda f: f["broker"].update(port=70000), "broker.port must be a port"),
        (lambda f: f.update(gateway="Bình Lư"), "gateway is not a slug"),
        (lambda f: f["platform"].update(url="nongso.example.vn"), "platform.url must look like"),
        (lambda f: f["platform"].update(key="short"), "platform.key must have at least"),
        (lambda f: f["bus"].update(framing="serial"), "bus.framing must be one of"),
        (lambda f: f["bus"].update(lease_seconds=3600), "bus.lease_seconds"),
        (lambda f: f["bus"]["relay"].update(unit=0), "bus.relay.unit"),
        (lambda f: f["bus"].update(main_coil=7), "main_coil is the pump's coil"),
        (lambda f: zone(f).update(coil=7), "stands twice"),
        (lambda f: f["bus"].update(zones_at_once=0), "zones_at_once must be 1 or more"),
        (
            lambda f: f["bus"].update(tank_lowest_percent=10),
            "must lie below the 10 % that a start",
        ),
        (lambda f: f["bus"].update(mains={"meters": []}), "mains.meters must be 1 to 3"),
        (lambda f: f["bus"].update(mains={"meters": [PZEM | {"unit": 2}]}), "stands twice"),
        (lambda f: f["bus"].update(mains={"meters": [PZEM], "low_volts": 300}), "low_volts"),
        (lambda f: f["bus"].update(mains={"meters": [PZEM], "back_seconds": -1}), "back_seconds"),
        (lambda f: zone(f).update(windows=[{"hours": 24, "seconds": 9e4}]), "more than 24"),
        (lambda f: zone(f).update(windows=[{"hours": 48, "seconds": 9}]), "max_run_seconds"),
        (lambda f: zone(f).update(mode="always"), "mode must be one of off, manual, band"),
        (lambda f: zone(f).update(mode="band", band=None), "band is needed in mode band"),
        (lambda f: zone(f).update(mode="advice"), "balance is needed in mode advice"),
        (lambda f: zone(f).update(balance=PLANTS | {"crop": "lan"}), "balance: crop must be one"),
        (lambda f: zone(f).update(balance=PLANTS | {"colour": 1}), r"key .*balance\.colour"),
        (lambda f: zone(f)["band"].update(low=60), "0 <= low < high"),
        (lambda f: zone(f)["band"].update(run_seconds=9999), "band.run_seconds"),
        (lambda f: zone(f).update(max_day_seconds=10), "max_day_seconds"),
        (lambda f: f["greenhouses"][0].update(farm="hung-binh"), "not under farms"),
        (lambda f: f["nodes"][0].update(eui64="02000000000000FF"), "16 hex digits"),
        (lambda f: f["nodes"][0].update(eui64=f["nodes"][1]["eui64"]), "stands twice"),
        (lambda f: f["nodes"][0].update(slug="tb-02"), "stands twice"),
        (lambda f: f["nodes"][0].update(greenhouse="hung-binh-1"), "not under greenhouses"),
        (lambda f: f["nodes"][0].update(zone="tan-binh-1-k9"), "no zone of tan-binh-1"),
        (lambda f: f.update(nodes={}), "nodes must be a list"),
        (lambda f: f.update(store_megabytes=1), "store_megabytes must be 8 or more"),
        (lambda f: zone(f).update(area_m2=float("inf")), "area_m2 must be a number up to"),
        (lambda f: zone(f).update(area_m2=float("nan")), "area_m2 must be a number up to"),
        (lambda f: zone(f).update(area_m2=10**400), "area_m2 must be a number"),
        (lambda f: zone(f).update(area_m2=1e9), "area_m2 must be more than 0 and at most"),
        (lambda f: zone(f).update(max_run_seconds=10**9), "max_run_seconds must be more than 0"),
        (lambda f: zone(f)["band"].update(soak_seconds=10**9), "band.soak_seconds"),
        (lambda f: f["platform"].update(url="http://["), "platform.url must look like"),
        (lambda f: f["platform"].update(url="http://a:b"), "platform.url must look like"),
        (lambda f: f["platform"].update(url="http://a:99999"), "platform.url must look like"),
        (lambda f: f["platform"].update(url="http://a b"), "platform.url must look like"),
        (lambda f: f["platform"].update(url="http://u:p@a"), "platform.url must look like"),
        (lambda f: f["platform"].update(key="a" * 40 + " b"), "platform.key must have at least"),
        (lambda f: f["platform"].update(key="a" * 40 + "\n"), "platform.key must be a text"),
        (lambda f: f["broker"].update(host=""), "broker.host must be a text of 1 to"),
        (
            lambda f: f["broker"].update(password="\ud800"),
            "broker.password must be a text of 1 to",
        ),
        (lambda f: f.update(name="x" * 10_000), "name must be a text of 1 to"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_key(file: Path, how: Change, says: str) -> None:
    change(file, how)
    with pytest.raises(SettingsError, match=says) as caught:
        load(file)
    assert str(file) in str(caught.value)


def test_a_node_may_speak_for_the_whole_greenhouse(file: Path) -> None:
    change(file, lambda f: f["nodes"][0].update(zone=None))
    assert load(file).nodes[0].zone is None


def test_of_two_ends_of_a_run_none_is_taken_in_silence(file: Path) -> None:
    text = file.read_text().replace('"max_run_seconds"', '"max_run_seconds": 9, "max_run_seconds"')
    file.write_text(text)
    with pytest.raises(SettingsError, match="'max_run_seconds' stands twice"):
        load(file)


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "\xff", "[" * 100_000])
def test_a_file_that_is_no_settings_says_so(file: Path, text: str) -> None:
    file.write_text(text, "latin-1")
    with pytest.raises(SettingsError, match=r"gateway\.json"):
        load(file)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nongso gateway init"):
        load(tmp_path / "gateway.json")


def test_keys_that_others_can_read_are_complained_about(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.chmod(0o644)
    load(file)
    assert "chmod 600" in caplog.text


def test_first_settings_have_keys_of_their_own_and_are_private(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        file = tmp_path / name / "gateway.json"
        init(file, gateway="binh-lu", name="Tủ điều khiển", platform_url="https://nongso.vn")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        made.append(load(file))
    assert made[0].platform.key != made[1].platform.key
    assert made[0].broker.password != made[1].broker.password
    assert made[0].bus_node.eui64 != made[1].bus_node.eui64
    assert int(made[0].bus_node.eui64[:2], 16) & 3 == 2  # locally administered


def test_settings_with_keys_are_not_overwritten(file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(SettingsError, match="is there already"):
        init(file, gateway="binh-lu", name="Tủ điều khiển", platform_url="https://nongso.vn")
    assert file.read_bytes() == before


def test_first_settings_name_no_meter_and_no_tank_that_nobody_has_installed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "gateway.json"
    init(file, gateway="binh-lu", name="Tủ điều khiển", platform_url="https://nongso.vn")
    bus = json.loads(file.read_text())["bus"]
    assert (bus["meter"], bus["tank"]) == (None, None)
    assert "sim" not in json.dumps(bus)
    assert load(file).bus.meter is None


def test_first_settings_need_a_slug(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not a slug"):
        init(tmp_path / "g.json", gateway="Bình Lư", name="Tủ", platform_url="https://nongso.vn")
    assert not (tmp_path / "g.json").exists()
