"""Packs in millilitres: a product says what a litre weighs, a lot what its packs hold."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE

revision = "traceability_4"
down_revision = "traceability_3"
branch_labels = None
depends_on = None

COLUMNS = ("pack_ml", "grams_per_litre")


def upgrade() -> None:
    for table in ("product", "lot"):
        for name in COLUMNS:
            op.add_column(table, sa.Column(name, WHOLE, nullable=True))


def downgrade() -> None:
    for table in ("lot", "product"):
        for name in reversed(COLUMNS):
            op.drop_column(table, name)
