"""What a seller tells of a product, what its packs cost, and the samples of markets."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "selling_1"
down_revision = "registry_2"
branch_labels = None
depends_on = None

TEXTS = ("about", "about_en")


def upgrade() -> None:
    for name in TEXTS:
        op.add_column("product", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.add_column("product", sa.Column("prices", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "market_sample",
        *map(text, ("id", "cooperative", "name", "sort", "sheet", "sign")),
        sa.Column("rows", sa.JSON(), nullable=False),
        whole("header"),
        whole("first"),
        sa.Column("columns", sa.JSON(), nullable=False),
        whole("changed_at"),
        text("changed_by"),
        sa.CheckConstraint("first > header", name="ck_market_sample_goods_below_header"),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_market_sample_cooperative_cooperative"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_market_sample"),
        sa.UniqueConstraint("cooperative", "name", name="uq_market_sample_cooperative"),
    )


def downgrade() -> None:
    """Prices, what was told of products, and the samples of markets are lost."""
    op.drop_table("market_sample")
    for name in ("prices", *reversed(TEXTS)):
        op.drop_column("product", name)
