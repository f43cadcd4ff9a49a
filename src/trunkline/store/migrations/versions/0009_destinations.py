"""Where a call may go becomes data: destinations, extensions, ways, outbound routes and prompts.

Views of new names stand beside those that the dialplan of the version before reads: that one may run
on in an engine that was adopted amid calls. The way down keeps what the older program knows: each
user's first extension, and the numbers that lead to users.
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

from trunkline.store.migrations import views

revision = "0009"
down_revision = "0008"

_NEW_VIEWS = ("tl_inbound", "tl_dialled", "tl_steps", "tl_callers", "tl_rights")
_OLD_VIEWS = ("tl_dids", "tl_extensions", "tl_devices", "ps_aors", "ps_auths", "ps_endpoints")


def _is_sqlite() -> bool:
    return bool(op.get_bind().dialect.name == "sqlite")


def upgrade() -> None:
    _tables()
    op.execute(
        "INSERT INTO destinations (id, account_id, kind, name)"
        " SELECT id, account_id, 'user', username FROM users"
    )
    _fill_extensions()
    if _is_sqlite():
        _drop_views(_OLD_VIEWS)
        _anew("users", _users(), "id, account_id, username, name, caller_id, enabled, created_at")
        _anew(
            "numbers",
            _numbers("destination_id", "destinations", cascade=False),
            "id, account_id, user_id AS destination_id, did, route_key, enabled, created_at",
        )
        _index_numbers("destination_id")
        _make_views("0009")
        _check_foreign_keys()
        return
    op.drop_index(op.f("ix_numbers_user_id"), table_name="numbers")
    op.drop_constraint(op.f("fk_numbers_user_id"), "numbers", type_="foreignkey")
    op.add_column("numbers", sa.Column("destination_id", sa.Text(), nullable=True))
    op.execute("UPDATE numbers SET destination_id = user_id")
    op.alter_column("numbers", "destination_id", nullable=False)
    op.create_foreign_key(
        op.f("fk_numbers_destination_id"), "numbers", "destinations", ["destination_id"], ["id"]
    )
    op.create_index(op.f("ix_numbers_destination_id"), "numbers", ["destination_id"])
    op.create_foreign_key(
        op.f("fk_users_id"), "users", "destinations", ["id"], ["id"], ondelete="CASCADE"
    )
    _make_views("0009")
    op.drop_column("numbers", "user_id")
    for name in ("extension", "route_key"):
        op.drop_column("users", name)


def downgrade() -> None:
    _drop_views(_NEW_VIEWS)
    _drop_views(_OLD_VIEWS)
    # Numbers that lead elsewhere have no place in the older schema.
    op.execute("DELETE FROM numbers WHERE destination_id NOT IN (SELECT id FROM users)")
    if _is_sqlite():
        _anew(
            "users",
            _users_before(),
            f"id, account_id, username, name, ({_FIRST_EXTENSION}) AS extension,"
            f" account_id || ':' || ({_FIRST_EXTENSION}) AS route_key, caller_id, enabled, created_at",
        )
        _anew(
            "numbers",
            _numbers("user_id", "users", cascade=True),
            "id, account_id, destination_id AS user_id, did, route_key, enabled, created_at",
        )
        _index_numbers("user_id")
    else:
        _columns_before()
    for name in _TABLES:
        op.drop_table(name)
    _make_views("0001")
    if _is_sqlite():
        _check_foreign_keys()


def _columns_before() -> None:
    op.drop_constraint(op.f("fk_users_id"), "users", type_="foreignkey")
    for name in ("extension", "route_key"):
        op.add_column("users", sa.Column(name, sa.Text(), nullable=True))
    op.execute(f"UPDATE users SET extension = ({_FIRST_EXTENSION})")  # noqa: S608
    op.execute("UPDATE users SET route_key = account_id || ':' || extension")
    op.create_unique_constraint(
        op.f("uq_users_account_id_extension"), "users", ["account_id", "extension"]
    )
    op.create_unique_constraint(op.f("uq_users_route_key"), "users", ["route_key"])
    op.drop_index(op.f("ix_numbers_destination_id"), table_name="numbers")
    op.drop_constraint(op.f("fk_numbers_destination_id"), "numbers", type_="foreignkey")
    op.alter_column("numbers", "destination_id", new_column_name="user_id")
    op.create_foreign_key(
        op.f("fk_numbers_user_id"), "numbers", "users", ["user_id"], ["id"], ondelete="CASCADE"
    )
    op.create_index(op.f("ix_numbers_user_id"), "numbers", ["user_id"])


_FIRST_EXTENSION = (
    "SELECT e.number FROM extensions e WHERE e.destination_id = users.id"
    " ORDER BY e.created_at, e.id LIMIT 1"
)


def _fill_extensions() -> None:
    connection = op.get_bind()
    had = connection.execute(
        sa.text(
            "SELECT account_id, extension, id, route_key, created_at FROM users"
            " WHERE extension IS NOT NULL ORDER BY created_at, id"
        )
    ).fetchall()
    if had:
        connection.execute(
            sa.text(
                "INSERT INTO extensions (id, account_id, number, destination_id, route_key, created_at)"
                " VALUES (:id, :account_id, :number, :to, :route_key, :created_at)"
            ),
            [
                {
                    "id": secrets.token_hex(16),
                    "account_id": account_id,
                    "number": number,
                    "to": user_id,
                    "route_key": route_key,
                    "created_at": created_at,
                }
                for account_id, number, user_id, route_key, created_at in had
            ],
        )


# ---- The new tables ------------------------------------------------------------------------------

_TABLES = (
    *("ways", "announcements", "prompts", "hangups", "outside_numbers"),
    *("outbound_routes", "extensions", "destinations"),
)


def _id(table: str, destination: bool = False) -> list[Any]:
    made: list[Any] = [
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    ]
    return [*made, _key(table, "id", "destinations", cascade=True)] if destination else made


def _key(table: str, column: str, to: str, cascade: bool = False) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column],
        [f"{to}.id"],
        name=op.f(f"fk_{table}_{column}"),
        ondelete="CASCADE" if cascade else None,
    )


def _account(table: str) -> list[Any]:
    return [
        sa.Column("account_id", sa.Text(), nullable=False),
        _key(table, "account_id", "accounts", cascade=True),
    ]


def _created() -> sa.Column[int]:
    return sa.Column("created_at", sa.BigInteger(), nullable=False)


def _enabled() -> sa.Column[bool]:
    return sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False)


def _tables() -> None:
    op.create_table(
        "destinations",
        *_id("destinations"),
        *_account("destinations"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.UniqueConstraint(
            "account_id", "kind", "name", name=op.f("uq_destinations_account_id_kind_name")
        ),
    )
    op.create_table(
        "outside_numbers",
        *_id("outside_numbers", destination=True),
        sa.Column("number", sa.Text(), nullable=False),
    )
    op.create_table(
        "hangups",
        *_id("hangups", destination=True),
        sa.Column("cause", sa.Integer(), nullable=False),
    )
    op.create_table(
        "prompts",
        *_id("prompts"),
        *_account("prompts"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        _created(),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_prompts_account_id_name")),
    )
    op.create_table(
        "announcements",
        *_id("announcements", destination=True),
        *_account("announcements"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        _enabled(),
        _created(),
        _key("announcements", "prompt_id", "prompts"),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_announcements_account_id_name")),
    )
    op.create_index(op.f("ix_announcements_prompt_id"), "announcements", ["prompt_id"])
    op.create_table(
        "extensions",
        *_id("extensions"),
        *_account("extensions"),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("route_key", sa.Text(), nullable=False),
        _created(),
        _key("extensions", "destination_id", "destinations"),
        sa.UniqueConstraint("account_id", "number", name=op.f("uq_extensions_account_id_number")),
        sa.UniqueConstraint("route_key", name=op.f("uq_extensions_route_key")),
    )
    op.create_index(op.f("ix_extensions_destination_id"), "extensions", ["destination_id"])
    op.create_table(
        "ways",
        sa.Column("from_id", sa.Text(), nullable=False),
        sa.Column("on", sa.Text(), nullable=False),
        sa.Column("to_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("from_id", "on", name=op.f("pk_ways")),
        _key("ways", "from_id", "destinations", cascade=True),
        _key("ways", "to_id", "destinations"),
    )
    op.create_index(op.f("ix_ways_to_id"), "ways", ["to_id"])
    op.create_table(
        "outbound_routes",
        *_id("outbound_routes"),
        *_account("outbound_routes"),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("trunk_id", sa.Text(), nullable=False),
        sa.Column("order", sa.Integer(), server_default="10", nullable=False),
        sa.Column("strip", sa.Integer(), server_default="0", nullable=False),
        sa.Column("prepend", sa.Text(), server_default="", nullable=False),
        _created(),
        _key("outbound_routes", "trunk_id", "trunks"),
    )
    for column in ("account_id", "trunk_id"):
        op.create_index(op.f(f"ix_outbound_routes_{column}"), "outbound_routes", [column])


# ---- SQLite: tables made anew ----------------------------------------------------------------------


def _anew(table: str, parts: list[Any], select: str) -> None:
    """SQLite takes no constraint off a table. ``migrate`` has turned foreign keys off: nothing cascades."""
    op.execute(f"CREATE TEMPORARY TABLE before_0009 AS SELECT {select} FROM {table}")  # noqa: S608
    op.drop_table(table)
    op.create_table(table, *parts)
    columns = ", ".join(part.name for part in parts if isinstance(part, sa.Column))
    op.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM before_0009")  # noqa: S608
    op.execute("DROP TABLE before_0009")


def _index_numbers(owner: str) -> None:
    for column in ("account_id", owner):
        op.create_index(op.f(f"ix_numbers_{column}"), "numbers", [column], unique=False)


def _check_foreign_keys() -> None:
    for table in ("users", "devices", "numbers"):
        wrong = op.get_bind().exec_driver_sql(f"PRAGMA foreign_key_check({table})").fetchall()
        if wrong:
            raise RuntimeError(f"{table} would refer to what is not there: {wrong[0]}")


def _users() -> list[Any]:
    return [
        *_users_first(),
        *_users_last(),
        sa.ForeignKeyConstraint(
            ["id"], ["destinations.id"], name=op.f("fk_users_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("account_id", "username", name=op.f("uq_users_account_id_username")),
    ]


def _users_before() -> list[Any]:
    return [
        *_users_first(),
        sa.Column("extension", sa.Text(), nullable=True),
        sa.Column("route_key", sa.Text(), nullable=True),
        *_users_last(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("account_id", "extension", name=op.f("uq_users_account_id_extension")),
        sa.UniqueConstraint("account_id", "username", name=op.f("uq_users_account_id_username")),
        sa.UniqueConstraint("route_key", name=op.f("uq_users_route_key")),
    ]


def _users_first() -> list[Any]:
    return [
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
    ]


def _users_last() -> list[Any]:
    return [
        sa.Column("caller_id", sa.Text(), nullable=True),
        _enabled(),
        _created(),
        _key("users", "account_id", "accounts", cascade=True),
    ]


def _numbers(owner: str, of: str, cascade: bool) -> list[Any]:
    return [
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column(owner, sa.Text(), nullable=False),
        sa.Column("did", sa.Text(), nullable=False),
        sa.Column("route_key", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_numbers_account_id"), ondelete="CASCADE"
        ),
        _key("numbers", owner, of, cascade),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_numbers")),
        sa.UniqueConstraint("route_key", name=op.f("uq_numbers_route_key")),
    ]


def _drop_views(names: tuple[str, ...]) -> None:
    for name in names:
        op.execute(f"DROP VIEW {name}")


def _make_views(version: str) -> None:
    """PostgreSQL's are replaced as they stand: Asterisk's role keeps its rights to them."""
    for statement in views(op.get_bind().dialect.name, version):
        op.execute(sa.text(statement.replace(":", r"\:")))
