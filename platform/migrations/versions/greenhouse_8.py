"""A station may be taken out; it is remembered when."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE

revision = "greenhouse_8"
down_revision = "greenhouse_7"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("node") as changed:
        changed.add_column(sa.Column("removed_at", WHOLE, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("node") as changed:
        changed.drop_column("removed_at")
