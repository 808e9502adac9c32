"""Reads and checks device files; what they mean is ``registers.py``.

A file is wanted by its id: first in ``devices/`` beside the gateway's settings (a farm's own),
then among those that come with nongso. What is wrong in a file is said with file, key and what to
do, because whoever adds a model has only this text to go by. docs/devices.md explains each key.
"""

import struct
import tomllib
import types
import typing
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from nongso.gateway.errors import GatewayError
from nongso.gateway.registers import (
    FORMATS,
    WORDS_A_QUESTION,
    Device,
    Frame,
    Question,
    Register,
)
from nongso.gateway.settings import BAUDS, PARITIES
from nongso.wire.metrics import METRICS, metric_of

SCHEMA = "nongso-device/1"
MOST_COILS = 2000  # Modbus application protocol 1.1b3, section 6.1
LARGEST_FILE = 200_000

_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


class DeviceFileError(GatewayError):
    """A device file is missing or says something that cannot be; the text tells what to change."""


class _Wrong(Exception):
    """What is wrong at a key; the file's name is added by whoever knows it."""


@dataclass(frozen=True)
class Described:
    """A device file that was found: where, and what it says or why it cannot be used."""

    id: str
    is_own: bool
    device: Device | None
    error: str | None


def devices(own: Path | None = None) -> Iterator[Described]:
    """All device files in the order of their ids; ``own`` is the farm's own folder."""
    for device_id, (place, is_own) in sorted(_places(own).items()):
        try:
            yield Described(device_id, is_own, _load(place, own), None)
        except DeviceFileError as error:
            yield Described(device_id, is_own, None, str(error))


def known_devices(own: Path | None = None) -> list[str]:
    """The ids of all device files."""
    return sorted(_places(own))


def load_device(device_id: str, own: Path | None = None) -> Device:
    """Read the description of a device. Raises ``DeviceFileError``."""
    known = _places(own)
    if device_id not in known:
        raise DeviceFileError(
            f"No device {device_id!r} is described. Choose one of: {', '.join(sorted(known))};"
            " or write a file for it (docs/devices.md)."
        )
    return _load(known[device_id][0], own)


def load_file(path: Path) -> Device:
    """Read one device file by its path. Raises ``DeviceFileError``."""
    return _load(path, path.parent)


def parse_device(text: str, name: str, base: dict[str, Any] | None = None) -> Device:
    """Read a device file's text; ``name`` is for the error message.

    ``base`` is what the file says that this one ``extends``.
    """
    try:
        found = (base or {}) | tomllib.loads(text)
        if found.pop("schema", None) != SCHEMA:
            raise _Wrong(f'schema must be "{SCHEMA}"')
        found.pop("extends", None)
        address_base = _plain(int, found.pop("address_base", 0), "address_base")
        device: Device = _read(Device, found, "")
        _check(device, address_base)
    except (_Wrong, tomllib.TOMLDecodeError) as error:
        raise DeviceFileError(f"Device file {name}: {error}.") from None
    return device


# --- finding ---------------------------------------------------------------------------


def _places(own: Path | None) -> dict[str, tuple[Traversable, bool]]:
    shipped = files("nongso.gateway") / "devices"
    found: dict[str, tuple[Traversable, bool]] = {}
    for folder, is_own in ((shipped, False), (own, True)):
        if folder is not None and folder.is_dir():
            for file in folder.iterdir():
                if file.name.endswith(".toml"):
                    found[file.name.removesuffix(".toml")] = (file, is_own)
    return found


def _load(place: Traversable, own: Path | None) -> Device:
    text = _text(place)
    device = parse_device(text, place.name, _base(text, place.name, own))
    if f"{device.id}.toml" != place.name:
        raise DeviceFileError(
            f"Device file {place.name}: id is {device.id!r}; file and id must have one name."
        )
    return device


def _base(text: str, name: str, own: Path | None) -> dict[str, Any] | None:
    """What the file says that this one extends; one step only, so that it can be read aloud."""
    try:
        extends = tomllib.loads(text).get("extends")
        if extends is None:
            return None
        places = _places(own)
        if extends not in places or extends == name.removesuffix(".toml"):
            raise _Wrong(f"extends names {extends!r}; there are: {', '.join(sorted(places))}")
        base = tomllib.loads(_text(places[extends][0]))
        if "extends" in base:
            raise _Wrong(f"extends names {extends!r}, which extends another; name that one")
    except (_Wrong, tomllib.TOMLDecodeError) as error:
        raise DeviceFileError(f"Device file {name}: {error}.") from None
    return base


def _text(place: Traversable) -> str:
    try:
        raw = place.read_bytes()
        if len(raw) > LARGEST_FILE:
            raise DeviceFileError(f"Device file {place.name} is too large to be one.")
        return raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceFileError(f"Device file {place.name} cannot be read: {error}.") from None


