"""Scratch codes of labels, hashed, and since when each is known to somebody."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "labelling_5"
down_revision = "labelling_4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scratch_code",
        *(text(name) for name in ("serial", "digest", "key")),
        whole("drawn_at"),
        whole("first_at", nullable=True),
        whole("last_at", nullable=True),
        whole("times"),
        sa.ForeignKeyConstraint(
            ["serial"], ["label_code.serial"], name="fk_scratch_code_serial_label_code"
        ),
        sa.PrimaryKeyConstraint("serial", name="pk_scratch_code"),
    )


def downgrade() -> None:
    """Labels keep the numbers on them; what is under the stickers can no longer be checked."""
    op.drop_table("scratch_code")
    issue = sa.table("label_issue", sa.column("codes"))
    op.execute(sa.update(issue).where(issue.c.codes == "scratch").values(codes="unit"))
