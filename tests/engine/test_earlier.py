"""An item at a time: with the words, the tags and the parent that it had."""

from __future__ import annotations

import edda_sync as edda
from edda_sync.testing import devices


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
