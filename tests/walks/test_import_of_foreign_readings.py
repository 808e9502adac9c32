"""A foreign vendor's export is loaded with a map; its count closes and its chart opens."""

import re
from pathlib import Path

import pytest

from running import System

pytestmark = pytest.mark.walk

ROOT = Path(__file__).parents[2]
EXPORT = ROOT.parent / "shared/data/pantar-30mhz/one-month-every-5-minutes.csv.gz"
MAP = ROOT / "docs" / "maps" / "pantar-30mhz.toml"


def test_a_month_of_a_foreign_glasshouse_is_loaded_once(system: System) -> None:
    if not EXPORT.exists():
        pytest.skip("the foreign logs (../shared/data) are not on this machine")
    words = ("import", "readings", str(EXPORT), "--map", str(MAP), "--data", str(system.folder))
    first = system.nongso(*words)
    assert first.returncode == 0, first.stderr
    stored, there, refused, read = counts(first.stdout)
    assert stored + there + refused == read == 8644
    second = system.nongso(*words)
    assert second.returncode == 0, second.stderr
    assert counts(second.stdout)[0] == 0
    status, page = system.ask("/greenhouses/pantar?day=2020-09-01", accept="text/html")
    assert status == 200
    assert "<svg" in page.decode()


def test_a_map_that_names_a_column_that_is_not_there_is_refused(
    system: System, tmp_path: Path
) -> None:
    table = tmp_path / "log.csv"
    table.write_text("time,temp\n2026-11-01 00:00,21.5\n")
    wrong = tmp_path / "map.toml"
    wrong.write_text(MAP.read_text())
    words = ("import", "readings", str(table), "--map", str(wrong), "--data", str(system.folder))
    done = system.nongso(*words)
    assert done.returncode == 1
    assert "column" in done.stderr
    assert "Traceback" not in done.stderr


def counts(said: str) -> tuple[int, int, int, int]:
    """Lines stored, already there, refused, and read, as the command's last words say."""
    found = re.search(r"(\d+) stored \+ (\d+) already there \+ (\d+) refused = (\d+)", said)
    assert found, said
    a, b, c, d = (int(number) for number in found.groups())
    return a, b, c, d
