"""What gateway and platform have acknowledged survives power cuts and a disk that refuses."""

from pathlib import Path

import gateway_store
import platform_store
import pytest
import torn_disk


def test_no_power_cut_takes_back_what_the_gateway_acknowledged(tmp_path: Path) -> None:
    assert gateway_store.power_cuts(3, tmp_path, turns=30)["cuts"] > 5


def test_no_power_cut_takes_back_what_the_platform_acknowledged(tmp_path: Path) -> None:
    assert platform_store.power_cuts(3, tmp_path, turns=6)["cuts"] > 5


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
