"""
edda-sync: local-first storage and sync for the tasks and documents of people and their AI agents.

    import edda_sync as edda

    with edda.open("~/notes") as store:
        task_id = store.create_task(edda.Task(title="Write the report", priority=1, tags={"work"}))
        for task in store.query_tasks(edda.MOST_URGENT):
            print(task.title)

``edda.open`` is where to start; ``edda.Device`` runs a store that syncs; ``edda_sync.testing`` has what tests need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edda_sync import errors
    from edda_sync.config import StorageConfig
    from edda_sync.device import Device
    from edda_sync.engine import StorageEngine, open  # noqa: A004 - edda.open
    from edda_sync.errors import EddaError, StorageError
    from edda_sync.model import UNSET, Conflict, ConflictValue, Document, DocumentId, Link, Member, Tag, Task, TaskId
    from edda_sync.query import MOST_URGENT, DocumentQuery, TaskQuery
    from edda_sync.transaction import Transaction, TransactionState

    __version__: str

__all__ = [
    "MOST_URGENT",
    "UNSET",
    "Conflict",
    "ConflictValue",
    "Device",
    "Document",
    "DocumentId",
    "DocumentQuery",
    "EddaError",
    "Link",
    "Member",
    "StorageConfig",
    "StorageEngine",
    "StorageError",
    "Tag",
    "Task",
    "TaskId",
    "TaskQuery",
    "Transaction",
    "TransactionState",
    "errors",
    "open",
]


_PLACES = {
    "config": ("StorageConfig",),
    "device": ("Device",),
    "engine": ("StorageEngine", "open"),
    "errors": ("EddaError", "StorageError"),
    "model": (
        "UNSET", "Conflict", "ConflictValue", "Document", "DocumentId", "Link", "Member", "Tag", "Task", "TaskId",
    ),
    "query": ("MOST_URGENT", "DocumentQuery", "TaskQuery"),
    "transaction": ("Transaction", "TransactionState"),
}  # fmt: skip
"""The module of each name. It is imported when the name is used: a command that lists tasks does not pay for the network."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("edda-sync")
    from importlib import import_module

    if name == "errors":
        return import_module(f"{__name__}.errors")
    for module, names in _PLACES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
