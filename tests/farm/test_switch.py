"""A simulated board is switched off by SIGTERM and by Ctrl-C, whatever it is doing."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from nongso.gateway.simulated import boards

BUSY = """\
import asyncio, micropython
import power
def count():
    n = 0
    while n < 10000000:
        n += 1
micropython.heap_lock()
print("busy")
count()
micropython.heap_unlock()
asyncio.run(power.switched_off())
print("switched off")
"""


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_a_board_with_its_heap_locked_is_switched_off_in_order(
    word: signal.Signals, tmp_path: Path
) -> None:
    if not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    script = tmp_path / "busy.py"
    script.write_text(BUSY)
    paths = ":".join(map(str, [*boards.module_paths(), ".frozen"]))
    with subprocess.Popen(
        [*boards.micropython_command(), str(script)],
        env={**os.environ, "MICROPYPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as board:
        assert board.stdout is not None
        assert board.stdout.readline() == "busy\n"
        board.send_signal(word)
        said = board.stdout.read()
    assert said == "switched off\n"
    assert board.returncode == 0
