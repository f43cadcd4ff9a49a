"""The call history of other phone systems: their rows of text are read into our records. Pure."""
