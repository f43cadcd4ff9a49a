"""SRTP of devices and trunks, and phones with wideband codecs.

``ps_endpoints`` stays as it is found, for an engine of the version before that runs on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trunkline.store.migrations import views

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    for table in ("devices", "trunks"):
        op.add_column(table, sa.Column("srtp", sa.Text(), server_default="off", nullable=False))
    op.add_column(
        "device_states",
        sa.Column("secure", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    _make_views("0017", "tl_phones", "tl_phones_opus", "ps_aors")


def downgrade() -> None:
    for view in ("tl_phones_opus", "tl_phones"):
        op.execute(f"DROP VIEW {view}")
    _make_views("0009", "ps_aors")
    for table, column in (("devices", "srtp"), ("trunks", "srtp"), ("device_states", "secure")):
        op.drop_column(table, column)


def _make_views(revision: str, *names: str) -> None:
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        op.execute("DROP VIEW ps_aors")
    kept = [column["name"] for column in sa.inspect(bind).get_columns("ps_endpoints")]
    columns = ", ".join(f"p.{name}" for name in kept if name not in ("allow", "context"))
    for statement in views(bind.dialect.name, revision):
        if any(f" VIEW {name} AS" in statement for name in names):
            bind.exec_driver_sql(statement.replace("{columns}", columns))
