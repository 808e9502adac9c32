"""The platform's records: SQLAlchemy base, engine, sessions, and the schema's age.

How this works. ``Records`` holds the engine. Inside a request ``records()`` is the session that
belongs to it, for reading; ``transaction()`` is the only way to write: it takes SQLite's write
lock at once (``BEGIN IMMEDIATE``), so that two writers wait for each other instead of failing
half-way, and commits at its end or takes everything back. A flush outside of it is an error.
Code without a request uses ``Records.transaction()`` and ``Records.session()``.

The records are in a SQLite file, or by a setting in PostgreSQL (``nongso.platform.postgresql``),
which gives the same promises; what follows is about the file.

A full disk, a file that is damaged, locked or cannot be read: all of them fly as ``StorageError``
(``nongso.platform.storage``), from reading and writing alike. Nothing is written any more to a
file that was found damaged.

Reading takes no transaction: each query stands alone and holds no lock afterwards. With a
rollback journal a reader that lingers (a phone waiting for its gateway) would otherwise keep
every writer from committing. What must agree with each other is read inside ``transaction()``.

SQLite runs with foreign keys on and ``synchronous=EXTRA``. The write-ahead log is used only
where the library has no WAL-reset bug (https://sqlite.org/wal.html#walresetbug: databases
written by two connections could be corrupted; fixed in 3.51.3, back-ported to 3.44.6 and
3.50.7); Debian 12's 3.40.1 has it, so there the rollback journal is used.
"""

import itertools
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeVar, cast

from flask import current_app, g
from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    ExceptionContext,
    Integer,
    MetaData,
    create_engine,
    event,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import QueuePool

from nongso.platform import postgresql, records_address
from nongso.platform.seals import Seals
from nongso.platform.settings import KEYS_FILE, Settings
from nongso.platform.storage import StorageError, Trouble, Watchman, trouble_of

GLANCE_SECONDS = 0.02
TRIAL_SECONDS = 0.5  # that /healthz waits for somebody who writes
BUSY_SECONDS = 10.0  # how long a writer waits for another one before it gives up

_EXTENSION = "nongso.records"
_AT_ONCE = 2000  # parameters of one question; SQLite takes 32,766

_Value = TypeVar("_Value")

# Up to eight bytes everywhere: a time behind 2038 and a gateway's row number need them. SQLite's
# INTEGER is that already, and must have this name to number rows by itself.
WHOLE = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """The base of all records; constraints have names, so that migrations can speak of them."""

    type_annotation_map = {int: WHOLE}  # noqa: RUF012  (SQLAlchemy reads it from the class)
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class WriteOutsideTransaction(RuntimeError):
    """Something was to be written outside ``transaction()``: a mistake in our own code."""


def wal_is_safe(version: tuple[int, int, int]) -> bool:
    """Say whether this SQLite has the repair of the WAL-reset bug."""
    if version[:2] == (3, 44):
        return version[2] >= 6
    if version[:2] == (3, 50):
        return version[2] >= 7
    return version >= (3, 51, 3) and version[:2] != (3, 52)  # 3.52.0 was withdrawn


def journal_mode() -> str:
    """Return the journal that this machine's SQLite may be trusted with."""
    return "wal" if wal_is_safe(sqlite3.sqlite_version_info[:3]) else "delete"


def make_private(file: Path) -> None:
    """See to it that only its owner reads a database: it holds keys and passwords' hashes.

    SQLite gives its journals the rights of the database. Where it cannot be done, SQLite's own
    word about the file will say more.
    """
    with suppress(OSError):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
        file.chmod(0o600)


def prepare_connection(connection: sqlite3.Connection) -> None:
    """Set what every connection to a SQLite file of the platform must have."""
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    connection.execute(f"PRAGMA journal_mode = {journal_mode()}")
    # FULL, and the folder too once the journal is deleted: if a power cut brings the journal
    # back, the next start takes back the last commit.
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")  # pages are read although the disk is full
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA recursive_triggers = ON")  # REPLACE meets delete triggers too


