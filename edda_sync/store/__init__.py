"""Stores: what the pure core asks of one (``seams``), and the two that keep it: in memory and in SQLite."""
