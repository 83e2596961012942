"""
States in RocksDB: the keyed data of a store, beside its SQLite file.

SQLite's commit is the only one that is durable, and SQLite is RocksDB's log. A transaction writes what it did to states
and texts into one row of the table ``_pending`` (``writes``), in the same commit as everything else. Now and then whoever
has written settles it (``settling``): it carries what is pending over into RocksDB, whose own log is off, and only then
removes it from SQLite. So a state is what RocksDB has, covered by what is pending, newest first (``view``); and
everything in RocksDB can be made again from the log of changes.

Three promises follow from this, whatever happens between two steps:

1. *A reader sees one commit.* RocksDB is opened to read at one settlement and does not change under a reader; the reader's
   own SQLite transaction says what is pending since. A token that is new with each settlement stands in both and must be
   equal, so a folder that is missing, older, newer, damaged or of another store is never taken for this store's.
2. *Any process may open the store.* RocksDB is owned, under its lock, only for the moment of a settlement, inside a
   transaction of SQLite's. Nobody needs to ask another process for anything.
3. *A crash loses nothing and needs no repair.* What RocksDB did not keep is still pending.

Read ``layers`` and ``view`` first, then ``keeper``, ``states`` and ``settling``. ``sealed`` is about encrypted stores.
"""
