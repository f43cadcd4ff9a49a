"""One contract suite for each edge, run on every implementation of it."""
