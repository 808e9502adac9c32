"""Gives the tests of this room boards and processes; see ``model_board.py``, ``waterworks.py``."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it

from farm_house import House
from watered_farm import Farm


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A simulated farm and a valve supervisor as processes, with a bus cable that can be cut."""
    made = House(tmp_path)
    yield made
    made.end()


@pytest.fixture
def new_farm(tmp_path: Path) -> Iterator[Callable[..., Farm]]:
    made: list[Farm] = []

    def make(**zone: Any) -> Farm:
        made.append(Farm(tmp_path, **zone))
        made[-1].turn(1)
        return made[-1]

    yield make
    for farm in made:
        farm.store.close()


@pytest.fixture
def farm(new_farm: Callable[..., Farm]) -> Farm:
    return new_farm()
