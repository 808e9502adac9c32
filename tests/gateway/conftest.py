"""Gives the tests of this room a real broker, a small office and control boxes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it

from control_box import Box, Mosquitto
from small_office import Office


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One real Mosquitto for the whole room, with passwords and rights as on a farm."""
    broker = Mosquitto(tmp_path_factory.mktemp("broker"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def office() -> Iterator[Office]:
    """Something that answers HTTP as the platform does (contract section 4)."""
    made = Office()
    yield made
    made.close()


@pytest.fixture
def box(tmp_path: Path, mosquitto: Mosquitto, office: Office) -> Iterator[Box]:
    """A gateway's settings, with its parts to be started one by one or as a process."""
    made = Box(tmp_path, mosquitto, office.url)
    yield made
    made.close()
