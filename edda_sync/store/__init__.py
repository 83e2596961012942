"""
Stores: what the pure core asks of one (``seams``, a file a facet), and the two that keep it: in memory and in SQLite.

Read ``seams/__init__`` first, then one facet on its way down: ``seams/log``, ``sqlite/log``, ``memory/log``. They are
composed in ``sqlite/reader`` and ``sqlite/writer``; ``sqlite/store`` runs transactions.
"""
