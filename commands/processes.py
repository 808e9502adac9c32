"""A household of child processes: started in order, restarted when they fall, ended in reverse.

Knows nothing of farms. Children live in sessions of their own, so that a Ctrl-C in the
terminal reaches only the parent, which then ends them in the right order; and the kernel
ends them should the parent be killed (``PR_SET_PDEATHSIG``).
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG = 1
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
GOOD_AFTER_SECONDS = 20.0  # alive this long: the next fall counts as the first again
PATIENCE_SECONDS = 8.0  # for a clean end, before SIGKILL

_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass(frozen=True)
class Recipe:
    """How one process is started, and where its output goes."""

    name: str
    argv: list[str]
    log: Path
    folder: Path | None = None
    env: dict[str, str] = field(default_factory=dict)


class Child:
    """One process of the household and what is known of its life."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.falls = 0
        self.next_start = 0.0
        self.held_until: float | None = None  # stopped on purpose: monotonic time, or infinity

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.is_running else None

    def start(self) -> None:
        recipe = self.recipe
        recipe.log.parent.mkdir(parents=True, exist_ok=True)
        with recipe.log.open("ab") as log:
            self.process = subprocess.Popen(
                recipe.argv,
                cwd=recipe.folder,
                env={**os.environ, **recipe.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.started_at = time.monotonic()

    def end(self) -> None:
        """End the process cleanly, and by force when it does not listen."""
        if self.process is None:
            return
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                # A stopped process hears nothing until it goes on.
                os.kill(self.process.pid, signal.SIGCONT)
                self.process.terminate()
            try:
                self.process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None


class Household:
    """All children of one ``nongso up``."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.children: dict[str, Child] = {}
        self._say = say

    def start(self, recipe: Recipe) -> Child:
        """Start a process and keep it running from now on."""
        child = Child(recipe)
        self.children[recipe.name] = child
        child.start()
        return child

    def pids(self) -> dict[str, int]:
        """Process numbers of what runs now, by name."""
        return {name: c.pid for name, c in self.children.items() if c.pid is not None}

    def tend(self) -> bool:
        """Restart what has fallen and is due; return whether anything changed."""
        changed = False
        now = time.monotonic()
        for name, child in self.children.items():
            if child.held_until is not None:
                if now < child.held_until:
                    continue
                child.held_until = None
                child.next_start = now
            if child.process is not None and child.process.poll() is not None:
                status = child.process.returncode
                child.process = None
                if now - child.started_at > GOOD_AFTER_SECONDS:
                    child.falls = 0
                pause = min(FIRST_PAUSE_SECONDS * 2**child.falls, LONGEST_PAUSE_SECONDS)
                child.falls += 1
                child.next_start = now + pause
                changed = True
                how = f"by signal {-status}" if status < 0 else f"with status {status}"
                self._say(
                    f"{name} ended {how}; starting it again in {pause:.0f} s "
                    f"(its words: {child.recipe.log})"
                )
            if child.process is None and now >= child.next_start:
                child.start()
                changed = True
                self._say(f"{name} runs again")
        return changed

    def hold(self, name: str, seconds: float | None) -> None:
        """End one process and leave it ended, for some seconds or until it is released."""
        child = self.children[name]
        child.held_until = time.monotonic() + seconds if seconds is not None else float("inf")
        child.end()

    def release(self, name: str) -> None:
        """Let a held process run again at once."""
        child = self.children[name]
        if child.held_until is not None:
            child.held_until = 0.0

    def end(self) -> None:
        """End everything, the last started first."""
        for child in reversed(self.children.values()):
            child.end()
