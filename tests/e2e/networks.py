"""
Three devices under a drawn network: real processes of ``edda up`` in namespaces of their own, real cables, wrong clocks.

    verdict = await run(draw(7), folder)

Once all are proved equal, the events of the plan (``tests/e2e/drawn.py``) happen while the devices write. After the last one
each device writes once more, and each two must be linked again and be proved equal. It is measured how long that takes; no
acknowledged write may be missing anywhere; and whoever loses a link for longer than a moment must say why, in one sentence.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import itertools
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edda_sync import testing
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.model import Task
from edda_sync.words.query import TaskQuery
from tests.e2e.drawn import CALLERS, DEVICES, GOOD, Event, Plan
from tests.e2e.joined import Joined
from tests.e2e.machine import Facts, Machine, Process, settle_in, store_of

NAMES: Final = ("laptop", "phone", "tablet")
PORT: Final = 7_700
RECONNECTED_S_MAX: Final = 30.0
PATIENCE_S: Final = 60.0  # for how long a run waits, so that its figure is known
REASON_S: Final = 6.0  # a link that is away for longer has a reason: two calls that nobody answers are over by then
LOOK_S: Final = 0.1
LARGE_BYTES: Final = 6_000  # of what does not fit into one packet
PAIRS: Final = tuple(itertools.combinations(range(DEVICES), 2))
_SENTENCE: Final = re.compile(r".{10,}[.?]")
_CLOCK: Final = Path(__file__).with_name("clock.c")


@dataclass
class Verdict:
    """
    What came of a plan.

    Attributes:
        met_s: How long it took at first until all were proved equal.
        linked_s: How long after the last event each two were linked for good; 0 for those that stayed so.
        equal_s: How long after it all were proved equal.
        losses: How many links were lost for so long that a reason was due.
        written: How many writes were acknowledged.
        faults: What was wrong.
    """

    plan: Plan
    met_s: float = 0.0
    linked_s: list[float] = field(default_factory=list)
    equal_s: float = 0.0
    losses: int = 0
    written: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def seed(self) -> int:
        """The plan's seed."""
        return self.plan.seed


@functools.cache
def _clock() -> str:
    """Return the library that makes a process's clock wrong."""
    folder = tempfile.mkdtemp(prefix="edda-clock-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = Path(folder, "clock.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, _CLOCK], check=True)
    return str(library)


class Noted(Machine):
    """A machine whose processes write what they say into a file beside its home."""

    def start(self, *arguments: str) -> Process:
        """Start a command; only its complaints wait in a pipe."""
        with self.home.with_suffix(".said").open("a") as said:
            return self.begin(arguments, stdout=said.fileno())


