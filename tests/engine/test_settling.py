"""Settling: one write by somebody who has seen all values ends a conflict, on every device."""

from __future__ import annotations

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words.errors import UsageError
from tests.engine.test_conflicts import dosed

FIELDS = {"title", "status", "parent_id", "description", "metadata.size"}


def in_conflict(laptop: StorageEngine, phone: StorageEngine) -> str:
    """Return a task that both wrote at once, in every kind of field; both texts were edited."""
    task, parent, other = (laptop.create_task(edda.Task(title=each)) for each in ("Task", "Parent", "Other"))
    sync(laptop, phone)
    laptop.update_task(
        edda.Task(id=task, title="A", status="done", description="one two", metadata={"size": 1}, parent_id=other)
    )
    phone.update_task(
        edda.Task(
            id=task, title="B", status="blocked", description="eins two", metadata={"size": [2]}, parent_id=parent
        )
    )
    laptop.edit_text(task, "description", [(3, 0, ",")])
    phone.edit_text(task, "description", [(4, 0, ";")])
    sync(laptop, phone)
    return task


@pytest.mark.parametrize("take", [None, 0])
def test_every_field_shows_the_chosen_value_on_all_devices_and_no_conflict_is_left(take: int | None) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = in_conflict(laptop, phone)
        listed = laptop.conflicts()
        assert {each.field for each in listed} == FIELDS
        wanted = {each.field: (each.shown if take is None else each.kept[take]).value for each in listed}
        for each in listed:
            laptop.settle(each, take)
        sync(laptop, phone)
        for store in (laptop, phone):
            assert store.conflicts() == []
            read = store.get_task(task)
            assert read is not None
            shown = {name: getattr(read, name) for name in FIELDS - {"metadata.size"}}
            assert {**shown, "metadata.size": read.metadata["size"]} == wanted


def test_an_undo_of_a_settling_shows_what_was_shown_before() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = in_conflict(laptop, phone)
        before = laptop.get_task(task)
        for each in laptop.conflicts():
            dot = laptop.settle(each, 0)
            assert dot is not None
            laptop.undo(dot)
        after = laptop.get_task(task)
        assert before is not None
        assert after is not None
        for name in ("title", "status", "description", "metadata", "parent_id"):
            assert getattr(after, name) == getattr(before, name)


def test_what_others_write_at_the_same_time_is_in_conflict_with_the_settling() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = in_conflict(laptop, phone)
        (title,) = [each for each in laptop.conflicts() if each.field == "title"]
        laptop.settle(title, 0)
        phone.update_task(edda.Task(id=task, title="C"))
        sync(laptop, phone)
        (again,) = [each for each in laptop.conflicts() if each.field == "title"]
        assert {again.shown.value, again.kept[0].value} == {title.kept[0].value, "C"}


def test_a_conflict_that_is_over_or_has_no_such_value_is_not_settled() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = in_conflict(laptop, phone)
        (title,) = [each for each in laptop.conflicts() if each.field == "title"]
        with pytest.raises(UsageError, match="no number 2"):
            laptop.settle(title, 1)
        laptop.update_task(edda.Task(id=task, title="C"))
        with pytest.raises(UsageError, match="written again meanwhile"):
            laptop.settle(title, 0)


@pytest.mark.parametrize("take", [None, 0, 1])
def test_a_place_of_a_text_shows_the_chosen_reading_on_all_devices(take: int | None) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        document = dosed(laptop, phone)
        (place,) = laptop.conflicts()
        wanted = (place.shown if take is None else place.kept[take]).value
        dot = laptop.settle(place, take)
        sync(laptop, phone)
        for store in (laptop, phone):
            read = store.get_document(document)
            assert read is not None
            assert (read.content, store.conflicts()) == (f"The dose is {wanted} mg.\nOnce a day.", [])
        assert dot is not None
        phone.undo(dot)
        read = phone.get_document(document)
        assert read is not None
        assert read.content == f"The dose is {place.shown.value} mg.\nOnce a day."


def test_two_devices_that_settle_a_place_alike_agree_and_otherwise_it_is_listed_again() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        for takes in ((None, None), (1, 1), (0, 1), (None, 1)):
            document = dosed(laptop, phone)
            place = next(each for each in laptop.conflicts() if each.id == document)
            wanted = [(place.shown if take is None else place.kept[take]).value for take in takes]
            for store, take in zip((laptop, phone), takes, strict=True):
                store.settle(place, take)
            sync(laptop, phone)
            listed = [each for each in phone.conflicts() if each.id == document]
            assert listed == [each for each in laptop.conflicts() if each.id == document]
            assert [sorted(kept.value for kept in each.kept) for each in listed] == (
                [] if wanted[0] == wanted[1] else [sorted(wanted)]
            )


def test_a_place_that_was_written_again_meanwhile_is_not_settled() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        document = dosed(laptop, phone)
        (place,) = laptop.conflicts()
        with pytest.raises(UsageError, match="no number 3"):
            laptop.settle(place, 2)
        laptop.edit_text(document, "content", [(0, 3, "This")])
        laptop.settle(place, 0)
        with pytest.raises(UsageError, match="written again meanwhile"):
            laptop.settle(place, 0)


@pytest.mark.parametrize("take", [None, 0])
def test_what_a_document_is_to_a_task_is_settled_like_a_field(take: int | None) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task, note = laptop.create_task(edda.Task(title="T")), laptop.create_document(edda.Document(title="N"))
        sync(laptop, phone)
        for store, kind in ((laptop, "spec"), (phone, "output")):
            with store.begin_transaction() as tx:
                tx.link(task, note, kind)
        sync(laptop, phone)
        (found,) = phone.conflicts()
        assert (found.field, {found.shown.value, *(each.value for each in found.kept)}) == (
            f"link.{note}", {"spec", "output"},
        )  # fmt: skip
        (link,) = phone.links()
        assert link.relationship_type == found.shown.value
        laptop.settle(found, take)
        sync(laptop, phone)
        for store in (laptop, phone):
            (link,) = store.links()
            assert link.relationship_type == (found.shown if take is None else found.kept[take]).value
            assert store.conflicts() == []
