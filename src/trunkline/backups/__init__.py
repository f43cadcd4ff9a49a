"""Backups: what belongs to one, how it is written, and how it is restored."""
