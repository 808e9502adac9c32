"""``nongso gateway update``: a new version is tried, and taken back when it does not come up.

How this works. Two slots hold a complete installation each; the link ``current`` says which one
the services run. The new version is installed into the other slot and must read the settings
there. When no water runs, the link is turned and the services start anew; only if gateway and
valves then stay up and are as well as before is the new version kept. Else the link is turned
back. ``trying`` names the old slot meanwhile: when the power goes, ``deploy/settle`` turns the
link back at the next start, without a line of the new version.

Deciding is here; pip, systemd and the status page are handed in.
"""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nongso.commands.durable import sync_folder
from nongso.commands.errors import CommandError

NAMES = ("a", "b")
SERVICES = ("nongso-valves", "nongso-gateway")
INSTALL_SECONDS = 1800
SERVICE_SECONDS = 90

Say = Callable[[str], None]
Report = dict[str, Any]


class Slots:
    """The two slots in one folder, and which one is in use."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._link = root / "current"
        self._trying = root / "trying"

    def of(self, name: str) -> Path:
        """Return the folder of a slot."""
        return self.root / "slots" / name

    def current(self) -> str:
        """Return the name of the slot in use. Raises ``CommandError``."""
        try:
            name = Path(os.readlink(self._link)).name
        except OSError as error:
            raise CommandError(
                f"{self._link} is not there: nongso was not installed here with two slots. "
                "deploy/install-gateway.sh does that."
            ) from error
        if name not in NAMES:
            raise CommandError(f"{self._link} leads to {name!r}, which is no slot.")
        return name

    def other(self) -> str:
        """Return the name of the slot that is not in use."""
        return next(name for name in NAMES if name != self.current())

    @property
    def is_trying(self) -> bool:
        """Say whether a version is on trial, or was when the power went."""
        return self._trying.exists()

    def try_(self, name: str) -> None:
        """Let a slot be in use for now; which one was before is on the disk first."""
        self._write(self._trying, self.current())
        self._turn(name)

    def keep(self) -> None:
        """The trial is over: what is in use stays."""
        self._trying.unlink(missing_ok=True)
        sync_folder(self.root)

    def go_back(self) -> None:
        """The trial has failed: use what was in use before."""
        self._turn(self._trying.read_text(encoding="ascii").strip())
        self.keep()

    def _turn(self, name: str) -> None:
        new = self.root / "current.new"
        new.unlink(missing_ok=True)
        new.symlink_to(Path("slots") / name)
        new.replace(self._link)
        sync_folder(self.root)

    def _write(self, file: Path, text: str) -> None:
        new = file.with_name(file.name + ".new")
        with new.open("w", encoding="ascii") as out:
            out.write(text + "\n")
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
        sync_folder(self.root)


class Machine(Protocol):
    """What an update does to the machine."""

    def install(self, slot: Path) -> None:
        """Put the new version into an empty slot. Raises ``CommandError``."""

    def restart(self) -> None:
        """Start valves and gateway anew."""

    def starts(self) -> int:
        """Return how often they were started in their life: it grows when one falls."""

    def report(self) -> Report | None:
        """Return what the gateway says of itself, ``None`` while it does not answer."""


@dataclass(frozen=True)
class Patience:
    """How long an update waits for what, in seconds."""

    for_dry: float = 3600.0
    for_coming_up: float = 120.0
    of_trial: float = 45.0
    step: float = 1.0


def update(
    slots: Slots, machine: Machine, say: Say, patience: Patience = Patience(), *, now: bool = False
) -> None:
    """Bring a new version in. Raises ``CommandError`` where the old one goes on.

    ``now``: do not wait until no water runs. (All valves close when the supervisor starts.)
    """
    if slots.is_trying:
        raise CommandError(
            f"Another update is on trial, or was when the power went. {slots.root}/settle takes "
            "it back; then try again."
        )
    before, fresh = slots.current(), slots.other()
    say(f"Installing into slot {fresh}; slot {before} goes on…")
    machine.install(slots.of(fresh))
    was_well = _is_well(machine.report())
    if not now:
        _wait_until_dry(machine, say, patience)
    say(f"Trying slot {fresh}: all valves close, then it starts…")
    slots.try_(fresh)
    machine.restart()
    why = _why_not(machine, was_well, patience)
    if why is None:
        slots.keep()
        say(f"It is well. Slot {fresh} is in use; the version before stays in slot {before}.")
        return
    say(f"The new version {why}. Going back to slot {before}…")
    slots.go_back()
    machine.restart()
    again = _why_not(machine, was_well, patience)
    told = "is in use again" if again is None else f"is in use again, but {again}"
    raise CommandError(
        f"The new version {why}. It was taken back: the version before {told}. Nothing is lost; "
        "journalctl -u nongso-gateway -u nongso-valves tells what happened."
    )


def _wait_until_dry(machine: Machine, say: Say, patience: Patience) -> None:
    until = time.monotonic() + patience.for_dry
    said = False
    while _running(machine.report()):
        if time.monotonic() > until:
            raise CommandError(
                "Water runs all the time; nothing was changed. Try at another hour, or say --now: "
                "it closes all valves."
            )
        if not said:
            say("Water runs; waiting until it has ended…")
            said = True
        time.sleep(patience.step)


def _running(report: Report | None) -> bool:
    zones = (report or {}).get("zones", {})
    return any(zone.get("state") == "running" for zone in zones.values())


def _is_well(report: Report | None) -> bool:
    return bool(report and report.get("ok"))


def _why_not(machine: Machine, was_well: bool, patience: Patience) -> str | None:
    """Wait for the version to come up and stay up; say why it did not, or ``None``.

    It need not be better than the one before: without a broker neither is well.
    """
    started = machine.starts()
    until = time.monotonic() + patience.for_coming_up
    while True:
        report = machine.report()
        if report is not None and (_is_well(report) or not was_well):
            break
        if time.monotonic() > until:
            if report is None:
                return "did not answer"
            return "answered, but was not well, as the one before was"
        time.sleep(patience.step)
    until = time.monotonic() + patience.of_trial
    while time.monotonic() < until:
        if machine.starts() != started:
            return "fell and had to be started again"
        time.sleep(patience.step)
    report = machine.report()
    if report is None or (was_well and not _is_well(report)):
        return "came up, and was not well any more a while later"
    return None


class Pi:
    """A machine with systemd, whose new version comes from a checkout or an unpacked release."""

    def __init__(self, source: Path, settings: Path, status_port: int) -> None:
        self._source, self._settings = source, settings
        self._url = f"http://127.0.0.1:{status_port}/healthz"
        if not (source / "requirements" / "gateway.lock").exists():
            raise CommandError(
                f"{source} holds no version of nongso: requirements/gateway.lock is not there."
            )

    def install(self, slot: Path) -> None:
        """Make a virtual environment with the pinned packages and the new version in it."""
        python, pip = slot / "bin" / "python", ["-m", "pip", "--disable-pip-version-check", "-q"]
        lock = self._source / "requirements" / "gateway.lock"
        for words in (
            ["rm", "-rf", slot],
            ["/usr/bin/python3", "-m", "venv", slot],
            [python, *pip, "install", "--require-hashes", "-r", lock],
            [python, *pip, "install", "--no-build-isolation", "--no-deps", self._source],
            # It must be able to read the settings before anything stops.
            [slot / "bin" / "nongso", "gateway", "key", "--settings", self._settings],
        ):
            _run([str(word) for word in words], INSTALL_SECONDS)

    def restart(self) -> None:
        """Start both services anew; one that falls at once is seen later."""
        try:
            _run(["systemctl", "restart", *SERVICES], SERVICE_SECONDS)
        except CommandError:
            return

    def starts(self) -> int:
        """How often systemd has started them again by itself."""
        told = _run(["systemctl", "show", "-p", "NRestarts", "--value", *SERVICES], 30)
        return sum(int(word) for word in told.split() if word.isdigit())

    def report(self) -> Report | None:
        """What the status page says."""
        try:
            with urllib.request.urlopen(self._url, timeout=5) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            try:
                found = json.load(error)
            except ValueError:
                return None
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None


def _run(words: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"{' '.join(words[:3])}: {error}. Nothing was changed.") from error
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it says nothing"]
        raise CommandError(f"{' '.join(words[:4])} failed: {last[0]}. The old version goes on.")
    return done.stdout
