"""Real data from one device to another with the real command: tasks and documents arrive byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.words.query import DocumentQuery
from tests.e2e.machine import Machine, are_equal, pair, until

DATA = Path(__file__).parents[3] / "shared" / "data"
TASKS = DATA / "tasks" / "beads-issues.jsonl"
DOCUMENTS = DATA / "documents"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not (TASKS.exists() and DOCUMENTS.exists()), reason=f"{DATA} is not beside the project"),
]


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[tuple[Machine, Machine]]:
    with Machine(tmp_path, "laptop") as laptop, Machine(tmp_path, "phone") as phone:
        yield laptop, phone


async def test_real_tasks_and_documents_arrive_on_a_second_device_byte_for_byte(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    laptop, phone = machines
    laptop.edda("import", "beads", str(TASKS))  # before the phone came: it gets them with the first sync
    await laptop.up("--no-discovery")
    await pair(laptop, phone, by_address=True)
    status = await laptop.status()
    assert status is not None
    await phone.up("--no-discovery", "--at", f"127.0.0.1:{status['port']}")
    laptop.edda("import", "markdown", str(DOCUMENTS))  # while both are running

    async def equal() -> bool:
        return await are_equal(machines)

    await until(equal)
    _compare_documents(phone, tmp_path / "written")
    exports = [machine.edda("export") for machine in machines]
    assert exports[0] == exports[1]
    issues = [json.loads(line) for line in TASKS.read_text().splitlines()]
    tasks = [each for each in map(json.loads, exports[1].splitlines()) if each["kind"] == "task"]
    assert len(tasks) == len(issues)
    assert sorted(each["title"] for each in tasks) == sorted(" ".join(each["title"].split()) for each in issues)


def _compare_documents(machine: Machine, folder: Path) -> None:
    """Compare each file with the document in the store, and with the file that the device exports."""
    files = {path.relative_to(DOCUMENTS): path.read_bytes() for path in DOCUMENTS.rglob("*.md")}
    machine.edda("export", "--format", "markdown", str(folder))
    assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.md")} == files
    with StorageEngine(machine.home) as store:
        store.open_store()
        documents = store.query_documents(DocumentQuery())
    assert sorted((each.content or "").encode() for each in documents) == sorted(files.values())
    assert len(documents) == len(files) > 1_000


async def test_every_row_of_the_specifications_tables_is_the_same_on_both_devices(
    machines: tuple[Machine, Machine],
) -> None:
    laptop, phone = machines
    laptop.edda("import", "beads", str(TASKS))
    laptop.edda("import", "markdown", str(DOCUMENTS / "tldr-ja"))
    await laptop.up("--no-discovery")
    await pair(laptop, phone, by_address=True)  # the join ends when both are proved equal
    with StorageEngine(laptop.home) as first, StorageEngine(phone.home) as second:
        first.open_store()
        second.open_store()
        for table in ("tasks", "documents", "tags", "entity_tags", "task_documents"):
            assert first.table(table) == second.table(table)
        assert first.counts() == second.counts()
        assert first.digest() == second.digest()
        assert len(first.table("tasks")) == len(TASKS.read_text().splitlines())
