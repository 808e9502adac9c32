"""Gives every test of this room a cooperative, and the platform on top of it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it

from cooperative import Farm, open_farm
from platform_site import Site, open_site


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[Farm]:
    """A cooperative on an empty database."""
    made = open_farm(tmp_path)
    yield made
    made.records.close()


@pytest.fixture
def site(farm: Farm) -> Iterator[Site]:
    """The platform with a clerk logged in."""
    made = open_site(farm)
    yield made
    made.clerk.application.extensions["nongso.records"].close()
    made.clerk.application.extensions["nongso.telemetry"].close()
