"""What shoppers report about goods, and what they are answered."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "reports_1"
down_revision = "traceability_3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "shopper_report",
        text("id"),
        text("number"),
        text("cooperative", nullable=True),
        text("lot"),
        text("serial"),
        whole("at"),
        whole("due_at"),
        text("kind"),
        text("text"),
        text("bought"),
        text("contact"),
        text("sender"),
        whole("answered_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_shopper_report_cooperative_cooperative"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shopper_report"),
        sa.UniqueConstraint("number", name="uq_shopper_report_number"),
    )
    op.create_index("ix_shopper_report_cooperative_at", "shopper_report", ["cooperative", "at"])
    op.create_index("ix_shopper_report_at", "shopper_report", ["at"])
    op.create_table(
        "shopper_report_word",
        text("id"),
        text("report"),
        whole("place"),
        whole("at"),
        text("actor"),
        text("text"),
        sa.ForeignKeyConstraint(
            ["report"], ["shopper_report.id"], name="fk_shopper_report_word_report_shopper_report"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_shopper_report_word"),
    )
    op.create_index("ix_shopper_report_word_report", "shopper_report_word", ["report"])


def downgrade() -> None:
    op.drop_table("shopper_report_word")
    op.drop_table("shopper_report")