# --- reading ---------------------------------------------------------------------------


def _read(wanted: Any, value: Any, key: str) -> Any:
    """Turn decoded TOML into ``wanted``, a dataclass or one of the types used in them."""
    if isinstance(wanted, types.UnionType):
        wanted = next(t for t in typing.get_args(wanted) if t is not type(None))
    if is_dataclass(wanted):
        return _table(wanted, value, key)
    if typing.get_origin(wanted) is tuple:
        if not isinstance(value, list):
            raise _Wrong(f"{key} must be a list")
        inner = typing.get_args(wanted)
        if inner[-1] is not Ellipsis and len(value) != len(inner):
            raise _Wrong(f"{key} must have {len(inner)} entries")
        return tuple(_read(inner[0], item, _inner(key, item, n)) for n, item in enumerate(value))
    if wanted is bytes:
        return _frame_bytes(value, key)
    return _plain(wanted, value, key)


def _inner(key: str, item: Any, place: int) -> str:
    """Name an entry of a list by what it calls itself, or else by its place."""
    named = isinstance(item, dict) and next(
        (item[word] for word in ("name", "metric", "what") if isinstance(item.get(word), str)),
        None,
    )
    return f"{key}[{named or place}]"


def _plain(wanted: type, value: Any, key: str) -> Any:
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        raise _Wrong(f"{key} must be {_KINDS[wanted]}, not {value!r:.60}")
    return value


def _frame_bytes(value: Any, key: str) -> bytes:
    try:
        return bytes.fromhex(_plain(str, value, key))
    except ValueError:
        raise _Wrong(f'{key} must be bytes written like "01 03 00 00"') from None


def _table(wanted: Any, value: Any, key: str) -> Any:
    if not isinstance(value, dict):
        raise _Wrong(f"{key} must be a table")
    hints = typing.get_type_hints(wanted)
    # "from" is the natural word in a file and no name in Python.
    words = {"from" if f.name == "register" else f.name: f for f in fields(wanted)}
    dot = key + "." if key else ""
    for word in value:
        if word not in words:
            raise _Wrong(f"unknown key {dot}{word}; known here: {', '.join(words)}")
    for word, field in words.items():
        if field.default is MISSING and word not in value:
            raise _Wrong(f"{dot}{word} is missing")
    return wanted(
        **{words[w].name: _read(hints[words[w].name], v, dot + w) for w, v in value.items()}
    )


# --- checking --------------------------------------------------------------------------


def _need(good: bool, key: str, advice: str) -> None:
    if not good:
        raise _Wrong(f"{key} {advice}")


def _check(device: Device, address_base: int) -> None:
    names: set[str] = set()
    for register in device.registers:
        key = f"registers[{register.name}]"
        _need(register.name not in names, key, "stands twice; each register has its own name")
        names.add(register.name)
        _check_register(register, key, address_base)
    for register in device.registers:
        if register.decimals_from is not None:
            key = f"registers[{register.name}].decimals_from"
            _need(register.decimals_from in names, key, "names a register that is not described")
    _check_quantities(device, names)
    _check_switches(device, names)
    line = device.line
    _need(line.baud in BAUDS, "line.baud", f"must be one of {', '.join(map(str, BAUDS))}")
    _need(line.parity in PARITIES, "line.parity", f"must be one of {', '.join(PARITIES)}")
    _need(line.stop_bits in (1, 2), "line.stop_bits", "must be 1 or 2")
    _need(0 <= line.gap_seconds <= 1, "line.gap_seconds", "must lie between 0 and 1 second")
    _need(
        2 <= line.longest_words <= WORDS_A_QUESTION,
        "line.longest_words",
        f"must lie between 2 and {WORDS_A_QUESTION}",
    )
    for frame in device.frames:
        _check_frame(device, frame, f"frames[{frame.what}]")


def _check_register(register: Register, key: str, address_base: int) -> None:
    _need(
        register.type in FORMATS,
        f"{key}.type",
        f"must be one of {', '.join(FORMATS)}, not {register.type!r}",
    )
    _need(
        register.function in (3, 4),
        f"{key}.function",
        "must be 3 (holding registers) or 4 (input registers)",
    )
    orders = ("high_first", "low_first")
    _need(register.word_order in orders, f"{key}.word_order", "must be high_first or low_first")
    _need(
        0 <= register.address <= 0xFFFF - register.words + 1,
        f"{key}.address",
        "must lie between 0 and 0xFFFF; it is the number in the message, not 40001",
    )
    _need(register.scale != 0, f"{key}.scale", "must not be 0")
    _need(
        register.documented is None or register.documented - address_base == register.address,
        f"{key}.documented",
        f"less address_base ({address_base}) must be the address",
    )


