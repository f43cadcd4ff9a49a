"""Finding calls: their terms, the order of their changes, and what people note of them.

It does not go through the calls that are there: ``History.index`` takes them in, in small steps.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column(
        "accounts", sa.Column("last_update", sa.BigInteger(), server_default="0", nullable=False)
    )
    for name in ("note", "tags"):
        op.add_column("calls", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.add_column(
        "calls", sa.Column("update_seq", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.create_table(
        "call_terms",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column(
            "term", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("started_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "call_id", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.PrimaryKeyConstraint(
            "account_id", "term", "started_at", "call_id", name=op.f("pk_call_terms")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "call_updates",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "seq", name=op.f("pk_call_updates")),
        sqlite_with_rowid=False,
    )
    op.execute(
        'INSERT INTO meta ("key", value) SELECT \'calls_indexed_to\', \'["",0,""]\''
        " WHERE EXISTS (SELECT 1 FROM calls)"
    )


def downgrade() -> None:
    op.execute("DELETE FROM meta WHERE \"key\" = 'calls_indexed_to'")
    op.drop_table("call_updates")
    op.drop_table("call_terms")
    for name in ("update_seq", "tags", "note"):
        op.drop_column("calls", name)
    op.drop_column("accounts", "last_update")
