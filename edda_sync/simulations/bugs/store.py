"""Bugs of store and engine: durability, rollback, transactions, rows, the digest."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, Edit, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "acknowledged before the disk has it",
        "A write returns before it is on the disk: MongoDB's write concern 1, Redis' appendfsync.",
        (5, 8, 9),
        "engine.writing:Writing.commit_drafts",
        "store.transact(work) if drafts",
        "store.submit(work).result() if drafts",
    ),
    one(
        "taken before the disk has it",
        "Changes from a peer are acknowledged, and passed on, before they are on the disk.",
        (5, 8),
        "sync.asked_once:AskedOnce.transact",
        "return self._store.transact(work)",
        "return self._store.submit(work).result()",
    ),
    Bug(
        "the view follows the log",
        "A peer's changes go into the log in one transaction, and into the view in the next.",
        (1, 3, 4, 11),
        (
            Edit("sync.taking:Taking._take", "fold.flush()\n", "pass\n"),
            Edit(
                "sync.taking:Taking.take",
                "taken = self._store.transact(lambda tx: self._take(tx, decoded, batch.heads, allows, parted, ready))\n",
                "taken = self._store.transact(lambda tx: self._take(tx, decoded, batch.heads, allows, parted, ready))\n"
                "    from edda_sync.sync.merging import open_taken\n"
                "    self._store.transact(lambda tx: self._ledger.rebuild(tx, open_taken))\n",
            ),
        ),
    ),
    one(
        "undone in the order of writing",
        "A rollback reads its journal forward, so whatever was written twice ends with its value in between.",
        (1, 6, 8, 11),
        "store.memory.journal:undo",
        "in reversed(journal)",
        "in journal",
    ),
    one(
        "a transaction in several changes",
        "Each operation of a transaction becomes a change of its own.",
        (4,),
        "engine.writing:Writing.commit_drafts",
        "return store.transact(work) if drafts else None",
        "dot = None\n    for draft in drafts:\n"
        "        dot = store.transact(lambda tx: self.commit(tx, [draft], reason, agent)) or dot\n"
        "    return dot",
    ),
    one(
        "a full disk is passed over",
        "A write that the disk refused is acknowledged: the error is logged, and nobody reads the log.",
        (5, 21),
        "engine.writing:Writing.commit_drafts",
        "return store.transact(work) if drafts else None",
        "from edda_sync.words.errors import StorageError\n    dot = None\n"
        "    with suppress(StorageError):\n"
        "        dot = store.transact(work) if drafts else None\n"
        "    return dot",
    ),
    one(
        "an update writes every field",
        "An object is read and written back whole, which reverts what sync brought meanwhile: most ORMs.",
        (6, 7, 21),
        "words.model:changed_cells",
        "{name: value for name, value in now.items() if base.get(name) != value}",
        "dict(now)",
    ),
    one(
        "the digest only adds",
        "An entity's former hash stays in the digest when it is hidden or comes back.",
        (1, 11, 18),
        "fold.projector:Projector._record",
        "0 if before is None or entity.overfull else",
        "0 if before is None or entity.overfull or before.hidden != entity.hidden else",
    ),
    one(
        "the row of what is deleted stays",
        "A deletion that comes from a peer leaves the row where it was.",
        (1, 11, 12),
        "fold.projector:Projector.delta",
        "if record.hidden and entities.was_visible(key):",
        "if record.hidden and entities.was_visible(key) and key not in self._strange:",
    ),
    one(
        "an edited text is not projected",
        "A text edit changes the text, but its row is not marked as out of date.",
        (1, 7, 11),
        "fold.projector:Projector.delta",
        "{key: True for key, became in self._changed.items() if became is Became.EDITED}",
        "{}",
    ),
    one(
        "a patch forgets when a task was done",
        "When one column of a row is written, the column that follows from it is not.",
        (1, 11, 12),
        "crdt.rows:columns_of",
        'changed.add("completed_at")',
        "pass",
    ),
    one(
        "a task that moves is patched",
        "A task gets another parent, and only that column of its row is written, as if it were an ordinary one.",
        (1, 11, 12),
        "fold.projector:Projector._rows",
        'if written is None or "parent_id" in written:',
        "if written is None:",
    ),
    one(
        "a patch leaves a text as it was",
        "A row waits for an edited text. A write to another cell of the entity ends that wait without the text.",
        (1, 7, 11),
        "fold.projector:Projector._rows",
        "if key in stale else written",
        "if False else written",
    ),
    one(
        "a newborn is written twice as one",
        "The second operation on an entity that is new in this pass takes it for new once more.",
        (1, 11, 12),
        "fold.entities:Entities.is_unwritten",
        "and key not in self.newborns",
        "",
    ),
    one(
        "a reader does not wait for texts",
        "A reader sees the rows of edited texts as they were before the edits.",
        (6, 7),
        "engine.reading:Reading.snapshot",
        "if not stale:",
        "if stale is not None:",
    ),
    Bug(
        "hidden is written once",
        "A row that is written again keeps the mark of being hidden that it got first.",
        (11, 12),
        (Edit("store.sqlite.states:SqliteStatesWriter.put", "SET hidden = excluded.hidden, ", "SET "),),
        backend="sqlite",
    ),
    Bug(
        "what a failed transaction knew",
        "What a transaction remembered is used by the next one, although the first was rolled back.",
        (0, 1, 9, 11),
        (Edit("store.sqlite.writer:SqliteWriter.roll_back", "self._forget_all()\n", "self._sql.forget_due()\n"),),
        backend="sqlite",
    ),
)
