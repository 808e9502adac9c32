"""What revisions need of a database, so that SQLite and PostgreSQL give the same promises.

A revision writes whole numbers as ``WHOLE`` (never ``sa.Integer()``: PostgreSQL gives that four
bytes, which end in 2038) and guards a table that only grows with ``guard``.
"""

import sqlalchemy as sa
from alembic import op

from nongso.platform.store import WHOLE

__all__ = ["WHOLE", "guard", "text", "unguard", "whole"]


def text(name: str, nullable: bool = False) -> "sa.Column[str]":
    """Return a column of text."""
    return sa.Column(name, sa.String(), nullable=nullable)


def whole(name: str, nullable: bool = False) -> "sa.Column[int]":
    """Return a column of whole numbers."""
    return sa.Column(name, WHOLE, nullable=nullable)


def guard(table: str) -> None:
    """Let the database itself refuse to change or delete a row."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {table}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is append-only' "
            "USING ERRCODE = 'restrict_violation'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_append_only()"
        )
        return
    for deed in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def unguard(table: str) -> None:
    """Take away what the dropped table's guard has left."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {table}_is_append_only()")
