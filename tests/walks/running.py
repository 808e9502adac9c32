"""A running ``nongso up``, started as a user starts it, and how a walk asks it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

UP_SECONDS = 150  # a first start with its past days, on a machine that is busy with other tests


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass
class System:
    """A running ``nongso up`` and how to ask it."""

    folder: Path
    process: subprocess.Popen[str]
    said: list[str]

    @property
    def demo(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "demo.json").read_text())
        return found

    def ask(
        self,
        path: str,
        body: object = None,
        role: str = "farmer",
        accept: str = "application/json",
    ) -> tuple[int, Any]:
        """Call the API as one of the demo's people; returns status and decoded answer."""
        request = urllib.request.Request(
            self.demo["url"] + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Bearer " + self.demo["accounts"][role]["token"],
                "Content-Type": "application/json",
                "Accept": accept,
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                status, raw = answer.status, answer.read()
        except urllib.error.HTTPError as e:
            status, raw = e.code, e.read()
        return status, json.loads(raw) if raw[:1] in b"{[" else raw

    def gateway_status(self) -> dict[str, Any]:
        """What the gateway says of itself; empty while it is away."""
        try:
            with urllib.request.urlopen(self.demo["status_url"] + "/healthz", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as e:
            unwell: dict[str, Any] = json.load(e)
            return unwell
        except OSError:
            return {}

    def edges(self, coil: int) -> list[dict[str, Any]]:
        """The relay board's own log of one coil."""
        lines = (self.folder / "farm" / "edges.jsonl").read_text().splitlines()
        return [e for e in map(json.loads, lines) if e["coil"] == coil]

    def is_open(self, coil: int) -> bool:
        edges = self.edges(coil)
        return bool(edges) and bool(edges[-1]["on"])

    def nongso(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the ``nongso`` command on this system's folder."""
        return subprocess.run(
            [sys.executable, "-m", "nongso.commands", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    @contextmanager
    def held(self, part: str) -> Iterator[None]:
        """A part of the house is switched off, as with ``nongso demo stop``, and on again."""
        folder = str(self.folder)
        assert self.nongso("demo", "stop", part, "--data", folder).returncode == 0
        try:
            yield
        finally:
            assert self.nongso("demo", "start", part, "--data", folder).returncode == 0


def until(what: str, is_true: Callable[[], object], seconds: float = 40.0) -> None:
    """Wait for a condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(0.05)


def start(folder: Path, port: int, *words: str) -> System:
    """Start ``nongso up`` and wait until it says that it is ready."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "nongso.commands", "up"),
            *("--data", str(folder), "--port", str(port), *words),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    said: list[str] = []
    assert process.stdout is not None
    left = signal.alarm(UP_SECONDS)  # readline has no time-out of its own
    try:
        for line in process.stdout:
            said.append(line)
            if "Stop with Ctrl-C" in line:
                break
    except BaseException:
        print(*said)
        os.killpg(process.pid, signal.SIGKILL)
        raise
    finally:
        signal.alarm(left)
    if process.poll() is not None:
        raise AssertionError("nongso up ended:\n" + "".join(said))
    return System(folder, process, said)


def end(system: System) -> str:
    """Press Ctrl-C and return everything it said from then on."""
    system.process.send_signal(signal.SIGINT)
    said, _ = system.process.communicate(timeout=60)
    return said
