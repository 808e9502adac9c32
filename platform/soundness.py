"""Is the file of records sound? Asked before anything is written to it.

SQLite's integrity check reads every page and compares the indexes with their tables; then every
value is asked whether it is of its column's kind, because a flipped bit can make text out of a
number. Measured: 8 s for 300,000 runs (79 MB) on a busy machine of two cores; a cooperative's
first years take less than a second. What this cannot see is a changed letter inside a text:
SQLite keeps no checksums.
"""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

log = logging.getLogger(__name__)

CHECK_SECONDS = 60.0
JOURNALS = ("-journal", "-wal")

_OTHER_KINDS = {
    "text": "typeof({0}) NOT IN ('text', 'null')",
    "whole": "typeof({0}) NOT IN ('integer', 'null')",
    "blob": "typeof({0}) NOT IN ('blob', 'null')",
    "number": "typeof({0}) NOT IN ('integer', 'real', 'null')",
    "json": "CASE typeof({0}) WHEN 'null' THEN 0 WHEN 'text' THEN NOT json_valid({0}) ELSE 1 END",
}


def damage_in(file: Path) -> str:
    """Return what is wrong with the file; empty if it is sound, or new.

    Errors that are no damage (rights, a full disk, a lock) fly as ``sqlite3.Error``.
    """
    if not file.exists():
        beside = [Path(f"{file}{end}") for end in JOURNALS]
        left = next((b for b in beside if b.exists() and b.stat().st_size), None)
        return f"it is gone, and only its journal {left.name} is there" if left else ""
    if file.stat().st_size == 0:
        return ""
    # Not read-only: what a crash has left in the journal must be taken back before the check.
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as connection:
        return _checked(connection, file)


def _checked(connection: sqlite3.Connection, file: Path) -> str:
    deadline = time.monotonic() + CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
    try:
        rows = connection.execute("PRAGMA integrity_check(1)").fetchall()
        if rows != [("ok",)]:
            return " ".join(str(rows[0][0]).split()) if rows else "the check says nothing"
        orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
        if orphan is not None:
            return f"a row of {orphan[0]} belongs to a row of {orphan[2]} that is not there"
        return _values_of_other_kinds(connection)
    except UnicodeDecodeError as error:  # SQLite names a spoilt table in its own complaint
        return f"the description of its tables cannot be read ({error.reason})"
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # not SQLite's but Python's: a text that is no UTF-8
            return f"the description of its tables cannot be read ({error})"
        if code != sqlite3.SQLITE_INTERRUPT:
            raise
        log.warning(
            "%s is too large to be checked in %d s; used unchecked", file, int(CHECK_SECONDS)
        )
        return ""


def _values_of_other_kinds(connection: sqlite3.Connection) -> str:
    for table, wrong in _questions(connection):
        found = connection.execute(f'SELECT count(*) FROM "{table}" WHERE {wrong}').fetchone()[0]
        if found:
            return f"{found} rows of {table} hold values of another kind"
    return ""


def rows_of_other_kinds(connection: sqlite3.Connection, most: int) -> Iterator[tuple[str, str]]:
    """Yield table and key of rows that hold values of another kind, ``most`` of each table."""
    for table, wrong in _questions(connection):
        about = connection.execute("SELECT name, pk FROM pragma_table_info(?)", (table,))
        key = [f'"{name}"' for name, _pk in sorted((r for r in about if r[1]), key=lambda r: r[1])]
        wanted = f'SELECT {", ".join(key or ["rowid"])} FROM "{table}" WHERE {wrong} LIMIT ?'
        for row in connection.execute(wanted, (most,)):
            yield table, "/".join(map(str, row))


def _questions(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Each table with the condition under which a row of it is none of ours."""
    tables = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for (table,) in tables:
        columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
        wrong = [
            _OTHER_KINDS[kind].format(f'"{name}"')
            for name, declared in columns
            if (kind := _kind(declared)) is not None
        ]
        if wrong:
            yield table, " OR ".join(wrong)


def _kind(declared: str) -> str | None:
    name = declared.upper().split("(")[0]
    kinds = {"VARCHAR": "text", "TEXT": "text", "FLOAT": "number", "REAL": "number"}
    kinds |= {
        "INTEGER": "whole",
        "BIGINT": "whole",
        "BOOLEAN": "whole",
        "JSON": "json",
        "BLOB": "blob",
    }
    return kinds.get(name)
