"""Looks over a data folder before anything starts: what stands there that no room could use.

Rooms look after the contents of their own files. This is about what stops a room before it can
say so: a folder where a file belongs, a file where a folder belongs, files of another user, a
database that was there and is gone. What can be begun anew is set aside, never deleted; what
cannot (the platform's records) is left where it is, and the platform is left out.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from nongso.gateway.simulated.aside import MARK, set_aside
from nongso.gateway.simulated.relay import read_edges
from nongso.gateway.simulated.state import StateFile

FOLDERS = (
    "broker",
    "farm",
    "gateway",
    "gateway/stations",
    "logs",
    "nodes",
    "nodes/*",
    "nodes/*/ring",
    "nodes/*/a",
    "nodes/*/b",
    "platform",
    "platform/files",
    "platform/files/labels",
    "platform/files/reports",
    "platform/files/reports/*",
    "platform/certificates",
    "platform/certificates/*",
    "platform/log",
    "platform/makers",
    "platform/makers/*",
    "platform/pages",
    "platform/photos",
    "platform/photos/*",
)
# Written anew at each start, or begun anew by their room.
FILES = (
    "demo.json",
    "up.sock",
    "broker/acl",
    "broker/mosquitto.conf",
    "broker/mosquitto.db",
    "broker/passwords",
    "farm/edges.jsonl",
    "farm/farm.json",
    "farm/faults.json",
    "farm/state.json",
    "gateway/gateway.json",
    "gateway/stations/*.json",
    "gateway/store.sqlite",
    "gateway/store.sqlite-shm",
    "gateway/store.sqlite-wal",
    "gateway/store.sqlite.lock",
    "gateway/valves.sock",
    "gateway/valves.sock.lock",
    "logs/*.log",
    "nodes/*/calibration.json",
    "nodes/*/config.json",
    "nodes/*/crash.txt",
    "nodes/*/origins",
    "nodes/*/ring/*.seg",
    "nodes/*/ring/cursor",
    "nodes/*/rtc-memory",
    "nodes/*/slots.json",
    "nodes/*/starts",
    "platform/pages/*.html",
    "platform/platform.json",
)
# Nobody can make these again.
PRECIOUS = (
    "platform/files/reports/*/*",
    "platform/certificates/*/*",
    "platform/log/*",
    "platform/makers/*/*",
    "platform/networks.csv",
    "platform/photos/*/*",
    "platform/sealing.keys",
)
DATABASES = ("platform/records.sqlite", "platform/telemetry.sqlite")
MOSQUITTO = b"\x00\xb5\x00mosquitto db"  # how the file of its sessions begins
_BESIDE = ("", "-journal", "-wal", "-shm")

Say = Callable[[str], None]


def look_over(folder: Path, *, lived_in: bool, say: Say) -> None:
    """Look over the folder and set aside what is in the way. ``lived_in``: it had data before."""
    for file, kind in list(out_of_place(folder)):
        _put_away(file, kind, say)
    _look_at_broker(folder / "broker" / "mosquitto.db", say)
    foreign = not_ours(folder)
    if foreign:
        user = f"uid {os.geteuid()}"
        say(
            f"WARNING: {len(foreign)} files cannot be read and written by this user ({user}), the "
            f"first is {foreign[0]}. Was nongso run by another user, with sudo? Give them back "
            f"with: sudo chown -R {os.geteuid()} {folder}"
        )
    _look_at_farm(folder, say)
    store = folder / "gateway" / "store.sqlite"
    kind = _kind(store)
    if lived_in and kind != "unknown" and not _size(store):
        say(
            f"WARNING: {store} is {'empty' if kind == 'file' else 'missing'}. The gateway begins "
            "a new one: what had not reached the platform is lost, and zones go back to the modes "
            "of the settings."
        )


def damaged_ones(folder: Path) -> set[Path]:
    """Return what rooms have set aside in this folder so far."""
    found = folder.glob(f"*/*{MARK}*")
    return {file for file in found if not file.name.endswith(("-wal", "-shm"))}


def not_ours(folder: Path) -> list[Path]:
    """Return the files that this user cannot read and write."""
    return [file for file in _all_of_ours(folder) if not _may_use(file)]


def _matching(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        for file in folder.glob(pattern):
            if MARK not in str(file.relative_to(folder)):
                yield file


def _kind(file: Path) -> str:
    """Say what stands there, with links followed; "unknown" where this user may not look."""
    try:
        mode = file.stat().st_mode
    except PermissionError:
        return "unknown"
    except OSError:  # nothing, or a link to nowhere or to itself
        return "link to nowhere" if file.is_symlink() else "nothing"
    if stat.S_ISDIR(mode):
        return "folder"
    return "file" if stat.S_ISREG(mode) else "socket" if stat.S_ISSOCK(mode) else "device"


def out_of_place(folder: Path) -> Iterator[tuple[Path, str]]:
    """Folders that are none, parents first; then files that are none."""
    for patterns, good in ((FOLDERS, ("folder",)), (FILES, ("file", "socket"))):
        for file in _matching(folder, patterns):
            kind = _kind(file)
            if kind not in (*good, "nothing", "unknown"):
                yield file, kind


def _put_away(file: Path, kind: str, say: Say) -> None:
    try:
        aside = set_aside(file)
    except OSError as e:
        say(f"WARNING: {file} is a {kind} and cannot be set aside ({e.strerror}). Move it away.")
    else:
        say(f"WARNING: {file} was a {kind}. It is kept as {aside.name}, and a new one is begun.")


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def database_trouble(folder: Path, *, lived_in: bool) -> str | None:
    """Say why the platform must not start: a database would be begun anew that nobody can make.

    What is in the databases is the platform's own concern.
    """
    for name in DATABASES:
        if name == DATABASES[1] and os.environ.get("NONGSO_TELEMETRY"):
            continue  # readings are in a store elsewhere
        file = folder / name
        kind = _kind(file)
        if kind == "file" and not _may_use(file):
            return (
                f"{file} cannot be read and written by this user. Give it back with: "
                f"sudo chown -R {os.geteuid()} {folder}"
            )
        if kind not in ("file", "nothing", "unknown"):
            return f"{file} is a {kind}. Move it away and put the last backup in its place."
        if lived_in and kind != "unknown" and not _size(file):
            return (
                f"{file} is {'empty' if kind == 'file' else 'missing'}, but this system had one. "
                "Put the last backup in its place, or begin anew with another --data."
            )
    return None


def _all_of_ours(folder: Path) -> Iterator[Path]:
    yield from _matching(folder, FOLDERS)
    yield from _matching(folder, FILES)
    yield from _matching(folder, PRECIOUS)
    for name in DATABASES:
        for end in _BESIDE:
            file = folder / (name + end)
            if os.path.lexists(file):
                yield file


def _may_use(file: Path) -> bool:
    wanted = os.R_OK | os.W_OK | (os.X_OK if _kind(file) == "folder" else 0)
    return os.access(file, wanted, effective_ids=True)


def _look_at_broker(database: Path, say: Say) -> None:
    """Mosquitto does not start on sessions that are not its own; an empty file it takes."""
    try:
        with database.open("rb") as file:
            start = file.read(len(MOSQUITTO))
    except OSError:
        return
    if start != MOSQUITTO:
        say(put_away_sessions(database))


def put_away_sessions(database: Path, is_guess: bool = False) -> str:
    """Set the broker's sessions aside; return what is to be said about it.

    ``is_guess``: the broker broke off and nothing says that its sessions were the reason.
    Mosquitto 2.0.11 does so now and then while it reads its rights anew.
    """
    try:
        aside = set_aside(database).name
    except OSError as e:
        return f"WARNING: {database} is damaged and cannot be set aside ({e.strerror})."
    what = (
        f"The broker broke off by itself; maybe {database} was damaged"
        if is_guess
        else f"{database} was damaged"
    )
    return (
        f"WARNING: {what}. It is kept as {aside}. The broker begins anew; the "
        "nodes send again what the gateway has not acknowledged, so no reading is lost."
    )


def _look_at_farm(folder: Path, say: Say) -> None:
    """Say at the terminal what the farm's process would only say in its log."""
    StateFile(folder / "farm" / "state.json", lambda text: say("WARNING: " + text))
    edges = folder / "farm" / "edges.jsonl"
    try:
        _, unreadable = read_edges(edges)
    except OSError:
        return  # said with the other files that cannot be read
    if unreadable:
        say(
            f"WARNING: {edges} has {unreadable} lines that cannot be read; they stay in it, and "
            "what follows is written behind them."
        )
