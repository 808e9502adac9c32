"""Moves the records from SQLite's file into PostgreSQL, all of them or none.

How this works. The file is read under its write lock, so that it stays as it is meanwhile, and is
not written to. In PostgreSQL one transaction makes the schema, takes every row and is committed
only when each table has as many rows as in the file. Whatever breaks on the way leaves an empty
database behind: then it is simply done again. Readings, pictures and settings stay where they
are; so does the file, until somebody takes it away.
"""

import itertools
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, inspect, text

from nongso.platform import migrations, postgresql, records_address
from nongso.platform.settings import Settings
from nongso.platform.storage import StorageError
from nongso.platform.store import Records

ROWS_AT_ONCE = 10_000
ANSWER_SECONDS = 2.0
_OWN = "alembic_version"  # made by the upgrade


class MoveError(Exception):
    """The records were not moved, and nothing has changed; the text says why."""


@dataclass(frozen=True)
class Moved:
    """A table, and how many rows it had before and has after."""

    table: str
    before: int
    after: int


def move(settings: Settings, to: str, say: Callable[[str], None]) -> list[Moved]:
    """Move the records to an address; ``say`` is told how far it is.

    Raises ``MoveError``, and ``SchemaError`` where the file is of another version or damaged.
    """
    if not settings.records_in_file:
        raise MoveError(f"The records are in {settings.records_name} already.")
    try:
        address = records_address.read(to)
    except records_address.AddressError as error:
        raise MoveError(str(error)) from error
    if address.file:
        raise MoveError("Records are moved into PostgreSQL; name an address postgresql://…")
    _refuse_while_served(settings)
    migrations.check_file(settings)
    try:
        with migrations.current(settings) as source, closing(Records(address)) as target:
            return _moved(source, target, say)
    except postgresql.Unsuitable as error:
        raise MoveError(f"{address.name}: {error}.") from error
    except StorageError as error:
        raise MoveError(f"{error}. Nothing has changed; it can be done again.") from error


def _refuse_while_served(settings: Settings) -> None:
    """What a running server writes meanwhile would stay behind in the file."""
    if settings.port == 0:
        return
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    try:
        socket.create_connection((host, settings.port), ANSWER_SECONDS).close()
    except OSError:
        return
    raise MoveError(
        f"A server answers at {host}, port {settings.port}. End it first: what it wrote meanwhile "
        "would stay behind."
    )


def _moved(source: Records, target: Records, say: Callable[[str], None]) -> list[Moved]:
    with source.engine.connect() as file, target.engine.connect() as database:
        file.execution_options(**source.write_options())
        database.execution_options(**target.write_options())
        postgresql.check(database)
        there = inspect(database).get_table_names()
        if there:
            raise MoveError(
                f"{target.name} is not empty: it has a table {min(there)}. Name a new database."
            )
        migrations.upgrade_open(database)
        tables = MetaData()
        tables.reflect(database)
        unknown = set(inspect(file).get_table_names()) - set(tables.tables)
        if unknown:
            raise MoveError(f"The file has a table that is not of nongso: {min(unknown)}.")
        done = []
        for table in tables.sorted_tables:
            if table.name != _OWN:
                columns = [column.name for column in table.columns]
                done.append(_copied(file, database, table.name, columns, say))
        wrong = [one for one in done if one.before != one.after]
        if wrong:
            raise MoveError(
                f"{wrong[0].table} has {wrong[0].before} rows in the file and would have "
                f"{wrong[0].after}. Nothing has changed."
            )
        postgresql.number_on(database, [one.table for one in done], _numbers(file))
        file.rollback()
        database.commit()
        return done


def _copied(
    file: Connection,
    database: Connection,
    table: str,
    columns: Sequence[str],
    say: Callable[[str], None],
) -> Moved:
    before = _count(file, table)
    rows = _rows(file, table, columns)
    done = 0
    while some := list(itertools.islice(rows, ROWS_AT_ONCE)):
        try:
            postgresql.copy_rows(database, table, columns, some)
        except postgresql.Unkept as error:
            raise MoveError(f"A row of {table} cannot be kept in PostgreSQL: {error}") from error
        done += len(some)
        if before > ROWS_AT_ONCE:
            say(f"{table}: {done} of {before}")
    return Moved(table, before, _count(database, table))


def _rows(file: Connection, table: str, columns: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Read a table as it lies in the file: texts stay the same to the letter."""
    named = ", ".join(_quoted(column) for column in columns)
    found = file.exec_driver_sql(f"SELECT {named} FROM {_quoted(table)} ORDER BY rowid")
    for row in found:
        yield tuple(row)


def _count(connection: Connection, table: str) -> int:
    return int(connection.scalar(text(f"SELECT count(*) FROM {_quoted(table)}")) or 0)


def _numbers(file: Connection) -> dict[str, int]:
    """Return the highest number that a table has ever given, where SQLite remembers it."""
    if "sqlite_sequence" not in set(
        file.scalars(text("SELECT name FROM sqlite_master WHERE name = 'sqlite_sequence'"))
    ):
        return {}
    return {str(n): int(seq) for n, seq in file.execute(text("SELECT * FROM sqlite_sequence"))}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
