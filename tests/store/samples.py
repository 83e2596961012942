"""Samples for the contract of a store, which every implementation passes. The promises are in ``store/seams``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import Any, Protocol, TypeVar

from edda_sync.crdt.keys import key_of
from edda_sync.store.seams import (
    Attached,
    Deleted,
    Head,
    Logged,
    Patch,
    Record,
    Rewritten,
    Row,
    Shown,
    StoreReader,
    StoreWriter,
    Unapplied,
)
from edda_sync.words import values
from edda_sync.words.query import DocumentQuery, TaskQuery, plan

T = TypeVar("T")

ACTOR, OTHER = b"\xff" * 16, bytes(15) + b"\x07"
GENESIS, ANOTHER_GENESIS = b"\xff" * 16, bytes(15) + b"\x01"
TIME = "2026-03-01T09:30:00.000Z"
LATER = "2026-03-02T09:30:00.000Z"
EVERY_BYTE = bytes(range(256))
SEQ_MAX = (1 << 48) - 1
REFUSED = "UsageError: This store was opened before this process was forked; open it again in this process."


class Ending(Protocol):
    """The future of a queued transaction."""

    def result(self, timeout: float | None = None) -> Any: ...

    def exception(self, timeout: float | None = None) -> BaseException | None: ...

    def done(self) -> bool: ...

    def cancel(self) -> bool: ...


class AnyStore(Protocol):
    """A store as the contract suites use it."""

    def transact(self, work: Callable[[StoreWriter], T]) -> T: ...

    def submit(self, work: Callable[[StoreWriter], T]) -> Ending: ...

    def read(self) -> AbstractContextManager[StoreReader]: ...

    def version(self) -> int: ...

    def transact_unless_busy(self, work: Callable[[StoreWriter], object]) -> bool: ...

    def close(self) -> None: ...


def entity(number: int, kind: str = "task") -> bytes:
    return key_of(kind, number.to_bytes(16, "big"))


def text_id(number: int) -> str:
    return values.id_text(number.to_bytes(16, "big"))


def actor(number: int) -> bytes:
    return number.to_bytes(16, "big")


def hash_of(author: bytes, seq: int) -> bytes:
    return b"hash of " + author + b":%d" % seq


def logged(position: int, author: bytes, seq: int, body: bytes = EVERY_BYTE) -> Logged:
    return Logged(position, author, seq, hash_of(author, seq), b"header %d" % seq, body)


def head(author: bytes, seq: int) -> Head:
    return Head(author, seq, hash_of(author, seq), b"deps", b"birth", 0, b"")


def record(number: int, kind: str = "task", *, hidden: bool = False, state: bytes = EVERY_BYTE) -> Record:
    key = entity(number, kind)
    return Record(key, hidden, blake2b(key + state, digest_size=32).digest(), state)


def addend(held: Record) -> int:
    """The value that a record's hash adds to the digest."""
    return int.from_bytes(held.hash[:16], "big")


def task_row(number: int, **columns: Any) -> Row:
    row: dict[str, Any] = {
        "id": text_id(number), "title": f"task {number}", "description": None, "status": "open", "priority": 2,
        "created_at": TIME, "updated_at": TIME, "completed_at": None, "due_date": None, "parent_id": None,
        "metadata": None, "agent_context": None,
    }  # fmt: skip
    return tuple((row | columns).values())


def document_row(number: int, **columns: Any) -> Row:
    row: dict[str, Any] = {
        "id": text_id(number), "title": f"document {number}", "content_type": "text/markdown", "content": None,
        "doc_type": "note", "created_at": TIME, "updated_at": TIME, "version": "0", "metadata": None,
        "agent_context": None,
    }  # fmt: skip
    return tuple((row | columns).values())


def tag_row(number: int, name: str) -> Row:
    return text_id(number), name, None, None, TIME


def shown_task(
    number: int,
    *,
    tags: tuple[int, ...] = (),
    links: tuple[int, ...] = (),
    withheld: tuple[tuple[str, bytes, str], ...] = (),
    **columns: Any,
) -> Shown:
    return Shown(
        "task", entity(number), task_row(number, **columns), tuple((text_id(tag), TIME) for tag in tags),
        tuple((text_id(document), "reference", TIME) for document in links), withheld,
    )  # fmt: skip


def shown_document(number: int, *, tags: tuple[int, ...] = (), **columns: Any) -> Shown:
    tagged = tuple((text_id(tag), TIME) for tag in tags)
    return Shown("document", entity(number, "document"), document_row(number, **columns), tagged, (), ())


