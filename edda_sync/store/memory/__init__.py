"""
The memory store: plain dictionaries that implement all of ``seams``.

A reader's path: ``store``, ``journal`` (what the store holds, and how writes are undone), ``reader`` and ``writer`` (which
compose the facets, one file each).
"""
