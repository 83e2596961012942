"""The contract of a store: every implementation passes all of it. What is promised stands in ``protocols``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from edda_sync import values
from edda_sync.crdt.entity import key_of
from edda_sync.errors import StorageError, UsageError
from edda_sync.protocols import Head, Incoming, Logged, Record, Row, Shown, StoreReader, StoreWriter
from edda_sync.query import DocumentQuery, TaskQuery, plan

T = TypeVar("T")

ACTOR, OTHER = (1 << 52) - 1, 7
GENESIS = (1 << 53) - 1
TIME = "2026-03-01T09:30:00.000Z"
LATER = "2026-03-02T09:30:00.000Z"
EVERY_BYTE = bytes(range(256))


class AnyStore(Protocol):
    """A store as its makers know it."""

    def transact(self, work: Callable[[StoreWriter], T]) -> T: ...

    def submit(self, work: Callable[[StoreWriter], T]) -> Future[T]: ...

    def read(self) -> AbstractContextManager[StoreReader]: ...

    def close(self) -> None: ...


def entity(number: int, kind: str = "task") -> bytes:
    return key_of(kind, number.to_bytes(16, "big"))


def text_id(number: int) -> str:
    return values.id_text(number.to_bytes(16, "big"))


def logged(position: int, actor: int, seq: int, body: bytes = EVERY_BYTE) -> Logged:
    return Logged(position, actor, seq, b"hash %d:%d" % (actor, seq), b"raw", body)


def head(actor: int, seq: int) -> Head:
    return Head(actor, seq, b"hash %d:%d" % (actor, seq), b"deps", b"key", 0, b"")


def record(number: int, kind: str = "task", *, hidden: bool = False, state: bytes = EVERY_BYTE) -> Record:
    return Record(entity(number, kind), hidden, b"hash of " + state[:4], state)


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
    tx.show(shown, frozenset(each.key for each in shown) if new else frozenset())


def fill(tx: StoreWriter) -> None:
    """Write something of everything."""
    tx.set_meta("name", EVERY_BYTE)
    tx.append(logged(1, ACTOR, 1), head(ACTOR, 1))
    tx.append(logged(2, OTHER, 1, body=b""), head(OTHER, 1))
    tx.append_part(2, 0, b"part 0")
    tx.append_part(2, 1, b"part 1")
    tx.append_segment(3, b"segment")
    tx.keep_segment_part(b"segment", 0, b"part")
    tx.sign(ACTOR, 1, b"signature")
    tx.expect(OTHER, 2, b"raw")
    tx.keep_part(OTHER, 2, 1, b"late part")
    tx.add_fork(OTHER, 1, b"ours", b"theirs")
    tx.save([record(1), record(2, "document"), record(3, "tag"), record(4, hidden=True)], dict.fromkeys(KEYS, False))
    tx.save([record(5)], {entity(5): True})
    tx.add_to_buckets({3: 5, 4: -1})
    withheld = (("parent_id", entity(4), "hidden"),)
    show(tx, shown_tag(3, "work"), shown_document(2, content="kept words"), shown_task(5, parent_id=text_id(1)))
    show(tx, shown_task(1, tags=(3,), links=(2,), withheld=withheld))
    tx.index_texts()
    show(tx, shown_document(2, content="new words"), new=False)
    tx.save_text(entity(2), "content", GENESIS, b"state", 0)
    tx.append_text(entity(2), "content", GENESIS, ACTOR, b"update")
    tx.set_stale(entity(2), True)
    tx.quarantine(entity(5), "description", GENESIS, "why")
    tx.add_unknown_operations(None, 1, 2)


def change_all(tx: StoreWriter) -> None:
    """Change or take away all that :func:`fill` wrote."""
    tx.clear_view()
    tx.drop_meta("name")
    tx.append(logged(4, ACTOR, 2), head(ACTOR, 2))
    tx.append_part(4, 0, b"part")
    tx.set_head(head(OTHER, 9))
    tx.sign(ACTOR, 2, b"another")
    tx.keep_segment_part(b"draft", 0, b"part")
    tx.name_segment(b"draft", b"named")
    tx.complete(OTHER, 2, 5)
    tx.add_fork(OTHER, 1, b"ours", b"more")
    tx.save([record(1, state=b"other")], {entity(1): True})
    tx.add_to_buckets({3: 1})
    show(tx, shown_task(9, title="words"))
    tx.index_texts()
    tx.append_text(entity(9), "description", 1, OTHER, b"update")
    tx.save_text(entity(9), "description", 1, b"state", 0)


TASKS = [entity(number) for number in range(1, 10)]
KEYS = [*TASKS, *(entity(number, kind) for kind in ("document", "tag", "device") for number in range(1, 10))]


def dump(reader: StoreReader) -> dict[str, Any]:
    """Return all that a reader shows."""
    log = [reader.logged(position) for position in reader.positions_missing({})]
    kinds = ("task", "document", "tag", "device")
    texts = [(entity(2), "content", GENESIS), (entity(9), "description", 1)]
    return {
        "meta": reader.meta("name"),
        "heads": dict(reader.heads()),
        "log": (reader.log_position(), log, [list(reader.parts(each.position)) for each in log]),
        "hashes": [reader.hash_at(actor, seq) for actor in (ACTOR, OTHER) for seq in range(1, 10)],
        "all hashes": [
            list(map(tuple, reader.hashes(actor, first))) for actor in (ACTOR, OTHER) for first in (1, 2, 9)
        ],
        "signatures": [(reader.signature_at(ACTOR, seq), reader.next_signed(ACTOR, seq)) for seq in range(3)],
        "segments": (list(reader.segments()), reader.segment_part(b"segment", 0), reader.segment_part(b"named", 0)),
        "kept segments": [tuple(each) for each in reader.kept_segments()],
        "incoming": list(reader.incoming()),
        "forks": [tuple(fork) for fork in reader.forks()],
        "records": reader.records(KEYS),
        "all": list(reader.all_records()),
        "hidden": [reader.hidden(kind) for kind in kinds],
        "conflicted": reader.conflicted(),
        "edges": (reader.referrers(KEYS), reader.waiting_for(KEYS), reader.in_rings()),
        "parents": [reader.parent_edge(each) for each in TASKS],
        "texts": [reader.text(*key) for key in texts],
        "all texts": [tuple(each) for each in reader.all_texts()],
        "due": (reader.stale_texts(), reader.unindexed(), [tuple(each) for each in reader.quarantined()]),
        "unknown": reader.unknown_operations(),
        "digest": dict(reader.buckets()),
        "tables": [reader.table(name) for name in ("tasks", "documents", "tags", "entity_tags", "task_documents")],
        "rows": [reader.rows(plan(query)) for query in (TaskQuery(), DocumentQuery(text="words"))],
        "tags": reader.tags_of("task", [text_id(1), text_id(9)]),
        "counts": reader.counts(),
    }


class StoreContract:
    """Every test below runs over every store; a class for each says how it is made."""

    def make(self, folder: Path, on_end: Callable[[bool], None]) -> AnyStore:
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
            tx.set_meta("name", b"half")
            raise PanicException

        with pytest.raises(PanicException):
            store.transact(work)
        with store.read() as reader:
            assert reader.meta("name") is None
        assert ended == [False]
        assert store.transact(lambda tx: tx.meta("name")) is None

    def test_the_end_of_a_transaction_is_told_before_its_caller_hears_of_it(
        self, store: AnyStore, ended: list[bool]
    ) -> None:
        store.transact(lambda tx: tx.set_meta("name", b""))
        assert ended == [True]
        store.submit(lambda tx: tx.meta("name")).result(timeout=30)
        assert ended == [True, True]

    def test_transactions_of_many_threads_follow_one_another(self, store: AnyStore) -> None:
        def count(tx: StoreWriter) -> None:
            tx.set_meta("count", str(int(tx.meta("count") or b"0") + 1).encode())

        def twenty() -> None:
            for _ in range(20):
                store.transact(count)

        threads = [threading.Thread(target=twenty) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with store.read() as reader:
            assert reader.meta("count") == b"80"

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
                store.transact(lambda tx: tx.set_meta("name", b"once more"))
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
            assert reader.meta("name") is None
            assert reader.table("tasks") == []

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
            heads, buckets = tx.heads(), tx.buckets()
            fill(tx)
            assert dict(heads) == {}
            assert dict(buckets) == {}

        store.transact(work)

    # --- closing ------------------------------------------------------------------------------------------------------

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
        futures = [store.submit(lambda tx: tx.set_meta("name", b"")) for _ in range(100)]
        store.close()
        assert all(future.done() and future.exception() is None for future in futures)

    # --- named values -------------------------------------------------------------------------------------------------

    def test_a_named_value_is_replaced_and_forgotten(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> list[bytes | None]:
            tx.set_meta("name", b"")
            found = [tx.meta("name"), tx.meta("other")]
            tx.set_meta("name", EVERY_BYTE)
            found.append(tx.meta("name"))
            tx.drop_meta("name")
            tx.drop_meta("never")
            return [*found, tx.meta("name")]

        assert store.transact(work) == [b"", None, EVERY_BYTE, None]

    # --- the log ------------------------------------------------------------------------------------------------------

    def test_the_log_gives_back_what_was_appended(self, store: AnyStore) -> None:
        largest = (1 << 48) - 1

        def work(tx: StoreWriter) -> None:
            assert tx.log_position() == 0
            tx.append(logged(1, ACTOR, 1), head(ACTOR, 1))
            tx.append(logged(2, 0, largest, body=b""), head(0, largest))
            tx.append(logged(3, ACTOR, 2), head(ACTOR, 2))

        store.transact(work)
        with store.read() as reader:
            assert reader.log_position() == 3
            assert reader.heads() == {ACTOR: head(ACTOR, 2), 0: head(0, largest)}
            assert reader.logged(1) == logged(1, ACTOR, 1)
            assert reader.logged(2) == logged(2, 0, largest, body=b"")
            assert reader.hash_at(ACTOR, 1) == b"hash %d:1" % ACTOR
            assert reader.hash_at(ACTOR, 3) is None
            assert reader.hash_at(5, 1) is None
            assert [seq for seq, _ in reader.hashes(ACTOR, 1)] == [1, 2]
            assert list(reader.hashes(ACTOR, 2)) == [(2, b"hash %d:2" % ACTOR)]
            assert list(reader.hashes(5, 1)) == []

    def test_a_head_whose_change_is_not_in_the_log_has_a_hash_too(self, store: AnyStore) -> None:
        store.transact(lambda tx: tx.set_head(head(OTHER, 5)))
        with store.read() as reader:
            assert reader.hash_at(OTHER, 5) == b"hash %d:5" % OTHER
            assert reader.hash_at(OTHER, 4) is None
            assert list(reader.positions_missing({})) == []

    def test_what_a_frontier_lacks_is_found_in_log_order(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for position, (actor, seq) in enumerate([(9, 1), (4, 1), (9, 2), (4, 2), (9, 3)], 1):
                tx.append(logged(position, actor, seq), head(actor, seq))

        store.transact(work)
        with store.read() as reader:
            assert list(reader.positions_missing({})) == [1, 2, 3, 4, 5]
            assert list(reader.positions_missing({9: 2})) == [2, 4, 5]
            assert list(reader.positions_missing({9: 3, 4: 1, 77: 5})) == [4]
            assert list(reader.positions_missing({9: 30, 4: 2})) == []

    @pytest.mark.parametrize("second", [logged(1, OTHER, 1), logged(2, ACTOR, 1)], ids=["position", "dot"])
    def test_neither_a_position_nor_a_dot_is_used_twice(self, store: AnyStore, second: Logged) -> None:
        store.transact(lambda tx: tx.append(logged(1, ACTOR, 1), head(ACTOR, 1)))
        with pytest.raises(StorageError):
            store.transact(lambda tx: tx.append(second, head(second.actor, second.seq)))
        with store.read() as reader:
            assert reader.log_position() == 1
            assert set(reader.heads()) == {ACTOR}

    def test_parts_come_in_order_and_end_at_the_first_gap(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for number in (2, 0, 1, 4):
                tx.append_part(1, number, b"part %d" % number)

        store.transact(work)
        with store.read() as reader:
            assert list(reader.parts(1)) == [b"part 0", b"part 1", b"part 2"]
            assert reader.log_part(1, 4) == b"part 4"
            assert reader.log_part(1, 3) is None
            assert list(reader.parts(2)) == []
        with pytest.raises(StorageError):
            store.transact(lambda tx: tx.append_part(1, 0, b"again"))

    def test_a_signature_is_kept_at_its_seq_and_the_head_knows_the_latest(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.set_head(head(ACTOR, 9))
            tx.sign(ACTOR, 5, b"five")
            tx.sign(ACTOR, 3, b"three")
            tx.sign(ACTOR, 5, b"another five")
            tx.sign(OTHER, 4, b"of nobody known")

        store.transact(work)
        with store.read() as reader:
            assert reader.heads()[ACTOR] == head(ACTOR, 9)._replace(signed_seq=5, signature=b"five")
            assert set(reader.heads()) == {ACTOR}
            assert [reader.signature_at(ACTOR, seq) for seq in (3, 4, 5)] == [b"three", None, b"five"]
            assert [reader.next_signed(ACTOR, seq) for seq in (1, 3, 4, 6)] == [3, 3, 5, None]
            assert reader.next_signed(OTHER, 1) == 4

    def test_segments_stand_in_the_log_and_their_parts_beside_it(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.append(logged(1, ACTOR, 1), head(ACTOR, 1))
            tx.append_segment(2, b"second")
            tx.append_segment(7, b"seventh")
            tx.keep_segment_part(b"second", 0, b"part 0")
            tx.keep_segment_part(b"second", 0, b"again")
            tx.keep_segment_part(b"dropped", 0, b"part 0")
            tx.drop_segment(b"second")  # which was merged
            tx.drop_segment(b"dropped")

        store.transact(work)
        with store.read() as reader:
            assert list(reader.segments()) == [(2, b"second"), (7, b"seventh")]
            assert reader.log_position() == 7
            assert reader.segment_part(b"second", 0) == b"part 0"
            assert reader.segment_part(b"second", 1) is None
            assert reader.segment_part(b"dropped", 0) is None

    def test_a_segment_in_the_making_takes_its_hash_for_its_name(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.keep_segment_part(b"draft", 0, b"part 0")
            tx.keep_segment_part(b"draft", 1, b"part 1")
            tx.keep_segment_part(b"hash", 0, b"kept")
            tx.name_segment(b"draft", b"hash")

        store.transact(work)
        with store.read() as reader:
            assert [reader.segment_part(b"hash", number) for number in range(3)] == [b"kept", b"part 1", None]
            assert reader.segment_part(b"draft", 0) is None

    def test_segments_that_were_not_merged_are_counted_by_their_parts(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.append_segment(1, b"merged")
            for segment, number in ((b"merged", 0), (b"half", 1), (b"half", 0), (b"a whole", 0), (b"half", 0)):
                tx.keep_segment_part(segment, number, b"part")

        store.transact(work)
        with store.read() as reader:
            assert [tuple(each) for each in reader.kept_segments()] == [(b"a whole", 1), (b"half", 2)]

    def test_a_large_change_that_came_by_another_way_is_forgotten_with_its_parts(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.expect(OTHER, 1, b"header")
            tx.keep_part(OTHER, 1, 0, b"part")
            tx.expect(ACTOR, 2, b"another")
            tx.forget_incoming(OTHER, 1)
            tx.forget_incoming(OTHER, 7)
            tx.expect(OTHER, 1, b"again")

        store.transact(work)
        with store.read() as reader:
            found = sorted(reader.incoming())
        assert found == sorted([Incoming(OTHER, 1, b"again", frozenset()), Incoming(ACTOR, 2, b"another", frozenset())])

    def test_parts_of_a_large_change_wait_until_it_is_complete(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            tx.expect(OTHER, 1, b"header")
            tx.expect(OTHER, 1, b"again")
            tx.expect(ACTOR, 2, b"another")
            for number in (1, 0, 1):
                tx.keep_part(OTHER, 1, number, b"part %d" % number)

        store.transact(work)
        with store.read() as reader:
            assert list(reader.incoming()) == [
                Incoming(OTHER, 1, b"header", frozenset({0, 1})),
                Incoming(ACTOR, 2, b"another", frozenset()),
            ]
        store.transact(lambda tx: tx.complete(OTHER, 1, 4))
        with store.read() as reader:
            assert list(reader.parts(4)) == [b"part 0", b"part 1"]
            assert [each.actor for each in reader.incoming()] == [ACTOR]

    def test_a_fork_is_noted_once_for_each_other_hash(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for _ in range(2):
                tx.add_fork(OTHER, 3, b"ours", b"theirs")
            tx.add_fork(OTHER, 3, b"ours", b"another")

        store.transact(work)
        with store.read() as reader:
            found = [tuple(fork) for fork in reader.forks()]
        assert found == [(OTHER, 3, b"ours", b"another"), (OTHER, 3, b"ours", b"theirs")]

    # --- entities -----------------------------------------------------------------------------------------------------

    def test_states_are_found_by_key_and_in_order_of_kinds_and_ids(self, store: AnyStore) -> None:
        many = [record(number, kind) for kind in ("task", "document") for number in range(1_250)]

        def work(tx: StoreWriter) -> None:
            tx.save(many[::-1], dict.fromkeys((each.key for each in many), False))

        store.transact(work)
        with store.read() as reader:
            assert list(reader.all_records()) == many
            assert list(reader.all_records("task")) == many[:1_250]
            assert list(reader.all_records("document")) == many[1_250:]
            assert list(reader.all_records("document", after=many[1_299].key)) == many[1_300:]
            assert list(reader.all_records("document", after=many[7].key)) == many[1_250:]
            assert list(reader.all_records("device")) == []
            found = reader.records(entity(number, "document") for number in range(500, 3_000))
            assert found == {each.key: each for each in many[1_750:]}
            assert reader.records([]) == {}

    def test_a_state_is_replaced_and_its_marks_with_it(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            marks = {entity(1): True, entity(2): False, entity(3): True}
            tx.save([record(1), record(2, hidden=True), record(3)], marks)
            tx.save([record(1, hidden=True, state=b"new"), record(2)], {entity(1): False, entity(2): True})

        store.transact(work)
        with store.read() as reader:
            assert reader.records([entity(1)]) == {entity(1): record(1, hidden=True, state=b"new")}
            assert reader.hidden("task") == [entity(1)]
            assert reader.hidden("document") == []
            assert reader.conflicted() == [entity(2), entity(3)]

    def test_ids_are_found_by_their_end_and_the_visible_come_first(self, store: AnyStore) -> None:
        def number(high: int, low: int) -> int:
            return high << 32 | low

        records = [record(number(high, 0xABCDEF), hidden=high < 5) for high in range(30)]
        records += [record(number(1, 0xABCDEE)), record(number(40, 0xABCDEF), "document")]
        store.transact(lambda tx: tx.save(records, dict.fromkeys((each.key for each in records), False)))
        with store.read() as reader:
            found = reader.ids_ending("task", "abcdef")
            assert found == [text_id(number(high, 0xABCDEF)) for high in range(5, 25)]
            assert reader.ids_ending("task", "000100abcdee") == [text_id(number(1, 0xABCDEE))]
            assert reader.ids_ending("document", "abcdef") == [text_id(number(40, 0xABCDEF))]
            assert reader.ids_ending("task", "abcdf0") == []

    def test_sums_of_the_digest_are_kept_modulo_2_to_the_128(self, store: AnyStore) -> None:
        top = (1 << 128) - 1

        def work(tx: StoreWriter) -> None:
            tx.add_to_buckets({0: top, 1: 5, 4095: -1, 7: 3})
            tx.add_to_buckets({0: 2, 1: -6, 7: -3})
            tx.add_to_buckets({})

        store.transact(work)
        with store.read() as reader:
            assert reader.buckets() == {0: 1, 1: top, 4095: top}

    def test_many_buckets_change_at_once(self, store: AnyStore) -> None:
        everything = {bucket: bucket + 1 for bucket in range(4_096)}
        store.transact(lambda tx: tx.add_to_buckets(everything))
        store.transact(lambda tx: tx.add_to_buckets(everything))
        with store.read() as reader:
            assert reader.buckets() == {bucket: 2 * total for bucket, total in everything.items()}

    # --- texts --------------------------------------------------------------------------------------------------------

    def test_a_text_is_its_state_and_the_updates_since(self, store: AnyStore) -> None:
        key = (entity(1), "content", GENESIS)

        def work(tx: StoreWriter) -> list[int]:
            assert tx.text(*key) is None
            tx.save_text(*key, b"state", 0)
            return [tx.append_text(*key, actor, update) for actor, update in ((ACTOR, b"a"), (OTHER, EVERY_BYTE))]

        first, second = store.transact(work)
        assert 0 < first < second
        with store.read() as reader:
            everything = [(first, ACTOR, b"a"), (second, OTHER, EVERY_BYTE)]
            assert reader.text(*key) == (b"state", 0, everything)
            assert reader.text(*key, since=0) == (b"", 0, everything)
            assert reader.text(*key, since=first) == (b"", 0, everything[1:])
            assert reader.text(*key, since=second) == (b"", 0, [])
            assert reader.text(entity(1), "content", 1) is None
            assert reader.text(entity(1), "description", GENESIS) is None

    def test_a_state_that_is_written_anew_swallows_the_updates_up_to_it(self, store: AnyStore) -> None:
        key = (entity(1), "content", GENESIS)

        def work(tx: StoreWriter) -> list[int]:
            tx.save_text(*key, b"old", 0)
            serials = [tx.append_text(*key, ACTOR, b"%d" % number) for number in range(3)]
            tx.save_text(*key, b"new", serials[1])
            return serials

        serials = store.transact(work)
        with store.read() as reader:
            rest = [(serials[2], ACTOR, b"2")]
            assert reader.text(*key) == (b"new", serials[1], rest)
            assert reader.text(*key, since=serials[0]) == (b"new", serials[1], rest)
            assert reader.text(*key, since=serials[1]) == (b"", serials[1], rest)

    def test_all_texts_are_named_in_order(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for number, field, genesis in ((2, "content", 9), (1, "description", 8), (2, "content", 7)):
                tx.save_text(entity(number), field, genesis, b"state", 0)
            tx.save_text(entity(2), "content", 9, b"newer", 1)

        store.transact(work)
        with store.read() as reader:
            named = [tuple(each) for each in reader.all_texts()]
        assert named == [(entity(1), "description", 8), (entity(2), "content", 7), (entity(2), "content", 9)]

    def test_serial_numbers_only_grow_over_all_texts_and_lives_of_the_view(self, store: AnyStore) -> None:
        def append(tx: StoreWriter) -> int:
            return tx.append_text(entity(tx.log_position()), "content", 1, ACTOR, b"update")

        serials = [store.transact(append) for _ in range(3)]
        store.transact(lambda tx: tx.save_text(entity(0), "content", 1, b"", serials[-1]))
        serials.append(store.transact(append))
        store.transact(lambda tx: tx.clear_view())
        serials.append(store.transact(append))
        assert serials == sorted(set(serials))

    def test_texts_that_wait_or_refused_are_noted_once(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            for number in (2, 1, 2):
                tx.set_stale(entity(number), True)
            tx.quarantine(entity(2), "content", GENESIS, "first")
            tx.quarantine(entity(2), "content", GENESIS, "second")
            tx.quarantine(entity(1), "content", 5, "other")

        store.transact(work)
        with store.read() as reader:
            assert reader.stale_texts() == [entity(1), entity(2)]
            found = [tuple(each) for each in reader.quarantined()]
            assert found == [(entity(1), "content", 5, "other"), (entity(2), "content", GENESIS, "first")]
        store.transact(lambda tx: tx.set_stale(entity(1), False))
        store.transact(lambda tx: tx.set_stale(entity(3), False))  # which was not
        with store.read() as reader:
            assert reader.stale_texts() == [entity(2)]

    def test_unknown_operations_are_counted(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            assert tx.unknown_operations() == 0
            for of, position, count in ((None, 1, 2), (entity(1), 1, 1), (entity(1), 1, 1), (entity(1), 2, 1)):
                tx.add_unknown_operations(of, position, count)

        store.transact(work)
        with store.read() as reader:
            assert reader.unknown_operations() == 5

    # --- the specification's tables -----------------------------------------------------------------------------------

    def test_what_is_shown_is_read_back_value_for_value(self, store: AnyStore) -> None:
        task = shown_task(
            1, title="日本 \U0001f642", description="line\n\0NUL\r\n", priority=0, due_date=LATER,
            metadata='{"a":1}', agent_context='{"b":"ü"}', completed_at=TIME,
        )  # fmt: skip
        document = shown_document(2, content="", version="ab")
        store.transact(lambda tx: show(tx, task, document, shown_tag(3, "ünï")))
        with store.read() as reader:
            assert reader.row("task", text_id(1)) == task.row
            assert reader.row("document", text_id(2)) == document.row
            assert reader.row("tag", text_id(3)) == tag_row(3, "ünï")
            assert reader.row("task", text_id(2)) is None
            assert type(reader.row("task", text_id(1))[4]) is int  # type: ignore[index]
            assert reader.table("tasks") == [task.row]
            assert reader.table("documents") == [document.row]

    def test_edges_are_replaced_with_their_source(self, store: AnyStore) -> None:
        waits = (("tag." + text_id(9), entity(9), "hidden"),)

        def work(tx: StoreWriter) -> None:
            show(tx, shown_tag(5, "five"), shown_tag(6, "six"), shown_document(7, tags=(5,)), shown_document(8))
            show(tx, shown_task(1, tags=(6, 5), links=(8, 7), withheld=waits), shown_task(2, tags=(5,), links=(7,)))
            show(tx, shown_task(2, tags=(6,)), new=False)

        store.transact(work)
        with store.read() as reader:
            assert reader.table("entity_tags") == [
                ("document", text_id(7), text_id(5), TIME), ("task", text_id(1), text_id(5), TIME),
                ("task", text_id(1), text_id(6), TIME), ("task", text_id(2), text_id(6), TIME),
            ]  # fmt: skip
            both = [(text_id(1), text_id(number), "reference", TIME) for number in (7, 8)]
            assert reader.table("task_documents") == both
            assert reader.tags_of("task", [text_id(number) for number in (1, 2, 3)]) == {
                text_id(1): [(text_id(5), "five"), (text_id(6), "six")], text_id(2): [(text_id(6), "six")],
                text_id(3): [],
            }  # fmt: skip
            assert reader.links_of(None, None) == both
            assert reader.links_of(text_id(1), text_id(8)) == both[1:]
            assert reader.links_of(None, text_id(7)) == both[:1]
            assert reader.links_of(text_id(2), None) == []
            assert reader.waiting_for([entity(9)]) == [entity(1)]
        store.transact(lambda tx: show(tx, shown_task(1), new=False))
        with store.read() as reader:
            assert reader.links_of(None, None) == []
            assert reader.waiting_for([entity(9)]) == []

    def test_links_come_in_the_order_of_their_times(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, shown_document(7), shown_document(8), shown_task(2, links=(7,)))
            links = ((text_id(7), "b", LATER), (text_id(8), "a", TIME))
            show(tx, shown_task(1)._replace(links=links))

        store.transact(work)
        with store.read() as reader:
            found = [row[:2] for row in reader.links_of(None, None)]
        assert found == [(text_id(1), text_id(8)), (text_id(2), text_id(7)), (text_id(1), text_id(7))]

    def test_who_points_at_something_is_found(self, store: AnyStore) -> None:
        ring = (("parent_id", entity(1), "ring"),)
        gone = (("parent_id", entity(9), "hidden"),)

        def work(tx: StoreWriter) -> None:
            show(tx, shown_tag(5, "five"), shown_document(7, tags=(5,)), shown_task(1, links=(7,)))
            show(tx, shown_task(2, parent_id=text_id(1)), shown_task(3, withheld=ring), shown_task(4, withheld=gone))

        store.transact(work)
        with store.read() as reader:
            assert reader.referrers([entity(1)]) == [entity(2)]
            pointed_at = [entity(5, "tag"), entity(7, "document")]
            assert reader.referrers(pointed_at) == [entity(1), entity(7, "document")]
            assert reader.referrers([]) == []
            assert reader.waiting_for([entity(9)]) == [entity(4)]
            assert reader.waiting_for([entity(1), entity(9)]) == [entity(3), entity(4)]
            assert reader.waiting_for([]) == []
            assert [reader.parent_edge(entity(number)) for number in (1, 2, 3, 4, 8)] == [
                None, entity(1), entity(1), None, None,
            ]  # fmt: skip
            assert reader.in_rings() == [entity(3)]

    def test_hiding_takes_the_rows_and_all_that_hangs_on_them(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, shown_tag(5, "five"), shown_tag(6, "six"), shown_document(7, tags=(5, 6)), shown_document(8))
            waits = (("parent_id", entity(9), "hidden"),)
            show(tx, shown_task(1, tags=(5, 6), links=(7, 8), withheld=waits), shown_task(2, tags=(5,), links=(7,)))

        store.transact(work)
        store.transact(lambda tx: tx.hide("tag", [entity(5, "tag")]))
        with store.read() as reader:
            assert [row[2] for row in reader.table("entity_tags")] == [text_id(6)] * 2
        store.transact(lambda tx: tx.hide("document", [entity(7, "document")]))
        with store.read() as reader:
            assert [row[:2] for row in reader.table("task_documents")] == [(text_id(1), text_id(8))]
            assert [row[1] for row in reader.table("entity_tags")] == [text_id(1)]
        store.transact(lambda tx: tx.hide("task", [entity(1), entity(33)]))
        store.transact(lambda tx: tx.hide("device", [entity(2, "device")]))  # which has no row
        with store.read() as reader:
            assert reader.table("task_documents") == reader.table("entity_tags") == []
            assert reader.waiting_for([entity(9)]) == []
            assert reader.counts() == {"tasks": 1, "documents": 1, "tags": 1, "hidden": 0, "changes": 0}

    def test_a_task_and_a_document_of_one_id_know_nothing_of_each_other(self, store: AnyStore) -> None:
        task, document, tag = entity(1), entity(1, "document"), entity(1, "tag")
        states = [record(1), record(1, "document", hidden=True), record(1, "tag")]

        def work(tx: StoreWriter) -> None:
            tx.save(states, {task: True, document: False, tag: False})
            waits = (("parent_id", task, "hidden"), ("tag." + text_id(9), entity(9, "tag"), "hidden"))
            show(tx, shown_tag(1, "one"), shown_document(1, tags=(1,)), shown_document(2))
            show(tx, shown_task(1, tags=(1,), links=(1, 2)), shown_task(2, parent_id=text_id(1), links=(1,)))
            show(tx, shown_task(3, withheld=waits))
            tx.save_text(task, "description", GENESIS, b"of the task", 0)
            tx.save_text(document, "content", GENESIS, b"of the document", 0)
            tx.set_stale(document, True)
            tx.index_texts()

        store.transact(work)
        with store.read() as reader:
            assert list(reader.all_records()) == states
            assert reader.records([document]) == {document: states[1]}
            assert (reader.hidden("task"), reader.hidden("document")) == ([], [document])
            assert (reader.conflicted(), reader.stale_texts()) == ([task], [document])
            assert reader.referrers([task]) == [entity(2)]
            assert reader.referrers([document]) == [task, entity(2)]
            assert reader.referrers([tag]) == [task, document]
            assert (reader.waiting_for([document]), reader.waiting_for([task])) == ([], [entity(3)])
            assert [each[0] for each in reader.all_texts()] == [task, document]
        store.transact(lambda tx: tx.hide("document", [document]))
        with store.read() as reader:
            assert [row[:2] for row in reader.table("task_documents")] == [(text_id(1), text_id(2))]
            assert [row[:2] for row in reader.table("entity_tags")] == [("task", text_id(1))]
            assert reader.row("task", text_id(1)) == task_row(1)
        store.transact(lambda tx: tx.hide("tag", [tag]))
        with store.read() as reader:
            assert reader.table("entity_tags") == []
            assert reader.row("task", text_id(1)) == task_row(1)

    @pytest.mark.parametrize(
        "shown",
        [shown_task(1, parent_id=text_id(9)), shown_task(1, tags=(9,)), shown_task(1, links=(9,))],
        ids=["parent", "tag", "link"],
    )
    def test_a_row_that_points_at_nothing_stops_its_transaction(
        self, store: AnyStore, ended: list[bool], shown: Shown
    ) -> None:
        def work(tx: StoreWriter) -> None:
            tx.set_meta("name", b"half")
            show(tx, shown)

        with pytest.raises(StorageError):
            store.transact(work)
        with store.read() as reader:
            assert reader.table("tasks") == []
            assert reader.meta("name") is None
        assert ended == [False]

    def test_taking_away_what_a_row_points_at_stops_the_transaction(self, store: AnyStore) -> None:
        store.transact(lambda tx: show(tx, shown_task(1), shown_task(2, parent_id=text_id(1))))
        with pytest.raises(StorageError):
            store.transact(lambda tx: tx.hide("task", [entity(1)]))
        with store.read() as reader:
            assert len(reader.table("tasks")) == 2

    def test_only_the_end_of_a_transaction_counts_for_what_points_where(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, shown_task(2, parent_id=text_id(1), tags=(5,), links=(7,)))
            show(tx, shown_document(7), shown_tag(5, "five"), shown_task(1))

        store.transact(work)

        def move(tx: StoreWriter) -> None:
            tx.hide("task", [entity(1)])
            show(tx, shown_task(2), new=False)

        store.transact(move)
        with store.read() as reader:
            assert [row[0] for row in reader.table("tasks")] == [text_id(2)]

    def test_a_ring_of_parents_is_no_broken_reference(self, store: AnyStore) -> None:
        ring = [shown_task(child, parent_id=text_id(parent)) for child, parent in ((1, 2), (2, 1), (3, 3))]
        store.transact(lambda tx: show(tx, *ring))
        with store.read() as reader:
            assert len(reader.table("tasks")) == 3

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
        store.transact(lambda tx: tx.hide("tag", [entity(2, "tag")]))
        store.transact(lambda tx: show(tx, shown_tag(4, "home")))
        with store.read() as reader:
            assert [row[1] for row in reader.table("tags")] == ["Work", "work", "home"]

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
                return [row[1] for row in reader.rows(plan(query))]

        def work(tx: StoreWriter) -> None:
            show(tx, shown_task(1, title="red apple", description="sweet"), shown_task(2, title="green pear"))
            show(tx, shown_document(3, title="apple pie"))

        store.transact(work)
        assert found(TaskQuery(text="apple")) == []
        with store.read() as reader:
            assert reader.unindexed()
        assert store.transact(lambda tx: tx.index_texts()) == 3
        with store.read() as reader:
            assert not reader.unindexed()
        assert found(TaskQuery(text="apple")) == ["red apple"]
        assert found(TaskQuery(text="sweet")) == ["red apple"]
        assert found(DocumentQuery(text="apple")) == ["apple pie"]
        store.transact(lambda tx: show(tx, shown_task(1, title="blue apple", description="sour"), new=False))
        assert found(TaskQuery(text="sweet")) == ["blue apple"]  # the row as it is, by its former words
        assert store.transact(lambda tx: tx.index_texts()) == 1
        assert found(TaskQuery(text="sweet")) == []
        assert found(TaskQuery(text="sour")) == ["blue apple"]
        store.transact(lambda tx: tx.hide("task", [entity(1)]))
        assert found(TaskQuery(text="sour")) == []

    def test_the_index_catches_up_in_steps(self, store: AnyStore) -> None:
        def work(tx: StoreWriter) -> None:
            show(tx, *(shown_task(number) for number in range(1, 6)), *(shown_document(n) for n in range(6, 10)))

        store.transact(work)
        steps = [store.transact(lambda tx: tx.index_texts(4)) for _ in range(4)]
        assert steps == [4, 4, 1, 0]
        with store.read() as reader:
            assert len(reader.rows(plan(TaskQuery(text="task")))) == 5
            assert len(reader.rows(plan(DocumentQuery(text="document")))) == 4

    def test_a_row_that_comes_back_after_hiding_is_indexed_anew(self, store: AnyStore) -> None:
        def found(word: str) -> int:
            store.transact(lambda tx: tx.index_texts())
            with store.read() as reader:
                return len(reader.rows(plan(TaskQuery(text=word))))

        store.transact(lambda tx: show(tx, shown_task(1, title="first"), shown_task(2, title="other")))
        assert found("first") == 1
        store.transact(lambda tx: tx.hide("task", [entity(1), entity(2)]))
        store.transact(lambda tx: show(tx, shown_task(3, title="third"), shown_task(1, title="second")))
        assert [found(word) for word in ("first", "other", "second", "third")] == [0, 0, 1, 1]

    def test_clearing_the_view_keeps_the_log_and_what_is_named(self, store: AnyStore) -> None:
        store.transact(fill)
        with store.read() as reader:
            before = dump(reader)
        store.transact(lambda tx: tx.clear_view())
        with store.read() as reader:
            after = dump(reader)
            assert reader.unknown_operations() == 0
            assert [row for name in ("tasks", "documents", "tags") for row in reader.table(name)] == []
            assert reader.rows(plan(DocumentQuery(text="words"))) == []
        kept = ("meta", "heads", "log", "hashes", "signatures", "segments", "incoming", "forks")
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
        assert after["records"] == after["digest"] == {}
        assert after["due"] == ([], False, [])
        assert after["texts"] == [None, None]
