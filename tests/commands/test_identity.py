"""The keys of a house are made once and never made anew while its data are there."""

import json
from pathlib import Path
from typing import Any

import pytest

from nongso.commands.errors import CommandError
from nongso.commands.house import House

NONSENSE: dict[str, bytes] = {
    "a list": b"[]",
    "nothing": b"",
    "an empty object": b"{}",
    "half a file": b'{"seed": 1, "broker',
    "zeros": bytes(512),
    "no text": b"\xff\xfe\x00",
    "a deep nest": b"[" * 100_000,
    "a number": b"NaN",
}

# One key of a sound identity replaced by what no room could work with.
WRONG: list[tuple[str, object]] = [
    ("seed", "7"),
    ("seed", True),
    ("seed", -1),
    ("broker", []),
    ("broker", {}),
    ("broker", {"gateway": None}),
    ("eui64", {}),
    ("eui64", {"tb-01": "02"}),
    ("gateway_key", ""),
    ("gateway_key", "short"),
    ("gateway_key", "a" * 64),
    ("gateway_key", 5),
    ("platform_secret", None),
    ("platform_secret", "có dấu " * 9),
    ("history_laid", "yes"),
]


def live_in(folder: Path) -> dict[str, Any]:
    with House(folder) as house:
        house.path("gateway").mkdir()
        house.path("gateway", "gateway.json").write_text("{}")
        return dict(house.identity)


def lose_copy(folder: Path) -> None:
    (folder / "house.copy.json").unlink()


@pytest.mark.parametrize("content", NONSENSE.values(), ids=list(NONSENSE))
def test_a_damaged_identity_is_taken_from_its_copy(content: bytes, tmp_path: Path) -> None:
    kept = live_in(tmp_path)
    (tmp_path / "house.json").write_bytes(content)
    said: list[str] = []
    with House(tmp_path, said.append) as house:
        assert house.identity == kept
    assert "house.json was damaged" in said[0]
    (aside,) = tmp_path.glob("house.json.damaged-*")
    assert aside.read_bytes() == content
    with House(tmp_path, said.append):
        assert len(said) == 1


@pytest.mark.parametrize("content", NONSENSE.values(), ids=list(NONSENSE))
def test_without_a_copy_a_damaged_identity_is_left_alone_and_said(
    content: bytes, tmp_path: Path
) -> None:
    live_in(tmp_path)
    lose_copy(tmp_path)
    (tmp_path / "house.json").write_bytes(content)
    with pytest.raises(CommandError, match=r"house\.json is damaged .* restore it from a backup"):
        House(tmp_path)
    assert (tmp_path / "house.json").read_bytes() == content


@pytest.mark.parametrize(("key", "value"), WRONG)
def test_an_identity_that_no_room_could_work_with_is_damaged(
    key: str, value: object, tmp_path: Path
) -> None:
    kept = live_in(tmp_path)
    lose_copy(tmp_path)
    (tmp_path / "house.json").write_text(json.dumps(kept | {key: value}))
    with pytest.raises(CommandError, match=rf"is damaged \({key} is missing or is not"):
        House(tmp_path)
    del kept[key]
    (tmp_path / "house.json").write_text(json.dumps(kept))
    with pytest.raises(CommandError, match=rf"is damaged \({key} is missing"):
        House(tmp_path)


def test_two_nodes_with_one_number_are_damage(tmp_path: Path) -> None:
    kept = live_in(tmp_path)
    lose_copy(tmp_path)
    kept["eui64"] = dict.fromkeys(kept["eui64"], "0200000000000001")
    (tmp_path / "house.json").write_text(json.dumps(kept))
    with pytest.raises(CommandError, match="eui64"):
        House(tmp_path)


def test_a_lost_identity_is_never_made_anew_beside_the_systems_data(tmp_path: Path) -> None:
    live_in(tmp_path)
    lose_copy(tmp_path)
    (tmp_path / "house.json").unlink()
    with pytest.raises(CommandError, match=r"house\.json is missing, but .*gateway\.json belongs"):
        House(tmp_path)
    assert not (tmp_path / "house.json").exists()


def test_a_lost_identity_comes_back_from_its_copy_with_a_word(tmp_path: Path) -> None:
    kept = live_in(tmp_path)
    (tmp_path / "house.json").unlink()
    said: list[str] = []
    with House(tmp_path, said.append) as house:
        assert house.identity == kept
    assert "was missing; it was written anew from" in said[0]


def test_two_different_sets_of_keys_are_both_kept(tmp_path: Path) -> None:
    kept = live_in(tmp_path)
    other = json.dumps(kept | {"gateway_key": "0123456789abcdef" * 4})
    (tmp_path / "house.copy.json").write_text(other)
    said: list[str] = []
    with House(tmp_path, said.append) as house:
        assert house.identity == kept
    assert "held different keys" in said[0]
    (aside,) = tmp_path.glob("house.copy.json.damaged-*")
    assert aside.read_text() == other


def test_what_is_remembered_stands_in_both_files_and_is_private(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.remember("history_laid", True)
    for name in ("house.json", "house.copy.json"):
        file = tmp_path / name
        assert json.loads(file.read_text())["history_laid"] is True
        assert file.stat().st_mode & 0o777 == 0o600
