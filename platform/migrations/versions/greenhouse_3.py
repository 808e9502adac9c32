"""Zones can water by the clock."""

import sqlalchemy as sa
from alembic import op

revision = "greenhouse_3"
down_revision = "greenhouse_2"
branch_labels = None
depends_on = None

# An older program knows no such way of watering.
_BACK = "UPDATE {} SET mode = 'manual' WHERE mode = 'schedule'"


def upgrade() -> None:
    for table in ("zone", "command"):
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column("schedule", sa.JSON(), nullable=True))


def downgrade() -> None:
    for table in ("zone", "command"):
        op.execute(_BACK.format(table))
        with op.batch_alter_table(table) as changed:
            changed.drop_column("schedule")
