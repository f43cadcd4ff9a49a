"""Who is held hears music: an account's own, or the default.

``tl_music`` is Asterisk's realtime class (res_musiconhold.c); an account's is named after its id, and that is what its
devices suggest. What else ``ps_endpoints`` says is left as it is found.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

from trunkline.store.migrations import views

revision = "0016"
down_revision = "0015"

_SUGGESTED = ",\n       d.account_id AS moh_suggest"


def upgrade() -> None:
    op.create_table(
        "music",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("used", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_music_account_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_music")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_music_account_id_name")),
    )
    for statement in views(op.get_bind().dialect.name, "0016"):
        op.execute(statement)
    _change(r"(\s+FROM \(*devices d\b)", _SUGGESTED + r"\1")


def downgrade() -> None:
    _change(r",\s+d\.account_id AS moh_suggest\b", "")
    op.execute("DROP VIEW tl_music")
    op.drop_table("music")


def _change(found: str, by: str) -> None:
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        text = "SELECT sql FROM sqlite_master WHERE name = 'ps_endpoints'"
        made = str(bind.scalar(sa.text(text)))
    else:
        text = "SELECT pg_get_viewdef('ps_endpoints'::regclass)"
        made = f"CREATE VIEW ps_endpoints AS {bind.scalar(sa.text(text))}"
    changed, count = re.subn(found, by, made)
    assert count == 1, made
    if bind.dialect.name == "sqlite" or not by:  # a view of PostgreSQL's loses no column
        op.execute("DROP VIEW ps_endpoints")
    bind.exec_driver_sql(
        changed if not by else changed.replace("CREATE VIEW", _REPLACE[bind.dialect.name], 1)
    )


_REPLACE = {"sqlite": "CREATE VIEW", "postgresql": "CREATE OR REPLACE VIEW"}
