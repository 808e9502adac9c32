"""What the doctor looks at on a server: its databases, its keys, whether it answers."""

import http.client
import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nongso.commands.findings import ANSWER_SECONDS, Finding, address, good, look, wrong
from nongso.commands.ports import inner_url
from nongso.platform import migrations, settings, snapshots, soundness, store
from nongso.platform.settings import Settings
from nongso.platform.storage import StorageError

_WAL = b"\x02\x02"


def examine(file: Path) -> Iterator[Finding]:
    """Look at the platform whose settings these are."""
    try:
        loaded = settings.load(file)
    except settings.SettingsError as error:
        yield wrong(f"platform settings: {error}", "correct the file")
        return
    yield from _sqlite(loaded)
    yield from _records(loaded, file)
    if snapshots.has_readings_here(loaded):
        yield from _readings(loaded)
    yield from _keys(loaded)
    yield from _process(loaded, file)
    if loaded.url.startswith("https://"):
        yield from address(loaded.url)


def _sqlite(loaded: Settings) -> Iterator[Finding]:
    version = sqlite3.sqlite_version
    if store.journal_mode() == "wal":
        yield good(f"platform SQLite: {version}, with a write-ahead log")
        return
    files = (loaded.records_file, snapshots.readings_file(loaded))
    in_wal = [file for file in files if _journal(file) == _WAL]
    if in_wal:
        yield wrong(
            f"platform SQLite: {version} can damage {in_wal[0].name}, which has a write-ahead log",
            "end every program that uses it and start the platform: it puts the file into the "
            "older, safe mode (https://sqlite.org/wal.html#walresetbug)",
        )
    else:
        yield good(
            f"platform SQLite: {version}, with a rollback journal (not its write-ahead log, "
            "which it gets wrong)"
        )


def _journal(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(20)[18:20]
    except OSError:
        return b""


def _records(loaded: Settings, file: Path) -> Iterator[Finding]:
    try:
        migrations.check_file(loaded)
        with migrations.current(loaded):
            pass
    except (migrations.SchemaError, StorageError) as error:
        yield wrong(f"platform records: {error}", f"settings: {file}")
    else:
        yield good(f"platform records: whole, of this version ({loaded.records_name})")


def _readings(loaded: Settings) -> Iterator[Finding]:
    file = snapshots.readings_file(loaded)
    try:
        why = soundness.damage_in(file)
    except sqlite3.Error as error:
        why = str(error)
    if why:
        yield wrong(
            f"platform readings: {file} is damaged: {why}",
            "start the platform: it saves what can be read and sets this file aside",
        )
    elif not file.exists():
        yield look(f"platform readings: {file} is not there", "the platform makes it")
    else:
        yield good(f"platform readings: whole ({file.stat().st_size / 1e6:.1f} MB)")


def _keys(loaded: Settings) -> Iterator[Finding]:
    custody = loaded.folder / "log" / "keys"
    if not loaded.local and loaded.records_file.exists() and not custody.exists():
        yield look(
            f"public log: there are no keys in {custody} yet",
            "the signer makes them at its first start; if there were some, put your copy back",
        )


def _process(loaded: Settings, file: Path) -> Iterator[Finding]:
    url = inner_url(loaded.host, loaded.port)
    status, told = _report(url + "/healthz")
    if told is None:
        yield wrong(
            f"platform: it does not run (nothing answers at {url})",
            "systemctl status nongso-platform; journalctl -u nongso-platform -n 50",
        )
        return
    if status == 200:
        yield good(f"platform: it runs and can write ({url})")
    for where, words in told.get("troubles", {}).items():
        yield wrong(f"platform: {where}: {words}", f"then look again; settings: {file}")
    readings = told.get("readings") or {}
    if readings.get("set_aside"):
        yield look(
            f"platform: files of readings were set aside: {len(readings['set_aside'])}",
            "keep them; if it happens again, change the disk",
        )
    for note in readings.get("notes") or ():
        yield look(f"platform: readings: {note}", "docs/telemetry.md, docs/sealed-days.md")
    log = told.get("log") or {}
    if log.get("trouble"):
        yield wrong(f"public log: {log['trouble']}", "docs/proof.md, The keys")


def _report(url: str) -> tuple[int, dict[str, Any] | None]:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
            status, found = answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        try:
            status, found = error.code, json.load(error)
        except ValueError:
            return error.code, None
    except (OSError, ValueError, http.client.HTTPException):
        return 0, None
    return status, found if isinstance(found, dict) and "status" in found else None
