"""A week on the simulated farm, each way of watering: its litres are the truth, not our sums."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def _tool() -> Any:
    spec = importlib.util.spec_from_file_location("week", ROOT / "tools" / "week.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules["week"] = found
    spec.loader.exec_module(found)
    return found


week = _tool()


@pytest.fixture(scope="module")
def weeks() -> dict[str, Any]:
    return {mode: week.simulate(mode) for mode in week.NAMES}


def test_the_picture_shows_what_the_rules_do_today(weeks: dict[str, Any]) -> None:
    """After a change: tools/week.py --out docs/pictures/water-week.svg"""
    kept = (ROOT / "docs" / "pictures" / "water-week.svg").read_text("utf-8")
    assert kept == week.drawn(list(weeks.values()))


def test_the_water_balance_gives_what_the_plants_drink_and_loses_nothing(
    weeks: dict[str, Any],
) -> None:
    by_balance = weeks["balance"]
    assert by_balance.dry_hours == 0
    assert by_balance.drained_litres < 0.02 * by_balance.litres
    in_soil = (week.farm().bed("k1").litres - 250 * 0.52 * 96) / 240 + by_balance.true_mm
    assert by_balance.litres / 240 == pytest.approx(
        by_balance.used_litres / 240 - in_soil, abs=0.1
    )


def test_what_is_reckoned_stays_near_what_the_soil_holds(weeks: dict[str, Any]) -> None:
    """The model's plants follow another formula (Baille's), so this is no test of a copy."""
    for mode in ("balance", "advice"):
        one = weeks[mode]
        assert one.reckoned_mm is not None
        assert abs(one.reckoned_mm - max(0.0, one.true_mm)) < 3.0


def test_the_clock_loses_more_water_than_rules_that_look_at_the_soil(
    weeks: dict[str, Any],
) -> None:
    lost = {mode: one.drained_litres for mode, one in weeks.items()}
    assert lost["schedule"] > 10 * max(lost["band"], lost["balance"], 1.0)
    assert weeks["schedule"].refusals > 0, "the tank was to run low"


def test_without_anybody_the_plants_thirst_and_nothing_flows(weeks: dict[str, Any]) -> None:
    assert weeks["off"].litres == 0
    assert weeks["off"].stress_days >= 3


def test_without_its_probe_the_balance_still_keeps_plants_from_thirst(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = week.Gateway.sample

    def blind(gateway: Any) -> None:
        sample(gateway)
        reading = gateway.readings["soil_moisture"]
        gateway.readings["soil_moisture"] = type(reading)("soil_moisture", reading.at, None, 2)

    monkeypatch.setattr(week.Gateway, "sample", blind)
    blindly = week.simulate("balance", 14)
    assert blindly.dry_hours == 0
    assert blindly.drained_litres < 0.25 * blindly.litres
