"""Farms tell where their water is from: level, quotas, tests, and what is in the way now."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import whole

revision = "greenhouse_6"
down_revision = "greenhouse_5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "water_source",
        sa.Column("gateway", sa.String(), sa.ForeignKey("gateway.slug"), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        whole("at"),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("gateway", "id"),
    )


def downgrade() -> None:
    op.drop_table("water_source")
