"""Moving a live database from SQLite to PostgreSQL: what is read there, what is written here.

While tables are copied, triggers note the key of every row that a server goes on writing; such rows
are then copied as they are by then, again and again, until nothing is left. ``work/upkeep/copy_database.py``
says in which order.
"""
