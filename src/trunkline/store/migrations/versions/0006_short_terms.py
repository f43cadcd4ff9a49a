"""What calls are found by takes a third of the room: accounts have short numbers, and calls are found
by when they started.

The way down makes nothing anew: ``History.index`` of the older program takes all calls in again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def _term() -> sa.types.TypeEngine[str]:
    return sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _number_accounts()
    for name in ("call_terms", "call_updates"):
        op.rename_table(name, f"{name}_0005")
    _drop_keys()
    _terms()
    _updates()
    # In the order of their keys: each page is written once.
    op.execute(
        "INSERT INTO call_terms (account_number, term, started_at)"
        " SELECT DISTINCT a.number, t.term, t.started_at"
        " FROM accounts a JOIN call_terms_0005 t ON t.account_id = a.id"
        " ORDER BY a.number, t.term, t.started_at"
    )
    op.execute(
        "INSERT INTO call_updates (account_number, seq, started_at, call_id)"
        " SELECT a.number, u.seq, u.started_at, u.call_id"
        " FROM accounts a JOIN call_updates_0005 u ON u.account_id = a.id"
        " ORDER BY a.number, u.seq"
    )
    for name in ("call_terms", "call_updates"):
        op.drop_table(f"{name}_0005")


def _number_accounts() -> None:
    op.add_column("accounts", sa.Column("number", sa.Integer(), server_default="0", nullable=False))
    op.execute(
        "UPDATE accounts SET number = n.number FROM"
        " (SELECT id, row_number() OVER (ORDER BY id) AS number FROM accounts) AS n"
        " WHERE n.id = accounts.id"
    )
    op.create_index(op.f("ix_accounts_number"), "accounts", ["number"], unique=True)


def _drop_keys() -> None:
    """Their names are wanted again; SQLite's go with their tables."""
    if op.get_bind().dialect.name == "postgresql":
        for name in ("call_terms", "call_updates"):
            op.execute(f"ALTER INDEX pk_{name} RENAME TO pk_{name}_0005")


def _terms() -> None:
    op.create_table(
        "call_terms",
        sa.Column("account_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("term", _term(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("account_number", "term", "started_at", name=op.f("pk_call_terms")),
        sqlite_with_rowid=False,
    )


def _updates() -> None:
    op.create_table(
        "call_updates",
        sa.Column("account_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_number", "seq", name=op.f("pk_call_updates")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    for name in ("call_terms", "call_updates"):
        op.drop_table(name)
    op.drop_index(op.f("ix_accounts_number"), "accounts")
    op.drop_column("accounts", "number")
    op.create_table(
        "call_terms",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("term", _term(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("call_id", _term(), nullable=False),
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
    op.execute("UPDATE calls SET update_seq = 0")
    op.execute("DELETE FROM meta WHERE \"key\" = 'calls_indexed_to'")
    op.execute(
        'INSERT INTO meta ("key", value) SELECT \'calls_indexed_to\', \'["",0,""]\''
        " WHERE EXISTS (SELECT 1 FROM calls)"
    )
