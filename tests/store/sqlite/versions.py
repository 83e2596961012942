"""
Stores of every version, as that version wrote them: ``versions/1.tar.zst`` and so on, each a store's folder.

``python -m tests.store.sqlite.versions`` adds one of the present version, if there is none yet, and those of ``kinds``.
What is there is never made anew: somebody may have such a store.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any, Final

import zstandard

from edda_sync.engine.engine import StorageEngine
from edda_sync.store.sqlite import schema
from edda_sync.testing import devices, sync
from edda_sync.words.model import Document, Task

FOLDER: Final = Path(__file__).parent / "versions"
TABLES: Final = ("tasks", "documents", "task_documents", "tags", "entity_tags")
SAID: Final = "said.json"


def known() -> list[int]:
    """Return the versions of which there is a store."""
    return sorted(int(path.name.removesuffix(".tar.zst")) for path in FOLDER.glob("*.tar.zst"))


def unpack(version: int, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write a version's store into a folder; return the store's home, and what it said of itself when it was written."""
    return unpack_file(FOLDER / f"{version}.tar.zst", folder)


def unpack_file(path: Path, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Write a store that :func:`pack` has packed into a folder; see :func:`unpack`."""
    packed = zstandard.ZstdDecompressor().decompress(path.read_bytes(), 64 << 20)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "home", json.loads((folder / SAID).read_text())


def says(store: StorageEngine) -> dict[str, Any]:
    """Return what a store says of itself, in values that JSON can hold."""
    return {
        "digest": store.digest(),
        "counts": store.counts(),
        "frontier": {actor.hex(): seq for actor, seq in sorted(store.frontier().items())},
        "conflicts": len(store.conflicts()),
        "tables": {name: json.loads(json.dumps(store.table(name))) for name in TABLES},
    }


def fill(laptop: StorageEngine, phone: StorageEngine) -> None:
    """Write a bit of everything that a store can hold, on two devices."""
    parent = laptop.create_task(
        Task(title="parent", tags={"a", "b"}, description="one two three", due_date="2026-12-24")
    )
    child = laptop.create_task(Task(title="child", parent_id=parent, metadata={"k": 1, "deep": {"l": [1, 2.5, "x"]}}))
    document = laptop.create_document(Document(title="D", content="日本語の文書 and words " * 500))
    with laptop.begin_transaction(agent="claude", reason="weekly review") as tx:
        tx.link(child, document, "spec")
        tx.rename_tag("b", "c")
    laptop.delete_task(laptop.create_task(Task(title="gone")))
    sync(laptop, phone)
    laptop.edit_text(parent, "description", [(4, 3, "2")])
    phone.edit_text(parent, "description", [(0, 3, "1")])
    laptop.update_task(Task(id=child, title="the child"))
    phone.update_task(Task(id=child, title="a child", status="done"))
    sync(laptop, phone)


def pack(home: Path, said: dict[str, Any], target: Path) -> None:
    """Write a store's folder, and what it says of itself, into one compressed file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(home.iterdir()):
            archive.add(path, f"home/{path.name}")
        text = json.dumps(said, ensure_ascii=False, indent=1).encode()
        member = tarfile.TarInfo(SAID)
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    target.write_bytes(zstandard.ZstdCompressor(level=19).compress(packed.getvalue()))


def make() -> None:
    """Write a store of the present version, if there is none yet."""
    if schema.VERSION in known():
        print(f"There is a store of version {schema.VERSION} already; it stays as it is.")  # noqa: T201
        return
    with devices(2) as (laptop, phone):
        fill(laptop, phone)
        said, home = says(laptop), laptop.home
        laptop.close()
        copy = home.with_name("copy")
        shutil.copytree(home, copy)
        pack(copy, said, FOLDER / f"{schema.VERSION}.tar.zst")


if __name__ == "__main__":
    from tests.store.sqlite import kinds

    FOLDER.mkdir(exist_ok=True)
    make()
    kinds.make()
