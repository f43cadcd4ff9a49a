"""Ten million calls on both databases, measured: ``make bench-history``; see ``bench/README.md``."""
