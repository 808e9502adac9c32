"""The gateway's settings: ``gateway.json`` read once, checked, and frozen.

``load`` refuses unknown keys, wrong types and anything that does not fit together (a node in a
zone that is not there, two zones on one coil) with a sentence naming the key. Nothing else in
the gateway reads the file. Writing a first one is at the end: ``first_settings``.
"""

import json
import logging
import re
import secrets
import types
import typing
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nongso.gateway.errors import SettingsError
from nongso.gateway.irrigation import planting
from nongso.gateway.irrigation import sources as water_sources
from nongso.gateway.irrigation.facts import (
    NEEDED_TANK_PERCENT,
    REAL_TIME,
    Balance,
    FarmClock,
    Slot,
    Source,
    Window,
)
from nongso.gateway.irrigation.schedule import check, read_schedule
from nongso.wire.topics import TopicError, check_slug

log = logging.getLogger(__name__)

MODES = ("off", "manual", "band", "schedule", "balance", "advice")
FRAMINGS = ("tcp", "rtu")
PARITIES = ("none", "even", "odd")
BAUDS = (1200, 2400, 4800, 9600, 14400, 19200, 38400, 57600, 115200)
SHORTEST_KEY = 32
COILS = 256
LONGEST_TEXT = 500
MOST_NUMBER = 1e12
DAY = 86400
LONGEST_REST_SECONDS = 600
LONGEST_BACK_SECONDS = 3600
PHASES = 3
LONGEST_WINDOW_HOURS = 24 * 31
MOST_AREA_M2 = 1e6
MOST_PLATFORMS = 2


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the nodes' messages arrive."""

    host: str
    port: int
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Platform:
    """Where rows are sent. ``ca_file`` pins a private authority for https addresses.

    Under its ``id`` the gateway remembers what this platform has named; ``name`` is for people.
    """

    url: str
    key: str
    ca_file: str | None = None
    id: str = "main"
    name: str | None = None

    @property
    def called(self) -> str:
        """How logs and messages call it."""
        return self.name or self.id


@dataclass(frozen=True, slots=True)
class HomeAssistant:
    """The broker of a Home Assistant that shall have the newest readings. Output only."""

    host: str
    port: int = 1883
    user: str = ""
    password: str = ""
    prefix: str = "homeassistant"


@dataclass(frozen=True, slots=True)
class Device:
    """A device on the bus: its Modbus unit and the name of its device file."""

    unit: int
    device: str


@dataclass(frozen=True, slots=True)
class Switches:
    """A device whose inputs are buttons and switches at the cabinet.

    ``stop_input`` is the red button; ``stop_is_closed_at_rest``: a broken wire stops too.
    """

    unit: int
    device: str
    stop_input: int | None = None
    stop_is_closed_at_rest: bool = True


@dataclass(frozen=True, slots=True)
class Serial:
    """A serial line of this machine, always 8 data bits. All devices on it have one speed."""

    device: str
    baud: int = 9600
    parity: str = "none"
    stop_bits: int = 1


