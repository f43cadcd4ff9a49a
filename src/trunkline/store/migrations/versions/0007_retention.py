"""How long each account's things are kept, legal hold, and the files that are to be removed.

The way down forgets limits and holds. Events that only a hold has kept go; recordings whose files
are still to be removed count as failed again, and the next way up removes them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    for name in ("keep_calls", "keep_events", "keep_recordings"):
        op.add_column("accounts", sa.Column(name, sa.Integer(), nullable=True))
    op.add_column("accounts", sa.Column("held_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "accounts", sa.Column("hold_reason", sa.Text(), server_default="", nullable=False)
    )
    op.add_column(
        "accounts", sa.Column("events_from", sa.BigInteger(), server_default="1", nullable=False)
    )
    op.execute(
        "UPDATE accounts SET events_from = coalesce("
        "(SELECT min(seq) FROM events WHERE account_id = accounts.id), last_seq + 1)"
    )
    op.create_table(
        "call_holds",
        sa.Column("call_id", _ID, nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("held_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_call_holds")),
    )
    op.create_index(
        op.f("ix_call_holds_account_id_started_at_call_id"),
        "call_holds",
        ["account_id", "started_at", "call_id"],
    )
    op.create_table(
        "recording_removals",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_recording_removals")),
    )
    op.create_index(op.f("ix_recordings_call_id"), "recordings", ["call_id"])
    op.create_index(
        op.f("ix_recordings_account_id_created_at_name"),
        "recordings",
        ["account_id", "created_at", "name"],
    )
    _index_deliveries(["account_id", "created_at", "id"])


def _index_deliveries(columns: list[str]) -> None:
    op.drop_index("ix_webhook_deliveries_done", table_name="webhook_deliveries")
    op.create_index(
        "ix_webhook_deliveries_done",
        "webhook_deliveries",
        columns,
        sqlite_where=sa.text("state <> 'pending'"),
        postgresql_where=sa.text("state <> 'pending'"),
    )


def downgrade() -> None:
    _index_deliveries(["created_at"])
    for name in ("ix_recordings_account_id_created_at_name", "ix_recordings_call_id"):
        op.drop_index(op.f(name), table_name="recordings")
    op.execute(
        "INSERT INTO recordings (name, account_id, call_id, raw, state, reason, created_at)"
        " SELECT name, account_id, call_id, raw, 'failed', 'deleted', 0 FROM recording_removals"
    )
    op.drop_table("recording_removals")
    op.drop_index(op.f("ix_call_holds_account_id_started_at_call_id"), table_name="call_holds")
    op.drop_table("call_holds")
    op.execute(
        "DELETE FROM events WHERE seq <"
        " (SELECT a.events_from FROM accounts a WHERE a.id = events.account_id)"
    )
    for name in ("events_from", "hold_reason", "held_at"):
        op.drop_column("accounts", name)
    for name in ("keep_recordings", "keep_events", "keep_calls"):
        op.drop_column("accounts", name)
