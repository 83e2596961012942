"""An item at a time: with the words, the tags and the parent that it had."""

from __future__ import annotations

import edda_sync as edda
from edda_sync.testing import devices, sync


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += 60
        return self.now


def test_a_task_is_shown_as_it_was_before_each_of_its_changes() -> None:
    with devices(1, backend="memory", now=Clock()) as (laptop,):
        parent = laptop.create_task(edda.Task(title="Parent"))
        task = laptop.create_task(edda.Task(title="Milk", description="one two", tags={"home"}, parent_id=parent))
        laptop.edit_text(task, "description", [(3, 4, "")])
        with laptop.begin_transaction() as tx:
            tx.rename_tag("home", "house")
        laptop.update_task(edda.Task(id=task, title="Oat milk", parent_id=None))
        laptop.delete_task(task)
        moments = [each.at for each in reversed(laptop.history(task).changes)]
        shown = [laptop.as_of("task", task, moment) for moment in moments]
        assert shown[-1] is None
        tasks = [each for each in shown if isinstance(each, edda.Task)]
        assert [each.description for each in tasks] == ["one two", "one", "one", "one"]
        assert [each.tags for each in tasks] == [{"home"}, {"home"}, {"house"}, {"house"}]
        assert [(each.title, each.parent_id) for each in tasks] == [*[("Milk", parent)] * 3, ("Oat milk", None)]
        assert laptop.as_of("task", task, "2000-01-01") is None
        assert laptop.as_of("document", task, moments[0]) is None


def test_whatever_a_change_wrote_is_shown_after_it_although_it_lost_and_although_clocks_are_wrong() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Milk", description="one"))
        sync(laptop, phone)
        phone.writing.now = lambda: 2_000_000_000.0
        phone.update_task(edda.Task(id=task, title="phone's", description="one, two"))
        sync(laptop, phone)
        laptop.update_task(edda.Task(id=task, title="laptop's", description="three"))
        laptop.delete_task(task)
        laptop.restore_task(task)
        sync(laptop, phone)
        for device in (laptop, phone):
            shown = [device.as_of("task", task, each.dot) for each in reversed(device.history(task).changes)]
            assert shown[3] is None
            tasks = [each for each in shown if isinstance(each, edda.Task)]
            assert [each.title for each in tasks] == ["Milk", "phone's", "laptop's", "laptop's"]
            assert [each.description for each in tasks] == ["one", "one, two", "three", "three"]


def test_of_two_changes_made_at_once_each_shows_its_own_value() -> None:
    with devices(2, backend="memory") as both:
        task = both[0].create_task(edda.Task(title="Milk", description="one"))
        sync(*both)
        for number, device in enumerate(both):
            device.update_task(edda.Task(id=task, title=f"title {number}", description=f"one {number}"))
        sync(*both)
        for device in both:
            shown = {}
            for done in device.history(task, limit=2).changes:
                found = device.as_of("task", task, done.dot)
                assert isinstance(found, edda.Task)
                shown[found.title] = found.description
            assert shown == {"title 0": "one 0", "title 1": "one 1"}