@dataclass(frozen=True, slots=True)
class Line:
    """A line with sensors only, which the gateway itself asks. Where it is: as for the bus."""

    id: str
    host: str = ""
    port: int = 0
    framing: str = "tcp"
    serial: Serial | None = None

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return f"{self.host}:{self.port}" if self.serial is None else self.serial.device


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor on a fieldbus: its unit, its device file, and who asks it.

    ``line`` is the id of a line with sensors only, or ``bus``: the valves' own, where the
    supervisor asks it in the pauses. ``without`` are metrics that were not bought with it.
    """

    unit: int
    device: str
    line: str = "bus"
    every_seconds: float = 30.0
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mains:
    """What power the pump may run on, and the meters that see it: one, or one for each phase.

    Each metric ``voltage``, ``voltage.2``, … of a meter is a phase. Outside of ``low_volts`` to
    ``high_volts``, or with phases that lie further apart than ``most_apart_percent`` of their
    mean, nothing starts and what runs is stopped, until the power was good for ``back_seconds``.
    ``silence_is_outage``: the meter is fed by what it measures; its silence means no power.
    """

    meters: tuple[Device, ...]
    low_volts: float = 195.0
    high_volts: float = 250.0
    most_apart_percent: float = 10.0
    back_seconds: float = 60.0
    silence_is_outage: bool = False


@dataclass(frozen=True, slots=True)
class Bus:
    """The fieldbus of the valves. It is at ``host`` and ``port``, or on ``serial``.

    ``framing`` is ``tcp`` or ``rtu`` (frames of a serial converter, over TCP).

    ``meter`` and ``tank`` are ``None`` where none is installed. Without a meter litres are not
    counted, and neither a leak nor a run without flow is noticed; without a tank sensor the level
    stays unknown, so that nothing is watered automatically. The pump starts ``pump_delay_seconds``
    after its valve and rests ``pump_rest_seconds`` between two starts, a valve stays closed for
    ``valve_rest_seconds``. ``pump_l_per_min`` is the most that the pump gives: known, it can be
    seen also when several zones are open that one of them stays dry. ``siren_coil`` is a spare
    relay with a horn or a lamp; ``switches`` the cabinet's buttons, which a zone's ``hand_input``
    counts on too. ``zones_at_once`` is for how many open zones the pump and its pipe are enough:
    others wait their turn. Below ``tank_lowest_percent`` a run is stopped in its middle.
    """

    lease_seconds: float
    relay: Device
    pump_coil: int
    main_coil: int
    host: str = ""
    port: int = 0
    framing: str = "tcp"
    serial: Serial | None = None
    meter: Device | None = None
    tank: Device | None = None
    switches: Switches | None = None
    siren_coil: int | None = None
    pump_delay_seconds: float = 2.0
    pump_rest_seconds: float = 5.0
    valve_rest_seconds: float = 3.0
    pump_l_per_min: float | None = None
    zones_at_once: int | None = None
    tank_lowest_percent: float = 5.0
    mains: Mains | None = None

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return f"{self.host}:{self.port}" if self.serial is None else self.serial.device


@dataclass(frozen=True, slots=True)
class BusNode:
    """Under which identity the bus's own sensors report."""

    farm: str
    slug: str
    eui64: str


@dataclass(frozen=True, slots=True)
class Farm:
    """A site."""

    slug: str
    name: str


