"""What Alembic runs: the connection comes from ``nongso.platform.migrations``."""

from alembic import context

from nongso.platform.store import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,  # SQLite can; Alembic assumes that it cannot
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
