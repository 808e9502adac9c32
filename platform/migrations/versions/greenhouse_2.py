"""Wishes are numbered in the order in which they were made; litres may be unknown."""

import sqlalchemy as sa
from alembic import op

revision = "greenhouse_2"
down_revision = "greenhouse_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("command", sa.Column("number", sa.BigInteger(), nullable=True))
    _number_by_age()
    with op.batch_alter_table("command") as command:
        command.alter_column("number", existing_type=sa.BigInteger(), nullable=False)
        command.create_index("ix_command_gateway_number", ["gateway", "number"], unique=True)
    with op.batch_alter_table("run") as run:
        run.alter_column("litres", existing_type=sa.Double(), nullable=True)


def _number_by_age() -> None:
    """Number what is there as ``commands.record`` does; rows of one second as they came in."""
    connection = op.get_bind()
    last: dict[str, int] = {}
    came_in = "rowid" if connection.dialect.name == "sqlite" else "id"
    rows = connection.execute(
        sa.text(f"SELECT id, gateway, created_at FROM command ORDER BY created_at, {came_in}")
    ).all()
    for command_id, gateway, created_at in rows:
        last[gateway] = max(last.get(gateway, 0) + 1, created_at * 1000)
        connection.execute(
            sa.text("UPDATE command SET number = :number WHERE id = :id"),
            {"number": last[gateway], "id": command_id},
        )


def downgrade() -> None:
    op.execute("UPDATE run SET litres = 0 WHERE litres IS NULL")
    with op.batch_alter_table("run") as run:
        run.alter_column("litres", existing_type=sa.Double(), nullable=False)
    with op.batch_alter_table("command") as command:
        command.drop_index("ix_command_gateway_number")
        command.drop_column("number")
