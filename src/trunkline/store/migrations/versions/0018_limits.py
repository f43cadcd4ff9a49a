"""How many calls a device, an account and a trunk may have to the outside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trunkline.store.migrations import views

revision = "0018"
down_revision = "0017"

_LIMITS = (
    ("accounts", "max_calls", "50"),
    ("accounts", "max_rate", "600"),
    ("devices", "max_calls", "5"),
    ("devices", "max_rate", "60"),
    ("trunks", "max_calls", "100"),
    ("trunks", "max_rate", None),
)


def upgrade() -> None:
    for table, column, usual in _LIMITS:
        op.add_column(table, sa.Column(column, sa.Integer(), server_default=usual))
    for statement in views(op.get_bind().dialect.name, "0018"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP VIEW tl_limits")
    for table, column, _ in _LIMITS:
        op.drop_column(table, column)
