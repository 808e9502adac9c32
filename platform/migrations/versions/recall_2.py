"""A laboratory's result that was recorded wrongly: when that was said, and why."""

from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "recall_2"
down_revision = "recall_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lot_test", whole("wrong_at", nullable=True))
    op.add_column("lot_test", text("wrong_why", nullable=True))


def downgrade() -> None:
    op.drop_column("lot_test", "wrong_why")
    op.drop_column("lot_test", "wrong_at")
