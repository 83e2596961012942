"""The inverse of changes: what it writes, and what it leaves, and why. Random histories are in ``test_undoing``."""

from __future__ import annotations

import itertools

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold import inverse
from edda_sync.testing import devices, sync
from edda_sync.words.listed import Undone


def left(found: Undone) -> dict[str, str]:
    return {field: why for item in found.items for field, why in item.left}


def test_a_cell_that_was_written_since_stays_and_the_others_are_set_back() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk", priority=2))
        laptop.update_task(edda.Task(id=task, title="Oat milk", priority=0))
        dot = laptop.history(task).changes[0].dot
        sync(laptop, phone)
        phone.update_task(edda.Task(id=task, priority=4))
        found = phone.undo(dot)
        assert left(found) == {"priority": inverse.SINCE}
        read = phone.get_task(task)
        assert read is not None
        assert (read.title, read.priority) == ("Milk", 4)


def test_of_two_values_that_were_written_at_once_the_one_that_is_not_shown_is_not_set_back() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk"))
        sync(laptop, phone)
        laptop.update_task(edda.Task(id=task, title="Oat milk"))
        phone.update_task(edda.Task(id=task, title="Soy milk"))
        sync(laptop, phone)
        (conflict,) = laptop.conflicts()
        dots = [f"{each.actor}-{each.seq}" for each in (conflict.shown, *conflict.kept)]
        assert left(laptop.undo(dots[1])) == {"title": inverse.ANOTHER}
        laptop.undo(dots[0])
        read = laptop.get_task(task)
        assert read is not None
        assert read.title == conflict.kept[0].value, "as if the other had never been written"
        assert laptop.conflicts() == []


def test_a_conflict_that_was_settled_for_what_was_shown_stays_settled_and_that_is_said() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk", priority=1))
        sync(laptop, phone)
        laptop.update_task(edda.Task(id=task, priority=2))
        phone.update_task(edda.Task(id=task, priority=3))
        sync(laptop, phone)
        (conflict,) = laptop.conflicts()
        dismissed = laptop.settle(conflict)
        assert dismissed is not None
        assert left(laptop.undo(dismissed)) == {"priority": inverse.SETTLED}
        assert laptop.conflicts() == []


def test_what_was_made_goes_to_the_trash_unless_others_have_worked_on_it() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        kept, gone = (laptop.create_task(edda.Task(title=each)) for each in ("Kept", "Gone"))
        made = {each: laptop.history(each).changes[0].dot for each in (kept, gone)}
        sync(laptop, phone)
        phone.update_task(edda.Task(id=kept, priority=1))
        sync(laptop, phone)
        assert left(laptop.undo(made[kept])) == {"trash": inverse.WORKED_ON}
        assert laptop.undo(made[gone]).items[0].fields == (inverse.TRASHED,)
        assert [item.title for item in laptop.trash("task")] == ["Gone"]
        assert laptop.get_task(kept) is not None


def test_what_was_made_and_given_another_title_since_stays_as_it_is() -> None:
    with devices(1, backend="memory") as (laptop,):
        task = laptop.create_task(edda.Task(title="Milk", description="one"))
        note = laptop.create_document(edda.Document(title="Note", content="one"))
        made = [laptop.history(each).changes[0].dot for each in (task, note)]
        laptop.update_task(edda.Task(id=task, title="Oat milk"))
        laptop.update_document(edda.Document(id=note, title="Notes"))
        found = laptop.undo(*made)
        assert [dict(item.left) for item in found.items] == [{"trash": inverse.WORKED_ON}] * 2
        assert found.dot is None
        assert getattr(laptop.get_task(task), "description", None) == "one"
        assert getattr(laptop.get_document(note), "content", None) == "one"


def test_words_that_others_typed_into_a_restored_text_stay_when_the_restore_is_taken_back() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk"))
        sync(laptop, phone)
        phone.writing.now = lambda: 1_000_000_000.0  # so that the laptop's text is shown
        for device, text in ((laptop, "one"), (phone, "two")):
            device.update_task(edda.Task(id=task, description=text))
        sync(laptop, phone)
        (conflict,) = laptop.conflicts()
        restored = laptop.settle(conflict, 0)
        assert restored is not None
        assert laptop.undo(dry_run=True).items[0].fields == ("description",)
        sync(laptop, phone)
        phone.edit_text(task, "description", [(3, 0, " eggs")])
        sync(laptop, phone)
        for device in (laptop, phone):
            found = device.undo(restored)
            assert left(found) == {"description": inverse.SINCE}
            read = device.get_task(task)
            assert read is not None
            assert read.description == f"{conflict.kept[0].value} eggs"


