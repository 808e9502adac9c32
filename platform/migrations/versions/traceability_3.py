"""A lot says whose it is and who holds it, what went in, what left it otherwise, and its state."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE

revision = "traceability_3"
down_revision = "traceability_2"
branch_labels = None
depends_on = None

COUNTED = ("lost", "sampled", "away", "destroyed")
TIMES = ("in_grams", "moisture_permille", "corrected_at", "recalled_at")
TEXTS = ("recipe", "recalled_why")


def upgrade() -> None:
    for name in ("owner", "holder", "tested"):
        op.add_column("lot", sa.Column(name, sa.String(), nullable=False, server_default=""))
    for name in ("bought", "regrouped"):
        op.add_column(
            "lot", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
        )
    for name in COUNTED:
        op.add_column("lot", sa.Column(name, WHOLE, nullable=False, server_default="0"))
    # A constraint of a new column needs no copy of the table, which SQLite would refuse here:
    # labels and flows point to it.
    op.execute(
        "ALTER TABLE lot ADD COLUMN packs_gone BIGINT DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_lot_packs_gone_within_packs "
        "CHECK (packs_gone >= 0 AND packs_gone <= packs)"
        if op.get_bind().dialect.name == "postgresql"
        else "ALTER TABLE lot ADD COLUMN packs_gone INTEGER DEFAULT 0 NOT NULL "
        "CONSTRAINT ck_lot_packs_gone_within_packs "
        "CHECK (packs_gone >= 0 AND packs_gone <= packs)"
    )
    for name in TIMES:
        op.add_column("lot", sa.Column(name, WHOLE, nullable=True))
    for name in TEXTS:
        op.add_column("lot", sa.Column(name, sa.String(), nullable=True))
    # What there is belongs to the cooperative and lies with it; what was made is summed up.
    op.execute("UPDATE lot SET owner = cooperative, holder = cooperative")
    op.execute("UPDATE lot SET recipe = kind WHERE kind IN ('starch', 'noodles')")
    op.execute(
        "UPDATE lot SET in_grams = "
        "(SELECT sum(coalesce(grams, 0)) FROM lot_flow WHERE lot_flow.target = lot.code) "
        "WHERE kind IN ('starch', 'noodles', 'packs')"
    )


def downgrade() -> None:
    for name in (*TEXTS, *TIMES, "packs_gone", *COUNTED, "regrouped", "bought"):
        op.drop_column("lot", name)
    for name in ("tested", "holder", "owner"):
        op.drop_column("lot", name)
