"""A store into which operations are folded as if a peer had sent them, and what it then holds."""

from __future__ import annotations

from functools import partial
from typing import Any

from edda_sync.crdt import state
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Delete, Edit, Operation, Put, Unread
from edda_sync.fold.fold import Fold
from edda_sync.fold.scrub import scrub_digest, scrub_entities
from edda_sync.fold.texts import Texts
from edda_sync.store.delta import apply
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import Head, Logged, StoreReader, StoreWriter
from tests.crdt.authors import LAPTOP, PHONE, TABLET, device
from tests.crdt.histories import ACTORS, header_of
from tests.crdt.works import OTHER, TABLET_ID, TAG, TASK

A, B, C, D = ACTORS[:4]
AUTHOR = LAPTOP.public_key
TITLE: Operation = Put("task", TASK, {"title": "t"})
TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")
GENESIS = b"\7" * 16
REFUSED: dict[str, Operation | Unread] = {
    "unreadable": Unread(True),
    "malformed": Unread(True, "task", TASK),
    "title": Put("task", TASK, {"title": ""}),
    "title-beside-a-sound-cell": Put("task", TASK, {"title": "u", "priority": 9}),
    "title-beside-an-unknown-cell": Put("task", TASK, {"title": "", "unheard": 1}),
    "bool-for-a-number": Put("task", TASK, {"priority": True}),
    "float-for-a-number": Put("task", TASK, {"priority": 1.0}),
    "number-for-a-bool": Put("task", TASK, {"tag." + TAG: 1}),
    "id-for-a-text": Put("task", TASK, {"description": bytes(16)}),
    "tag-in-capitals": Put("task", TASK, {"tag." + TAG.upper(): True}),
    "link-without-words": Put("task", TASK, {"link." + TAG: True}),
    "name-of-another-tag": Put("tag", OTHER, {"name": "not of this id"}),
    "device-without-a-record": Put("device", OTHER, {"record": b"none"}),
    "record-of-another": Put("device", OTHER, device(PHONE, LAPTOP).cells),
    "record-by-another": device(PHONE, TABLET),
    "epoch-under-another-name": Put("workspace", OTHER, {"epoch.00": b"\x90"}),
    "deletion-out-of-order": Delete("task", TASK, ((B, 1), (A, 1))),
    "deletion-twice": Delete("task", TASK, ((A, 1), (A, 1))),
    "deletion-of-a-device": Delete("device", TABLET_ID, ((A, 1),)),
    "deletion-of-a-workspace": Delete("workspace", OTHER, ()),
    "edit-of-a-title": Edit("task", TASK, "title", GENESIS, b""),
    "edit-of-a-tag": Edit("tag", TASK, "description", GENESIS, b""),
    "edit-of-another-kind's-field": Edit("task", TASK, "content", GENESIS, b""),
    "edit-of-nothing": Edit("task", TASK, "", GENESIS, b""),
}
NEWER: dict[str, Operation | Unread] = {
    "code": Unread(False, "task", TASK),
    "kind": Unread(False),
    "cell": Put("task", TASK, {"unheard": 1}),
    "group-of-cells": Put("task", TASK, {"unheard.x": [1, {"a": None}]}),
    "cell-of-another-kind": Put("task", TASK, {"content": "x"}),
}


class Folded:
    """A store into which operations are folded as if a peer had sent them; its log holds nothing but headers."""

    def __init__(self) -> None:
        self.texts = Texts()
        self.store = MemoryStore(lambda ok: self.texts.committed() if ok else self.texts.rolled_back())
        self.changes = 0

    def receive(
        self,
        *operations: Operation | Unread,
        actor: bytes = A,
        seq: int = 0,
        past: Frontier | None = None,
        wall_ms: int | None = None,
        author: bytes = AUTHOR,
        understood: bool = True,
        branch: bytes | None = None,
    ) -> None:
        """Fold a change. Without a past it has seen nothing; its chain has the name of its actor, or of a branch."""
        self.changes += 1
        seq, wall_ms = seq or self.changes, 1_000 + (seq or self.changes) if wall_ms is None else wall_ms
        deps = {} if past is None else past

        def work(tx: StoreWriter) -> None:
            name = actor if branch is None else branch
            logged = Logged(self.changes, name, seq, b"%d" % self.changes, header_of(actor, seq, wall_ms), b"")
            tx.log.append(logged, Head(name, seq, logged.hash, b"\x90", b"", 0, b""))
            fold = Fold(tx, self.texts, write=partial(apply, tx))
            fold.begin(name, seq, wall_ms, deps, self.changes, author)
            fold.receive(operations, understood=understood)
            fold.flush()

        self.store.transact(work)

    def refresh(self) -> None:
        self.store.transact(lambda tx: Fold(tx, self.texts, write=partial(apply, tx)).refresh())

    def look(self, look: Any) -> Any:
        def read(reader: StoreReader) -> Any:
            return look(reader)

        with self.store.read() as reader:
            return read(reader)

    @property
    def refused(self) -> int:
        return len([each for each in self.look(lambda reader: reader.unapplied.operations()) if each.refused])

    @property
    def waiting(self) -> int:
        return int(self.look(lambda reader: reader.unapplied.waiting()))

    def entity(self, kind: str, entity_id: bytes) -> Entity | None:
        key = key_of(kind, entity_id)
        found = self.look(lambda reader: reader.states.get([key])).get(key)
        return None if found is None else state.entity_of(key, found.state)

    def table(self, name: str) -> list[Any]:
        return list(self.look(lambda reader: reader.tables.all(name)))

    def is_sound(self) -> bool:
        """Whether states, hashes, rows and digest fit each other."""

        def work(tx: StoreWriter) -> bool:
            found, _ = scrub_entities(tx, b"", 1_000)
            return not found and not scrub_digest(tx)

        return self.store.transact(work)


def all_of(folded: Folded) -> dict[str, Any]:
    """Everything that was folded into a store, as it holds it."""
    found: dict[str, Any] = {name: folded.table(name) for name in TABLES}
    found["digest"] = folded.look(lambda reader: reader.index.digest())
    found["records"] = folded.look(lambda reader: list(reader.states.scan()))
    found["conflicted"] = folded.look(lambda reader: reader.index.conflicted())
    keys = [record.key for record in found["records"]]
    found["deletions"] = folded.look(lambda reader: (reader.index.contested(), reader.index.deletions(keys)))
    found["rings"] = folded.look(lambda reader: reader.edges.in_rings())
    found["unapplied"] = sorted(
        (e.entity, e.refused) for e in folded.look(lambda reader: reader.unapplied.operations())
    )
    return found
