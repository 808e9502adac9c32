"""The log of everything recorded: entries, tiles, salts, checkpoints, cosignatures, keys."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import guard, text, unguard, whole

revision = "proof_1"
down_revision = "ground_1"
branch_labels = None
depends_on = None

_GROWING = ("log_entry", "log_checkpoint")


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def upgrade() -> None:
    op.create_table(
        "log_entry",
        whole("number"),
        text("kind"),
        whole("event_number", nullable=True),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        _key("log_entry", "number"),
        sa.UniqueConstraint("event_number", name="uq_log_entry_event_number"),
    )
    op.create_table(
        "log_tile",
        whole("level"),
        whole("number"),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        _key("log_tile", "level", "number"),
    )
    op.create_table(
        "log_salt",
        whole("event_number"),
        sa.Column("salts", sa.JSON(), nullable=False),
        _key("log_salt", "event_number"),
    )
    op.create_table(
        "log_erasure",
        whole("event_number"),
        text("path"),
        whole("entry_number"),
        _key("log_erasure", "event_number", "path"),
    )
    op.create_table(
        "log_checkpoint",
        whole("size"),
        whole("signed_at"),
        text("note"),
        _key("log_checkpoint", "size"),
    )
    op.create_table(
        "log_cosignature",
        whole("size"),
        text("vkey"),
        whole("first_at"),
        text("first_line"),
        whole("at"),
        text("line"),
        _key("log_cosignature", "size", "vkey"),
    )
    op.create_table(
        "log_key",
        text("vkey"),
        text("sort"),
        whole("since"),
        whole("added_at"),
        whole("replaced_at", nullable=True),
        _key("log_key", "vkey"),
    )
    op.create_table(
        "log_witness", text("vkey"), text("name"), whole("added_at"), _key("log_witness", "vkey")
    )
    op.create_table(
        "log_signer", whole("id"), whole("seen_at"), text("trouble"), _key("log_signer", "id")
    )
    for table in _GROWING:
        guard(table)


def downgrade() -> None:
    for table in (
        "log_signer",
        "log_witness",
        "log_key",
        "log_cosignature",
        "log_checkpoint",
        "log_erasure",
        "log_salt",
        "log_tile",
        "log_entry",
    ):
        op.drop_table(table)
    for table in _GROWING:
        unguard(table)
