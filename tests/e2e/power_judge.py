"""The rules for a store after a power loss, and all the moments of a trace at which power may fail."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.life import open_sidecar
from edda_sync.store.seams import Head
from edda_sync.words.config import DATABASE_FILE, StorageConfig
from edda_sync.words.model import Task
from tests.e2e.kill import TABLES, _differences, damage
from tests.e2e.kill_work import Facts, _id, read_facts
from tests.e2e.power import Disk, Event, Image, Loss
from tests.e2e.power_work import WRITERS, Mark

REBUILT: Final = 1 / 20  # share of images whose tables are folded anew
WRITTEN: Final = 1 / 10  # share of images in which the store goes on
LAG_MAX: Final = 10  # number of marks by which a sidecar may lag


@dataclass(slots=True)
class Account:
    """
    What the process had reported at a moment of the trace. :meth:`note` each mark.

    Attributes:
        founded: The mark of the store's founding, once it was reported.
        expected: All facts that were acknowledged.
        begun: For each writer, the facts of the operation that it has begun and not acknowledged.
        heads: The head of the chain, each time it was reported.
        acknowledged: The number of acknowledged operations.
    """

    founded: Mark | None = None
    expected: Facts = field(default_factory=dict)
    begun: dict[str, Facts] = field(default_factory=dict)
    heads: list[tuple[bytes, int, bytes]] = field(default_factory=list)
    acknowledged: int = 0

    def note(self, raw: bytes) -> None:
        """Take a mark from the trace."""
        mark = msgspec.json.decode(raw, type=Mark)
        self.heads += mark.heads
        if mark.what == "founded":
            self.founded = mark
        elif mark.what == "begun":
            self.begun[mark.writer] = dict(mark.facts)
        else:
            del self.begun[mark.writer]
            self.expected |= dict(mark.facts)
            self.acknowledged += 1


@dataclass(slots=True)
class Verdict:
    """
    The result of one image.

    Attributes:
        cut: The number of events before it.
        faults: What is wrong; empty if all is well.
        acknowledged: Operations that had been acknowledged.
        in_flight: Operations that had begun and were not acknowledged.
        kept: How many of these were there all the same.
        rebuilt: Whether the tables were compared with the fold of the log.
        written: Whether the store went on.
        took_s: Seconds from drawing the image to the verdict.
    """

    cut: int
    loss: Loss
    faults: list[str] = field(default_factory=list)
    acknowledged: int = 0
    in_flight: int = 0
    kept: int = 0
    rebuilt: bool = False
    written: bool = False
    took_s: float = 0.0


class Judge:
    """
    Inspects an image. What must hold, whenever power was lost and whatever happened to unsynced writes:

      1. The store opens as any other does, and ``integrity_check`` and ``foreign_key_check`` find nothing.
      2. Every operation that was acknowledged shows all its facts, unless a later one changed them; the device is itself.
      3. An operation that had begun shows all of its facts or none; what nobody began is not there.
      4. In a share of the images: the tables equal the fold of the log.
      5. In a share of the images: the store goes on. It takes a new actor unless its sidecar is of its chain and says that
         the store was closed; and what is written then is there when it is opened again.

    Args:
        folder: Where images are laid out, one after the other.
    """

    def __init__(self, folder: Path) -> None:
        self.home, self._state = folder / "image", folder / "state"
        self._config = StorageConfig(state_path=self._state, name="device")

    def judge(self, image: Image, account: Account, verdict: Verdict, rng: random.Random) -> None:
        """Lay an image out and inspect it; add what is wrong to the verdict's faults."""
        lay_out(image, self.home)
        shutil.rmtree(self._state, ignore_errors=True)
        verdict.acknowledged, verdict.in_flight = account.acknowledged, len(account.begun)
        verdict.rebuilt, verdict.written = rng.random() < REBUILT, rng.random() < WRITTEN
        try:
            same_life = self._lay_out_sidecar(account, rng)
            with StorageEngine(self.home) as engine:
                engine.initialize(self._config)
                verdict.faults += damage(self.home / DATABASE_FILE)
                if verdict.faults:
                    return  # what a damaged store shows proves nothing
                self._look(engine, account, verdict)
                if verdict.rebuilt:
                    verdict.faults += _rebuild(engine)
                actors = set(engine.frontier())
                if verdict.written:
                    written = engine.create_task(Task(title="after the power came back"))
            if verdict.written:
                self._look_again(written, actors, account, same_life, verdict)
        except Exception as error:  # noqa: BLE001 - whatever it is, no image may cause it
            verdict.faults.append(f"the store cannot be used: {type(error).__name__}: {error}")

    def _lay_out_sidecar(self, account: Account, rng: random.Random) -> bool:
        """Make a sidecar that a power loss may leave; return whether the store can recognise itself by it."""
        kind = rng.choice(("missing", "closed", "lagging", "zeros"))
        database = self.home / DATABASE_FILE
        if account.founded is None or kind == "missing" or not database.exists():
            return False
        sidecar = open_sidecar(self._state, account.founded.store, database, boot=bytes([1] * 16))
        actor, seq, hash_ = rng.choice(account.heads[-LAG_MAX:])
        sidecar.remember(Head(actor, seq, hash_, b"", b"", 0, b""))
        (path,) = self._state.iterdir()
        lagging = path.read_bytes()
        sidecar.close()
        if kind != "closed":
            path.write_bytes(lagging if kind == "lagging" else bytes(len(lagging)))
        return kind == "closed"

    def _look(self, engine: StorageEngine, account: Account, verdict: Verdict) -> None:
        faults = verdict.faults
        if account.founded is not None and engine.identity.device != account.founded.device:
            faults.append("the device is another one")
        tasks = {row[0] for row in engine.table("tasks")}
        found = read_facts(engine, [writer for writer in WRITERS if _id(writer, "set0") in tasks])
        expected = dict(account.expected)
        for writer, facts in account.begun.items():
            of_writer = {key: value for key, value in found.items() if key[1] == writer}
            if not facts:  # it began to settle: what it settles is said afterwards
                verdict.kept += bool(of_writer)
                expected |= of_writer
                continue
            shown = {key: found.get(key) for key in facts}
            if shown == facts:
                verdict.kept += 1
                expected |= facts
            elif shown != {key: expected.get(key) for key in facts}:
                faults.append(f"{facts} are half there: {shown}")
        faults += _differences(expected, found)

    def _look_again(
        self, written: str, actors: set[bytes], account: Account, same_life: bool, verdict: Verdict
    ) -> None:
        with StorageEngine(self.home) as engine:
            engine.initialize(self._config)
            if engine.get_task(written) is None:
                verdict.faults.append("what was written since is gone")
            began = set(engine.frontier()) - actors
        if account.founded is not None and same_life == bool(began):  # one that is founded only now begins as itself
            verdict.faults.append(
                "it began a new life" if began else "it writes on under an actor that it cannot trust"
            )


