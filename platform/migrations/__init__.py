"""The age of the records' schema: bringing it up to date, and refusing to work on another one.

Each half of the platform grows its own branch of revisions on the common ground (accounts,
events): a new revision names its parent in ``down_revision``. Revisions are never edited once
they have been released.
"""

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from nongso.platform.settings import Settings
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


def found(connection: Connection) -> frozenset[str]:
    """Return the revisions that the database is at; empty for a new file."""
    return frozenset(MigrationContext.configure(connection).get_current_heads())


def upgrade(settings: Settings) -> str:
    """Bring the database to this version and return its revisions as a text.

    All steps happen in one transaction, so that a killed upgrade leaves the old schema.
    Raises ``SchemaError`` when the file is of a newer version of the program.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # its steps are no news for people
    if not settings.folder.exists():
        settings.folder.mkdir(parents=True)
        settings.folder.chmod(0o700)  # readings and keys are nobody else's; mkdir heeds the umask
    kept = Records(settings.records_file)
    try:
        with kept.engine.connect().execution_options(writes=True) as connection:
            try:
                command.upgrade(_config(connection), "heads")
            except CommandError as error:
                connection.rollback()
                raise _newer(settings) from error
            connection.commit()
            return ", ".join(sorted(found(connection)))
    except DatabaseError as error:
        raise _damaged(settings, error) from error
    finally:
        kept.close()


@contextmanager
def current(settings: Settings) -> Iterator[Records]:
    """Open the records for a command and close them. Raises ``SchemaError`` as ``check`` does."""
    if not settings.records_file.exists():
        raise SchemaError(
            f"The database {settings.records_file} is not there yet. "
            "Make it with: nongso platform upgrade --settings <platform.json>"
        )
    records = Records(settings.records_file)
    try:
        check(settings, records)
        yield records
    finally:
        records.close()


def check(settings: Settings, records: Records) -> None:
    """Raise ``SchemaError`` unless the database is exactly of this version."""
    try:
        with records.engine.connect() as connection:
            at = found(connection)
    except DatabaseError as error:
        raise _damaged(settings, error) from error
    if at == heads():
        return
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if at - known:
        raise _newer(settings)
    raise SchemaError(
        f"The database {settings.records_file} is "
        + ("empty" if not at else f"of an older version ({', '.join(sorted(at))})")
        + ". Bring it up to date with: nongso platform upgrade --settings <platform.json>"
    )


def _damaged(settings: Settings, error: DatabaseError) -> SchemaError:
    return SchemaError(
        f"The database {settings.records_file} cannot be used: {error.orig}. If it is damaged, "
        "set the file aside (do not delete it) and put the last backup in its place."
    )


def _newer(settings: Settings) -> SchemaError:
    return SchemaError(
        f"The database {settings.records_file} was written by a newer version of nongso. Install "
        "that version again; `nongso platform upgrade` only goes forward."
    )
