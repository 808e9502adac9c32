"""The second factor's secrets are sealed with a key that is not in the records."""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

from nongso.platform.seals import Seals

revision = "ground_3"
down_revision = "ground_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _leave_no_traces()
    op.execute("ALTER TABLE person RENAME COLUMN totp_secret TO totp_sealed")
    _each(lambda seals, person, plain: seals.seal(plain, person), may_make=True)
    # Whoever is just setting one up begins anew: the page lives some minutes.
    op.execute("DELETE FROM log_in WHERE step = 'setup'")
    op.execute("UPDATE log_in SET candidate = ''")


def downgrade() -> None:
    op.execute("DELETE FROM log_in WHERE step = 'setup'")
    op.execute("UPDATE log_in SET candidate = ''")
    _each(lambda seals, person, sealed: seals.open(sealed, person))
    op.execute("ALTER TABLE person RENAME COLUMN totp_sealed TO totp_secret")


def _each(change: Callable[[Seals, str, str], str], *, may_make: bool = False) -> None:
    bind = op.get_bind()
    found = bind.execute(
        sa.text("SELECT id, totp_sealed FROM person WHERE totp_sealed IS NOT NULL")
    ).all()
    if not found:
        return
    seals: Seals = bind.get_execution_options()["seals"]
    if may_make and not seals.is_made:
        seals.make()
    for person, text in found:
        bind.execute(
            sa.text("UPDATE person SET totp_sealed = :text WHERE id = :person"),
            {"text": change(seals, person, text), "person": person},
        )


def _leave_no_traces() -> None:
    """Let SQLite write zeros over what is replaced; the open text is to be gone from the file."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA secure_delete = ON")
