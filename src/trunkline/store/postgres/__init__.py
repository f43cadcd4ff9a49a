"""The database on PostgreSQL: the port's implementation for several processes and machines."""

from trunkline.store.postgres.database import PostgresDatabase, open_database

__all__ = ["PostgresDatabase", "open_database"]
