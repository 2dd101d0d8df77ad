"""The history of the tables."""

HEAD = "0002"  # the newest migration; known here so that alembic is imported only when there is something to do
