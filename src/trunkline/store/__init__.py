"""The database: its ports, its tables, and the SQL behind them."""
