"""Collective marks, and who is entitled to them."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "labelling_4"
down_revision = "labelling_3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "collective_mark",
        *(text(name) for name in ("id", "cooperative", "name", "number", "owner")),
        whole("at"),
        text("actor"),
        sa.ForeignKeyConstraint(
            ["cooperative"],
            ["cooperative.slug"],
            name="fk_collective_mark_cooperative_cooperative",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_collective_mark"),
        sa.UniqueConstraint("cooperative", "name", name="uq_collective_mark_cooperative"),
    )
    op.create_table(
        "mark_right",
        *(text(name) for name in ("id", "mark", "producer_id", "paper", "since")),
        text("until", nullable=True),
        whole("at"),
        text("actor"),
        whole("ended_at", nullable=True),
        text("ended_by", nullable=True),
        sa.CheckConstraint(
            "until IS NULL OR until >= since", name="ck_mark_right_since_before_until"
        ),
        sa.ForeignKeyConstraint(
            ["mark"], ["collective_mark.id"], name="fk_mark_right_mark_collective_mark"
        ),
        sa.ForeignKeyConstraint(
            ["producer_id"], ["producer.id"], name="fk_mark_right_producer_id_producer"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mark_right"),
    )
    op.create_index("ix_mark_right_mark", "mark_right", ["mark", "producer_id"])
    for table in ("label_issue", "label_roll"):
        op.add_column(table, text("mark", nullable=True))


def downgrade() -> None:
    """What stands on printed labels stays in their texts; the registry of rights is lost."""
    for table in ("label_issue", "label_roll"):
        op.drop_column(table, "mark")
    op.drop_table("mark_right")
    op.drop_table("collective_mark")