class Records:
    """The engine and what is made from it; one per process and database."""

    def __init__(self, at: Path | records_address.Address, seals: Seals | None = None) -> None:
        self.name = at.name
        self.where = str(at) if isinstance(at, Path) else at.name
        self.watchman = Watchman()
        self.seals = seals or Seals((at.parent if isinstance(at, Path) else Path()) / KEYS_FILE)
        self._writes: dict[str, Any] = {"writes": True, "seals": self.seals}
        self._folder: Path | None = None
        if isinstance(at, Path):
            self._folder = at.parent
            self.engine = reading = self._of_file(at)
            self._watch = Watch(at)
        else:
            self.engine = postgresql.open_engine(at)
            reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            self._writes["isolation_level"] = "READ COMMITTED"
            self._watch = Watch(postgresql.Glance(self.engine))
        event.listen(self.engine, "handle_error", _named(self.watchman, self.name, self._folder))
        self._sessions = sessionmaker(
            reading, expire_on_commit=False, class_=Session, info={"records": self}
        )
        event.listen(self._sessions, "before_flush", _before_flush)
        event.listen(self._sessions, "after_commit", _after_commit)

    @classmethod
    def of(cls, settings: Settings) -> "Records":
        """Open the records that the settings name. Raises ``postgresql.Unsuitable``."""
        address = records_address.read(settings.records)
        at = settings.records_file if address.file else address
        return cls(at, Seals(settings.keys_file))

    def _of_file(self, file: Path) -> Engine:
        make_private(file)
        engine = create_engine(
            f"sqlite+pysqlite:///{file}",
            poolclass=QueuePool,
            pool_size=8,
            max_overflow=256,
            connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS},
            json_deserializer=_json_reader(self.watchman, self.name),
        )
        event.listen(engine, "connect", _connected)
        event.listen(engine, "checkin", _back)
        event.listen(engine, "begin", _begin)
        return engine

    @property
    def is_file(self) -> bool:
        """Say whether it is SQLite's file."""
        return self._folder is not None

    def session(self) -> Session:
        """Open a session for reading. The caller closes it (``with``)."""
        return self._sessions()

    @contextmanager
    def transaction(self, patience_seconds: float | None = None) -> Iterator[Session]:
        """Open a session, write with it, commit it, close it."""
        with self._sessions() as session, writing(session, patience_seconds):
            yield session

    def try_to_write(self) -> None:
        """Where writing has failed, see whether it works again: write what is there already."""
        trouble = self.watchman.troubles().get(self.name)
        if trouble is None or trouble is Trouble.DAMAGED:
            return
        with self.transaction(TRIAL_SECONDS) as session:
            connection = session.connection()
            if not self.is_file:
                connection.execute(text("SELECT pg_current_xact_id()"))  # is written at the end
                return
            version = connection.exec_driver_sql("PRAGMA user_version").scalar()
            connection.exec_driver_sql(f"PRAGMA user_version = {version}")

    def write_options(self, patience_seconds: float | None = None) -> dict[str, Any]:
        """Return what makes a connection of this database a writer's."""
        patience = BUSY_SECONDS if patience_seconds is None else patience_seconds
        return {**self._writes, "patience_seconds": patience}

    @property
    def is_damaged(self) -> bool:
        """Say whether damage was found in the file; then it is not written to any more."""
        return self.watchman.troubles().get(self.name) is Trouble.DAMAGED

    def version(self) -> tuple[int, int]:
        """Return what changes whenever anybody, in any process, has written."""
        with self._naming():
            return self._watch.version()

    def wrote(self, *, aside: bool) -> None:
        """Take note that this process has committed; ``aside``: nothing that pages tell."""
        self._watch.wrote(aside=aside)

    def lately(self) -> tuple[int, int]:
        """Return the version as ``Watch.lately`` sees it, for what is asked very often."""
        with self._naming():
            return self._watch.lately()

    @property
    def news(self) -> int:
        """Return what changes when something was written that is not ``aside``.

        Of what other processes write, only what was seen in a look. No two records of a process
        ever have the same, so that what is kept under it is never taken for another's.
        """
        return self._watch.news

    def lately_news(self) -> int:
        """Return ``news``; that of other processes may be a blink old."""
        self.lately()
        return self._watch.news

    def look(self) -> None:
        """Look for what other processes have written; where that fails, there is news too."""
        try:
            self.version()
        except StorageError:
            self._watch.tell()

    def aside(self, session: Session) -> None:
        """Say that nothing of what this transaction writes is told on a page for shoppers.

        What others wrote before it is looked for now, while nobody else can write: after the
        commit it could not be told from what this transaction has written.
        """
        self.version()
        session.info["aside"] = True

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            trouble = self.watchman.noted(self.name, error, self._folder)
            if trouble is None:
                raise
            raise StorageError(trouble, f"{self.name}: {error}") from error

    def close(self) -> None:
        """Close every connection."""
        self._watch.close()
        self.engine.dispose()


