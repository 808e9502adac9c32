"""Nodes that say nothing: one alarm, cleared when they speak, also after a restart."""

import json
from pathlib import Path
from typing import Any

import pytest
from control_box import NODES, settings_file

from nongso.gateway.settings import load
from nongso.gateway.silence import SILENT_SECONDS, Silence
from nongso.gateway.store import Store

NODE = NODES["tb-01"]


class Hands:
    """A clock turned by hand."""

    now = 1000.0

    def steady(self) -> float:
        return self.now

    def clock(self) -> float:
        return 1_790_000_000 + self.now


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def store(tmp_path: Path) -> Any:
    made = Store(tmp_path / "store.sqlite")
    yield made
    made.close(2.0)


def watch(tmp_path: Path, store: Store, hands: Hands, heard: dict[str, float]) -> Silence:
    settings = load(settings_file(tmp_path, 1883, "http://127.0.0.1:1"))
    return Silence(settings, store, heard, hands.steady, hands.clock)


def alarms(store: Store) -> list[dict[str, Any]]:
    store.set_state("flush", "")  # a commit: what was queued before is on the disk
    return [json.loads(row.body)["alarm"] for row in store.rows(True, 99, 1 << 20)[1]]


def test_a_silent_node_is_one_alarm_until_it_speaks(
    tmp_path: Path, store: Store, hands: Hands
) -> None:
    heard = dict.fromkeys(NODES.values(), hands.now)
    silence = watch(tmp_path, store, hands, heard)
    for _ in range(10):
        hands.now += SILENT_SECONDS / 8
        heard[NODES["tb-02"]] = hands.now
        silence.tick()
    (alarm,) = alarms(store)
    assert (alarm["code"], alarm["values"]["node"]) == ("node_silent", NODE)
    assert alarm["values"]["since"] == 1_790_001_000
    heard[NODE] = hands.now
    silence.tick()
    silence.tick()
    raised, cleared = alarms(store)
    assert (cleared["id"], cleared["cleared_at"]) == (raised["id"], int(hands.clock()))


def test_the_alarm_is_cleared_after_a_restart_too(
    tmp_path: Path, store: Store, hands: Hands
) -> None:
    silence = watch(tmp_path, store, hands, {NODES["tb-02"]: 1e9})
    hands.now += SILENT_SECONDS + 1
    silence.tick()
    assert len(alarms(store)) == 1
    heard = {NODES["tb-02"]: 1e9}
    again = watch(tmp_path, store, hands, heard)
    again.tick()
    assert len(alarms(store)) == 1  # not raised anew, not cleared yet
    heard[NODE] = hands.now
    again.tick()
    assert len(alarms(store)) == 2
