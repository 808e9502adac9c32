"""The commands of ``nongso node``: their arguments, and what each hands over to."""

import argparse
from pathlib import Path
from typing import Any

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


def _deploy(args: argparse.Namespace) -> int:
    from nongso.commands import node_deploy
    from nongso.gateway.enrolment import Place
    from nongso.gateway.simulated import boards

    firmware = args.firmware or boards.firmware_folder()
    settings = args.settings
    done = node_deploy.run(
        node_deploy.Wishes(
            port=args.port,
            firmware=firmware,
            place=Place(args.farm, args.node, args.greenhouse, args.zone),
            config=_first_config(args),
            broker_host=args.broker,
            wifi=_wifi(args),
            settings_file=settings,
            broker_folder=args.broker_folder or (settings and settings.parent / "broker"),
            ca_file=args.ca_file,
            new_keys=args.new_keys,
            wait_seconds=args.wait,
        )
    )
    return 0 if done.was_heard else 1


def _wifi(args: argparse.Namespace) -> tuple[str, str] | None:
    """The Wi-Fi to be written; its password is asked for and stands on no command line."""
    if args.wifi is None:
        return None
    import getpass

    return args.wifi, getpass.getpass(f"Password of the Wi-Fi {args.wifi}: ")


def _prepare(args: argparse.Namespace) -> int:
    from nongso.commands import node_deploy, node_sticker
    from nongso.gateway.simulated import boards

    if args.stickers is not None and args.platform is None:
        raise CommandError("A sticker needs the platform's address: --platform https://…")
    made = node_deploy.prepare(args.port, boards.firmware_folder(), args.platform)
    if args.stickers is not None:
        node_sticker.add_row(args.stickers, made)
        print(f"Print the stickers with: nongso labels sheet --csv {args.stickers} -o tem.pdf")
    return 0


def _claim(args: argparse.Namespace) -> int:
    from nongso.commands import node_claim
    from nongso.gateway.enrolment import Place

    if args.settings is None:
        raise CommandError("Name the gateway's settings with --settings.")

    return node_claim.run(
        args.settings,
        args.broker_folder or args.settings.parent / "broker",
        Place(args.farm, args.node, args.greenhouse, args.zone),
        config=_first_config(args),
        address=args.listen,
        broker_host=args.broker or args.listen.partition(":")[0],
    )


def _first_config(args: argparse.Namespace) -> dict[str, Any]:
    """What a new board starts from: its sensors, pins and interval."""
    from nongso.commands.jsonfile import Unreadable, read_object
    from nongso.gateway.simulated import boards

    file = args.config or boards.firmware_folder() / "config.example.json"
    try:
        return read_object(file)
    except (FileNotFoundError, Unreadable) as error:
        raise CommandError(f"{file} cannot be read: {error}.") from None


def _list_boards(args: argparse.Namespace) -> int:
    from nongso.commands import node_board

    ports = [args.port] if args.port else node_board.ports(print)
    if not ports:
        print(
            "No board is plugged in, or its cable only charges: try another cable. A Pico without "
            "MicroPython shows itself as a disk."
        )
        return 1
    if args.ask or args.port:
        for port in ports:
            try:
                with node_board.stopped(port) as board:
                    print(f"{port:20} {node_board.describe(board)}")
                    board.restart()
            except CommandError as error:
                print(f"{port:20} {error}")
    return 0


def _calibrate(args: argparse.Namespace) -> int:
    from nongso.commands import node_calibration

    return node_calibration.run(args.port, args.channel, ask=lambda text: input(text))


def _slug(text: str) -> str:
    """A name of ours: lower-case letters, digits, inner hyphens."""
    from nongso.wire.topics import TopicError, check_slug

    try:
        return check_slug(text)
    except TopicError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
    port = Parser(add_help=False)
    port.add_argument(
        "--port", required=True, metavar="PORT", help="where the board is, e.g. /dev/ttyACM0"
    )
    place = Parser(add_help=False)
    place.add_argument("--farm", type=_slug, required=True, help="the farm's slug")
    place.add_argument("--node", type=_slug, required=True, help="the node's slug, e.g. tb-01")
    place.add_argument(
        "--settings",
        type=kinds.path,
        metavar="FILE",
        help="gateway.json, for a new board",
    )
    place.add_argument("--greenhouse", metavar="SLUG", help="where a new node stands")
    place.add_argument("--zone", metavar="ID", help="the zone that it measures, if only one")
    place.add_argument(
        "--broker", metavar="HOST", help="where boards reach the broker, e.g. 192.168.1.10"
    )
    place.add_argument(
        "--broker-folder",
        type=kinds.path,
        metavar="DIR",
        help="the broker's passwords and rights (default: broker beside gateway.json)",
    )
    place.add_argument(
        "--config",
        type=kinds.path,
        metavar="FILE",
        help="sensors and pins of a new board (default: the example's)",
    )
    deploy = kinds.add(
        room,
        "deploy",
        _deploy,
        "put program, configuration and keys on a board by cable",
        port,
        place,
    )
    deploy.add_argument("--wifi", metavar="NAME", help="Wi-Fi; its password is asked for")
    deploy.add_argument("--new-keys", action="store_true", help="new password and key, e.g. lost")
    deploy.add_argument(
        "--ca-file",
        type=kinds.path,
        metavar="FILE",
        help="certificate (PEM) of the authority by which the board knows the broker (default: "
        "that of the settings' stations, where these speak TLS)",
    )
    deploy.add_argument(
        "--firmware", type=kinds.path, metavar="DIR", help="sources (default: those of nongso)"
    )
    deploy.add_argument(
        "--wait",
        type=kinds.seconds,
        default=180.0,
        metavar="S",
        help="wait so long for the first reading (default: 180)",
    )
    prepare = kinds.add(
        room,
        "prepare",
        _prepare,
        "put the program alone on a board, to be set up later over its own Wi-Fi page",
        port,
    )
    prepare.add_argument(
        "--platform",
        type=kinds.address,
        metavar="URL",
        help="the platform's address: the sticker's QR code leads there",
    )
    prepare.add_argument(
        "--stickers",
        type=kinds.path,
        metavar="FILE",
        help="a table for 'nongso labels sheet', to which this board's sticker is added",
    )
    claim = kinds.add(
        room, "claim", _claim, "let in a board that is set up over its own Wi-Fi page", place
    )
    claim.add_argument(
        "--listen",
        required=True,
        metavar="HOST[:PORT]",
        help="this machine in the farm's network, e.g. 192.168.1.10:8082",
    )
    boards = kinds.add(room, "list", _list_boards, "show boards that are plugged in")
    boards.add_argument("--port", metavar="PORT", help="ask only the board at this port")
    boards.add_argument(
        "--ask", action="store_true", help="stop each for a moment and ask who it is"
    )
    calibrate = kinds.add(
        room, "calibrate", _calibrate, "teach a soil probe what dry and wet is", port
    )
    calibrate.add_argument(
        "--channel", type=kinds.number, default=1, metavar="N", help="which probe (default: 1)"
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
