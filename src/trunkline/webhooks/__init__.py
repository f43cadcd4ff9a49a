"""How webhooks are signed and posted, and where they may go."""
