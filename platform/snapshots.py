"""Copies of the platform's databases as they were at one moment, made while others write.

How this works. A SQLite file is copied by SQLite itself in one step: who reads is not disturbed,
who writes waits until the copy is made (with a write-ahead log not even that). Records in
PostgreSQL are read in one snapshot and become a SQLite file of the same schema, so that a copy
needs no server to be looked at, and ``nongso platform move-records`` brings it back into one.

Each copy is checked before anybody is told that it is there. Readings that are kept by InfluxDB
or VictoriaMetrics are not copied here: those servers have ways of their own.
"""

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, MetaData, text

from nongso.platform import migrations, soundness
from nongso.platform.settings import Settings
from nongso.platform.storage import StorageError, trouble_of
from nongso.platform.store import BUSY_SECONDS, Records
from nongso.platform.telemetry import address

ROWS_AT_ONCE = 10_000
_OWN = "alembic_version"  # written by the upgrade

Say = Callable[[str], None]


class SnapshotError(Exception):
    """No copy was made; the text says why and what to do."""


def copy_records(settings: Settings, to: Path, say: Say) -> frozenset[str]:
    """Copy the records into a new SQLite file; return the revisions that they are at."""
    if settings.records_in_file:
        copy_file(settings.records_file, to)
    else:
        with _naming(settings.records_name), migrations.current(settings) as records:
            _copy_from_server(records, to, say)
        _check(to)
    return revisions(to)


def has_readings_here(settings: Settings) -> bool:
    """Say whether the readings are in a file of ours, not with a server of their own."""
    return address.read(settings.telemetry).kind == address.SQLITE


def readings_file(settings: Settings) -> Path:
    """Return the file of the readings."""
    return settings.folder / address.read(settings.telemetry).file


def copy_file(file: Path, to: Path) -> None:
    """Copy a SQLite file while others write to it. Raises ``SnapshotError``."""
    if not file.exists():
        raise SnapshotError(f"{file} is not there")
    with _naming(str(file)), closing(_open(file, "rw")) as source:
        _new_private(to)
        with closing(sqlite3.connect(to)) as target:
            target.execute("PRAGMA synchronous = OFF")  # it is checked, and read again later
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, nothing beside it
    _check(to)


def revisions(file: Path) -> frozenset[str]:
    """Return the revisions that a file of records is at. Raises ``SnapshotError``."""
    with _naming(str(file)), closing(_open(file, "ro")) as connection:
        return frozenset(v for (v,) in connection.execute(f"SELECT version_num FROM {_OWN}"))


def unknown_revisions(found: frozenset[str]) -> frozenset[str]:
    """Return those that this version of the program has never heard of."""
    return found - migrations.known()


def _open(file: Path, mode: str) -> sqlite3.Connection:
    where = f"{file.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(where, uri=True, timeout=BUSY_SECONDS)


def _new_private(file: Path) -> None:
    os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _check(copy: Path) -> None:
    try:
        why = soundness.damage_in(copy)
    except sqlite3.Error as error:
        why = str(error)
    if why:
        raise SnapshotError(
            f"{copy.name} is damaged: {why}. Nothing was changed; a damaged file is not copied "
            "over a good backup. Keep the last backup, and see: nongso doctor"
        )


class _naming:
    """Let trouble with the disk or the server fly as ``SnapshotError``."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error | StorageError | migrations.SchemaError):
            trouble = trouble_of(error)
            words = f"{trouble.words} ({error})" if trouble is not None else str(error)
            raise SnapshotError(f"{self._what}: {words}") from error


# --- out of PostgreSQL ----------------------------------------------------------------


def _copy_from_server(source: Records, to: Path, say: Say) -> None:
    _new_private(to)
    target = Records(to)
    try:
        with source.engine.connect() as server, target.engine.connect() as file:
            server.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True, stream_results=True
            )
            file.execution_options(**target.write_options())
            migrations.upgrade_open(file)
            file.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
            tables = MetaData()
            tables.reflect(file)
            for table in tables.sorted_tables:
                if table.name != _OWN:
                    columns = [column.name for column in table.columns]
                    _copy_table(server, file, table.name, columns, say)
            _keep_numbers(server, file)
            file.commit()
    finally:
        target.close()


def _copy_table(
    server: Connection, file: Connection, table: str, columns: list[str], say: Say
) -> None:
    named = ", ".join(map(_quoted, columns))
    order = f"INSERT INTO {_quoted(table)} ({named}) VALUES ({', '.join('?' * len(columns))})"
    rows = _rows(server, table, columns)
    done = 0
    while some := list(itertools.islice(rows, ROWS_AT_ONCE)):
        file.exec_driver_sql(order, some)
        done += len(some)
        if done >= ROWS_AT_ONCE:
            say(f"{table}: {done} rows")
    there = server.scalar(text(f"SELECT count(*) FROM {_quoted(table)}"))
    if there != done:
        raise SnapshotError(f"{table} has {there} rows, and {done} were read")


def _rows(server: Connection, table: str, columns: list[str]) -> Iterator[tuple[object, ...]]:
    """Read a table; JSON as the text that it is."""
    kinds = server.execute(
        text(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = :table"
        ),
        {"table": table},
    )
    texts = {name for name, kind in kinds if kind in ("json", "jsonb")}
    wanted = (f"{_quoted(c)}::text" if c in texts else _quoted(c) for c in columns)
    found = server.exec_driver_sql(f"SELECT {', '.join(wanted)} FROM {_quoted(table)}")
    for row in found:
        yield tuple(row)


def _keep_numbers(server: Connection, file: Connection) -> None:
    """Let numbered tables go on behind the highest number that was ever given."""
    counted = file.exec_driver_sql(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
    ).scalars()
    for table in list(counted):
        key = file.exec_driver_sql(
            "SELECT name FROM pragma_table_info(?) WHERE pk = 1", (table,)
        ).scalar()
        sequence = server.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": _quoted(table), "column": key},
        )
        given = sequence and server.scalar(
            text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")
        )
        if given:
            file.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            file.exec_driver_sql("INSERT INTO sqlite_sequence VALUES (?, ?)", (table, given))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