def _check_quantities(device: Device, names: set[str]) -> None:
    seen = set()
    for quantity in device.quantities:
        key = f"quantities[{quantity.metric}]"
        metric = metric_of(quantity.metric)
        _need(quantity.metric not in seen, key, "stands twice; number them .1 and .2")
        seen.add(quantity.metric)
        if metric is None:
            raise _Wrong(f"{key}.metric is none of: {', '.join(METRICS)}")
        _need(
            metric.unit == quantity.unit,
            f"{key}.unit",
            f"must be {metric.unit!r}; turn the device's own unit into it with times",
        )
        for name in (quantity.register, *(quantity.percent_between or ())):
            _need(name in names, f"{key}.from", f"names {name!r}, which is not described")
        low, high = quantity.low, quantity.high
        _need(low is None or high is None or low < high, f"{key}.low", "must be smaller than high")


def _check_switches(device: Device, names: set[str]) -> None:
    for key, found in (("coils", device.coils), ("inputs", device.inputs)):
        if found is not None:
            _need(1 <= found.count <= MOST_COILS, f"{key}.count", f"must be 1 to {MOST_COILS}")
            _need(0 <= found.address <= 0xFFFF, f"{key}.address", "must be 0 to 0xFFFF")
            _need(found.read_function in (1, 2), f"{key}.read_function", "must be 1 or 2")
    if device.coils is not None:
        _need(device.coils.write_function == 5, "coils.write_function", "must be 5")
    if device.pulse is not None:
        _need(device.coils is not None, "pulse", "needs coils")
        _need(device.pulse.write_function == 5, "pulse.write_function", "must be 5")
        _need(0.01 <= device.pulse.unit_seconds <= 60, "pulse.unit_seconds", "must be 0.01 to 60")
        _need(
            1 <= device.pulse.longest_units <= 0xFFFF,
            "pulse.longest_units",
            "must lie between 1 and 0xFFFF",
        )
    if device.drive is not None:
        _check_drive(device, names)


def _check_drive(device: Device, names: set[str]) -> None:
    drive = device.drive
    assert drive is not None
    _need(bool(drive.stop), "drive.stop", "is missing: what can be run must be stopped first")
    for key, writes in (("stop", drive.stop), ("run", drive.run)):
        for write in writes:
            _need(write.function in (6, 16), f"drive.{key}.function", "must be 6 or 16")
            _need(bool(write.values), f"drive.{key}.values", "must hold at least one word")
            _need(
                write.function == 16 or len(write.values) == 1,
                f"drive.{key}.values",
                "must hold one word for function 6",
            )
            good = all(0 <= value <= 0xFFFF for value in (write.address, *write.values))
            _need(good, f"drive.{key}", "has a number outside 0 to 0xFFFF")
    _need(
        drive.running is None or drive.running in names,
        "drive.running",
        "names a register that is not described",
    )
    _need(drive.setpoint_hertz > 0, "drive.setpoint_hertz", "must be above 0")


def crc(frame: bytes) -> bytes:
    """CRC of Modbus over serial line, V1.02, section 6.2.2."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return struct.pack("<H", value)


def _check_frame(device: Device, frame: Frame, key: str) -> None:
    """A frame's check sum, and that the registers say what the frame says."""
    for word, found in (("ask", frame.ask), ("answer", frame.answer)):
        if found:
            good = len(found) >= 4 and crc(found[:-2]) == found[-2:]
            _need(
                good is not frame.wrong_crc, f"{key}.{word}", "has the wrong check sum at its end"
            )
    if not frame.reads:
        _need(not frame.values, f"{key}.reads", "is missing: whose are the values?")
        return
    known = {r.name for r in device.registers}
    for name in frame.reads:
        _need(name in known, f"{key}.reads", f"names {name!r}, which is not described")
    registers = tuple(device.register(name) for name in frame.reads)
    words = sum(r.words for r in registers)
    pdu = struct.pack(">BHH", registers[0].function, registers[0].address, words)
    _need(
        frame.ask[1:-2] == pdu,
        f"{key}.ask",
        f"asks {frame.ask[1:-2].hex(' ')}, but reading {', '.join(frame.reads)} is {pdu.hex(' ')}",
    )
    if frame.values:
        _need(
            frame.answer[1:3] == bytes([registers[0].function, 2 * words])
            and len(frame.answer) == 2 * words + 5,
            f"{key}.answer",
            f"must bring {2 * words} bytes",
        )
        _check_values(device, frame, registers, key)


def _check_values(device: Device, frame: Frame, registers: tuple[Register, ...], key: str) -> None:
    held = struct.unpack(f">{(len(frame.answer) - 5) // 2}H", frame.answer[3:-2])
    numbers = Question(registers[0].function, registers[0].address, registers).numbers(held)
    said = tuple(round(device.in_unit(r.name, numbers), 6) for r in registers)
    _need(
        said == tuple(round(value, 6) for value in frame.values),
        f"{key}.values",
        f"should be {list(said)} by the registers' types and scales",
    )
