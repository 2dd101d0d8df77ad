"""Alembic's entry: runs the migrations on the connection it is handed, in that connection's transaction."""

from alembic import context

from stopgap.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