def shown_tag(number: int, name: str) -> Shown:
    return Shown("tag", entity(number, "tag"), tag_row(number, name), (), (), ())


def show(tx: StoreWriter, *shown: Shown, new: bool = True) -> None:
    tx.tables.show(shown, frozenset(each.key for each in shown) if new else frozenset())


def fill(tx: StoreWriter) -> None:
    """Write something of everything."""
    tx.meta.set("name", EVERY_BYTE)
    tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1))
    tx.log.append(logged(2, OTHER, 1, body=b""), head(OTHER, 1))
    tx.log.append(logged(3, actor(3), 1), head(actor(3), 1))
    tx.log.append(logged(5, actor(3), 2), head(actor(3), 2))
    tx.signatures.add(actor(3), 2, b"signature of the second")
    tx.log.append_part(2, 0, b"part 0")
    tx.log.append_part(2, 1, b"part 1")
    tx.segments.append(30, b"segment")
    tx.blobs.keep_part(b"segment", 0, b"part")
    tx.signatures.add(ACTOR, 1, b"signature")
    tx.incoming.expect(OTHER, 2, b"raw")
    tx.incoming.keep_part(OTHER, 2, 1, b"late part")
    tx.segments.set_behind(head(OTHER, 1))
    tx.segments.keep_rewritten(Rewritten(31, entity(1), "before", b"edits", b"left"))
    tx.evidence.add(b"name", EVERY_BYTE)
    tx.mentions.add([(entity(1), 1), (entity(2, "document"), 1)])
    tx.mentions.add([(entity(1), 2)])
    tx.states.put(
        [record(1), record(2, "document"), record(3, "tag"), record(4, hidden=True)], dict.fromkeys(KEYS, False)
    )
    tx.states.put([record(5)], {entity(5): True})
    tx.index.add_to_digest(5)
    withheld = (("parent_id", entity(4), "hidden"),)
    show(tx, shown_tag(3, "work"), shown_document(2, content="kept words"), shown_task(5, parent_id=text_id(1)))
    show(tx, shown_task(1, tags=(3,), links=(2,), withheld=withheld))
    tx.tables.index_texts()
    show(tx, shown_document(2, content="new words"), new=False)
    attached = Attached("file.1", EVERY_BYTE, bytes(32), 7, TIME)
    tx.attachments.put(
        {entity(2, "document"): [attached], entity(9, "document"): [attached._replace(root=bytes([1] * 32))]}
    )
    tx.attachments.hold(bytes(32))
    tx.states.put_text(entity(2), "content", GENESIS, b"state", 0)
    tx.states.append_text(entity(2), "content", GENESIS, ACTOR, 1, b"edit")
    tx.index.set_stale({entity(2): True})
    tx.index.set_deletions({entity(4): Deleted(((ACTOR, 1, 5, None), (OTHER, 1, 6, None)), False)})
    refused, waits = Unapplied(1, 2, entity(5), True, "malformed"), Unapplied(2, 1, entity(1), False, "newer")
    tx.unapplied.add([refused, waits])


def change_all(tx: StoreWriter) -> None:
    """Change or remove everything that :func:`fill` wrote."""
    tx.forget([entity(5)])
    tx.clear_view()
    tx.log.replace(logged(1, ACTOR, 1, body=b"mended"))
    tx.log.replace_part(2, 1, b"mended")
    tx.log.rename(actor(3), 1, actor(4), head(actor(3), 1))
    tx.log.move_to_end([2, 1])
    tx.meta.drop("name")
    tx.log.append(logged(4, ACTOR, 2), head(ACTOR, 2))
    tx.log.append_part(4, 0, b"part")
    tx.log.set_head(head(OTHER, 9))
    tx.signatures.add(ACTOR, 2, b"another")
    tx.blobs.keep_part(b"draft", 0, b"part")
    tx.blobs.rename(b"draft", b"named")
    tx.incoming.complete(OTHER, 2, 6)
    tx.segments.set_behind(head(OTHER, 2))
    tx.segments.keep_rewritten(Rewritten(32, entity(1), None, b"", b""))
    tx.segments.end(b"segment")
    tx.evidence.add(b"another name", b"more")
    tx.mentions.add([(entity(1), 4), (entity(9), 4)])
    tx.states.put([record(1, state=b"other")], {entity(1): True})
    tx.index.add_to_digest(-1)
    show(tx, shown_task(9, title="words"))
    tx.tables.patch([Patch("task", text_id(9), ("title",), ("other words",))])
    tx.tables.index_texts()
    tx.states.append_text(entity(9), "description", ANOTHER_GENESIS, OTHER, 2, b"edit")
    tx.states.put_text(entity(9), "description", ANOTHER_GENESIS, b"state", 0)
    tx.attachments.put({entity(9, "document"): [Attached("file.2", b"", bytes([2] * 32), 8, LATER)]})
    tx.attachments.release([bytes(32)])
    tx.index.set_deletions({entity(9): Deleted(((OTHER, 2, 7, None),), True)})
    tx.unapplied.add([Unapplied(4, 1, entity(9), False, "newer")])


