"""EPCIS for strangers: which events are public, and what stands in them, each value once."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text

revision = "epcis_2"
down_revision = "epcis_1"
branch_labels = None
depends_on = "traceability_1"  # which lots are packed

# As they are today: a revision does not follow the code.
_THINGS = ("epc", "parent", "inEPC", "outEPC", "class", "inClass", "outClass")
_COLUMNS = ("kind", "biz_step", "disposition")


def upgrade() -> None:
    op.add_column(
        "epcis_event",
        sa.Column("is_public", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index("ix_epcis_event_public_at", "epcis_event", ["is_public", "at_ms", "event_id"])
    op.create_index(
        "ix_epcis_event_public_recorded", "epcis_event", ["is_public", "recorded_ms", "event_id"]
    )
    op.create_table(
        "epcis_public_name",
        text("thing"),
        text("value"),
        sa.PrimaryKeyConstraint("thing", "value", name="pk_epcis_public_name"),
    )
    op.execute(
        "UPDATE epcis_event SET is_public = true WHERE NOT is_foreign AND number IN "
        "(SELECT number FROM event_subject WHERE subject IN "
        "(SELECT 'lot:' || code FROM lot WHERE kind = 'packs'))"
    )
    for column in _COLUMNS:
        op.execute(
            f"INSERT INTO epcis_public_name (thing, value) SELECT DISTINCT '{column}', {column} "
            f"FROM epcis_event WHERE is_public AND {column} IS NOT NULL"
        )
    fields = ", ".join(f"'{name}'" for name in _THINGS)
    op.execute(
        "INSERT INTO epcis_public_name (thing, value) SELECT DISTINCT 'epcs', value "
        "FROM epcis_term JOIN epcis_event ON epcis_event.number = epcis_term.number "
        f"WHERE is_public AND field IN ({fields})"
    )


def downgrade() -> None:
    op.drop_table("epcis_public_name")
    for name in ("recorded", "at"):
        op.drop_index(f"ix_epcis_event_public_{name}", "epcis_event")
    op.drop_column("epcis_event", "is_public")
