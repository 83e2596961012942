"""The SQLite store: one file that any number of processes share."""
