"""Cartons, holders, dispatches, where packs are; samples and tests; recalls and rehearsals."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "recall_1"
down_revision = "traceability_3"
branch_labels = None
depends_on = None


def _to(table: str, column: str, other: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.{key}"], name=f"fk_{table}_{column}_{other}"
    )


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def upgrade() -> None:
    op.create_table(
        "holder",
        text("id"),
        text("cooperative"),
        text("kind"),
        text("name"),
        text("address"),
        text("contact"),
        whole("changed_at"),
        _to("holder", "cooperative", "cooperative", "slug"),
        _key("holder", "id"),
        sa.UniqueConstraint("cooperative", "name", name="uq_holder_cooperative"),
    )
    op.create_index("ix_holder_cooperative", "holder", ["cooperative"])
    op.create_table(
        "holder_change",
        text("holder"),
        whole("until"),
        text("name"),
        text("address"),
        text("contact"),
        _to("holder_change", "holder", "holder", "id"),
        _key("holder_change", "holder", "until"),
    )
    op.create_table(
        "carton_numbers",
        text("cooperative"),
        text("prefix"),
        whole("next"),
        _to("carton_numbers", "cooperative", "cooperative", "slug"),
        _key("carton_numbers", "cooperative"),
    )
    op.create_table(
        "carton",
        text("code"),
        text("cooperative"),
        whole("at"),
        text("state"),
        text("holder", nullable=True),
        text("dispatch", nullable=True),
        sa.Column("contents", sa.JSON(), nullable=False),
        _to("carton", "cooperative", "cooperative", "slug"),
        _to("carton", "holder", "holder", "id"),
        _key("carton", "code"),
    )
    op.create_index("ix_carton_cooperative_state", "carton", ["cooperative", "state"])
    op.create_index("ix_carton_holder", "carton", ["holder"])
    op.create_index("ix_carton_dispatch", "carton", ["dispatch"])
    op.create_table(
        "carton_lot",
        text("lot"),
        text("carton"),
        whole("packs"),
        _to("carton_lot", "lot", "lot", "code"),
        _to("carton_lot", "carton", "carton", "code"),
        _key("carton_lot", "lot", "carton"),
    )
    places = ("loose", "cartoned", "shipped", "sold", "sampled", "destroyed", "lost")
    op.create_table(
        "pack_account",
        text("lot"),
        whole("packs"),
        *(whole(place) for place in places),
        sa.CheckConstraint(
            " AND ".join(f"{place} >= 0" for place in places),
            name="ck_pack_account_never_negative",
        ),
        sa.CheckConstraint(f"{' + '.join(places)} = packs", name="ck_pack_account_adds_up"),
        _to("pack_account", "lot", "lot", "code"),
        _key("pack_account", "lot"),
    )
    op.create_table(
        "lot_holding",
        text("lot"),
        text("holder"),
        whole("packs"),
        whole("grams"),
        sa.CheckConstraint("packs >= 0 AND grams >= 0", name="ck_lot_holding_never_negative"),
        _to("lot_holding", "lot", "lot", "code"),
        _to("lot_holding", "holder", "holder", "id"),
        _key("lot_holding", "lot", "holder"),
    )
    op.create_index("ix_lot_holding_holder", "lot_holding", ["holder"])
    op.create_table(
        "dispatch",
        text("id"),
        text("cooperative"),
        text("holder"),
        whole("at"),
        text("state"),
        text("document"),
        whole("received_at", nullable=True),
        text("void_why", nullable=True),
        _to("dispatch", "cooperative", "cooperative", "slug"),
        _to("dispatch", "holder", "holder", "id"),
        _key("dispatch", "id"),
    )
    op.create_index("ix_dispatch_cooperative_at", "dispatch", ["cooperative", "at"])
    op.create_index("ix_dispatch_holder", "dispatch", ["holder"])
    op.create_table(
        "dispatch_line",
        text("dispatch"),
        text("lot"),
        whole("packs"),
        whole("grams"),
        whole("received_packs", nullable=True),
        whole("received_grams", nullable=True),
        _to("dispatch_line", "dispatch", "dispatch", "id"),
        _to("dispatch_line", "lot", "lot", "code"),
        _key("dispatch_line", "dispatch", "lot"),
    )
    op.create_index("ix_dispatch_line_lot", "dispatch_line", ["lot"])
    _testing()
    _recalls()


def _testing() -> None:
    op.create_table(
        "lot_sample",
        text("id"),
        text("lot"),
        text("cooperative"),
        whole("at"),
        whole("packs"),
        whole("grams"),
        text("laboratory"),
        sa.CheckConstraint("packs >= 0 AND grams >= 0", name="ck_lot_sample_never_negative"),
        _to("lot_sample", "lot", "lot", "code"),
        _to("lot_sample", "cooperative", "cooperative", "slug"),
        _key("lot_sample", "id"),
    )
    op.create_index("ix_lot_sample_lot", "lot_sample", ["lot"])
    op.create_table(
        "lot_test",
        text("id"),
        text("lot"),
        text("cooperative"),
        whole("at"),
        text("laboratory"),
        text("report_number"),
        text("what"),
        text("value"),
        text("unit"),
        text("limit"),
        sa.Column("conformant", sa.Boolean(), nullable=False),
        text("file_sha256", nullable=True),
        text("file_name", nullable=True),
        _to("lot_test", "lot", "lot", "code"),
        _to("lot_test", "cooperative", "cooperative", "slug"),
        _key("lot_test", "id"),
    )
    op.create_index("ix_lot_test_lot", "lot_test", ["lot"])
    op.create_index("ix_lot_test_cooperative_at", "lot_test", ["cooperative", "at"])
    op.create_table(
        "lot_hold",
        text("lot"),
        text("cause"),
        text("kind"),
        whole("since"),
        whole("until", nullable=True),
        _to("lot_hold", "lot", "lot", "code"),
        _key("lot_hold", "lot", "cause"),
    )
    op.create_index("ix_lot_hold_cause", "lot_hold", ["cause"])


def _recalls() -> None:
    op.create_table(
        "recall",
        text("id"),
        text("cooperative"),
        whole("at"),
        text("origin"),
        text("origin_key"),
        text("why"),
        text("advice"),
        text("outcome"),
        whole("ended_at", nullable=True),
        text("ended_how", nullable=True),
        text("ended_why", nullable=True),
        _to("recall", "cooperative", "cooperative", "slug"),
        _key("recall", "id"),
    )
    op.create_index("ix_recall_cooperative_at", "recall", ["cooperative", "at"])
    op.create_table(
        "recall_lot",
        text("recall"),
        text("lot"),
        whole("packs_in_store"),
        whole("packs_out"),
        whole("packs_gone"),
        whole("grams_in_store"),
        _to("recall_lot", "recall", "recall", "id"),
        _to("recall_lot", "lot", "lot", "code"),
        _key("recall_lot", "recall", "lot"),
    )
    op.create_index("ix_recall_lot_lot", "recall_lot", ["lot"])
    op.create_table(
        "recall_holder",
        text("recall"),
        text("lot"),
        text("holder"),
        whole("packs"),
        whole("grams"),
        whole("returned_packs"),
        whole("returned_grams"),
        whole("destroyed_packs"),
        whole("destroyed_grams"),
        _to("recall_holder", "recall", "recall", "id"),
        _to("recall_holder", "lot", "lot", "code"),
        _to("recall_holder", "holder", "holder", "id"),
        _key("recall_holder", "recall", "lot", "holder"),
    )
    op.create_table(
        "recall_call",
        text("recall"),
        text("holder"),
        whole("at"),
        text("actor"),
        text("said"),
        _to("recall_call", "recall", "recall", "id"),
        _to("recall_call", "holder", "holder", "id"),
        _key("recall_call", "recall", "holder", "at"),
    )
    op.create_table(
        "recall_rehearsal",
        text("id"),
        text("cooperative"),
        text("actor"),
        text("lot"),
        whole("started_at"),
        whole("ended_at", nullable=True),
        sa.Column("task", sa.JSON(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        _to("recall_rehearsal", "cooperative", "cooperative", "slug"),
        _to("recall_rehearsal", "lot", "lot", "code"),
        _key("recall_rehearsal", "id"),
    )
    op.create_index("ix_recall_rehearsal_cooperative", "recall_rehearsal", ["cooperative"])


def downgrade() -> None:
    for table in (
        "recall_rehearsal",
        "recall_call",
        "recall_holder",
        "recall_lot",
        "recall",
        "lot_hold",
        "lot_test",
        "lot_sample",
        "dispatch_line",
        "dispatch",
        "lot_holding",
        "pack_account",
        "carton_lot",
        "carton",
        "carton_numbers",
        "holder_change",
        "holder",
    ):
        op.drop_table(table)
