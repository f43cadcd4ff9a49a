"""How committed events reach those who wait for them."""
