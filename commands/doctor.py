"""``nongso doctor``: what is wrong on this machine, in plain words, and what to do about it.

Looks and changes nothing; it may be asked while everything runs, and when nothing runs any more.
What belongs to any machine (clock, disk, files) is here; ``doctor_gateway`` and
``doctor_platform`` look after the two rooms.
"""

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nongso.commands import inspection
from nongso.commands.errors import CommandError
from nongso.commands.findings import Finding, Grade, good, look, wrong
from nongso.gateway.simulated.aside import MARK

LEAST_FREE = 64 << 20
LITTLE_FREE = 512 << 20
LITTLE_INODES = 0.03
HOTTEST_CELSIUS = 80.0
OLDEST_NOW = 1_767_225_600  # 2026-01-01: before this program was written
AHEAD_SECONDS = 120


@dataclass(frozen=True)
class Place:
    """What is to be looked at: a house of ``nongso up``, or settings files."""

    data: Path | None = None
    platform: Path | None = None
    gateway: Path | None = None

    def folders(self) -> list[Path]:
        """Every folder that data lie in."""
        files = (self.platform, self.gateway)
        found = [self.data, *(file.parent for file in files if file is not None)]
        return [folder for folder in found if folder is not None and folder.is_dir()]


def examine(place: Place) -> Iterator[Finding]:
    """Look at everything, the machine first."""
    platform, gateway = place.platform, place.gateway
    if place.data is not None:
        if not place.data.is_dir():
            raise CommandError(f"{place.data} is not there. Name another folder with --data.")
        platform = platform or _there(place.data / "platform" / "platform.json")
        gateway = gateway or _there(place.data / "gateway" / "gateway.json")
        yield from _house(place.data)
    yield from _clock(place.folders())
    for folder in place.folders():
        yield from _disk(folder)
    yield from _heat()
    for file in filter(None, (platform, gateway)):
        yield from _settings_file(file)
    if gateway is not None and gateway.exists():
        from nongso.commands import doctor_gateway

        yield from doctor_gateway.examine(gateway)
    if platform is not None and platform.exists():
        from nongso.commands import doctor_platform

        yield from doctor_platform.examine(platform)
    if platform is None and gateway is None:
        yield Finding(
            Grade.UNKNOWN,
            "neither gateway nor platform: only the machine was looked at",
            "name one with --data, --gateway or --platform",
        )


def _there(file: Path) -> Path | None:
    return file if file.exists() else None


# --- the machine ------------------------------------------------------------------------


