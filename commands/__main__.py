"""The ``nongso`` command line: one table of commands, each starting its room only when asked.

Exit status: 0 done, 1 could not (with a sentence on stderr), 2 the command was not understood,
130 interrupted by Ctrl-C.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nongso.commands import arguments as kinds
from nongso.commands.arguments import Parser
from nongso.commands.errors import CommandError

if TYPE_CHECKING:
    from nongso.platform.settings import Settings

Command = Callable[[argparse.Namespace], int]


# --- the commands: each imports its room when it is called ------------------


def _up(args: argparse.Namespace) -> int:
    from nongso.commands import start, up

    return up.run(start.Wishes(args.data, args.port, args.speed, args.host, args.url))


def _demo(args: argparse.Namespace) -> int:
    from nongso.commands.control import ask

    if args.do == "status" and args.part is not None:
        args.parser.error("status shows all parts; name none")
    if args.do != "status" and args.part is None:
        args.parser.error(f"name the part to {args.do}; 'nongso demo status' lists them")
    if args.do != "stop" and args.seconds is not None:
        args.parser.error("--for belongs to stop")
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


def _gateway_valves(args: argparse.Namespace) -> int:
    from nongso.gateway.valves import supervisor

    return supervisor.run(args.settings)


def _gateway_close(args: argparse.Namespace) -> int:
    from nongso.gateway.valves import emergency

    return emergency.close_all(args.settings)


def _platform_run(args: argparse.Namespace) -> int:
    from nongso.platform import run

    return run.run(args.settings, args.host)


def _platform_upgrade(args: argparse.Namespace) -> int:
    from nongso.platform import migrations, settings

    loaded = settings.load(args.settings)
    print("Database is at", migrations.upgrade(loaded, new_records=args.new_records))
    return 0


def _platform_init(args: argparse.Namespace) -> int:
    from nongso.platform import installation

    made = installation.write_settings(
        args.settings, args.url, args.label_url, args.folder, local=args.local
    )
    print(f"Written: {args.settings}. Next: nongso platform upgrade --settings {args.settings}")
    if args.local:
        print(f"It listens on the farm's network, port {made.port}. Steps: docs/farm-box.md")
        return 0
    print(
        f"Labels will carry {made.label_url}: printed codes live for years, so "
        "it must be an address that you own and keep.",
        file=sys.stderr,
    )
    return 0


def _platform_cooperative(args: argparse.Namespace) -> int:
    from nongso.platform import installation, settings

    installation.add_cooperative(
        settings.load(args.settings), args.cooperative, args.name, rename=args.rename
    )
    print(f"Cooperative {args.cooperative}: {args.name}")
    return 0


def _platform_gateway(args: argparse.Namespace) -> int:
    from nongso.platform import installation, settings

    if sys.stdin.isatty():
        print("The gateway's key (nongso gateway key prints it), then Enter:", file=sys.stderr)
    key = sys.stdin.readline().strip()
    loaded = settings.load(args.settings)
    installation.add_gateway(loaded, args.gateway, args.cooperative, key)
    print(f"Gateway {args.gateway} of {args.cooperative} may bring its readings.")
    return 0


def _platform_user(args: argparse.Namespace) -> int:
    from nongso.platform import demo, settings

    try:
        made = demo.make_user(settings.load(args.settings), args.user, args.role, args.cooperative)
    except ValueError as e:
        raise CommandError(str(e)) from e
    print(json.dumps(made, ensure_ascii=False, indent=1))
    return 0


def _import_readings(args: argparse.Namespace) -> int:
    from nongso.platform import importing

    return importing.command(_platform_of(args), args.file, args.map)


def _import_remove(args: argparse.Namespace) -> int:
    from nongso.platform import foreign_house

    return foreign_house.command(_platform_of(args), args.greenhouse, args.yes)


def _platform_of(args: argparse.Namespace) -> "Settings":
    from nongso.platform import settings

    file = args.settings or args.data / "platform" / "platform.json"
    if not file.exists():
        raise CommandError(
            f"{file} is not there. Start nongso once on this data folder, or name the platform's "
            "settings with --settings."
        )
    return settings.load(file)


def _labels_sheet(args: argparse.Namespace) -> int:
    from nongso.labels import csvsheet

    made = csvsheet.make_sheet(args.csv, args.output, args.layout, args.start_cell)
    print(f"{args.output}: labels {made.labels}, pages {made.pages}; each decoded and compared.")
    return 0


def _labels_layouts(args: argparse.Namespace) -> int:
    from nongso.labels import layout

    for name in layout.names():
        print(f"{name:12} {layout.find(name).title}")
    return 0


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

    up = _add(rooms, "up", _up, "run everything on this machine, with a simulated farm", data)
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

    demo = _add(rooms, "demo", _demo, "hold and release parts of a running 'nongso up'", data)
    demo.add_argument(
        "do",
        choices=["status", "stop", "start"],
        help="status: list the parts; stop: end one and hold it; start: release it",
    )
    demo.add_argument(
        "part", nargs="?", help="broker, farm, valves, gateway, platform, node-tb-01 …"
    )
    demo.add_argument(
        "--for",
        dest="seconds",
        type=kinds.seconds,
        metavar="S",
        help="with stop: start it again after S seconds",
    )

    farm = _group(rooms, "farm", "the simulated farm")
    _add(farm, "run", _farm_run, "run the simulated greenhouses, chips and relay board", settings)
    broker = _add(farm, "broker", _farm_broker, "run the embedded broker (trial only)")
    broker.add_argument(
        "--folder", type=kinds.path, required=True, metavar="DIR", help="the broker's folder"
    )

    gateway = _group(rooms, "gateway", "the farm's gateway")
    _add(gateway, "run", _gateway_run, "receive, store, forward, decide on watering", settings)
    _add(gateway, "valves", _gateway_valves, "run the valve supervisor", settings)
    key = _add(gateway, "key", _gateway_key, "print the key that the platform must know", settings)
    key.add_argument(
        "--platform", metavar="ID", help="of several platforms, which (default: the first)"
    )
    second = _add(
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
    _add(gateway, "close", _gateway_close, "close all valves now", settings)
    init = _add(
        gateway, "init", _gateway_init, "write new gateway settings with new keys", settings
    )
    init.add_argument("--gateway", required=True, help="the gateway's slug, e.g. binh-lu")
    init.add_argument("--name", required=True, help="name for people")
    init.add_argument(
        "--platform", type=kinds.address, required=True, metavar="URL", help="platform's address"
    )

    platform = _group(rooms, "platform", "the server: pages, API, labels")
    begin = _add(platform, "init", _platform_init, "write settings with a new secret", settings)
    begin.add_argument(
        "--url", type=kinds.address, required=True, help="the address that people type"
    )
    begin.add_argument(
        "--label-url",
        type=kinds.address,
        metavar="URL",
        help="the address on labels (default: --url)",
    )
    begin.add_argument(
        "--folder",
        type=kinds.path,
        metavar="DIR",
        help="for the data (default: beside the settings)",
    )
    begin.add_argument(
        "--local",
        action="store_true",
        help="a small platform on the farm's own box, beside the cooperative's",
    )
    serve = _add(platform, "run", _platform_run, "serve the pages and the API", settings)
    serve.add_argument(
        "--host",
        type=kinds.host,
        help="address to listen on, instead of the settings' (0.0.0.0 or ::: the whole network)",
    )
    upgrade = _add(
        platform, "upgrade", _platform_upgrade, "bring the database to this version", settings
    )
    upgrade.add_argument(
        "--new-records",
        action="store_true",
        help="begin with empty records where those of this platform are gone for good",
    )
    coop = _add(platform, "cooperative", _platform_cooperative, "add a cooperative", settings)
    coop.add_argument("cooperative", help="its slug, e.g. binh-lu")
    coop.add_argument("name", help="its name for people")
    coop.add_argument(
        "--rename", action="store_true", help="give a cooperative that is there this name"
    )
    door = _add(platform, "gateway", _platform_gateway, "let a gateway in; key on stdin", settings)
    door.add_argument("gateway", help="the gateway's slug")
    door.add_argument(
        "--cooperative", required=True, metavar="SLUG", help="slug of the cooperative"
    )
    user = _add(platform, "user", _platform_user, "make a user, or give a new password", settings)
    user.add_argument("user", help="log-in name")
    user.add_argument(
        "--role",
        required=True,
        choices=["farmer", "clerk", "officer", "helper", "admin"],
        help="what this person may do",
    )
    user.add_argument(
        "--cooperative",
        default="binh-lu",
        metavar="SLUG",
        help="slug of the cooperative (default: binh-lu)",
    )

    imports = _group(rooms, "import", "load foreign data")
    readings = _add(
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
    gone = _add(
        imports, "remove", _import_remove, "remove a greenhouse that was only imported", data
    )
    gone.add_argument(
        "--greenhouse", required=True, metavar="SLUG", help="its slug, as in the import's map"
    )
    gone.add_argument(
        "--yes", action="store_true", help="really remove it; without, it is only counted"
    )
    for loads in (readings, gone):
        loads.add_argument(
            "--settings", type=kinds.path, metavar="FILE", help="platform.json, if not in --data"
        )

    labels = _group(rooms, "labels", "QR label sheets, without platform or farm")
    _add(labels, "layouts", _labels_layouts, "list the label layouts")
    sheet = _add(labels, "sheet", _labels_sheet, "make a PDF sheet from a CSV with url and text")
    sheet.add_argument(
        "--layout",
        default="a4-3x8",
        metavar="NAME",
        help="see: nongso labels layouts (default: a4-3x8)",
    )
    sheet.add_argument(
        "--csv", type=kinds.path, required=True, metavar="FILE", help="columns: url, text"
    )
    sheet.add_argument(
        "-o",
        "--output",
        type=kinds.path,
        required=True,
        metavar="FILE",
        help="the PDF to write; an older PDF there is replaced",
    )
    sheet.add_argument(
        "--start-cell",
        type=kinds.number,
        default=1,
        metavar="N",
        help="first free label of the sheet (default: 1)",
    )
    return top


def _group(
    parent: "argparse._SubParsersAction[Parser]", name: str, about: str
) -> "argparse._SubParsersAction[Parser]":
    group = parent.add_parser(name, help=about, description=about)
    return group.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _add(
    parent: "argparse._SubParsersAction[Parser]",
    name: str,
    command: Command,
    about: str,
    *shared: Parser,
) -> Parser:
    made = parent.add_parser(name, help=about, description=about, parents=list(shared))
    made.set_defaults(command=command, parser=made)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
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
