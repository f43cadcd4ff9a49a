"""Each leg of a device tells how its audio went when it hangs up: the view gives it a hang-up handler.

What else the view says is left as it is found.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_HANDLER = {
    "sqlite": "'CHANNEL(hangup_handler_push)=leg-over,s,1' AS set_var",
    "postgresql": "'CHANNEL(hangup_handler_push)=leg-over,s,1'::text AS set_var",
}
_FROM = re.compile(r"\s+FROM \(*devices d\b")
_AFTER_ALL = re.compile(r",\s*'CHANNEL\(hangup_handler_push\)=leg-over,s,1'(::text)? AS set_var")


def upgrade() -> None:
    handler = _HANDLER[op.get_bind().dialect.name]
    made = _definition()
    assert len(_FROM.findall(made)) == 1, made
    _make(_FROM.sub(lambda found: f",\n       {handler}{found[0]}", made), anew=False)


def downgrade() -> None:
    made = _definition()
    assert len(_AFTER_ALL.findall(made)) == 1, made
    _make(_AFTER_ALL.sub("", made), anew=True)


def _definition() -> str:
    bind = op.get_bind()
    if bind.dialect.name == "sqlite":
        found = "SELECT sql FROM sqlite_master WHERE name = 'ps_endpoints'"
        return str(bind.scalar(sa.text(found)))
    found = "SELECT pg_get_viewdef('ps_endpoints'::regclass)"
    return f"CREATE OR REPLACE VIEW ps_endpoints AS {bind.scalar(sa.text(found))}"


def _make(definition: str, anew: bool) -> None:
    """``anew``: with a column less, which PostgreSQL's CREATE OR REPLACE does not take."""
    bind = op.get_bind()
    if anew or bind.dialect.name == "sqlite":
        op.execute("DROP VIEW ps_endpoints")
    bind.exec_driver_sql(definition)
