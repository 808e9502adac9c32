"""What the simulated farm is made of: ``farm.json`` read once into frozen values.

Beyond the keys in docs/contracts.md section 5 the file may have ``days`` (length of the history
laid down at first start, 30), ``relays`` (of the board, 8; at most 32), ``tank``
(``{"litres": 6000, "stream_l_per_min": 3}``) and
``bus_node`` (``{"farm", "slug", "eui64"}``: the node that meter and tank speak for) and
``switches`` (``{"stop_input": 0, "hands": {"<zone>": 1}}``: which input of the cabinet's input
unit is the red button, closed at rest, and which a zone's hand-auto switch; left out: there is no
such unit) and ``stations`` (the gateway's settings: stations let in since stand there); a zone
may have ``band`` (as in the gateway's settings) if it waters itself by one. Faults that are
switched on stand beside the state, in ``faults.json`` (``faults.py``).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nongso.wire.topics import TopicError, check_slug

COILS = 8
MOST_COILS = 32
INPUTS = 8
TANK_LITRES = 6000.0


class SettingsError(ValueError):
    """The settings file of the farm cannot be used; the text says where and why."""


@dataclass(frozen=True)
class Band:
    """Below ``low`` % water in pulses, with time to soak between, up to ``high`` %."""

    low: float
    high: float
    run_seconds: float
    soak_seconds: float


@dataclass(frozen=True)
class Zone:
    """One khu tưới: an area that one valve waters; in the past by ``band``, else by people."""

    id: str
    coil: int
    area_m2: float
    band: Band | None = None


@dataclass(frozen=True)
class House:
    """One greenhouse."""

    slug: str
    farm: str
    area_m2: float
    zones: tuple[Zone, ...]


@dataclass(frozen=True)
class Node:
    """One trạm đo: where it stands, and the counts of its soil probe in air and in water."""

    slug: str
    eui64: str
    greenhouse: str
    zone: str
    dry: int
    wet: int


@dataclass(frozen=True)
class BusNode:
    """The node for which the gateway reads meter and tank from the bus."""

    farm: str
    slug: str
    eui64: str


@dataclass(frozen=True)
class Switches:
    """The cabinet's input unit: the inputs of the red button and of zones' hand-auto switches."""

    stop_input: int
    hands: dict[str, int]


@dataclass(frozen=True)
class FarmSettings:
    """The whole of ``farm.json``."""

    seed: int
    speed: float
    latitude: float
    longitude: float
    modbus_host: str
    modbus_port: int
    chips_host: str
    chips_port: int
    edges: Path
    state: Path
    houses: tuple[House, ...]
    nodes: tuple[Node, ...]
    pump_coil: int
    main_coil: int
    bus_node: BusNode | None
    tank_litres: float
    stream_l_per_min: float
    days: int
    relays: int = COILS
    switches: Switches | None = None
    stations: Path | None = None

    @property
    def faults(self) -> Path:
        """The file of faults that are switched on."""
        return self.state.with_name("faults.json")

    def house(self, slug: str) -> House:
        """Return the greenhouse of that name."""
        return next(house for house in self.houses if house.slug == slug)


def _band(found: dict[str, Any]) -> Band:
    """Read a band. Raises ``ValueError`` for one that would water for ever."""
    names = ("low", "high", "run_seconds", "soak_seconds")
    band = Band(*(float(found[name]) for name in names))
    if not (0 < band.low < band.high <= 100 and band.run_seconds > 0 and band.soak_seconds >= 0):
        raise ValueError(f"not a band: {found}")
    return band


def _check(settings: FarmSettings) -> None:
    if not 1 <= settings.speed <= 3600:
        raise SettingsError(f"speed must be from 1 to 3600, not {settings.speed:g}")
    if not (abs(settings.latitude) <= 90 and abs(settings.longitude) <= 180):
        raise SettingsError("latitude and longitude must be a place on the earth, in degrees")
    areas = [house.area_m2 for house in settings.houses]
    areas += [zone.area_m2 for house in settings.houses for zone in house.zones]
    for area in areas:
        if not 0 < area <= 1e6:
            raise SettingsError(f"area_m2 must be more than 0 and at most 1,000,000, not {area:g}")
    if not (0 < settings.tank_litres <= 1e9 and 0 <= settings.stream_l_per_min <= 1e6):
        raise SettingsError("tank.litres must be more than 0 and tank.stream_l_per_min 0 or more")
    if not 0 <= settings.days <= 366:
        raise SettingsError(f"days must be from 0 to 366, not {settings.days}")
    coils = [zone.coil for house in settings.houses for zone in house.zones]
    coils += [settings.pump_coil, settings.main_coil]
    if not COILS <= settings.relays <= MOST_COILS:
        raise SettingsError(f"relays must be from {COILS} to {MOST_COILS}")
    for coil in coils:
        if not 0 <= coil < settings.relays:
            last = settings.relays - 1
            raise SettingsError(f"coil {coil} does not exist: the board has 0 to {last}")
        if coils.count(coil) > 1:
            raise SettingsError(f"coil {coil} is used twice")
    zones = {zone.id: house.slug for house in settings.houses for zone in house.zones}
    if settings.switches is not None:
        _check_switches(settings.switches, zones)
    for node in settings.nodes:
        if zones.get(node.zone) != node.greenhouse:
            raise SettingsError(
                f"node {node.slug}: no zone {node.zone!r} in greenhouse {node.greenhouse!r}"
            )


def _check_switches(switches: Switches, zones: dict[str, str]) -> None:
    inputs = [switches.stop_input, *switches.hands.values()]
    for number in inputs:
        if not 0 <= number < INPUTS:
            raise SettingsError(f"input {number} does not exist: there are 0 to {INPUTS - 1}")
        if inputs.count(number) > 1:
            raise SettingsError(f"input {number} is used twice")
    for zone in switches.hands:
        if zone not in zones:
            raise SettingsError(f"switches.hands names no zone: {zone!r}")


def from_dict(found: dict[str, Any], folder: Path) -> FarmSettings:
    """Build settings from decoded JSON; relative file names are taken from ``folder``."""
    try:
        tank = found.get("tank", {})
        bus = found.get("bus_node")
        switches = found.get("switches")
        settings = FarmSettings(
            seed=int(found["seed"]),
            speed=float(found.get("speed", 1)),
            latitude=float(found.get("latitude", 22.4)),
            longitude=float(found.get("longitude", 103.6)),
            modbus_host=str(found["modbus"]["host"]),
            modbus_port=int(found["modbus"]["port"]),
            chips_host=str(found["chips"]["host"]),
            chips_port=int(found["chips"]["port"]),
            edges=folder / found["edges"],
            state=folder / found["state"],
            houses=tuple(
                House(
                    check_slug(house["slug"]),
                    check_slug(house["farm"]),
                    float(house["area_m2"]),
                    tuple(
                        Zone(
                            str(zone["id"]),
                            int(zone["coil"]),
                            float(zone["area_m2"]),
                            _band(zone["band"]) if zone.get("band") else None,
                        )
                        for zone in house["zones"]
                    ),
                )
                for house in found["greenhouses"]
            ),
            nodes=tuple(
                Node(
                    check_slug(node["slug"]),
                    str(node["eui64"]),
                    str(node["greenhouse"]),
                    str(node["zone"]),
                    int(node["dry"]),
                    int(node["wet"]),
                )
                for node in found["nodes"]
            ),
            relays=int(found.get("relays", COILS)),
            pump_coil=int(found["pump_coil"]),
            main_coil=int(found["main_coil"]),
            bus_node=None
            if bus is None
            else BusNode(check_slug(bus["farm"]), check_slug(bus["slug"]), str(bus["eui64"])),
            switches=None
            if switches is None
            else Switches(
                int(switches["stop_input"]),
                {str(zone): int(number) for zone, number in switches["hands"].items()},
            ),
            tank_litres=float(tank.get("litres", TANK_LITRES)),
            stream_l_per_min=float(tank.get("stream_l_per_min", 3.0)),
            days=int(found.get("days", 30)),
            stations=folder / found["stations"] if "stations" in found else None,
        )
    except KeyError as error:
        raise SettingsError(f"the key {error.args[0]!r} is missing") from None
    except (TypeError, ValueError, AttributeError, OverflowError, TopicError) as error:
        raise SettingsError(str(error)) from None
    _check(settings)
    return settings


def read(file: Path) -> FarmSettings:
    """Read ``farm.json``. Raises ``SettingsError`` with a sentence that names the file."""
    try:
        found = json.loads(file.read_text("utf-8"))
        if not isinstance(found, dict):
            raise SettingsError("an object is expected")
        return from_dict(found, file.parent.resolve())
    except OSError as error:
        raise SettingsError(f"cannot read {file}: {error.strerror}") from None
    except RecursionError:
        raise SettingsError(f"{file} is nested too deeply") from None
    except ValueError as error:
        raise SettingsError(f"{file}: {error}") from None
