"""Gives the tests of this room boards and processes; see ``model_board.py``, ``waterworks.py``."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it

from farm_house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A simulated farm and a valve supervisor as processes, with a bus cable that can be cut."""
    made = House(tmp_path)
    yield made
    made.end()
