"""Gives every test of this room a cooperative; ``cooperative.py`` says what that is."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it

from cooperative import Farm, open_farm


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """A cooperative on an empty database."""
    made = open_farm(tmp_path)
    yield made
    made.records.close()
