"""A laptop with a backup, and what it does afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import edda_sync as edda
from edda_sync.backup.comparing import Difference, differences
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.proof import ProofStore
from edda_sync.backup.verifying import Verifying
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from tests.backup.places import Place, back_up, repository_of


class Scene:
    """A laptop with a backup, and what it does afterwards."""

    def __init__(self, laptop: StorageEngine, phone: StorageEngine, folder: Path) -> None:
        self.laptop, self.phone, self._folder, self._place = laptop, phone, folder, Place()
        self.milk = laptop.create_task(edda.Task(title="Buy milk", priority=1, tags={"home"}, metadata={"a": 1}))
        self.report = laptop.create_task(edda.Task(title="Write the report", description="One two three"))
        self.plan = laptop.create_document(edda.Document(title="Plan", content="First line\nSecond line"))
        with laptop.begin_transaction() as tx:
            tx.link(self.report, self.plan)
        sync(laptop, phone)
        self.manifest: Manifest = back_up(laptop, self._place, folder / "proof").manifest
        self.then = shown(laptop)

    def restored(self) -> ProofStore:
        proof = ProofStore(self._folder / "restored", self.laptop.workspace)
        proof.__enter__()
        Verifying(repository_of(self.laptop, self._place), proof).restore(self.manifest)
        return proof

    def found(self, proof: ProofStore) -> list[Difference]:
        return list(differences(proof.engine, self.laptop))


def shown(engine: StorageEngine) -> object:
    """What a person sees, without when it was written."""
    tasks = [
        (
            task.id,
            task.title,
            task.description,
            task.status,
            task.priority,
            task.metadata,
            sorted(task.tags),
            task.parent_id,
        )
        for task in engine.query_tasks(edda.TaskQuery())
    ]
    documents = [
        (each.id, each.title, each.content, sorted(each.tags)) for each in engine.query_documents(edda.DocumentQuery())
    ]
    links = [(link.task_id, link.document_id, link.relationship_type) for link in engine.links()]
    return sorted(tasks), sorted(documents), sorted(links)


@contextmanager
def backed_up(folder: Path) -> Iterator[Scene]:
    """Yield such a scene."""
    with devices(2, backend="memory") as (laptop, phone):
        yield Scene(laptop, phone, folder)


def spoil(scene: Scene) -> str:
    """Delete, change and add things."""
    laptop = scene.laptop
    laptop.delete_task(scene.milk)
    laptop.update_task(
        edda.Task(id=scene.report, title="Something else", status="done", tags={"work"}, metadata={"b": 2})
    )
    laptop.update_document(edda.Document(id=scene.plan, content="Other text"))
    with laptop.begin_transaction() as tx:
        tx.unlink(scene.report, scene.plan)
    return laptop.create_task(edda.Task(title="Newer"))