class House:
    """
    Three devices in a network; :func:`furnished` makes one.

    Attributes:
        machines, stores: The devices; and what writes to them from here.
        running: The processes of those that can answer.
    """

    def __init__(self, plan: Plan, joined: Joined, machines: Sequence[Machine], stores: list[StorageEngine]) -> None:
        self.plan, self.joined, self.machines, self.stores = plan, joined, machines, stores
        self.running: dict[int, Process] = {}
        self.written: set[str] = set()
        self._numbers = itertools.count()
        self._turns = {who: asyncio.Lock() for who in (*range(DEVICES), None)}
        self._rng = random.Random(f"writes {plan.seed}")

    async def up(self, who: int) -> None:
        """Start a device; it is told the addresses of those whom it cannot find."""
        called = [target for caller, target in CALLERS.get(self.plan.shape, ()) if caller == who]
        named = [word for each in called for word in ("--at", f"{self.joined.places[each].address}:{PORT}")]
        self.running[who] = await self.machines[who].up("--port", str(PORT), *named)

    async def write(self, who: int) -> None:
        """Write something on a device, perhaps something large."""
        title = f"{NAMES[who]} {next(self._numbers)}"
        size = LARGE_BYTES if self._rng.random() < 0.3 else 10
        task = Task(title=title, description=self._rng.randbytes(size // 2).hex())
        await asyncio.to_thread(self.stores[who].create_task, task)
        self.written.add(title)

    async def let(self, event: Event) -> None:
        """Let something happen, from its beginning to its end."""
        await asyncio.sleep(event.at_s)
        async with self._turns[event.concerns]:  # on a busy machine a device that was killed takes its time
            if event.what == "kill":
                del self.running[event.who]
                self.machines[event.who].kill_up()
            elif event.what == "suspend":
                process = self.running.pop(event.who)
                process.send_signal(signal.SIGSTOP)
            else:
                await asyncio.to_thread(self.joined.begin, event)
            await self.write(event.writer)
            await asyncio.sleep(event.lasts_s)
            if event.what == "kill":
                await self.up(event.who)
            elif event.what == "suspend":
                process.send_signal(signal.SIGCONT)
                self.running[event.who] = process
            else:
                await asyncio.to_thread(self.joined.end, event)

    async def statuses(self) -> dict[int, Facts]:
        """Return what the devices say that can answer."""
        asked = dict(self.running)
        said = await asyncio.gather(*(self.machines[who].status() for who in asked))
        return {who: each for who, each in zip(asked, said, strict=True) if each is not None}

    def missing(self) -> list[str]:
        """Return the acknowledged writes that a device lacks."""
        found = []
        for name, store in zip(NAMES, self.stores, strict=True):
            lacks = self.written - {task.title for task in store.query_tasks(TaskQuery())}
            found += [f"{name} lacks {len(lacks)} acknowledged tasks: {sorted(lacks)[:3]}"] if lacks else []
        return found


@contextlib.contextmanager
def furnished(plan: Plan, folder: Path) -> Iterator[House]:
    """Make the network of a plan, and devices there that know each other and do not run yet."""
    joined = Joined(plan)
    with joined as places, contextlib.ExitStack() as stack:
        for place, faults in zip(places, plan.cables, strict=True):
            if faults != GOOD:
                place.spoil(seed=plan.seed, **{name: getattr(faults, name) for name in faults.__slots__})
        machines = []
        for name, place, clock_s in zip(NAMES, places, plan.clocks_s, strict=True):
            wrong = {"LD_PRELOAD": _clock(), "CLOCK_OFFSET_S": str(clock_s)} if clock_s else {}
            machines.append(stack.enter_context(Noted(folder, name, place.enter, environment=wrong)))
        settle_in(*machines)
        stores = [
            stack.enter_context(store_of(machine, lambda own=clock_s: time.time() + own))  # type: ignore[misc]
            for machine, clock_s in zip(machines, plan.clocks_s, strict=True)
        ]
        testing.sync(stores[0], stores[1])  # who joined before the last one hears of it
        yield House(plan, joined, machines, stores)


class Watch:
    """
    Notes since when links are there, or away, and what is said about it; somebody looks again and again.

    Args:
        statuses: Returns what each device says that can answer.

    Attributes:
        equal: Which two are proved equal to each other.
        losses: How often a reason was said for a link that was away.
        faults: What is wrong.
    """

    def __init__(self, statuses: Callable[[], Awaitable[dict[int, Facts]]]) -> None:
        self._statuses = statuses
        self._since: dict[tuple[int, int], float] = {}  # of the links that are said to be there
        self._away: dict[tuple[int, int], float] = {}
        self._reasons: set[tuple[int, int]] = set()  # those away for which a reason was said
        self.equal: set[tuple[int, int]] = set()
        self.losses = 0
        self.faults: set[str] = set()

    async def look(self, now: Callable[[], float] = time.monotonic) -> None:
        """Look once, at a time in seconds."""
        said = await self._statuses()
        now_s = now()
        for who in range(DEVICES):
            told = {peer["name"]: peer for peer in said[who]["peers"]} if who in said else {}
            for other in range(DEVICES):
                if other != who and NAMES[other] in told:
                    self._note(who, other, told[NAMES[other]], now_s)
                elif other != who:
                    self._since.pop((who, other), None)
                    self._forget(who, other)
        for who, each in said.items():
            if each["fault"]:
                self.faults.add(f"{NAMES[who]}: {each['fault']}")
        self.equal = {(one, other) for one, other in PAIRS if self._are_equal(said, one, other)}

    def linked_since(self, one: int, other: int) -> float | None:
        """Return since when both say that they are linked; None if they do not."""
        both = [self._since.get(ends) for ends in ((one, other), (other, one))]
        return None if None in both else max(each for each in both if each is not None)

    def _note(self, who: int, other: int, peer: Facts, now_s: float) -> None:
        ends = (who, other)
        if peer["connected"]:
            self._since.setdefault(ends, now_s)
            self._forget(who, other)
            return
        self._since.pop(ends, None)
        self._away.setdefault(ends, now_s)
        if peer["error"]:
            self._reasons.add(ends)
            if not _SENTENCE.fullmatch(peer["error"]):
                self.faults.add(f"{NAMES[who]} says of {NAMES[other]} what is no sentence: {peer['error']!r}")
        if now_s - self._away[ends] > REASON_S and ends not in self._reasons:
            self.faults.add(f"{NAMES[who]} does not say why it has no link to {NAMES[other]}")

    def _forget(self, who: int, other: int) -> None:
        self.losses += (who, other) in self._reasons
        self._reasons.discard((who, other))
        self._away.pop((who, other), None)

    def _are_equal(self, said: dict[int, Facts], one: int, other: int) -> bool:
        if one not in said or other not in said or said[one]["digest"] != said[other]["digest"]:
            return False
        return all(
            any(peer["device"] == said[there]["device"] and peer["equal"] for peer in said[here]["peers"])
            for here, there in ((one, other), (other, one))
        )


async def run(plan: Plan, folder: Path) -> Verdict:
    """Carry out a plan, and judge what came of it."""
    verdict = Verdict(plan)
    with furnished(plan, folder) as house:
        try:
            await _play(house, verdict)
        except AssertionError as error:  # a process that does not start, or has ended
            verdict.faults.append(str(error))
        else:
            verdict.faults += _ends(house)
        verdict.written = len(house.written)
    return verdict


async def _play(house: House, verdict: Verdict) -> None:
    await asyncio.gather(*map(house.up, range(DEVICES)))
    watch, started = Watch(house.statuses), time.monotonic()
    met = await _until_equal(watch, started)
    verdict.met_s = time.monotonic() - started
    if not met:
        verdict.faults.append(_unequal(watch, "at first"))
        return
    async with _looking(watch):
        await asyncio.gather(*map(house.let, house.plan.events))
    ended = time.monotonic()
    await asyncio.gather(*map(house.write, range(DEVICES)))
    linked = await _until_equal(watch, ended)
    verdict.equal_s = time.monotonic() - ended
    verdict.linked_s = [max(0.0, each - ended) for each in linked.values()]
    verdict.losses = watch.losses
    if not linked:
        verdict.faults.append(_unequal(watch, "after the last event"))
    elif verdict.equal_s > RECONNECTED_S_MAX:
        verdict.faults.append(f"it took {verdict.equal_s:.1f} s until all were proved equal")
    verdict.faults += sorted(watch.faults)
    if linked:
        verdict.faults += await asyncio.to_thread(house.missing)


async def _until_equal(watch: Watch, started: float) -> dict[tuple[int, int], float]:
    """Look until each two are proved equal; return since when they were linked, or nothing if they are not in time."""
    while time.monotonic() - started < PATIENCE_S:
        await watch.look()
        since = {pair: watch.linked_since(*pair) for pair in watch.equal}
        if len(since) == len(PAIRS) and None not in since.values():
            return {pair: each for pair, each in since.items() if each is not None}
        await asyncio.sleep(LOOK_S)
    return {}


@contextlib.asynccontextmanager
async def _looking(watch: Watch) -> AsyncIterator[None]:
    """Look on meanwhile."""

    async def look_on() -> None:
        while True:
            await watch.look()
            await asyncio.sleep(LOOK_S)

    task = asyncio.create_task(look_on())
    try:
        yield
        if task.done():
            await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _unequal(watch: Watch, when: str) -> str:
    left = [f"{NAMES[one]} and {NAMES[other]}" for one, other in PAIRS if (one, other) not in watch.equal]
    return f"{', '.join(left) or 'all, but for their links,'} not proved equal within {PATIENCE_S:g} s {when}"


def _ends(house: House) -> list[str]:
    """End the devices as a person does; return complaints."""
    faults = []
    for machine in house.machines:
        ended = machine.end_up()
        faults += [f"{machine.name} ended with {ended}"] if ended != (0, "") else []
    return faults
