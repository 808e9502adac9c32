"""Gives the tests of this room a raw bus; ``raw_line.py`` says what that is."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it

from raw_line import Line, Script, SerialLine


@pytest.fixture
def new_line() -> Iterator[Callable[..., Line]]:
    """Make raw bus lines that are closed at the end of the test."""
    made: list[Line] = []

    def make(script: Script, framing: str = "tcp") -> Line:
        made.append(Line(script, framing))
        return made[-1]

    yield make
    for line in made:
        line.close()


@pytest.fixture
def new_serial_line() -> Iterator[Callable[[Script], SerialLine]]:
    """Make serial lines that are closed at the end of the test."""
    made: list[SerialLine] = []

    def make(script: Script) -> SerialLine:
        made.append(SerialLine(script))
        return made[-1]

    yield make
    for line in made:
        line.close()
