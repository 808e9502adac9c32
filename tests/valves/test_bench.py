"""A short walk of the bench on valves: its figures are measured by what is tested here."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from valves import FAULTS, FOUND_SECONDS, Trials, false_stops, one_case, one_farm


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_within_half_a_minute(fault: str) -> None:
    for seed in range(5):
        found = one_case(fault, seed)
        assert found is not None, f"{fault} {seed} was never found"
        assert found <= FOUND_SECONDS


def test_a_month_without_faults_stops_nothing() -> None:
    runs, stops = false_stops(1 / 12)
    assert (runs, stops) == (60, 0)


@pytest.mark.walk
def test_zones_close_in_time_whatever_is_killed(tmp_path: Path) -> None:
    """Measured on the relay's own log of edges; each blow once, at six zones' cost."""
    trials = Trials(8)
    one_farm(0, tmp_path / "farm", trials)
    assert trials.failures == []
    assert trials.done >= 8
    assert max(max(found) for found in trials.seconds.values() if found) <= 1.5 + 1.0
