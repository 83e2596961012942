"""Single creates, each durable before the next: by one writer, and by eight at once, which share commits."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Iterator

from benchmarks.measure import Figure, Options, Source, a_raw_store, a_store, rate, raw_rows, seconds

ROUNDS = 15  # the three take turns, so that a slow moment of the machine strikes all of them
CREATES = 200
WRITERS = 8


def run(options: Options) -> Iterator[Figure]:
    source = Source()
    raw_s, one_s, eight_s = [], [], []
    with a_store(options) as store, a_raw_store(options) as raw:
        for _ in range(ROUNDS):
            rows = raw_rows(source.tasks(CREATES))
            raw_s.append(seconds(lambda rows=rows: [raw.insert([row]) for row in rows]) / CREATES)  # type: ignore[misc]
            tasks = source.tasks(CREATES)
            one_s.append(seconds(lambda tasks=tasks: [store.create_task(task) for task in tasks]) / CREATES)  # type: ignore[misc]
            shares = [source.tasks(CREATES // WRITERS) for _ in range(WRITERS)]

            def create(number: int, shares: list[list[object]] = shares) -> None:  # type: ignore[assignment]
                for task in shares[number]:
                    store.create_task(task)  # type: ignore[arg-type]

            eight_s.append(at_once(create) / CREATES)
    ratio = statistics.median(ours and raw / ours for raw, ours in zip(raw_s, one_s, strict=True))
    gain = statistics.median(one / eight for one, eight in zip(one_s, eight_s, strict=True))
    raw_rate, one_rate, eight_rate = (1 / statistics.median(each) for each in (raw_s, one_s, eight_s))
    yield Figure("durable creates, 1 writer", "0.5 of raw", rate(one_rate), rate(raw_rate), ratio, ratio >= 0.5)
    yield Figure(
        f"durable creates, {WRITERS} writers", "3 x one writer",
        f"{rate(eight_rate)} ({gain:.1f} x)", rate(raw_rate), eight_rate / raw_rate, gain >= 3,
    )  # fmt: skip


def at_once(work: Callable[[int], None]) -> float:
    """Return how long the writers take together."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(WRITERS)]

    def together() -> None:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return seconds(together)
