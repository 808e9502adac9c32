"""``nongso platform …``: what is done on a server from its command line."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from nongso.commands import arguments as kinds
from nongso.commands.arguments import Parser
from nongso.commands.errors import CommandError


def _platform_run(args: argparse.Namespace) -> int:
    from nongso.platform import run

    return run.run(args.settings, args.host, signer=not args.no_signer)


def _platform_upgrade(args: argparse.Namespace) -> int:
    from nongso.platform import migrations, settings
    from nongso.platform.traceability.epcis import indexing
    from nongso.platform.traceability.proof import keeping

    loaded = settings.load(args.settings)
    print("Database is at", migrations.upgrade(loaded, new_records=args.new_records))
    with migrations.current(loaded) as records:
        if entered := keeping.catch_up(records):
            print(f"{entered} events of before have entered the log.")
        indexing.catch_up(records)
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


def _platform_code(args: argparse.Namespace) -> int:
    from nongso.platform import settings
    from nongso.platform.members import slip

    loaded = settings.load(args.settings)
    file = args.output or Path(f"ma-vao-cua-{args.user}.txt")
    if args.show:
        made = slip.make(loaded, args.user, args.hours)
        paper = "\x1b[30;107m{}\x1b[0m" if sys.stdout.isatty() else "{}"
        print("\n".join(paper.format(line) for line in made.qr.splitlines()))
        print(made.text)
        return 0
    with _kept_for_one(file) as out:
        made = slip.make(loaded, args.user, args.hours)
        out.write(f"{made.qr}\n{made.text}")
    print(f"Written: {file}, readable by you only. It opens the account of {made.user} once:")
    print("hand it to that person, then delete the file. An older code works no more.")
    return 0


@contextmanager
def _kept_for_one(file: Path) -> Iterator[TextIO]:
    """Open a new file that its owner alone may read; what fails on the way leaves none."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise CommandError(
            f"{file} is there already: an older code? Delete it, or name another with --output"
        ) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            yield out
    except BaseException:
        file.unlink(missing_ok=True)
        raise


def _platform_reseal(args: argparse.Namespace) -> int:
    from nongso.platform import migrations, second_factor, settings

    loaded = settings.load(args.settings)
    with migrations.current(loaded) as records:
        if args.lost:
            lost = second_factor.forget_lost(records)
            print(f"Second factors taken away: {', '.join(lost) or 'none'}.")
            print("Each of these people sets one up anew at the next log-in.")
            return 0
        sealed, gone = second_factor.reseal(records)
    print(f"{sealed} secrets are sealed with a new key in {loaded.keys_file}.")
    print(f"Older keys taken away: {gone}. Copy the file to where its copy is kept.")
    return 0


def _platform_move_records(args: argparse.Namespace) -> int:
    from nongso.platform import moving_records, settings

    to = sys.stdin.readline().strip() if args.to == "-" else args.to
    loaded = settings.load(args.settings)
    moved = moving_records.move(loaded, to, lambda word: print(word, file=sys.stderr))
    print(f"{'table':28} {'in the file':>12} {'moved':>12}")
    for one in moved:
        print(f"{one.table:28} {one.before:>12} {one.after:>12}")
    print(f"{sum(one.after for one in moved)} rows in {len(moved)} tables.")
    print(f'Now put the address as "records" into {args.settings} and start the platform.')
    print(
        f"When it runs well, take {loaded.records_file} away (keep it as a backup): nobody writes "
        "to it any more. Readings and pictures stay where they are."
    )
    return 0


def add(rooms: "argparse._SubParsersAction[Parser]", settings: Parser) -> None:
    """Add the room and its commands."""
    platform = kinds.group(rooms, "platform", "the server: pages, API, labels")
    begin = kinds.add(
        platform, "init", _platform_init, "write settings with a new secret", settings
    )
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
    serve = kinds.add(platform, "run", _platform_run, "serve the pages and the API", settings)
    serve.add_argument(
        "--host",
        type=kinds.host,
        help="address to listen on, instead of the settings' (0.0.0.0 or ::: the whole network)",
    )
    serve.add_argument(
        "--no-signer",
        action="store_true",
        help="do not start the signer beside it: it runs elsewhere (nongso trace signer)",
    )
    upgrade = kinds.add(
        platform, "upgrade", _platform_upgrade, "bring the database to this version", settings
    )
    upgrade.add_argument(
        "--new-records",
        action="store_true",
        help="begin with empty records where those of this platform are gone for good",
    )
    coop = kinds.add(platform, "cooperative", _platform_cooperative, "add a cooperative", settings)
    coop.add_argument("cooperative", help="its slug, e.g. binh-lu")
    coop.add_argument("name", help="its name for people")
    coop.add_argument(
        "--rename", action="store_true", help="give a cooperative that is there this name"
    )
    door = kinds.add(
        platform, "gateway", _platform_gateway, "let a gateway in; key on stdin", settings
    )
    door.add_argument("gateway", help="the gateway's slug")
    door.add_argument(
        "--cooperative", required=True, metavar="SLUG", help="slug of the cooperative"
    )
    user = kinds.add(
        platform, "user", _platform_user, "make a user, or give a new password", settings
    )
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
    code = kinds.add(
        platform, "code", _platform_code, "make a printed entry code for a person", settings
    )
    code.add_argument("user", help="log-in name")
    code.add_argument(
        "--hours",
        type=kinds.number,
        choices=(24, 72, 168),
        default=24,
        help="how long it is good (default: 24)",
    )
    where = code.add_mutually_exclusive_group()
    where.add_argument("--show", action="store_true", help="show it here instead of in a file")
    where.add_argument(
        "--output",
        type=kinds.path,
        metavar="FILE",
        help="the file to write (default: ma-vao-cua-USER.txt here)",
    )
    reseal = kinds.add(
        platform,
        "reseal",
        _platform_reseal,
        "seal the second factors' secrets with a new key",
        settings,
    )
    reseal.add_argument(
        "--lost",
        action="store_true",
        help="the key is lost for good: take away the second factors that nothing opens",
    )
    move = kinds.add(
        platform,
        "move-records",
        _platform_move_records,
        "move the records from SQLite into an empty PostgreSQL database",
        settings,
    )
    move.add_argument(
        "--to",
        required=True,
        metavar="ADDRESS",
        help="postgresql://user:password@host:5432/database; - reads it from stdin",
    )
