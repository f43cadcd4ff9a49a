"""Recordings of their own, with an id and a kind, each made of any number of raw files by a plan.

The way down knows one raw file a recording: one that is made of several and is not made yet is taken
from the file that has its id, where there is one.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_INDEXED: tuple[tuple[str, list[str], dict[str, Any]], ...] = (
    (
        "ix_recordings_expected",
        ["created_at"],
        {
            "sqlite_where": sa.text("state = 'expected'"),
            "postgresql_where": sa.text("state = 'expected'"),
        },
    ),
    ("ix_recordings_call_id", ["call_id"], {}),
    ("ix_recordings_account_id_created_at_name", ["account_id", "created_at", "name"], {}),
)


def upgrade() -> None:
    _set_aside("recordings", "uq_recordings_raw", "recordings_0008")
    op.create_table(
        "recordings",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="call", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        *_common_columns(),
        sa.Column("plan", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint(
            "kind IN ('call', 'voicemail', 'conference')", name=op.f("ck_recordings_kind")
        ),
        sa.CheckConstraint(
            "state IN ('expected', 'done', 'failed')", name=op.f("ck_recordings_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recordings")),
        sa.UniqueConstraint("name", name=op.f("uq_recordings_name")),
    )
    op.execute(
        "INSERT INTO recordings (id, name, account_id, call_id, state, worker, claimed_until,"
        " attempts, reason, bytes, seconds, created_at) SELECT raw, name, account_id, call_id, state,"
        " worker, claimed_until, attempts, reason, bytes, seconds, created_at FROM recordings_0008"
    )
    op.drop_table("recordings_0008")
    _index()
    op.create_table(
        "recording_files",
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("recording_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["recording_id"],
            ["recordings.id"],
            name=op.f("fk_recording_files_recording_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("raw", "recording_id", name=op.f("pk_recording_files")),
    )
    op.create_index(op.f("ix_recording_files_recording_id"), "recording_files", ["recording_id"])
    op.execute("INSERT INTO recording_files (raw, recording_id) SELECT id, id FROM recordings")
    op.execute("ALTER TABLE recording_removals RENAME COLUMN raw TO raws")


def downgrade() -> None:
    op.execute("ALTER TABLE recording_removals RENAME COLUMN raws TO raw")
    op.drop_table("recording_files")
    _set_aside("recordings", "uq_recordings_name", "recordings_0010")
    columns = [sa.Column("name", sa.Text(), nullable=False), *_common_columns()]
    columns.insert(3, sa.Column("raw", sa.Text(), nullable=False))
    op.create_table(
        "recordings",
        *columns,
        sa.CheckConstraint(
            "state IN ('expected', 'done', 'failed')", name=op.f("ck_recordings_state")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_recordings")),
        sa.UniqueConstraint("raw", name=op.f("uq_recordings_raw")),
    )
    op.execute(
        "INSERT INTO recordings (raw, name, account_id, call_id, state, worker, claimed_until,"
        " attempts, reason, bytes, seconds, created_at) SELECT id, name, account_id, call_id, state,"
        " worker, claimed_until, attempts, reason, bytes, seconds, created_at FROM recordings_0010"
    )
    op.drop_table("recordings_0010")
    _index()


def _common_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seconds", sa.Float(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    ]


def _index() -> None:
    for name, columns, where in _INDEXED:
        op.create_index(op.f(name), "recordings", columns, unique=False, **where)


def _set_aside(table: str, unique: str, name: str) -> None:
    """The names of its keys and indexes are wanted again; in SQLite the keys' go with their table."""
    for index, _, _ in _INDEXED:
        op.drop_index(index, table_name=table)
    op.rename_table(table, name)
    if op.get_bind().dialect.name == "postgresql":
        for key in (f"pk_{table}", unique):
            op.execute(f"ALTER INDEX {key} RENAME TO {key}_aside")
