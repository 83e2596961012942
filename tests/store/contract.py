"""The contract of a store: every implementation passes all of it. What is promised stands in ``protocols``."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from edda_sync.crdt.entity import key_of
from edda_sync.store.seams import (
    Head,
    Incoming,
    Logged,
    Patch,
    Pointed,
    Record,
    Rewritten,
    Row,
    Shown,
    StoreReader,
    StoreWriter,
    Unapplied,
)
from edda_sync.words import values
from edda_sync.words.errors import CorruptError, StorageError, UsageError
from edda_sync.words.query import DocumentQuery, Query, TaskQuery, plan
from tests.forked import fork, in_child

T = TypeVar("T")

ACTOR, OTHER = b"\xff" * 16, bytes(15) + b"\x07"
GENESIS, ANOTHER_GENESIS = b"\xff" * 16, bytes(15) + b"\x01"
TIME = "2026-03-01T09:30:00.000Z"
LATER = "2026-03-02T09:30:00.000Z"
EVERY_BYTE = bytes(range(256))
SEQ_MAX = (1 << 48) - 1
REFUSED = "UsageError: This store was opened before this process was forked; open it again in this process."


class AnyStore(Protocol):
    """A store as its makers know it."""

    def transact(self, work: Callable[[StoreWriter], T]) -> T: ...

    def submit(self, work: Callable[[StoreWriter], T]) -> Future[T]: ...

    def read(self) -> AbstractContextManager[StoreReader]: ...

    def version(self) -> int: ...

    def is_busy(self) -> bool: ...

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
    """What a record's hash adds to the digest."""
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
    tx.states.put_text(entity(2), "content", GENESIS, b"state", 0)
    tx.states.append_text(entity(2), "content", GENESIS, ACTOR, 1, b"edit")
    tx.index.set_stale({entity(2): True})
    refused, waits = Unapplied(1, 2, entity(5), True, "malformed"), Unapplied(2, 1, entity(1), False, "newer")
    tx.unapplied.add([refused, waits])


def change_all(tx: StoreWriter) -> None:
    """Change or take away all that :func:`fill` wrote."""
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
    tx.unapplied.add([Unapplied(4, 1, entity(9), False, "newer")])


AUTHORS = [ACTOR, OTHER, actor(3), actor(4)]
TASKS = [entity(number) for number in range(1, 10)]
KEYS = [*TASKS, *(entity(number, kind) for kind in ("document", "tag", "device") for number in range(1, 10))]


def dump(reader: StoreReader) -> dict[str, Any]:
    """Return all that a reader shows."""
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
        "digest": reader.index.digest(),
        "tables": [reader.tables.all(name) for name in ("tasks", "documents", "tags", "entity_tags", "task_documents")],
        "rows": [reader.tables.rows(plan(query)) for query in (TaskQuery(), DocumentQuery(text="words"))],
        "tags": reader.edges.tags_of("task", [text_id(1), text_id(9)]),
        "counts": reader.tables.counts(),
    }


