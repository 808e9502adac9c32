"""``nongso demo fault`` and ``repair``: what breaks on the simulated farm while it runs.

Writes the farm's own file of faults (``nongso.gateway.simulated.faults``), which the farm sees
within a tenth of a second; it needs no running ``nongso up`` to be asked.
"""

import time
from pathlib import Path

from nongso.commands.errors import CommandError
from nongso.commands.house import SAMPLE_SECONDS
from nongso.gateway.doubts import WETTED_SHARE
from nongso.gateway.irrigation import trust
from nongso.gateway.simulated import faults
from nongso.gateway.simulated.model import DRIFT_PERCENT_PER_HOUR
from nongso.gateway.simulated.settings import FarmSettings, SettingsError, read


def switch_on(data: Path, kind: str | None, at: str | None, seconds: float | None) -> None:
    """Switch a fault on, or say which there can be. Raises ``CommandError``."""
    farm = _farm(data)
    if kind is None:
        for name in faults.KINDS:
            places = [place for place in faults.places(farm, name) if place]
            print(f"{name:15} {' '.join(places)}".rstrip())
        print("Switched on now:")
        _say(farm)
        return
    try:
        faults.check(farm, kind, at or "")
    except faults.FaultError as error:
        raise CommandError(str(error)) from None
    until = None if seconds is None else round(time.time() + seconds, 1)
    others = [f for f in _there(farm) if (f.kind, f.at) != (kind, at or "")]
    _write(farm, [*others, faults.Fault(kind, at or "", until)])
    _say(farm)
    if kind in ("frozen_probe", "drifting_probe"):
        print(_when_it_is_told(farm, kind, at or ""))


def repair(data: Path, kind: str | None, at: str | None) -> None:
    """End one fault, all of a kind, or all. Raises ``CommandError``."""
    farm = _farm(data)
    if kind is not None and kind not in faults.KINDS:
        raise CommandError(
            f"no fault called {kind!r:.40}; there are: {', '.join(faults.KINDS)}."
            " 'nongso demo repair' alone mends everything"
        )
    left = [f for f in _there(farm) if kind not in (None, f.kind) or at not in (None, f.at)]
    _write(farm, left)
    _say(farm)


def _when_it_is_told(farm: FarmSettings, kind: str, station: str) -> str:
    """Say when the page tells of a probe that lies: by the farm's time, which may hurry."""
    if SAMPLE_SECONDS * farm.speed > trust.GAP_SECONDS:
        return f"At speed {farm.speed:g} no probe is judged: too much comes between two readings."
    node = next(node for node in farm.nodes if node.slug == station)
    area = next(z.area_m2 for z in farm.house(node.greenhouse).zones if z.id == node.zone)
    if kind == "frozen_probe":
        litres = trust.ENOUGH_MM * area * WETTED_SHARE
        minutes = trust.SETTLE_SECONDS / 60.0 / farm.speed
        return (
            f"The page tells of it about {minutes:.3g} min after runs that brought {litres:.0f} l"
            f" into {node.zone} have ended. Less water proves nothing; nor does any in the hour of"
            f" the farm ({60.0 / farm.speed:.3g} min) after it was watered: its mean moves."
        )
    minutes = trust.RISE_PERCENT / DRIFT_PERCENT_PER_HOUR * 60.0 / farm.speed
    soaked = trust.SOAKED_SECONDS / 60.0 / farm.speed
    return (
        f"The page tells of it after about {minutes:.3g} min without water in {node.zone};"
        f" nothing is judged for {soaked:.3g} min after water."
    )


def _farm(data: Path) -> FarmSettings:
    file = data / "farm" / "farm.json"
    if not file.exists():
        raise CommandError(f"There is no simulated farm in {data}. Make one with: nongso up")
    try:
        return read(file)
    except SettingsError as error:
        raise CommandError(str(error)) from None


def _there(farm: FarmSettings) -> list[faults.Fault]:
    try:
        found = faults.read(farm.faults)
    except (OSError, ValueError):
        return []  # the farm does not understand it either; it is written anew
    return [f for f in found if f.until is None or time.time() < f.until]


def _write(farm: FarmSettings, wanted: list[faults.Fault]) -> None:
    try:
        faults.write(farm.faults, wanted)
    except OSError as error:
        raise CommandError(f"{farm.faults} cannot be written ({error.strerror}).") from None


def _say(farm: FarmSettings) -> None:
    there = _there(farm)
    for fault in there:
        left = "" if fault.until is None else f"for {fault.until - time.time():.0f} s"
        print(f"{fault.kind:15} {fault.at} {left}".rstrip())
    if not there:
        print("No fault is switched on.")
