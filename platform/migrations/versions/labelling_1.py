"""Where a lot's labels are: on packs, spoiled, returned or left; what code a label carries."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "labelling_1"
down_revision = "recall_1"
branch_labels = None
depends_on = None

COUNTS = ("issued", "applied", "spoiled", "returned")


def upgrade() -> None:
    op.create_table(
        "label_account",
        text("lot"),
        *(whole(name) for name in COUNTS),
        sa.CheckConstraint(
            " AND ".join(f"{name} >= 0" for name in COUNTS), name="ck_label_account_never_negative"
        ),
        sa.CheckConstraint(
            "applied + spoiled + returned <= issued", name="ck_label_account_adds_up"
        ),
        sa.ForeignKeyConstraint(["lot"], ["lot.code"], name="fk_label_account_lot_lot"),
        sa.PrimaryKeyConstraint("lot", name="pk_label_account"),
    )
    op.add_column("label_code", whole("applied_at", nullable=True))
    op.add_column("label_code", whole("returned_at", nullable=True))
    op.add_column(
        "label_issue", sa.Column("codes", sa.String(), nullable=False, server_default="unit")
    )
    _count(op.get_bind())


def _count(connection: sa.Connection) -> None:
    """Make the accounts from the stream, as ``labelling_book`` does.

    What was printed before anybody was asked to confirm it is out, and counts as on packs.
    """
    event = sa.table(
        "event",
        sa.column("number"),
        sa.column("type"),
        sa.column("at"),
        sa.column("body", sa.JSON()),
    )
    code = sa.table(
        "label_code",
        *map(sa.column, ("lot", "running", "issue_id", "spoiled_at", "applied_at", "returned_at")),
    )
    accounts: dict[str, dict[str, int]] = {}
    kinds = {f"labels.{kind}": kind for kind in COUNTS}
    told = connection.execute(
        sa.select(event.c.type, event.c.at, event.c.body)
        .where(event.c.type.in_(kinds))
        .order_by(event.c.number)
    )
    for type_, at, body in told.all():
        lot, count = body["quantityList"][0]["epcClass"].rsplit("/", 1)[-1], body["nongso:labels"]
        account = accounts.setdefault(lot, dict.fromkeys(COUNTS, 0))
        kind = kinds[type_]
        account[kind] += count
        waits = body.get("nongso:awaits", False)
        if kind == "issued" and not waits:
            account["applied"] += count
            spans, column = [(body["nongso:first"], body["nongso:last"])], "applied_at"
        elif kind == "spoiled":
            account["applied"] -= body.get("nongso:ofApplied", count)
            continue
        elif kind == "issued":
            continue
        else:
            pairs = (span.split("-") for span in body["nongso:numbers"].split(","))
            spans, column = [(int(pair[0]), int(pair[-1])) for pair in pairs], f"{kind}_at"
        for first, last in spans:
            connection.execute(
                sa.update(code)
                .where(code.c.lot == lot, code.c.running.between(first, last))
                .values({column: at})
            )
    for lot, counts in accounts.items():
        columns = sa.table("label_account", *map(sa.column, ("lot", *COUNTS)))
        connection.execute(sa.insert(columns).values(lot=lot, **counts))


def downgrade() -> None:
    op.drop_column("label_issue", "codes")
    op.drop_column("label_code", "returned_at")
    op.drop_column("label_code", "applied_at")
    op.drop_table("label_account")
