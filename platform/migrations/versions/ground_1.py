"""Cooperatives, people, log-ins, API tokens, and the append-only stream of events."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE, guard, unguard

revision = "ground_1"
down_revision = None
branch_labels = None
depends_on = None

_STREAM = ("event", "event_subject")


def upgrade() -> None:
    op.create_table(
        "cooperative",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name="pk_cooperative"),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("cooperative", sa.String(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_person_cooperative_cooperative"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sa.UniqueConstraint("user", name="uq_person_user"),
    )
    op.create_index("ix_person_cooperative", "person", ["cooperative"])
    tokens: tuple[tuple[str, list[sa.Column[Any]]], ...] = (
        (
            "log_in",
            [
                sa.Column("created_at", WHOLE, nullable=False),
                sa.Column("expires_at", WHOLE, nullable=False),
                sa.Column("device", sa.String(), nullable=False),
            ],
        ),
        (
            "api_token",
            [
                sa.Column("name", sa.String(), nullable=False),
                sa.Column("created_at", WHOLE, nullable=False),
            ],
        ),
    )
    for name, own in tokens:
        op.create_table(
            name,
            sa.Column("token_hash", sa.String(), nullable=False),
            sa.Column("person_id", sa.String(), nullable=False),
            *own,
            sa.ForeignKeyConstraint(
                ["person_id"],
                ["person.id"],
                name=f"fk_{name}_person_id_person",
                ondelete="CASCADE",
            ),
            sa.PrimaryKeyConstraint("token_hash", name=f"pk_{name}"),
        )
        op.create_index(f"ix_{name}_person_id", name, ["person_id"])
    op.create_table(
        "log_in_guess",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_in_guess"),
    )
    op.create_index("ix_log_in_guess_address", "log_in_guess", ["address"])
    op.create_index("ix_log_in_guess_user_at", "log_in_guess", ["user", "at"])
    op.create_table(
        "log_in_address",
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
            name="fk_log_in_address_person_id_person",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("person_id", "address", name="pk_log_in_address"),
    )
    op.create_table(
        "event",
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("recorded_at", WHOLE, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("cooperative", sa.String(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_event_cooperative_cooperative"
        ),
        sa.PrimaryKeyConstraint("number", name="pk_event"),
        sa.UniqueConstraint("id", name="uq_event_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_at", "event", ["at"])
    op.create_index("ix_event_cooperative_type_number", "event", ["cooperative", "type", "number"])
    op.create_table(
        "event_subject",
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("number", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["number"], ["event.number"], name="fk_event_subject_number_event"
        ),
        sa.PrimaryKeyConstraint("subject", "number", name="pk_event_subject"),
    )
    for table in _STREAM:
        guard(table)


def downgrade() -> None:
    for table in (
        "event_subject",
        "event",
        "log_in_address",
        "log_in_guess",
        "api_token",
        "log_in",
        "person",
        "cooperative",
    ):
        op.drop_table(table)
    for table in _STREAM:
        unguard(table)