class Glance(Protocol):
    """Looks whether a database has changed."""

    def look(self) -> int:
        """Return what differs after every commit of anybody."""

    def close(self) -> None:
        """Close the connection."""


class FileGlance:
    """Looks at a SQLite file.

    ``PRAGMA data_version`` changes on one connection whenever another one commits, in whatever
    process; this connection never writes, so it sees all of them. While another program holds
    the file locked, its version stays what it was.
    """

    def __init__(self, file: Path) -> None:
        self._seen = 0
        self._connection = sqlite3.connect(
            file, check_same_thread=False, isolation_level=None, timeout=GLANCE_SECONDS
        )

    def look(self) -> int:
        """Return the file's version."""
        try:
            self._seen = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as error:
            if trouble_of(error) is not Trouble.BUSY:
                raise
        return self._seen

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


_news = itertools.count(1)


class Watch:
    """Tells that a database has changed, for pieces of pages that are kept.

    What this process itself has committed (``wrote``) is seen at once; what another one has,
    within ``GLANCE_SECONDS``: asking the database for every request would let the threads queue
    for one connection, each for as long as Python takes to hand over (measured with SQLite: 200
    requests a second instead of 1,400).
    """

    def __init__(self, of: Path | Glance) -> None:
        self._glance = FileGlance(of) if isinstance(of, Path) else of
        self._one_at_a_time = Lock()
        self._seen = (0, 0)
        self._good_until = 0.0
        self._is_closed = False
        self.news = next(_news)  # another one with each commit that was not aside

    def tell(self) -> None:
        """Let there be news."""
        self.news = next(_news)

    def wrote(self, *, aside: bool = False) -> None:
        """Take note that this process has committed; ``aside`` is no news.

        The database is asked here too: counted now and seen a blink later, one commit would be
        two versions, and every page would be made twice.
        """
        with self._one_at_a_time:
            own, seen = self._seen
            with suppress(Exception):  # it is committed; whoever reads next hears of the trouble
                seen = seen if self._is_closed else self._glance.look()
            self._seen = own + 1, seen
            if not aside:
                self.tell()

    def version(self) -> tuple[int, int]:
        """Return the version as it is now."""
        with self._one_at_a_time:
            return self._look()

    def lately(self) -> tuple[int, int]:
        """Return the version; that of other processes may be a blink old."""
        if time.monotonic() >= self._good_until and self._one_at_a_time.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._one_at_a_time.release()
        return self._seen

    def _look(self) -> tuple[int, int]:
        self._good_until = time.monotonic() + GLANCE_SECONDS
        own, before = self._seen
        if self._is_closed:  # a thread that ends late must not open what nobody closes any more
            return self._seen
        seen = self._glance.look()
        self._seen = own, seen
        if seen != before:
            self.tell()
        return self._seen

    def close(self) -> None:
        """Close the connection."""
        with self._one_at_a_time:
            self._is_closed = True
            self._glance.close()


# What an engine's dialect holds is kept by the mappers when the engine is long closed: so these
# two hold no ``Records``.


def _named(
    watchman: Watchman, name: str, folder: Path | None
) -> Callable[[ExceptionContext], StorageError | postgresql.Unkeepable | None]:
    """Let trouble with the storage fly under its own name; ``folder`` is a file's."""

    def named(context: ExceptionContext) -> StorageError | postgresql.Unkeepable | None:
        error = context.original_exception
        trouble = watchman.noted(name, error, folder)
        if trouble is None:
            return None if folder is not None else postgresql.unkeepable(error)
        return StorageError(trouble, f"{name}: {error}")

    return named