AUTHORS = [ACTOR, OTHER, actor(3), actor(4)]
TASKS = [entity(number) for number in range(1, 10)]
KEYS = [*TASKS, *(entity(number, kind) for kind in ("document", "tag", "device") for number in range(1, 10))]


def dump(reader: StoreReader) -> dict[str, Any]:
    """Return everything that a reader shows."""
    log = [reader.log.read(position) for position in reader.log.positions_after({})]
    kinds = ("task", "document", "tag", "device")
    texts = [(entity(2), "content", GENESIS), (entity(9), "description", ANOTHER_GENESIS)]
    return {
        "meta": reader.meta.get("name"),
        "heads": dict(reader.log.heads()),
        "log": (reader.log.position(), log, [list(reader.log.parts(each.position)) for each in log]),
        "hashes": [reader.log.hash_at(author, seq) for author in AUTHORS for seq in range(1, 10)],
        "positions": [reader.log.position_of(author, seq) for author in AUTHORS for seq in range(1, 10)],
        "all hashes": [list(map(tuple, reader.log.hashes(author, first))) for author in AUTHORS for first in (1, 2, 9)],
        "headers": [list(reader.log.headers(author, 1, 9)) for author in AUTHORS],
        "signatures": [
            (
                reader.signatures.at(author, seq),
                reader.signatures.next(author, seq),
                reader.signatures.last(author, seq),
            )
            for author in AUTHORS
            for seq in range(3)
        ],
        "segments": (list(reader.segments.merged()), reader.blobs.part(b"segment", 0), reader.blobs.part(b"named", 0)),
        "kept segments": [tuple(each) for each in reader.blobs.unreferenced()],
        "incoming": list(reader.incoming.all()),
        "behind": (dict(reader.segments.behind()), list(reader.segments.rewritten())),
        "evidence": dict(reader.evidence.all()),
        "mentions": ([list(reader.mentions.of(each)) for each in KEYS], list(reader.mentions.entities_at(range(10)))),
        "records": reader.states.get(KEYS),
        "all": list(reader.states.scan()),
        "hidden": [reader.index.hidden(kind) for kind in kinds],
        "conflicted": reader.index.conflicted(),
        "deletions": (reader.index.contested(), reader.index.deletions(KEYS)),
        "edges": (
            reader.edges.referrers(KEYS),
            reader.edges.withheld_to(KEYS),
            reader.edges.in_rings(),
            reader.edges.parents_among(KEYS),
        ),
        "parents": [reader.edges.parent(each) for each in TASKS],
        "texts": [reader.states.text(*key) for key in texts],
        "all texts": [tuple(each) for each in reader.states.texts()],
        "due": (reader.index.stale(), reader.tables.unindexed()),
        "unapplied": (
            list(reader.unapplied.operations()),
            [list(reader.unapplied.operations(each)) for each in KEYS],
            reader.unapplied.waiting(),
            [list(reader.unapplied.waiting_at(each)) for each in KEYS],
            list(reader.unapplied.waiting_numbers()),
        ),
        "attachments": (
            list(reader.attachments.scan()),
            [list(reader.attachments.of(each)) for each in KEYS],
            list(reader.attachments.missing(1 << 40, 10)),
            reader.attachments.lacking(),
            reader.attachments.holds(bytes(32)),
        ),
        "digest": reader.index.digest(),
        "tables": [reader.tables.all(name) for name in ("tasks", "documents", "tags", "entity_tags", "task_documents")],
        "rows": [reader.tables.rows(plan(query)) for query in (TaskQuery(), DocumentQuery(text="words"))],
        "tags": reader.edges.tags_of("task", [text_id(1), text_id(9)]),
        "counts": reader.tables.counts(),
    }
