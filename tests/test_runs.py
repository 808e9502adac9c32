"""What every run of the tests keeps: an end to each wait, and its named files in their places."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from tests.conftest import SLOW, TESTS


def for_a_thread() -> None:
    threading.Event().wait()


def for_a_process() -> None:
    words = [sys.executable, "-c", "input()"]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        try:
            process.wait()
        finally:
            process.kill()


@pytest.mark.parametrize("wait", [for_a_thread, for_a_process])
def test_a_wait_without_an_end_fails_its_test(wait: Callable[[], None]) -> None:
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    assert left > 0, "no limit is set"
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with pytest.raises(BaseException, match="waits for something that does not come"):
        wait()


def test_the_files_that_begin_first_or_are_slow_are_there() -> None:
    assert [name for name in SLOW if not (TESTS / name).exists()] == []
