"""How webhooks are signed and posted, and where to they may go."""
