"""``nongso restore``: a backup becomes a house again, on an empty machine.

Everything is compared with the backup's list before the first file is written, and nothing is
written into a folder that holds anything. The files are laid beside their place first; only when
all of them are on the disk do they get their names, so that a power cut leaves an empty house
rather than half of one.

What was copied knows nothing of what happened after it. So the gateway's store gets a new id and
its zones wait for a person (``nongso.gateway.storecopy``), and labels get numbers behind all that
may have been printed since (``nongso.platform.restored``).
"""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nongso.commands.archive import Archive
from nongso.commands.backup import GATEWAY, PLATFORM
from nongso.commands.durable import sync_folder
from nongso.commands.errors import CommandError
from nongso.commands.jsonfile import read_object, write_private

_BESIDE = ".restoring"

Say = Callable[[str], None]


def check(file: Path, say: Say) -> None:
    """Read a backup and say what is in it. Raises ``CommandError`` when it is not whole."""
    with Archive(file) as archive:
        archive.check(_progress(archive, "read", say))
        _describe(archive, say)
    say("It is whole.")


def run(file: Path, to: Path, say: Say) -> None:
    """Put a backup into an empty folder. Raises ``CommandError``."""
    to = to.absolute()
    with Archive(file) as archive:
        _refuse_what_is_there(to)
        _describe(archive, say)
        archive.check(_progress(archive, "read", say))
        _refuse_what_is_newer(archive)
        beside = to / _BESIDE
        try:
            to.mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.rmtree(beside, ignore_errors=True)
            _refuse_too_little_room(to, archive.size)
            beside.mkdir(mode=0o700)
            archive.extract(beside, _progress(archive, "written", say))
            _settle(archive, beside, to)
            for entry in sorted(beside.iterdir()):
                entry.rename(to / entry.name)
            beside.rmdir()
            sync_folder(to)
        except OSError as error:
            raise CommandError(
                f"{error.filename or to} cannot be written: {error.strerror or error}. "
                f"Nothing was begun in {to}; mend that and do it again."
            ) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        _say_what_next(archive, to, say)


def _refuse_what_is_there(to: Path) -> None:
    if os.path.lexists(to) and not to.is_dir():
        raise CommandError(f"{to} is no folder. Name an empty or a new one.")
    there = [p.name for p in to.iterdir() if not _is_nothing(p)] if to.exists() else []
    if there:
        raise CommandError(
            f"{to} is not empty: it holds {min(there)}. A backup is put into an empty or a new "
            "folder only, so that it never overwrites anything newer."
        )


def _is_nothing(path: Path) -> bool:
    """Say whether this is an empty folder, or what an unfinished restore has left."""
    if path.name in (_BESIDE, "lost+found"):
        return True
    return path.is_dir() and not path.is_symlink() and next(path.iterdir(), None) is None


def _refuse_what_is_newer(archive: Archive) -> None:
    revisions = archive.facts.get("schema")
    if not revisions:
        return
    from nongso.platform import snapshots

    if snapshots.unknown_revisions(frozenset(map(str, revisions))):
        raise CommandError(
            f"{archive.file} was made by a newer nongso ({archive.facts.get('program')}). Install "
            "that version first."
        )


def _refuse_too_little_room(to: Path, wanted: int) -> None:
    free = shutil.disk_usage(to).free
    if free < wanted:
        raise CommandError(
            f"The disk of {to} has {free >> 20} MB left, and {(wanted >> 20) + 1} MB are needed. "
            "Choose another place."
        )


def _describe(archive: Archive, say: Say) -> None:
    made = archive.facts.get("made_at", 0)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(made))
    parts = ", ".join(archive.facts.get("parts", [])) or "nothing of a room"
    say(f"{archive.file}: made {when} by {archive.facts.get('program')}; it holds {parts}.")
    for note in archive.facts.get("notes", []):
        say(f"NOT IN IT: {note}")


def _settle(archive: Archive, folder: Path, to: Path) -> None:
    """Let settings and stores belong to their new place, before anything has its name."""
    if archive.has(f"{PLATFORM}/platform.json"):
        _settle_platform(archive, folder / PLATFORM, to / PLATFORM)
    if archive.has(f"{GATEWAY}/gateway.json") and archive.has(f"{GATEWAY}/store.sqlite"):
        _settle_gateway(folder / GATEWAY)


def _settle_platform(archive: Archive, folder: Path, to: Path) -> None:
    from nongso.platform import restored, settings
    from nongso.platform.migrations import SchemaError

    file = folder / "platform.json"
    told = read_object(file) | {"folder": str(to)}
    if archive.facts.get("records"):
        told.pop("records", None)  # they are in the file now
    if archive.has(f"{PLATFORM}/sealing.keys"):
        told.pop("keys", None)
    write_private(file, told)
    if not archive.facts.get("schema"):
        return  # there were no records yet
    try:
        there = replace(settings.load(file), folder=folder)
        restored.note(there, int(archive.facts["made_at"]))
    except (settings.SettingsError, SchemaError) as error:
        raise CommandError(f"The platform of this backup cannot be used: {error}") from error


def _settle_gateway(folder: Path) -> None:
    from nongso.gateway import settings, storecopy
    from nongso.gateway.errors import GatewayError

    try:
        destinations = [one.id for one in settings.load(folder / "gateway.json").destinations]
        storecopy.take_up(folder / "store.sqlite", destinations)
    except GatewayError as error:
        raise CommandError(
            f"The gateway's store of this backup cannot be used: {error}"
        ) from error


def _say_what_next(archive: Archive, to: Path, say: Say) -> None:
    facts = archive.facts
    say(f"Restored: {to}. What was recorded after the backup is not in it.")
    if GATEWAY in facts["parts"]:
        say(
            "No zone waters by itself until somebody has watered it or set its mode again. Never "
            "let the old gateway run beside this one."
        )
    if PLATFORM in facts["parts"]:
        say(
            "Labels printed after the backup are unknown here: scanned, they are called never "
            "issued. New labels get numbers behind them. If anybody kept a newer checkpoint of "
            "the public log, read docs/proof.md, Backups, before you start."
        )
    if facts.get("house"):
        say(f"Next: nongso up --data {to}")
        return
    if PLATFORM in facts["parts"]:
        file = to / PLATFORM / "platform.json"
        if facts.get("records"):
            say(
                f"The records were in {facts['records']}; here they are in a file. Into an empty "
                f"database: nongso platform move-records --to - --settings {file}"
            )
        say(f"Next: nongso platform run --settings {file}")
    if GATEWAY in facts["parts"]:
        file = to / GATEWAY / "gateway.json"
        say(f"Next: nongso gateway valves --settings {file}, and nongso gateway run beside it")


def _progress(archive: Archive, what: str, say: Say) -> Callable[[str, int], None]:
    """Return a function that says each quarter of the way, of what is worth waiting for."""
    total, before = max(archive.size, 1), 0
    done: dict[str, int] = {}
    told = 0

    def tell(name: str, bytes_done: int) -> None:
        nonlocal before, told
        before += bytes_done - done.get(name, 0)
        done[name] = bytes_done
        quarter = 4 * before // total
        if quarter > told and total > 20_000_000:
            told = quarter
            say(f"  {25 * quarter} % {what}")

    return tell
