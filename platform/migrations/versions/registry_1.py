"""Plots of households: area, crop, point on the map, growing-area code, from when until when."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "registry_1"
down_revision = "traceability_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plot",
        text("id"),
        text("cooperative"),
        text("producer_id"),
        text("code"),
        text("name"),
        text("crop"),
        text("area"),
        whole("area_m2"),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("public_point", sa.Boolean(), nullable=False),
        text("growing_area_code"),
        text("since"),
        text("until", nullable=True),
        sa.CheckConstraint("area_m2 > 0", name="ck_plot_area_positive"),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_plot_cooperative_cooperative"
        ),
        sa.ForeignKeyConstraint(
            ["producer_id"], ["producer.id"], name="fk_plot_producer_id_producer"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_plot"),
        sa.UniqueConstraint("cooperative", "code", name="uq_plot_cooperative"),
    )
    op.create_index("ix_plot_producer_id", "plot", ["producer_id"])


def downgrade() -> None:
    op.drop_table("plot")
