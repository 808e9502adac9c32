"""A household of child processes: started in order, restarted when they fall, ended in reverse.

Knows nothing of farms. What falls is started again, with longer and longer pauses; why it fell
is said in its own last words, once, and again only when the words change. Children live in
sessions of their own, so that a Ctrl-C in the terminal reaches only the parent, which then ends
them in the right order; and the kernel ends them should the parent be killed
(``PR_SET_PDEATHSIG``).
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

from nongso.commands.lastwords import advice, last_words

PR_SET_PDEATHSIG = 1
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
GOOD_AFTER_SECONDS = 20.0  # alive this long: the next fall counts as the first again
SETTLED_SECONDS = 5.0  # alive this long after a fall: it "runs again"
PATIENCE_SECONDS = 8.0  # for a clean end, before SIGKILL
LONGEST_LOG = 8 << 20  # a longer one becomes ``….log.1`` when its process starts

_FROM_OUTSIDE = (signal.SIGINT, signal.SIGKILL, signal.SIGTERM)

_libc = ctypes.CDLL(None, use_errno=True)


# After a fall: exit status and last words in, what was done about it out (``None``: nothing).
Remedy = Callable[[int, str], str | None]


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
    remedy: Remedy | None = None


class Child:
    """One process of the household and what is known of its life."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.falls = 0
        self.next_start = 0.0
        self.held_until: float | None = None  # stopped on purpose: monotonic time, or infinity
        self.trouble = ""  # why it does not run, or did not until it has settled again
        self._log_start = 0

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.is_running else None

    def start(self) -> None:
        """Start the process. Raises ``OSError`` when the machine cannot."""
        recipe = self.recipe
        log = self._open_log()
        try:
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
        finally:
            os.close(log)
        self.started_at = time.monotonic()

    def _open_log(self) -> int:
        """Open the log for appending; where that cannot be, nothing is kept, but it starts."""
        log = self.recipe.log
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            if log.exists() and log.stat().st_size > LONGEST_LOG:
                log.replace(log.with_name(log.name + ".1"))
            handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o600)
            os.set_blocking(handle, True)
            self._log_start = os.fstat(handle).st_size
            return handle
        except OSError:
            return os.open(os.devnull, os.O_WRONLY)

    def last_words(self) -> str:
        """What it said last since its start, for people."""
        return last_words(self.recipe.log, self._log_start)

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
        self._begin(child)
        return child

    def pids(self) -> dict[str, int]:
        """Process numbers of what runs now, by name."""
        return {name: c.pid for name, c in self.children.items() if c.pid is not None}

    def tend(self) -> bool:
        """Restart what has fallen and is due; return whether anything changed."""
        changed = False
        for child in self.children.values():
            now = time.monotonic()
            if child.held_until is not None:
                if now < child.held_until:
                    continue
                child.held_until = None
                child.next_start = now
            if child.process is not None and child.process.poll() is not None:
                self._fell(child, now)
                changed = True
            if child.process is None:
                if now >= child.next_start:
                    self._begin(child)
                    changed = True
            elif child.trouble and now - child.started_at > SETTLED_SECONDS:
                child.trouble = ""
                self._say(f"{child.recipe.name} runs again.")
        return changed

    def _begin(self, child: Child) -> None:
        try:
            child.start()
        except OSError as e:
            reason = e.strerror or str(e)
            self._note(child, f"cannot be started: {reason}. {advice(reason)}".rstrip())

    def _fell(self, child: Child, now: float) -> None:
        assert child.process is not None
        status = child.process.returncode
        child.process = None
        words = child.last_words()
        done = child.recipe.remedy(status, words) if child.recipe.remedy is not None else None
        if done is not None:
            self._say(done)
            child.next_start = now
            return
        if now - child.started_at > GOOD_AFTER_SECONDS:
            child.falls = 0
        if -status in _FROM_OUTSIDE:
            words = ""  # what it said last has nothing to do with its end
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        self._note(child, f"ended {how}" + (f": {words}" if words else ""))

    def _note(self, child: Child, why: str) -> None:
        """Plan the next start, and say why one is needed, unless it was said before."""
        pause = min(FIRST_PAUSE_SECONDS * 2**child.falls, LONGEST_PAUSE_SECONDS)
        child.falls += 1
        child.next_start = time.monotonic() + pause
        if why != child.trouble:
            self._say(
                f"{child.recipe.name} {why} (Started again in {pause:.0f} s, and then in at most "
                f"{LONGEST_PAUSE_SECONDS:.0f} s each time; all its words: {child.recipe.log})"
            )
        child.trouble = why

    def hold(self, name: str, seconds: float | None) -> None:
        """End one process and leave it ended, for some seconds or until it is released."""
        child = self.children[name]
        child.held_until = time.monotonic() + seconds if seconds is not None else float("inf")
        child.end()

    def release(self, name: str) -> None:
        """Let a held process run again at once, or one that waits for its next start."""
        child = self.children[name]
        child.next_start = 0.0
        if child.held_until is not None:
            child.held_until = 0.0

    def end(self) -> None:
        """End everything, the last started first."""
        for child in reversed(self.children.values()):
            with contextlib.suppress(OSError):
                child.end()
