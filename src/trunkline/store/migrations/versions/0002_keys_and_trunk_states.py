"""The keys of /v1, what is known of trunks, and the way to one call's events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("allowed_addresses", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_api_keys_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_api_keys_key_hash")),
    )
    op.create_index(
        op.f("ix_api_keys_account_id_created_at_id"), "api_keys", ["account_id", "created_at", "id"]
    )
    op.create_index(
        op.f("ix_events_account_id_call_id_seq"), "events", ["account_id", "call_id", "seq"]
    )
    op.create_table(
        "trunk_states",
        sa.Column("trunk_id", sa.Text(), nullable=False),
        sa.Column("up", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trunk_id"], ["trunks.id"], name=op.f("fk_trunk_states_trunk_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trunk_id", name=op.f("pk_trunk_states")),
    )


def downgrade() -> None:
    op.drop_table("trunk_states")
    op.drop_index(op.f("ix_events_account_id_call_id_seq"), table_name="events")
    op.drop_index(op.f("ix_api_keys_account_id_created_at_id"), table_name="api_keys")
    op.drop_table("api_keys")
