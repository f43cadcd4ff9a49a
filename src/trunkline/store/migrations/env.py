"""Alembic's entry: run what it asks for on the connection that ``upgrade`` opened."""

from __future__ import annotations

from alembic import context

from trunkline.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
