"""The database on SQLite: the port's implementation for one machine."""

from trunkline.store.sqlite.database import SqliteDatabase, open_database

__all__ = ["SqliteDatabase", "open_database"]
