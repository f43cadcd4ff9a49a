"""Where finished recordings are kept."""
