"""Zones can water by what the plants have used, or only advise it."""

import sqlalchemy as sa
from alembic import op

revision = "greenhouse_4"
down_revision = "greenhouse_3"
branch_labels = None
depends_on = None

# An older program knows no such ways of watering.
_BACK = "UPDATE {} SET mode = 'manual' WHERE mode IN ('balance', 'advice')"


def upgrade() -> None:
    for table in ("zone", "command"):
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column("balance", sa.JSON(), nullable=True))
    with op.batch_alter_table("zone") as changed:
        changed.add_column(sa.Column("bed", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("zone") as changed:
        changed.drop_column("bed")
    for table in ("zone", "command"):
        op.execute(_BACK.format(table))
        with op.batch_alter_table(table) as changed:
            changed.drop_column("balance")
