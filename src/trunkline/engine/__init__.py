"""The phone engine, Asterisk: fetching it, its configuration, its life, its log and its commands."""
