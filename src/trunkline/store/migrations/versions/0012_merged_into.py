"""A call that was joined with another one says which of them went on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("calls", sa.Column("merged_into", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("calls", "merged_into")
