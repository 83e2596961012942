"""Schedules that broke earlier drafts, 12, 14, 17 and 24: what cannot be applied, forks, and one very large change."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import limits, values
from edda_sync.crdt import change as changes
from edda_sync.crdt.change import EDIT, PUT, Change, Header, Operation
from edda_sync.crdt.ledger import Admitted, actor_of
from edda_sync.engine import StorageEngine
from edda_sync.errors import ForkError
from edda_sync.protocols import StoreWriter
from edda_sync.sync.messages import Buckets, Part
from edda_sync.testing import Talk, devices, sync
from tests.sync.network import Network, name_of

Trio = tuple[StorageEngine, StorageEngine, StorageEngine]
TASK = "0192f0c1-0000-7000-8000-000000000abc"


@pytest.fixture(params=["memory", "sqlite"])
def trio(request: pytest.FixtureRequest) -> Iterator[Trio]:
    with devices(3, backend=request.param) as (laptop, phone, tablet):
        laptop.create_task(edda.Task(id=TASK, title="Known", description="words"))
        for other in (phone, tablet):
            sync(laptop, other)
        yield laptop, phone, tablet


def write_change(engine: StorageEngine, *operations: Operation) -> None:
    """Make a change of a member that no version of ours would make; its log is whole, and its head will be signed."""

    def work(tx: StoreWriter) -> Admitted:
        heads, actor = tx.heads(), actor_of(tx)
        body = b"".join(changes.encode_operation(operation) for operation in operations)
        deps = tuple(sorted((head.actor, head.seq) for head in heads.values() if head.actor != actor))
        head = heads[actor]
        header = Header(1, actor, head.seq + 1, 1_800_000_000_000, deps, len(operations), len(body))
        fold = engine.ledger.fold(tx)
        admitted = engine.ledger.admit(tx, fold, Change(header, changes.encode_header(header), body))
        fold.flush()
        return admitted

    assert engine.store.transact(work) is Admitted.APPLIED


def everybody(*engines: StorageEngine) -> Network:
    """Let them talk in a line until nothing is left to say."""
    network = Network(*engines)
    for here, there in itertools.pairwise(engines):
        network.connect(here, there)
    network.run()
    return network


# --- 14 and 12: what this version cannot apply ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    [
        [99, "task", values.id_bytes("id", TASK), "a kind of operation that a newer version has"],
        [PUT, "gizmo", b"g" * 16, {"title": "a kind of entity that a newer version has"}],
        [PUT, "task", values.id_bytes("id", TASK), {"mood": "a field that a newer version has"}],
        ["not even a number"],
        [],
    ],
)
def test_counterexample_14_an_unknown_operation_is_kept_and_relayed_and_what_follows_arrives(
    trio: Trio, operation: Operation
) -> None:
    laptop, phone, tablet = trio
    everybody(*trio)
    known = [PUT, "task", values.id_bytes("id", TASK), {"title": "Known and changed"}]
    tablet.create_task(edda.Task(title="before"))
    write_change(tablet, operation, known)
    tablet.create_task(edda.Task(title="after"))
    everybody(laptop, phone, tablet)
    phone.create_task(edda.Task(title="by one who saw it"))
    network = everybody(*trio)
    assert laptop.frontier() == phone.frontier() == tablet.frontier()
    for engine in trio:
        titles = {task.title for task in engine.query_tasks(edda.TaskQuery())}
        assert titles == {"Known and changed", "before", "after", "by one who saw it"}
        assert engine.waiting() == 1
    assert network.proved == set()
    assert network.differs == []
    assert network.said(Buckets) == []
    assert network.replicas[name_of(laptop)].progress()[name_of(phone)].waiting == 1


def test_counterexample_12_a_text_that_refused_an_edit_is_waiting_and_starts_no_repair(trio: Trio) -> None:
    laptop, _, tablet = trio
    tablet.edit_text(TASK, "description", [(5, 0, "!")])
    everybody(*trio)
    with laptop.store.read() as reader:
        (_, field, genesis) = reader.all_texts()[0]
    write_change(tablet, [EDIT, "task", values.id_bytes("id", TASK), field, genesis, b"\x01\x01nonsense"])
    tablet.create_task(edda.Task(title="after"))
    network = everybody(*trio)
    for engine in trio:
        assert engine.waiting() == 1
        assert {task.title for task in engine.query_tasks(edda.TaskQuery())} == {"Known", "after"}
        read = engine.get_task(TASK)
        assert read is not None
        assert read.description == "words!"
    assert network.proved == set()
    assert network.differs == []
    assert network.said(Buckets) == []


# --- 17: forks --------------------------------------------------------------------------------------------------------


class Rolled:
    """A device whose disk is put back to what it was, its memory of lives included: a virtual machine rolled back."""

    def __init__(self, engine: StorageEngine) -> None:
        self.engine = engine
        self._kept: dict[Path, bytes] = {}

    def _files(self) -> list[Path]:
        assert self.engine.config.state_path is not None
        return [self.engine.home / "edda.db", *self.engine.config.state_path.iterdir()]

    def keep(self) -> None:
        """Take a picture of the disk."""
        config = self.engine.config
        self.engine.close()
        self._kept = {path: path.read_bytes() for path in self._files()}
        self.engine.open_store(config)

    def roll_back(self) -> None:
        """Put the picture back, into the very same files."""
        config = self.engine.config
        self.engine.close()
        for path, content in self._kept.items():
            with path.open("r+b") as file:
                file.write(content)
                file.truncate()
        fresh = StorageEngine(self.engine.home)
        fresh.open_store(config)
        self.engine = fresh


@pytest.fixture
def forked() -> Iterator[tuple[StorageEngine, StorageEngine, StorageEngine, StorageEngine]]:
    """The rolled-back device, and B and C, which hold different changes under one of its dots; D knows neither."""
    with devices(4) as (x, b, c, d):
        rolled = Rolled(x)
        rolled.engine.create_task(edda.Task(title="everybody has this"))
        for other in (b, c, d):
            sync(rolled.engine, other)
        rolled.keep()
        rolled.engine.create_task(edda.Task(title="told to B"))
        sync(rolled.engine, b)
        rolled.roll_back()
        rolled.engine.create_task(edda.Task(title="told to C"))
        sync(rolled.engine, c)
        b.create_task(edda.Task(title="typed on top at B"))
        c.create_task(edda.Task(title="typed on top at C"))
        try:
            yield rolled.engine, b, c, d
        finally:
            rolled.engine.close()


def forks(engine: StorageEngine) -> list[tuple[int, int]]:
    with engine.store.read() as reader:
        return [(actor, seq) for actor, seq, _, _ in reader.forks()]


def titles(engine: StorageEngine) -> set[str]:
    return {task.title for task in engine.query_tasks(edda.TaskQuery())}


def test_counterexample_17_a_fork_that_was_relayed_is_found_when_both_branches_meet_and_nothing_is_lost(
    forked: tuple[StorageEngine, StorageEngine, StorageEngine, StorageEngine],
) -> None:
    x, b, c, _ = forked
    with pytest.raises(ForkError) as caught:
        sync(b, c)
    dot = caught.value.actor, caught.value.seq
    assert forks(b) == forks(c) == [dot]
    assert titles(b) == {"everybody has this", "told to B", "typed on top at B"}
    assert titles(c) == {"everybody has this", "told to C", "typed on top at C"}
    with pytest.raises(ForkError):
        sync(x, b)  # the one who forked learns of it too
    assert forks(x) == [dot]
    assert titles(x) == {"everybody has this", "told to C"}


def test_counterexample_17_the_second_branch_is_refused_before_any_of_it_is_applied(
    forked: tuple[StorageEngine, StorageEngine, StorageEngine, StorageEngine],
) -> None:
    _, b, c, d = forked
    sync(b, d)
    before = d.frontier(), d.digest(), d.counts()
    with pytest.raises(ForkError):
        sync(c, d)
    assert (d.frontier(), d.digest(), d.counts()) == before
    assert titles(d) == {"everybody has this", "told to B", "typed on top at B"}
    d.create_task(edda.Task(title="life goes on"))
    sync(b, d)
    assert "life goes on" in titles(b)


def test_counterexample_17_a_longer_branch_knows_the_fork_by_its_log(
    forked: tuple[StorageEngine, StorageEngine, StorageEngine, StorageEngine],
) -> None:
    x, b, c, _ = forked
    x.create_task(edda.Task(title="one more"))
    sync(x, c)  # C's head of X is beyond the dot that B has
    talk = Talk(b, c)
    with pytest.raises(edda.EddaError):
        talk.run()
    assert any(isinstance(error, ForkError) for error in talk.errors)
    assert forks(c)
    assert "told to C" not in titles(b)
    assert "told to B" not in titles(c)


# --- 24: one very large change ----------------------------------------------------------------------------------------


def test_counterexample_24_a_large_change_crosses_in_frames_and_is_visible_whole_or_not_at_all(trio: Trio) -> None:
    laptop, phone, _ = trio
    count = 3_000
    with laptop.begin_transaction() as tx:
        for number in range(count):
            tx.create_task(edda.Task(title=f"task {number}", description=f"{number} " * 100))
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    seen = set()
    while network.step():
        seen.add(phone.counts()["tasks"])
    assert seen == {1, 1 + count}
    assert len(network.said(Part)) > 1
    assert max(said.size for said in network.heard) <= limits.FRAME_BYTES_MAX
    assert len(network.proved) == 2
    assert phone.table("tasks") == laptop.table("tasks")


WRITER = """
import sys
from pathlib import Path
import edda_sync as edda
from edda_sync.testing import pair, sync
folder, count = Path(sys.argv[1]), int(sys.argv[2])
first, second = (edda.StorageEngine(folder / name) for name in ("first", "second"))
with first, second:
    first.initialize(edda.StorageConfig(state_path=folder / "state"))
    second.open_store(edda.StorageConfig(state_path=folder / "state"))
    pair(first, second)
    sync(first, second)
    with first.begin_transaction() as tx:
        for number in range(count):
            tx.create_task(edda.Task(title=f"task {number}", description=f"{number} words " * 40, tags={"work"}))
