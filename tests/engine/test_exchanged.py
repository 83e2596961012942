from __future__ import annotations

import edda_sync as edda
from edda_sync import testing
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.exchanged import exchanged, held

NOTHING = {"tasks": 0, "documents": 0, "changes": 0}


def met(laptop: StorageEngine, phone: StorageEngine) -> dict[str, object]:
    """Sync; return the laptop's report."""
    before, theirs = held(laptop), phone.frontier()
    testing.sync(laptop, phone)
    return exchanged(laptop, before, {"phone": (theirs, phone.frontier())})


def test_received_and_sent_items_are_counted_by_tasks_and_documents_and_not_by_changes() -> None:
    with testing.devices(2) as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Buy milk"))
        testing.sync(laptop, phone)
        phone.update_task(edda.Task(id=task, priority=1))
        phone.update_task(edda.Task(id=task, status="done"))
        phone.create_document(edda.Document(title="Notes", content="text"))
        laptop.create_task(edda.Task(title="Buy bread"))
        found = met(laptop, phone)
        assert found["came"] == {"tasks": 1, "documents": 1, "changes": 3}
        assert found["sent"] == {"tasks": 1, "documents": 0, "changes": 1}
        assert met(laptop, phone) == {"came": NOTHING, "sent": NOTHING, "new_conflicts": 0}


def test_only_new_conflicts_are_counted() -> None:
    with testing.devices(2) as (laptop, phone):
        task = laptop.create_task(edda.Task(title="Buy milk"))
        testing.sync(laptop, phone)
        for number in (1, 2):
            laptop.update_task(edda.Task(id=task, title=f"Buy oat milk {number}"))
            phone.update_task(edda.Task(id=task, title=f"Buy soy milk {number}"))
            assert met(laptop, phone)["new_conflicts"] == 1
        phone.create_task(edda.Task(title="Other"))
        assert met(laptop, phone)["new_conflicts"] == 0


def test_local_writes_in_the_meantime_are_not_counted_as_received() -> None:
    with testing.devices(1) as (laptop,):
        before = held(laptop)
        laptop.create_task(edda.Task(title="Buy milk"))
        assert exchanged(laptop, before, {}) == {"came": NOTHING, "sent": NOTHING, "new_conflicts": 0}
