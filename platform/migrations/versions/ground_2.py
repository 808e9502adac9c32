"""Second factors, devices, counted guesses, printed codes, consents, scopes, and the audit."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE, guard, unguard

revision = "ground_2"
down_revision = "ground_1"
branch_labels = None
depends_on = None

_ALL_SCOPES = "read water records labels admin"


def _columns() -> dict[str, list[sa.Column[str] | sa.Column[int]]]:
    def text(name: str) -> sa.Column[str]:
        return sa.Column(name, sa.String(), nullable=False, server_default="")

    def whole(name: str) -> sa.Column[int]:
        return sa.Column(name, WHOLE, nullable=False, server_default="0")

    return {
        "person": [
            sa.Column("totp_secret", sa.String(), nullable=True),
            whole("totp_step"),
            sa.Column("pin_hash", sa.String(), nullable=True),
            sa.Column("left_at", WHOLE, nullable=True),
        ],
        "log_in": [
            text("device_hash"),
            whole("seen_at"),
            text("step"),
            text("candidate"),
            text("helping"),
        ],
        "api_token": [
            sa.Column("scopes", sa.String(), nullable=False, server_default=_ALL_SCOPES),
            sa.Column("expires_at", WHOLE, nullable=True),
        ],
    }


def _of_person(table: str, *, name: str = "person_id", nullable: bool = False) -> list[object]:
    return [
        sa.Column(name, sa.String(), nullable=nullable),
        sa.ForeignKeyConstraint(
            [name], ["person.id"], name=f"fk_{table}_{name}_person", ondelete="CASCADE"
        ),
    ]


def upgrade() -> None:
    for table, columns in _columns().items():
        for column in columns:
            op.add_column(table, column)
    op.execute("UPDATE log_in SET seen_at = created_at")
    op.create_table(
        "known_device",
        *_of_person("known_device"),  # type: ignore[arg-type]
        sa.Column("device_hash", sa.String(), nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("person_id", "device_hash", name="pk_known_device"),
    )
    op.drop_table("log_in_guess")  # kept for a quarter of an hour only
    op.create_table(
        "guess",
        sa.Column("id", WHOLE, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("whose", sa.String(), nullable=False),
        sa.Column("device", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guess"),
    )
    op.create_index("ix_guess_whose_at", "guess", ["whose", "at"])
    op.create_index("ix_guess_address_at", "guess", ["address", "at"])
    op.create_index("ix_guess_at", "guess", ["at"])
    op.create_table(
        "recovery_code",
        sa.Column("code_hash", sa.String(), nullable=False),
        *_of_person("recovery_code"),  # type: ignore[arg-type]
        sa.PrimaryKeyConstraint("code_hash", name="pk_recovery_code"),
    )
    op.create_index("ix_recovery_code_person_id", "recovery_code", ["person_id"])
    op.create_table(
        "entry_code",
        sa.Column("id", sa.String(), nullable=False),
        *_of_person("entry_code"),  # type: ignore[arg-type]
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("digits_hash", sa.String(), nullable=False),
        sa.Column("made_at", WHOLE, nullable=False),
        sa.Column("expires_at", WHOLE, nullable=False),
        sa.Column("wrong", WHOLE, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_entry_code"),
        sa.UniqueConstraint("secret_hash", name="uq_entry_code_secret_hash"),
    )
    op.create_index("ix_entry_code_person_id", "entry_code", ["person_id"])
    op.create_table(
        "consent",
        sa.Column("id", sa.String(), nullable=False),
        *_of_person("consent", name="farmer_id"),  # type: ignore[arg-type]
        *_of_person("consent", name="helper_id", nullable=True),  # type: ignore[arg-type]
        sa.Column("code_hash", sa.String(), nullable=True),
        sa.Column("code_until", WHOLE, nullable=False),
        sa.Column("hours", WHOLE, nullable=False),
        sa.Column("scopes", sa.String(), nullable=False),
        sa.Column("offered_at", WHOLE, nullable=False),
        sa.Column("began_at", WHOLE, nullable=True),
        sa.Column("ends_at", WHOLE, nullable=True),
        sa.Column("ended_at", WHOLE, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_consent"),
        sa.UniqueConstraint("code_hash", name="uq_consent_code_hash"),
    )
    op.create_index("ix_consent_farmer_id", "consent", ["farmer_id"])
    op.create_table(
        "audit",
        sa.Column("number", WHOLE, nullable=False),
        sa.Column("at", WHOLE, nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=True),
        sa.Column("helper", sa.String(), nullable=True),
        sa.Column("cooperative", sa.String(), nullable=True),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("via", sa.String(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_cooperative_number", "audit", ["cooperative", "number"])
    op.create_index("ix_audit_person", "audit", ["person"])
    op.create_index("ix_audit_subject", "audit", ["subject"])
    guard("audit")


def downgrade() -> None:
    for table in ("audit", "consent", "entry_code", "recovery_code", "guess", "known_device"):
        op.drop_table(table)
    unguard("audit")
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
    for table, columns in _columns().items():
        for column in reversed(columns):
            op.drop_column(table, column.name)
