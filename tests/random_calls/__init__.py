"""Calls at random, whose generator knows what is true of them: ``make random-calls``."""
