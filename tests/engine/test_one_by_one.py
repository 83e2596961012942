"""The cost of many steps, each in a change of its own, or all in one transaction that looks at what it did."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from tests.costs import GROWS, Act, Case, cases, measured
from tests.deeds import chain, documents, one_by_one, one_change, retitle, tasks

FEW = 40  # each is a commit, with all that it writes


# --- each in a change of its own --------------------------------------------------------------------------------------


def make_documents(size: int, engine: StorageEngine) -> Act:
    return lambda: [engine.create_document(edda.Document(title="d", content="words")) for _ in range(size)]


def make_subtasks(size: int, engine: StorageEngine) -> Act:
    (parent,) = tasks(engine, 1)
    return lambda: [engine.create_task(edda.Task(title="t", parent_id=parent)) for _ in range(size)]


def make_a_chain(size: int, engine: StorageEngine) -> Act:
    def act() -> None:
        parent = None
        for _ in range(size):
            parent = engine.create_task(edda.Task(title="t", parent_id=parent))

    return act


def move(tx: Any, edge: tuple[str, str]) -> None:
    tx.update_task(edda.Task(id=edge[0], parent_id=edge[1]))


def build_a_chain_from_its_top(size: int, engine: StorageEngine) -> Act:
    return one_by_one(engine, [(below, above) for above, below in pairwise(tasks(engine, size))], move)


def build_a_chain_from_its_end(size: int, engine: StorageEngine) -> Act:
    return one_by_one(engine, pairwise(tasks(engine, size)), move)


def make_tags(size: int, engine: StorageEngine) -> Act:
    return one_by_one(engine, range(size), lambda tx, number: tx.create_tag(f"tag {number}", color="red"))


def retitle_each(size: int, engine: StorageEngine) -> Act:
    return one_by_one(engine, tasks(engine, size), retitle)


def retitle_one(size: int, engine: StorageEngine) -> Act:
    return one_by_one(engine, tasks(engine, 1) * size, retitle)


def edit_each_text(size: int, engine: StorageEngine) -> Act:
    """Nobody looks in between, so rows and hashes of more and more texts are out of date."""
    return one_by_one(engine, documents(engine, size), lambda tx, each: tx.edit_text(each, "content", [(0, 0, "x")]))


def link_to_one_document(size: int, engine: StorageEngine) -> Act:
    (document,) = documents(engine, 1)
    return one_by_one(engine, tasks(engine, size), lambda tx, task: tx.link(task, document))


def delete_each(size: int, engine: StorageEngine) -> Act:
    return one_by_one(engine, tasks(engine, size, tags={"work"}), lambda tx, task: tx.delete_task(task))


def delete_a_chain(size: int, engine: StorageEngine) -> Act:
    return one_by_one(engine, chain(engine, size), lambda tx, task: tx.delete_task(task))


def restore_a_chain(size: int, engine: StorageEngine) -> Act:
    made = chain(engine, size)
    one_change(engine, made, lambda tx, task: tx.delete_task(task))()
    return one_by_one(engine, made, lambda tx, task: tx.restore_task(task))


@cases(
    Case("make documents", make_documents, FEW),
    Case("make subtasks of one task", make_subtasks, FEW),
    Case("make a chain of subtasks", make_a_chain, FEW),
    Case("build a chain of subtasks from its top", build_a_chain_from_its_top, FEW),
    Case("build a chain of subtasks from its end", build_a_chain_from_its_end, FEW),
    Case("make tags", make_tags, FEW),
    Case("edit the title of each task", retitle_each, FEW),
    Case("edit the title of one task", retitle_one, FEW),
    Case("edit the text of each document", edit_each_text, FEW),
    Case("link each task to one document", link_to_one_document, FEW),
    Case("delete each task", delete_each, FEW),
    Case("delete a chain of subtasks from its top", delete_a_chain, FEW),
    Case("restore a chain of subtasks from its top", restore_a_chain, FEW),
)
def test_twice_as_many_changes_are_less_than_two_and_a_half_times_the_work(case: Case) -> None:
    once, twice = measured(case, case.size), measured(case, 2 * case.size)
    assert twice.beyond(GROWS, once) == {}


# --- of one task: its state is read and written whole, and of its rows what changed -----------------------------------


def tag_one(size: int, engine: StorageEngine) -> Act:
    (task,) = tasks(engine, 1)
    return one_by_one(engine, range(size), lambda tx, number: tx.add_tag(task, f"tag {number}"))


def link_one(size: int, engine: StorageEngine) -> Act:
    (task,) = tasks(engine, 1)
    return one_by_one(engine, documents(engine, size), lambda tx, document: tx.link(task, document))


def describe_one(size: int, engine: StorageEngine) -> Act:
    (task,) = tasks(engine, 1)
    return one_by_one(
        engine, range(size), lambda tx, number: tx.update_task(edda.Task(id=task, metadata={f"{number}": number}))
    )


@cases(
    Case("tag one task", tag_one, FEW),
    Case("link documents to one task", link_one, FEW),
    Case("add to the metadata of one task", describe_one, FEW),
)
def test_only_the_changed_rows_of_a_task_are_written(case: Case) -> None:
    once, twice = measured(case, case.size), measured(case, 2 * case.size)
    assert twice.beyond(GROWS, once).keys() <= {"lines"}


# --- in one transaction that looks at what it did ---------------------------------------------------------------------


def look_and_retitle(size: int, engine: StorageEngine) -> Act:
    (task,) = tasks(engine, 1)

    def do(tx: Any, number: int) -> None:
        found = tx.get_task(task)
        found.title = f"{number}"
        tx.update_task(found)

    return one_change(engine, list(range(size)), do)


def look_and_type(size: int, engine: StorageEngine) -> Act:
    (document,) = documents(engine, 1)

    def do(tx: Any, _: int) -> None:
        tx.get_document(document)
        tx.edit_text(document, "content", [(0, 0, "x")])

    return one_change(engine, list(range(size)), do)


def delete_and_restore(size: int, engine: StorageEngine) -> Act:
    (task,) = tasks(engine, 1)

    def do(tx: Any, _: int) -> None:
        tx.delete_task(task)
        tx.restore_task(task)

    return one_change(engine, list(range(size)), do)


def make_and_list(size: int, engine: StorageEngine) -> Act:
    def act() -> None:
        with engine.begin_transaction() as tx:
            for number in range(size):
                tx.create_task(edda.Task(title=f"{number}"))
            tx.query_tasks(edda.TaskQuery(limit=10))

    return act


@cases(
    Case("look at one task and edit its title", look_and_retitle),
    Case("look at one document and type into it", look_and_type),
    Case("delete a task and restore it", delete_and_restore),
    Case("make tasks and list some", make_and_list),
)
def test_a_transaction_computes_its_effect_on_an_item_once(case: Case) -> None:
    once, twice = measured(case, case.size), measured(case, 2 * case.size)
    assert twice.beyond(GROWS, once) == {}


# --- where a task stands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_subtasks", [False, True])
def test_a_move_walks_up_the_parents_without_reading_their_entities(has_subtasks: bool) -> None:
    """Only a task that is somebody's parent can close a ring; then the parent of each task above is read once."""

    def below_a_chain(size: int, engine: StorageEngine) -> Act:
        made, (task,) = chain(engine, size), tasks(engine, 1)
        tasks(engine, int(has_subtasks), parent_id=task)
        return lambda: engine.update_task(edda.Task(id=task, parent_id=made[-1]))

    once, twice = (measured(Case("move", below_a_chain), size) for size in (100, 200))
    assert twice.entities == once.entities
    assert twice.statements - once.statements == 100 * has_subtasks
