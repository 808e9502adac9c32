"""Scans of packs, how often and since when, what is usual, and the list of possible copies."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE, text, whole

revision = "scans_1"
down_revision = "traceability_3"
branch_labels = None
depends_on = None

TABLES = ("scan_sign", "scan_case", "scan_area", "scan_usual", "scan_serial", "scan", "scan_salt")


def _to(table: str, column: str, other: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.{key}"], name=f"fk_{table}_{column}_{other}"
    )


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def upgrade() -> None:
    op.create_table("scan_salt", text("day"), text("salt"), _key("scan_salt", "day"))
    op.create_table(
        "scan",
        sa.Column("number", WHOLE, autoincrement=True, nullable=False),
        text("serial"),
        text("lot"),
        whole("at"),
        text("province"),
        text("device"),
        _to("scan", "lot", "lot", "code"),
        _key("scan", "number"),
    )
    op.create_index("ix_scan_serial_at", "scan", ["serial", "at"])
    op.create_index("ix_scan_at", "scan", ["at"])
    op.create_table(
        "scan_serial",
        text("serial"),
        text("lot"),
        whole("first_at"),
        whole("last_at"),
        whole("times"),
        _to("scan_serial", "lot", "lot", "code"),
        _key("scan_serial", "serial"),
    )
    op.create_index("ix_scan_serial_last_at", "scan_serial", ["last_at"])
    op.create_table(
        "scan_usual",
        text("product"),
        whole("at"),
        whole("packs"),
        whole("phones"),
        sa.Column("provinces", sa.JSON(), nullable=False),
        _to("scan_usual", "product", "product", "id"),
        _key("scan_usual", "product"),
    )
    op.create_table(
        "scan_area",
        text("product"),
        text("province"),
        whole("at"),
        _to("scan_area", "product", "product", "id"),
        _key("scan_area", "product", "province"),
    )
    op.create_table(
        "scan_case",
        text("id"),
        text("cooperative"),
        text("lot"),
        text("serial"),
        whole("last_at"),
        text("outcome", nullable=True),
        text("note"),
        whole("noted_at", nullable=True),
        _to("scan_case", "cooperative", "cooperative", "slug"),
        _to("scan_case", "lot", "lot", "code"),
        _key("scan_case", "id"),
        sa.UniqueConstraint("lot", "serial", name="uq_scan_case_lot"),
    )
    op.create_index("ix_scan_case_cooperative_last_at", "scan_case", ["cooperative", "last_at"])
    op.create_table(
        "scan_sign",
        text("case_id"),
        text("rule"),
        whole("first_at"),
        whole("last_at"),
        whole("times"),
        sa.Column("values", sa.JSON(), nullable=False),
        _to("scan_sign", "case_id", "scan_case", "id"),
        _key("scan_sign", "case_id", "rule"),
    )


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
