"""A live call, and how far a log is taken in, are of a node: the server whose engine has them.

What no node's name stands at is of the server that starts next (``Calls.inherit``): before, there was
one for a database. A log was called ``cel:NODE`` where several engines might share the database, and
``cel`` in a SQLite file.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("live_calls", sa.Column("node_id", sa.Text(), server_default="", nullable=False))
    op.execute("ALTER TABLE log_positions RENAME COLUMN log TO node_id")
    # One that has written its own name needs the one without no more: it came with a copy.
    op.execute(
        "DELETE FROM log_positions WHERE node_id = 'cel'"
        " AND EXISTS (SELECT 1 FROM log_positions WHERE substr(node_id, 1, 4) = 'cel:')"
    )
    op.execute("UPDATE log_positions SET node_id = '' WHERE node_id = 'cel'")
    op.execute(
        "UPDATE log_positions SET node_id = substr(node_id, 5) WHERE substr(node_id, 1, 4) = 'cel:'"
    )
    op.execute(
        "UPDATE live_calls SET node_id = (SELECT max(node_id) FROM log_positions)"
        " WHERE (SELECT count(*) FROM log_positions) = 1"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "UPDATE log_positions SET node_id ="
            " CASE node_id WHEN '' THEN 'cel' ELSE 'cel:' || node_id END"
        )
    else:  # a file is one server's: the newest is that one's
        op.execute(
            "DELETE FROM log_positions WHERE rowid <> (SELECT max(rowid) FROM log_positions)"
        )
        op.execute("UPDATE log_positions SET node_id = 'cel'")
    op.execute("ALTER TABLE log_positions RENAME COLUMN node_id TO log")
    op.drop_column("live_calls", "node_id")
