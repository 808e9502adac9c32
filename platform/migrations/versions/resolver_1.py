"""Links that a clerk adds to a product."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "resolver_1"
down_revision = "traceability_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "product_link",
        text("id"),
        text("cooperative"),
        text("product_id"),
        text("kind"),
        text("title"),
        text("address"),
        text("language"),
        text("media"),
        whole("added_at"),
        text("added_by"),
        whole("ended_at", nullable=True),
        text("ended_by", nullable=True),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_product_link_cooperative_cooperative"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name="fk_product_link_product_id_product"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_product_link"),
    )
    op.create_index("ix_product_link_product_id", "product_link", ["product_id"])


def downgrade() -> None:
    op.drop_index("ix_product_link_product_id", "product_link")
    op.drop_table("product_link")
