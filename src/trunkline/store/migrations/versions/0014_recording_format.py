"""An account chooses the format of its recordings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trunkline.store.migrations import views

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column(
        "accounts", sa.Column("recording_format", sa.Text(), server_default="mp3", nullable=False)
    )
    for statement in views(op.get_bind().dialect.name, "0014"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP VIEW tl_accounts")
    op.drop_column("accounts", "recording_format")