@dataclass(frozen=True, slots=True)
class Band:
    """Soil moisture band: below ``low`` % water in pulses of ``run_seconds`` up to ``high`` %."""

    low: float
    high: float
    run_seconds: int
    soak_seconds: int
    fallback: str = "nothing"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A week of slots in local time; ``place`` (latitude, longitude) where they go by the sun."""

    slots: tuple[Slot, ...]
    utc_offset_minutes: int = 420
    place: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Zone:
    """A khu tưới: one coil of the relay board.

    A new zone leaves ``mode`` out: it is off until its wet test on the page is passed. Any other
    mode in the file arms the zone without one, as on farms that are older than such tests.
    ``flow_l_per_min`` is what flows into it; left out, its wet test or its runs tell.
    ``source`` is the id of the source that its water is from. ``windows`` are limits beyond the
    day's: in any so many hours at most so many seconds.
    """

    id: str
    name: str
    coil: int
    area_m2: float
    max_run_seconds: int
    max_day_seconds: int
    mode: str = "off"
    band: Band | None = None
    schedule: Schedule | None = None
    balance: Balance | None = None
    flow_l_per_min: float | None = None
    hand_input: int | None = None
    source: str | None = None
    windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class Greenhouse:
    """A nhà màng and its zones."""

    slug: str
    name: str
    farm: str
    area_m2: float
    zones: tuple[Zone, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A trạm đo. ``zone`` is ``None`` when it speaks for the whole greenhouse.

    ``sensor`` is ``None`` for a node that sends by itself. ``key`` signs what is offered to it
    (64 hex digits, the same as in its ``config.json``); without one it gets no updates.
    """

    farm: str
    slug: str
    eui64: str
    greenhouse: str
    zone: str | None = None
    sensor: Sensor | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Stations:
    """Where stations reach this machine in the farm's network, and how new ones come in.

    ``host`` is its address there, for the broker's second listener (``broker_port``) and for the
    door that a claim code opens (``claim_port``; 0: any free one). With ``certificate`` and
    ``certificate_key`` that listener speaks TLS, and new stations get ``ca_file``, what has signed
    it, and ``name``, which stands in it. Paths count from the settings' folder.
    """

    host: str
    broker_port: int = 0  # 0: that of the broker itself
    claim_port: int = 8082
    broker_folder: str = "broker"
    certificate: str | None = None
    certificate_key: str | None = None
    ca_file: str | None = None
    name: str | None = None

    @property
    def has_tls(self) -> bool:
        """Whether stations speak TLS with the broker."""
        return self.certificate is not None


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Everything the gateway knows about its farm. ``folder`` is where the file lies.

    Rows go to ``destinations``: the one ``platform``, or those listed as ``platforms``.
    """

    gateway: str
    name: str
    broker: Broker
    status_port: int
    bus: Bus
    bus_node: BusNode
    farms: tuple[Farm, ...]
    greenhouses: tuple[Greenhouse, ...]
    nodes: tuple[Node, ...]
    platform: Platform | None = None
    platforms: tuple[Platform, ...] = ()
    lines: tuple[Line, ...] = ()
    sources: tuple[Source, ...] = ()
    home_assistant: HomeAssistant | None = None
    stations: Stations | None = None
    simulated: bool = False
    farm_clock: FarmClock = REAL_TIME  # of a simulated farm that hurries
    store_megabytes: int = 512  # telemetry that was not sent is dropped beyond this
    folder: Path = Path()

    @property
    def boards(self) -> tuple[Node, ...]:
        """The nodes that are stations of their own; the others are sensors on a bus."""
        return tuple(node for node in self.nodes if node.sensor is None)

    @property
    def store_file(self) -> Path:
        """The one SQLite file."""
        return self.folder / "store.sqlite"

    @property
    def valves_socket(self) -> Path:
        """Where the valve supervisor listens."""
        return self.folder / "valves.sock"

    @property
    def updates_folder(self) -> Path:
        """Where versions of the nodes' program lie, and which node is to run which."""
        return self.folder / "updates"

    @property
    def station_port(self) -> int:
        """The broker's port for stations."""
        at = self.stations
        return at.broker_port if at is not None and at.broker_port else self.broker.port

    @property
    def broker_folder(self) -> Path:
        """Where the broker's passwords and rights lie."""
        return self.folder / (self.stations.broker_folder if self.stations else "broker")

    @property
    def devices_folder(self) -> Path:
        """Where the farm's own device files lie."""
        return self.folder / "devices"

    @property
    def destinations(self) -> tuple[Platform, ...]:
        """The platforms that get every row and may send commands; the first is the main one."""
        return self.platforms if self.platform is None else (self.platform,)

    def zones(self) -> dict[str, Zone]:
        """All zones by id."""
        return {zone.id: zone for house in self.greenhouses for zone in house.zones}


