"""What every store promises of transactions, readers and its end."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from edda_sync.simulations.disk import DiskStore
from edda_sync.store.seams import StoreWriter
from edda_sync.words.errors import NestedError, UsageError
from tests.forked import fork, in_child
from tests.store.samples import ACTOR, GENESIS, REFUSED, AnyStore, change_all, dump, entity, fill


def test_a_transaction_returns_what_its_work_returns(store: AnyStore) -> None:
    assert store.transact(lambda _tx: "result") == "result"
    assert store.submit(lambda _tx: 7).result(timeout=30) == 7


def test_a_transaction_sees_what_it_wrote_at_once_and_others_see_the_same_afterwards(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> dict[str, Any]:
        fill(tx)
        return dump(tx)

    inside = store.transact(work)
    with store.read() as reader:
        assert dump(reader) == inside


@pytest.mark.parametrize("filled", [False, True])
def test_work_that_raises_leaves_no_trace(store: AnyStore, ended: list[bool], filled: bool) -> None:
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


def test_a_base_exception_leaves_no_trace_either(store: AnyStore, ended: list[bool]) -> None:
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


def test_listeners_hear_of_the_end_of_a_transaction_before_its_caller(store: AnyStore, ended: list[bool]) -> None:
    store.transact(lambda tx: tx.meta.set("name", b""))
    assert ended == [True]
    store.submit(lambda tx: tx.meta.get("name")).result(timeout=30)
    assert ended == [True, True]


def test_transactions_of_many_threads_follow_one_another(store: AnyStore) -> None:
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


def test_a_future_carries_the_error_of_its_work(store: AnyStore) -> None:
    def work(_tx: StoreWriter) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        store.submit(work).result(timeout=30)


def test_a_call_that_would_wait_for_its_own_transaction_is_refused_and_leaves_no_trace(store: AnyStore) -> None:
    waits: list[Callable[[], object]] = [lambda: store.transact(lambda _tx: None)]
    if not isinstance(store, DiskStore):  # which is closed by the disk
        waits.append(store.close)
    for wait in waits:

        def work(tx: StoreWriter, wait: Callable[[], object] = wait) -> None:
            tx.meta.set("name", b"half")
            wait()

        with pytest.raises(NestedError, match="would wait for itself; do it with the transaction that is running"):
            store.transact(work)
    assert store.transact(lambda tx: tx.meta.get("name")) is None

    def goes_on(tx: StoreWriter) -> None:
        with pytest.raises(NestedError):
            store.transact(lambda _tx: None)
        tx.meta.set("name", b"whole")

    store.submit(goes_on).result(timeout=30)  # on whichever thread
    assert store.transact(lambda tx: tx.meta.get("name")) == b"whole"


# --- readers -----------------------------------------------------------------------------------------------------------


def test_a_reader_sees_one_fixed_state_while_others_write(store: AnyStore) -> None:
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


def test_a_reader_goes_on_when_another_reader_of_the_same_state_ends(store: AnyStore) -> None:
    store.transact(fill)
    with store.read() as reader:
        before = dump(reader)
        with store.read() as other:
            assert dump(other) == before
        store.transact(change_all)
        assert dump(reader) == before


def test_a_reader_first_used_after_a_write_still_sees_the_state_it_was_opened_at(store: AnyStore) -> None:
    with store.read() as reader:
        store.transact(fill)
        assert reader.meta.get("name") is None
        assert reader.tables.all("tasks") == []


def test_a_reader_opened_inside_a_transaction_sees_the_state_before_it(store: AnyStore) -> None:
    store.transact(fill)
    with store.read() as reader:
        before = dump(reader)

    def work(tx: StoreWriter) -> None:
        change_all(tx)
        with store.read() as reader:
            assert dump(reader) == before

    store.transact(work)


def test_a_failed_transaction_does_not_show_to_a_reader_that_is_open(store: AnyStore) -> None:
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


def test_the_results_of_a_reader_stay_as_they_were(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        heads, evidence = tx.log.heads(), tx.evidence.all()
        fill(tx)
        assert dict(heads) == {}
        assert dict(evidence) == {}

    store.transact(work)


def test_work_that_must_not_wait_runs_unless_a_transaction_is_running(store: AnyStore, ended: list[bool]) -> None:
    def put(tx: StoreWriter) -> None:
        tx.meta.set("put", b"%d" % len(ran))

    ran: list[bool] = []
    ran.append(store.transact_unless_busy(put))
    store.transact(lambda _tx: ran.append(store.transact_unless_busy(put)))
    with store.read() as reader:
        assert reader.meta.get("put") == b"0"
        ran.append(store.transact_unless_busy(put))
    with store.read() as reader:
        assert reader.meta.get("put") == b"2"
    assert ran == [True, False, True]
    assert ended == [True, True, True]


def test_work_that_must_not_wait_and_fails_says_so_and_leaves_no_trace(store: AnyStore, ended: list[bool]) -> None:
    def work(tx: StoreWriter) -> None:
        tx.meta.set("put", b"")
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        store.transact_unless_busy(work)
    with store.read() as reader:
        assert reader.meta.get("put") is None
    assert ended == [False]
    store.close()
    with pytest.raises(UsageError):
        store.transact_unless_busy(work)


def test_the_version_changes_with_each_commit_and_with_nothing_else(store: AnyStore) -> None:
    seen = [store.version()]
    for number in range(3):
        store.transact(lambda tx, number=number: tx.meta.set("name", b"%d" % number))  # type: ignore[misc]
        seen.append(store.version())
        with store.read() as reader:
            reader.meta.get("name")
        assert store.version() == seen[-1]
    assert len(set(seen)) == 4


# --- closing -----------------------------------------------------------------------------------------------------------


def test_a_transaction_that_writes_nothing_leaves_the_version(store: AnyStore) -> None:
    store.transact(lambda tx: tx.meta.set("what", b"is written"))
    before = store.version()
    store.transact(lambda tx: tx.log.heads())
    assert store.version() == before


@pytest.mark.parametrize("use", ["transact", "submit", "read", "version", "close"])
def test_a_forked_child_is_refused_with_a_way_out_and_the_parent_goes_on(store: AnyStore, use: str) -> None:
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


def test_a_transaction_that_forks_is_committed_by_the_parent_alone(store: AnyStore) -> None:
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


def test_a_closed_store_refuses_and_says_so(store: AnyStore) -> None:
    store.close()
    store.close()
    with pytest.raises(UsageError, match="open it again"):
        store.transact(lambda _tx: None)
    with pytest.raises(UsageError, match="open it again"):
        store.submit(lambda _tx: None)
    with pytest.raises(UsageError, match="open it again"), store.read():
        pass


def test_closing_finishes_earlier_requests(store: AnyStore) -> None:
    futures = [store.submit(lambda tx: tx.meta.set("name", b"")) for _ in range(100)]
    store.close()
    assert all(future.done() and future.exception() is None for future in futures)


# --- forgetting some entities ------------------------------------------------------------------------------------------


def test_a_failed_part_of_a_transaction_leaves_no_trace_and_the_rest_goes_on(store: AnyStore) -> None:
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
