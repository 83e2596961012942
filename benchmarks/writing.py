"""Durable creates, one at a time, from several threads, and in bulk."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from benchmarks import kit
from benchmarks.kit import Figure

SINGLES = 1_000
WRITERS = 8


def run(tasks: int) -> list[Figure]:
    """Measure."""
    kit.prepare(tasks + SINGLES)
    with kit.home() as folder:
        connection = kit.raw(folder)

        def raw_singles() -> None:
            for number in range(SINGLES):
                connection.execute("BEGIN IMMEDIATE")
                kit.raw_insert(connection, number)
                connection.execute("COMMIT")

        def raw_bulk() -> None:
            for start in range(0, tasks, 1_000):
                connection.execute("BEGIN IMMEDIATE")
                for number in range(start, min(start + 1_000, tasks)):
                    kit.raw_insert(connection, SINGLES + number)
                connection.execute("COMMIT")

        floor_singles = SINGLES / kit.seconds(raw_singles)
        floor_bulk = tasks / kit.seconds(raw_bulk)
        connection.close()
    with kit.store() as engine:

        def singles() -> None:
            for number in range(SINGLES):
                engine.create_task(kit.task(number))

        singles()
        ours_singles = SINGLES / kit.seconds(singles)

        def together() -> None:
            with ThreadPoolExecutor(WRITERS) as pool:
                list(pool.map(lambda _: singles(), range(WRITERS)))

        ours_together = WRITERS * SINGLES / kit.seconds(together)
    with kit.store() as engine:

        def bulk() -> None:
            kit.fill(engine, tasks)
            engine.index_texts()

        ours_bulk = tasks / kit.seconds(bulk)
    return [
        Figure(
            "durable single creates", f"{ours_singles:,.0f}/s", f"{floor_singles:,.0f}/s", "0.5 of raw",
            ours_singles / (0.5 * floor_singles),
        ),
        Figure(
            f"the same from {WRITERS} threads", f"{ours_together:,.0f}/s", "", "3 times one",
            ours_together / (3 * ours_singles),
        ),
        Figure(
            f"bulk create of {tasks:,}, full text included", f"{ours_bulk:,.0f}/s", f"{floor_bulk:,.0f}/s", "20,000/s",
            ours_bulk / 20_000,
        ),
    ]  # fmt: skip
