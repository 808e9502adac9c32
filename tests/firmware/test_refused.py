"""A station whose broker knows it no more opens its page; one whose broker is away never does."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.firmware.test_station import Board, Slots, Thermometer

from nongso.node import settings as node_settings
from nongso.node import uplink
from nongso.node.clock import Clock, Origins
from nongso.node.ring import Ring
from nongso.node.sampling import Sampler

AWAY, BUSY, BAD_PASSWORD, UNKNOWN = None, 3, 4, 5
STEP_MINUTES = 20  # from one try to the next, by the clock in the test's hand


class Doorman:
    """A broker that answers each comer as it is told: by a CONNACK, or not at all."""

    def __init__(self, answers: list[int | None]) -> None:
        self._answers = answers
        self.comers = 0

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answer = self._answers[self.comers] if self.comers < len(self._answers) else AWAY
        self.comers += 1
        if answer is not AWAY:
            await reader.read(1000)
            writer.write(bytes([0x20, 2, 0, answer]))
        writer.close()


class Refused(Board):
    """A board that remembers at which try its page was opened."""

    def __init__(self, folder: Path, doorman: Doorman, most: int) -> None:
        super().__init__(folder)
        self._doorman, self._most = doorman, most
        self.opened_at: list[int] = []

    async def join_network(self) -> None:
        if self._doorman.comers >= self._most:
            raise Enough

    async def invite(self, seconds: int, on_turn: Callable[[], object]) -> bool:
        self.opened_at.append(self._doorman.comers)
        on_turn()
        return False


class Enough(Exception):
    """The story is told."""


def told(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    config: dict[str, Any],
    answers: list[int | None],
) -> list[int]:
    """At which tries the page was opened."""
    doorman = Doorman(answers)

    async def story() -> list[int]:
        config["broker"] = {"host": "127.0.0.1", "port": await doorman.open(), "user": "tb-01"}
        board = Refused(folder, doorman, len(answers))
        made = uplink.Uplink(
            node_settings.parse(json.dumps(config)),
            board,
            Ring(str(folder / "ring")),
            Clock(board.unix_seconds, uptime=0),
            Origins(str(folder)),
            7,
            Slots(str(folder)),
            Sampler([(Thermometer(), "")]),
            lambda: None,
        )
        with pytest.raises(Enough):
            await asyncio.wait_for(made.run(), 30)
        doorman.close()
        return board.opened_at

    with monkeypatch.context() as now:
        now.setattr(uplink, "_FIRST_PAUSE_MS", 1)
        now.setattr(uplink, "_LONGEST_PAUSE_MS", 1)
        now.setattr(uplink, "ticks_ms", lambda: doorman.comers * STEP_MINUTES * 60_000)
        return asyncio.run(story())


SENSORS = {"farm": "tan-binh", "node": "tb-01", "eui64": "0" * 16, "sensors": [{"chip": "x"}]}
STICKER = SENSORS | {"setup": {"own_password": "23456789"}}


def test_after_an_hour_of_refusals_the_page_opens_and_again_after_each_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[int | None] = [UNKNOWN, BAD_PASSWORD, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]
    assert told(tmp_path, monkeypatch, dict(STICKER), answers) == [4, 5, 6]


@pytest.mark.parametrize("answer", [AWAY, BUSY])
def test_a_broker_that_is_away_or_busy_opens_nothing_however_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int | None
) -> None:
    assert told(tmp_path, monkeypatch, dict(STICKER), [answer] * 12) == []


@pytest.mark.parametrize("config", [SENSORS, STICKER | {"sleep_every": 3}])
def test_a_board_without_a_sticker_or_one_that_sleeps_opens_nothing_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]
) -> None:
    assert told(tmp_path, monkeypatch, dict(config), [UNKNOWN] * 6) == []


@settings(max_examples=40, deadline=None)
@example(answers=[UNKNOWN, UNKNOWN, UNKNOWN, AWAY, UNKNOWN, UNKNOWN])
@given(answers=st.lists(st.sampled_from([AWAY, BUSY, BAD_PASSWORD, *[UNKNOWN] * 5]), max_size=12))
def test_only_a_whole_hour_of_nothing_but_refusals_opens_the_page(
    tmp_path_factory: pytest.TempPathFactory, answers: list[int | None]
) -> None:
    expected = []
    for last in range(3, len(answers)):
        if all(one in (BAD_PASSWORD, UNKNOWN) for one in answers[last - 3 : last + 1]):
            expected.append(last + 1)
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("node")
        assert told(folder, monkeypatch, dict(STICKER), answers) == expected
