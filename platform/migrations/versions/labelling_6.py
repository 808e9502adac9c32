"""A cooperative's own logo for its labels."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "labelling_6"
down_revision = "labelling_5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cooperative_logo",
        text("cooperative"),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        whole("at"),
        text("actor"),
        sa.ForeignKeyConstraint(
            ["cooperative"],
            ["cooperative.slug"],
            name="fk_cooperative_logo_cooperative_cooperative",
        ),
        sa.PrimaryKeyConstraint("cooperative", name="pk_cooperative_logo"),
    )


def downgrade() -> None:
    """What was printed keeps its picture; labels to come carry the product's again."""
    op.drop_table("cooperative_logo")
