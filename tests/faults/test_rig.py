"""What was acknowledged survives power cuts, disks that refuse, kills and cut lines.

The same campaigns are played longer by ``make faults-ci`` and ``make faults-long``.
"""

from pathlib import Path

import gateway_store
import platform_store
import pytest
import torn_disk
import yard


def test_no_power_cut_takes_back_what_the_gateway_acknowledged(tmp_path: Path) -> None:
    assert gateway_store.power_cuts(3, tmp_path, turns=12)["cuts"] > 5


def test_no_power_cut_takes_back_what_the_platform_acknowledged(tmp_path: Path) -> None:
    assert platform_store.power_cuts(3, tmp_path, turns=3)["cuts"] > 5


@pytest.mark.parametrize("store", [gateway_store, platform_store])
def test_a_disk_that_lies_about_syncing_is_noticed(
    store: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rig sees what it shall see."""
    monkeypatch.setattr(torn_disk.File, "sync", lambda file: None)
    with pytest.raises(AssertionError):
        store.power_cuts(3, tmp_path, turns=30)  # type: ignore[attr-defined]


def test_the_gateway_goes_on_wherever_its_disk_refused(tmp_path: Path) -> None:
    assert gateway_store.refusals(1, tmp_path, most=25)["refused calls"] == 24


def test_the_platform_goes_on_wherever_its_disk_refused(tmp_path: Path) -> None:
    assert platform_store.refusals(1, tmp_path, most=30)["refused calls"] == 29


def test_a_first_start_that_the_power_cut_short_is_no_damage(tmp_path: Path) -> None:
    assert gateway_store.first_starts(1, tmp_path / "gateway")["cuts"] > 10
    assert platform_store.first_starts(1, tmp_path / "platform")["cuts"] > 10


def test_a_farm_under_a_nemesis_loses_nothing_and_stores_nothing_twice(tmp_path: Path) -> None:
    assert yard.nemesis(1, tmp_path, many=8)["readings"] > 30
