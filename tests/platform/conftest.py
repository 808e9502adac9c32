"""A platform of its own for every test: real SQLite files, the real application."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nongso.platform import migrations, people
from nongso.platform.greenhouse import commands
from nongso.platform.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it

from office import Place, open_place


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same argon2id with a small cost: the tests log in often."""
    hasher = people.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(people, "_hasher", hasher)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of this version, made once by the real migrations."""
    found = Settings(folder=tmp_path_factory.mktemp("migrated"), secret="0123456789abcdef" * 4)
    migrations.upgrade(found)
    return found.records_file


@pytest.fixture
def settings(tmp_path: Path, migrated: Path) -> Settings:
    found = Settings(folder=tmp_path / "platform", secret="0123456789abcdef" * 4)
    found.folder.mkdir()
    shutil.copy(migrated, found.records_file)
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
