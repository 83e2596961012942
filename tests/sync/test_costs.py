"""The cost of taking changes from another device: work is counted, and never timed (see ``costs``)."""

from __future__ import annotations

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import pair, sync
from tests.costs import GROWS, Act, Case, cases, measured
from tests.deeds import chain, documents, many_rings, one_by_one, one_change, one_ring, retitle, tasks, type_into


def close_one_ring(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    one_ring(here, there, size)
    return lambda: sync(here, there)


def close_many_rings(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    many_rings(here, there, size)
    return lambda: sync(here, there)


def take_one_change(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    tasks(here, size, tags={"work"}, description="words")
    return lambda: sync(here, there)


def take_many_changes(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    one_by_one(here, range(size), lambda tx, _: tx.create_task(edda.Task(title="T")))()
    return lambda: sync(here, there)


def take_titles(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    edit = one_change(here, tasks(here, size), retitle)
    sync(here, there)
    edit()
    return lambda: sync(here, there)


def take_texts(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    made = documents(here, size)
    sync(here, there)
    type_into(here, made)
    return lambda: sync(here, there)


def take_a_chain(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    chain(here, size)
    return lambda: sync(here, there)


def take_a_growing_chain(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    parent = None
    for _ in range(size):
        parent = here.create_task(edda.Task(title="t", parent_id=parent))
    return lambda: sync(here, there)


def take_titles_of_one(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    made = tasks(here, 1)
    sync(here, there)
    one_by_one(here, made * size, retitle)()
    return lambda: sync(here, there)


def take_what_is_typed(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    made = documents(here, 1)
    sync(here, there)
    one_by_one(here, made * size, lambda tx, document: tx.edit_text(document, "content", [(0, 0, "x")]))()
    return lambda: sync(here, there)


def take_tags_of_one(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    (task,) = tasks(here, 1)
    sync(here, there)
    one_by_one(here, range(size), lambda tx, number: tx.add_tag(task, f"tag {number}"))()
    return lambda: sync(here, there)


def take_deletions(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    act = one_change(here, tasks(here, size), lambda tx, task: tx.delete_task(task))
    sync(here, there)
    act()
    return lambda: sync(here, there)


def first_sync(size: int, engine: StorageEngine) -> Act:
    tasks(engine, size, tags={"work"}, description="words")
    documents(engine, size // 10)

    def act() -> None:
        with StorageEngine(engine.home.parent / f"newcomer {size}") as newcomer:
            newcomer.open_store(edda.StorageConfig(state_path=engine.home.parent / "state", name="newcomer"))
            pair(engine, newcomer)
            sync(engine, newcomer)

    return act


@cases(
    Case("close one ring of parents", close_one_ring, devices=2),
    Case("close many rings of parents", close_many_rings, devices=2),
    Case("take one change of many tasks", take_one_change, devices=2),
    Case("take many changes", take_many_changes, devices=2),
    Case("take many titles", take_titles, devices=2),
    Case("take many texts", take_texts, devices=2),
    Case("take a chain of subtasks", take_a_chain, devices=2),
    Case("take a chain of subtasks, each of its own change", take_a_growing_chain, devices=2),
    Case("take many titles of one task", take_titles_of_one, devices=2),
    Case("take what was typed into one text", take_what_is_typed, devices=2),
    Case("take many tags of one task", take_tags_of_one, devices=2),
    Case("take deletions", take_deletions, devices=2),
    Case("first sync", first_sync),
)
def test_to_take_twice_as_much_is_less_than_two_and_a_half_times_the_work(case: Case) -> None:
    once, twice = measured(case, case.size), measured(case, 2 * case.size)
    assert twice.beyond(GROWS, once) == {}
