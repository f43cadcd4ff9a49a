"""Measurements, at a size that takes seconds: that they run, and what of them is true at any size."""
