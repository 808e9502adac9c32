"""EPCIS: what others sent word for word, the index of events, flows, jobs, named queries."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import guard, text, unguard, whole

revision = "epcis_1"
down_revision = "ground_1"
branch_labels = None
depends_on = None


def _to(table: str, column: str, other: str, key: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{other}.{key}"], name=f"fk_{table}_{column}_{other}"
    )


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _truth(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "epcis_received",
        whole("number"),
        text("text"),
        sa.Column("context", sa.JSON(), nullable=False),
        _to("epcis_received", "number", "event", "number"),
        _key("epcis_received", "number"),
    )
    guard("epcis_received")
    op.create_table(
        "epcis_event",
        whole("number"),
        text("cooperative"),
        text("event_id"),
        text("error_name"),
        text("content"),
        _truth("is_foreign"),
        text("kind"),
        whole("at_ms"),
        whole("recorded_ms"),
        text("action", nullable=True),
        text("biz_step", nullable=True),
        text("disposition", nullable=True),
        text("read_point", nullable=True),
        text("biz_location", nullable=True),
        whole("error_ms", nullable=True),
        _to("epcis_event", "number", "event", "number"),
        _to("epcis_event", "cooperative", "cooperative", "slug"),
        _key("epcis_event", "number"),
        sa.UniqueConstraint(
            "cooperative", "event_id", "error_name", name="uq_epcis_event_cooperative"
        ),
    )
    for name, *columns in (
        ("at", "cooperative", "at_ms", "event_id"),
        ("recorded", "cooperative", "recorded_ms", "event_id"),
        ("event_id", "event_id"),
        ("content", "content"),
        ("biz_step", "biz_step", "at_ms"),
        ("read_point", "read_point"),
        ("biz_location", "biz_location"),
    ):
        op.create_index(f"ix_epcis_event_{name}", "epcis_event", columns)
    op.create_table(
        "epcis_term",
        whole("number"),
        whole("place"),
        text("field"),
        text("value"),
        sa.Column("amount", sa.Double(), nullable=True),
        _to("epcis_term", "number", "epcis_event", "number"),
        _key("epcis_term", "number", "place"),
    )
    op.create_index("ix_epcis_term_value", "epcis_term", ["field", "value", "number"])
    op.create_index("ix_epcis_term_amount", "epcis_term", ["field", "amount"])
    op.create_table(
        "epcis_flow",
        whole("number"),
        whole("source_number"),
        text("source"),
        text("target"),
        text("kind"),
        sa.Column("quantity", sa.Double(), nullable=True),
        text("uom", nullable=True),
        text("cooperative"),
        _truth("is_foreign"),
        _to("epcis_flow", "number", "epcis_event", "number"),
        _to("epcis_flow", "source_number", "epcis_event", "number"),
        _to("epcis_flow", "cooperative", "cooperative", "slug"),
        _key("epcis_flow", "number", "source_number", "source", "target"),
    )
    op.create_index("ix_epcis_flow_source", "epcis_flow", ["source"])
    op.create_index("ix_epcis_flow_target", "epcis_flow", ["target"])
    op.create_index("ix_epcis_flow_source_number", "epcis_flow", ["source_number"])
    op.create_table("epcis_reached", whole("id"), whole("number"), _key("epcis_reached", "id"))
    op.create_table(
        "epcis_job",
        text("id"),
        text("cooperative"),
        text("actor"),
        whole("created_ms"),
        whole("finished_ms"),
        text("behaviour"),
        _truth("success"),
        whole("events"),
        whole("captured"),
        sa.Column("errors", sa.JSON(), nullable=False),
        _to("epcis_job", "cooperative", "cooperative", "slug"),
        _key("epcis_job", "id"),
    )
    op.create_index("ix_epcis_job_created", "epcis_job", ["cooperative", "created_ms"])
    op.create_table(
        "epcis_query",
        text("cooperative"),
        text("name"),
        whole("created_ms"),
        text("actor"),
        sa.Column("query", sa.JSON(), nullable=False),
        _to("epcis_query", "cooperative", "cooperative", "slug"),
        _key("epcis_query", "cooperative", "name"),
    )


def downgrade() -> None:
    for table in (
        "epcis_query",
        "epcis_job",
        "epcis_reached",
        "epcis_flow",
        "epcis_term",
        "epcis_event",
        "epcis_received",
    ):
        op.drop_table(table)
    unguard("epcis_received")
