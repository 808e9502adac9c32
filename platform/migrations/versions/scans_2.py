"""On how many days a pack is usually scanned. What was learnt before is learnt anew tomorrow."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE

revision = "scans_2"
down_revision = "scans_1"
branch_labels = None
depends_on = None

AT_FIRST = "6"


def upgrade() -> None:
    op.add_column("scan_usual", sa.Column("days", WHOLE, nullable=False, server_default=AT_FIRST))


def downgrade() -> None:
    op.execute("DELETE FROM scan_sign WHERE rule = 'many_days'")
    op.execute("DELETE FROM scan_case WHERE id NOT IN (SELECT case_id FROM scan_sign)")
    op.execute("ALTER TABLE scan_usual DROP COLUMN days")
