"""Pictures of producers with their consent, and places that are open to visitors."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "shopfront_1"
down_revision = "registry_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "producer_photo",
        text("id"),
        text("producer"),
        text("photo"),
        text("agreed_on"),
        text("how"),
        text("noted_by"),
        whole("noted_at"),
        whole("withdrawn_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["producer"], ["producer.id"], name="fk_producer_photo_producer_producer"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_producer_photo"),
    )
    op.create_index("ix_producer_photo_producer", "producer_photo", ["producer"])
    op.create_table(
        "open_place",
        *map(text, ("id", "code", "cooperative", "kind", "name", "story", "hours", "contact")),
        *map(text, ("village", "commune", "province")),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        text("photo"),
        sa.Column("closed", sa.Boolean(), nullable=False),
        whole("changed_at"),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_open_place_cooperative_cooperative"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_open_place"),
        sa.UniqueConstraint("code", name="uq_open_place_code"),
    )
    op.create_index("ix_open_place_cooperative", "open_place", ["cooperative"])


def downgrade() -> None:
    op.drop_table("open_place")
    op.drop_table("producer_photo")
