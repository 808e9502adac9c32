"""``nongso backup``, ``restore`` and ``doctor``: what the IT person does for the machines."""

import argparse
import sys
from pathlib import Path

from nongso.commands import arguments as kinds
from nongso.commands.arguments import Parser

HOUSE = Path("nongso-data")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _backup(args: argparse.Namespace) -> int:
    from nongso.commands import backup

    data = args.data
    if data is None and args.platform is None and args.gateway is None:
        data = HOUSE
    elif data is not None and (args.platform or args.gateway):
        args.parser.error("--data is a whole house; name either it or settings files")
    wanted = backup.Wanted(args.to, data, args.platform, args.gateway, not args.without_keys)
    print(backup.run(wanted, _say))
    return 0


def _restore(args: argparse.Namespace) -> int:
    from nongso.commands import restore

    if args.check:
        restore.check(args.file, _say)
    elif args.data is None:
        args.parser.error("name the empty folder with --data, or only look with --check")
    else:
        restore.run(args.file, args.data, _say)
    return 0


def _doctor(args: argparse.Namespace) -> int:
    from nongso.commands import doctor
    from nongso.commands.findings import Grade

    data = args.data
    if data is None and args.platform is None and args.gateway is None and HOUSE.is_dir():
        data = HOUSE
    worst = 0
    for found in doctor.examine(doctor.Place(data, args.platform, args.gateway)):
        print(f"{found.grade.value:6} {found.what}", flush=True)
        if found.do:
            print(f"{'':6} -> {found.do}", flush=True)
        worst += found.grade is Grade.WRONG
    if worst:
        print(f"{worst} things are wrong.")
    return 1 if worst else 0


def _gateway_update(args: argparse.Namespace) -> int:
    from nongso.commands import slots
    from nongso.gateway import settings

    machine = slots.Pi(args.source, args.settings, settings.load(args.settings).status_port)
    slots.update(slots.Slots(args.root), machine, _say, now=args.now)
    return 0


def add_update(gateway: "argparse._SubParsersAction[Parser]", settings: Parser) -> None:
    """Add ``nongso gateway update``."""
    update = kinds.add(
        gateway,
        "update",
        _gateway_update,
        "try a new version, and go back when it does not come up",
        settings,
    )
    update.add_argument(
        "source", type=kinds.path, metavar="DIR", help="the new version: an unpacked release"
    )
    update.add_argument(
        "--root",
        type=kinds.path,
        default=Path("/opt/nongso"),
        metavar="DIR",
        help="where the two slots are (default: /opt/nongso)",
    )
    update.add_argument(
        "--now", action="store_true", help="do not wait until no water runs; it is closed"
    )


def add(rooms: "argparse._SubParsersAction[Parser]") -> None:
    """Add the commands."""
    backup = kinds.add(
        rooms, "backup", _backup, "copy everything into one file, while all goes on"
    )
    backup.add_argument(
        "--to",
        type=kinds.path,
        required=True,
        metavar="FILE",
        help="the new file, or a folder in which it gets a dated name; never overwritten",
    )
    backup.add_argument(
        "--without-keys",
        action="store_true",
        help="leave out the keys that open sealed secrets and those that sign the public log",
    )
    _add_places(backup)
    restore = kinds.add(
        rooms,
        "restore",
        _restore,
        "put a backup into an empty folder, or look whether it is whole",
    )
    restore.add_argument("file", type=kinds.path, metavar="FILE", help="the backup")
    restore.add_argument(
        "--data", type=kinds.path, metavar="DIR", help="the folder: new, or empty"
    )
    restore.add_argument(
        "--check", action="store_true", help="only read all of it and say whether it is whole"
    )

    doctor = kinds.add(
        rooms, "doctor", _doctor, "say what is wrong on this machine, and what to do"
    )
    _add_places(doctor)


def _add_places(command: Parser) -> None:
    command.add_argument(
        "--data",
        type=kinds.path,
        metavar="DIR",
        help=f"data folder of nongso up (default: {HOUSE}, where no settings are named)",
    )
    for room in ("platform", "gateway"):
        command.add_argument(
            f"--{room}", type=kinds.path, metavar="FILE", help=f"settings: {room}.json"
        )
