"""The other end of ``pico_board.py``: starts the board's process and gives it orders."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools import pico as packages

from nongso.gateway.simulated import boards

HERE = Path(__file__).parent


class Pico:
    """A Pico W on a cable, without power yet. ``port`` is what mpremote connects to."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "said.txt"
        self._log.touch()
        paths = [str(packages.PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [
                *(sys.executable, str(HERE / "pico_board.py")),
                *(str(packages.IMAGE), str(self._log)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self.port = str(self._line()["port"])

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the board's process has ended with {self._process.wait(5)}"
        found: dict[str, Any] = json.loads(line)
        return found

    def do(self, what: str, **more: Any) -> dict[str, Any]:
        """Give an order (``Board._...`` there); returns how the board is."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": what, **more}).encode() + b"\n")
        self._process.stdin.flush()
        return self._line()

    def how(self) -> dict[str, Any]:
        """How the board is."""
        return self.do("nothing")

    def ring(self, folder: Path) -> list[tuple[int, int]]:
        """(boot, seq) of every sample in its flash, read by another MicroPython's littlefs."""
        flash = folder / "files.img"
        self.do("dump", path=str(flash))
        paths = ":".join([*map(str, boards.module_paths()), ".frozen"])
        done = subprocess.run(
            [
                *(*boards.micropython_command(), "-X", "heapsize=8M"),
                *(str(HERE / "pico_flash.py"), str(flash)),
            ],
            env={**os.environ, "MICROPYPATH": paths},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout)
        assert not found["damaged"]
        return [(boot, seq) for boot, seq in found["samples"]]

    def words(self) -> str:
        """Everything that it has said."""
        return self._log.read_text("utf-8", errors="replace")

    def close(self) -> None:
        """Put it away."""
        with self._process:  # closes its pipes; the end of its input is its end
            pass
