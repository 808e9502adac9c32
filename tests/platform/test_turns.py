"""Whoever looks at a page is answered in order and does not wait for somebody's long report."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from nongso.platform.turns import Turns

ENOUGH_SECONDS = 30.0


@pytest.fixture
def turns() -> Iterator[Turns]:
    made = Turns(3, "looking")
    yield made
    made.close()


def run(what: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(asyncio.wait_for(_await(what), ENOUGH_SECONDS))


async def _await(what: Callable[[], Awaitable[Any]]) -> Any:
    return await what()


def test_answers_are_made_one_after_the_other_in_the_order_of_the_questions(turns: Turns) -> None:
    made: list[tuple[int, str]] = []

    async def all_of_them() -> list[int]:
        def answer(n: int) -> int:
            made.append((n, threading.current_thread().name))
            return n

        return await asyncio.gather(*(turns.do(partial(answer, n)) for n in range(200)))

    assert run(all_of_them) == list(range(200))
    assert [n for n, _thread in made] == list(range(200))


def test_a_long_report_lets_the_others_by(turns: Turns) -> None:
    others_are_done = threading.Event()

    async def report_and_others() -> list[bool]:
        report = asyncio.ensure_future(turns.do(lambda: others_are_done.wait(ENOUGH_SECONDS)))
        await asyncio.gather(*(turns.do(lambda: None) for _ in range(50)))
        others_are_done.set()
        return [await report]

    assert run(report_and_others) == [True]


def test_as_many_long_reports_as_there_are_threads_and_then_everything_goes_on(
    turns: Turns,
) -> None:
    together = threading.Barrier(3)

    async def three_that_wait_for_each_other() -> list[Any]:
        await asyncio.gather(*(turns.do(partial(together.wait, ENOUGH_SECONDS)) for _ in range(3)))
        return await asyncio.gather(*(turns.do(partial(int, n)) for n in range(20)))

    assert run(three_that_wait_for_each_other) == list(range(20))


def test_what_goes_wrong_reaches_the_one_who_asked_and_nobody_else(turns: Turns) -> None:
    def wrong() -> None:
        raise LookupError("no such greenhouse")

    async def wrong_and_right() -> list[Any]:
        return await asyncio.gather(turns.do(wrong), turns.do(lambda: 5), return_exceptions=True)

    trouble, right = run(wrong_and_right)
    assert isinstance(trouble, LookupError)
    assert right == 5


def test_who_hangs_up_while_waiting_does_not_stop_the_next(turns: Turns) -> None:
    go_on = threading.Event()

    async def one_hangs_up() -> int:
        first = asyncio.ensure_future(turns.do(lambda: go_on.wait(ENOUGH_SECONDS)))
        await asyncio.sleep(0)
        first.cancel()
        go_on.set()
        found: int = await turns.do(lambda: 7)
        return found

    assert run(one_hangs_up) == 7
