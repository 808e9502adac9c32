"""A product names its crop; a lot's record can be withdrawn."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE

revision = "traceability_2"
down_revision = "traceability_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("product", sa.Column("crop", sa.String(), nullable=False, server_default=""))
    op.add_column("lot", sa.Column("withdrawn_at", WHOLE, nullable=True))
    op.add_column("lot", sa.Column("withdrawn_why", sa.String(), nullable=True))
    # What has only ever been packed from one crop is of that crop; the rest the clerk says.
    op.execute(
        """
        UPDATE product SET crop = coalesce((
            SELECT CASE WHEN count(DISTINCT source.name) = 1 THEN max(source.name) END
            FROM lot AS packed
            JOIN lot_flow ON lot_flow.target = packed.code
            JOIN lot AS source ON source.code = lot_flow.source
            WHERE packed.product_id = product.id
        ), '')
        WHERE kind = 'vegetables'
        """
    )


def downgrade() -> None:
    op.drop_column("lot", "withdrawn_why")
    op.drop_column("lot", "withdrawn_at")
    op.drop_column("product", "crop")
