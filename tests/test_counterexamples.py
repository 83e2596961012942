"""Schedules that broke earlier drafts of the design, run between whole devices; the numbers are those of the list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words.errors import NotFoundError
from edda_sync.words.listed import DELETED

Engines = tuple[StorageEngine, StorageEngine, StorageEngine]
HOUR_S = 3_600
YEAR_S = 365 * 24 * HOUR_S


class Clock:
    """The wall clock of the next writer, in seconds after a moment."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return 1_800_000_000 + self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def three(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Engines]:
    with devices(3, backend=request.param, now=clock) as (laptop, phone, tablet):
        yield laptop, phone, tablet


def sync_all(engines: Engines) -> None:
    """Bring everything to every device, and check that all are equal afterwards and show the same."""
    first, second, third = engines
    for here, there in ((first, second), (first, third), (first, second)):
        sync(here, there)
    tables = ("tasks", "documents", "tags", "entity_tags", "task_documents")
    shown = [[engine.table(name) for name in tables] for engine in engines]
    assert shown[0] == shown[1] == shown[2]
    assert first.conflicts() == second.conflicts() == third.conflicts()
    assert first.digest() == second.digest() == third.digest()


def shared_task(engines: Engines, **fields: object) -> str:
    task_id = engines[0].create_task(edda.Task(title="start", **fields))  # type: ignore[arg-type]
    sync_all(engines)
    return task_id


def task_of(engine: StorageEngine, task_id: str) -> edda.Task:
    task = engine.get_task(task_id)
    assert task is not None
    return task


# --- cells ------------------------------------------------------------------------------------------------------------


def test_counterexample_1_writing_back_an_object_reverts_nothing_that_came_meanwhile(three: Engines) -> None:
    laptop, phone, _ = three
    task_id = shared_task(three, description="Buy milk")
    read = task_of(laptop, task_id)
    phone.update_task(edda.Task(id=task_id, status="done"))
    phone.edit_text(task_id, "description", [(8, 0, " and eggs")])
    sync(laptop, phone)
    read.title, read.description = "new", "Buy oat milk"
    laptop.update_task(read)
    task = task_of(laptop, task_id)
    assert (task.title, task.status, task.description) == ("new", "done", "Buy oat milk and eggs")


def test_counterexample_1_an_object_that_is_written_back_repeatedly_adds_nothing_twice(three: Engines) -> None:
    laptop = three[0]
    task_id = shared_task(three, description="one")
    read = task_of(laptop, task_id)
    for description in ("one two", "one two three", "two three"):
        read.description = description
        laptop.update_task(read)
        assert task_of(laptop, task_id).description == description
    read.title = "changed"
    laptop.update_task(read)
    read.title = "start"
    laptop.update_task(read)
    assert task_of(laptop, task_id).title == "start"


@pytest.mark.parametrize("fails", [False, True], ids=["rolled-back", "aborted"])
def test_counterexample_1_changes_that_a_transaction_did_not_write_are_still_to_be_written(
    three: Engines, fails: bool
) -> None:
    laptop = three[0]
    task_id = shared_task(three, description="one")
    read = task_of(laptop, task_id)
    tx = laptop.begin_transaction()
    for title in ("first", "second"):
        read.title, read.description = title, f"one {title}"
        tx.update_task(read)
    if fails:
        tx.update_task(edda.Task(id=tx.create_task(edda.Task(title="t")), parent_id=laptop.writing.new_id()))
        with pytest.raises(NotFoundError):
            tx.commit()
    else:
        tx.rollback()
    assert task_of(laptop, task_id).title == "start"
    laptop.update_task(read)
    task = task_of(laptop, task_id)
    assert (task.title, task.description) == ("second", "one second")


def test_counterexample_1_a_parent_that_the_view_withholds_is_not_erased_by_writing_the_object_back(
    three: Engines,
) -> None:
    laptop, phone, _ = three
    one, other = shared_task(three), shared_task(three)
    laptop.update_task(edda.Task(id=one, parent_id=other))
    phone.update_task(edda.Task(id=other, parent_id=one))
    sync_all(three)
    withheld = next(each for each in (one, other) if task_of(laptop, each).parent_id is None)
    read = task_of(laptop, withheld)
    read.title = "written back"
    laptop.update_task(read)
    kept = one if withheld == other else other
    laptop.update_task(edda.Task(id=kept, parent_id=None))
    assert task_of(laptop, withheld).parent_id == kept


