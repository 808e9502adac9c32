"""Debian's Chromium, and its end."""

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@contextlib.contextmanager
def started(playwright: Playwright) -> Iterator[Browser]:
    """A browser that is ended by force: a service worker at work may keep it from closing."""
    running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    try:
        yield running
    finally:
        kill_browsers()
        running.close()


def kill_browsers() -> None:
    """End what this process has started of Chromium."""
    for pid in below(os.getpid()):
        with contextlib.suppress(OSError):  # it may have ended by itself
            if "chrom" in Path(f"/proc/{pid}/comm").read_text():
                os.kill(pid, signal.SIGKILL)


def below(pid: int) -> Iterator[int]:
    """The processes that a process started, and those which they started, the last ones first."""
    children = ""
    with contextlib.suppress(OSError):  # it has ended meanwhile
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    for child in children.split():
        yield from below(int(child))
        yield int(child)
