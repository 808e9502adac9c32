"""Stations are let in from the phone, and a board may take the place of a broken one."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE

revision = "greenhouse_7"
down_revision = "greenhouse_6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("command") as changed:
        changed.add_column(sa.Column("station", sa.JSON(), nullable=True))
    with op.batch_alter_table("node") as changed:
        changed.add_column(sa.Column("replaced_by", sa.String(), nullable=True))
        changed.add_column(sa.Column("replaced_at", WHOLE, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("node") as changed:
        changed.drop_column("replaced_at")
        changed.drop_column("replaced_by")
    with op.batch_alter_table("command") as changed:
        changed.drop_column("station")
