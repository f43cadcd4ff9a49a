"""What the product costs beside the least that would do: ``make bench`` prints ratios.

Nothing here passes or fails on time. Each measurement takes its baseline and its candidate in turn,
within one run, so that whatever else the machine does falls on both. ``README.md`` says how each is
measured, and what one machine gave.
"""
