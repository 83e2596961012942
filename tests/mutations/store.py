"""Mutants of the stores: transactions, connections, what is remembered."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "a fault of the disk ends one job of a batch and no other",
        "What else is in the batch is acknowledged, though nobody knows what the disk has.",
        "store/sqlite/store.py",
        "not writer.in_transaction or is_fault(error)",
        "not writer.in_transaction",
        ("store/sqlite/test_store.py",),
    ),
    Mutant(
        "a connection is kept after a fault of the disk",
        "Pages in memory that the disk does not have are read, and written into later commits.",
        "store/sqlite/store.py",
        "if isinstance(error, errors.StorageError):",
        "if False:",
        ("store/sqlite/test_store.py",),
    ),
    Mutant(
        "what another process commits is not noticed by the writer",
        "A number is given to two changes, as the head that is remembered is an old one.",
        "store/sqlite/tables.py",
        "if version != self._version:",
        "if False:",
        ("store/sqlite/test_store.py",),
    ),
    Mutant(
        "what a job remembered outlives it",
        "A change rests on what was undone, and no other device can take it.",
        "store/sqlite/tables.py",
        'self._forget_all()\n        if self.in_transaction:\n            self._execute("ROLLBACK TO job")',
        'if self.in_transaction:\n            self._execute("ROLLBACK TO job")',
        ("store/sqlite/test_store.py",),
    ),
    Mutant(
        "texts are not told that a job was undone",
        "A document goes on with an edit that never was, and differs from every other device's.",
        "store/sqlite/store.py",
        "self._on_end(False)\n            writer.undo_job()",
        "writer.undo_job()",
        ("store/sqlite/test_store.py",),
    ),
    Mutant(
        "a deleted task is still found by its words",
        "A search shows what was deleted, or the wrong task once its row is another's.",
        "store/sqlite/tables.py",
        'many(f"DELETE FROM _{kind}_search WHERE rowid = (SELECT rowid FROM {kind}s WHERE id = ?)", texts)',
        "pass",
        ("store/sqlite/test_store.py",),
    ),
    Mutant(
        "changes that move to the end of the log lose what they are about",
        "What is folded anew afterwards is folded without them.",
        "store/sqlite/tables.py",
        'for table in ("_log", "_log_parts", "_mentions", "_unapplied", "_rewritten"):',
        'for table in ("_log", "_log_parts", "_unapplied", "_rewritten"):',
        ("store/sqlite/test_store.py",),
    ),
    Mutant(
        "signatures stay with a name that its changes have no more",
        "A branch of a fork that was proved cannot be passed on.",
        "store/sqlite/tables.py",
        'for table in ("_log", "_signatures"):',
        'for table in ("_log",):',
        ("store/sqlite/test_store.py",),
    ),
    Mutant(
        "a reader that failed is lent again",
        "Who looks next is shown pages that the disk does not have.",
        "store/sqlite/readers.py",
        "failed = True",
        "failed = False",
        ("store/sqlite/test_store.py",),
    ),
    Mutant(
        "a forked child may open what its parent was writing",
        "Two processes write the file without a lock, and ruin it.",
        "store/sqlite/connections.py",
        "_parents.add(connection.file)",
        "pass",
        ("store/sqlite/test_connections.py",),
    ),
    Mutant(
        "what a transaction folded anew, and undid, is remembered",
        "A text that never was is shown, and edited.",
        "store/anew.py",
        "self._at = self._committed",
        "pass",
        ("store/test_anew.py",),
    ),
    Mutant(
        "a trigger that somebody added stays",
        "Each write does what another program wants, and the doctor calls the store sound.",
        "store/sqlite/shape.py",
        'part.kind in ("index", "trigger")',
        'part.kind == "index"',
        ("store/sqlite/test_shape.py",),
    ),
)