def _json_reader(watchman: Watchman, name: str) -> Callable[[str], Any]:
    """Read the values of JSON columns."""

    def read(text: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:  # nobody but a bad disk writes such a thing
            watchman.note(name, Trouble.DAMAGED)
            raise StorageError(Trouble.DAMAGED, f"a value is no JSON any more: {error}") from error

    return read


def _connected(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, in _begin
    prepare_connection(connection)


def _back(connection: sqlite3.Connection | None, _record: object) -> None:
    if connection is not None:  # whoever was in a hurry has given it back
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("writes", False):
        patience = options.get("patience_seconds")
        patience = BUSY_SECONDS if patience is None else patience
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(patience * 1000)}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")


def _after_commit(session: Session) -> None:
    # A function of the class: SQLAlchemy keeps listeners for good, with all that they hold.
    session.info["records"].wrote(aside=session.info.get("aside", False))


def _before_flush(session: Session, _context: object, _instances: object) -> None:
    if not session.info.get("writing"):
        raise WriteOutsideTransaction("write inside `with transaction():`")


@contextmanager
def writing(session: Session, patience_seconds: float | None = None) -> Iterator[Session]:
    """Make the session write: commit at the end, take everything back on an error.

    Waits for another writer as long as ``patience_seconds``, or ``BUSY_SECONDS``. Inside another
    ``writing`` of the same session it joins that one. Raises ``StorageError``.
    """
    if session.info.get("writing"):
        yield session
        return
    kept: Records = session.info["records"]
    if kept.is_damaged:
        raise StorageError(Trouble.DAMAGED)
    session.rollback()  # gives the reading connection back, so that the next one says BEGIN
    session.info["writing"] = True
    session.info["at_end"] = {}
    try:
        session.connection(execution_options=kept.write_options(patience_seconds))
        yield session
        for deed in list(session.info["at_end"]):
            deed(session)
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info["writing"] = session.info["aside"] = False
        del session.info["at_end"]
    kept.watchman.wrote(kept.name)


def portions(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """Cut a list into parts that one question to the database can name."""
    return (values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE))


def at_end(session: Session, deed: Callable[[Session], object]) -> None:
    """Do something before this transaction commits; once, however often it was asked for."""
    session.info["at_end"][deed] = True


def install(app: Any, settings: Settings) -> Records:
    """Give the Flask application its records."""
    kept = Records.of(settings)
    app.extensions[_EXTENSION] = kept
    app.teardown_appcontext(_close_session)
    return kept


def kept_records() -> Records:
    """Return the application's ``Records`` (for threads and caches)."""
    return cast(Records, current_app.extensions[_EXTENSION])


def records() -> Session:
    """Return the session of this request, for reading."""
    session: Session | None = g.get("records")
    if session is None:
        session = g.records = kept_records().session()
    return session


def hurry(patience_seconds: float) -> None:
    """Let the reading of this request wait no longer than this for somebody who writes."""
    if not kept_records().is_file:
        return  # there nobody who reads waits for anybody
    with suppress(StorageError):  # what is read next says it again
        records().connection().exec_driver_sql(
            f"PRAGMA busy_timeout = {int(patience_seconds * 1000)}"
        )


def rest() -> None:
    """Give a server's connection back while this request waits: a server has few of them."""
    if not kept_records().is_file:
        records().close()  # is opened again by the next question


def disk_trouble() -> Trouble | None:
    """Return what keeps the records from being written, as far as anybody has noticed."""
    return next(iter(kept_records().watchman.troubles().values()), None)


def can_read() -> bool:
    """Say whether the records can be read at this moment."""
    try:
        records().execute(text("SELECT count(*) FROM person"))
    except StorageError:
        return False
    return True


@contextmanager
def transaction(patience_seconds: float | None = None) -> Iterator[Session]:
    """Write with the session of this request."""
    with writing(records(), patience_seconds) as session:
        yield session


def _close_session(_error: BaseException | None) -> None:
    session: Session | None = g.pop("records", None)
    if session is not None:
        session.close()
