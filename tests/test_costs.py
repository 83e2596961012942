"""
The cost of operations: twice as much takes less than 2.5 times the work, and the rest of the store takes none.

Work is counted, and never timed (see ``costs``).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import edda_sync as edda
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.engine import doctor, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold.conflicts import conflicts_of
from edda_sync.fold.texts import Texts
from edda_sync.testing import devices, sync
from edda_sync.words import values
from tests.costs import GROWS, SIZE, STAYS, Act, Case, Counter, Work, cases, measured
from tests.crdt.works import TASK
from tests.deeds import (
    chain,
    documents,
    many_rings,
    one_change,
    one_ring,
    reparent,
    retitle,
    tasks,
    type_into,
)


def test_work_is_counted_and_nothing_else_is() -> None:
    counter = Counter()
    with counter.watching(), devices(1) as (engine,):
        task = engine.create_task(edda.Task(title="T"))
        nothing = counter.of(lambda: None)
        one, two = (counter.of(one_change(engine, [task] * count, retitle)) for count in (1, 2))
        read = counter.of(lambda: engine.get_task(task))
    assert nothing == Work()
    assert 0 < one.statements <= two.statements
    assert one.entities > 0
    assert 0 < read.lines < one.lines < two.lines
    assert Work(100, 100, 100, 100).beyond(2, Work(50, 49, 0, 100)) == {}, "small counts are not compared"
    assert Work(700, 700, 700, 700).beyond(2, Work(350, 349, 0, 700)) == {"steps": (349, 700), "entities": (0, 700)}


# --- as much work as there is to do -----------------------------------------------------------------------------------


def create_in_one_change(size: int, engine: StorageEngine) -> Act:
    return lambda: tasks(engine, size)


def create_one_by_one(size: int, engine: StorageEngine) -> Act:
    return lambda: [engine.create_task(edda.Task(title="T")) for _ in range(size)]


def edit_titles(size: int, engine: StorageEngine) -> Act:
    return one_change(engine, tasks(engine, size), retitle)


def edit_texts(size: int, engine: StorageEngine) -> Act:
    made = documents(engine, size)

    def act() -> None:
        type_into(engine, made)
        engine.query_documents(edda.DocumentQuery())  # rows and hashes are brought up to date for it

    return act


def type_on(size: int, engine: StorageEngine) -> Act:
    (document,) = documents(engine, 1)

    def act() -> None:
        for _ in range(size):
            engine.edit_text(document, "content", [(0, 0, "x")])

    return act


def tag_one_task(size: int, engine: StorageEngine) -> Act:
    (task,) = tasks(engine, 1)
    return one_change(engine, list(range(size)), lambda tx, number: tx.add_tag(task, f"tag {number}"))


def tag_many_tasks(size: int, engine: StorageEngine) -> Act:
    return one_change(engine, tasks(engine, size), lambda tx, task: tx.add_tag(task, "work"))


def link(size: int, engine: StorageEngine) -> Act:
    (task,), made = tasks(engine, 1), documents(engine, size)
    return one_change(engine, made, lambda tx, document: tx.link(task, document))


def link_many(size: int, engine: StorageEngine) -> Act:
    (document,) = documents(engine, 1)
    return one_change(engine, tasks(engine, size), lambda tx, task: tx.link(task, document))


def unlink(size: int, engine: StorageEngine) -> Act:
    (document,), made = documents(engine, 1), tasks(engine, size)
    one_change(engine, made, lambda tx, task: tx.link(task, document))()
    return one_change(engine, made, lambda tx, task: tx.unlink(task, document))


def untag(size: int, engine: StorageEngine) -> Act:
    return one_change(engine, tasks(engine, size, tags={"work"}), lambda tx, task: tx.remove_tag(task, "work"))


def rename_a_tag(size: int, engine: StorageEngine) -> Act:
    tasks(engine, size, tags={"work"})
    return one_change(engine, ["work"], lambda tx, name: tx.rename_tag(name, "play"))


def make_tags(size: int, engine: StorageEngine) -> Act:
    return one_change(engine, list(range(size)), lambda tx, number: tx.create_tag(f"tag {number}", color="red"))


def describe(size: int, engine: StorageEngine) -> Act:
    (task,) = tasks(engine, 1)
    return one_change(
        engine, list(range(size)), lambda tx, number: tx.update_task(edda.Task(id=task, metadata={f"{number}": 1}))
    )


def delete_documents(size: int, engine: StorageEngine) -> Act:
    made, (task,) = documents(engine, size), tasks(engine, 1)
    one_change(engine, made, lambda tx, document: tx.link(task, document))()
    return one_change(engine, made, lambda tx, document: tx.delete_document(document))


def delete(size: int, engine: StorageEngine) -> Act:
    return one_change(engine, tasks(engine, size), lambda tx, task: tx.delete_task(task))


def delete_a_parent(size: int, engine: StorageEngine) -> Act:
    (parent,) = tasks(engine, 1)
    tasks(engine, size, parent_id=parent)
    return lambda: engine.delete_task(parent)


def delete_a_tag(size: int, engine: StorageEngine) -> Act:
    tasks(engine, size, tags={"work"})
    return one_change(engine, ["work"], lambda tx, name: tx.delete_tag(name))


def restore(size: int, engine: StorageEngine) -> Act:
    made = tasks(engine, size)
    one_change(engine, made, lambda tx, task: tx.delete_task(task))()
    return one_change(engine, made, lambda tx, task: tx.restore_task(task))


def make_a_chain(size: int, engine: StorageEngine) -> Act:
    return lambda: chain(engine, size)


def move_a_chain(size: int, engine: StorageEngine) -> Act:
    first = chain(engine, size)[0]
    (top,) = tasks(engine, 1)
    return lambda: engine.update_task(edda.Task(id=first, parent_id=top))


def retitle_a_chain(size: int, engine: StorageEngine) -> Act:
    return one_change(engine, chain(engine, size), retitle)


def move_many(size: int, engine: StorageEngine) -> Act:
    (parent,), made = tasks(engine, 1), tasks(engine, size)
    return lambda: reparent(engine, [(task, parent) for task in made])


def rebuild(size: int, engine: StorageEngine) -> Act:
    tasks(engine, size, tags={"work"}, description="words")
    documents(engine, size // 4)
    chain(engine, size)
    create_one_by_one(size, engine)()
    return engine.rebuild


def refold(size: int, engine: StorageEngine) -> Act:
    keys = [key_of("task", values.id_bytes("id", task)) for task in chain(engine, size)]
    return lambda: engine.refold(keys)


def scrub_a_chain(size: int, engine: StorageEngine) -> Act:
    chain(engine, size)
    return lambda: engine.reading.scrub(limit=10 * size)


def scrub_links(size: int, engine: StorageEngine) -> Act:
    pairs = zip(tasks(engine, size), documents(engine, size), strict=True)
    one_change(engine, list(pairs), lambda tx, pair: tx.link(*pair))()
    return lambda: engine.reading.scrub(limit=10 * size)


def trash(size: int, engine: StorageEngine) -> Act:
    delete(size, engine)()
    return lambda: engine.trash("task")


def check(size: int, engine: StorageEngine) -> Act:
    tasks(engine, size, tags={"work"}, description="words")
    documents(engine, size // 10)
    create_one_by_one(size, engine)()
    return lambda: doctor.check(engine)


def conflicts(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    made = tasks(here, size)
    sync(here, there)
    one_change(here, made, retitle)()
    one_change(there, made, lambda tx, task: tx.update_task(edda.Task(id=task, title="yet another")))()
    sync(here, there)
    return here.conflicts


def lose_deletions(size: int, here: StorageEngine, there: StorageEngine) -> list[str]:
    """Delete tasks on one device while another one edits them, before they meet."""
    made = tasks(here, size)
    sync(here, there)
    one_change(here, made, lambda tx, task: tx.delete_task(task))()
    one_change(there, made, retitle)()
    return made


def take_lost_deletions(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    lose_deletions(size, here, there)
    return lambda: sync(here, there)


def list_lost_deletions(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    made = lose_deletions(size, here, there)
    sync(here, there)
    assert len(here.conflicts()) == len(made)
    return here.conflicts


def answer_lost_deletions(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    made = lose_deletions(size, here, there)
    sync(here, there)
    return one_change(here, made, lambda tx, task: tx.delete_task(task))


def dispute(size: int, here: StorageEngine, there: StorageEngine, places: int) -> Act:
    """Replace words of texts on two devices at once."""
    made = [here.create_document(edda.Document(title="D", content="word and " * places)) for _ in range(size)]
    sync(here, there)
    for engine, word in ((here, "1"), (there, "2")):
        edits = [(len("word and ") * number, len("word"), word) for number in reversed(range(places))]
        with engine.begin_transaction() as tx:
            for each in made:
                tx.edit_text(each, "content", edits)
    sync(here, there)
    assert len(here.conflicts()) == size * places
    return here.conflicts


def list_disputed_texts(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    return dispute(size, here, there, 1)


def list_places_of_one_text(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    return dispute(1, here, there, size)


def list_a_place_that_was_typed_into(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    made = here.create_document(edda.Document(title="D", content="10 mg"))
    sync(here, there)
    for engine, digit in ((here, "1"), (there, "2")):
        engine.edit_text(made, "content", [(0, 2, "")])
        for _ in range(size):
            engine.edit_text(made, "content", [(0, 0, digit)])
    sync(here, there)
    assert len(here.conflicts()) == 1
    return here.conflicts


@cases(
    Case("create, in one change", create_in_one_change),
    Case("create, one by one", create_one_by_one),
    Case("edit titles in one change", edit_titles),
    Case("edit texts in one change", edit_texts),
    Case("type on in one text", type_on),
    Case("tag one task with many tags", tag_one_task),
    Case("tag many tasks with one tag", tag_many_tasks),
    Case("link many documents to one task", link),
    Case("link many tasks to one document", link_many),
    Case("unlink in one change", unlink),
    Case("take a tag off many tasks", untag),
    Case("rename a tag that many carry", rename_a_tag),
    Case("make tags in one change", make_tags),
    Case("add to the metadata of one task", describe),
    Case("delete documents of one task", delete_documents),
    Case("delete in one change", delete),
    Case("delete what many have as their parent", delete_a_parent),
    Case("delete a tag that many carry", delete_a_tag),
    Case("restore in one change", restore),
    Case("make a chain of subtasks", make_a_chain),
    Case("move a chain of subtasks", move_a_chain),
    Case("edit the titles of a chain of subtasks", retitle_a_chain),
    Case("move many to one parent", move_many),
    Case("rebuild", rebuild),
    Case("fold a chain of subtasks anew", refold),
    Case("scrub a chain of subtasks", scrub_a_chain),
    Case("scrub links", scrub_links),
    Case("list the trash", trash),
    Case("doctor", check),
    Case("list conflicts", conflicts, size=400, devices=2),
    Case("take deletions that edits have undone", take_lost_deletions, devices=2),
    Case("list deletions that edits have undone", list_lost_deletions, devices=2),
    Case("delete again what edits have brought back", answer_lost_deletions, devices=2),
    Case("list disputed texts", list_disputed_texts, size=40, devices=2),
    Case("list the disputed places of one text", list_places_of_one_text, devices=2),
    Case("list a disputed place that was typed into", list_a_place_that_was_typed_into, devices=2),
)
def test_twice_as_much_is_less_than_two_and_a_half_times_the_work(case: Case) -> None:
    once, twice = measured(case, case.size), measured(case, 2 * case.size)
    assert twice.beyond(GROWS, once) == {}


# --- no more work than there is to do ---------------------------------------------------------------------------------


def beside(do: Callable[[StorageEngine, list[str]], Act]) -> Callable[[int, StorageEngine], Act]:
    """Return a function that prepares a store with a number of tasks, in which one thing is done."""

    def prepare(size: int, engine: StorageEngine) -> Act:
        made = tasks(engine, size, tags={"work"}, description="words")
        engine.query_tasks(edda.TaskQuery(text="words", limit=1))  # deferred work is done
        return do(engine, made)

    return prepare


def retitle_beside_rings(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    many_rings(here, there, size)
    sync(here, there)
    (task,) = tasks(here, 1)
    return one_change(here, [task], retitle)


def retitle_beside_a_ring(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    one_ring(here, there, size)
    sync(here, there)
    (task,) = tasks(here, 1)
    return one_change(here, [task], retitle)


def move_beside_rings(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    many_rings(here, there, size)
    sync(here, there)
    (parent, task), (child,) = tasks(here, 2), tasks(here, 1)
    reparent(here, [(child, task)])
    return lambda: reparent(here, [(task, parent)])


def retitle_beside_lost_deletions(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    lose_deletions(size, here, there)
    sync(here, there)
    (task,) = tasks(here, 1)
    return one_change(here, [task], retitle)


def take_a_title(size: int, here: StorageEngine, there: StorageEngine) -> Act:
    made = tasks(here, size)
    sync(here, there)
    one_change(here, made[:1], retitle)()
    return lambda: sync(here, there)


@cases(
    Case("create", beside(lambda engine, _: lambda: tasks(engine, 1))),
    Case("edit a title", beside(lambda engine, made: one_change(engine, made[:1], retitle))),
    Case("tag with what many carry", beside(
        lambda engine, _: one_change(engine, tasks(engine, 1), lambda tx, task: tx.add_tag(task, "work"))
    )),
    Case("tag with what nobody carries", beside(
        lambda engine, made: one_change(engine, made[:1], lambda tx, task: tx.add_tag(task, "new"))
    )),
    Case("delete", beside(lambda engine, made: lambda: engine.delete_task(made[0]))),
    Case("the most urgent", beside(lambda engine, _: lambda: engine.query_tasks(edda.MOST_URGENT))),
    Case("the latest changed", beside(
        lambda engine, _: lambda: engine.query_tasks(edda.TaskQuery(order="updated_at", descending=True, limit=50))
    )),
    Case("a short id", beside(lambda engine, made: lambda: engine.resolve("task", made[0][-6:]))),
    Case("a part of the scrub", beside(lambda engine, _: lambda: engine.reading.scrub(limit=20)), size=600),  # in pages
    Case("status", beside(lambda engine, _: lambda: standing.status(engine))),
    Case("edit a title beside many rings of parents", retitle_beside_rings, devices=2),
    Case("edit a title beside one ring of parents", retitle_beside_a_ring, devices=2),
    Case("move a task beside many rings of parents", move_beside_rings, devices=2),
    Case("edit a title beside many deletions that edits have undone", retitle_beside_lost_deletions, devices=2),
    Case("take a title", take_a_title, devices=2),
)  # fmt: skip
def test_the_rest_of_a_store_makes_no_work(case: Case) -> None:
    once, twice = measured(case, 2 * case.size), measured(case, 4 * case.size)
    assert twice.beyond(STAYS, once) == {}


# --- what is of one task ----------------------------------------------------------------------------------------------


def retitle_with_tags(size: int, engine: StorageEngine) -> Act:
    (task,) = tasks(engine, 1, tags={f"tag {number}" for number in range(size)})
    return one_change(engine, [task], retitle)


@cases(
    Case("edit the title of a task with many tags", retitle_with_tags),
)
def test_only_the_changed_columns_of_a_task_are_written(case: Case) -> None:
    once, twice = measured(case, case.size), measured(case, 2 * case.size)
    assert twice.beyond(GROWS, once) == {}, "its state is read and written whole"
    assert twice.statements <= STAYS * once.statements


def written_at_once(size: int) -> Entity:
    """A task with a title that a number of lives wrote, none of which knew of the others."""
    task = Entity(TASK, "task")
    for number in range(size):
        life = number.to_bytes(16, "big")
        task.put("title", (life, 1, number, f"{number}"), {life: 1})
    return task


@pytest.mark.parametrize(
    "do", [written_at_once, lambda size: conflicts_of(written_at_once(size), Texts())], ids=["written", "listed"]
)
def test_concurrent_writes_of_many_into_one_cell_are_compared_once_each(do: Callable[[int], object]) -> None:
    once, twice = (Counter().of(lambda size=size: do(size)) for size in (SIZE, 2 * SIZE))  # type: ignore[misc]
    assert twice.beyond(GROWS, once) == {}
