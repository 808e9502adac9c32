"""A platform of its own for every test: a real database, the real application.

The records are in SQLite; with ``RECORDS=postgresql`` in the environment every test has them in
PostgreSQL, and without it those that ``on_both`` names have them in each in turn.
"""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nongso.platform import migrations, people
from nongso.platform.greenhouse import commands
from nongso.platform.settings import Settings

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it

import on_both
import postgresql_server
from office import Place, open_place
from on_both import pytest_collection_modifyitems, pytest_generate_tests  # noqa: F401


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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[postgresql_server.Server]:
    """A PostgreSQL of our own."""
    if postgresql_server.programs() is None:
        pytest.skip("PostgreSQL is not installed (Debian: postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed: nongso[postgres]")
    with postgresql_server.running() as server:
        yield server


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Which database the records of a test are in."""
    return str(getattr(request, "param", on_both.DATABASE))


@pytest.fixture
def settings(tmp_path: Path, database: str, request: pytest.FixtureRequest) -> Iterator[Settings]:
    found = Settings(folder=tmp_path / "platform", secret="0123456789abcdef" * 4)
    found.folder.mkdir()
    if database == "sqlite":
        shutil.copy(request.getfixturevalue("migrated"), found.records_file)
        yield found
        return
    server = request.getfixturevalue("postgresql")
    name = server.copy()
    yield replace(found, records=server.url(name))
    server.drop(name)


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
