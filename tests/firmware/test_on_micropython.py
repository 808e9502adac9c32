"""The files that must pass on both interpreters pass on MicroPython too."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from nongso.gateway.simulated import boards

TESTS = Path(__file__).parents[1]
ON_BOTH = [
    "wire/test_words.py",
    "wire/test_payload.py",
    "firmware/test_record.py",
    "firmware/test_ring.py",
    "firmware/test_window.py",
    "firmware/test_messages.py",
    "firmware/test_packets.py",
    "firmware/test_settings.py",
    "firmware/test_kept.py",
    "firmware/test_life.py",
    "firmware/test_ntp.py",
    "firmware/test_orders.py",
    "firmware/test_sleep.py",
    "firmware/test_chips_at_registers.py",
    "firmware/test_slots.py",
]


def run_on_micropython(
    folder: Path, *arguments: str, heap: str = "4M", **more: str
) -> subprocess.CompletedProcess[str]:
    if not boards.has_micropython():
        pytest.skip("MicroPython has no package for this Python")
    paths = [*map(str, boards.module_paths()), str(TESTS / "firmware"), ".frozen"]
    return subprocess.run(
        [*boards.micropython_command(), "-X", f"heapsize={heap}", *arguments],
        cwd=folder,
        env={**os.environ, "MICROPYPATH": ":".join(paths), **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("file", ON_BOTH)
def test_passes_on_micropython(file: str, tmp_path: Path) -> None:
    runner = str(TESTS / "firmware" / "runner.py")
    done = run_on_micropython(tmp_path, runner, str(TESTS / file))
    last = done.stdout.strip().rpartition("\n")[2]
    assert re.fullmatch(r"[1-9]\d* passed, 0 failed", last), done.stdout + done.stderr


def test_the_runner_reports_a_failure(tmp_path: Path) -> None:
    broken = tmp_path / "test_broken.py"
    broken.write_text("def test_wrong():\n    assert 1 == 2\ndef test_right():\n    pass\n")
    done = run_on_micropython(tmp_path, str(TESTS / "firmware" / "runner.py"), str(broken))
    assert done.stdout.strip().endswith("1 passed, 1 failed")
