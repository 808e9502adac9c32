"""``nongso gateway devices``: which fieldbus devices are known; whether a new file is right."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from nongso.commands import arguments as kinds
from nongso.commands.errors import CommandError

if TYPE_CHECKING:
    from nongso.gateway.registers import Device


def add(gateway: "argparse._SubParsersAction[kinds.Parser]") -> None:
    """Add the command to the gateway's."""
    devices = kinds.add(
        gateway, "devices", run, "list the fieldbus devices that are known, or check one's file"
    )
    devices.add_argument(
        "device", nargs="?", metavar="ID|FILE", help="show this device, or check this file"
    )
    devices.add_argument(
        "--settings",
        type=kinds.path,
        metavar="FILE",
        help="gateway.json: also list the farm's own, in devices/ beside it",
    )


def run(args: argparse.Namespace) -> int:
    """List all, or show one. Raises ``CommandError`` for a file that cannot be used."""
    from nongso.gateway import devicefile

    own = None if args.settings is None else args.settings.resolve().parent / "devices"
    if args.device is not None:
        try:
            if args.device.endswith(".toml"):
                device = devicefile.load_file(Path(args.device))
            else:
                device = devicefile.load_device(args.device, own)
        except devicefile.DeviceFileError as error:
            raise CommandError(str(error)) from None
        print("\n".join(_shown(device)))
        return 0
    wrong = 0
    for found in devicefile.devices(own):
        if found.device is None:
            wrong += 1
            print(f"{found.id:30} CANNOT BE USED: {found.error}")
        else:
            print(f"{found.id:30} {found.device.name}{' (own)' if found.is_own else ''}")
    return 1 if wrong else 0


def _shown(device: "Device") -> list[str]:
    """What somebody with the device in hand needs to know of it."""
    line = device.line
    parity = {"none": "N", "even": "E", "odd": "O"}[line.parity]
    lines = [
        f"{device.name} ({device.id})",
        f"for: {device.use or '-'}; known from: {device.status or '-'}",
        f"delivered with {line.baud} baud, 8{parity}{line.stop_bits}",
    ]
    if device.coils is not None:
        coils = device.coils
        lapse = (
            "no auto-off: nongso opens nothing with it"
            if device.pulse is None
            else f"auto-off up to {device.pulse.longest_units * device.pulse.unit_seconds:.0f} s"
        )
        lines.append(f"switches {coils.label(0)} to {coils.label(coils.count - 1)}; {lapse}")
    if device.inputs is not None:
        lines.append(f"inputs: {device.inputs.count}")
    if device.drive is not None:
        start = (
            "stopped over the bus only; its run input belongs on a relay with auto-off"
            if device.drive.watchdog is None
            else f"stops by itself after up to {device.drive.watchdog.longest_seconds:.0f} s"
        )
        lines.append(f"inverter: {start}")
    lines += [
        f"request: function {question.function}, address {question.address} "
        f"(0x{question.address:04X}), {question.words} words: "
        + ", ".join(register.name for register in question.registers)
        for question in device.questions()
    ]
    lines += [f"measures: {q.metric} in {q.unit or '-'}" for q in device.quantities]
    return lines
