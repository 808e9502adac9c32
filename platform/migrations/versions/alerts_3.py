"""A message that is about no alert leads to the page that it is about: a shopper's report."""

from alembic import op

from nongso.platform.migrations.schema import text

revision = "alerts_3"
down_revision = "alerts_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alert_notice", text("link", nullable=True))


def downgrade() -> None:
    op.execute("ALTER TABLE alert_notice DROP COLUMN link")