def test_what_two_deleted_at_once_stays_in_the_trash_when_one_takes_it_back() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk"))
        sync(laptop, phone)
        laptop.delete_task(task)
        phone.delete_task(task)
        sync(laptop, phone)
        found = laptop.undo()
        assert found.dot is None
        assert laptop.get_task(task) is None
        assert left(found) == {"trash": inverse.IN_TRASH}


def test_words_that_others_have_changed_since_are_said_to_stay() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        note = laptop.create_document(edda.Document(title="N", content="one two three"))
        laptop.edit_text(note, "content", [(4, 3, "zwei")])
        dot = laptop.history(note).changes[0].dot
        sync(laptop, phone)
        phone.edit_text(note, "content", [(4, 2, "")])
        sync(laptop, phone)
        found = laptop.undo(dot)
        assert left(found) == {"content": inverse.WORDS_GONE}
        read = laptop.get_document(note)
        assert read is not None
        assert read.content == "one two three"


def test_a_task_is_not_put_below_itself_again() -> None:
    with devices(1, backend="memory") as (laptop,):
        one, two = (laptop.create_task(edda.Task(title=each)) for each in ("One", "Two"))
        laptop.update_task(edda.Task(id=one, parent_id=two))
        laptop.update_task(edda.Task(id=one, parent_id=None))
        free = laptop.history(one).changes[0].dot
        laptop.update_task(edda.Task(id=two, parent_id=one))
        assert left(laptop.undo(free)) == {"parent_id": inverse.RING}


def test_what_was_brought_back_by_hand_after_an_undo_comes_back_when_a_later_undo_is_undone() -> None:
    with devices(1, backend="memory") as (laptop,):
        task = laptop.create_task(edda.Task(title="Milk"))
        made = laptop.history(task).changes[-1].dot
        laptop.undo(made)
        laptop.restore_task(task)
        again = laptop.undo(made, laptop.history(task).changes[0].dot)
        assert again.dot is not None
        assert laptop.query_tasks() == []
        laptop.undo(again.dot)
        assert [each.title for each in laptop.query_tasks()] == ["Milk"]


def two_texts(laptop: StorageEngine, phone: StorageEngine) -> tuple[str, str]:
    """Return a document whose text the phone began anew while the laptop edited it, and the name of the phone's change."""
    note = laptop.create_document(edda.Document(title="N", content="one two"))
    sync(laptop, phone)
    laptop.update_document(edda.Document(id=note, content="one two three"))
    with phone.begin_transaction() as tx:
        tx.update_document(edda.Document(id=note, content=None))
        tx.update_document(edda.Document(id=note, content="anew"))
    anew = phone.history(note, limit=1).changes[0].dot
    sync(laptop, phone)
    return note, anew


def test_a_text_that_was_begun_anew_at_once_leaves_the_other_one_and_no_conflict_when_it_is_taken_back() -> None:
    clock = itertools.count(1_800_000_000)
    with devices(2, backend="memory", now=lambda: float(next(clock))) as (laptop, phone):
        note, anew = two_texts(laptop, phone)
        (found,) = laptop.conflicts()
        assert (found.shown.value, [each.value for each in found.kept]) == ("anew", ["one two three"])
        laptop.undo(anew)
        phone.undo(anew)
        sync(laptop, phone)
        for store in (laptop, phone):
            read = store.get_document(note)
            assert read is not None
            assert (read.content, store.conflicts()) == ("one two three", [])


def test_a_text_that_stands_beside_another_stays_listed_when_something_is_typed_into_the_shown_one() -> None:
    clock = itertools.count(1_800_000_000)
    with devices(2, backend="memory", now=lambda: float(next(clock))) as (laptop, phone):
        note, _ = two_texts(laptop, phone)
        laptop.update_document(edda.Document(id=note, content="anew, and more"))
        (found,) = laptop.conflicts()
        assert (found.shown.value, [each.value for each in found.kept]) == ("anew, and more", ["one two three"])