def load(path: Path) -> GatewaySettings:
    """Read and check the settings. Raises ``SettingsError``."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise SettingsError(
            f"{path} does not exist. Make one with: nongso gateway init --settings {path}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    try:
        found = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise SettingsError(f"{path} is nested too deeply. Correct the file.") from None
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON: {error}. Correct the file.") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{path} must hold one JSON object, not {_kind(found)}")
    if "folder" in found:
        raise SettingsError(f"{path}: unknown key folder (the store lies beside the settings)")
    try:
        settings: GatewaySettings = _read(GatewaySettings, found, "")
        object.__setattr__(settings, "folder", path.resolve().parent)
        _check(settings)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    if path.stat().st_mode & 0o077:
        log.warning("%s holds keys and others can read it: chmod 600 %s", path, path)
    return settings


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its pairs; of a key that stands twice JSON itself would take the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise SettingsError(f"the key {twice!r} stands twice in one object")
    return found


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true/false"}
    return names.get(type(value), "null" if value is None else "a number")


def _read(wanted: Any, value: Any, key: str) -> Any:
    """Turn decoded JSON into ``wanted``, a dataclass or one of the types used in them."""
    if isinstance(wanted, types.UnionType):
        if value is None:
            return None
        wanted = next(t for t in typing.get_args(wanted) if t is not type(None))
    if is_dataclass(wanted):
        return _read_object(wanted, value, key)
    if typing.get_origin(wanted) is tuple:
        if not isinstance(value, list):
            raise SettingsError(f"{key} must be a list, not {_kind(value)}")
        inner = typing.get_args(wanted)[0]
        return tuple(_read(inner, item, f"{key}[{n}]") for n, item in enumerate(value))
    if wanted is float and type(value) is int and abs(value) <= MOST_NUMBER:
        return float(value)
    if type(value) is not wanted:
        words = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
        raise SettingsError(f"{key} must be {words[wanted]}, not {value!r:.60}")
    if wanted is str:
        good = 0 < len(value) <= LONGEST_TEXT and value.isprintable()
        _need(
            good, key, f"must be a text of 1 to {LONGEST_TEXT} letters without control characters"
        )
    elif wanted in (int, float):
        _need(abs(value) <= MOST_NUMBER, key, f"must be a number up to {MOST_NUMBER:g}")
    return value


def _read_object(wanted: Any, value: Any, key: str) -> Any:
    dot = key + "." if key else ""
    if not isinstance(value, dict):
        raise SettingsError(f"{key} must be an object, not {_kind(value)}")
    hints = typing.get_type_hints(wanted)
    known = [f.name for f in fields(wanted) if f.name != "folder"]
    for name in value:
        if name not in known:
            raise SettingsError(f"unknown key {dot}{name}. Known here: {', '.join(known)}")
    for field in fields(wanted):
        if field.default is MISSING and field.name not in value:
            raise SettingsError(f"{dot}{field.name} is missing")
    return wanted(**{name: _read(hints[name], value[name], dot + name) for name in value})


def _need(good: bool, key: str, advice: str) -> None:
    if not good:
        raise SettingsError(f"{key} {advice}")


def _slug(text: str, key: str) -> None:
    try:
        check_slug(text)
    except TopicError as error:
        raise SettingsError(f"{key} is {error}") from None


def _once(seen: set[Any], value: Any, key: str) -> None:
    _need(value not in seen, key, f"is {value!r}, which stands twice; each must be its own")
    seen.add(value)


_HEX_DIGITS = frozenset("0123456789abcdef")


def _eui64(text: str, key: str) -> None:
    good = len(text) == 16 and not set(text) - _HEX_DIGITS
    _need(good, key, f"must be 16 hex digits in lower case, not {text!r}")


def _port(port: int, key: str) -> None:
    _need(0 < port < 65536, key, f"must be a port from 1 to 65535, not {port}")


def _is_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        return (
            url.scheme in ("http", "https")
            and bool(url.hostname)
            and url.port != 0
            and url.username is None
            and not url.query
            and not url.fragment
            and " " not in text
        )
    except ValueError:  # a bracket or a port that is none
        return False


def _check(settings: GatewaySettings) -> None:
    """Refuse what has the right types and cannot be meant."""
    _slug(settings.gateway, "gateway")
    _port(settings.broker.port, "broker.port")
    _port(settings.status_port, "status_port")
    _need(settings.store_megabytes >= 8, "store_megabytes", "must be 8 or more")
    is_hurried = settings.farm_clock != REAL_TIME
    _need(
        settings.simulated or not is_hurried, "farm_clock", "is for simulated farms: leave it out"
    )
    _need(1 <= settings.farm_clock.speed <= 3600, "farm_clock.speed", "must lie from 1 to 3600")
    if settings.home_assistant is not None:
        _port(settings.home_assistant.port, "home_assistant.port")
        prefix = settings.home_assistant.prefix
        _need(
            re.fullmatch(r"[\w-]+(/[\w-]+)*", prefix) is not None,
            "home_assistant.prefix",
            "must be a topic without wildcards, such as homeassistant",
        )
    _check_stations(settings)
    _check_platforms(settings)
    farms: set[Any] = set()
    for n, farm in enumerate(settings.farms):
        _slug(farm.slug, f"farms[{n}].slug")
        _once(farms, farm.slug, f"farms[{n}].slug")
    _check_bus(settings.bus)
    _check_greenhouses(settings, farms)
    _check_nodes(settings, farms)
    _check_sensors(settings)
    _check_sources(settings)


def _check_stations(settings: GatewaySettings) -> None:
    at = settings.stations
    if at is None:
        return
    good = re.fullmatch(r"[A-Za-z0-9.:-]+", at.host) is not None
    good = good and at.host not in ("0.0.0.0", "::")
    _need(good, "stations.host", "must be this machine's address in the farm's network")
    for name in ("broker_port", "claim_port"):
        _need(0 <= getattr(at, name) < 65536, f"stations.{name}", "must be a port, or 0")
    tls = (at.certificate, at.certificate_key, at.ca_file)
    _need(
        all(tls) or not any(tls),
        "stations.certificate",
        "stands together with certificate_key and ca_file: all three, or none",
    )
    _need(
        not at.has_tls or settings.station_port != settings.broker.port,
        "stations.broker_port",
        "is needed with a certificate, and is not that of broker.port (8883 is usual)",
    )


def _check_platforms(settings: GatewaySettings) -> None:
    """Each platform has its own id, address and key: with one key each could pose as both."""
    if settings.platform is not None:
        _need(not settings.platforms, "platforms", "stands beside platform; give one of the two")
        _check_platform(settings.platform, "platform")
        return
    _need(bool(settings.platforms), "platform", "is missing")
    _need(
        len(settings.platforms) <= MOST_PLATFORMS,
        "platforms",
        f"can hold {MOST_PLATFORMS} platforms, the cooperative's and the farm's own",
    )
    ids: set[Any] = set()
    urls: set[Any] = set()
    keys: set[Any] = set()
    for n, platform in enumerate(settings.platforms):
        key = f"platforms[{n}]"
        _check_platform(platform, key)
        _once(ids, platform.id, f"{key}.id")
        _once(urls, platform.url.rstrip("/"), f"{key}.url")
        _need(
            platform.key not in keys, f"{key}.key", "stands twice; each platform has its own key"
        )
        keys.add(platform.key)


def _check_platform(platform: Platform, key: str) -> None:
    _slug(platform.id, f"{key}.id")
    _need(
        _is_address(platform.url),
        f"{key}.url",
        f"must look like https://nongso.example.vn, not {platform.url!r}",
    )
    _need(
        len(platform.key) >= SHORTEST_KEY and all("!" <= letter <= "~" for letter in platform.key),
        f"{key}.key",
        f"must have at least {SHORTEST_KEY} characters, letters, digits and marks without spaces; "
        "copy it from the platform",
    )


def _check_place(at: Bus | Line, key: str) -> None:
    """Either an address or a serial line."""
    _need(at.framing in FRAMINGS, f"{key}.framing", f"must be one of {', '.join(FRAMINGS)}")
    serial = at.serial
    if serial is None:
        _need(bool(at.host), f"{key}.host", "is missing; give host and port, or serial")
        _port(at.port, f"{key}.port")
        return
    key = f"{key}.serial"
    _need(not at.host and not at.port, key, "stands beside host and port; give one of the two")
    _need(serial.device.startswith("/"), f"{key}.device", "must be a path like /dev/ttyUSB0")
    _need(serial.baud in BAUDS, f"{key}.baud", f"must be one of {', '.join(map(str, BAUDS))}")
    _need(serial.parity in PARITIES, f"{key}.parity", f"must be one of {', '.join(PARITIES)}")
    _need(serial.stop_bits in (1, 2), f"{key}.stop_bits", "must be 1 or 2")


def _check_sensors(settings: GatewaySettings) -> None:
    """Each unit number is one device on its line."""
    used: dict[str, set[Any]] = {"bus": set()}
    mains = () if settings.bus.mains is None else settings.bus.mains.meters
    for installed in (settings.bus.relay, settings.bus.meter, settings.bus.tank, *mains):
        if installed is not None:
            used["bus"].add(installed.unit)
    for n, line in enumerate(settings.lines):
        key = f"lines[{n}]"
        _slug(line.id, f"{key}.id")
        _need(line.id not in used, f"{key}.id", f"is {line.id!r}, which is another line's")
        _check_place(line, key)
        used[line.id] = set()
    for n, node in enumerate(settings.nodes):
        sensor, key = node.sensor, f"nodes[{n}].sensor"
        if sensor is None:
            continue
        _need(sensor.line in used, f"{key}.line", f"must be one of {', '.join(used)}")
        _need(1 <= sensor.unit <= 247, f"{key}.unit", "must be a Modbus unit from 1 to 247")
        _once(used[sensor.line], sensor.unit, f"{key}.unit")
        _need(
            1 <= sensor.every_seconds <= 3600, f"{key}.every_seconds", "must be 1 to 3600 seconds"
        )


def _check_bus(bus: Bus) -> None:
    _check_place(bus, "bus")
    _need(
        0.5 <= bus.lease_seconds <= 60, "bus.lease_seconds", "must lie between 0.5 and 60 seconds"
    )
    units: set[Any] = set()
    devices = {
        "relay": bus.relay,
        "meter": bus.meter,
        "tank": bus.tank,
        "switches": bus.switches,
    }
    for name, device in devices.items():
        if device is not None:
            key = f"bus.{name}.unit"
            _need(1 <= device.unit <= 247, key, "must be a Modbus unit from 1 to 247")
            _once(units, device.unit, key)
    for name, coil in (("pump_coil", bus.pump_coil), ("main_coil", bus.main_coil)):
        _need(0 <= coil < COILS, f"bus.{name}", f"must be a coil from 0 to {COILS - 1}")
    _need(bus.pump_coil != bus.main_coil, "bus.main_coil", "is the pump's coil")
    siren = bus.siren_coil
    free = siren is None or (0 <= siren < COILS and siren not in (bus.pump_coil, bus.main_coil))
    _need(free, "bus.siren_coil", f"must be a coil of its own from 0 to {COILS - 1}")
    for name in ("pump_delay_seconds", "pump_rest_seconds", "valve_rest_seconds"):
        good = 0 <= getattr(bus, name) <= LONGEST_REST_SECONDS
        _need(good, f"bus.{name}", f"must lie between 0 and {LONGEST_REST_SECONDS} seconds")
    most = bus.pump_l_per_min
    _need(most is None or most > 0, "bus.pump_l_per_min", "must be more than 0")
    at_once = bus.zones_at_once
    _need(at_once is None or at_once >= 1, "bus.zones_at_once", "must be 1 or more")
    _need(
        0 <= bus.tank_lowest_percent < NEEDED_TANK_PERCENT,
        "bus.tank_lowest_percent",
        f"must lie below the {NEEDED_TANK_PERCENT:g} % that a start needs",
    )
    if bus.mains is not None:
        _check_mains(bus.mains, units)


def _check_mains(mains: Mains, units: set[Any]) -> None:
    _need(1 <= len(mains.meters) <= PHASES, "bus.mains.meters", f"must be 1 to {PHASES} meters")
    for n, meter in enumerate(mains.meters):
        key = f"bus.mains.meters[{n}].unit"
        _need(1 <= meter.unit <= 247, key, "must be a Modbus unit from 1 to 247")
        _once(units, meter.unit, key)
    _need(
        0 < mains.low_volts < mains.high_volts,
        "bus.mains.low_volts",
        "must be more than 0 and less than high_volts",
    )
    _need(
        0 < mains.most_apart_percent <= 100,
        "bus.mains.most_apart_percent",
        "must be more than 0 and at most 100",
    )
    _need(
        0 <= mains.back_seconds <= LONGEST_BACK_SECONDS,
        "bus.mains.back_seconds",
        f"must lie between 0 and {LONGEST_BACK_SECONDS} seconds",
    )


def _check_greenhouses(settings: GatewaySettings, farms: set[Any]) -> None:
    houses: set[Any] = set()
    zones: set[Any] = set()
    coils: set[Any] = {
        *(settings.bus.pump_coil, settings.bus.main_coil),
        *(() if settings.bus.siren_coil is None else (settings.bus.siren_coil,)),
    }
    for n, house in enumerate(settings.greenhouses):
        key = f"greenhouses[{n}]"
        _slug(house.slug, key + ".slug")
        _once(houses, house.slug, key + ".slug")
        _need(house.farm in farms, key + ".farm", f"is {house.farm!r}, which is not under farms")
        _check_area(house.area_m2, key)
        for m, zone in enumerate(house.zones):
            inner = f"{key}.zones[{m}]"
            _slug(zone.id, inner + ".id")
            _once(zones, zone.id, inner + ".id")
            _need(0 <= zone.coil < COILS, inner + ".coil", f"must lie in 0 to {COILS - 1}")
            _once(coils, zone.coil, inner + ".coil")
            _check_zone(zone, inner)


def _check_sources(settings: GatewaySettings) -> None:
    """A quota needs a flow: only so is it known before a start what the run will take."""
    stations = {settings.bus_node.eui64, *(node.eui64 for node in settings.nodes)}
    ids: set[Any] = set()
    for n, source in enumerate(settings.sources):
        key = f"sources[{n}]"
        _slug(source.id, f"{key}.id")
        _once(ids, source.id, f"{key}.id")
        try:
            water_sources.check(source)
        except ValueError as error:
            raise SettingsError(f"{key}: {error}") from None
        node = source.level_node
        _need(
            node is None or node in stations,
            f"{key}.level_node",
            f"is {node!r}, which is neither under nodes nor the bus_node",
        )
    by_id = {source.id: source for source in settings.sources}
    for n, house in enumerate(settings.greenhouses):
        for m, zone in enumerate(house.zones):
            if zone.source is None:
                continue
            inner = f"greenhouses[{n}].zones[{m}]"
            found = by_id.get(zone.source)
            if found is None:
                raise SettingsError(
                    f"{inner}.source is {zone.source!r}, which is not under sources"
                )
            has_quota = (found.litres_per_day, found.litres_per_season) != (None, None)
            _need(
                zone.flow_l_per_min is not None or not has_quota,
                f"{inner}.flow_l_per_min",
                f"is needed: by it the quota of {found.id} is kept",
            )


def _check_area(area_m2: float, key: str) -> None:
    _need(
        0 < area_m2 <= MOST_AREA_M2,
        key + ".area_m2",
        f"must be more than 0 and at most {MOST_AREA_M2:,.0f}",
    )


def _check_zone(zone: Zone, key: str) -> None:
    _check_area(zone.area_m2, key)
    _need(zone.mode in MODES, key + ".mode", f"must be one of {', '.join(MODES)}")
    _need(
        0 < zone.max_run_seconds <= DAY,
        key + ".max_run_seconds",
        f"must be more than 0 and at most {DAY}, a day",
    )
    _need(
        zone.max_day_seconds >= zone.max_run_seconds,
        key + ".max_day_seconds",
        "must be at least max_run_seconds",
    )
    flow = zone.flow_l_per_min
    _need(flow is None or flow > 0, key + ".flow_l_per_min", "must be more than 0")
    for n, window in enumerate(zone.windows):
        inner = f"{key}.windows[{n}]"
        _need(
            24 < window.hours <= LONGEST_WINDOW_HOURS,
            inner + ".hours",
            f"must be more than 24 (that is max_day_seconds) and at most {LONGEST_WINDOW_HOURS}",
        )
        _need(
            window.seconds >= zone.max_run_seconds,
            inner + ".seconds",
            "must be at least max_run_seconds",
        )
    band = zone.band
    _need(band is not None or zone.mode != "band", key + ".band", "is needed in mode band")
    if band is not None:
        _need(0 <= band.low < band.high <= 100, key + ".band", "needs 0 <= low < high <= 100")
        _need(
            0 < band.run_seconds <= zone.max_run_seconds,
            key + ".band.run_seconds",
            "must lie between 1 and max_run_seconds",
        )
        _need(
            0 <= band.soak_seconds <= 7 * DAY,
            key + ".band.soak_seconds",
            "must be 0 or more and at most a week",
        )
        _need(
            band.fallback in planting.FALLBACKS,
            key + ".band.fallback",
            f"must be one of {', '.join(planting.FALLBACKS)}",
        )
    _check_schedule(zone, key)
    _check_balance(zone, key + ".balance")


def _check_balance(zone: Zone, key: str) -> None:
    is_needed = zone.mode in ("balance", "advice")
    _need(zone.balance is not None or not is_needed, key, f"is needed in mode {zone.mode}")
    if zone.balance is None:
        return
    try:
        planting.check(zone.balance)
    except ValueError as error:
        raise SettingsError(f"{key}: {error}") from None


def _check_schedule(zone: Zone, key: str) -> None:
    schedule = zone.schedule
    key += ".schedule"
    _need(schedule is not None or zone.mode != "schedule", key, "is needed in mode schedule")
    if schedule is None:
        return
    _need(schedule.place is None or len(schedule.place) == 2, key, "place needs two numbers")
    try:
        check(read_schedule(asdict(schedule)), zone.max_run_seconds)
    except ValueError as error:
        raise SettingsError(f"{key}: {error}") from None


def _check_nodes(settings: GatewaySettings, farms: set[Any]) -> None:
    houses = {house.slug: {z.id for z in house.zones} for house in settings.greenhouses}
    euis: set[Any] = set()
    slugs: set[Any] = set()
    everyone: list[tuple[str, Node | BusNode]] = [("bus_node", settings.bus_node)]
    everyone += [(f"nodes[{n}]", node) for n, node in enumerate(settings.nodes)]
    for key, node in everyone:
        _slug(node.slug, key + ".slug")
        _eui64(node.eui64, key + ".eui64")
        _once(euis, node.eui64, key + ".eui64")
        _once(slugs, (node.farm, node.slug), key + ".slug")
        _need(node.slug != settings.broker.user, key + ".slug", "is the gateway's own user there")
        _need(node.farm in farms, key + ".farm", f"is {node.farm!r}, which is not under farms")
        if isinstance(node, Node):
            good = node.key is None or (len(node.key) == 64 and not set(node.key) - _HEX_DIGITS)
            _need(good, key + ".key", "must be 64 hex digits in lower case")
            _need(
                node.greenhouse in houses,
                key + ".greenhouse",
                f"is {node.greenhouse!r}, which is not under greenhouses",
            )
            _need(
                node.zone is None or node.zone in houses[node.greenhouse],
                key + ".zone",
                f"is {node.zone!r}, which is no zone of {node.greenhouse}",
            )


def first_settings(
    gateway: str,
    name: str,
    farm: str,
    farm_name: str,
    platform_url: str,
    *,
    broker_port: int = 1883,
    status_port: int = 8081,
) -> dict[str, Any]:
    """Return a first ``gateway.json`` for a farm, with new keys and no greenhouse yet.

    It names no meter and no tank sensor: whoever has installed one writes it in.

    The bus node's EUI-64 is a random one with the "locally administered" bit set, so that it
    never meets the number of a bought board.
    """
    first = bytearray(secrets.token_bytes(8))
    first[0] = first[0] & 0xFC | 0x02
    settings = GatewaySettings(
        gateway=gateway,
        name=name,
        broker=Broker("127.0.0.1", broker_port, "gateway", secrets.token_urlsafe(24)),
        platform=Platform(platform_url, secrets.token_urlsafe(32)),
        status_port=status_port,
        bus=Bus(
            host="127.0.0.1",
            port=502,
            framing="tcp",
            lease_seconds=4.0,
            relay=Device(1, "relay-waveshare-rtu-8ch"),
            pump_coil=7,
            main_coil=6,
        ),
        bus_node=BusNode(farm, f"{gateway[:36]}-bus", first.hex()),
        farms=(Farm(farm, farm_name),),
        greenhouses=(),
        nodes=(),
    )
    _check(settings)
    found = asdict(settings)
    del found["folder"], found["platforms"]
    return found
