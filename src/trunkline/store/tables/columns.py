"""What the columns of all tables have in common."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Column, Integer, Text

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_() -> Column[str]:
    """The 32 hex digits of an entry."""
    return Column("id", Text, primary_key=True)


def belongs_to(table: str) -> Column[str]:
    """Whose it is; it goes with that."""
    return Column(
        f"{table.removesuffix('s')}_id",
        Text,
        sa.ForeignKey(f"{table}.id", ondelete="CASCADE"),
        nullable=False,
    )


def destination_id_() -> Column[str]:
    """The id of one kind of destination: it goes with its row in ``destinations``."""
    return Column(
        "id", Text, sa.ForeignKey("destinations.id", ondelete="CASCADE"), primary_key=True
    )


def leads_to(name: str, table: str) -> Column[str]:
    """What is used here, so that it cannot be deleted."""
    return Column(name, Text, sa.ForeignKey(f"{table}.id"), nullable=False)


def text(name: str, default: str = "") -> Column[str]:
    """A text that is never null."""
    return Column(name, Text, nullable=False, server_default=default)


def flag(name: str, default: bool) -> Column[bool]:
    """A yes or no that is never null."""
    return Column(
        name, Boolean, nullable=False, server_default=sa.true() if default else sa.false()
    )


def most(name: str, default: int | None) -> Column[int]:
    """A limit; null: none."""
    return Column(name, Integer, server_default=None if default is None else str(default))


def time(name: str) -> Column[int]:
    """Unix microseconds."""
    return Column(name, BigInteger, nullable=False)
