"""Stations tell which version of their program they run."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE

revision = "greenhouse_5"
down_revision = "greenhouse_4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("node") as changed:
        changed.add_column(sa.Column("program", sa.JSON(), nullable=True))
        changed.add_column(sa.Column("program_at", WHOLE, nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("node") as changed:
        changed.drop_column("program_at")
        changed.drop_column("program")