def _clock(folders: list[Path]) -> Iterator[Finding]:
    now = time.time()
    shown = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if now < OLDEST_NOW:
        yield wrong(
            f"clock: it says {shown}, which is long ago",
            "give the machine network for a minute, or set it: sudo timedatectl set-time "
            "'YYYY-MM-DD HH:MM:SS'. A clock with a battery (RTC) keeps it through power cuts.",
        )
        return
    newest = max((_newest(folder) for folder in folders), default=0.0)
    if newest > now + AHEAD_SECONDS:
        yield wrong(
            f"clock: it says {shown}, but files here were written "
            f"{_time(newest - now)} later than that",
            "the clock was put back, or it was wrong before. Set it (timedatectl); readings keep "
            "the times that they have.",
        )
        return
    synchronised = _asked("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if synchronised == "yes":
        yield good(f"clock: {shown}, set by the network")
    elif synchronised == "no":
        yield look(
            f"clock: {shown}, not set by the network",
            "sudo timedatectl set-ntp true; behind a firewall let port 123 (UDP) out. Without it "
            "the clock drifts, and after a power cut it is wrong.",
        )
    else:
        yield Finding(Grade.UNKNOWN, f"clock: {shown}; whether the network sets it is not known")


def _newest(folder: Path) -> float:
    """When a file directly in the folder was written last."""
    times = []
    for entry in os.scandir(folder):
        try:
            times.append(entry.stat().st_mtime)
        except OSError:
            continue
    return max(times, default=0.0)


def _disk(folder: Path) -> Iterator[Finding]:
    try:
        told = os.statvfs(folder)
    except OSError as error:
        yield wrong(f"disk of {folder}: {error.strerror}", "see: dmesg | tail")
        return
    free, share = told.f_bavail * told.f_frsize, told.f_bavail / max(told.f_blocks, 1)
    if told.f_flag & os.ST_RDONLY:
        yield wrong(
            f"disk of {folder}: it is read-only",
            "after an error the system makes a disk read-only: dmesg | tail says why. Back up "
            "what can be read, then change the card or disk.",
        )
        return
    if free < LEAST_FREE:
        yield wrong(
            f"disk of {folder}: full ({free >> 20} MB left)",
            "free some space: old backups, journalctl --vacuum-size=100M. Until then readings "
            "wait where they are.",
        )
    elif free < LITTLE_FREE and share < 0.1:
        yield look(
            f"disk of {folder}: {free >> 20} MB left", "free some space, or get a larger one"
        )
    elif told.f_files and told.f_favail / told.f_files < LITTLE_INODES:
        yield look(
            f"disk of {folder}: nearly no files can be made on it any more",
            "delete many small files",
        )
    else:
        yield good(f"disk of {folder}: {free / 1e9:.1f} GB left ({100 * share:.0f} %)")


def _heat() -> Iterator[Finding]:
    """What a small computer in a cabinet suffers from: heat, and a weak power supply."""
    sensor = Path("/sys/class/thermal/thermal_zone0/temp")
    try:
        celsius = int(sensor.read_text()) / 1000
    except (OSError, ValueError):
        celsius = 0.0
    if celsius >= HOTTEST_CELSIUS:
        yield look(f"heat: the processor has {celsius:.0f} °C", "give the cabinet air or shade")
    throttled = _asked("vcgencmd", "get_throttled").partition("=")[2]
    try:
        flags = int(throttled, 16) if throttled else 0
    except ValueError:
        flags = 0
    if flags & 0x10001:  # raspberrypi.com/documentation/computers/os.html#get_throttled
        yield wrong(
            "power: the voltage " + ("is" if flags & 1 else "was") + " too low",
            "use the maker's own power supply and a short cable; cards die of this",
        )


def _asked(*words: str) -> str:
    """What a program of the system answers in a word; empty where there is none."""
    if shutil.which(words[0]) is None:
        return ""
    try:
        answer = subprocess.run(words, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


# --- files ------------------------------------------------------------------------------


def _house(folder: Path) -> Iterator[Finding]:
    for file, kind in inspection.out_of_place(folder):
        yield wrong(f"{file} is a {kind}", "nongso up sets it aside and begins a new one")
    foreign = inspection.not_ours(folder)
    if foreign:
        yield wrong(
            f"{len(foreign)} files cannot be read and written by this user, the first is "
            f"{foreign[0]}",
            f"sudo chown -R {os.geteuid()} {folder}, or ask as the user that runs nongso",
        )


def _settings_file(file: Path) -> Iterator[Finding]:
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError as error:
        yield wrong(f"{file}: {error.strerror}", "name the settings with --platform or --gateway")
        return
    if mode & 0o077:
        yield wrong(
            f"{file} holds keys, and other users of this machine can read it",
            f"chmod 600 {file}; who has read it can give orders to the water: change the keys",
        )
    damaged = sorted(set(file.parent.glob(f"*{MARK}*")))
    if damaged:
        yield look(
            f"{len(damaged)} damaged files lie set aside in {file.parent}, the first is "
            f"{damaged[0].name}",
            "keep them until the last backup is known to be whole, then move them away. If it "
            "happens again the disk is failing: change it.",
        )


def _time(seconds: float) -> str:
    for length, word in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {word}"
    return f"{seconds:.0f} seconds"
