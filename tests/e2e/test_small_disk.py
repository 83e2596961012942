"""
Disks that fill up at any point: a tmpfs a few pages larger than the store, which is enlarged while everything runs.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import DiskFullError
from edda_sync.words.model import Document, Task
from edda_sync.words.query import DocumentQuery, TaskQuery
from tests.e2e.kill import damage
from tests.e2e.machine import Machine, are_equal, bring_together, settle_in, store_of, until

WHOLE_BYTES: Final = 64 * 1024 * 1024
PAGE_BYTES: Final = 4_096
LEVELS: Final = 60
LEVELS_A_TEST: Final = 15
JOURNAL_BYTES: Final = (
    15_250_000  # SQLite's journal: after 0.8 MB more it is merged into the file, which grows by 15 MB
)
JOURNAL_ROOM_BYTES: Final = 1_500_000
REFUSALS: Final = 4
WRITES_MAX: Final = 2_000
HEALED_S_MAX: Final = 30.0


class SmallDisk:
    """A file system in memory whose free space a test sets."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def leave(self, room_bytes: int) -> None:
        """Leave this much room, rounded up to whole pages; 0 for none."""
        found = os.statvfs(self.path)
        self._resize((found.f_blocks - found.f_bfree) * found.f_frsize + room_bytes)

    def enlarge(self) -> None:
        """Give it back all its room."""
        self._resize(WHOLE_BYTES)

    def _resize(self, size_bytes: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size_bytes}", str(self.path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={WHOLE_BYTES}", "edda-test", str(place)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield SmallDisk(place)
    subprocess.run(["umount", "--lazy", str(place)], check=True)


# --- one store, written until it is refused ---------------------------------------------------------------------------


