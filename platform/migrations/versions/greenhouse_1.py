"""Gateways, greenhouses, zones, nodes, runs, commands, alarms, refused messages."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import WHOLE

revision = "greenhouse_1"
down_revision = "ground_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("cooperative", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("registered_at", WHOLE, nullable=False),
        sa.Column("seen_at", WHOLE, nullable=True),
        sa.Column("store", sa.String(), nullable=True),
        sa.Column("configured_row", WHOLE, nullable=True),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_gateway_cooperative_cooperative"
        ),
        sa.PrimaryKeyConstraint("slug", name="pk_gateway"),
        sa.UniqueConstraint("key_hash", name="uq_gateway_key_hash"),
    )
    op.create_index("ix_gateway_cooperative", "gateway", ["cooperative"])
    op.create_table(
        "greenhouse",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("cooperative", sa.String(), nullable=False),
        sa.Column("gateway", sa.String(), nullable=True),
        sa.Column("farm", sa.String(), nullable=True),
        sa.Column("farm_name", sa.String(), nullable=True),
        sa.Column("area_m2", sa.Double(), nullable=True),
        sa.Column("imported", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_greenhouse_cooperative_cooperative"
        ),
        sa.ForeignKeyConstraint(
            ["gateway"], ["gateway.slug"], name="fk_greenhouse_gateway_gateway"
        ),
        sa.PrimaryKeyConstraint("slug", name="pk_greenhouse"),
    )
    op.create_index("ix_greenhouse_cooperative", "greenhouse", ["cooperative"])
    op.create_index("ix_greenhouse_gateway", "greenhouse", ["gateway"])
    op.create_table(
        "zone",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("greenhouse", sa.String(), nullable=False),
        sa.Column("gateway", sa.String(), nullable=False),
        sa.Column("coil", WHOLE, nullable=False),
        sa.Column("area_m2", sa.Double(), nullable=True),
        sa.Column("mode", sa.String(), nullable=False),
        sa.Column("band", sa.JSON(), nullable=True),
        sa.Column("max_run_seconds", WHOLE, nullable=False),
        sa.Column("max_day_seconds", WHOLE, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("state_at", WHOLE, nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["greenhouse"], ["greenhouse.slug"], name="fk_zone_greenhouse_greenhouse"
        ),
        sa.ForeignKeyConstraint(["gateway"], ["gateway.slug"], name="fk_zone_gateway_gateway"),
        sa.PrimaryKeyConstraint("id", name="pk_zone"),
    )
    op.create_index("ix_zone_greenhouse", "zone", ["greenhouse"])
    op.create_table(
        "node",
        sa.Column("eui64", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("gateway", sa.String(), nullable=True),
        sa.Column("farm", sa.String(), nullable=True),
        sa.Column("greenhouse", sa.String(), nullable=True),
        sa.Column("zone", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=True),
        sa.Column("state_at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(["gateway"], ["gateway.slug"], name="fk_node_gateway_gateway"),
        sa.PrimaryKeyConstraint("eui64", name="pk_node"),
    )
    op.create_index("ix_node_gateway", "node", ["gateway"])
    op.create_table(
        "run",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("gateway", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("start_code", sa.String(), nullable=True),
        sa.Column("start_values", sa.JSON(), nullable=False),
        sa.Column("ordered_seconds", WHOLE, nullable=False),
        sa.Column("started_at", WHOLE, nullable=False),
        sa.Column("ended_at", WHOLE, nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("litres", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["gateway"], ["gateway.slug"], name="fk_run_gateway_gateway"),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
    )
    op.create_index("ix_run_zone_started_at", "run", ["zone", "started_at"])
    op.create_table(
        "command",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("gateway", sa.String(), nullable=False),
        sa.Column("cooperative", sa.String(), nullable=False),
        sa.Column("do", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=True),
        sa.Column("seconds", WHOLE, nullable=True),
        sa.Column("mode", sa.String(), nullable=True),
        sa.Column("band", sa.JSON(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("created_at", WHOLE, nullable=False),
        sa.Column("expires_at", WHOLE, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("outcome_at", WHOLE, nullable=True),
        sa.ForeignKeyConstraint(["gateway"], ["gateway.slug"], name="fk_command_gateway_gateway"),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_command_cooperative_cooperative"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_command"),
    )
    op.create_index("ix_command_gateway_state", "command", ["gateway", "state"])
    op.create_index("ix_command_zone", "command", ["zone"])
    op.create_table(
        "alarm",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("gateway", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("zone", sa.String(), nullable=True),
        sa.Column("raised_at", WHOLE, nullable=False),
        sa.Column("cleared_at", WHOLE, nullable=True),
        sa.ForeignKeyConstraint(["gateway"], ["gateway.slug"], name="fk_alarm_gateway_gateway"),
        sa.PrimaryKeyConstraint("id", name="pk_alarm"),
    )
    op.create_index("ix_alarm_gateway_cleared_at", "alarm", ["gateway", "cleared_at"])
    op.create_table(
        "refused_message",
        sa.Column("gateway", sa.String(), nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("row", WHOLE, nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=True),
        sa.Column("at", WHOLE, nullable=False),
        sa.ForeignKeyConstraint(
            ["gateway"], ["gateway.slug"], name="fk_refused_message_gateway_gateway"
        ),
        sa.PrimaryKeyConstraint("gateway", "store", "row", name="pk_refused_message"),
    )


def downgrade() -> None:
    for table in (
        "refused_message",
        "alarm",
        "command",
        "run",
        "node",
        "zone",
        "greenhouse",
        "gateway",
    ):
        op.drop_table(table)