class StoreContract:
    """Every test below runs over every store; a class for each says how it is made."""

    def make(self, folder: Path, on_end: Callable[[bool], None]) -> AnyStore:
        raise NotImplementedError

    def view(self, store: AnyStore) -> dict[str, Any]:
        """Return all that a store holds of what is folded from the log, as it holds it."""
        raise NotImplementedError

    @pytest.fixture
    def ended(self) -> list[bool]:
        """What the store has told of the ends of its transactions."""
        return []

    @pytest.fixture
    def store(self, tmp_path: Path, ended: list[bool]) -> Iterator[AnyStore]:
        store = self.make(tmp_path, ended.append)
        yield store
        store.close()

    # --- transactions -------------------------------------------------------------------------------------------------

    def test_a_transaction_returns_what_its_work_returns(self, store: AnyStore) -> None:
        assert store.transact(lambda _tx: "result") == "result"
        assert store.submit(lambda _tx: 7).result(timeout=30) == 7

    def test_a_transaction_sees_what_it_wrote_at_once_and_others_see_the_same_afterwards(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> dict[str, Any]:
            fill(tx)
            return dump(tx)

        inside = store.transact(work)
        with store.read() as reader:
            assert dump(reader) == inside

    @pytest.mark.parametrize("filled", [False, True])
    def test_work_that_raises_leaves_no_trace(self, store: AnyStore, ended: list[bool], filled: bool) -> None:
        if filled:
            store.transact(fill)
        with store.read() as reader:
            before = dump(reader)
        ended.clear()
        failure = ValueError("stop")

        def work(tx: StoreWriter) -> None:
            (change_all if filled else fill)(tx)
            raise failure

        with pytest.raises(ValueError, match="stop") as caught:
            store.transact(work)
        assert caught.value is failure
        assert ended == [False]
        with store.read() as reader:
            assert dump(reader) == before
        store.transact(change_all if filled else fill)  # and it goes on

    def test_what_is_no_ordinary_exception_leaves_no_trace_either(self, store: AnyStore, ended: list[bool]) -> None:
        class PanicException(BaseException):
            pass

        def work(tx: StoreWriter) -> None:
            tx.meta.set("name", b"half")
            raise PanicException

        with pytest.raises(PanicException):
            store.transact(work)
        with store.read() as reader:
            assert reader.meta.get("name") is None
        assert ended == [False]
        assert store.transact(lambda tx: tx.meta.get("name")) is None

    def test_the_end_of_a_transaction_is_told_before_its_caller_hears_of_it(
        self, store: AnyStore, ended: list[bool]
    ) -> None:
        store.transact(lambda tx: tx.meta.set("name", b""))
        assert ended == [True]
        store.submit(lambda tx: tx.meta.get("name")).result(timeout=30)
        assert ended == [True, True]

    def test_transactions_of_many_threads_follow_one_another(self, store: AnyStore) -> None:
        def count(tx: StoreWriter) -> None:
            tx.meta.set("count", str(int(tx.meta.get("count") or b"0") + 1).encode())

        def twenty() -> None:
            for _ in range(20):
                store.transact(count)

        threads = [threading.Thread(target=twenty) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.read() as reader:
            assert reader.meta.get("count") == b"80"

    def test_a_future_carries_the_error_of_its_work(self, store: AnyStore) -> None:
        def work(_tx: StoreWriter) -> None:
            raise KeyError("mine")

        with pytest.raises(KeyError, match="mine"):
            store.submit(work).result(timeout=30)

    # --- readers ------------------------------------------------------------------------------------------------------

    def test_a_reader_sees_one_unmoving_state_while_others_write(self, store: AnyStore) -> None:
        with store.read() as empty:
            nothing = dump(empty)
            store.transact(fill)
            with store.read() as full:
                everything = dump(full)
                store.transact(change_all)
                with store.read() as changed:
                    assert dump(changed) != everything
                store.transact(lambda tx: tx.meta.set("name", b"once more"))
                assert dump(full) == everything
            assert dump(empty) == nothing
        assert nothing != everything

    def test_a_reader_goes_on_when_another_one_of_the_same_state_ends(self, store: AnyStore) -> None:
        store.transact(fill)
        with store.read() as reader:
            before = dump(reader)
            with store.read() as other:
                assert dump(other) == before
            store.transact(change_all)
            assert dump(reader) == before

    def test_a_reader_first_used_after_a_write_still_sees_the_state_it_was_opened_at(self, store: AnyStore) -> None:
        with store.read() as reader:
            store.transact(fill)
            assert reader.meta.get("name") is None
            assert reader.tables.all("tasks") == []

    def test_a_reader_opened_inside_a_transaction_sees_the_state_before_it(self, store: AnyStore) -> None:
        store.transact(fill)
        with store.read() as reader:
            before = dump(reader)

        def work(tx: StoreWriter) -> None:
            change_all(tx)
            with store.read() as reader:
                assert dump(reader) == before

        store.transact(work)

    def test_a_failed_transaction_does_not_show_to_a_reader_that_is_open(self, store: AnyStore) -> None:
        store.transact(fill)

        def work(tx: StoreWriter) -> None:
            change_all(tx)
            raise ValueError("stop")

        with store.read() as reader:
            before = dump(reader)
            with pytest.raises(ValueError, match="stop"):
                store.transact(work)
            assert dump(reader) == before
        with store.read() as reader:
            assert dump(reader) == before

    def test_what_a_reader_returned_stays_as_it_was(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            heads, evidence = tx.log.heads(), tx.evidence.all()
            fill(tx)
            assert dict(heads) == {}
            assert dict(evidence) == {}

        store.transact(work)

    def test_a_store_is_busy_while_a_transaction_runs(self, store: AnyStore) -> None:
        seen = [store.is_busy()]
        store.transact(lambda tx: seen.append(store.is_busy()))
        with store.read():
            seen.append(store.is_busy())
        assert seen == [False, True, False]

    def test_the_version_changes_with_each_commit_and_with_nothing_else(self, store: AnyStore) -> None:
        seen = [store.version()]
        for number in range(3):
            store.transact(lambda tx, number=number: tx.meta.set("name", b"%d" % number))  # type: ignore[misc]
            seen.append(store.version())
            with store.read() as reader:
                reader.meta.get("name")
            assert store.version() == seen[-1]
        assert len(set(seen)) == 4

    # --- closing ------------------------------------------------------------------------------------------------------

    def test_a_transaction_that_writes_nothing_leaves_the_version(self, store: AnyStore) -> None:
        store.transact(lambda tx: tx.meta.set("what", b"is written"))
        before = store.version()
        store.transact(lambda tx: tx.log.heads())
        assert store.version() == before

    @pytest.mark.parametrize("use", ["transact", "submit", "read", "version", "close"])
    def test_a_forked_child_is_refused_and_told_what_to_do_and_the_parent_goes_on(
        self, store: AnyStore, use: str
    ) -> None:
        store.transact(lambda tx: tx.meta.set("name", b"before"))

        def look() -> None:
            with store.read() as reader:
                reader.meta.get("name")

        uses: dict[str, Callable[[], object]] = {
            "transact": lambda: store.transact(lambda tx: tx.meta.set("name", b"the child's")),
            "submit": lambda: store.submit(lambda tx: tx.meta.set("name", b"the child's")).result(),
            "read": look,
            "version": lambda: store.version(),
            "close": lambda: store.close(),
        }
        assert in_child(uses[use]) == REFUSED
        with store.read() as reader:
            assert reader.meta.get("name") == b"before"
        store.transact(lambda tx: tx.meta.set("name", b"after"))
        with store.read() as reader:
            assert reader.meta.get("name") == b"after"

    def test_a_transaction_that_forks_is_committed_by_the_parent_alone(self, store: AnyStore) -> None:
        parent, (reading, writing) = os.getpid(), os.pipe()
        said: list[bytes] = []

        def work(tx: StoreWriter) -> None:
            tx.meta.set("name", b"written")
            child = fork()
            if child:  # the child goes on with the transaction at once
                os.waitpid(child, 0)
                said.append(os.read(reading, 1_000))

        try:
            store.transact(work)
        except BaseException as error:
            if os.getpid() == parent:
                raise
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            if os.getpid() != parent:
                os._exit(0)
        os.close(reading)
        os.close(writing)
        assert said == [REFUSED.encode()]
        with store.read() as reader:
            assert reader.meta.get("name") == b"written"
        store.transact(lambda tx: tx.meta.set("name", b"and on"))

    def test_a_closed_store_refuses_and_says_so(self, store: AnyStore) -> None:
        store.close()
        store.close()
        with pytest.raises(UsageError, match="open it again"):
            store.transact(lambda _tx: None)
        with pytest.raises(UsageError, match="open it again"):
            store.submit(lambda _tx: None)
        with pytest.raises(UsageError, match="open it again"), store.read():
            pass

    def test_closing_finishes_what_was_asked_before(self, store: AnyStore) -> None:
        futures = [store.submit(lambda tx: tx.meta.set("name", b"")) for _ in range(100)]
        store.close()
        assert all(future.done() and future.exception() is None for future in futures)

    # --- named values -------------------------------------------------------------------------------------------------

    def test_a_named_value_is_replaced_and_forgotten(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> list[bytes | None]:
            tx.meta.set("name", b"")
            found = [tx.meta.get("name"), tx.meta.get("other")]
            tx.meta.set("name", EVERY_BYTE)
            found.append(tx.meta.get("name"))
            tx.meta.drop("name")
            tx.meta.drop("never")
            return [*found, tx.meta.get("name")]

        assert store.transact(work) == [b"", None, EVERY_BYTE, None]

    # --- the log ------------------------------------------------------------------------------------------------------

    def test_the_log_gives_back_what_was_appended(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            assert tx.log.position() == 0
            tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1))
            tx.log.append(logged(2, actor(0), SEQ_MAX, body=b""), head(actor(0), SEQ_MAX))
            tx.log.append(logged(3, ACTOR, 2), head(ACTOR, 2))

        store.transact(work)
        with store.read() as reader:
            assert reader.log.position() == 3
            assert reader.log.heads() == {ACTOR: head(ACTOR, 2), actor(0): head(actor(0), SEQ_MAX)}
            assert reader.log.read(1) == logged(1, ACTOR, 1)
            assert reader.log.read(2) == logged(2, actor(0), SEQ_MAX, body=b"")
            assert reader.log.hash_at(ACTOR, 1) == hash_of(ACTOR, 1)
            assert reader.log.hash_at(ACTOR, 3) is None
            assert reader.log.hash_at(OTHER, 1) is None
            assert [reader.log.position_of(ACTOR, seq) for seq in (1, 2, 3)] == [1, 3, None]
            assert [seq for seq, _ in reader.log.hashes(ACTOR, 1)] == [1, 2]
            assert list(reader.log.hashes(ACTOR, 2)) == [(2, hash_of(ACTOR, 2))]
            assert list(reader.log.hashes(OTHER, 1)) == []

    def test_headers_are_read_from_a_seq_to_a_seq_whatever_order_they_came_in(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.log.set_head(head(ACTOR, 6))
            for position, (author, seq) in enumerate([(ACTOR, 4), (OTHER, 1), (ACTOR, 1), (ACTOR, 3), (ACTOR, 2)], 1):
                tx.log.append(
                    logged(position, author, seq),
                    head(author, max(seq, tx.log.heads().get(author, head(author, 0)).seq)),
                )

        store.transact(work)
        with store.read() as reader:
            assert list(reader.log.headers(ACTOR, 1, 4)) == [b"header %d" % seq for seq in (1, 2, 3, 4)]
            assert list(reader.log.headers(ACTOR, 2, 3)) == [b"header 2", b"header 3"]
            assert list(reader.log.headers(ACTOR, 4, 6)) == [b"header 4"]  # the others are not in the log
            assert list(reader.log.headers(ACTOR, 3, 2)) == list(reader.log.headers(actor(5), 1, 9)) == []

    def test_a_head_whose_change_is_not_in_the_log_has_a_hash_too(self, store: AnyStore) -> None:
        store.transact(lambda tx: tx.log.set_head(head(OTHER, 5)))
        with store.read() as reader:
            assert reader.log.hash_at(OTHER, 5) == hash_of(OTHER, 5)
            assert reader.log.hash_at(OTHER, 4) is None
            assert reader.log.position_of(OTHER, 5) is None
            assert list(reader.log.positions_after({})) == []

    def test_what_a_frontier_lacks_is_found_in_log_order(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for position, (number, seq) in enumerate([(9, 1), (4, 1), (9, 2), (4, 2), (9, 3)], 1):
                tx.log.append(logged(position, actor(number), seq), head(actor(number), seq))

        store.transact(work)
        with store.read() as reader:
            assert list(reader.log.positions_after({})) == [1, 2, 3, 4, 5]
            assert list(reader.log.positions_after({actor(9): 2})) == [2, 4, 5]
            assert list(reader.log.positions_after({actor(9): 3, actor(4): 1, actor(77): 5})) == [4]
            assert list(reader.log.positions_after({actor(9): 30, actor(4): 2})) == []

    @pytest.mark.parametrize("second", [logged(1, OTHER, 1), logged(2, ACTOR, 1)], ids=["position", "dot"])
    def test_neither_a_position_nor_a_dot_is_used_twice(self, store: AnyStore, second: Logged) -> None:
        store.transact(lambda tx: tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1)))
        with pytest.raises(StorageError):
            store.transact(lambda tx: tx.log.append(second, head(second.actor, second.seq)))
        with store.read() as reader:
            assert reader.log.position() == 1
            assert set(reader.log.heads()) == {ACTOR}

    def test_parts_come_in_order_and_end_at_the_first_gap(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for number in (2, 0, 1, 4):
                tx.log.append_part(1, number, b"part %d" % number)

        store.transact(work)
        with store.read() as reader:
            assert list(reader.log.parts(1)) == [b"part 0", b"part 1", b"part 2"]
            assert reader.log.part(1, 4) == b"part 4"
            assert reader.log.part(1, 3) is None
            assert list(reader.log.parts(2)) == []
        with pytest.raises(StorageError):
            store.transact(lambda tx: tx.log.append_part(1, 0, b"again"))

    def test_what_rotted_in_the_log_is_replaced_where_it_stands(self, store: AnyStore) -> None:
        sound = [logged(1, ACTOR, 1), logged(2, OTHER, 1, body=b""), logged(3, ACTOR, 2)]
        rotten = sound[1]._replace(hash=b"rotten", raw=b"rotten", body=b"rotten")

        def begin(tx: StoreWriter) -> None:
            for each in (sound[0], rotten, sound[2]):
                tx.log.append(each, head(each.actor, each.seq))
            tx.log.append_part(2, 0, b"part 0")
            tx.log.append_part(2, 1, b"rotten")

        def mend(tx: StoreWriter) -> None:
            tx.log.replace(sound[1])
            tx.log.replace_part(2, 1, b"part 1")

        store.transact(begin)
        store.transact(mend)
        with store.read() as reader:
            assert [reader.log.read(position) for position in reader.log.positions_after({})] == sound
            assert list(reader.log.parts(2)) == [b"part 0", b"part 1"]
            assert reader.log.heads() == {ACTOR: head(ACTOR, 2), OTHER: head(OTHER, 1)}
            assert list(reader.log.hashes(OTHER, 1)) == [(1, hash_of(OTHER, 1))]
            assert (reader.log.position(), reader.tables.counts()["changes"]) == (3, 3)

    def test_a_writer_sees_the_heads_that_it_moves_and_signs(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for seq in (1, 2, 3):
                tx.log.append(logged(seq, ACTOR, seq), head(ACTOR, seq))
                assert tx.log.heads() == {ACTOR: head(ACTOR, seq)}
            tx.signatures.add(OTHER, 1, b"of nobody who is here")
            for seq, signed in ((2, 2), (1, 2), (3, 3)):  # an older signature vouches for less
                tx.signatures.add(ACTOR, seq, b"signature %d" % seq)
                expected = head(ACTOR, 3)._replace(signed_seq=signed, signature=b"signature %d" % signed)
                assert tx.log.heads() == {ACTOR: expected}

        store.transact(work)
        with store.read() as reader:
            assert reader.log.heads() == store.transact(lambda tx: tx.log.heads())

    def test_changes_above_a_seq_are_called_by_another_name_with_signatures_and_head(self, store: AnyStore) -> None:
        new = actor(77)

        def begin(tx: StoreWriter) -> None:
            for position, (author, seq) in enumerate([(ACTOR, 1), (OTHER, 1), (ACTOR, 2), (ACTOR, 3), (ACTOR, 4)], 1):
                tx.log.append(logged(position, author, seq), head(author, seq))
            for seq in (1, 2, 4):
                tx.signatures.add(ACTOR, seq, b"signature %d" % seq)

        store.transact(begin)
        before = head(ACTOR, 2)._replace(deps=b"deps then", signature=b"of a later one")
        assert list(store.transact(lambda tx: tx.log.rename(ACTOR, 2, new, before))) == [4, 5]
        with store.read() as reader:
            heads = reader.log.heads()
            assert heads[ACTOR] == before._replace(signed_seq=2, signature=b"signature 2")
            assert heads[new] == head(ACTOR, 4)._replace(actor=new, signed_seq=4, signature=b"signature 4")
            assert heads[OTHER] == head(OTHER, 1)
            assert [(each.actor, each.seq) for each in map(reader.log.read, reader.log.positions_after({}))] == [
                (ACTOR, 1), (OTHER, 1), (ACTOR, 2), (new, 3), (new, 4),
            ]  # fmt: skip
            assert reader.log.read(4) == logged(4, ACTOR, 3)._replace(actor=new)
            assert [reader.log.position_of(ACTOR, seq) for seq in (1, 2, 3)] == [1, 3, None]
            assert [reader.log.position_of(new, seq) for seq in (2, 3, 4)] == [None, 4, 5]
            assert [reader.signatures.at(ACTOR, seq) for seq in (1, 2, 4)] == [b"signature 1", b"signature 2", None]
            assert [reader.signatures.next(new, seq) for seq in (1, 4, 5)] == [4, 4, None]
            assert list(reader.log.positions_after({ACTOR: 2})) == [2, 4, 5]

    def test_changes_move_behind_all_others_with_all_that_goes_by_where_they_stand(self, store: AnyStore) -> None:
        kept = Rewritten(4, entity(4), "before", b"edits", b"left")

        def begin(tx: StoreWriter) -> None:
            tx.segments.append(9, b"segment")
            for seq, position in enumerate((1, 2, 4, 12), 1):
                tx.log.append(logged(position, ACTOR, seq), head(ACTOR, seq))
                tx.log.append_part(position, 0, b"part of %d" % seq)
                tx.mentions.add([(entity(seq), position), (entity(9), position)])
                tx.unapplied.add([Unapplied(position, 1, entity(seq), seq == 2, "why")])
                tx.segments.keep_rewritten(kept._replace(position=position, entity=entity(seq)))

        def move(tx: StoreWriter) -> list[int]:
            tx.log.move_to_end([4, 1])
            return [tx.log.position()]

        store.transact(begin)
        assert store.transact(move) == [14]
        store.transact(lambda tx: tx.log.move_to_end([]))
        with store.read() as reader:
            positions = list(reader.log.positions_after({}))
            assert positions == [2, 12, 13, 14]
            assert [reader.log.read(position) for position in positions] == [
                logged(position, ACTOR, seq) for position, seq in zip(positions, (2, 4, 3, 1), strict=True)
            ]
            assert [reader.log.position_of(ACTOR, seq) for seq in (1, 2, 3, 4)] == [14, 2, 13, 12]
            assert [list(reader.log.parts(position)) for position in (4, *positions)] == [
                [], *([b"part of %d" % seq] for seq in (2, 4, 3, 1)),
            ]  # fmt: skip
            assert list(reader.mentions.of(entity(9))) == positions
            assert [list(reader.mentions.of(entity(seq))) for seq in (1, 2, 3, 4)] == [[14], [2], [13], [12]]
            assert [(each.position, each.entity) for each in reader.unapplied.operations()] == [
                (position, entity(seq)) for position, seq in zip(positions, (2, 4, 3, 1), strict=True)
            ]
            assert reader.unapplied.waiting() == 3
            assert [each.position for each in reader.segments.rewritten()] == positions
            assert reader.log.heads() == {ACTOR: head(ACTOR, 4)}
            assert list(reader.segments.merged()) == [(9, b"segment")]
            assert (reader.log.position(), reader.tables.counts()["changes"]) == (14, 4)

    def test_the_last_change_may_move_to_the_end_as_well(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> int:
            tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1))
            tx.log.move_to_end([1])
            tx.log.append(logged(tx.log.position() + 1, ACTOR, 2), head(ACTOR, 2))
            return tx.log.position()

        assert store.transact(work) == 3
        with store.read() as reader:
            assert list(reader.log.positions_after({})) == [2, 3]

    def test_a_chain_that_forks_at_its_first_change_leaves_nothing_under_its_name(self, store: AnyStore) -> None:
        new = actor(77)

        def work(tx: StoreWriter) -> list[int]:
            tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1))
            tx.signatures.add(ACTOR, 1, b"signature")
            return list(tx.log.rename(ACTOR, 0, new, None))

        assert store.transact(work) == [1]
        with store.read() as reader:
            assert reader.log.heads() == {new: head(ACTOR, 1)._replace(actor=new, signed_seq=1, signature=b"signature")}
            assert reader.log.hash_at(ACTOR, 1) is None
            assert reader.signatures.at(new, 1) == b"signature"

    def test_of_a_chain_that_was_never_signed_the_rest_is_unsigned_too(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for seq in (1, 2):
                tx.log.append(logged(seq, ACTOR, seq), head(ACTOR, seq))
            tx.signatures.add(ACTOR, 2, b"signature")
            tx.log.rename(ACTOR, 1, OTHER, head(ACTOR, 1)._replace(signature=b"signature"))

        store.transact(work)
        with store.read() as reader:
            assert reader.log.heads()[ACTOR] == head(ACTOR, 1)

    def test_what_a_segment_stands_for_is_renamed_by_its_head_alone(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> list[int]:
            tx.log.set_head(head(ACTOR, 9))
            tx.segments.append(10, b"segment")
            tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 9))
            tx.log.append(logged(2, ACTOR, 2), head(ACTOR, 9))
            return list(tx.log.rename(ACTOR, 1, OTHER, head(ACTOR, 1)))

        assert store.transact(work) == [2]
        with store.read() as reader:
            assert reader.log.heads() == {ACTOR: head(ACTOR, 1), OTHER: head(ACTOR, 9)._replace(actor=OTHER)}
            assert [reader.log.position_of(OTHER, seq) for seq in (1, 2, 3)] == [None, 2, None]

    def test_a_signature_is_kept_at_its_seq_and_the_head_knows_the_latest(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.log.set_head(head(ACTOR, 9))
            tx.signatures.add(ACTOR, 5, b"five")
            tx.signatures.add(ACTOR, 3, b"three")
            tx.signatures.add(ACTOR, 5, b"another five")
            tx.signatures.add(OTHER, 4, b"of nobody known")

        store.transact(work)
        with store.read() as reader:
            assert reader.log.heads()[ACTOR] == head(ACTOR, 9)._replace(signed_seq=5, signature=b"five")
            assert set(reader.log.heads()) == {ACTOR}
            assert [reader.signatures.at(ACTOR, seq) for seq in (3, 4, 5)] == [b"three", None, b"five"]
            assert [reader.signatures.next(ACTOR, seq) for seq in (1, 3, 4, 6)] == [3, 3, 5, None]
            assert [reader.signatures.last(ACTOR, seq) for seq in (2, 3, 4, 6)] == [None, 3, 3, 5]
            assert reader.signatures.next(OTHER, 1) == 4

    def test_segments_stand_in_the_log_and_their_parts_beside_it(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.log.append(logged(1, ACTOR, 1), head(ACTOR, 1))
            tx.segments.append(2, b"second")
            tx.segments.append(7, b"seventh")
            tx.blobs.keep_part(b"second", 0, b"part 0")
            tx.blobs.keep_part(b"second", 0, b"again")
            tx.blobs.keep_part(b"dropped", 0, b"part 0")
            tx.blobs.drop(b"second")  # which was merged
            tx.blobs.drop(b"dropped")

        store.transact(work)
        with store.read() as reader:
            assert list(reader.segments.merged()) == [(2, b"second"), (7, b"seventh")]
            assert reader.log.position() == 7
            assert reader.blobs.part(b"second", 0) == b"part 0"
            assert reader.blobs.part(b"second", 1) is None
            assert reader.blobs.part(b"dropped", 0) is None

    def test_a_segment_leaves_room_in_the_log_for_the_changes_that_it_stands_for(self, store: AnyStore) -> None:
        def begin(tx: StoreWriter) -> list[int]:
            tx.log.set_head(head(OTHER, 8))
            tx.segments.append(9, b"segment")
            found = [tx.log.position()]
            tx.log.append(logged(10, ACTOR, 1), head(ACTOR, 1))
            found.append(tx.log.position())
            tx.log.append(logged(1, OTHER, 1), head(OTHER, 8))
            return [*found, tx.log.position()]

        def go_on(tx: StoreWriter) -> int:
            tx.log.append(logged(2, OTHER, 2), head(OTHER, 8))
            return tx.log.position()

        assert store.transact(begin) == [9, 10, 10]
        assert store.transact(go_on) == 10
        with store.read() as reader:
            assert reader.log.position() == 10
            assert list(reader.log.positions_after({})) == [1, 2, 10]
            assert list(reader.log.positions_after({OTHER: 1})) == [2, 10]
            assert list(reader.log.hashes(OTHER, 1)) == [(1, hash_of(OTHER, 1)), (2, hash_of(OTHER, 2))]
            assert [reader.log.hash_at(OTHER, seq) for seq in (2, 3, 8)] == [hash_of(OTHER, 2), None, hash_of(OTHER, 8)]
            assert reader.tables.counts()["changes"] == 3

    def test_a_segment_below_what_is_in_the_log_moves_its_end_nowhere(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> list[int]:
            tx.log.append(logged(5, ACTOR, 1), head(ACTOR, 1))
            tx.segments.append(2, b"segment")
            return [tx.log.position()]

        assert store.transact(work) == [5]
        with store.read() as reader:
            assert reader.log.position() == 5

    def test_a_segment_in_the_making_takes_its_hash_for_its_name(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.blobs.keep_part(b"draft", 0, b"part 0")
            tx.blobs.keep_part(b"draft", 1, b"part 1")
            tx.blobs.keep_part(b"hash", 0, b"kept")
            tx.blobs.rename(b"draft", b"hash")

        store.transact(work)
        with store.read() as reader:
            assert [reader.blobs.part(b"hash", number) for number in range(3)] == [b"kept", b"part 1", None]
            assert reader.blobs.part(b"draft", 0) is None

    def test_segments_that_were_not_merged_are_counted_by_their_parts(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.segments.append(1, b"merged")
            for segment, number in ((b"merged", 0), (b"half", 1), (b"half", 0), (b"a whole", 0), (b"half", 0)):
                tx.blobs.keep_part(segment, number, b"part")

        store.transact(work)
        with store.read() as reader:
            assert [tuple(each) for each in reader.blobs.unreferenced()] == [(b"a whole", 1), (b"half", 2)]

    def test_a_large_change_that_came_by_another_way_is_forgotten_with_its_parts(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.incoming.expect(OTHER, 1, b"header")
            tx.incoming.keep_part(OTHER, 1, 0, b"part")
            tx.incoming.expect(ACTOR, 2, b"another")
            tx.incoming.forget(OTHER, 1)
            tx.incoming.forget(OTHER, 7)
            tx.incoming.expect(OTHER, 1, b"again")

        store.transact(work)
        with store.read() as reader:
            found = sorted(reader.incoming.all())
        assert found == sorted([Incoming(OTHER, 1, b"again", frozenset()), Incoming(ACTOR, 2, b"another", frozenset())])

    def test_parts_of_a_large_change_wait_until_it_is_complete(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.incoming.expect(OTHER, 1, b"header")
            tx.incoming.expect(OTHER, 1, b"again")
            tx.incoming.expect(ACTOR, 2, b"another")
            for number in (1, 0, 1):
                tx.incoming.keep_part(OTHER, 1, number, b"part %d" % number)

        store.transact(work)
        with store.read() as reader:
            assert list(reader.incoming.all()) == [
                Incoming(OTHER, 1, b"header", frozenset({0, 1})),
                Incoming(ACTOR, 2, b"another", frozenset()),
            ]
        store.transact(lambda tx: tx.incoming.complete(OTHER, 1, 4))
        with store.read() as reader:
            assert list(reader.log.parts(4)) == [b"part 0", b"part 1"]
            assert [each.actor for each in reader.incoming.all()] == [ACTOR]
            assert list(reader.incoming.all(2)) == list(reader.incoming.all())
            assert list(reader.incoming.all(SEQ_MAX)) == []

    def test_the_log_behind_a_segment_is_forgotten_with_what_was_signed_of_it_and_the_rest_stays(
        self, store: AnyStore
    ) -> None:
        def begin(tx: StoreWriter) -> None:
            tx.segments.append(9, b"segment")
            tx.log.set_head(head(OTHER, 8))
            tx.signatures.add(OTHER, 8, b"of the segment")
            tx.log.append_part(2, 0, b"part")
            for seq in (1, 2):
                tx.log.append(logged(seq, OTHER, seq), head(OTHER, 8))
                tx.signatures.add(OTHER, seq, b"behind")
            tx.log.set_head(head(OTHER, 8)._replace(signed_seq=8, signature=b"of the segment"))
            tx.log.append(logged(10, ACTOR, 1), head(ACTOR, 1))
            tx.signatures.add(ACTOR, 1, b"beyond")
            tx.log.append_part(10, 0, b"part")
            tx.segments.set_behind(head(OTHER, 2))

        store.transact(begin)
        store.transact(lambda tx: tx.segments.drop_behind())
        with store.read() as reader:
            assert dict(reader.segments.behind()) == {}
            assert list(reader.log.positions_after({})) == [10]
            assert reader.log.position_of(OTHER, 1) is None
            assert list(reader.log.parts(2)) == []
            assert list(reader.log.parts(10)) == [b"part"]
            assert (reader.signatures.at(OTHER, 1), reader.signatures.at(OTHER, 2)) == (None, None)
            assert reader.signatures.at(OTHER, 8) == b"of the segment"
            assert reader.signatures.at(ACTOR, 1) == b"beyond"
            assert [position for position, _ in reader.segments.merged()] == [9]
            assert reader.log.heads()[OTHER].seq == 8
        store.transact(lambda tx: tx.log.append(logged(1, OTHER, 1), head(OTHER, 8)))

    def test_how_far_the_log_behind_a_segment_is_here_is_known_until_the_segment_ends(self, store: AnyStore) -> None:
        def begin(tx: StoreWriter) -> None:
            tx.segments.append(9, b"segment")
            tx.blobs.keep_part(b"segment", 0, b"part")
            tx.blobs.keep_part(b"half", 0, b"part")
            tx.log.append(logged(1, OTHER, 1), head(OTHER, 8))
            for each in (head(OTHER, 1), head(ACTOR, 1), head(OTHER, 2)):
                tx.segments.set_behind(each)

        def end(tx: StoreWriter) -> int:
            tx.segments.end(b"segment")
            return tx.log.position()

        def fail(tx: StoreWriter) -> None:
            tx.segments.end(b"segment")
            raise ValueError("stop")

        store.transact(begin)
        with pytest.raises(ValueError, match="stop"):
            store.transact(fail)
        with store.read() as reader:
            assert dict(reader.segments.behind()) == {OTHER: head(OTHER, 2), ACTOR: head(ACTOR, 1)}
            assert reader.log.heads() == {OTHER: head(OTHER, 8)}
            assert reader.log.position() == 9
        assert store.transact(end) == 1
        with store.read() as reader:
            assert dict(reader.segments.behind()) == {}
            assert list(reader.segments.merged()) == []
            assert reader.blobs.part(b"segment", 0) is None
            assert [tuple(each) for each in reader.blobs.unreferenced()] == [(b"half", 1)]
            assert reader.log.position() == 1
            assert [reader.log.read(position) for position in reader.log.positions_after({})] == [logged(1, OTHER, 1)]

    def test_what_edits_made_of_texts_is_kept_in_log_order_until_it_is_forgotten(self, store: AnyStore) -> None:
        kept = [
            Rewritten(12, entity(2), "before ünï", b"", b"first"),
            Rewritten(11, entity(1), None, b"edits", b"second"),
            Rewritten(12, entity(1), "", b"", b"third"),
        ]

        def forget(tx: StoreWriter) -> None:
            tx.segments.forget_rewritten()
            assert list(tx.segments.rewritten()) == []
            raise ValueError("stop")

        def keep(tx: StoreWriter) -> None:
            for each in kept:
                tx.segments.keep_rewritten(each)

        store.transact(keep)
        with pytest.raises(ValueError, match="stop"):
            store.transact(forget)
        with store.read() as reader:
            assert list(reader.segments.rewritten()) == [kept[1], kept[0], kept[2]]
            left = [reader.segments.left_by_rewriting(entity(number)) for number in (1, 2, 3)]
            assert left == [b"third", b"first", None]
        store.transact(lambda tx: tx.segments.forget_rewritten())
        with store.read() as reader:
            assert list(reader.segments.rewritten()) == []
            assert reader.segments.left_by_rewriting(entity(1)) is None

    def test_lives_are_dropped_with_all_that_goes_by_where_their_changes_stand(self, store: AnyStore) -> None:
        def fill(tx: StoreWriter) -> None:
            for position, actor, seq in ((1, ACTOR, 1), (2, OTHER, 1), (3, ACTOR, 2), (4, OTHER, 2)):
                tx.log.append(logged(position, actor, seq), head(actor, seq))
                tx.log.append_part(position, 0, b"part")
                tx.mentions.add([(entity(1), position)])
                tx.unapplied.add([Unapplied(position, 1, entity(1), False, "waits")])
                tx.segments.keep_rewritten(Rewritten(position, entity(1), "x", b"", b""))
                tx.signatures.add(actor, seq, b"signed")

        def drop(tx: StoreWriter) -> int:
            tx.log.drop_lives([OTHER])
            return tx.log.position()

        def fail(tx: StoreWriter) -> None:
            assert drop(tx) == 3
            raise ValueError("stop")

        store.transact(fill)
        with pytest.raises(ValueError, match="stop"):
            store.transact(fail)
        with store.read() as reader:
            assert list(reader.log.positions_after({})) == [1, 2, 3, 4]
            assert reader.unapplied.waiting() == 4
        assert store.transact(drop) == 3
        with store.read() as reader:
            assert set(reader.log.heads()) == {ACTOR}
            assert list(reader.log.positions_after({})) == list(reader.mentions.of(entity(1))) == [1, 3]
            assert [reader.log.position_of(OTHER, seq) for seq in (1, 2)] == [None, None]
            assert [list(reader.log.parts(position)) for position in (1, 2)] == [[b"part"], []]
            assert [each.position for each in reader.unapplied.operations()] == [1, 3]
            assert [each.position for each in reader.segments.rewritten()] == [1, 3]
            assert (reader.signatures.at(OTHER, 2), reader.signatures.at(ACTOR, 2)) == (None, b"signed")
            assert (reader.unapplied.waiting(), reader.log.position()) == (2, 3)
        store.transact(lambda tx: tx.log.append(logged(4, OTHER, 1), head(OTHER, 1)))
        store.transact(lambda tx: tx.segments.keep_rewritten(Rewritten(4, entity(2), "y", b"", b"")))
        with store.read() as reader:
            assert [each.before for each in reader.segments.rewritten()] == ["x", "x", "y"]

    def test_the_log_ends_with_its_last_change_when_a_segment_below_it_ends(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> list[int]:
            tx.segments.append(9, b"segment")
            tx.log.append(logged(10, ACTOR, 1), head(ACTOR, 1))
            tx.segments.end(b"segment")
            return [tx.log.position()]

        assert store.transact(work) == [10]
        with store.read() as reader:
            assert reader.log.position() == 10

    def test_evidence_is_a_set_by_its_name(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> list[int]:
            sizes = [len(tx.evidence.names())]
            for name, says in ((b"\xff", EVERY_BYTE), (b"\0", b""), (b"\xff", b"what comes again is the same")):
                tx.evidence.add(name, says)
                sizes.append(len(tx.evidence.names()))
            return sizes

        assert store.transact(work) == [0, 1, 2, 2]
        store.transact(lambda tx: tx.evidence.add(b"\0", b"what comes again is the same"))
        with store.read() as reader:
            assert list(reader.evidence.all().items()) == [(b"\0", b""), (b"\xff", EVERY_BYTE)]
            assert list(reader.evidence.names()) == [b"\0", b"\xff"]
            assert [reader.evidence.get(name) for name in (b"\0", b"\xff", b"none")] == [b"", EVERY_BYTE, None]
        store.transact(lambda tx: tx.evidence.drop(b"\0"))
        store.transact(lambda tx: tx.evidence.drop(b"what nobody kept"))
        with store.read() as reader:
            assert list(reader.evidence.all().items()) == [(b"\xff", EVERY_BYTE)]

    def test_the_changes_that_are_about_an_entity_are_found_in_log_order(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.mentions.add([(entity(1), 7), (entity(2), 7)])
            tx.mentions.add([(entity(1), 3)])
            tx.mentions.add([(entity(1), 300), (entity(1, "document"), 300), (entity(1), 300)])
            tx.mentions.add([(entity(1), 7)])  # again is nothing
            tx.mentions.add([])

        store.transact(work)
        store.transact(lambda tx: tx.mentions.add([(entity(1), 1)]))
        with store.read() as reader:
            found = [
                list(reader.mentions.of(each)) for each in (entity(1), entity(2), entity(1, "document"), entity(3))
            ]
            assert reader.mentions.count() == 6
            assert list(reader.mentions.entities_at([300, 1])) == [entity(1), entity(1, "document")]
            assert list(reader.mentions.entities_at([8, 9])) == list(reader.mentions.entities_at([])) == []
            assert list(reader.mentions.entities_at(range(2_000))) == [entity(1), entity(2), entity(1, "document")]
        assert found == [[1, 3, 7, 300], [7], [300], []]

    # --- entities -----------------------------------------------------------------------------------------------------

    def test_states_are_found_by_key_and_in_order_of_kinds_and_ids(self, store: AnyStore) -> None:
        many = [record(number, kind) for kind in ("task", "document") for number in range(1_250)]

        def work(tx: StoreWriter) -> None:
            tx.states.put(many[::-1], dict.fromkeys((each.key for each in many), False))

        store.transact(work)
        with store.read() as reader:
            assert list(reader.states.scan()) == many
            assert list(reader.states.scan("task")) == many[:1_250]
            assert list(reader.states.scan("document")) == many[1_250:]
            assert list(reader.states.scan("document", after=many[1_299].key)) == many[1_300:]
            assert list(reader.states.scan("document", after=many[7].key)) == many[1_250:]
            assert list(reader.states.scan("device")) == []
            found = reader.states.get(entity(number, "document") for number in range(500, 3_000))
            assert found == {each.key: each for each in many[1_750:]}
            assert reader.states.get([]) == {}

    def test_a_state_is_replaced_and_its_marks_with_it(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            marks = {entity(1): True, entity(2): False, entity(3): True}
            tx.states.put([record(1), record(2, hidden=True), record(3)], marks)
            tx.states.put([record(1, hidden=True, state=b"new"), record(2)], {entity(1): False, entity(2): True})

        store.transact(work)
        with store.read() as reader:
            assert reader.states.get([entity(1)]) == {entity(1): record(1, hidden=True, state=b"new")}
            assert reader.index.hidden("task") == [entity(1)]
            assert reader.index.hidden("document") == []
            assert reader.index.conflicted() == [entity(2), entity(3)]

    def test_ids_are_found_by_their_end_and_the_visible_come_first(self, store: AnyStore) -> None:
        def number(high: int, low: int) -> int:
            return high << 32 | low

        records = [record(number(high, 0xABCDEF), hidden=high < 5) for high in range(30)]
        records += [record(number(1, 0xABCDEE)), record(number(40, 0xABCDEF), "document")]
        store.transact(lambda tx: tx.states.put(records, dict.fromkeys((each.key for each in records), False)))
        with store.read() as reader:
            found = reader.index.ids_ending("task", "abcdef")
            assert found == [text_id(number(high, 0xABCDEF)) for high in range(5, 25)]
            assert reader.index.ids_ending("task", "000100abcdee") == [text_id(number(1, 0xABCDEE))]
            assert reader.index.ids_ending("document", "abcdef") == [text_id(number(40, 0xABCDEF))]
            assert reader.index.ids_ending("task", "abcdf0") == []

    def test_the_digest_is_a_sum_modulo_2_to_the_128(self, store: AnyStore) -> None:
        top = (1 << 128) - 1

        def work(tx: StoreWriter) -> list[int]:
            found = [tx.index.digest()]
            for delta in (-1, 2, 0, 5 - (3 << 128), top):
                tx.index.add_to_digest(delta)
                found.append(tx.index.digest())
            return found

        assert store.transact(work) == [0, top, 1, 1, 6, 5]
        with store.read() as reader:
            assert reader.index.digest() == 5
        store.transact(lambda tx: tx.index.add_to_digest(-6))
        with store.read() as reader:
            assert reader.index.digest() == top

    def test_what_is_not_folded_is_noted_once_and_found_by_its_entity_in_log_order(self, store: AnyStore) -> None:
        twice = Unapplied(2, 3, entity(1), True, "one of its cells is malformed")
        both = Unapplied(2, 3, entity(1), False, "one of its cells is newer")
        rest = [Unapplied(2, 10, entity(2), True, "malformed"), Unapplied(10, 1, entity(1), False, "newer")]

        def work(tx: StoreWriter) -> list[int]:
            counted = [tx.unapplied.waiting()]
            tx.unapplied.add([*rest[::-1], twice._replace(why="as it was read at first"), both])
            counted.append(tx.unapplied.waiting())
            tx.unapplied.add([twice])
            tx.unapplied.add([])
            return [*counted, tx.unapplied.waiting()]

        assert store.transact(work) == [0, 2, 2]
        with store.read() as reader:
            assert list(reader.unapplied.operations()) == [both, twice, *rest]
            assert list(reader.unapplied.operations(entity(1))) == [both, twice, rest[1]]
            assert list(reader.unapplied.waiting_at(entity(1))) == [2, 10]
            assert list(reader.unapplied.waiting_at(entity(2))) == []
            assert list(reader.unapplied.waiting_numbers()) == [(2, "3"), (10, "1")]
            assert list(reader.unapplied.operations(entity(2))) == rest[:1]
            assert list(reader.unapplied.operations(entity(2, "document"))) == []
            assert reader.unapplied.waits()
            for position in {each.position for each in (both, twice, *rest)}:
                of_change = [each for each in (both, twice, *rest) if each.position == position]
                assert list(reader.unapplied.operations(position=position)) == of_change
                assert list(reader.unapplied.operations(entity(1), position)) == [
                    e for e in of_change if e.entity == entity(1)
                ]
            assert list(reader.unapplied.operations(position=9_999)) == []
            assert all(type(each.refused) is bool for each in reader.unapplied.operations())
            assert reader.unapplied.waiting() == 2

    # --- forgetting some entities -------------------------------------------------------------------------------------

    def fill_with_one_of_each_kind(self, tx: StoreWriter, number: int) -> list[bytes]:
        """Write all that can be folded of an entity of each kind; return the keys."""
        task, document, tag = (entity(number, kind) for kind in ("task", "document", "tag"))
        device, workspace = entity(number, "device"), entity(number, "workspace")
        records = [record(number, "task"), record(number, "document"), record(number, "tag"),
                   record(number, "device"), record(number, "workspace", hidden=True)]  # fmt: skip
        tx.states.put(records, dict.fromkeys((each.key for each in records), True))
        tx.index.add_to_digest(sum(map(addend, records)))
        show(tx, shown_tag(number, f"tag {number}"), shown_document(number, title="forgettable", tags=(number,)))
        waits = (("link." + text_id(99), entity(99, "document"), "hidden"), ("parent_id", entity(98), "ring"))
        show(tx, shown_task(number, title="forgettable", tags=(number,), links=(number,), withheld=waits))
        tx.tables.index_texts()
        for key, field in ((task, "description"), (document, "content")):
            for genesis in (GENESIS, ANOTHER_GENESIS):
                tx.states.put_text(key, field, genesis, b"state", 0)
                tx.states.append_text(key, field, genesis, ACTOR, number, b"edit")
            tx.states.append_text(key, "of a newer version", GENESIS, ACTOR, number, b"an edit without a state")
            tx.index.set_stale({key: True})
        keys = [task, document, tag, device, workspace]
        notes = [Unapplied(number, at, key, refused, "why") for at, key in enumerate(keys) for refused in (True, False)]
        tx.unapplied.add(notes)
        return keys

    def show_again(self, tx: StoreWriter) -> None:
        """Let the full-text index wait for the rows of what is about to be forgotten."""
        task = shown_task(2, title="forgettable", tags=(2,), links=(2,))
        show(tx, task, shown_document(2, title="forgettable", tags=(2,)), new=False)

    @pytest.mark.parametrize("at_once", [True, False], ids=["in-its-own-transaction", "later"])
    def test_of_what_is_forgotten_nothing_stays_but_the_log(self, store: AnyStore, at_once: bool) -> None:
        store.transact(lambda tx: self.fill_with_one_of_each_kind(tx, 1))
        before = self.view(store)

        def fill_another(tx: StoreWriter) -> None:
            keys = self.fill_with_one_of_each_kind(tx, 2)
            tx.mentions.add([(key, 5) for key in keys])
            self.show_again(tx)
            if at_once:
                tx.forget(keys)

        store.transact(fill_another)
        if not at_once:
            keys = [entity(2, kind) for kind in ("task", "document", "tag", "device", "workspace")]
            assert self.view(store) != before
            store.transact(lambda tx: tx.forget(keys))
        assert self.view(store) == before
        with store.read() as reader:
            assert list(reader.mentions.of(entity(2))) == [5]
            assert reader.tables.rows(plan(TaskQuery(text="forgettable"))) == [task_row(1, title="forgettable")]
            assert reader.index.digest() == sum(addend(each) for each in reader.states.scan()) % (1 << 128)

    @pytest.mark.parametrize("kind", ["task", "document", "tag", "device", "workspace"])
    def test_an_entity_is_forgotten_and_its_namesakes_of_other_kinds_stay(self, store: AnyStore, kind: str) -> None:
        def work(tx: StoreWriter) -> None:
            records = [record(1, each) for each in ("task", "document", "tag", "device", "workspace")]
            tx.states.put(records, dict.fromkeys((each.key for each in records), False))
            tx.index.add_to_digest(sum(map(addend, records)))
            show(tx, shown_tag(1, "one"), shown_document(1), shown_task(1))
            tx.unapplied.add([Unapplied(1, at, each.key, True, "why") for at, each in enumerate(records)])

        store.transact(work)
        store.transact(lambda tx: tx.forget([entity(1, kind)]))
        with store.read() as reader:
            left = {each.key for each in reader.states.scan()}
            assert len(left) == 4
            assert entity(1, kind) not in left
            assert {each.entity for each in reader.unapplied.operations()} == left
            assert [each for each in ("task", "document", "tag") if reader.tables.row(each, text_id(1)) is None] == (
                [kind] if kind in ("task", "document", "tag") else []
            )
            assert reader.index.digest() == sum(addend(each) for each in reader.states.scan()) % (1 << 128)

    def test_what_points_at_an_entity_loses_that_edge_when_it_is_forgotten(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, shown_tag(5, "five"), shown_document(7), shown_task(1, tags=(5,), links=(7,)))

        store.transact(work)
        store.transact(lambda tx: tx.forget([entity(5, "tag"), entity(7, "document")]))
        with store.read() as reader:
            assert (
                reader.tables.all("entity_tags")
                == reader.tables.all("task_documents")
                == reader.tables.all("tags")
                == []
            )
            assert reader.tables.row("task", text_id(1)) == task_row(1)

    def test_a_parent_is_forgotten_only_with_what_shows_it(self, store: AnyStore) -> None:
        store.transact(lambda tx: show(tx, shown_task(1), shown_task(2, parent_id=text_id(1))))
        with pytest.raises(StorageError):
            store.transact(lambda tx: tx.forget([entity(1)]))

        def work(tx: StoreWriter) -> None:
            tx.forget([entity(1)])
            show(tx, shown_task(2), new=False)

        store.transact(work)
        with store.read() as reader:
            assert [row[0] for row in reader.tables.all("tasks")] == [text_id(2)]

    def test_what_is_forgotten_counts_once_in_the_digest_and_may_be_written_anew(self, store: AnyStore) -> None:
        old, new = record(1), record(1, state=b"folded anew")

        def work(tx: StoreWriter) -> list[int]:
            tx.states.put([old], {old.key: True})
            tx.index.add_to_digest(addend(old))
            tx.forget([old.key, old.key, entity(8)])
            found = [tx.index.digest()]
            tx.forget([old.key])
            tx.forget([])
            found.append(tx.index.digest())
            assert tx.states.get([old.key]) == {}
            tx.states.put([new], {new.key: False})
            show(tx, shown_task(1))
            return found

        assert store.transact(work) == [0, 0]
        with store.read() as reader:
            assert reader.states.get([old.key]) == {old.key: new}
            assert reader.index.conflicted() == []

    def test_a_part_of_a_transaction_that_ends_in_an_error_leaves_no_trace_and_the_rest_goes_on(
        self, store: AnyStore
    ) -> None:
        key = (entity(1), "content", GENESIS)

        def inner(tx: StoreWriter) -> None:
            with tx.undoing():
                tx.meta.set("inner", b"3")
                tx.states.put_text(*key, b"another", 99)
                raise RuntimeError("inner")

        def outer(tx: StoreWriter) -> None:
            with tx.undoing():
                tx.meta.set("before", b"2")
                with tx.undoing():
                    tx.states.append_text(*key, ACTOR, 2, b"b")
                with pytest.raises(RuntimeError, match="inner"):
                    inner(tx)
                assert tx.meta.get("inner") is None
                assert len((tx.states.text(*key) or (b"", 0, []))[2]) == 2
                raise RuntimeError("outer")

        def work(tx: StoreWriter) -> None:
            tx.meta.set("before", b"1")
            tx.states.put_text(*key, b"state", 0)
            first = tx.states.append_text(*key, ACTOR, 1, b"a")
            with pytest.raises(RuntimeError, match="outer"):
                outer(tx)
            assert tx.states.text(*key) == (b"state", 0, [(first, ACTOR, 1, b"a")])
            with tx.undoing():
                tx.meta.set("after", b"4")

        store.transact(work)
        with store.read() as reader:
            assert [reader.meta.get(name) for name in ("before", "inner", "after")] == [b"1", None, b"4"]
            assert len((reader.states.text(*key) or (b"", 0, []))[2]) == 1

    # --- texts --------------------------------------------------------------------------------------------------------

    def test_a_text_is_its_state_and_the_updates_since(self, store: AnyStore) -> None:
        key = (entity(1), "content", GENESIS)

        def work(tx: StoreWriter) -> list[int]:
            assert tx.states.text(*key) is None
            tx.states.put_text(*key, b"state", 0)
            return [tx.states.append_text(*key, *edit) for edit in ((ACTOR, 1, b"a"), (OTHER, SEQ_MAX, EVERY_BYTE))]

        first, second = store.transact(work)
        assert 0 < first < second
        with store.read() as reader:
            everything = [(first, ACTOR, 1, b"a"), (second, OTHER, SEQ_MAX, EVERY_BYTE)]
            assert reader.states.text(*key) == (b"state", 0, everything)
            assert reader.states.text(*key, since=0) == (b"", 0, everything)
            assert reader.states.text(*key, since=first) == (b"", 0, everything[1:])
            assert reader.states.text(*key, since=second) == (b"", 0, [])
            assert reader.states.text(entity(1), "content", ANOTHER_GENESIS) is None
            assert reader.states.text(entity(1), "description", GENESIS) is None

    def test_a_state_that_is_written_anew_swallows_the_updates_up_to_it(self, store: AnyStore) -> None:
        key = (entity(1), "content", GENESIS)

        def work(tx: StoreWriter) -> list[int]:
            tx.states.put_text(*key, b"old", 0)
            serials = [tx.states.append_text(*key, ACTOR, number, b"%d" % number) for number in range(3)]
            tx.states.put_text(*key, b"new", serials[1])
            return serials

        serials = store.transact(work)
        with store.read() as reader:
            rest = [(serials[2], ACTOR, 2, b"2")]
            assert reader.states.text(*key) == (b"new", serials[1], rest)
            assert reader.states.text(*key, since=serials[0]) == (b"new", serials[1], rest)
            assert reader.states.text(*key, since=serials[1]) == (b"", serials[1], rest)

    def test_all_texts_are_named_in_order(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for number, field, genesis in ((2, "content", 9), (1, "description", 8), (2, "content", 7)):
                tx.states.put_text(entity(number), field, actor(genesis), b"state", 0)
            tx.states.put_text(entity(2), "content", actor(9), b"newer", 1)

        store.transact(work)
        with store.read() as reader:
            named = [tuple(each) for each in reader.states.texts()]
        listed = ((1, "description", 8), (2, "content", 7), (2, "content", 9))
        assert named == [(entity(number), field, actor(genesis)) for number, field, genesis in listed]

    def test_serial_numbers_only_grow_over_all_texts_and_lives_of_the_view(self, store: AnyStore) -> None:
        def append(tx: StoreWriter) -> int:
            return tx.states.append_text(entity(1), "content", GENESIS, ACTOR, 1, b"edit")

        serials = [store.transact(append) for _ in range(3)]
        store.transact(lambda tx: tx.states.put_text(entity(1), "content", GENESIS, b"", serials[-1]))
        serials.append(store.transact(append))
        store.transact(lambda tx: tx.forget([entity(1)]))
        serials.append(store.transact(append))
        store.transact(lambda tx: tx.clear_view())
        serials.append(store.transact(append))
        assert serials == sorted(set(serials))

    def test_texts_whose_rows_wait_are_noted_once(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for number in (2, 1, 2):
                tx.index.set_stale({entity(number): True})

        store.transact(work)
        with store.read() as reader:
            assert reader.index.stale() == [entity(1), entity(2)]
        store.transact(lambda tx: tx.index.set_stale({entity(1): False, entity(3): False}))  # of which one was not
        with store.read() as reader:
            assert reader.index.stale() == [entity(2)]
            assert reader.index.stale_among([entity(1), entity(2), entity(4)]) == {entity(2)}
            assert reader.index.stale_among([]) == set()

    def test_a_transaction_sees_which_texts_wait_as_it_has_left_them(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            assert tx.index.stale_among([entity(1)]) == set()
            tx.index.set_stale({entity(1): True, entity(2): True})
            assert (tx.index.stale(), tx.index.stale_among([entity(1)])) == ([entity(1), entity(2)], {entity(1)})
            tx.index.set_stale({entity(1): False, entity(2): True, entity(3): True})
            assert tx.index.stale_among([entity(1), entity(2), entity(3)]) == {entity(2), entity(3)}
            with suppress(ZeroDivisionError), tx.undoing():
                tx.index.set_stale({entity(1): True, entity(2): False})
                raise ZeroDivisionError
            tx.index.set_stale({entity(1): True})
            assert tx.index.stale() == [entity(1), entity(2), entity(3)]

        store.transact(work)
        with store.read() as reader:
            assert reader.index.stale() == [entity(1), entity(2), entity(3)]

    # --- the specification's tables -----------------------------------------------------------------------------------

    def test_what_is_shown_is_read_back_value_for_value(self, store: AnyStore) -> None:
        task = shown_task(
            1, title="日本 \U0001f642", description="line\n\0NUL\r\n", priority=0, due_date=LATER,
            metadata='{"a":1}', agent_context='{"b":"ü"}', completed_at=TIME,
        )  # fmt: skip
        document = shown_document(2, content="", version="ab")
        store.transact(lambda tx: show(tx, task, document, shown_tag(3, "ünï")))
        with store.read() as reader:
            assert reader.tables.row("task", text_id(1)) == task.row
            assert reader.tables.row("document", text_id(2)) == document.row
            assert reader.tables.row("tag", text_id(3)) == tag_row(3, "ünï")
            assert reader.tables.row("task", text_id(2)) is None
            assert type(reader.tables.row("task", text_id(1))[4]) is int  # type: ignore[index]
            assert reader.tables.all("tasks") == [task.row]
            assert reader.tables.all("documents") == [document.row]
            assert list(reader.tables.scan("tasks")) == [task.row]
            assert list(reader.tables.scan("tags")) == reader.tables.all("tags")

    def test_a_tag_or_link_is_written_anew_and_the_others_stay(self, store: AnyStore) -> None:
        waits = ((f"tag.{text_id(9)}", entity(9, "tag"), "hidden"),)
        task, document = ("task", entity(1), text_id(1)), ("document", entity(7, "document"), text_id(7))

        def before(tx: StoreWriter) -> None:
            show(tx, shown_tag(5, "five"), shown_tag(6, "six"), shown_document(7, tags=(5,)), shown_document(8))
            show(tx, shown_task(1, tags=(6, 5), links=(8, 7), withheld=waits))

        def after(tx: StoreWriter) -> None:
            show(tx, shown_tag(9, "nine"))
            tx.tables.point([])
            tx.tables.point([
                Pointed(*task, f"tag.{text_id(9)}", text_id(9), (LATER,), ()),
                Pointed(*task, f"tag.{text_id(5)}", text_id(5), (), ()),
                Pointed(*task, f"link.{text_id(8)}", text_id(8), ("of another kind", LATER), ()),
                Pointed(*task, f"link.{text_id(7)}", text_id(7), (), (entity(7, "document"), "hidden")),
                Pointed(*document, f"tag.{text_id(6)}", text_id(6), (TIME,), ()),
            ])  # fmt: skip

        store.transact(before)
        store.transact(after)
        with store.read() as reader:
            assert reader.tables.all("entity_tags") == [
                ("document", text_id(7), text_id(5), TIME), ("document", text_id(7), text_id(6), TIME),
                ("task", text_id(1), text_id(6), TIME), ("task", text_id(1), text_id(9), LATER),
            ]  # fmt: skip
            assert reader.tables.all("task_documents") == [(text_id(1), text_id(8), "of another kind", LATER)]
            assert reader.edges.withheld_to([entity(9, "tag")]) == []
            assert reader.edges.withheld_to([entity(7, "document")]) == [entity(1)]

    def test_edges_are_replaced_with_their_source(self, store: AnyStore) -> None:
        waits = (("tag." + text_id(9), entity(9), "hidden"),)

        def work(tx: StoreWriter) -> None:
            show(tx, shown_tag(5, "five"), shown_tag(6, "six"), shown_document(7, tags=(5,)), shown_document(8))
            show(tx, shown_task(1, tags=(6, 5), links=(8, 7), withheld=waits), shown_task(2, tags=(5,), links=(7,)))
            show(tx, shown_task(2, tags=(6,)), new=False)

        store.transact(work)
        with store.read() as reader:
            assert reader.tables.all("entity_tags") == [
                ("document", text_id(7), text_id(5), TIME), ("task", text_id(1), text_id(5), TIME),
                ("task", text_id(1), text_id(6), TIME), ("task", text_id(2), text_id(6), TIME),
            ]  # fmt: skip
            both = [(text_id(1), text_id(number), "reference", TIME) for number in (7, 8)]
            assert reader.tables.all("task_documents") == both
            assert reader.edges.tags_of("task", [text_id(number) for number in (1, 2, 3)]) == {
                text_id(1): [(text_id(5), "five"), (text_id(6), "six")], text_id(2): [(text_id(6), "six")],
                text_id(3): [],
            }  # fmt: skip
            assert reader.edges.carriers(text_id(5)) == [("document", text_id(7)), ("task", text_id(1))]
            assert reader.edges.carriers(text_id(9)) == []
            assert list(reader.tables.scan("entity_tags")) == reader.tables.all("entity_tags")
            assert list(reader.tables.scan("task_documents")) == both
            assert reader.edges.links_of(None, None) == both
            assert reader.edges.links_of(text_id(1), text_id(8)) == both[1:]
            assert reader.edges.links_of(None, text_id(7)) == both[:1]
            assert reader.edges.links_of(text_id(2), None) == []
            assert reader.edges.withheld_to([entity(9)]) == [entity(1)]
        store.transact(lambda tx: show(tx, shown_task(1), new=False))
        with store.read() as reader:
            assert reader.edges.links_of(None, None) == []
            assert reader.edges.withheld_to([entity(9)]) == []

    def test_columns_of_rows_are_written_and_no_others(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, shown_tag(5, "five"), shown_document(7, tags=(5,)))
            show(tx, shown_task(1, tags=(5,), links=(7,)), shown_task(2))
            tx.tables.index_texts()

        store.transact(work)
        patches = [
            Patch("task", text_id(1), ("status", "updated_at", "completed_at"), ("done", LATER, LATER)),
            Patch("task", text_id(2), ("status", "updated_at", "completed_at"), ("blocked", LATER, None)),
            Patch("task", text_id(1), ("priority",), (0,)),
            Patch("tag", text_id(5), ("name", "color"), ("fünf", "red")),
            Patch("document", text_id(7), ("version",), ("1",)),
        ]
        store.transact(lambda tx: tx.tables.patch(patches))
        with store.read() as reader:
            assert reader.tables.all("tasks") == [
                task_row(1, status="done", updated_at=LATER, completed_at=LATER, priority=0),
                task_row(2, status="blocked", updated_at=LATER),
            ]
            assert reader.tables.all("documents") == [document_row(7, version="1")]
            assert reader.tables.all("tags") == [(text_id(5), "fünf", "red", None, TIME)]
            assert len(reader.tables.all("entity_tags")) == 2
            assert len(reader.edges.links_of(None, None)) == 1
            assert not reader.tables.unindexed()
        store.transact(lambda tx: tx.tables.patch([]))

    @pytest.mark.parametrize(("kind", "column"), [("task", "title"), ("task", "description"), ("document", "content")])
    def test_a_column_of_words_is_indexed_anew(self, store: AnyStore, kind: str, column: str) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, shown_task(1), shown_document(1))
            tx.tables.index_texts()

        store.transact(work)
        store.transact(lambda tx: tx.tables.patch([Patch(kind, text_id(1), (column,), ("mulberry",))]))
        assert store.transact(lambda tx: tx.tables.index_texts()) == 1
        query: Query = TaskQuery(text="mulberry") if kind == "task" else DocumentQuery(text="mulberry")
        with store.read() as reader:
            assert len(reader.tables.rows(plan(query))) == 1

    def test_a_row_that_is_not_there_is_not_patched_in_silence(self, store: AnyStore) -> None:
        store.transact(lambda tx: show(tx, shown_task(1)))
        patches = [Patch("task", text_id(1), ("title",), ("new",)), Patch("task", text_id(2), ("title",), ("none",))]
        with pytest.raises(CorruptError):
            store.transact(lambda tx: tx.tables.patch(patches))
        with store.read() as reader:
            assert reader.tables.all("tasks") == [task_row(1)]

    def test_a_column_that_must_have_a_value_is_not_emptied(self, store: AnyStore) -> None:
        store.transact(lambda tx: show(tx, shown_task(1), shown_tag(5, "five"), shown_tag(6, "six")))
        for patch in (Patch("task", text_id(1), ("title",), (None,)), Patch("tag", text_id(6), ("name",), ("five",))):
            with pytest.raises(StorageError):
                store.transact(lambda tx, patch=patch: tx.tables.patch([patch]))  # type: ignore[misc]

    def test_links_come_in_the_order_of_their_times(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, shown_document(7), shown_document(8), shown_task(2, links=(7,)))
            links = ((text_id(7), "b", LATER), (text_id(8), "a", TIME))
            show(tx, shown_task(1)._replace(links=links))

        store.transact(work)
        with store.read() as reader:
            found = [row[:2] for row in reader.edges.links_of(None, None)]
        assert found == [(text_id(1), text_id(8)), (text_id(2), text_id(7)), (text_id(1), text_id(7))]

    def test_who_points_at_something_is_found(self, store: AnyStore) -> None:
        ring = (("parent_id", entity(1), "ring"),)
        gone = (("parent_id", entity(9), "hidden"),)

        def work(tx: StoreWriter) -> None:
            show(tx, shown_tag(5, "five"), shown_document(7, tags=(5,)), shown_task(1, links=(7,)))
            show(tx, shown_task(2, parent_id=text_id(1)), shown_task(3, withheld=ring), shown_task(4, withheld=gone))

        store.transact(work)
        with store.read() as reader:
            assert reader.edges.referrers([entity(1)]) == [entity(2)]
            pointed_at = [entity(5, "tag"), entity(7, "document")]
            assert reader.edges.referrers(pointed_at) == [entity(1), entity(7, "document")]
            assert reader.edges.referrers([]) == []
            assert reader.edges.withheld_to([entity(9)]) == [entity(4)]
            assert reader.edges.withheld_to([entity(1), entity(9)]) == [entity(3), entity(4)]
            assert reader.edges.withheld_to([]) == []
            assert [reader.edges.parent(entity(number)) for number in (1, 2, 3, 4, 8)] == [
                None, entity(1), entity(1), None, None,
            ]  # fmt: skip
            assert (reader.edges.in_rings(), reader.edges.has_rings()) == ([entity(3)], True)
            assert reader.edges.in_rings_among([entity(number) for number in range(1, 9)]) == {entity(3)}
            assert reader.edges.parents_among([entity(number) for number in (1, 2, 3, 9)]) == {entity(1)}
            assert reader.edges.in_rings_among([]) == reader.edges.parents_among([]) == set()

    def test_a_transaction_sees_the_rings_that_it_closes_and_ends(self, store: AnyStore) -> None:
        ring = (("parent_id", entity(2), "ring"),)

        def work(tx: StoreWriter) -> None:
            assert not tx.edges.has_rings()
            show(tx, shown_task(1, withheld=ring), shown_task(2, parent_id=text_id(1)))
            assert (tx.edges.has_rings(), tx.edges.in_rings_among([entity(1), entity(2)])) == (True, {entity(1)})
            assert tx.edges.parents_among([entity(1), entity(2)]) == {entity(1), entity(2)}
            show(tx, shown_task(1), new=False)
            assert (tx.edges.has_rings(), tx.edges.in_rings_among([entity(1)])) == (False, set())
            assert tx.edges.parents_among([entity(1), entity(2)]) == {entity(1)}
            show(tx, shown_task(1, withheld=ring), new=False)
            with suppress(ZeroDivisionError), tx.undoing():
                tx.tables.hide("task", [entity(1)])
                assert not tx.edges.has_rings()
                raise ZeroDivisionError
            assert tx.edges.has_rings()

        store.transact(work)
        with store.read() as reader:
            assert reader.edges.in_rings() == [entity(1)]

    def test_hiding_takes_the_rows_and_all_that_hangs_on_them(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, shown_tag(5, "five"), shown_tag(6, "six"), shown_document(7, tags=(5, 6)), shown_document(8))
            waits = (("parent_id", entity(9), "hidden"),)
            show(tx, shown_task(1, tags=(5, 6), links=(7, 8), withheld=waits), shown_task(2, tags=(5,), links=(7,)))

        store.transact(work)
        store.transact(lambda tx: tx.tables.hide("tag", [entity(5, "tag")]))
        with store.read() as reader:
            assert [row[2] for row in reader.tables.all("entity_tags")] == [text_id(6)] * 2
        store.transact(lambda tx: tx.tables.hide("document", [entity(7, "document")]))
        with store.read() as reader:
            assert [row[:2] for row in reader.tables.all("task_documents")] == [(text_id(1), text_id(8))]
            assert [row[1] for row in reader.tables.all("entity_tags")] == [text_id(1)]
        store.transact(lambda tx: tx.tables.hide("task", [entity(1), entity(33)]))
        store.transact(lambda tx: tx.tables.hide("device", [entity(2, "device")]))  # which has no row
        with store.read() as reader:
            assert reader.tables.all("task_documents") == reader.tables.all("entity_tags") == []
            assert reader.edges.withheld_to([entity(9)]) == []
            assert reader.tables.counts() == {"tasks": 1, "documents": 1, "tags": 1, "hidden": 0, "changes": 0}

    def test_a_task_and_a_document_of_one_id_know_nothing_of_each_other(self, store: AnyStore) -> None:
        task, document, tag = entity(1), entity(1, "document"), entity(1, "tag")
        states = [record(1), record(1, "document", hidden=True), record(1, "tag")]

        def work(tx: StoreWriter) -> None:
            tx.states.put(states, {task: True, document: False, tag: False})
            waits = (("parent_id", task, "hidden"), ("tag." + text_id(9), entity(9, "tag"), "hidden"))
            show(tx, shown_tag(1, "one"), shown_document(1, tags=(1,)), shown_document(2))
            show(tx, shown_task(1, tags=(1,), links=(1, 2)), shown_task(2, parent_id=text_id(1), links=(1,)))
            show(tx, shown_task(3, withheld=waits))
            tx.states.put_text(task, "description", GENESIS, b"of the task", 0)
            tx.states.put_text(document, "content", GENESIS, b"of the document", 0)
            tx.index.set_stale({document: True})
            tx.tables.index_texts()

        store.transact(work)
        with store.read() as reader:
            assert list(reader.states.scan()) == states
            assert reader.states.get([document]) == {document: states[1]}
            assert (reader.index.hidden("task"), reader.index.hidden("document")) == ([], [document])
            assert (reader.index.conflicted(), reader.index.stale()) == ([task], [document])
            assert reader.edges.referrers([task]) == [entity(2)]
            assert reader.edges.referrers([document]) == [task, entity(2)]
            assert reader.edges.referrers([tag]) == [task, document]
            assert (reader.edges.withheld_to([document]), reader.edges.withheld_to([task])) == ([], [entity(3)])
            assert [each[0] for each in reader.states.texts()] == [task, document]
        store.transact(lambda tx: tx.tables.hide("document", [document]))
        with store.read() as reader:
            assert [row[:2] for row in reader.tables.all("task_documents")] == [(text_id(1), text_id(2))]
            assert [row[:2] for row in reader.tables.all("entity_tags")] == [("task", text_id(1))]
            assert reader.tables.row("task", text_id(1)) == task_row(1)
        store.transact(lambda tx: tx.tables.hide("tag", [tag]))
        with store.read() as reader:
            assert reader.tables.all("entity_tags") == []
            assert reader.tables.row("task", text_id(1)) == task_row(1)

    @pytest.mark.parametrize(
        "shown",
        [shown_task(1, parent_id=text_id(9)), shown_task(1, tags=(9,)), shown_task(1, links=(9,))],
        ids=["parent", "tag", "link"],
    )
    def test_a_row_that_points_at_nothing_stops_its_transaction(
        self, store: AnyStore, ended: list[bool], shown: Shown
    ) -> None:
        def work(tx: StoreWriter) -> None:
            tx.meta.set("name", b"half")
            show(tx, shown)

        with pytest.raises(StorageError):
            store.transact(work)
        with store.read() as reader:
            assert reader.tables.all("tasks") == []
            assert reader.meta.get("name") is None
        assert ended == [False]

    def test_taking_away_what_a_row_points_at_stops_the_transaction(self, store: AnyStore) -> None:
        store.transact(lambda tx: show(tx, shown_task(1), shown_task(2, parent_id=text_id(1))))
        with pytest.raises(StorageError):
            store.transact(lambda tx: tx.tables.hide("task", [entity(1)]))
        with store.read() as reader:
            assert len(reader.tables.all("tasks")) == 2

    def test_only_the_end_of_a_transaction_counts_for_what_points_where(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, shown_task(2, parent_id=text_id(1), tags=(5,), links=(7,)))
            show(tx, shown_document(7), shown_tag(5, "five"), shown_task(1))

        store.transact(work)

        def move(tx: StoreWriter) -> None:
            tx.tables.hide("task", [entity(1)])
            show(tx, shown_task(2), new=False)

        store.transact(move)
        with store.read() as reader:
            assert [row[0] for row in reader.tables.all("tasks")] == [text_id(2)]

    def test_a_ring_of_parents_is_no_broken_reference(self, store: AnyStore) -> None:
        ring = [shown_task(child, parent_id=text_id(parent)) for child, parent in ((1, 2), (2, 1), (3, 3))]
        store.transact(lambda tx: show(tx, *ring))
        with store.read() as reader:
            assert len(reader.tables.all("tasks")) == 3

    @pytest.mark.parametrize(
        "shown",
        [
            shown_task(1, title=None),
            shown_task(1, status=None),
            shown_task(1, priority=None),
            shown_task(1, created_at=None),
            shown_task(1, updated_at=None),
            shown_document(1, title=None),
            shown_document(1, content_type=None),
            shown_document(1, doc_type=None),
            shown_document(1, version=None),
            shown_tag(1, None),  # type: ignore[arg-type]
        ],
        ids=lambda shown: f"{shown.kind}-{shown.row.index(None)}",
    )
    def test_a_missing_value_stops_the_transaction(self, store: AnyStore, shown: Shown) -> None:
        with pytest.raises(StorageError):
            store.transact(lambda tx: show(tx, shown))

    def test_two_tags_never_carry_one_name(self, store: AnyStore) -> None:
        store.transact(lambda tx: show(tx, shown_tag(1, "work"), shown_tag(2, "home")))
        with pytest.raises(StorageError):
            store.transact(lambda tx: show(tx, shown_tag(3, "work")))
        with pytest.raises(StorageError):
            store.transact(lambda tx: show(tx, shown_tag(1, "home"), new=False))
        store.transact(lambda tx: show(tx, shown_tag(1, "Work"), new=False))
        store.transact(lambda tx: show(tx, shown_tag(3, "work")))  # which is free now
        store.transact(lambda tx: tx.tables.hide("tag", [entity(2, "tag")]))
        store.transact(lambda tx: show(tx, shown_tag(4, "home")))
        with store.read() as reader:
            assert [row[1] for row in reader.tables.all("tags")] == ["Work", "work", "home"]

    @pytest.mark.parametrize("kind", ["task", "document", "tag"])
    def test_what_is_called_new_must_not_be_there(self, store: AnyStore, kind: str) -> None:
        made = {"task": shown_task(1), "document": shown_document(1), "tag": shown_tag(1, "one")}[kind]
        store.transact(lambda tx: show(tx, made))
        with pytest.raises(StorageError):
            store.transact(lambda tx: show(tx, made))

    @pytest.mark.parametrize(
        "shown",
        [
            shown_task(1, tags=(5, 5)),
            shown_task(1, links=(7, 7)),
            shown_task(1, withheld=(("parent_id", entity(8), "hidden"), ("parent_id", entity(9), "hidden"))),
        ],
        ids=["tag", "link", "withheld"],
    )
    def test_one_edge_stands_once(self, store: AnyStore, shown: Shown) -> None:
        store.transact(lambda tx: show(tx, shown_tag(5, "five"), shown_document(7)))
        with pytest.raises(StorageError):
            store.transact(lambda tx: show(tx, shown))

    # --- full text ----------------------------------------------------------------------------------------------------

    def test_words_are_found_once_they_are_indexed(self, store: AnyStore) -> None:
        def found(query: TaskQuery | DocumentQuery) -> list[str]:
            with store.read() as reader:
                return [row[1] for row in reader.tables.rows(plan(query))]

        def work(tx: StoreWriter) -> None:
            show(tx, shown_task(1, title="red apple", description="sweet"), shown_task(2, title="green pear"))
            show(tx, shown_document(3, title="apple pie"))

        store.transact(work)
        assert found(TaskQuery(text="apple")) == []
        with store.read() as reader:
            assert reader.tables.unindexed()
            assert list(reader.tables.unindexed_of("task")) == [text_id(1), text_id(2)]
            assert list(reader.tables.unindexed_of("document")) == [text_id(3)]
        assert store.transact(lambda tx: tx.tables.index_texts()) == 3
        with store.read() as reader:
            assert not reader.tables.unindexed()
            assert list(reader.tables.unindexed_of("task")) == list(reader.tables.unindexed_of("document")) == []
        assert found(TaskQuery(text="apple")) == ["red apple"]
        assert found(TaskQuery(text="sweet")) == ["red apple"]
        assert found(DocumentQuery(text="apple")) == ["apple pie"]
        store.transact(lambda tx: show(tx, shown_task(1, title="blue apple", description="sour"), new=False))
        assert found(TaskQuery(text="sweet")) == ["blue apple"]  # the row as it is, by its former words
        assert store.transact(lambda tx: tx.tables.index_texts()) == 1
        assert found(TaskQuery(text="sweet")) == []
        assert found(TaskQuery(text="sour")) == ["blue apple"]
        store.transact(lambda tx: tx.tables.hide("task", [entity(1)]))
        assert found(TaskQuery(text="sour")) == []

    def test_the_index_catches_up_in_steps(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, *(shown_task(number) for number in range(1, 6)), *(shown_document(n) for n in range(6, 10)))

        store.transact(work)
        steps = [store.transact(lambda tx: tx.tables.index_texts(4)) for _ in range(4)]
        assert steps == [4, 4, 1, 0]
        with store.read() as reader:
            assert len(reader.tables.rows(plan(TaskQuery(text="task")))) == 5
            assert len(reader.tables.rows(plan(DocumentQuery(text="document")))) == 4

    def test_a_row_that_comes_back_after_hiding_is_indexed_anew(self, store: AnyStore) -> None:
        def found(word: str) -> int:
            store.transact(lambda tx: tx.tables.index_texts())
            with store.read() as reader:
                return len(reader.tables.rows(plan(TaskQuery(text=word))))

        store.transact(lambda tx: show(tx, shown_task(1, title="first"), shown_task(2, title="other")))
        assert found("first") == 1
        store.transact(lambda tx: tx.tables.hide("task", [entity(1), entity(2)]))
        store.transact(lambda tx: show(tx, shown_task(3, title="third"), shown_task(1, title="second")))
        assert [found(word) for word in ("first", "other", "second", "third")] == [0, 0, 1, 1]

    def test_clearing_the_view_keeps_the_log_and_what_is_named(self, store: AnyStore) -> None:
        store.transact(fill)
        with store.read() as reader:
            before = dump(reader)
        store.transact(lambda tx: tx.clear_view())
        with store.read() as reader:
            after = dump(reader)
            assert list(reader.unapplied.operations()) == []
            assert reader.unapplied.waiting() == reader.index.digest() == 0
            assert not reader.unapplied.waits()
            assert [row for name in ("tasks", "documents", "tags") for row in reader.tables.all(name)] == []
            assert reader.tables.rows(plan(DocumentQuery(text="words"))) == []
        kept = (
            "meta",
            "heads",
            "log",
            "hashes",
            "headers",
            "signatures",
            "segments",
            "incoming",
            "behind",
            "evidence",
            "mentions",
        )
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
        assert after["records"] == {}
        assert after["due"] == ([], False)
        assert after["texts"] == [None, None]
