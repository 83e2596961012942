"""
Stores in RocksDB, plain and encrypted, with attached files and all kinds of indexes, as the present version and later ones
wrote them. ``python -m tests.store.sqlite.versions`` adds those that are missing; what is there is never made anew.
"""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final, cast

from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.store.sqlite import schema
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import EncryptionAlgorithm, EncryptionConfig, KeyStorage, StorageBackend, StorageConfig
from edda_sync.words.indexes import IndexType
from edda_sync.words.model import Document, Task
from edda_sync.words.query import TaskQuery
from tests.store.sqlite import versions

FOLDER: Final = versions.FOLDER / "kinds"
KINDS: Final = {
    "rocksdb": (StorageBackend.ROCKSDB, None),
    "encrypted": (StorageBackend.ROCKSDB, EncryptionAlgorithm.XCHACHA20_POLY1305),
}
FIRST: Final = 7  # the version since which they are kept
KEY: Final = "stick.key"  # beside the store's folder
LARGE: Final = random.Random(7).randbytes(1_500) * 1_000  # two chunks and their list


def path_of(kind: str, version: int) -> Path:
    """Return where a store of some kind and version is kept."""
    return FOLDER / f"{kind}-{version}.tar.zst"


def fill(store: StorageEngine) -> None:
    """Write a bit of everything that a store of any kind can hold."""
    store.indexes.create("efforts", ["metadata.effort"])
    store.indexes.create("urls", ["metadata.url"], IndexType.HASH)
    store.indexes.create("notes", ["metadata.note", "title"], IndexType.FULL_TEXT)
    store.indexes.create("places", ["metadata.location"], IndexType.SPATIAL, where_clause="status = 'open'")
    store.indexes.create("tickets", ["metadata.ticket"], unique=True)
    for number in range(12):
        place = {"lat": 52.5 + number / 100, "lon": 13.4}
        metadata = {"effort": number % 4, "url": "x" * 900 + str(number), "note": f"検索 {number}", "location": place}
        store.create_task(
            Task(title=f"task {number}", metadata={**metadata, "ticket": number}, tags={f"t{number % 3}"})
        )
    made = store.create_document(Document(title="D", content="one two three"))
    with store.begin_transaction(agent="claude", reason="to keep it") as tx:
        tx.edit_text(made, "content", [(4, 3, "2")])
        tx.attach(made, io.BytesIO(b"small"), name="small.txt")
        tx.attach(made, io.BytesIO(LARGE), name="large.bin")
    store.delete_task(store.create_task(Task(title="gone", description="a text")))
    store.update_document(Document(id=made, title="an error"))
    store.undo()


def says(store: StorageEngine) -> dict[str, Any]:
    """Return what a store says of itself, in values that JSON can hold."""
    queries = {
        "effort": TaskQuery(where={"metadata.effort": 3}),
        "url": TaskQuery(where={"metadata.url": "x" * 900 + "5"}),
        "note": TaskQuery(where=[("metadata.note", "contains", "検索 7")]),
        "near": TaskQuery(near=(52.5, 13.4), within=3_000, status="open"),
        "text": TaskQuery(text="task"),
    }
    (document,) = store.query_documents()
    return versions.says(store) | {
        "indexes": sorted(each.name for each in store.indexes.list()),
        "found": {name: [task.id for task in store.query_tasks(query)] for name, query in queries.items()},
        "used": {name: list(store.reading.explain(query)[-1].indexes) for name, query in queries.items()},
        "attached": [
            [each.name, each.size, hashlib.sha256(store.open_attachment(document.id, each.id).read()).hexdigest()]
            for each in store.attachments(document.id)
        ],
    }


def make() -> None:
    """Write a store of each kind of the present version, unless there is one."""
    FOLDER.mkdir(exist_ok=True)
    for kind, (backend, algorithm) in KINDS.items():
        target = path_of(kind, schema.VERSION)
        if target.exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            home, key = Path(folder) / "home", Path(folder) / KEY
            made = EncryptionConfig(key_storage=KeyStorage.FILE, key_file=key)
            sealed = None if algorithm is None else made.changed(algorithm=algorithm)
            config = StorageConfig(backend=backend, encryption_config=sealed, state_path=Path(folder) / "state")
            with open_store(home, config) as store:
                fill(store)
                said = says(store)
                cast("SqliteStore", store.store).settle()
            if sealed:
                shutil.copy(key, home / KEY)  # it is packed with the folder, and taken out of that again
            versions.pack(home, said, target)


def unpack(kind: str, version: int, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write a store into a folder, with its key beside it; return the store's home, and what it said of itself."""
    home, said = versions.unpack_file(path_of(kind, version), folder)
    if (home / KEY).exists():
        os.replace(home / KEY, folder / KEY)
    return home, said