def lay_out(image: Image, home: Path) -> None:
    """Make a folder that holds an image and nothing else."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for name, content in image.items():
        (home / name).write_bytes(content)


def _rebuild(engine: StorageEngine) -> list[str]:
    before = {name: engine.table(name) for name in TABLES}, engine.digest()
    engine.rebuild()
    same = before == ({name: engine.table(name) for name in TABLES}, engine.digest())
    return [] if same else ["the log folds into other tables"]


# --- all moments ------------------------------------------------------------------------------------------------------


def moments(trace: Iterable[Event]) -> Iterator[tuple[int, Disk, Account]]:
    """Yield the disk before each event that changes it, and after the last, with what had been reported by then."""
    disk, account, cut = Disk(), Account(), 0
    for event in trace:
        if event.kind == "!":
            account.note(event.data)
        else:
            yield cut, disk, account
            disk.apply(event)
            cut += 1
    yield cut, disk, account


def chance(seed: int, cut: int) -> random.Random:
    """Return the source of random choices for the image of a cut."""
    return random.Random(f"power {seed} {cut}")


def sample(trace: Sequence[Event], count: int, seed: int) -> set[int]:
    """Return a number of moments spread evenly over a trace; all of them, if there are fewer."""
    moments_ = 1 + sum(event.kind != "!" for event in trace)
    if count >= moments_:
        return set(range(moments_))
    shift = chance(seed, -1).random()
    return {int((number + shift) * moments_ / count) for number in range(count)}


def judge_moments(
    trace: Sequence[Event], cuts: Collection[int], seed: int, folder: Path
) -> Iterator[tuple[Verdict, Image]]:
    """
    Let power fail at moments of a trace.

    Args:
        trace: What a process did.
        cuts: The moments.
        seed: Seed of the images.
        folder: Folder in which they are laid out.

    Yields:
        The result of each image, and the image.
    """
    judge = Judge(folder)
    for cut, disk, account in moments(trace):
        if cut in cuts:
            started, rng = time.perf_counter(), chance(seed, cut)
            verdict = Verdict(cut, rng.choice(list(Loss)))
            image = disk.image(verdict.loss, rng)
            judge.judge(image, account, verdict, rng)
            verdict.took_s = time.perf_counter() - started
            yield verdict, image
