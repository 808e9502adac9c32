"""A platform of its own for every test: a real database, the real application.

The records are in SQLite; with ``RECORDS=postgresql`` in the environment every test has them in
PostgreSQL, and without it those that ``on_both`` names have them in each in turn.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nongso.platform.greenhouse import commands
from nongso.platform.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it

import migrated
from office import Place, open_place
from on_both import (  # noqa: F401
    database,
    postgresql,
    pytest_collection_modifyitems,
    pytest_generate_tests,
    records,
)


@pytest.fixture
def settings(
    tmp_path: Path,
    records: str,  # noqa: F811
) -> Settings:
    found = Settings(folder=tmp_path / "platform", secret="0123456789abcdef" * 4, records=records)
    found.folder.mkdir()
    if found.records_in_file:
        migrated.lay_down(found)
    return found


@pytest.fixture
def place(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A platform with two cooperatives; a phone waits a moment for its gateway, not seconds."""
    monkeypatch.setattr(commands, "ANSWER_SECONDS", 0.05)
    made = open_place(settings)
    yield made
    made.close()


@pytest.fixture
def farm(place: Place) -> Place:
    """The same with a greenhouse of two zones that its gateway has described."""
    place.configure()
    return place
