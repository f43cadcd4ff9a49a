"""A recording is pending, ready or failed: the words that /v1 and events have always had for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_OLD, _NEW = ("expected", "done", "failed"), ("pending", "ready", "failed")
_INDEXES = {
    "ix_recordings_call_id": ["call_id"],
    "ix_recordings_account_id_created_at_name": ["account_id", "created_at", "name"],
}


def upgrade() -> None:
    _change(_OLD, _NEW)


def downgrade() -> None:
    _change(_NEW, _OLD)


def _change(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    op.drop_index(f"ix_recordings_{old[0]}", table_name="recordings")
    if op.get_bind().dialect.name == "sqlite":
        _made_anew(old, new)
    else:
        op.drop_constraint(op.f("ck_recordings_state"), "recordings", type_="check")
        op.execute(f"UPDATE recordings SET state = {_said(old, new)} WHERE state <> 'failed'")  # noqa: S608
        op.create_check_constraint(op.f("ck_recordings_state"), "recordings", _one_of(new))
    where = sa.text(f"state = '{new[0]}'")
    op.create_index(
        f"ix_recordings_{new[0]}",
        "recordings",
        ["created_at"],
        sqlite_where=where,
        postgresql_where=where,
    )


def _made_anew(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    """SQLite changes no constraint of a table that is there."""
    for name in _INDEXES:
        op.drop_index(op.f(name), table_name="recordings")
    op.rename_table("recordings", "recordings_before")
    op.create_table(
        "recordings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seconds", sa.Float(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(_one_of(new), name=op.f("ck_recordings_state")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_recordings")),
        sa.UniqueConstraint("raw", name=op.f("uq_recordings_raw")),
    )
    kept = "name, account_id, call_id, raw, worker, claimed_until, attempts, reason, bytes, seconds, created_at"
    op.execute(
        f"INSERT INTO recordings ({kept}, state) SELECT {kept}, {_said(old, new)}"  # noqa: S608
        " FROM recordings_before"
    )
    op.drop_table("recordings_before")
    for name, columns in _INDEXES.items():
        op.create_index(op.f(name), "recordings", columns)


def _said(old: tuple[str, ...], new: tuple[str, ...]) -> str:
    each = " ".join(
        f"WHEN '{before}' THEN '{after}'" for before, after in zip(old, new, strict=True)
    )
    return f"CASE state {each} END"


def _one_of(words: tuple[str, ...]) -> str:
    return "state IN ('{}', '{}', '{}')".format(*words)
