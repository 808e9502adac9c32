"""Alerts: standings, alerts with their events, messages to be sent, ways to people, plans."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE, guard, unguard

revision = "alerts_1"
down_revision = "ground_1"
branch_labels = None
depends_on = None


def _text(name: str, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(), nullable=nullable)


def _whole(name: str, nullable: bool = False) -> "sa.Column[int]":
    return sa.Column(name, WHOLE, nullable=nullable)


def _person(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["person_id"], ["person.id"], name=f"fk_{table}_person_id_person", ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "alert_standing",
        _text("cause"),
        _text("standing"),
        _text("alert", nullable=True),
        sa.PrimaryKeyConstraint("cause", name="pk_alert_standing"),
    )
    op.create_index("ix_alert_standing_alert", "alert_standing", ["alert"])
    op.create_table(
        "alert",
        _text("id"),
        _text("cause"),
        _text("code"),
        _text("level"),
        _text("cooperative"),
        _text("greenhouse", nullable=True),
        _text("gateway", nullable=True),
        sa.Column("values", sa.JSON(), nullable=False),
        _whole("raised_at"),
        _whole("cleared_at", nullable=True),
        _whole("acknowledged_at", nullable=True),
        _text("acknowledged_by", nullable=True),
        _whole("escalated_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_alert_cooperative_cooperative"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
    )
    op.create_index("ix_alert_cooperative_cleared_at", "alert", ["cooperative", "cleared_at"])
    op.create_index("ix_alert_raised_at", "alert", ["raised_at"])
    op.create_index("ix_alert_greenhouse", "alert", ["greenhouse"])
    op.create_table(
        "alert_event",
        _whole("number"),
        _text("alert"),
        _whole("at"),
        _text("what"),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name="fk_alert_event_alert_alert"),
        sa.PrimaryKeyConstraint("number", name="pk_alert_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_event_alert_number", "alert_event", ["alert", "number"])
    guard("alert_event")
    op.create_table(
        "alert_way",
        _text("id"),
        _text("person_id"),
        _text("kind"),
        _text("target"),
        _text("name"),
        _text("language"),
        _text("least_level"),
        _whole("created_at"),
        _whole("worked_at", nullable=True),
        _text("trouble", nullable=True),
        _person("alert_way"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_way"),
    )
    op.create_index("ix_alert_way_person_id", "alert_way", ["person_id"])
    op.create_table(
        "alert_notice",
        _text("id"),
        _text("alert", nullable=True),
        _text("person_id"),
        _text("way"),
        _text("what"),
        _text("level"),
        _text("title"),
        _text("text"),
        _text("state"),
        _whole("tries"),
        _whole("next_at"),
        _whole("made_at"),
        _whole("sent_at", nullable=True),
        _text("detail", nullable=True),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name="fk_alert_notice_alert_alert"),
        _person("alert_notice"),
        sa.ForeignKeyConstraint(
            ["way"], ["alert_way.id"], name="fk_alert_notice_way_alert_way", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alert_notice"),
    )
    op.create_index("ix_alert_notice_state_next_at", "alert_notice", ["state", "next_at"])
    op.create_index("ix_alert_notice_alert", "alert_notice", ["alert"])
    op.create_table(
        "alert_plan",
        _text("place"),
        _text("crop"),
        _whole("quiet_from", nullable=True),
        _whole("quiet_until", nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_alert_plan"),
    )
    op.create_table(
        "alert_lease",
        _text("name"),
        _text("holder"),
        _whole("until"),
        sa.PrimaryKeyConstraint("name", name="pk_alert_lease"),
    )


def downgrade() -> None:
    for table in (
        "alert_lease",
        "alert_plan",
        "alert_notice",
        "alert_way",
        "alert_event",
        "alert",
        "alert_standing",
    ):
        op.drop_table(table)
    unguard("alert_event")
