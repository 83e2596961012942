"""What it costs texts in ASCII that full text folds the others: bulk creates with full text, in pairs with and without."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from benchmarks.measure import Figure, Options, Source, a_store, fill, spent
from edda_sync.store.sqlite import fulltext

PAIRS: Final = 40
TASKS: Final = 500
AIM: Final = 1.03


def run(options: Options) -> Iterator[Figure]:
    source, usual = Source(), fulltext.words_of
    ways: list[Callable[[str], str]] = [usual, lambda column: column]  # the second one folds nothing, and asks nothing
    indexed: list[list[float]] = [[], []]
    created: list[float] = []
    with a_store(options) as store:
        for number in range(PAIRS):
            for way in (0, 1) if number % 2 else (1, 0):
                created.append(spent(partial(fill, store, source.tasks(TASKS))).cpu_s / TASKS)
                setattr(fulltext, "words_of", ways[way])  # noqa: B010 - a type checker wants no function replaced
                try:
                    indexed[way].append(spent(store.reading.index_texts).cpu_s / TASKS)
                finally:
                    setattr(fulltext, "words_of", usual)  # noqa: B010 - as above
    more_s = statistics.median(with_ - without for with_, without in zip(*indexed, strict=True))
    without_s = statistics.median(created) + statistics.median(indexed[1])
    ratio = 1 + more_s / without_s
    yield Figure(
        "a create in bulk with full text, in ASCII: CPU, with folding against without", f"{AIM:.2f} times",
        f"{(without_s + more_s) * 1e6:,.1f} us ({ratio:.3f} times)", f"{without_s * 1e6:,.1f} us", reached=ratio < AIM,
        cpu_s=without_s + more_s,
    )  # fmt: skip
