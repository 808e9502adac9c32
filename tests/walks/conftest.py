"""One running system for all walks."""

from collections.abc import Iterator

import pytest

from running import System, end, free_port, start


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("house") / "data"
    running = start(folder, free_port())
    yield running
    if running.process.poll() is None:
        end(running)
