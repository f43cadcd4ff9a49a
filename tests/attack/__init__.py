"""Attacks on a server of their own, on the loopback, bounded: what is promised is tried anew."""
