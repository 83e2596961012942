"""
The memory store: plain dictionaries that keep the whole contract of ``seams``.

A reader's path: ``store``, ``journal`` (what it holds, and how writes are undone), ``reader`` and ``writer`` (the facets, a
file each).
"""
