"""
Stores: what the pure core asks of a store (``seams``, one file for each facet), and its two implementations, in memory and
in SQLite.

Read ``seams/__init__`` first, then follow one facet: ``seams/log``, ``sqlite/log``, ``memory/log``. ``sqlite/reader`` and
``sqlite/writer`` compose the facets; ``sqlite/store`` runs transactions.
"""
