"""The door to PostgreSQL: an engine that gives the records the same promises as SQLite's file.

How this works. Whoever writes takes one advisory lock at the start of the transaction, which is
given back at its end: one writes at a time, as with ``BEGIN IMMEDIATE``, whatever server process
or host it is in, and sees all that was committed before. So nothing that was thought out for
SQLite (stock, numbers of wishes, counted guesses, the lease of the alerts) is decided on old
values here. Reading takes no transaction; each query stands alone.

``pg_current_snapshot()`` names the set of transactions that a query would see: as long as it is
the same, nothing has changed. Transactions of other databases on that server change it too, which
costs a page made anew and never shows an old one.

The server must sort and compare texts by their code points (locale C), as SQLite does, so that
both give one order and no index is spoilt when the system's locales are updated.
"""

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from flask import has_request_context, request
from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.pool import QueuePool
from werkzeug.exceptions import HTTPException

from nongso.platform.records_address import Address
from nongso.platform.storage import Trouble, trouble_of

log = logging.getLogger(__name__)

OLDEST_SERVER = 13  # pg_current_snapshot()
CONNECT_SECONDS = 5
DEAD_WRITER_SECONDS = 300  # a writer that says nothing for so long has lost its lock
_LOCK = int.from_bytes(b"nongso")
_ORDERS = ("C", "POSIX", "C.UTF-8", "C.utf8")
# All in one question: the patience, the end of a dead writer, "done" means on disk, the lock.
_BEGIN = text(
    "SELECT set_config('lock_timeout', :patience, true), "
    "set_config('idle_in_transaction_session_timeout', :dead, true), "
    "CASE current_setting('synchronous_commit') WHEN 'off' "
    "THEN set_config('synchronous_commit', 'on', true) END, "
    f"pg_advisory_xact_lock({_LOCK})"
)


class Unsuitable(Exception):
    """This server or database cannot hold the records; the text says what to do."""


class Unkeepable(HTTPException, ValueError):
    """A text with a zero byte: PostgreSQL keeps none and looks for none. Nothing has that name."""

    @property
    def code(self) -> int:  # type: ignore[override]
        """An address with it leads nowhere; what else was sent is nonsense."""
        return 404 if has_request_context() and "\0" in request.path else 400


def unkeepable(error: BaseException) -> Unkeepable | None:
    """Return what flies instead of the driver's error about a zero byte."""
    of_driver = type(error).__name__ == "DataError" and "NUL" in str(error)
    return Unkeepable() if of_driver else None


def open_engine(address: Address) -> Engine:
    """Make the engine; connects to nothing yet. Raises ``Unsuitable`` without psycopg."""
    try:
        import psycopg  # noqa: F401  (optional: only who uses it installs it)
    except ImportError as error:
        raise Unsuitable(
            "records in PostgreSQL need one more package; install nongso[postgres]"
        ) from error
    engine = create_engine(
        _url(address),
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=256,  # never more than the server has threads
        pool_pre_ping=True,  # the database server may have been started anew meanwhile
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args=_keywords(address),
    )
    event.listen(engine, "begin", _begin)
    return engine


def _url(address: Address) -> URL:
    return URL.create(
        "postgresql+psycopg",
        username=address.user or None,
        password=address.password or None,
        host=address.host or None,
        port=address.port,
        database=address.database,
    )


def _keywords(address: Address) -> dict[str, Any]:
    """Return what libpq is told beside the address; a host that vanished is noticed."""
    return {
        "application_name": "nongso",
        "client_encoding": "UTF8",
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        **dict(address.options),
    }


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("writes", False):
        patience_ms = max(1, int((options.get("patience_seconds") or 10.0) * 1000))
        connection.execute(
            _BEGIN, {"patience": str(patience_ms), "dead": str(DEAD_WRITER_SECONDS * 1000)}
        )


def check(connection: Connection) -> None:
    """Raise ``Unsuitable`` where the same data would be kept or sorted in another way."""
    version = connection.scalar(text("SELECT current_setting('server_version_num')::int"))
    if version < OLDEST_SERVER * 10000:
        raise Unsuitable(
            f"PostgreSQL {version // 10000} is too old; {OLDEST_SERVER} or later is needed"
        )
    encoding, order = connection.execute(
        text(
            "SELECT pg_encoding_to_char(encoding), datcollate FROM pg_database "
            "WHERE datname = current_database()"
        )
    ).one()
    provider = "c"
    if version >= 150000:
        provider = connection.scalar(
            text("SELECT datlocprovider FROM pg_database WHERE datname = current_database()")
        )
    if encoding != "UTF8" or provider == "i" or (provider == "c" and order not in _ORDERS):
        raise Unsuitable(
            f"the database was made for {encoding} and the order of {order}; the records need "
            "UTF8 and locale C. Make it anew with: createdb --template=template0 --encoding=UTF8 "
            "--locale=C NAME"
        )
    if connection.scalar(text("SHOW fsync")) != "on":
        log.warning("fsync is off in PostgreSQL: a power cut may lose what was confirmed")


class Unkept(Exception):
    """PostgreSQL refuses a row; the text is its own word."""


def copy_rows(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
) -> None:
    """Bring many rows at once, as texts that the columns' types read. Raises ``Unkept``."""
    import psycopg
    from psycopg import sql

    raw = cast("psycopg.Connection[object]", connection.connection.driver_connection)
    order = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    try:
        with raw.cursor() as cursor, cursor.copy(order) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.DataError as error:
        raise Unkept(str(error).partition("\n")[0]) from error
    except psycopg.IntegrityError as error:
        raise Unkept(str(error).partition("\n")[0]) from error


def number_on(connection: Connection, tables: Iterable[str], given: Mapping[str, int]) -> None:
    """Let numbered tables go on behind their highest number, or the highest ever given."""
    found = connection.execute(
        text(
            "SELECT table_name, column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND column_default LIKE 'nextval(%'"
        )
    ).all()
    wanted = set(tables)
    for table, column in found:
        if table not in wanted:
            continue
        there = connection.scalar(text(f'SELECT max("{column}") FROM "{table}"'))
        highest = max(there or 0, given.get(table, 0))
        if highest:
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)"),
                {"table": f'"{table}"', "column": column, "highest": highest},
            )


class Glance:
    """Tells what a query would see now, over a connection of its own that never writes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._connection: Connection | None = None

    def look(self) -> int:
        """Return a number for the present state. Raises ``StorageError``."""
        try:
            return self._ask()
        except Exception as error:
            self.close()
            if trouble_of(error) is not Trouble.AWAY:
                raise
        return self._ask()  # on a new connection: the server may only have been started anew

    def _ask(self) -> int:
        if self._connection is None:
            self._connection = self._engine.connect()
            self._connection.detach()  # of its own: no pool keeps it open after ``close``
        found = self._connection.scalar(text("SELECT pg_current_snapshot()::text"))
        return int.from_bytes(hashlib.sha256(str(found).encode()).digest()[:8])

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
