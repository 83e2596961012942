"""
The SQLite store: one file, which any number of processes share.

A reader's path: ``store`` (one writer, several readers), ``reader`` and ``writer`` (which compose the facets, one file
each), ``schema`` and ``fulltext`` (the tables), ``shape`` (what other programs changed in these), ``quiet`` (work that is
done when nobody writes).

Which file a store works on is watched by ``opening`` (before SQLite opens it), ``linked`` (files with several names),
``journal`` (whether a journal belongs to the file), ``place`` (before each commit), ``connections`` (across forks) and
``readers`` (readers that keep the journal from shrinking). ``sql`` is for programs that query with SQL.
"""
