"""Attacks on a running server, for `make attack`: bounded, on loopback, a line for each finding."""
