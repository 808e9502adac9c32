"""EPCIS: names of our lots in events, who sent an event and whether it stands.

The index is made again from the stream when the platform is next brought up: which lots the
identifiers of older events are, and which declarations of errors hold, stands in no old row.
"""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text

revision = "epcis_3"
down_revision = "epcis_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _forget()
    op.add_column(
        "epcis_event", sa.Column("sender", sa.String(), nullable=False, server_default="")
    )
    op.add_column(
        "epcis_event", sa.Column("stands", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.create_index(
        "ix_epcis_event_public_step",
        "epcis_event",
        ["is_public", "biz_step", "at_ms", "event_id"],
    )
    op.create_table(
        "epcis_lot_name",
        text("name"),
        text("kind"),
        text("key"),
        text("gtin"),
        text("host"),
        text("lot", nullable=True),
        sa.PrimaryKeyConstraint("name", "kind", "key", "gtin", "host", name="pk_epcis_lot_name"),
    )
    op.create_index("ix_epcis_lot_name_lot", "epcis_lot_name", ["lot"])
    op.create_index("ix_epcis_lot_name_key", "epcis_lot_name", ["kind", "key"])
    op.create_index("ix_epcis_lot_name_gtin", "epcis_lot_name", ["gtin"])


def downgrade() -> None:
    _forget()
    op.drop_table("epcis_lot_name")
    op.drop_index("ix_epcis_event_public_step", "epcis_event")
    for name in ("stands", "sender"):
        op.drop_column("epcis_event", name)


def _forget() -> None:
    """Empty the index, which follows from the stream, in the order of its keys."""
    for name in ("flow", "term", "public_name", "event", "reached"):
        op.execute(f"DELETE FROM epcis_{name}")
