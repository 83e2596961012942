"""What somebody means by what they typed: an id, the end of one, or a title. Nothing is ever guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import AmbiguousIdError, NotFoundError
from tests.costs import GROWS, STAYS, Act, Case, cases, measured
from tests.deeds import documents, one_change, retitle, tasks

ENDING = "0192f0c1-0000-7000-8000-00000decade5"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param) as (engine,):
        yield engine


def test_a_title_names_the_only_item_of_its_kind_that_has_it(store: StorageEngine) -> None:
    task = store.create_task(edda.Task(title="Buy milk"))
    document = store.create_document(edda.Document(title="Buy milk"))
    assert store.resolve("task", "Buy milk") == task
    assert store.resolve("document", " Buy milk\n") == document
    for nothing in ("buy milk", "Buy", "x" * 501):
        with pytest.raises(NotFoundError):
            store.resolve("task", nothing)


def test_a_title_that_several_items_have_is_refused_with_their_ids(store: StorageEngine) -> None:
    both = {store.create_task(edda.Task(title="Buy milk")) for _ in range(2)}
    with pytest.raises(AmbiguousIdError, match="type the end of an id instead") as caught:
        store.resolve("task", "Buy milk")
    assert set(caught.value.candidates) == both


def test_a_title_in_the_trash_is_meant_if_no_other_item_has_it(store: StorageEngine) -> None:
    first = store.create_task(edda.Task(title="Buy milk"))
    store.delete_task(first)
    assert store.resolve("task", "Buy milk") == first
    second = store.create_task(edda.Task(title="Buy milk"))
    assert store.resolve("task", "Buy milk") == second


def test_a_title_that_more_items_have_than_an_error_names_is_refused_with_the_first_of_them(
    store: StorageEngine,
) -> None:
    with store.begin_transaction() as tx:
        made = [tx.create_document(edda.Document(title="Note")) for _ in range(limits.CANDIDATES_MAX + 1)]
    with pytest.raises(AmbiguousIdError, match=f"fits {limits.CANDIDATES_MAX} or more items") as caught:
        store.resolve("document", "Note")
    assert caught.value.candidates == sorted(made)[: limits.CANDIDATES_MAX]


def test_a_title_in_the_trash_is_not_meant_if_an_id_ends_with_it(store: StorageEngine) -> None:
    titled = store.create_task(edda.Task(title="decade5"))
    store.delete_task(titled)
    assert store.resolve("task", "decade5") == titled
    store.create_task(edda.Task(id=ENDING, title="One"))
    assert store.resolve("task", "decade5") == ENDING


def test_a_title_that_is_the_end_of_another_id_is_refused(store: StorageEngine) -> None:
    store.create_task(edda.Task(id=ENDING, title="One"))
    titled = store.create_task(edda.Task(title="decade5"))
    with pytest.raises(AmbiguousIdError) as caught:
        store.resolve("task", "decade5")
    assert caught.value.candidates == [ENDING, titled]
    store.update_task(edda.Task(id=ENDING, title="decade5"))
    store.delete_task(titled)
    assert store.resolve("task", "decade5") == ENDING


def test_the_beginning_of_an_id_names_the_only_item_whose_id_begins_so(store: StorageEngine) -> None:
    first = store.create_task(edda.Task(id=ENDING, title="One"))
    second = store.create_task(edda.Task(id=ENDING.replace("0192f0c1-0000", "0192f0c1-0001"), title="Two"))
    store.create_document(edda.Document(id="0192f0c1-0002-7000-8000-000000000001", title="Three"))
    assert store.resolve("task", "0192f0c1-0000") == store.resolve("task", "0192F0C10000") == first
    with pytest.raises(AmbiguousIdError, match="type more of it, or the end of an id instead") as caught:
        store.resolve("task", "0192f0c1")
    assert caught.value.candidates == [first, second]
    with pytest.raises(NotFoundError):
        store.resolve("task", "0192f0c1-0002")
    store.delete_task(first)
    assert store.resolve("task", "0192f0c1") == second, "what is not in the trash is meant first"
    store.delete_task(second)
    assert store.resolve("task", "0192f0c1-0000") == first


def test_an_id_that_ends_so_is_meant_and_not_one_that_begins_so(store: StorageEngine) -> None:
    ends = store.create_task(edda.Task(id=ENDING, title="One"))
    store.create_task(edda.Task(id="00decade-5000-7000-8000-000000000001", title="Two"))
    assert store.resolve("task", "00decade5") == ends, "lists show the ends of ids"


# --- what it costs ----------------------------------------------------------------------------------------------------


def look(engine: StorageEngine, kind: str, reference: str) -> Act:
    """Return a function that looks for what a reference names. One task and one document are "the one"."""
    engine.create_task(edda.Task(title="the one"))
    engine.create_document(edda.Document(title="the one"))

    def act() -> None:
        with suppress(NotFoundError, AmbiguousIdError):
            engine.resolve(kind, reference)

    return act


def beside(reference: str) -> Callable[[int, StorageEngine], Act]:
    """Return a function that makes a number of tasks "another title", and one that is looked for."""

    def prepare(size: int, engine: StorageEngine) -> Act:
        one_change(engine, tasks(engine, size), retitle)()
        return look(engine, "task", reference)

    return prepare


def look_beside_documents(size: int, engine: StorageEngine) -> Act:
    (document, *_) = documents(engine, size)
    acts = [look(engine, "document", each) for each in (document[-6:], "d1", "nobody's")]
    return lambda: [act() for act in acts]


def look_by_beginning(size: int, engine: StorageEngine) -> Act:
    (task, *_) = tasks(engine, size)
    return look(engine, "task", task[:6])


def fill_the_trash(engine: StorageEngine, size: int) -> None:
    one_change(engine, tasks(engine, size), lambda tx, task: tx.delete_task(task))()


def look_beside_the_trash(size: int, engine: StorageEngine) -> Act:
    fill_the_trash(engine, size)
    (task,) = tasks(engine, 1)
    acts = [look(engine, "task", task[-6:]), look(engine, "document", "the one")]
    return lambda: [act() for act in acts]


def look_in_the_trash(size: int, engine: StorageEngine) -> Act:
    fill_the_trash(engine, size)
    return look(engine, "task", "nobody's")


@cases(
    Case("a title that one has", beside("the one")),
    Case("a title that all others have", beside("another title")),
    Case("a title that nobody has", beside("nobody's")),
    Case("what may be the end of an id, and is none", beside("0decade0")),
    Case("the beginning of many ids", look_by_beginning),
    Case("documents", look_beside_documents),
    Case("what is not in the trash", look_beside_the_trash),
)
def test_what_is_meant_is_found_without_a_look_at_the_others(case: Case) -> None:
    once, twice = measured(case, 2 * case.size), measured(case, 4 * case.size)
    assert twice.beyond(STAYS, once) == {}


@cases(Case("a title that nobody has", look_in_the_trash))
def test_what_names_nothing_is_looked_for_once_in_the_trash(case: Case) -> None:
    once, twice = measured(case, case.size), measured(case, 2 * case.size)
    assert twice.beyond(GROWS, once) == {}


def test_a_short_id_is_as_long_as_the_store_needs_and_means_its_item_alone(store: StorageEngine) -> None:
    first = store.create_task(edda.Task(id=ENDING, title="one"))
    assert store.reading.short_ids("task", [first]) == {first: ENDING[-6:]}
    second = store.create_task(edda.Task(id=ENDING.replace("0000de", "0001de"), title="other"))
    shorts = store.reading.short_ids("task", [first])
    assert len(shorts[first]) > 6, "in a list without the other one, too"
    assert store.resolve("task", shorts[first]) == first
    store.delete_task(second)
    assert store.reading.short_ids("task", [first]) == shorts, "an item in the trash may come back"
