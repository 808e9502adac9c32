"""Faults of the simulated farm, switched on and off while it runs: ``faults.json``.

What a person does at the cabinet stands among them: the red button, the hand-auto switches.
``nongso demo fault`` writes the file (``write``), the farm looks at it ten times a second
(``FaultFile``). A fault has a name, what it is at (a zone, a switch, a unit of the bus, a
station), and perhaps a Unix time at which it ends by itself. Deleting the file ends all of them.
"""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nongso.gateway.simulated.settings import FarmSettings

# What each fault is at; "" where there is only one place for it.
KINDS = {
    "stuck_open": "zone",  # the valve stays as open as it is, or opens, whatever its coil says
    "stuck_closed": "zone",
    "welded": "switch",  # the relay's contact does not open any more
    "dead_relay": "switch",  # the board answers that it cannot switch it on
    "dry_pump": "",  # it turns and moves no water
    "burst_pipe": "",  # behind the main valve: flows while pump and main valve are on
    "leak": "",  # before the main valve, behind the meter: flows whatever is closed
    "frozen_probe": "station",
    "drifting_probe": "station",
    "dead": "unit",
    "late": "unit",  # answers after its time
    "wrong": "unit",  # answers in another unit's name
    "garbled": "unit",  # answers with broken bytes
    "brown_out": "",  # everything on the valves' bus has no power
    "bad_mains": "",  # the pump's mains has 160 V
    "low_tank": "",  # its sensor reads 3 %
    "red_button": "cabinet",  # somebody has pressed it, and it stays in
    "hand_switch": "switched zone",  # turned to hand: valve, main valve and pump are on by it
}
UNITS = ("relay", "meter", "tank", "mains", "switches")
MOST_FAULTS = 100
_LONGEST_FILE = 65536


class FaultError(ValueError):
    """A fault that this farm cannot have; the text says which it can."""


@dataclass(frozen=True)
class Fault:
    """One fault, until a Unix time or until it is switched off."""

    kind: str
    at: str = ""
    until: float | None = None


class Faults:
    """The faults of one moment."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._at: dict[str, set[str]] = {}
        for fault in faults:
            self._at.setdefault(fault.kind, set()).add(fault.at)

    def has(self, kind: str, at: str = "") -> bool:
        """Whether there is this fault at this place."""
        return at in self._at.get(kind, ())

    def at(self, kind: str) -> set[str]:
        """Everything that has this fault."""
        return self._at.get(kind, set())


NONE = Faults()


def places(settings: FarmSettings, kind: str) -> tuple[str, ...]:
    """Where a fault can be on this farm; ``("",)`` for one that names no place, nothing where the
    farm has no such thing."""
    zones = tuple(zone.id for house in settings.houses for zone in house.zones)
    switches = settings.switches
    return {
        "zone": zones,
        "switch": (*zones, "pump", "main"),
        "unit": UNITS if switches else UNITS[:-1],
        "cabinet": ("",) if switches else (),
        "switched zone": tuple(zone for zone in zones if switches and zone in switches.hands),
        "station": tuple(node.slug for node in settings.nodes),
        "": ("",),
    }[KINDS[kind]]


def switched(settings: FarmSettings, coil: str) -> int:
    """The coil of a zone, of ``pump`` or of ``main``."""
    if coil in ("pump", "main"):
        return settings.pump_coil if coil == "pump" else settings.main_coil
    return next(z.coil for house in settings.houses for z in house.zones if z.id == coil)


def check(settings: FarmSettings, kind: str, at: str) -> None:
    """See that this farm can have the fault. Raises ``FaultError``."""
    if kind not in KINDS:
        raise FaultError(f"no fault called {kind!r:.40}; there are: {', '.join(KINDS)}")
    can = places(settings, kind)
    if at in can:
        return
    if not can:
        raise FaultError(f"this farm has no buttons and switches for {kind}")
    if can == ("",):
        raise FaultError(f"{kind} names no place")
    raise FaultError(f"name the {KINDS[kind]} of {kind}, one of: {', '.join(can)}")


def read(file: Path) -> list[Fault]:
    """Read all faults, also those that are over. Raises ``OSError`` or ``ValueError``."""
    try:
        with file.open("rb") as there:
            found = json.loads(there.read(_LONGEST_FILE))
    except FileNotFoundError:
        return []
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, list) or len(found) > MOST_FAULTS:
        raise ValueError("a list of faults is expected")
    return [_fault(one) for one in found]


def _fault(found: Any) -> Fault:
    if not isinstance(found, dict) or not set(found) <= {"kind", "at", "until"}:
        raise ValueError("a fault has kind, at and until")
    kind, at, until = found.get("kind"), found.get("at", ""), found.get("until")
    is_time = until is None or (isinstance(until, int | float) and not isinstance(until, bool))
    if not isinstance(kind, str) or kind not in KINDS or not isinstance(at, str) or not is_time:
        raise ValueError(f"no fault of ours: {found!r:.80}")
    return Fault(kind, at, until)


def write(file: Path, faults: Iterable[Fault]) -> None:
    """Replace the file, whole or not at all. Raises ``OSError``."""
    new = file.with_name(file.name + ".new")
    new.write_text(json.dumps([asdict(fault) for fault in faults], indent=1) + "\n", "utf-8")
    os.replace(new, file)


class FaultFile:
    """The farm's eye on the file. One that cannot be used is said once and changes nothing."""

    def __init__(self, settings: FarmSettings) -> None:
        self._settings = settings
        self._seen: tuple[int, int] | None = None
        self._faults: list[Fault] = []
        self._trouble = ""

    def now(self, unix_time: float) -> Faults:
        """The faults of this moment."""
        try:
            is_there = self._settings.faults.stat()
            seen = (is_there.st_mtime_ns, is_there.st_ino)
        except OSError:
            seen = None
        if seen != self._seen:
            self._seen = seen
            self._read()
        going_on = [f for f in self._faults if f.until is None or unix_time < f.until]
        return Faults(going_on)

    def _read(self) -> None:
        try:
            found = read(self._settings.faults)
            for fault in found:
                check(self._settings, fault.kind, fault.at)
        except (OSError, ValueError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                print(
                    f"{self._settings.faults} cannot be used ({error}); the faults stay as they"
                    " were. Delete it to end them all.",
                    file=sys.stderr,
                    flush=True,
                )
            return
        self._trouble = ""
        self._faults = found
