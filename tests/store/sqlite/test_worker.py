"""The worker: one thread, started when it is needed, and started anew after it has left."""

from __future__ import annotations

import threading

from edda_sync.store.sqlite.worker import Worker

WAIT_S = 60


def test_a_worker_is_started_once_and_waited_for() -> None:
    worker, begun, may_end = Worker(), list[int](), threading.Event()

    def work() -> None:
        begun.append(threading.get_ident())
        assert may_end.wait(WAIT_S)

    for _ in range(3):
        worker.begin(work)
    may_end.set()
    worker.join()
    assert len(begun) == 1
    assert begun[0] != threading.get_ident()


def test_a_worker_that_has_ended_or_left_is_followed_by_another() -> None:
    worker, ends = Worker(), list[threading.Event]()

    def work() -> None:
        ends.append(threading.Event())
        worker.leave()
        assert ends[-1].wait(WAIT_S)

    for number in range(3):
        worker.begin(work)
        while len(ends) == number:
            pass
    for each in ends:
        each.set()
    worker.begin(lambda: None)
    worker.join()
    worker.begin(lambda: ends.clear())
    worker.join()
    assert ends == []


def test_a_worker_that_was_started_twice_after_an_interrupt_does_its_work_once() -> None:
    worker, done = Worker(), list[int]()
    ready = [threading.Lock(), threading.Lock()]
    may_end = threading.Event()

    def work() -> None:
        done.append(1)
        assert may_end.wait(WAIT_S)

    for each in ready:
        each.acquire()
        threading.Thread(target=worker._live, args=(work, each), daemon=True).start()
    for each in ready:
        assert each.acquire(timeout=WAIT_S), "its starter waits for ever"
    may_end.set()
    worker.join()
    assert done == [1]


def test_waiting_without_a_worker_returns_at_once() -> None:
    Worker().join()
