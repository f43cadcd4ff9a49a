"""A user's name with quotes and backslashes reaches the called phone as it is.

Asterisk reads quoted pairs (RFC 3261, 25.1) in a caller ID, so the view writes them. What else the
view says is left as it is found.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_PLAIN = ("'\\'", "'/'", "'\"'", "''''")
_QUOTED = ("'\\'", "'\\\\'", "'\"'", "'\\\"'")
_EXPRESSIONS = {
    "sqlite": "replace(replace(u.name, {}, {}), {}, {})",
    "postgresql": "replace(replace(u.name, {}::text, {}::text), {}::text, {}::text)",
}


def upgrade() -> None:
    _change(_PLAIN, _QUOTED)


def downgrade() -> None:
    _change(_QUOTED, _PLAIN)


def _change(old: tuple[str, ...], new: tuple[str, ...]) -> None:
    bind = op.get_bind()
    expression = _EXPRESSIONS[bind.dialect.name]
    before, after = expression.format(*old), expression.format(*new)
    if bind.dialect.name == "sqlite":
        found = "SELECT sql FROM sqlite_master WHERE name = 'ps_endpoints'"
        made = str(bind.scalar(sa.text(found)))
        op.execute("DROP VIEW ps_endpoints")
    else:
        found = "SELECT pg_get_viewdef('ps_endpoints'::regclass)"
        made = f"CREATE OR REPLACE VIEW ps_endpoints AS {bind.scalar(sa.text(found))}"
    assert made.count(before) == 1, made
    bind.exec_driver_sql(made.replace(before, after))
