"""Undo and revert, as a program uses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import edda_sync as edda
from edda_sync.changes import undone
from edda_sync.engine import dots, history, undoing
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold import inverse
from edda_sync.store.composed import ComposedReader, over
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError, NotFoundError, UsageError


def content(store: StorageEngine, note: str) -> str | None:
    read = store.get_document(note)
    assert read is not None
    return read.content


def test_one_undo_after_another_goes_further_back_and_the_undo_of_an_undo_brings_it_again() -> None:
    with devices(1, backend="memory") as (laptop,):
        task = laptop.create_task(edda.Task(title="One"))
        for title in ("Two", "Three"):
            laptop.update_task(edda.Task(id=task, title=title))
        titles = []
        undos = []
        for _ in range(2):
            undos.append(laptop.undo().dot)
            read = laptop.get_task(task)
            assert read is not None
            titles.append(read.title)
        assert titles == ["Two", "One"]
        assert undos[0] is not None
        assert undos[1] is not None
        laptop.undo(undos[1], undos[0])
        read = laptop.get_task(task)
        assert read is not None
        assert read.title == "Three"


def test_an_undo_without_a_name_is_of_whoever_asks() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk"))
        sync(laptop, phone)
        with laptop.begin_transaction(agent="bot") as tx:
            tx.update_task(edda.Task(id=task, priority=0))
        phone.update_task(edda.Task(id=task, title="Oat milk"))
        sync(laptop, phone)
        assert laptop.undo(agent="bot", dry_run=True).items[0].fields == ("priority",)
        assert phone.undo(dry_run=True).items[0].fields == ("title",)
        assert laptop.undo(dry_run=True).items[0].title == "Oat milk"
        with pytest.raises(NotFoundError, match="nothing to take back: no agent 'robot' wrote"):
            laptop.undo(agent="robot")
        assert laptop.history(task, limit=1).changes[0].agent is None, "a dry run writes nothing"


def test_everything_that_an_agent_did_is_taken_back_in_one_change_and_what_others_did_stays() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk", tags={"home"}))
        note = laptop.create_document(edda.Document(title="N", content="one two three"))
        sync(laptop, phone)
        for store, word in ((laptop, "1"), (phone, "2")):
            with store.begin_transaction(agent="bot") as tx:
                tx.edit_text(note, "content", [(0, 0, f"{word} ")])
                made = tx.create_task(edda.Task(title=f"Of the bot, {word}"))
            with store.begin_transaction(agent="bot") as tx:
                tx.update_task(edda.Task(id=made, priority=0))
        phone.edit_text(note, "content", [(0, 0, "mine ")])
        phone.update_task(edda.Task(id=task, title="Oat milk"))
        sync(laptop, phone)
        frontier = laptop.frontier()
        planned = laptop.revert("bot", "2020-01-01", dry_run=True)
        assert laptop.frontier() == frontier
        found = laptop.revert("bot", "2020-01-01", reason="it went wrong")
        assert found.items == planned.items
        assert len(found.of) == 4
        assert sum(laptop.frontier().values()) == sum(frontier.values()) + 1
        assert content(laptop, note) == "mine one two three"
        assert [item.title for item in laptop.query_tasks(edda.TaskQuery())] == ["Oat milk"]
        last = laptop.history(limit=1).changes[0]
        assert last.dot == found.dot
        assert last.reason is not None
        assert last.reason.endswith(": it went wrong")
        sync(laptop, phone)
        assert content(phone, note) == "mine one two three"
        assert found.dot is not None
        phone.undo(found.dot)
        assert len(phone.query_tasks(edda.TaskQuery())) == 3
        assert laptop.revert("bot", "2099-01-01").of == ()


def test_the_same_undo_on_two_devices_brings_the_words_back_once() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        note = laptop.create_document(edda.Document(title="N", content="one two three"))
        laptop.edit_text(note, "content", [(3, 4, "")])
        dot = laptop.history(note).changes[0].dot
        sync(laptop, phone)
        laptop.undo(dot)
        phone.undo(dot)
        sync(laptop, phone)
        assert content(laptop, note) == content(phone, note) == "one two three"


# --- texts of which something had been taken back before ----------------------------------------------------------------


def written(store: StorageEngine, note: str, old: str, new: str) -> str:
    """Replace the first of some words in a note by others; return the name of the change."""
    text = content(store, note)
    assert text is not None
    store.edit_text(note, "content", [(text.index(old), len(old), new)])
    return store.history(note).changes[0].dot


def undone_of(store: StorageEngine, *names: str) -> str:
    """Take changes back; return the name of the undo."""
    dot = store.undo(*names).dot
    assert dot is not None
    return dot


def test_words_that_an_undo_brought_back_stay_where_they_are_when_something_beside_them_is_taken_back() -> None:
    with devices(1, backend="memory") as (laptop,):
        note = laptop.create_document(edda.Document(title="N", content="milk flour "))
        laptop.edit_text(note, "content", [(5, 0, "eggs ")])
        undone_of(
            laptop, undone_of(laptop, laptop.history(note).changes[0].dot)
        )  # the eggs are there again, as new words
        laptop.edit_text(note, "content", [(10, 0, "oats ")])
        before = content(laptop, note)
        rye = written(laptop, note, "oats", "rye")
        undo = undone_of(laptop, rye)
        assert content(laptop, note) == before == "milk eggs oats flour "
        undone_of(laptop, undo)
        assert content(laptop, note) == "milk eggs rye flour "


def test_words_that_somebody_deleted_after_an_undo_had_brought_them_back_stay_deleted() -> None:
    with devices(1, backend="memory") as (laptop,):
        note = laptop.create_document(edda.Document(title="N", content="milk eggs flour"))
        apples = written(laptop, note, "milk", "apples milk")
        undone_of(laptop, written(laptop, note, "eggs ", ""))
        again = written(laptop, note, "eggs ", "")
        undone_of(laptop, apples)
        assert content(laptop, note) == "milk flour"
        undone_of(laptop, again)
        assert content(laptop, note) == "milk eggs flour", "what is taken back is the deletion of the new words"


def test_words_that_an_undo_brought_back_stay_although_another_device_deleted_the_old_ones() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        note = laptop.create_document(edda.Document(title="N", content="milk eggs flour"))
        sync(laptop, phone)
        apples = written(laptop, note, "milk", "apples milk")
        undone_of(laptop, written(laptop, note, "eggs ", ""))
        written(phone, note, "eggs ", "")
        sync(laptop, phone)
        assert content(laptop, note) == "apples milk eggs flour"
        undone_of(laptop, apples)
        assert content(laptop, note) == "milk eggs flour"


def test_words_that_an_undo_brought_back_go_with_the_change_that_had_brought_the_old_ones() -> None:
    with devices(1, backend="memory") as (laptop,):
        note = laptop.create_document(edda.Document(title="N", content="milk eggs flour"))
        laptop.edit_text(note, "content", [(5, 0, "oats "), (15, 0, "oats ")])
        oats = laptop.history(note).changes[0].dot
        undone_of(laptop, written(laptop, note, "milk oats", "milk"))
        assert content(laptop, note) == "milk oats eggs oats flour"
        written(laptop, note, "eggs", "12 eggs")
        undo = undone_of(laptop, oats)
        assert content(laptop, note) == "milk 12 eggs flour"
        undone_of(laptop, undo)
        assert content(laptop, note) == "milk oats 12 eggs oats flour"


def test_words_that_two_devices_deleted_come_back_once_both_deletions_are_taken_back() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        note = laptop.create_document(edda.Document(title="N", content="milk 🥚🥚 flour"))
        sync(laptop, phone)
        changes = [written(store, note, "🥚🥚 ", "") for store in (laptop, phone)]
        sync(laptop, phone)
        (left,) = laptop.undo(changes[0]).items[0].left
        assert left == ("content", inverse.WORDS_LOST)
        assert content(laptop, note) == "milk flour"
        laptop.undo(*changes)
        assert content(laptop, note) == "milk 🥚🥚 flour"


# --- items that were in the trash meanwhile -------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
def test_what_came_back_by_an_edit_at_the_time_of_an_undo_goes_and_comes_with_that_edit(first: int) -> None:
    with devices(3, backend="memory") as stores:
        laptop, phone, tablet = stores
        task = laptop.create_task(edda.Task(title="Milk"))
        sync(laptop, phone)
        laptop.undo()
        phone.update_task(edda.Task(id=task, title="Oat milk"))
        edit = phone.history(task).changes[0].dot
        for each in (stores[first], stores[1 - first], laptop):
            sync(tablet, each)
        read = tablet.get_task(task)
        assert read is not None, "a deletion never swallows an edit that it had not seen"
        undo = undone_of(tablet, edit)
        assert tablet.get_task(task) is None
        undone_of(tablet, undo)
        again = tablet.get_task(task)
        assert again is not None
        assert again.title == "Oat milk"


# --- whole texts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("new", ["", "all other words"])
def test_a_text_that_was_overwritten_is_there_again(new: str) -> None:
    with devices(1, backend="memory") as (laptop,):
        note = laptop.create_document(edda.Document(title="N", content="one two three"))
        laptop.update_document(edda.Document(id=note, content=new))
        assert content(laptop, note) == new
        laptop.undo()
        assert content(laptop, note) == "one two three"
        laptop.update_document(edda.Document(id=note, content=None))
        laptop.undo()
        assert content(laptop, note) == "one two three"


def test_nothing_is_undone_before_the_whole_log_is_here() -> None:
    with devices(1, backend="memory") as (laptop,):
        laptop.create_task(edda.Task(title="Milk"))
        with laptop.store.read() as reader:
            begun = replace(ComposedReader.of(reader), segments=over(reader.segments, _Begun()))
            with pytest.raises(UsageError, match="still fetching the history"):
                undoing.plan(begun, [])
            assert not history.latest(begun, None).is_whole
            assert history.latest(reader, None).is_whole


class _Begun:
    """The segments of a store that began with one."""

    def merged(self) -> list[tuple[int, bytes]]:
        return [(1, b"segment")]


def test_what_an_undo_takes_back_is_said_in_its_reason_or_beside_it() -> None:
    actor = bytes(16)
    assert undoing.said_of([(actor, 1)], None) == (f"undo of {actor.hex()}-1", None)
    assert undoing.said_of([(actor, seq) for seq in range(1, 100)], "because") == (
        f"undo of {actor.hex()}-1..99: because",
        None,
    )
    odd = [(actor, seq) for seq in range(1, 200, 2)]
    said, beside = undoing.said_of(odd, "because")
    assert said == "undo of 100 changes: because"
    assert beside is not None
    assert undone.decode(beside) == [(actor, seq, seq) for _, seq in odd]
    assert undoing.said_of([(actor, seq) for seq in range(1, 40_000, 2)], None) == ("undo of 20,000 changes", None)
    long, beside = undoing.said_of([(actor, seq) for seq in range(1, 6_000, 2)], "w" * limits.REASON_CODE_POINTS_MAX)
    assert beside is not None
    assert len(beside) + 4 * len(long) <= 4 * limits.REASON_CODE_POINTS_MAX, "a header has room for both"


def test_the_undo_of_so_many_changes_that_its_reason_cannot_name_them_is_known_for_what_it_took_back() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk"))
        for number in range(60):
            with laptop.begin_transaction(agent="bot") as tx:
                tx.update_task(edda.Task(id=task, title=f"Milk {number}"))
            laptop.update_task(edda.Task(id=task, priority=number % 5))
        sync(laptop, phone)
        done = phone.revert("bot", "2000-01-01")
        assert len(done.of) == 60
        sync(laptop, phone)
        (reverted, *_) = laptop.history(task, limit=1).changes
        assert reverted.reason == "undo of 60 changes"
        with laptop.store.read() as reader:
            for dot in (named_dot for name in done.of for named_dot in dots.dots_of(reader, name)):
                found = undoing.plan(reader, [dot])
                assert not found.drafts, "it was taken back already"
            assert undoing.plan(reader, [dots.dot_of(reader, reverted.dot)]).drafts
        read = laptop.get_task(task)
        assert read is not None
        assert (read.title, read.priority) == ("Milk", 4)
        laptop.undo(reverted.dot)
        read = laptop.get_task(task)
        assert read is not None
        assert read.title == "Milk 59"


def test_a_large_undo_is_not_taken_back_by_the_next_one() -> None:
    with devices(1, backend="memory") as (laptop,):
        task = laptop.create_task(edda.Task(title="Milk"))
        names = []
        for number in range(60):
            laptop.update_task(edda.Task(id=task, title=f"Milk {number}"))
            names.append(laptop.history(task, limit=1).changes[0].dot)
            laptop.update_task(edda.Task(id=task, priority=number % 5))
        laptop.undo(*names)
        first = laptop.undo()
        assert first.items[0].fields == ("priority",)
        second = laptop.undo()
        assert second.items[0].fields == ("priority",), "the title was taken back already"


def test_an_argument_of_a_wrong_type_is_named() -> None:
    with devices(1) as (one,):
        task = one.create_task(edda.Task(title="a"))
        calls: list[tuple[str, Callable[[], object]]] = [
            ("kind", lambda: one.as_of("tasks", task, "2026-01-01")),
            ("kind", lambda: one.version("tasks", task)),
            ("kind", lambda: one.text_at("tasks", task, "0123456789ab")),
            ("limit", lambda: one.history(limit="3")),  # type: ignore[arg-type]
            ("limit", lambda: one.history(limit=-1)),
            ("conflict", lambda: one.settle(None)),  # type: ignore[arg-type]
            ("retries", lambda: one.transact(lambda _: None, retries="3")),  # type: ignore[arg-type]
            ("retries", lambda: one.transact(lambda _: None, retries=-1)),
        ]
        for field, call in calls:
            with pytest.raises(InvalidValueError) as caught:
                call()
            assert caught.value.field == field
