"""Call history of other phone systems: their rows of text, read into our records. Pure."""
