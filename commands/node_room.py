"""The commands of ``nongso node``: their arguments, and what each hands over to."""

import argparse
from pathlib import Path

from nongso.commands import arguments as kinds
from nongso.commands.arguments import Parser
from nongso.commands.errors import CommandError

ROLLOUT_SECONDS = 1800.0


def _rollout(args: argparse.Namespace) -> int:
    from nongso.commands import node_rollout
    from nongso.gateway import settings
    from nongso.gateway.simulated import boards

    return node_rollout.run(
        settings.load(_gateway_file(args)),
        args.firmware or boards.firmware_folder(),
        nodes=args.node or [],
        number=args.number,
        step_back=args.step_back,
        wait_seconds=args.wait,
    )


def _version(text: str) -> int:
    """The number of a version: the second in which it was made."""
    if not (text.isascii() and text.isdigit() and len(text) < 13):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a version")
    return int(text)


def _gateway_file(args: argparse.Namespace) -> Path:
    file: Path = args.settings or args.data / "gateway" / "gateway.json"
    if not file.exists():
        raise CommandError(
            f"{file} is not there. Name the gateway's settings with --settings, or the data "
            "folder of 'nongso up' with --data."
        )
    return file


def add(rooms: "argparse._SubParsersAction[Parser]", data: Parser) -> None:
    """Add the room to the command line; ``data`` is the argument of the data folder."""
    room = kinds.group(rooms, "node", "the stations' boards and their program")
    gateway = Parser(add_help=False)
    gateway.add_argument(
        "--settings", type=kinds.path, metavar="FILE", help="gateway.json, if not in --data"
    )
    rollout = kinds.add(
        room,
        "rollout",
        _rollout,
        "give nodes a new version of their program over the air",
        data,
        gateway,
    )
    rollout.add_argument(
        "--node", action="append", metavar="SLUG", help="only this node (may be repeated)"
    )
    rollout.add_argument(
        "--firmware", type=kinds.path, metavar="DIR", help="sources (default: those of nongso)"
    )
    rollout.add_argument(
        "--number", type=_version, metavar="N", help="a version that was made before"
    )
    rollout.add_argument(
        "--step-back", action="store_true", help="also where it is older than what runs"
    )
    rollout.add_argument(
        "--wait",
        type=kinds.seconds,
        default=ROLLOUT_SECONDS,
        metavar="S",
        help="watch so long (default: 1800)",
    )
