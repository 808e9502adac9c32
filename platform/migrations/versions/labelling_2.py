"""Rolls of labels printed without a lot."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "labelling_2"
down_revision = "labelling_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "label_roll",
        text("id"),
        text("cooperative"),
        text("product_id"),
        whole("at"),
        text("actor"),
        text("layout"),
        whole("start_cell"),
        whole("count"),
        text("base"),
        text("gtin", nullable=True),
        sa.Column("texts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_label_roll_cooperative_cooperative"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name="fk_label_roll_product_id_product"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_label_roll"),
    )
    op.create_index("ix_label_roll_cooperative", "label_roll", ["cooperative"])
    op.create_table(
        "roll_code",
        text("serial"),
        text("roll"),
        whole("place"),
        sa.ForeignKeyConstraint(["roll"], ["label_roll.id"], name="fk_roll_code_roll_label_roll"),
        sa.PrimaryKeyConstraint("serial", name="pk_roll_code"),
        sa.UniqueConstraint("roll", "place", name="uq_roll_code_roll"),
    )
    op.add_column("label_issue", text("roll", nullable=True))


def downgrade() -> None:
    """Issues of rolls stay, for their labels are on packs; which roll they are of is lost."""
    op.drop_column("label_issue", "roll")
    op.drop_table("roll_code")
    op.drop_table("label_roll")
