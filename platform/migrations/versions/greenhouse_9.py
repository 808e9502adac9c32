"""Zones are armed by a wet test: what the gateway measured, what a person has seen."""

import sqlalchemy as sa
from alembic import op

revision = "greenhouse_9"
down_revision = "greenhouse_8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("zone") as changed:
        changed.add_column(sa.Column("wet_test", sa.JSON(), nullable=True))
    with op.batch_alter_table("command") as changed:
        changed.add_column(sa.Column("test", sa.JSON(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("command") as changed:
        changed.drop_column("test")
    with op.batch_alter_table("zone") as changed:
        changed.drop_column("wet_test")