def test_counterexample_2_three_writes_reach_devices_in_two_orders(three: Engines, clock: Clock) -> None:
    laptop, phone, tablet = three
    task_id = shared_task(three)
    clock.s = 10
    laptop.update_task(edda.Task(id=task_id, title="A"))
    clock.s = 20
    phone.update_task(edda.Task(id=task_id, title="B"))
    sync(laptop, tablet)
    clock.s = 11
    tablet.update_task(edda.Task(id=task_id, title="D"))
    sync(laptop, phone)  # A and B meet before D comes
    sync_all(three)
    (conflict,) = laptop.conflicts()
    assert conflict.shown.value == task_of(laptop, task_id).title == "B"
    assert [kept.value for kept in conflict.kept] == ["D"]


def test_counterexample_3_a_clock_a_year_ahead_once_loses_to_a_later_edit_after_it_was_set_right(
    three: Engines, clock: Clock
) -> None:
    laptop, phone, _ = three
    task_id = shared_task(three)
    clock.s = YEAR_S
    laptop.update_task(edda.Task(id=task_id, title="ahead"))
    clock.s = 1
    phone.update_task(edda.Task(id=task_id, title="in time"))
    sync_all(three)
    assert task_of(phone, task_id).title == "ahead"
    for edit in range(50):
        clock.s = 10 + edit
        laptop.update_task(edda.Task(id=task_id, title=f"edit {edit}"))
    clock.s = 100
    phone.update_task(edda.Task(id=task_id, title="later"))
    sync_all(three)
    assert task_of(laptop, task_id).title == "later"
    assert [kept.value for conflict in laptop.conflicts() for kept in conflict.kept] == ["edit 49"]


def test_counterexample_4_a_transfer_is_not_torn_between_two_concurrent_transactions(
    three: Engines, clock: Clock
) -> None:
    laptop, phone, _ = three
    x, y = shared_task(three), shared_task(three)
    clock.s = YEAR_S
    laptop.update_task(edda.Task(id=x, title="written by a fast clock"))
    sync_all(three)
    for engine, moment in ((laptop, 10), (phone, 20)):
        clock.s = moment
        with engine.begin_transaction() as tx:
            for task_id in (x, y):
                tx.update_task(edda.Task(id=task_id, title=f"by {moment}"))
    sync_all(three)
    assert [task_of(laptop, task_id).title for task_id in (x, y)] == ["by 20", "by 20"]


def test_counterexample_21_edits_of_different_fields_are_no_conflict(three: Engines, clock: Clock) -> None:
    laptop, phone, _ = three
    task_id = shared_task(three)
    clock.s = 10
    laptop.update_task(edda.Task(id=task_id, title="new"))
    clock.s = 20
    phone.update_task(edda.Task(id=task_id, priority=0))
    sync_all(three)
    task = task_of(laptop, task_id)
    assert (task.title, task.priority, task.updated_at) == ("new", 0, "2027-01-15T08:00:20.000Z")
    assert laptop.conflicts() == []


def test_counterexample_21_done_and_blocked_at_once_with_blocked_shown_was_never_completed(
    three: Engines, clock: Clock
) -> None:
    laptop, phone, _ = three
    task_id = shared_task(three)
    clock.s = 10
    laptop.update_task(edda.Task(id=task_id, status="done"))
    clock.s = 20
    phone.update_task(edda.Task(id=task_id, status="blocked"))
    sync_all(three)
    task = task_of(laptop, task_id)
    assert (task.status, task.completed_at) == ("blocked", None)
    assert [(conflict.field, conflict.kept[0].value) for conflict in phone.conflicts()] == [("status", "done")]


# --- deletion ---------------------------------------------------------------------------------------------------------


def test_counterexample_5_an_edit_unseen_by_a_deletion_with_a_fast_clock_is_found(three: Engines, clock: Clock) -> None:
    laptop, phone, _ = three
    task_id = shared_task(three)
    clock.s = HOUR_S
    phone.update_task(edda.Task(id=task_id, title="W"))
    phone.delete_task(task_id)
    clock.s = 1
    laptop.update_task(edda.Task(id=task_id, title="E"))
    sync_all(three)
    assert task_of(phone, task_id).title == "W"
    kept = {conflict.field: [each.value for each in conflict.kept] for conflict in phone.conflicts()}
    assert kept == {"title": ["E"], DELETED: [True]}


