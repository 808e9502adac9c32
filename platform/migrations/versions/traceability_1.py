"""Producers, products, places, lots, what flows between them, labels."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "traceability_1"
down_revision = "ground_1"
branch_labels = None
depends_on = None


def _to(table: str, column: str, other: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.{key}"], name=f"fk_{table}_{column}_{other}"
    )


def upgrade() -> None:
    op.create_table(
        "producer",
        text("id"),
        text("cooperative"),
        text("code"),
        text("kind"),
        text("name"),
        text("village"),
        text("commune"),
        text("province"),
        text("contact"),
        _to("producer", "cooperative", "cooperative", "slug"),
        sa.PrimaryKeyConstraint("id", name="pk_producer"),
        sa.UniqueConstraint("cooperative", "code", name="uq_producer_cooperative"),
    )
    op.create_index("ix_producer_cooperative", "producer", ["cooperative"])
    op.create_table(
        "product",
        text("id"),
        text("cooperative"),
        text("producer_id"),
        text("name"),
        text("brand"),
        text("kind"),
        whole("pack_grams"),
        whole("shelf_life_days"),
        text("storage"),
        text("gtin", nullable=True),
        _to("product", "cooperative", "cooperative", "slug"),
        _to("product", "producer_id", "producer", "id"),
        sa.PrimaryKeyConstraint("id", name="pk_product"),
        sa.UniqueConstraint("cooperative", "name", name="uq_product_cooperative"),
    )
    op.create_index("ix_product_cooperative", "product", ["cooperative"])
    op.create_index("ix_product_gtin", "product", ["gtin"])
    op.create_table(
        "place",
        text("id"),
        text("cooperative"),
        text("kind"),
        text("name"),
        text("greenhouse", nullable=True),
        text("producer_id", nullable=True),
        text("village"),
        text("commune"),
        text("province"),
        _to("place", "cooperative", "cooperative", "slug"),
        _to("place", "producer_id", "producer", "id"),
        sa.PrimaryKeyConstraint("id", name="pk_place"),
        sa.UniqueConstraint("greenhouse", name="uq_place_greenhouse"),
    )
    op.create_index("ix_place_cooperative", "place", ["cooperative"])
    op.create_table(
        "lot",
        text("code"),
        text("cooperative"),
        text("kind"),
        text("name"),
        whole("at"),
        whole("born_number"),
        text("product_id", nullable=True),
        text("producer_id", nullable=True),
        text("place_id", nullable=True),
        whole("made_grams", nullable=True),
        whole("used_grams"),
        whole("packs"),
        whole("pack_grams", nullable=True),
        text("best_before", nullable=True),
        whole("labels"),
        whole("spoiled"),
        sa.Column("demonstration", sa.Boolean(), nullable=False),
        sa.CheckConstraint("used_grams >= 0", name="ck_lot_used_not_negative"),
        sa.CheckConstraint("made_grams IS NULL OR used_grams <= made_grams", name="ck_lot_stock"),
        sa.CheckConstraint("labels - spoiled <= packs", name="ck_lot_labels_within_packs"),
        _to("lot", "cooperative", "cooperative", "slug"),
        _to("lot", "born_number", "event", "number"),
        _to("lot", "product_id", "product", "id"),
        _to("lot", "producer_id", "producer", "id"),
        _to("lot", "place_id", "place", "id"),
        sa.PrimaryKeyConstraint("code", name="pk_lot"),
    )
    op.create_index("ix_lot_cooperative_kind", "lot", ["cooperative", "kind"])
    op.create_index("ix_lot_born_number", "lot", ["born_number"])
    op.create_index("ix_lot_product_id", "lot", ["product_id"])
    op.create_table(
        "lot_flow",
        whole("number"),
        text("source"),
        text("target"),
        whole("grams", nullable=True),
        _to("lot_flow", "number", "event", "number"),
        _to("lot_flow", "source", "lot", "code"),
        _to("lot_flow", "target", "lot", "code"),
        sa.PrimaryKeyConstraint("number", "source", "target", name="pk_lot_flow"),
    )
    op.create_index("ix_lot_flow_source", "lot_flow", ["source"])
    op.create_index("ix_lot_flow_target", "lot_flow", ["target"])
    op.create_table(
        "label_issue",
        text("id"),
        text("lot"),
        text("cooperative"),
        whole("at"),
        text("actor"),
        text("layout"),
        whole("start_cell"),
        whole("first"),
        whole("count"),
        text("base"),
        text("gtin", nullable=True),
        sa.Column("texts", sa.JSON(), nullable=False),
        _to("label_issue", "lot", "lot", "code"),
        _to("label_issue", "cooperative", "cooperative", "slug"),
        sa.PrimaryKeyConstraint("id", name="pk_label_issue"),
    )
    op.create_index("ix_label_issue_lot", "label_issue", ["lot"])
    op.create_table(
        "label_code",
        text("serial"),
        text("lot"),
        whole("running"),
        text("issue_id"),
        whole("spoiled_at", nullable=True),
        _to("label_code", "lot", "lot", "code"),
        _to("label_code", "issue_id", "label_issue", "id"),
        sa.PrimaryKeyConstraint("serial", name="pk_label_code"),
        sa.UniqueConstraint("lot", "running", name="uq_label_code_lot"),
    )
    op.create_index("ix_label_code_issue_id", "label_code", ["issue_id"])


def downgrade() -> None:
    for table in ("label_code", "label_issue", "lot_flow", "lot", "place", "product", "producer"):
        op.drop_table(table)
