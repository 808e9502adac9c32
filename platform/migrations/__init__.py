"""The age of the records' schema: bringing it up to date, and refusing to work on another one.

Each half of the platform grows its own branch of revisions on the common ground (accounts,
events): a new revision names its parent in ``down_revision``. Revisions are never edited once
they have been released.

Before anything is written, the file is checked (``nongso.platform.soundness``). Damaged records
are never touched and never replaced by empty ones: they are the cooperative's, and only people
can say which backup takes their place.
"""

import functools
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from nongso.platform import postgresql, soundness
from nongso.platform.settings import Settings
from nongso.platform.storage import StorageError, Trouble, trouble_of
from nongso.platform.store import Records


class SchemaError(Exception):
    """The database is not of this version of the program; the text says what to do."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@functools.cache
def heads() -> frozenset[str]:
    """Return the revisions that this version of the program works on."""
    return frozenset(ScriptDirectory.from_config(_config()).get_heads())


@functools.cache
def known() -> frozenset[str]:
    """Return every revision that this version of the program has heard of."""
    scripts = ScriptDirectory.from_config(_config()).walk_revisions()
    return frozenset(script.revision for script in scripts)


def found(connection: Connection) -> frozenset[str]:
    """Return the revisions that the database is at; empty for a new file."""
    return frozenset(MigrationContext.configure(connection).get_current_heads())


def upgrade(settings: Settings, *, new_records: bool = False) -> str:
    """Bring the database to this version and return its revisions as a text.

    All steps happen in one transaction, so that a killed upgrade leaves the old schema.
    Raises ``SchemaError`` when the file is of a newer version of the program, is damaged, or is
    missing where a platform has already worked; ``new_records`` says that this is meant.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # its steps are no news for people
    if not settings.folder.exists():
        settings.folder.mkdir(parents=True)
        settings.folder.chmod(0o700)  # readings and keys are nobody else's; mkdir heeds the umask
    kept = _opened(settings, new_records)
    try:
        with kept.engine.connect() as connection:
            connection.execution_options(**kept.write_options())
            if not kept.is_file:
                _check_server(settings, connection, new_records)
            try:
                command.upgrade(_config(connection), "heads")
            except CommandError as error:
                connection.rollback()
                raise _newer(settings) from error
            connection.commit()
            return ", ".join(sorted(found(connection)))
    except StorageError as error:
        raise _unusable(settings, error) from error
    finally:
        kept.close()


def upgrade_open(connection: Connection) -> None:
    """Make the schema in an empty database, in the caller's transaction."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    command.upgrade(_config(connection), "heads")


def _opened(settings: Settings, new_records: bool) -> Records:
    if settings.records_in_file:
        _check_sound(settings)
        if not new_records:
            _check_not_lost(settings)
    return _open(settings)


def _open(settings: Settings) -> Records:
    try:
        return Records.of(settings)
    except postgresql.Unsuitable as error:
        raise SchemaError(f"{settings.records_name}: {error}.") from error


def _check_server(settings: Settings, connection: Connection, new_records: bool) -> None:
    try:
        postgresql.check(connection)
    except postgresql.Unsuitable as error:
        raise SchemaError(f"{settings.records_name}: {error}.") from error
    if not new_records and settings.telemetry_file.exists() and not found(connection):
        raise _lost(settings, f"{settings.records_name} is empty")


@contextmanager
def current(settings: Settings) -> Iterator[Records]:
    """Open the records for a command and close them. Raises ``SchemaError`` as ``check`` does."""
    _check_present(settings)
    records = _open(settings)
    try:
        check(settings, records)
        yield records
    finally:
        records.close()


def check(settings: Settings, records: Records) -> None:
    """Raise ``SchemaError`` unless the database is exactly of this version."""
    try:
        with records.engine.connect() as connection:
            if not records.is_file:
                _check_server(settings, connection, new_records=True)
            at = found(connection)
    except StorageError as error:
        raise _unusable(settings, error) from error
    if at == heads():
        return
    if at - known():
        raise _newer(settings)
    raise SchemaError(
        f"The database {settings.records_name} is "
        + ("empty" if not at else f"of an older version ({', '.join(sorted(at))})")
        + ". Bring it up to date with: nongso platform upgrade --settings <platform.json>"
    )


def check_file(settings: Settings) -> None:
    """Raise ``SchemaError`` if the file is missing or damaged. Reads all of it.

    PostgreSQL looks after its own files.
    """
    _check_present(settings)
    if settings.records_in_file:
        _check_sound(settings)


def _check_present(settings: Settings) -> None:
    if settings.records_in_file and not settings.records_file.exists():
        raise SchemaError(
            f"The database {settings.records_file} is not there yet. "
            "Make it with: nongso platform upgrade --settings <platform.json>"
        )


def _check_sound(settings: Settings) -> None:
    try:
        why = soundness.damage_in(settings.records_file)
    except (sqlite3.Error, OSError) as error:
        raise _unusable(settings, error) from error
    if why:
        raise _damaged(settings, why)


def _check_not_lost(settings: Settings) -> None:
    """Do not begin with empty records where a platform has worked before."""
    file = settings.records_file
    is_there = file.exists() and file.stat().st_size > 0
    if not is_there and settings.telemetry_file.exists():
        raise _lost(settings, f"{file} is {'empty' if file.exists() else 'missing'}")


def _lost(settings: Settings, what: str) -> SchemaError:
    return SchemaError(
        f"{what}, but {settings.telemetry_file.name} in {settings.folder} shows that a platform "
        "has worked here. Put the last backup of the records in its place. If you want to begin "
        "with empty records, without people, commands and lots: nongso platform upgrade "
        "--new-records --settings <platform.json>"
    )


def _unusable(settings: Settings, error: Exception) -> SchemaError:
    trouble = trouble_of(error, settings.folder)
    if trouble is Trouble.DAMAGED:
        return _damaged(settings, str(error))
    words = trouble.words if trouble is not None else "it cannot be used"
    return SchemaError(f"{settings.records_name}: {words} ({error}).")


def _damaged(settings: Settings, why: str) -> SchemaError:
    if not settings.records_in_file:
        return SchemaError(f"{settings.records_name}: {why}. Put the last backup in its place.")
    return SchemaError(
        f"The records {settings.records_file} are damaged: {why}. Nothing was changed. Set the "
        "file aside together with its journal (do not delete them, a specialist may save more of "
        "it), put the last backup in its place and start the platform again."
    )


def _newer(settings: Settings) -> SchemaError:
    return SchemaError(
        f"The database {settings.records_name} was written by a newer version of nongso. Install "
        "that version again; `nongso platform upgrade` only goes forward."
    )