def test_counterexample_6_deleted_twice_with_the_edit_known_to_one_is_hidden(three: Engines, clock: Clock) -> None:
    laptop, phone, tablet = three
    task_id = shared_task(three)
    laptop.update_task(edda.Task(id=task_id, title="E"))
    sync(laptop, phone)
    clock.s = 10
    phone.delete_task(task_id)  # which saw E
    clock.s = 20
    tablet.delete_task(task_id)  # which did not
    sync_all(three)
    assert laptop.get_task(task_id) is None
    assert [task.id for task in laptop.trash("task")] == [task_id]


@pytest.mark.parametrize("what", ["field", "text", "tag", "link"])
def test_counterexample_6_any_write_that_a_deletion_had_not_seen_brings_the_task_back(
    three: Engines, what: str
) -> None:
    laptop, phone, _ = three
    document_id = laptop.create_document(edda.Document(title="document"))
    task_id = shared_task(three, description="words")
    phone.delete_task(task_id)
    with laptop.begin_transaction() as tx:
        if what == "field":
            tx.update_task(edda.Task(id=task_id, priority=0))
        elif what == "text":
            tx.edit_text(task_id, "description", [(5, 0, " more")])
        elif what == "tag":
            tx.add_tag(task_id, "kept")
        else:
            tx.link(task_id, document_id)
    sync_all(three)
    task = task_of(phone, task_id)
    assert (task.priority == 0) == (what == "field")
    assert task.description == ("words more" if what == "text" else "words")
    assert task.tags == ({"kept"} if what == "tag" else set())
    assert len(phone.links(task_id=task_id)) == (what == "link")
    assert phone.trash("task") == []


# --- what points where ------------------------------------------------------------------------------------------------


def test_counterexample_19_a_ring_closed_by_the_edges_of_two_changes_loses_the_same_edge_everywhere(
    three: Engines, clock: Clock
) -> None:
    laptop, phone, _ = three
    a, b, c, d = (shared_task(three) for _ in range(4))
    for engine, moment, edges in ((laptop, 10, ((a, b), (c, d))), (phone, 20, ((b, c), (d, a)))):
        clock.s = moment
        with engine.begin_transaction() as tx:
            for child, parent in edges:
                tx.update_task(edda.Task(id=child, parent_id=parent))
    sync_all(three)
    parents = {task_id: task_of(laptop, task_id).parent_id for task_id in (a, b, c, d)}
    greatest = max(b, d)  # of the two edges with the greater stamp
    assert parents == {a: b, b: c, c: d, d: a} | {greatest: None}
    phone.update_task(edda.Task(id=a, parent_id=None))
    sync_all(three)
    assert task_of(laptop, greatest).parent_id == {b: c, d: a}[greatest]  # it was withheld, and not forgotten


def test_counterexample_20_a_tag_renamed_and_its_former_name_made_again_are_two_tags(three: Engines) -> None:
    laptop, phone, _ = three
    task_id = shared_task(three, tags={"old"})
    with laptop.begin_transaction() as tx:
        tx.rename_tag("old", "new")
    other_id = phone.create_task(edda.Task(title="other"))
    sync_all(three)
    with phone.begin_transaction() as tx:
        tx.add_tag(other_id, "old")
    sync_all(three)
    assert [tag.name for tag in laptop.tags()] == ["new", "old"]
    assert task_of(laptop, task_id).tags == {"new"}
    assert task_of(laptop, other_id).tags == {"old"}


def test_counterexample_20_a_tag_deleted_while_a_task_is_tagged_with_it_exists(three: Engines) -> None:
    laptop, phone, _ = three
    task_id = shared_task(three)
    with laptop.begin_transaction() as tx:
        tx.create_tag("work", color="red")
    sync_all(three)
    with laptop.begin_transaction() as tx:
        tx.delete_tag("work")
    with phone.begin_transaction() as tx:
        tx.add_tag(task_id, "Work")
    sync_all(three)
    assert task_of(laptop, task_id).tags == {"work"}
    assert [(tag.name, tag.color) for tag in laptop.tags()] == [("work", "red")]


def test_counterexample_23_names_that_read_alike_are_one_tag_wherever_they_were_typed(three: Engines) -> None:
    names = (
        ("Straße", "ﬁle", "\u00e9", "home", "at home"),
        ("STRASSE", "file", "e\u0301", "home ", "at  home"),
        ("strasse", "FILE", "\u00c9", " ho\u200dme", "at\u3000home"),
    )
    made = [
        engine.create_task(edda.Task(title="t", tags=set(typed))) for engine, typed in zip(three, names, strict=True)
    ]
    sync_all(three)
    assert len(three[0].tags()) == 5
    tags = [task_of(three[0], task_id).tags for task_id in made]
    assert tags[0] == tags[1] == tags[2]
