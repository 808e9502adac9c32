"""Layouts of a cooperative's own; what was printed keeps layout and picture as they were."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "labelling_3"
down_revision = "labelling_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "label_layout",
        text("id"),
        text("cooperative"),
        text("name"),
        text("file"),
        whole("at"),
        text("actor"),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_label_layout_cooperative_cooperative"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_label_layout"),
        sa.UniqueConstraint("cooperative", "name", name="uq_label_layout_cooperative"),
    )
    for table in ("label_issue", "label_roll"):
        op.add_column(table, text("layout_file", nullable=True))
        op.add_column(table, sa.Column("logo", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    """Sheets of own layouts stay counted; those that are not in the files folder are lost."""
    for table in ("label_issue", "label_roll"):
        op.drop_column(table, "logo")
        op.drop_column(table, "layout_file")
    op.drop_table("label_layout")
