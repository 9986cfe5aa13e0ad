"""landbridge moves MongoDB collections into PostgreSQL tables: exactly, fast, with proof."""

__version__ = "0.1.0"
