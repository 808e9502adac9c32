"""The ``nongso`` command line: one table of commands, each starting its room only when asked.

Exit status: 0 done, 1 could not (with a sentence on stderr), 2 the command was not understood.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from nongso.commands.errors import CommandError

Command = Callable[[argparse.Namespace], int]


# --- the commands: each imports its room when it is called ------------------


def _up(args: argparse.Namespace) -> int:
    from nongso.commands import up

    return up.run(up.Wishes(args.data, args.port, args.speed, args.host, args.url))


def _demo(args: argparse.Namespace) -> int:
    from nongso.commands.control import ask

    if args.do != "status" and args.part is None:
        raise CommandError(f"Name the part to {args.do}; 'nongso demo status' lists them.")
    answer = ask(args.data, {"do": args.do, "part": args.part, "seconds": args.seconds})
    for name, part in answer["parts"].items():
        state = "held" if part["held"] else f"process {part['pid']}"
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

    print(settings.load(args.settings).platform.key)
    return 0


def _gateway_valves(args: argparse.Namespace) -> int:
    from nongso.gateway.valves import supervisor

    return supervisor.run(args.settings)


def _gateway_close(args: argparse.Namespace) -> int:
    from nongso.gateway.valves import emergency

    return emergency.close_all(args.settings)


def _platform_run(args: argparse.Namespace) -> int:
    from nongso.platform import run

    return run.run(args.settings)


def _platform_upgrade(args: argparse.Namespace) -> int:
    from nongso.platform import migrations, settings

    print("Database is at", migrations.upgrade(settings.load(args.settings)))
    return 0


def _platform_init(args: argparse.Namespace) -> int:
    from nongso.platform import installation

    made = installation.write_settings(args.settings, args.url, args.label_url, args.folder)
    print(f"Written: {args.settings}. Next: nongso platform upgrade --settings {args.settings}")
    print(
        f"Labels will carry {made.label_url}: printed codes live for years, so "
        "it must be an address that you own and keep.",
        file=sys.stderr,
    )
    return 0


def _platform_cooperative(args: argparse.Namespace) -> int:
    from nongso.platform import installation, settings

    installation.add_cooperative(settings.load(args.settings), args.cooperative, args.name)
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
    from nongso.platform import importing, settings

    file = args.settings or args.data / "platform" / "platform.json"
    if not file.exists():
        raise CommandError(
            f"{file} is not there. Start nongso once on this data folder, or name the platform's "
            "settings with --settings."
        )
    return importing.command(settings.load(file), args.file, args.map)


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


def parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command."""
    top = argparse.ArgumentParser(
        prog="nongso", description="Greenhouses, irrigation and traceability labels."
    )
    rooms = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument(
        "--data",
        type=Path,
        default=Path("nongso-data"),
        metavar="DIR",
        help="data folder (default: nongso-data)",
    )
    settings = argparse.ArgumentParser(add_help=False)
    settings.add_argument(
        "--settings", type=Path, required=True, metavar="FILE", help="the room's settings (JSON)"
    )

    up = _add(rooms, "up", _up, "run everything on this machine, with a simulated farm", data)
    up.add_argument("--port", type=_port, default=8080, help="port of the pages (default: 8080)")
    up.add_argument("--host", default="127.0.0.1", help="address to listen on (0.0.0.0: the LAN)")
    up.add_argument("--url", help="address that phones use; it is printed in QR codes")
    up.add_argument(
        "--speed",
        type=_speed,
        default=1.0,
        metavar="X",
        help="physics of the simulated farm 1 to 3600 times faster; clocks stay real",
    )

    demo = _add(rooms, "demo", _demo, "hold and release parts of a running 'nongso up'", data)
    demo.add_argument("do", choices=["status", "stop", "start"])
    demo.add_argument("part", nargs="?", help="broker, farm, valves, gateway, platform, node-…")
    demo.add_argument(
        "--for", dest="seconds", type=_seconds, metavar="S", help="start it again after S seconds"
    )

    farm = _group(rooms, "farm", "the simulated farm")
    _add(farm, "run", _farm_run, "run the simulated greenhouses, chips and relay board", settings)
    broker = _add(farm, "broker", _farm_broker, "run the embedded broker (trial only)")
    broker.add_argument("--folder", type=Path, required=True, help="the broker's folder")

    gateway = _group(rooms, "gateway", "the farm's gateway")
    _add(gateway, "run", _gateway_run, "receive, store, forward, decide on watering", settings)
    _add(gateway, "valves", _gateway_valves, "run the valve supervisor", settings)
    _add(gateway, "key", _gateway_key, "print the key that the platform must know", settings)
    _add(gateway, "close", _gateway_close, "close all valves now", settings)
    init = _add(
        gateway, "init", _gateway_init, "write new gateway settings with new keys", settings
    )
    init.add_argument("--gateway", required=True, help="the gateway's slug, e.g. binh-lu")
    init.add_argument("--name", required=True, help="name for people")
    init.add_argument("--platform", required=True, metavar="URL", help="the platform's address")

    platform = _group(rooms, "platform", "the server: pages, API, labels")
    begin = _add(platform, "init", _platform_init, "write settings with a new secret", settings)
    begin.add_argument("--url", required=True, help="the address that people type")
    begin.add_argument("--label-url", help="the address on labels (default: --url)")
    begin.add_argument("--folder", type=Path, help="for the data (default: beside the settings)")
    _add(platform, "run", _platform_run, "serve the pages and the API", settings)
    _add(platform, "upgrade", _platform_upgrade, "bring the database to this version", settings)
    coop = _add(platform, "cooperative", _platform_cooperative, "add a cooperative", settings)
    coop.add_argument("cooperative", help="its slug, e.g. binh-lu")
    coop.add_argument("name", help="its name for people")
    door = _add(platform, "gateway", _platform_gateway, "let a gateway in; key on stdin", settings)
    door.add_argument("gateway", help="the gateway's slug")
    door.add_argument("--cooperative", required=True, help="slug of the cooperative")
    user = _add(platform, "user", _platform_user, "make a user, or give a new password", settings)
    user.add_argument("user", help="log-in name")
    user.add_argument(
        "--role", required=True, choices=["farmer", "clerk", "officer", "helper", "admin"]
    )
    user.add_argument("--cooperative", default="binh-lu", help="slug of the cooperative")

    imports = _group(rooms, "import", "load foreign data")
    readings = _add(
        imports, "readings", _import_readings, "load readings from a CSV (gzip too)", data
    )
    readings.add_argument("file", type=Path, help="the CSV file")
    readings.add_argument(
        "--map", type=Path, required=True, help="TOML: time zone, greenhouse, columns"
    )
    readings.add_argument("--settings", type=Path, help="platform.json, if not in --data")

    labels = _group(rooms, "labels", "QR label sheets, without platform or farm")
    _add(labels, "layouts", _labels_layouts, "list the label layouts")
    sheet = _add(labels, "sheet", _labels_sheet, "make a PDF sheet from a CSV with url and text")
    sheet.add_argument("--layout", default="a4-3x8", help="see: nongso labels layouts")
    sheet.add_argument("--csv", type=Path, required=True, help="columns: url, text")
    sheet.add_argument("-o", "--output", type=Path, required=True, help="the PDF to write")
    sheet.add_argument("--start-cell", type=int, default=1, help="first free label of the sheet")
    return top


def _group(
    parent: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, about: str
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    group = parent.add_parser(name, help=about, description=about)
    return group.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _add(
    parent: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Command,
    about: str,
    *shared: argparse.ArgumentParser,
) -> argparse.ArgumentParser:
    made = parent.add_parser(name, help=about, description=about, parents=list(shared))
    made.set_defaults(command=command)
    return made


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: 1 to 65535")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: more than 0, at most 86400 s")
    return number


def _speed(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 1 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed: 1 to 3600")
    return number


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    args = parser().parse_args(arguments)
    command: Command = args.command
    try:
        return command(args)
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
