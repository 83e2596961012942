"""
edda-sync: local-first storage and sync for the tasks and documents of people and their AI agents.

    import edda_sync as edda

    with edda.open("~/notes") as store:
        task_id = store.create_task(edda.Task(title="Write the report", priority=1, tags={"work"}))
        for task in store.query_tasks(edda.MOST_URGENT):
            print(task.title)

``edda.open`` is where to start, and returns a ``StorageEngine``; ``edda.Device`` runs a store that syncs;
``edda_sync.testing`` has what tests need. ``help(edda.StorageEngine)`` and the like say more.

What a store holds: ``Task``, ``Document``, ``Tag``, ``Link``, ``Attachment``. What is asked of it: ``TaskQuery``,
``DocumentQuery``, ``MOST_URGENT``, ``cursor``, ``found_in``, ``IndexType``. Several writes together: ``Transaction``. What
happened: ``History``, ``Undone``, ``Conflict``, ``Clash``, ``QueryChange``, ``ConflictChange``, ``StorageMetrics``. How a
store is kept: ``StorageConfig`` and its parts. Every error is an ``EddaError``; ``edda.errors`` has the tree. A call that
is given something else than it can take raises an ``InvalidValueError``, which names the argument.
"""

from __future__ import annotations

TYPE_CHECKING = (
    False  # type checkers take it for true; ``typing`` itself would take most of the time that this import takes
)

if TYPE_CHECKING:
    from typing import Any

    from edda_sync.device.device import Device
    from edda_sync.engine.engine import StorageEngine, open  # noqa: A004 - edda.open
    from edda_sync.engine.transaction import Transaction, TransactionState
    from edda_sync.engine.watched import ConflictChange, ConflictWatch, QueryChange, Watch
    from edda_sync.words import errors
    from edda_sync.words.config import (
        BackupConfig,
        BackupFrequency,
        CacheConfig,
        EncryptionAlgorithm,
        EncryptionConfig,
        EvictionPolicy,
        FilesConfig,
        KeyDerivationFunction,
        KeyRotationPolicy,
        KeyStorage,
        RetentionPolicy,
        StorageBackend,
        StorageConfig,
    )
    from edda_sync.words.errors import EddaError, StorageError
    from edda_sync.words.excerpts import Excerpt, Found, found_in
    from edda_sync.words.indexes import IndexConfig, IndexType
    from edda_sync.words.listed import (
        Attachment,
        Clash,
        Conflict,
        ConflictValue,
        Done,
        Explained,
        History,
        Link,
        Member,
        Tag,
        TakenBack,
        Undone,
    )
    from edda_sync.words.metrics import CacheMetrics, FilesMetrics, StorageMetrics, SyncMetrics
    from edda_sync.words.model import UNSET, Document, DocumentId, Task, TaskId
    from edda_sync.words.query import MOST_URGENT, DocumentQuery, TaskQuery, cursor

    __version__: str

__all__ = [
    "MOST_URGENT",
    "UNSET",
    "Attachment",
    "BackupConfig",
    "BackupFrequency",
    "CacheConfig",
    "CacheMetrics",
    "Clash",
    "Conflict",
    "ConflictChange",
    "ConflictValue",
    "ConflictWatch",
    "Device",
    "Document",
    "DocumentId",
    "DocumentQuery",
    "Done",
    "EddaError",
    "EncryptionAlgorithm",
    "EncryptionConfig",
    "EvictionPolicy",
    "Excerpt",
    "Explained",
    "FilesConfig",
    "FilesMetrics",
    "Found",
    "History",
    "IndexConfig",
    "IndexType",
    "KeyDerivationFunction",
    "KeyRotationPolicy",
    "KeyStorage",
    "Link",
    "Member",
    "QueryChange",
    "RetentionPolicy",
    "StorageBackend",
    "StorageConfig",
    "StorageEngine",
    "StorageError",
    "StorageMetrics",
    "SyncMetrics",
    "Tag",
    "TakenBack",
    "Task",
    "TaskId",
    "TaskQuery",
    "Transaction",
    "TransactionState",
    "Undone",
    "Watch",
    "cursor",
    "errors",
    "found_in",
    "open",
]


_PLACES = {
    "words.config": (
        "BackupConfig", "BackupFrequency", "CacheConfig", "EncryptionAlgorithm", "EncryptionConfig", "EvictionPolicy",
        "FilesConfig", "KeyDerivationFunction", "KeyRotationPolicy", "KeyStorage", "RetentionPolicy", "StorageBackend",
        "StorageConfig",
    ),
    "device.device": ("Device",),
    "engine.engine": ("StorageEngine", "open"),
    "words.errors": ("EddaError", "StorageError"),
    "words.excerpts": ("Excerpt", "Found", "found_in"),
    "words.indexes": ("IndexConfig", "IndexType"),
    "words.listed": (
        "Attachment", "Clash", "Conflict", "ConflictValue", "Done", "Explained", "History", "Link", "Member", "Tag",
        "TakenBack", "Undone",
    ),
    "words.metrics": ("CacheMetrics", "FilesMetrics", "StorageMetrics", "SyncMetrics"),
    "words.model": ("UNSET", "Document", "DocumentId", "Task", "TaskId"),
    "words.query": ("MOST_URGENT", "DocumentQuery", "TaskQuery", "cursor"),
    "engine.transaction": ("Transaction", "TransactionState"),
    "engine.watched": ("ConflictChange", "ConflictWatch", "QueryChange", "Watch"),
}  # fmt: skip
"""The module of each name. It is imported when the name is used: a command that lists tasks does not pay for the network."""


if not TYPE_CHECKING:  # for type checkers there is no name but those above

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import version

            return version("edda-sync")
        from importlib import import_module

        if name == "errors":
            return import_module(f"{__name__}.words.errors")
        for module, names in _PLACES.items():
            if name in names:
                found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
