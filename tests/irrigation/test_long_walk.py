"""The walk of ``bench/rules.py``, shortened: the rules open only what they may, come what may."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nongso.gateway.irrigation import balance


def _bench() -> Any:
    file = Path(__file__).parents[2] / "bench" / "rules.py"
    spec = importlib.util.spec_from_file_location("bench_rules", file)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules["bench_rules"] = found
    spec.loader.exec_module(found)
    return found


rules = _bench()


def test_twenty_thousand_steps_without_a_breach() -> None:
    done = rules.walk(20_000, seed=2)
    assert done.breaches == []
    assert done.opened > 50


def test_the_walk_would_see_a_rule_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = balance.decide_by_balance

    def generous(zone: Any, known: Any) -> Any:
        found = kept(replace(zone, is_stopped=False), known)
        return found if found.run_seconds is None else replace(found, zone=zone, run_seconds=1900)

    monkeypatch.setattr(balance, "decide_by_balance", generous)
    found = {breach.split(": ")[1] for breach in rules.walk(20_000, seed=2).breaches}
    assert {"a run of 1900 s", "more than was missing"} <= found
    assert "opened while stopped or locked" in found
