"""The ``nongso`` command line: one table of commands, each starting its room only when asked.

Exit status: 0 done, 1 could not (with a sentence on stderr), 2 the command was not understood,
130 interrupted by Ctrl-C.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nongso.commands import arguments as kinds
from nongso.commands import care, devices, labels_room, logs, node_room, platform_room, trace
from nongso.commands.arguments import Command, Parser
from nongso.commands.errors import CommandError

if TYPE_CHECKING:
    from nongso.platform.settings import Settings

# --- the commands: each imports its room when it is called ------------------


def _up(args: argparse.Namespace) -> int:
    from nongso.commands import start, up

    return up.run(start.Wishes(args.data, args.port, args.speed, args.host, args.url))


def _demo(args: argparse.Namespace) -> int:
    from nongso.commands.control import ask

    if args.do in ("fault", "repair"):
        return _demo_fault(args)
    if args.at is not None:
        args.parser.error(f"unrecognized arguments: {args.at}")
    if args.do == "code":
        from nongso.commands import democode

        print(democode.show(args.data, args.part))
        return 0
    if args.do == "board":
        from nongso.commands import demoboard

        if args.part is not None:
            args.parser.error("board is a new one; name nothing")
        return demoboard.run(args.data)
    if args.do == "status" and args.part is not None:
        args.parser.error("status shows all parts; name none")
    if args.do != "status" and args.part is None:
        args.parser.error(f"name the part to {args.do}; 'nongso demo status' lists them")
    if args.do != "stop" and args.seconds is not None:
        args.parser.error("--for belongs to stop and fault")
    answer = ask(args.data, {"do": args.do, "part": args.part, "seconds": args.seconds})
    for name, part in answer["parts"].items():
        if part["held"]:
            state = "held"
        elif part["pid"] is None:
            state = f"down; it {part['trouble']}"
        else:
            state = f"process {part['pid']}"
        print(f"{name:12} {state}")
    return 0


def _demo_fault(args: argparse.Namespace) -> int:
    from nongso.commands import faults

    if args.do == "fault":
        faults.switch_on(args.data, args.part, args.at, args.seconds)
    elif args.seconds is not None:
        args.parser.error("--for belongs to stop and fault")
    else:
        faults.repair(args.data, args.part, args.at)
    return 0


def _farm_run(args: argparse.Namespace) -> int:
    from nongso.gateway.simulated import farm

    return farm.run(args.settings)


def _farm_broker(args: argparse.Namespace) -> int:
    from nongso.gateway import broker

    return broker.run_embedded(args.folder)


def _gateway_run(args: argparse.Namespace) -> int:
    from nongso.gateway import run

    return run.run(args.settings)


def _gateway_init(args: argparse.Namespace) -> int:
    from nongso.gateway import run

    run.init(args.settings, gateway=args.gateway, name=args.name, platform_url=args.platform)
    print(f"Written: {args.settings}. Add greenhouses, zones and nodes to it (docs/contracts.md).")
    return 0


def _gateway_key(args: argparse.Namespace) -> int:
    from nongso.gateway import settings

    platforms = {found.id: found for found in settings.load(args.settings).destinations}
    wanted = args.platform or next(iter(platforms))
    if wanted not in platforms:
        raise CommandError(
            f"{args.settings} names no platform {wanted!r}; there are: {', '.join(platforms)}"
        )
    print(platforms[wanted].key)
    return 0


def _gateway_platform(args: argparse.Namespace) -> int:
    from nongso.gateway import destinations

    added = destinations.add(
        args.settings, platform_id=args.id, name=args.name, url=args.url, ca_file=args.ca_file
    )
    print(f"Added to {args.settings}: {added.called} at {added.url}.")
    print("Restart the gateway. The platform must know the key:")
    print(f"  nongso gateway key --settings {args.settings} --platform {added.id}")
    return 0


def _gateway_broker(args: argparse.Namespace) -> int:
    from nongso.gateway import broker, settings

    folder = broker.first_files(settings.load(args.settings), args.listen)
    print(f"Written: {folder}. Mosquitto runs with: mosquitto -c {folder}/mosquitto.conf")
    print("Let stations in the farm's network reach it with: nongso gateway stations --help")
    return 0


def _gateway_stations(args: argparse.Namespace) -> int:
    from nongso.gateway import stationnetwork

    changed = stationnetwork.listen(
        args.settings,
        host=args.host,
        broker_port=args.port,
        claim_port=args.claim_port,
        certificate=args.certificate,
        certificate_key=args.certificate_key,
        ca_file=args.ca_file,
        name=args.name,
    )
    secure = "with TLS" if changed.has_tls else "without encryption"
    print(f"Stations reach the broker at {changed.host}:{changed.broker_port}, {secure}.")
    print("Restart the broker, then the gateway. Claim codes are given out on the stations' page.")
    return 0


def _gateway_takeover(args: argparse.Namespace) -> int:
    from nongso.gateway import run

    there = run.take_over(args.settings)
    print(f"This machine takes over the gateway of {args.settings}.")
    if there:
        print("What its store still had for the platform will be sent, under a new store id.")
    else:
        print(f"It begins with an empty store: {args.settings.parent} held none.")
    print("No wish of before runs again, and no zone waters by itself until somebody has")
    print("watered it or set its mode. Never switch the old gateway on again beside this one.")
    return 0


def _gateway_valves(args: argparse.Namespace) -> int:
    from nongso.gateway.valves import supervisor

    return supervisor.run(args.settings)


def _gateway_close(args: argparse.Namespace) -> int:
    from nongso.gateway.valves import emergency

    return emergency.close_all(args.settings)


def _gateway_unlock(args: argparse.Namespace) -> int:
    from nongso.gateway.valves import emergency

    return emergency.unlock(args.settings, args.zone)


def _import_readings(args: argparse.Namespace) -> int:
    from nongso.platform import importing

    return importing.command(_platform_of(args), args.file, args.map)


def _import_remove(args: argparse.Namespace) -> int:
    from nongso.platform import foreign_house

    return foreign_house.command(_platform_of(args), args.greenhouse, args.yes)


def _export_readings(args: argparse.Namespace) -> int:
    from nongso.platform import exporting

    return exporting.command(
        _platform_of(args), args.greenhouse, args.since, args.until, args.metric, args.file
    )


def _platform_of(args: argparse.Namespace) -> "Settings":
    from nongso.platform import settings

    file = args.settings or args.data / "platform" / "platform.json"
    if not file.exists():
        raise CommandError(
            f"{file} is not there. Start nongso once on this data folder, or name the platform's "
            "settings with --settings."
        )
    return settings.load(file)


# --- the table ---------------------------------------------------------------


def parser() -> Parser:
    """Build the parser of the whole command."""
    top = Parser(
        prog="nongso",
        description="Greenhouses, irrigation and traceability labels.",
        epilog="A first try on one machine: nongso up. Each command has its own --help.",
    )
    top.add_argument(
        "--version", action="version", version=kinds.version(), help="print the version and end"
    )
    rooms = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    data = Parser(add_help=False)
    data.add_argument(
        "--data",
        type=kinds.path,
        default=Path("nongso-data"),
        metavar="DIR",
        help="data folder (default: nongso-data)",
    )
    settings = Parser(add_help=False)
    settings.add_argument(
        "--settings",
        type=kinds.path,
        required=True,
        metavar="FILE",
        help="the room's settings (JSON)",
    )

    up = kinds.add(rooms, "up", _up, "run everything on this machine, with a simulated farm", data)
    up.add_argument(
        "--port", type=kinds.port, default=8080, help="port of the pages (default: 8080)"
    )
    up.add_argument(
        "--host",
        type=kinds.host,
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1, this machine only; 0.0.0.0: the LAN)",
    )
    up.add_argument(
        "--url",
        type=kinds.address,
        help="address that phones use; it is printed in QR codes (default: http://HOST:PORT)",
    )
    up.add_argument(
        "--speed",
        type=kinds.speed,
        default=1.0,
        metavar="X",
        help="physics of the simulated farm 1 to 3600 times faster; clocks stay real (default: 1)",
    )

    demo = kinds.add(
        rooms, "demo", _demo, "hold, release and break parts of a running 'nongso up'", data
    )
    demo.add_argument(
        "do",
        choices=["status", "stop", "start", "fault", "repair", "code", "board"],
        help="status: list the parts; stop: end one and hold it; start: release it; "
        "fault: break something on the simulated farm (alone: list what); repair: mend it "
        "(alone: mend everything); code: print the six digits that the clerk or the admin is "
        "asked for; board: a new simulated board, to try how a station is let in",
    )
    demo.add_argument(
        "part",
        nargs="?",
        help="broker, farm, valves, gateway, platform, node-tb-01 …; or a fault: burst_pipe …; "
        "or clerk, admin",
    )
    demo.add_argument("at", nargs="?", help="of a fault: which zone, switch, unit or station")
    demo.add_argument(
        "--for",
        dest="seconds",
        type=kinds.seconds,
        metavar="S",
        help="with stop: start it again after S seconds; with fault: it ends after S seconds",
    )

    farm = kinds.group(rooms, "farm", "the simulated farm")
    kinds.add(
        farm, "run", _farm_run, "run the simulated greenhouses, chips and relay board", settings
    )
    broker = kinds.add(farm, "broker", _farm_broker, "run the embedded broker (trial only)")
    broker.add_argument(
        "--folder", type=kinds.path, required=True, metavar="DIR", help="the broker's folder"
    )

    gateway = kinds.group(rooms, "gateway", "the farm's gateway")
    kinds.add(
        gateway, "run", _gateway_run, "receive, store, forward, decide on watering", settings
    )
    kinds.add(gateway, "valves", _gateway_valves, "run the valve supervisor", settings)
    key = kinds.add(
        gateway, "key", _gateway_key, "print the key that the platform must know", settings
    )
    key.add_argument(
        "--platform", metavar="ID", help="of several platforms, which (default: the first)"
    )
    second = kinds.add(
        gateway,
        "platform",
        _gateway_platform,
        "add a second platform, as on the farm's own box, with a new key",
        settings,
    )
    second.add_argument("id", help="a slug under which the gateway knows it, e.g. farm")
    second.add_argument("name", help="name for people, e.g. 'Máy ở nông trại'")
    second.add_argument(
        "--url", type=kinds.address, required=True, help="where the gateway reaches it"
    )
    second.add_argument(
        "--ca-file", type=kinds.path, metavar="FILE", help="certificate authority of its address"
    )
    devices.add(gateway)
    kinds.add(gateway, "close", _gateway_close, "close all valves now", settings)
    unlock = kinds.add(
        gateway, "unlock", _gateway_unlock, "unlock a zone after somebody has looked", settings
    )
    unlock.add_argument("zone", help="the zone's id, as in the gateway's settings")
    kinds.add(
        gateway,
        "takeover",
        _gateway_takeover,
        "let this machine take over a lost gateway's settings and store",
        settings,
    )
    files = kinds.add(
        gateway, "broker", _gateway_broker, "write the broker's files of a new gateway", settings
    )
    files.add_argument(
        "--listen",
        type=kinds.host,
        default="127.0.0.1",
        metavar="ADDRESS",
        help="where the gateway reaches it (default: 127.0.0.1, this machine alone); stations "
        "come in by: nongso gateway stations",
    )
    stations = kinds.add(
        gateway,
        "stations",
        _gateway_stations,
        "let the broker listen to stations in the farm's network, and claim codes be given out",
        settings,
    )
    stations.add_argument(
        "--host",
        type=kinds.host,
        required=True,
        metavar="ADDRESS",
        help="this machine in the farm's network, e.g. 192.168.1.10",
    )
    stations.add_argument(
        "--port", type=kinds.port, metavar="N", help="default: 1883, 8883 with a certificate"
    )
    stations.add_argument(
        "--claim-port", type=kinds.port, default=8082, metavar="N", help="default: 8082"
    )
    for name, words in (
        ("certificate", "the broker's certificate (PEM): stations then speak TLS"),
        ("certificate-key", "its key"),
        ("ca-file", "certificate of the authority that has signed it; every station gets it"),
    ):
        stations.add_argument(f"--{name}", type=kinds.path, metavar="FILE", help=words)
    stations.add_argument(
        "--name", metavar="NAME", help="the name in the certificate, if it is not the address"
    )
    care.add_update(gateway, settings)
    init = kinds.add(
        gateway, "init", _gateway_init, "write new gateway settings with new keys", settings
    )
    init.add_argument("--gateway", required=True, help="the gateway's slug, e.g. binh-lu")
    init.add_argument("--name", required=True, help="name for people")
    init.add_argument(
        "--platform", type=kinds.address, required=True, metavar="URL", help="platform's address"
    )

    node_room.add(rooms, data)
    platform_room.add(rooms, settings)
    trace.add(rooms, settings)

    imports = kinds.group(rooms, "import", "load foreign data")
    readings = kinds.add(
        imports, "readings", _import_readings, "load readings from a CSV (gzip too)", data
    )
    readings.add_argument("file", type=kinds.path, metavar="FILE", help="the CSV file")
    readings.add_argument(
        "--map",
        type=kinds.path,
        required=True,
        metavar="FILE",
        help="TOML: time zone, greenhouse, columns",
    )
    gone = kinds.add(
        imports, "remove", _import_remove, "remove a greenhouse that was only imported", data
    )
    gone.add_argument(
        "--greenhouse", required=True, metavar="SLUG", help="its slug, as in the import's map"
    )
    gone.add_argument(
        "--yes", action="store_true", help="really remove it; without, it is only counted"
    )
    exports = kinds.group(rooms, "export", "write data for other programs")
    written = kinds.add(
        exports, "readings", _export_readings, "write a greenhouse's readings as CSV", data
    )
    written.add_argument("--greenhouse", required=True, metavar="SLUG", help="its slug")
    written.add_argument(
        "--since",
        type=kinds.day,
        default=0,
        metavar="DATE",
        help="first day, as 2026-03-01 (default: the first there is)",
    )
    written.add_argument(
        "--until",
        type=kinds.day_after,
        default=1 << 40,
        metavar="DATE",
        help="last day, itself included (default: the last there is)",
    )
    written.add_argument("--metric", metavar="NAME", help="only this one, such as air_temperature")
    written.add_argument(
        "file", nargs="?", type=kinds.path, metavar="FILE", help="left out: standard output"
    )
    for loads in (readings, gone, written):
        loads.add_argument(
            "--settings", type=kinds.path, metavar="FILE", help="platform.json, if not in --data"
        )

    labels_room.add(rooms)
    care.add(rooms)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    logs.set_up()
    args, unknown = parser().parse_known_args(arguments)
    if unknown:
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    command: Command = args.command
    try:
        return command(args)
    except KeyboardInterrupt:
        print("nongso: interrupted.", file=sys.stderr)
        return 130
    except ModuleNotFoundError as e:
        if e.name is None or e.name.startswith("nongso"):
            raise
        print(
            f"nongso: the Python package {e.name!r} is not installed. This command needs more "
            "than this machine has; on a trial machine: pip install 'nongso[demo]'",
            file=sys.stderr,
        )
    except BrokenPipeError:
        pass
    except OSError as e:
        print(f"nongso: {e.filename or 'system'}: {e.strerror or e}", file=sys.stderr)
    except Exception as e:
        # Errors of the rooms carry advice for people; anything else is a fault and says where.
        if not type(e).__module__.startswith("nongso."):
            raise
        print(f"nongso: {e}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
