"""Ctrl-C ends every process and closes every valve; a second start takes up the same data."""

import os
import uuid
from pathlib import Path

import pytest

from running import System, end, free_port, start, until

pytestmark = pytest.mark.walk


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def count(system: System) -> int:
    status, answer = system.ask("/api/v1/series?greenhouse=tan-binh-1&metric=light&since=0")
    assert status == 200
    return len(answer["points"])


def test_ends_clean_while_water_runs_and_goes_on_with_the_same_data(tmp_path: Path) -> None:
    first = start(tmp_path / "data", free_port())
    try:
        pids = first.demo["processes"]
        accounts = first.demo["accounts"]
        wish = {"seconds": 300, "id": str(uuid.uuid4())}
        assert first.ask("/api/v1/zones/tan-binh-1-k1/water", wish)[0] == 202
        until("the valve to open", lambda: first.is_open(0))
        before = count(first)
    finally:
        end(first)
    assert first.process.returncode == 0
    assert not [name for name, pid in pids.items() if is_alive(pid)]
    assert not any(first.is_open(coil) for coil in range(8))
    assert (tmp_path / "data" / "demo.json").stat().st_mode & 0o777 == 0o600

    second = start(tmp_path / "data", free_port())
    try:
        assert second.demo["accounts"] == accounts
        assert not any("past days" in line for line in second.said)
        assert count(second) >= before
    finally:
        end(second)
    assert os.path.exists(tmp_path / "data" / "house.json")
