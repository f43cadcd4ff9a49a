"""What a call is, and how it grows from facts: pure values and pure functions."""
