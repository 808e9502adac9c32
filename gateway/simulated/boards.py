"""How a node's process is started on this machine: which interpreter, with which paths.

A node runs in the real MicroPython interpreter where its wheel is installed and starts, else the
same code runs under CPython, and the plan's note says so. Nothing is started here.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

# 128 KB on a 32-bit board: simulated nodes compile their sources themselves, which takes more than
# the 76wK that are enough for a compiled one (tests/firmware/test_memory.py).
HEAP = "128wK"


class NoFirmware(RuntimeError):
    """This installation has no firmware; the text says where it was looked for."""


@dataclass(frozen=True)
class LaunchPlan:
    """How to start one node: in its folder, with these variables besides the environment's."""

    argv: list[str]
    env: dict[str, str] = field(default_factory=dict)
    note: str = ""


def firmware_folder() -> Path:
    """Find ``firmware/``, in a checkout or in the installed package."""
    folder = Path(__file__).resolve().parents[2] / "firmware"  # the same place in both
    if (folder / "main.py").is_file() and (folder / "lib" / "nongso" / "node").is_dir():
        return folder
    raise NoFirmware(f"The node's firmware is not in this installation; looked in {folder}")


def module_paths() -> list[Path]:
    """Folders on the module path of a simulated board, in order."""
    firmware = firmware_folder()
    return [Path(__file__).resolve().parent / "board", firmware, firmware / "lib"]


@cache
def has_micropython() -> bool:
    """Say whether MicroPython is installed for this interpreter and starts."""
    if importlib.util.find_spec("micropython_unix") is None:
        return False
    try:
        done = subprocess.run(
            [*micropython_command(), "-c", "print(6*7)"],
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and done.stdout.strip() == b"42"


def micropython_command() -> list[str]:
    """Return how MicroPython is started so that it hears SIGTERM."""
    return [sys.executable, "-m", "nongso.gateway.simulated.switch"]


def launch_plan(node_folder: Path, *, micropython: bool | None = None) -> LaunchPlan:
    """Plan how to start the node whose ``config.json`` is in this folder.

    ``micropython`` chooses the interpreter; ``None`` takes MicroPython if it is there.
    Raises ``NoFirmware``.
    """
    if not (node_folder / "config.json").is_file():
        raise FileNotFoundError(f"There is no config.json in {node_folder}")
    main = str(firmware_folder() / "main.py")
    paths = module_paths()
    if micropython if micropython is not None else has_micropython():
        env = {"MICROPYPATH": _joined([*paths, ".frozen"])}
        return LaunchPlan([*micropython_command(), "-X", f"heapsize={HEAP}", main], env)
    return LaunchPlan(
        [sys.executable, "-u", main],
        {"PYTHONPATH": _joined([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])},
        "MicroPython has no package for this Python or does not start here, "
        "so the nodes run the same code under CPython.",
    )


def _joined(paths: Sequence[Path | str]) -> str:
    return os.pathsep.join(str(path) for path in paths)