"""
SYNCER = """
import json, sys
from pathlib import Path
import edda_sync as edda
from edda_sync.testing import sync

def peak_mib():  # getrusage would tell the peak of whoever started this process, too
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

folder = Path(sys.argv[1])
first, second = (edda.StorageEngine(folder / name) for name in ("first", "second"))
with first, second:
    for engine in (first, second):
        engine.open_store(edda.StorageConfig(state_path=folder / "state"))
    second.digest()
    before = peak_mib()
    sync(first, second)
    print(json.dumps({"tasks": second.counts()["tasks"], "grown_mib": peak_mib() - before}))
"""


def run(script: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process can ask for its own peak")
def test_counterexample_24_memory_for_a_large_change_does_not_grow_with_it(tmp_path: Path) -> None:
    """Giving and taking, in one process: what is held is parts and chunks, never the change."""
    grown = {}
    for count in (10_000, 20_000):
        folder = tmp_path / str(count)
        run(WRITER, str(folder), str(count))
        result = json.loads(run(SYNCER, str(folder)))
        assert result["tasks"] == count
        grown[count] = result["grown_mib"]
    assert grown[20_000] < 48  # MiB: two stores' caches of pages, and chunks
    assert grown[20_000] - grown[10_000] < 6  # the change itself, as Python would hold it, grew by 20
