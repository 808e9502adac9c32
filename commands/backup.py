"""``nongso backup``: everything that cannot be made again, in one file, while all goes on.

How this works. Things move one way: from a station's ring to the gateway's store to the
platform's records. They are copied in this order, so that whatever moves meanwhile is in the
copy twice rather than nowhere, and coming twice does no harm. In the platform's folder what was
signed last comes before the records (a copy must never claim more than its records hold), and
files come after them (a record's file was there before the record).

Left out is what is made anew by itself (logs, kept pages, locks, sockets) and what was set aside
as damaged. The file holds every key of the house, in the clear.
"""

import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nongso.commands import arguments
from nongso.commands.archive import Archive, Writer
from nongso.commands.durable import sync_folder
from nongso.commands.errors import CommandError
from nongso.gateway.simulated.aside import MARK

if TYPE_CHECKING:  # imported when a backup has such a part
    from nongso.platform.settings import Settings

PLATFORM, GATEWAY = "platform", "gateway"  # their folders in a backup, as in a house
_LEFT_OUT = ("logs", "pages", "__pycache__", ".restoring")  # folders
_MADE_ANEW = ("lock", ".probe", "mosquitto.db", "mosquitto.db.new", "mosquitto.pid")
_ENDS = ("-wal", "-shm", "-journal", ".lock", ".sock", ".part", ".new", ".log", ".tmp")
_DATABASE = ".sqlite"
_OF_GATEWAY = ("store.sqlite",)
_KEYS = (f"{PLATFORM}/sealing.keys", f"{PLATFORM}/log/keys", f"{PLATFORM}/log/keys.new")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What is to be backed up: a house of ``nongso up``, or settings files, and where to."""

    to: Path
    data: Path | None = None
    platform: Path | None = None
    gateway: Path | None = None
    keys: bool = True  # also those that open what is sealed, and that sign the public log


@dataclass
class _Work:
    """One backup being made."""

    out: Writer
    scratch: Path
    say: Say
    but: tuple[str, ...] = ()  # files that are not wanted
    facts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, file: Path) -> None:
        length = self.out.add(name, file)
        self.say(f"  {name:44} {_megabytes(length)}")

    def copy(self, name: str, make: Callable[[Path], object]) -> None:
        """Let ``make`` write a checked copy of a database, and take it in."""
        copy = self.scratch / Path(name).name
        make(copy)
        self.add(name, copy)
        copy.unlink()


def run(wanted: Wanted, say: Say) -> Path:
    """Make a backup, read it again, and return where it is. Raises ``CommandError``."""
    began = time.monotonic()
    house = _house(wanted)
    to = _target(wanted.to)
    roots = [*filter(None, (wanted.data, *(p.parent for p in _settings_files(wanted))))]
    for root in roots:
        if root.resolve() in to.resolve().parents:
            raise CommandError(
                f"{to} would lie in the folder that is backed up. Choose another place, best on "
                "another disk."
            )
    part = to.with_name(f".{to.name}.{os.getpid()}.part")
    try:
        with tempfile.TemporaryDirectory(prefix=".nongso-backup-", dir=to.parent) as scratch:
            with Writer(part) as out:
                work = _Work(out, Path(scratch), say, () if wanted.keys else _KEYS)
                _take_all(work, wanted, house)
                out.finish(work.facts | {"notes": work.notes})
            say("Reading it again…")
            with Archive(part) as made:
                made.check()
                files, size = len(made.files), part.stat().st_size
        _put(part, to)
    except OSError as error:
        raise CommandError(
            f"The backup {to} cannot be written: {error.strerror or error}. Nothing of it is left."
        ) from error
    finally:
        part.unlink(missing_ok=True)
    say(f"{files} files, {_megabytes(size)}, whole; {time.monotonic() - began:.1f} s.")
    for note in work.notes:
        say(f"NOT IN IT: {note}")
    if stat.S_IMODE(to.stat().st_mode) & 0o077:
        say(f"WARNING: on this disk everybody can read {to}.")
    say(
        "SECRET: it holds the keys of gateway and platform, passwords' hashes and people's "
        "names. Whoever has it can give orders to the water. Keep it where you keep keys; "
        "encrypt it before it leaves your hands (docs/care.md)."
    )
    return to


def _house(wanted: Wanted) -> bool:
    """Say whether a whole house is meant; see that there is something."""
    if wanted.data is not None:
        if not (wanted.data / "house.json").exists():
            raise CommandError(
                f"{wanted.data} is no data folder of nongso up: it has no house.json. A server or "
                "a gateway of its own is named by its settings: --platform FILE, --gateway FILE."
            )
        return True
    for file in _settings_files(wanted):
        if not file.exists():
            raise CommandError(f"{file} is not there.")
    return False


def _settings_files(wanted: Wanted) -> list[Path]:
    return [file for file in (wanted.platform, wanted.gateway) if file is not None]


def _target(to: Path) -> Path:
    """Return the file to write; in a folder it gets a dated name. Nothing is overwritten."""
    if to.is_dir():
        to = to / f"nongso-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip"
    if os.path.lexists(to):
        raise CommandError(f"{to} is there already and is not overwritten. Choose another name.")
    if not to.parent.is_dir():
        raise CommandError(f"The folder {to.parent} is not there. Make it first.")
    return to


def _put(part: Path, to: Path) -> None:
    """Give the finished file its name; a file that came meanwhile is not overwritten."""
    try:
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise CommandError(f"{to} is there already and is not overwritten.") from error
    part.replace(to)
    sync_folder(to.parent)


def _take_all(work: _Work, wanted: Wanted, is_house: bool) -> None:
    work.facts |= {
        "made_at": int(time.time()),
        "program": arguments.version(),
        "house": is_house,
        "parts": [],
    }
    gateway, platform = wanted.gateway, wanted.platform
    if wanted.data is not None:
        gateway = _if_there(wanted.data / GATEWAY / "gateway.json")
        platform = _if_there(wanted.data / PLATFORM / "platform.json")
        of_rooms = (wanted.data / GATEWAY, wanted.data / PLATFORM)
        _take_folder(work, wanted.data, "", but=of_rooms)
    if gateway is not None:
        work.facts["parts"].append(GATEWAY)
        _take_gateway(work, gateway)
    if platform is not None:
        work.facts["parts"].append(PLATFORM)
        _take_platform(work, platform)


def _if_there(file: Path) -> Path | None:
    return file if file.exists() else None


def _take_gateway(work: _Work, settings_file: Path) -> None:
    from nongso.gateway import settings, storecopy
    from nongso.gateway.errors import GatewayError

    try:
        loaded = settings.load(settings_file)
        store = loaded.store_file
        if store.exists():
            work.copy(f"{GATEWAY}/store.sqlite", lambda to: storecopy.copy_store(store, to))
        else:
            work.notes.append(f"{store}: there is none yet; the gateway makes it.")
    except GatewayError as error:
        raise CommandError(
            f"The gateway's part cannot be copied: {error}. A damaged store is mended when the "
            "gateway starts; then make the backup again."
        ) from error
    work.add(f"{GATEWAY}/gateway.json", settings_file)
    folder = settings_file.parent
    others = [p.parent for p in folder.glob("*/platform.json")]
    _take_folder(work, folder, GATEWAY, but=[settings_file, *others])
    for destination in loaded.destinations:
        if destination.ca_file and folder not in Path(destination.ca_file).absolute().parents:
            work.notes.append(f"{destination.ca_file}, the authority of {destination.url}.")


def _take_platform(work: _Work, settings_file: Path) -> None:
    from nongso.platform import settings, snapshots
    from nongso.platform.telemetry.address import read

    try:
        loaded = settings.load(settings_file)
        last = loaded.folder / "log" / "last"
        if last.exists():
            work.add(f"{PLATFORM}/log/last", last)
        if not loaded.records_in_file or loaded.records_file.exists():
            _take_records(work, loaded)
        if snapshots.has_readings_here(loaded):
            readings = snapshots.readings_file(loaded)
            if readings.exists():
                work.copy(
                    f"{PLATFORM}/{readings.name}", lambda to: snapshots.copy_file(readings, to)
                )
        else:
            where = read(loaded.telemetry)
            work.notes.append(f"the readings, which {where.kind} at {where.url} keeps: see there.")
    except (settings.SettingsError, snapshots.SnapshotError) as error:
        raise CommandError(f"The platform's part cannot be copied: {error}") from error
    work.add(f"{PLATFORM}/platform.json", settings_file)
    others = [p.parent for p in loaded.folder.glob("*/gateway.json")]
    _take_folder(work, loaded.folder, PLATFORM, [settings_file, *others], snapshots.copy_file)
    seals = f"{PLATFORM}/{settings.KEYS_FILE}"
    if not work.out.has(seals) and loaded.keys_file.exists() and seals not in work.but:
        work.add(f"{PLATFORM}/{settings.KEYS_FILE}", loaded.keys_file)


def _take_records(work: _Work, loaded: "Settings") -> None:
    from nongso.platform import snapshots

    def copy(to: Path) -> None:
        work.facts["schema"] = sorted(snapshots.copy_records(loaded, to, work.say))

    work.facts["records"] = loaded.records_name if not loaded.records_in_file else ""
    work.copy(f"{PLATFORM}/{loaded.records_file.name}", copy)


def _take_folder(
    work: _Work,
    folder: Path,
    name: str,
    but: Sequence[Path],
    copy_database: Callable[[Path, Path], None] | None = None,
) -> None:
    """Take the rest of a folder as it lies there; further databases are copied, or left out."""
    count = size = 0
    for file in _files(folder, {path.absolute() for path in but}):
        inside = str(file.relative_to(folder))
        called = f"{name}/{inside}" if name else inside
        if work.out.has(called):
            continue
        if called in work.but:
            work.notes.append(f"{called}, by your wish: put your own copy of it back.")
            continue
        if file.suffix == _DATABASE:
            if copy_database is not None and file.name not in _OF_GATEWAY:
                work.copy(called, partial(copy_database, file))
            continue
        try:
            size += work.out.add(called, file)
        except FileNotFoundError:
            continue  # gone since the folder was read: a ring's piece that was delivered
        count += 1
    if count:
        work.say(f"  {f'{name or folder.name}: {count} other files':44} {_megabytes(size)}")


def _files(folder: Path, but: set[Path]) -> Iterator[Path]:
    """Walk through the files that are kept, in the order of their names."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if path.absolute() in but or MARK in entry.name or entry.name in _MADE_ANEW:
            continue
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in _LEFT_OUT:
                yield from _files(path, but)
        elif entry.is_file(follow_symlinks=True) and not entry.name.endswith(_ENDS):
            yield path


def _megabytes(size: int) -> str:
    return f"{size / 1e6:8.1f} MB"
