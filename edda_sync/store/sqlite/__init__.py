"""
The SQLite store: one file that any number of processes share.

A reader's path: ``store`` (one writer, some readers), ``reader`` and ``writer`` (the facets, a file each), ``schema`` and
``fulltext`` (what there is), ``shape`` (what somebody changed in that), ``quiet`` (what is done once nobody writes). Whose
file it is: ``opening`` (before SQLite opens it), ``linked`` (under which names), ``journal`` (which one belongs to it),
``place`` (before each commit), ``connections`` (across forks) and ``readers`` (who holds up the journal). ``sql`` is for
programs that ask by SQL.
"""
