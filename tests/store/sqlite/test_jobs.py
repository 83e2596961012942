"""Jobs: transactions that are committed together."""

from __future__ import annotations

import threading

from edda_sync.store.sqlite.jobs import BATCH_MAX, Job, Jobs
from edda_sync.store.sqlite.outcome import Outcome

LONG_S = 60.0  # nobody waits for it where the test holds


def job() -> Job:
    return (lambda _tx: None), Outcome()


def put(jobs: Jobs, count: int) -> None:
    for _ in range(count):
        jobs.put(job())


def test_waiting_jobs_are_taken_together() -> None:
    jobs = Jobs(LONG_S)
    put(jobs, 5)
    assert len(jobs.gather(LONG_S)) == 5
    assert jobs.is_empty


def test_after_three_jobs_came_together_the_writer_waits_for_the_third_of_the_next_ones() -> None:
    jobs, taken = Jobs(LONG_S), list[int]()
    put(jobs, 3)
    assert len(jobs.gather(LONG_S)) == 3
    put(jobs, 2)
    thread = threading.Thread(target=lambda: taken.append(len(jobs.gather(LONG_S))))
    thread.start()
    while not jobs.is_empty:  # the two are taken, and the thread waits for one more
        pass
    put(jobs, 1)
    thread.join()
    assert taken == [3]


def test_the_writer_does_not_wait_again_for_a_job_that_did_not_come() -> None:
    jobs = Jobs(0.001)
    put(jobs, 3)
    jobs.gather(LONG_S)
    put(jobs, 1)
    assert len(jobs.gather(LONG_S)) == 1
    assert jobs.is_quiet


def test_a_single_job_does_not_wait() -> None:
    jobs = Jobs(LONG_S)
    for _ in range(3):
        put(jobs, 1)
        assert len(jobs.gather(LONG_S)) == 1
        assert jobs.is_quiet


def test_a_thread_that_writes_beside_others_waits_with_them() -> None:
    jobs = Jobs(LONG_S)
    put(jobs, 2)
    assert not jobs.is_quiet
    jobs.gather(LONG_S)
    assert jobs.is_empty
    assert not jobs.is_quiet, "the two are expected back"


def test_a_wake_up_ends_the_waiting() -> None:
    jobs = Jobs(LONG_S)
    put(jobs, 2)
    jobs.gather(LONG_S)
    put(jobs, 1)
    jobs.put(None)
    assert len(jobs.gather(LONG_S)) == 1
    jobs.put(None)
    assert jobs.gather(LONG_S) == []
    assert jobs.gather(0.0) == []


def test_the_size_of_a_commit_is_limited() -> None:
    jobs = Jobs(0.0)  # after a full batch another one is expected, and awaited to the end
    put(jobs, BATCH_MAX + 1)
    assert [len(jobs.gather(LONG_S)), len(jobs.gather(LONG_S))] == [BATCH_MAX, 1]
