"""
Rounds of kills: one store that is killed, opened, looked at, restarted, proved equal to its peer, and killed again.

What must hold after each kill, whenever it came:
  1. The store opens as any other does, and ``integrity_check`` and ``foreign_key_check`` find nothing.
  2. Every operation that was acknowledged shows all its facts, unless a later one changed them.
  3. An operation that had begun shows all of its facts or none; what nobody began is not there.
  4. The peer holds nothing from this device that the device itself lacks: nothing left it before it was durable.
  5. The tables equal the fold of the log, and the device keeps its life: a kill begins no new one.
  6. Started again, it and its peer prove each other equal, and both show exactly what was acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import random
import signal
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.device.device import Device
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import pair
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import EddaError
from tests.e2e import kill_device
from tests.e2e.kill_work import Facts, Operation, facts_of, perform, plan, read_facts, settle

MINE: Final = ("a", "b")  # writers of the device that is killed: two, so that commits are made together
THEIRS: Final = "peer"
ALL: Final = (*MINE, THEIRS)
PATIENCE_S: Final = 60.0  # a guard against waiting for ever, far above what anything here takes
OPENING_S_MAX: Final = 0.15
ACKNOWLEDGED_MAX: Final = 60
LARGE_S_MAX: Final = 0.25
WRITING_S_MAX: Final = 0.006
LARGE_AT_PEER: Final = 0.1  # share of runs in which the peer's first operations include a large one
OWN_PER_PEER: Final = 3  # operations of the device for each one of its peer
Said = tuple[bytes, Operation]
TABLES: Final = ("tasks", "documents", "tags", "entity_tags", "task_documents")


@dataclass(slots=True)
class Verdict:
    """
    The result of one kill.

    Attributes:
        moment: What the device was doing.
        faults: What is wrong; empty if all is well.
        acknowledged: Operations that the device had acknowledged in this run.
        in_flight: Operations that had begun and were not acknowledged.
        survived: How many of these were there all the same.
        opened_s: How long it took to open the store, in seconds.
    """

    seed: int
    moment: str
    faults: list[str] = field(default_factory=list)
    acknowledged: int = 0
    in_flight: int = 0
    survived: int = 0
    opened_s: float = 0.0


class Round:
    """
    A device and its peer, for any number of kills. Use it as an asynchronous context manager; call :meth:`kill`.

    Args:
        folder: Where the two stores are made.
    """

    def __init__(self, folder: Path) -> None:
        self._home, self._peer_home, self._state = folder / "device", folder / "peer", folder / "state"
        self._config = StorageConfig(state_path=self._state, name="device")
        self._expected: Facts = {}
        self._actor = b""
        self._actors: set[bytes] = set()
        self._stack = contextlib.AsyncExitStack()
        self._peer: Device
        self._device: str

    async def __aenter__(self) -> Self:
        config = StorageConfig(state_path=self._state, name="peer")
        await asyncio.to_thread(self._found, config)
        self._peer = await self._stack.enter_async_context(Device(self._peer_home, config=config, discover=False))
        verdict = Verdict(-1, "founding")
        await self._prove(verdict)
        if verdict.faults:
            raise AssertionError(verdict.faults)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _found(self, config: StorageConfig) -> None:
        with StorageEngine(self._peer_home) as peer, StorageEngine(self._home) as device:
            peer.initialize(config)
            device.open_store(self._config)
            pair(peer, device)
            self._device = device.identity.device
            for writer in MINE:
                settle(device, writer)
            settle(peer, THEIRS)
            (self._actor,) = device.frontier()  # it has not met its peer yet
            self._actors = {self._actor, *peer.frontier()}
            self._expected = read_facts(device, MINE) | read_facts(peer, (THEIRS,))

    async def kill(self, seed: int) -> Verdict:
        """Run the device, kill it at a moment drawn from a seed, and inspect what is left."""
        rng = random.Random(f"kill {seed}")
        verdict = Verdict(seed, rng.choices(("opening", "writing", "large"), (2, 7, 1))[0])
        begun = await self._run_and_kill(rng, verdict)
        try:
            await asyncio.to_thread(self._inspect, begun, verdict)
        except EddaError as error:
            verdict.faults.append(f"the store cannot be read: {error}")
        if not verdict.faults:
            await self._prove(verdict)
        return verdict

    # --- one life of the device ---------------------------------------------------------------------------------------

    async def _run_and_kill(self, rng: random.Random, verdict: Verdict) -> list[Operation]:
        """Return the operations that had begun and were not acknowledged."""
        process, said = self._start(verdict)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        pipe = os.fdopen(os.dup(said.fileno()), "rb", buffering=0)
        said.close()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        reached: asyncio.Queue[Said] = asyncio.Queue()
        paced: asyncio.Queue[bool] = asyncio.Queue()
        killing = asyncio.ensure_future(_kill_in_time(process, rng, verdict, reached))
        writing = asyncio.ensure_future(self._write(verdict.seed, rng.random() < LARGE_AT_PEER, paced))
        begun: dict[str, Operation] = {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                while line := await reader.readline():
                    what, operation = line[:1], msgspec.json.decode(line[1:], type=Operation)
                    if what == kill_device.BEGUN:
                        begun[operation.writer] = operation
                    else:
                        del begun[operation.writer]
                        self._note(operation)
                        verdict.acknowledged += 1
                        if verdict.acknowledged % OWN_PER_PEER == 0:
                            paced.put_nowait(True)
                    reached.put_nowait((what, operation))
        finally:
            killing.cancel()
            process.kill()
            await asyncio.to_thread(process.join)
            transport.close()
        paced.put_nowait(False)
        await writing
        if process.exitcode != -signal.SIGKILL:
            verdict.faults.append(f"the device ended by itself, with exit code {process.exitcode}")
        verdict.in_flight = len(begun)
        return list(begun.values())

    def _start(self, verdict: Verdict) -> tuple[BaseProcess, Connection]:
        """Start the device; return its process, and the pipe on which it says what it does."""
        context = multiprocessing.get_context("forkserver")  # a fresh process each time, without the price of imports
        context.set_forkserver_preload([kill_device.__name__])
        said, saying = context.Pipe(duplex=False)
        large = verdict.moment == "large"
        arguments = (self._home, self._state, self._peer.port, MINE, verdict.seed, large, saying)
        process = context.Process(target=kill_device.run, args=arguments, daemon=True)
        process.start()
        saying.close()
        return process, said

    async def _write(self, seed: int, large: bool, paced: asyncio.Queue[bool]) -> None:
        """Write on the peer, an operation for every few of the device."""
        for operation in plan(THEIRS, seed, large=large):
            if not await paced.get():
                return
            await self._peer.run(lambda store, operation=operation: perform(store, operation))  # type: ignore[misc]
            self._note(operation)

    def _note(self, operation: Operation) -> None:
        self._expected |= facts_of(operation)

    # --- what is left -------------------------------------------------------------------------------------------------

    def _inspect(self, begun: list[Operation], verdict: Verdict) -> None:
        started = time.perf_counter()
        engine = StorageEngine(self._home)
        faults = verdict.faults
        with engine:
            engine.initialize(self._config)
            verdict.opened_s = time.perf_counter() - started
            faults += damage(self._home / "edda.db")
            if faults:
                return  # what a damaged store shows proves nothing
            found = read_facts(engine, ALL)
            for operation in begun:
                verdict.survived += self._settle_unacknowledged(operation, found, faults)
            faults += _differences(self._of(MINE, self._expected), self._of(MINE, found))
            faults += [f"{key} is half there: {value}" for key, value in found.items() if _is_torn(key, value)]
            ours, theirs = engine.frontier(), self._peer.store.frontier()
            if theirs.get(self._actor, 0) > ours[self._actor]:
                faults.append("the peer has what the device has not")
            if strange := set(ours) - self._actors:
                faults.append(f"a kill began a new life: {[actor.hex() for actor in strange]}")
            before = {name: engine.table(name) for name in TABLES}, engine.digest()
            engine.rebuild()
            if before != ({name: engine.table(name) for name in TABLES}, engine.digest()):
                faults.append("the log folds into other tables")

    def _settle_unacknowledged(self, operation: Operation, found: Facts, faults: list[str]) -> bool:
        """Return whether an unacknowledged operation is there; it must be there whole or not at all."""
        facts = facts_of(operation)
        shown = {key: found.get(key) for key in facts}
        if shown == facts:
            self._note(operation)
            return True
        if shown != {key: self._expected.get(key) for key in facts}:
            faults.append(f"{operation} is half done: {shown}")
        return False

    @staticmethod
    def _of(writers: tuple[str, ...], facts: Facts) -> Facts:
        return {key: value for key, value in facts.items() if key[1] in writers}

    # --- the end of a run ---------------------------------------------------------------------------------------------

    async def _prove(self, verdict: Verdict) -> None:
        """Start the device again until both are proved equal; then check that both show what was acknowledged."""
        peer = self._peer
        at = (("127.0.0.1", peer.port),)
        try:
            async with asyncio.timeout(PATIENCE_S):
                async with Device(self._home, config=self._config, at=at, discover=False) as device:
                    await device.equal({peer.store.identity.device})
                    await peer.equal({device.store.identity.device})
                    digests = {await device.run(StorageEngine.digest), await peer.run(StorageEngine.digest)}
                    found = await device.run(lambda store: read_facts(store, ALL))
        except TimeoutError:
            verdict.faults.append("the two were not proved equal in time")
            return
        if len(digests) != 1:
            verdict.faults.append(f"proved equal, with digests {sorted(digests)}")
        verdict.faults += _differences(self._expected, found)


async def _kill_in_time(
    process: BaseProcess, rng: random.Random, verdict: Verdict, reached: asyncio.Queue[Said]
) -> None:
    """Kill a process at the drawn moment: while it opens, between two operations or in one, in a large change."""
    acknowledged = rng.randint(1, ACKNOWLEDGED_MAX)
    within_s = {"opening": OPENING_S_MAX, "writing": WRITING_S_MAX, "large": LARGE_S_MAX}[verdict.moment]
    while verdict.moment != "opening":
        what, operation = await reached.get()
        if verdict.moment == "large" and what == kill_device.BEGUN and operation.do == "large":
            break
        acknowledged -= what == kill_device.DONE
        if verdict.moment == "writing" and acknowledged <= 0:
            break
    await asyncio.sleep(rng.uniform(0, within_s))
    process.kill()


def damage(path: Path) -> list[str]:
    """Return what SQLite itself finds wrong with a store's file."""
    connection = sqlite.connect(str(path))
    try:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [f"foreign key: {row}" for row in connection.execute("PRAGMA foreign_key_check")]
    finally:
        connection.close()


def _is_torn(key: tuple[str, str, str], value: Any) -> bool:
    whole = next(iter(facts_of(Operation(key[1], key[2], "large")).values())) if key[0] == "large" else value
    return isinstance(value, tuple) or value != whole


def _differences(expected: Facts, found: Facts) -> list[str]:
    """Return the places where a store does not show what it should."""
    wrong = {key for key in {*expected, *found} if expected.get(key) != found.get(key)}
    return [f"{key} should be {expected.get(key)!r}, and is {found.get(key)!r}" for key in sorted(wrong)][:5]
