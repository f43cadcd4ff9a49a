"""How many calls a device, an account and a trunk may have to the outside, and an account's emergency numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trunkline.store.migrations import views

revision = "0018"
down_revision = "0017"

_LIMITS = (
    ("accounts", "max_calls", "200"),
    ("accounts", "max_rate", "1200"),
    ("devices", "max_calls", "10"),
    ("devices", "max_rate", "180"),
    ("trunks", "max_calls", "200"),
    ("trunks", "max_rate", None),
)

_EMERGENCY = (("emergency_listed", ""), ("emergency_numbers", "112,911"))


def upgrade() -> None:
    for table, column, usual in _LIMITS:
        op.add_column(table, sa.Column(column, sa.Integer(), server_default=usual))
    op.add_column("accounts", sa.Column("country", sa.Text()))
    for column, usual in _EMERGENCY:
        op.add_column(
            "accounts", sa.Column(column, sa.Text(), server_default=usual, nullable=False)
        )
    for statement in views(op.get_bind().dialect.name, "0018"):
        op.execute(statement)


def downgrade() -> None:
    for view in ("tl_emergency", "tl_limits"):
        op.execute(f"DROP VIEW {view}")
    for column in ("country", *(name for name, _ in _EMERGENCY)):
        op.drop_column("accounts", column)
    for table, column, _ in _LIMITS:
        op.drop_column(table, column)
