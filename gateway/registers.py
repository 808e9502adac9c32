"""Device files: which registers and coils a fieldbus device has and what their numbers mean.

``devices/<id>.toml`` describes one make of device (schema ``nongso-device/1``); this file reads
it and turns register words into quantities. It speaks to no bus: asking is ``fieldbus.py``.
Addresses are the zero-based numbers of the Modbus message, bytes inside a word big-endian.
"""

import math
import struct
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from nongso.gateway.errors import GatewayError
from nongso.wire.metrics import METRICS

SCHEMA = "nongso-device/1"

# struct format by type; the width in words follows from it.
_FORMATS = {"uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i", "float32": ">f"}

# A probe in an empty tank reads a little below zero, one in a brim-full tank a little above.
_PERCENT_MARGIN = 3.0


class DeviceFileError(GatewayError):
    """A device file is missing or says something that cannot be; the text tells what to change."""


@dataclass(frozen=True)
class Register:
    """One number in the device. ``steady`` ones are read once after each connection."""

    name: str
    function: int
    address: int
    type: str
    word_order: str = "high_first"
    scale: float = 1.0
    decimals_from: str | None = None
    steady: bool = False

    @property
    def words(self) -> int:
        """How many 16-bit words the number takes."""
        return struct.calcsize(_FORMATS[self.type]) // 2

    def number(self, words: tuple[int, ...]) -> float:
        """Turn the register's words into its raw number, before any scale."""
        ordered = words if self.word_order == "high_first" else tuple(reversed(words))
        (value,) = struct.unpack(_FORMATS[self.type], struct.pack(f">{len(ordered)}H", *ordered))
        return float(value)


@dataclass(frozen=True)
class Quantity:
    """What a register means on the farm: a metric of the wire in that metric's unit."""

    metric: str
    unit: str
    register: str
    percent_between: tuple[str, str] | None = None


@dataclass(frozen=True)
class Coils:
    """The device's switches: ``count`` of them from ``address`` on."""

    read_function: int
    write_function: int
    address: int
    count: int


@dataclass(frozen=True)
class Pulse:
    """The device's own auto-off: "on for so many units", written to ``address`` + coil."""

    write_function: int
    address: int
    unit_seconds: float
    longest_units: int


@dataclass(frozen=True)
class Device:
    """A described make of device. ``pulse`` is ``None`` for boards without auto-off."""

    id: str
    name: str
    registers: tuple[Register, ...] = ()
    quantities: tuple[Quantity, ...] = ()
    coils: Coils | None = None
    pulse: Pulse | None = None

    def register(self, name: str) -> Register:
        """Return the register of that name."""
        return next(r for r in self.registers if r.name == name)

    def values(self, numbers: dict[str, float]) -> dict[str, float]:
        """Turn raw numbers by register name into quantities by metric name.

        A quantity that is not a finite number, or whose percent range is empty, is left out:
        no reading is a state.
        """
        found = {}
        for quantity in self.quantities:
            value = self._scaled(quantity.register, numbers)
            if quantity.percent_between:
                zero, full = (self._scaled(name, numbers) for name in quantity.percent_between)
                if full == zero:
                    continue
                value = 100.0 * (value - zero) / (full - zero)
                if -_PERCENT_MARGIN <= value <= 100.0 + _PERCENT_MARGIN:
                    value = min(100.0, max(0.0, value))
            if math.isfinite(value):
                found[quantity.metric] = round(value, METRICS[quantity.metric].decimals)
        return found

    def _scaled(self, name: str, numbers: dict[str, float]) -> float:
        register = self.register(name)
        value = numbers[name] * register.scale
        if register.decimals_from is not None:
            decimals = numbers[register.decimals_from]
            if not 0 <= decimals <= 6:
                return math.nan  # no such scale: the register holds something else
            value /= 10.0**decimals
        return value


def known_devices() -> list[str]:
    """The ids of all device files that come with nongso."""
    folder = files("nongso.gateway") / "devices"
    return sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml"))


def load_device(device_id: str) -> Device:
    """Read the description of a device that comes with nongso."""
    known = known_devices()
    if device_id not in known:
        raise DeviceFileError(
            f"No device {device_id!r} is described. Choose one of: {', '.join(known)}."
        )
    text = (files("nongso.gateway") / "devices" / f"{device_id}.toml").read_text("utf-8")
    return parse_device(text, f"{device_id}.toml")


def parse_device(text: str, name: str) -> Device:
    """Read a device file's text; ``name`` is for the error message."""
    try:
        found = tomllib.loads(text)
        if found.get("schema") != SCHEMA:
            raise ValueError(f'schema must be "{SCHEMA}"')
        device = Device(
            id=found["id"],
            name=found["name"],
            registers=tuple(Register(**r) for r in found.get("registers", ())),
            quantities=tuple(_quantity(q) for q in found.get("quantities", ())),
            coils=Coils(**found["coils"]) if "coils" in found else None,
            pulse=Pulse(**found["pulse"]) if "pulse" in found else None,
        )
        _check(device)
    except KeyError as error:
        raise DeviceFileError(f"Device file {name}: {error} is missing.") from None
    except (TypeError, ValueError) as error:
        raise DeviceFileError(f"Device file {name}: {error}.") from None
    return device


def _quantity(found: dict[str, Any]) -> Quantity:
    between = found.get("percent_between")
    unknown = set(found) - {"metric", "unit", "from", "percent_between"}
    if unknown:
        raise ValueError(f"unknown words {sorted(unknown)} in a quantity")
    return Quantity(
        found["metric"], found["unit"], found["from"], tuple(between) if between else None
    )


def _check(device: Device) -> None:
    names = {r.name for r in device.registers}
    for register in device.registers:
        if register.type not in _FORMATS:
            raise ValueError(f"type {register.type!r} is none of {sorted(_FORMATS)}")
        if register.function not in (3, 4):
            raise ValueError(f"register {register.name} must be read with function 3 or 4")
        if register.word_order not in ("high_first", "low_first"):
            raise ValueError(f"word order {register.word_order!r} is not high_first or low_first")
        if not 0 <= register.address <= 0xFFFF - register.words + 1:
            raise ValueError(f"register {register.name} has an impossible address")
        if register.decimals_from is not None and register.decimals_from not in names:
            raise ValueError(f"no register {register.decimals_from!r} for the decimals")
    for quantity in device.quantities:
        metric = METRICS.get(quantity.metric)
        if metric is None or metric.unit != quantity.unit:
            raise ValueError(f"{quantity.metric!r} in {quantity.unit!r} is no metric of the wire")
        if not {quantity.register, *(quantity.percent_between or ())} <= names:
            raise ValueError(f"{quantity.metric} names a register that is not described")
    if device.coils and not 1 <= device.coils.count <= 2000:
        raise ValueError("a device has 1 to 2000 coils")
