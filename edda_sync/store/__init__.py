"""Stores: the memory store and the SQLite store, which keep one contract (see ``protocols``)."""
