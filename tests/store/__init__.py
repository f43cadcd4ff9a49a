"""The database: its own tests."""
