"""Gives every test of this room a cooperative, and the platform on top of it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it
sys.path.append(str(Path(__file__).parents[1] / "platform"))  # which databases there are

from cooperative import Farm, open_farm
from on_both import (  # noqa: F401
    database,
    postgresql,
    pytest_collection_modifyitems,
    pytest_generate_tests,
    records,
)
from platform_site import Site, open_site


@pytest.fixture
def farm(tmp_path: Path, records: str) -> Iterator[Farm]:  # noqa: F811
    """A cooperative on an empty database."""
    made = open_farm(tmp_path, records)
    yield made
    made.records.close()


@pytest.fixture
def site(farm: Farm) -> Iterator[Site]:
    """The platform with a clerk logged in."""
    made = open_site(farm)
    yield made
    made.clerk.application.extensions["nongso.records"].close()
    made.clerk.application.extensions["nongso.telemetry"].close()
