"""
Devices of this version and of the one before it, side by side: real processes, and the real older software.

The older software is taken from the project's history, as it was before attachments.
"""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Final

import pytest

from edda_sync.changes.drafts import Put
from edda_sync.crdt import attachments
from edda_sync.crdt.attachments import AttachmentRecord
from edda_sync.crdt.keys import key_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite import schema
from edda_sync.words import values
from tests.e2e.machine import Machine, pair, until

OLDER: Final = "75efbc3"  # the last commit that knows no attachments; its stores have version 1
ROOT: Final = Path(__file__).parents[2]
RECORD: Final = AttachmentRecord("plan.pdf", "application/pdf", b"\x07" * 32, 5, 0)


@pytest.fixture(scope="module")
def software(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the older version's package."""
    folder = tmp_path_factory.mktemp("older")
    archive = ["git", "-C", str(ROOT), "archive", "--format=tar", OLDER, "edda_sync"]
    packed = subprocess.run(archive, capture_output=True, check=False)
    if packed.returncode != 0:
        pytest.skip(f"the project's history is not here: {packed.stderr.decode().strip()}")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=packed.stdout, check=True)
    return folder


def attach(machine: Machine, document: str) -> None:
    """Write what attaching a file writes."""
    cell = attachments.GROUP + values.uuid7(1_800_000_000_000, bytes(10))
    draft = Put.of("document", values.id_bytes("id", document), {cell: attachments.encode(RECORD)})

    def work(tx: StoreWriter) -> object:
        return store.writing.commit(tx, [draft], None)

    with _opened(machine) as store:
        store.store.transact(work)


def attached(machine: Machine, document: str) -> list[str]:
    """Return the names of the files that a document has, by this version of the software."""
    entity = key_of("document", values.id_bytes("id", document))
    with _opened(machine) as store, store.store.read() as reader:
        return [attachments.decode(each.record).name for each in reader.attachments.of(entity)]


def _opened(machine: Machine) -> StorageEngine:
    import edda_sync as edda

    return edda.open(machine.home, machine.config)


async def meet(one: Machine, other: Machine) -> None:
    """Let two members talk until both hold the same changes; then end both."""
    await other.up("--no-discovery")
    running = await other.status()
    assert running is not None
    await one.up("--no-discovery", "--at", f"127.0.0.1:{running['port']}")

    async def hold_the_same() -> bool:
        said = [await machine.status() for machine in (one, other)]
        return None not in said and said[0]["frontier"] == said[1]["frontier"]  # type: ignore[index]

    await until(hold_the_same)
    for machine in (one, other):
        assert machine.end_up() == (0, "")


async def test_what_an_older_device_does_not_know_it_keeps_passes_on_and_shows_once_it_is_upgraded(
    software: Path, tmp_path: Path
) -> None:
    # They pair while all are of the older version: pairing itself has changed since then.
    newer, third = Machine(tmp_path, "laptop"), Machine(tmp_path, "tablet")
    before, older, third_before = (Machine(tmp_path, name, software=software) for name in ("laptop", "phone", "tablet"))
    with newer, third, older, before, third_before:
        before.edda("init", "--name", "laptop")
        document = before.edda("doc", "add", "-", "--title", "Plan", stdin="some words")
        await pair(before, older, by_address=True)
        await meet(newer, older)
        assert older.json("status")["waiting"] == 0
        attach(newer, document)
        await meet(newer, older)

        assert older.json("status")["waiting"] == 1
        assert "1 " in older.edda("status")
        assert "some words" in older.edda("doc", "show", document[-6:])
        assert all(each["sound"] for each in older.json("doctor"))
        older.edda("task", "add", "written by the older version")

        await pair(older, third_before, by_address=True)
        await older.up("--no-discovery")
        running = await older.status()
        assert running is not None
        synced = await asyncio.to_thread(third.run, "sync", "--at", f"127.0.0.1:{running['port']}")
        assert "equal but for 1 that an older edda there cannot read yet" in synced.stdout
        assert older.end_up() == (0, "")
        assert attached(third, document) == ["plan.pdf"], "it came by way of the older device"
        assert third.json("status")["waiting"] == 0

        upgraded = Machine(tmp_path, "phone")
        assert [each["title"] for each in upgraded.json("task", "list")] == ["written by the older version"]
        assert upgraded.json("status")["waiting"] == 0
        assert attached(upgraded, document) == ["plan.pdf"]
        assert all(each["sound"] for each in upgraded.json("doctor"))
        assert (upgraded.home / "edda.db.version-1").exists(), "a copy from before"
        with upgraded:
            await meet(newer, upgraded)
        digests = {machine.json("status")["digest"] for machine in (newer, upgraded)}
        assert len(digests) == 1


async def test_an_older_command_leaves_a_newer_store_alone(software: Path, tmp_path: Path) -> None:
    older, newer = Machine(tmp_path, "phone", software=software), Machine(tmp_path, "phone")
    newer.edda("init", "--name", "phone")
    newer.edda("task", "add", "kept")
    before = (newer.home / "edda.db").read_bytes()
    done = older.run("task", "list")
    assert done.returncode == 1
    assert f"was written by a newer edda (store version {schema.VERSION};" in done.stderr
    assert (newer.home / "edda.db").read_bytes() == before