class Writer:
    """
    Writes what people write, at random, and remembers what was acknowledged.

    Attributes:
        tasks: Title and status by id.
        documents: Content by id.
        refusals: How many writes were refused for want of room; any other refusal is an error.
    """

    def __init__(self, store: StorageEngine, rng: random.Random) -> None:
        self.store, self._rng = store, rng
        self.tasks: dict[str, tuple[str, str]] = {}
        self.documents: dict[str, str] = {}
        self.refusals = 0

    def write(self) -> None:
        kinds = [self._add_task, self._add_both]
        if self.tasks:
            kinds += [self._finish_task, self._edit_document]
        with suppress(DiskFullError):
            self._rng.choice(kinds)()
            return
        self.refusals += 1

    def _add_task(self) -> None:
        title = self._noise(20)
        self.tasks[self.store.create_task(Task(title=title, description=self._noise(2_000)))] = (title, "open")

    def _add_both(self) -> None:
        title, content = self._noise(20), self._noise(8_000)
        with self.store.begin_transaction() as tx:
            task = tx.create_task(Task(title=title, tags={self._noise(4)}))
            document = tx.create_document(Document(title=title, content=content))
            tx.link(task, document)
        self.tasks[task], self.documents[document] = (title, "open"), content

    def _finish_task(self) -> None:
        task, (title, _) = self._rng.choice(list(self.tasks.items()))
        self.store.update_task(Task(id=task, status="done"))
        self.tasks[task] = (title, "done")

    def _edit_document(self) -> None:
        if not self.documents:
            return self._add_both()
        document, content = self._rng.choice(list(self.documents.items()))
        added = self._noise(1_000)
        self.store.edit_text(document, "content", [(0, 0, added)])
        self.documents[document] = added + content
        return None

    def _noise(self, bytes_max: int) -> str:
        return self._rng.randbytes(self._rng.randint(2, bytes_max) // 2).hex()

    def found(self) -> tuple[dict[str, tuple[str, str]], dict[str, object]]:
        """Return the content of the store, for comparison with what was acknowledged."""
        tasks = {task.id: (task.title, task.status) for task in self.store.query_tasks(TaskQuery())}
        return tasks, {each.id: each.content for each in self.store.query_documents(DocumentQuery())}


def _fill_journal(store: StorageEngine, rng: random.Random) -> dict[str, str]:
    """Write until SQLite's journal is about to be merged into the file."""
    documents = {}
    while (store.home / "edda.db-wal").stat().st_size < JOURNAL_BYTES:
        content = rng.randbytes(100_000).hex()
        documents[store.create_document(Document(title="Much", content=content))] = content
    return documents


@pytest.mark.parametrize("first", range(0, LEVELS, LEVELS_A_TEST))
def test_each_write_on_a_full_disk_is_refused_whole_and_everything_goes_on_once_the_disk_is_larger(
    first: int, disk: SmallDisk
) -> None:
    for level in range(first, first + LEVELS_A_TEST):
        sys.stdout.write(f"level {level}\n")
        rng = random.Random(level)
        home = disk.path / f"store{level}"
        config = StorageConfig(state_path=disk.path / f"state{level}")
        with StorageEngine(home) as store:
            store.initialize(config)
            writer = Writer(store, rng)
            room_bytes = level * rng.randint(1, 4) * PAGE_BYTES
            if level == first:
                writer.documents |= _fill_journal(store, rng)
                room_bytes += JOURNAL_ROOM_BYTES
            disk.leave(room_bytes)
            for _ in range(WRITES_MAX):
                writer.write()
                if writer.refusals == REFUSALS:
                    break
            with suppress(DiskFullError):  # an edited text may have to be written down before it can be read
                assert writer.found() == (writer.tasks, writer.documents)
            refused = writer.refusals
            assert refused == REFUSALS
            disk.enlarge()
            assert writer.found() == (writer.tasks, writer.documents)
            while len(writer.tasks) < 10:
                writer.write()
            assert writer.refusals == refused
            assert writer.found() == (writer.tasks, writer.documents)
            tables, digest = [store.table(name) for name in ("tasks", "documents")], store.digest()
            store.rebuild()
            assert ([store.table(name) for name in ("tasks", "documents")], store.digest()) == (tables, digest)
        assert not damage(home / "edda.db")
        shutil.rmtree(home)


def test_a_store_that_finds_no_room_to_be_made_is_made_once_there_is_some(disk: SmallDisk) -> None:
    refused = made = 0
    for pages in range(1, 241, 12):
        home, config = disk.path / f"store{pages}", StorageConfig(state_path=disk.path / f"state{pages}")
        disk.leave(pages * PAGE_BYTES)
        try:
            with StorageEngine(home) as store:
                store.initialize(config)
            made += 1
        except DiskFullError:
            refused += 1
        disk.enlarge()
        with StorageEngine(home) as store:
            store.initialize(config)
            task = store.create_task(Task(title="There is room."))
            assert [each.id for each in store.query_tasks(TaskQuery())] == [task]
        assert not damage(home / "edda.db")
        shutil.rmtree(home)
    assert refused
    assert made


# --- a device whose peer has more than fits ---------------------------------------------------------------------------

ROOM_BYTES: Final = 400_000
DOCUMENTS: Final = 30
DOCUMENT_BYTES: Final = 40_000


async def test_changes_without_room_are_not_acknowledged_and_arrive_once_there_is_room(
    disk: SmallDisk, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    rng = random.Random(7)
    with Machine(disk.path, "laptop") as laptop, Machine(tmp_path, "phone") as phone:
        settle_in(laptop, phone)
        up = await bring_together(laptop, phone)
        disk.leave(ROOM_BYTES)
        with store_of(phone) as theirs:
            contents = [rng.randbytes(DOCUMENT_BYTES // 2).hex() for _ in range(DOCUMENTS)]
            written = {theirs.create_document(Document(title="From afar", content=content)) for content in contents}

            async def laptop_says_so() -> bool:
                there = await phone.status()
                here = await laptop.status()  # afterwards: it may hold more by now, and never less
                assert there is not None
                assert here is not None
                assert not there["peers"][0]["equal"]
                ahead = there["peers"][0]["ahead"]
                if ahead is not None:
                    assert sum(there["frontier"].values()) - ahead <= sum(here["frontier"].values())
                has_heard = "is full" in str(here)  # until then it is equal to all of the phone that it knows of
                assert not (has_heard and here["peers"][0]["equal"])
                return has_heard

            await until(laptop_says_so)
            assert up.poll() is None
            disk.enlarge()
            healed_s = await until(lambda: are_equal([laptop, phone]), HEALED_S_MAX)
            record_property("healed_s", round(healed_s, 2))
            sys.stdout.write(f"proved equal {healed_s:.2f} s after there was room\n")
            with store_of(laptop) as ours:
                assert {each.id for each in ours.query_documents(DocumentQuery())} == written
                assert ours.digest() == theirs.digest()
        said = laptop.json("status")
        assert (said["waiting"], said["fault"]) == (0, "")
        assert up.poll() is None
        assert not damage(laptop.home / "edda.db")


async def test_both_sides_report_a_full_disk_and_name_its_device(disk: SmallDisk, tmp_path: Path) -> None:
    with Machine(disk.path, "laptop") as laptop, Machine(tmp_path, "phone") as phone:
        settle_in(laptop, phone)
        up = await bring_together(laptop, phone)
        disk.leave(ROOM_BYTES)
        with store_of(phone) as theirs:
            theirs.create_document(Document(title="From afar", content=random.Random(8).randbytes(700_000).hex()))

        said: list[str] = []

        async def both_say_so() -> bool:
            here, there = await laptop.status(), await phone.status()
            assert here is not None
            assert there is not None
            assert there["fault"] == ""
            said.append(str(there["peers"][0]["error"]))  # later it may say that it cannot call
            return "is full" in str(here["fault"]) and "is full" in said[-1]

        await until(both_say_so)
        assert said[-1].startswith("The trouble is on the other device laptop: The disk that holds ")
        assert "trouble: The disk that holds" in laptop.edda("status")
        disk.enlarge()
        await until(lambda: are_equal([laptop, phone]), HEALED_S_MAX)
        assert laptop.json("status")["fault"] == ""
        assert up.poll() is None
