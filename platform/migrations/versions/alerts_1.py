"""Alerts: standings, alerts with their events, messages to be sent, ways to people, plans."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import guard, text, unguard, whole

revision = "alerts_1"
down_revision = "ground_1"
branch_labels = None
depends_on = None


def _person(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["person_id"], ["person.id"], name=f"fk_{table}_person_id_person", ondelete="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "alert_standing",
        text("cause"),
        text("standing"),
        text("alert", nullable=True),
        sa.PrimaryKeyConstraint("cause", name="pk_alert_standing"),
    )
    op.create_index("ix_alert_standing_alert", "alert_standing", ["alert"])
    op.create_table(
        "alert",
        text("id"),
        text("cause"),
        text("code"),
        text("level"),
        text("cooperative"),
        text("greenhouse", nullable=True),
        text("gateway", nullable=True),
        sa.Column("values", sa.JSON(), nullable=False),
        whole("raised_at"),
        whole("cleared_at", nullable=True),
        whole("acknowledged_at", nullable=True),
        text("acknowledged_by", nullable=True),
        whole("escalated_at", nullable=True),
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
        whole("number"),
        text("alert"),
        whole("at"),
        text("what"),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["alert"], ["alert.id"], name="fk_alert_event_alert_alert"),
        sa.PrimaryKeyConstraint("number", name="pk_alert_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_alert_event_alert_number", "alert_event", ["alert", "number"])
    guard("alert_event")
    op.create_table(
        "alert_way",
        text("id"),
        text("person_id"),
        text("kind"),
        text("target"),
        text("name"),
        text("language"),
        text("least_level"),
        whole("created_at"),
        whole("worked_at", nullable=True),
        text("trouble", nullable=True),
        _person("alert_way"),
        sa.PrimaryKeyConstraint("id", name="pk_alert_way"),
    )
    op.create_index("ix_alert_way_person_id", "alert_way", ["person_id"])
    op.create_table(
        "alert_notice",
        text("id"),
        text("alert", nullable=True),
        text("person_id"),
        text("way"),
        text("what"),
        text("level"),
        text("title"),
        text("text"),
        text("state"),
        whole("tries"),
        whole("next_at"),
        whole("made_at"),
        whole("sent_at", nullable=True),
        text("detail", nullable=True),
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
        text("place"),
        text("crop"),
        whole("quiet_from", nullable=True),
        whole("quiet_until", nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("place", name="pk_alert_plan"),
    )
    op.create_table(
        "alert_lease",
        text("name"),
        text("holder"),
        whole("until"),
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
