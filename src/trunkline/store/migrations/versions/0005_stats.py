"""Statistics: what the calls of each stretch of time came to, and how far that is counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_SUMS = (
    "calls",
    "outgoing",
    "answered",
    "busy",
    "unanswered",
    "cancelled",
    "ivr",
    "rang",
    "talk_seconds",
    "ring_seconds",
    "duration_seconds",
    "longest_talk_seconds",
)


def upgrade() -> None:
    op.create_table(
        "call_stats",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("width", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _SUMS),
        sa.PrimaryKeyConstraint(
            "account_id", "width", "dimension", "bucket", "key", name=op.f("pk_call_stats")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "call_stats_marks",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("counted_from", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_call_stats_marks")),
        sqlite_with_rowid=False,
    )
    # Nothing is counted here: a server does so beside its work, and ten million calls take minutes.
    op.execute(
        "INSERT INTO call_stats_marks (account_id, counted_from)"
        " SELECT account_id, 4611686018427387904 FROM"
        " (SELECT account_id FROM call_counts_day UNION SELECT id FROM accounts) AS had"
    )


def downgrade() -> None:
    op.drop_table("call_stats_marks")
    op.drop_table("call_stats")
