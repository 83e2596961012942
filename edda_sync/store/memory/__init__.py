"""The memory store: plain dictionaries that keep the whole contract of ``seams``."""
