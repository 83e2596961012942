"""
For tests, ours and our users': devices of one workspace in this process, and the real sync between them without a
network.

    import edda_sync as edda
    from edda_sync.testing import devices, sync

    with devices(3) as (laptop, phone, tablet):
        laptop.create_task(edda.Task(title="Buy milk"))
        sync(laptop, phone)                                  # the real sessions and wire, until proved equal
        assert phone.digest() == laptop.digest()
"""

from __future__ import annotations

import itertools
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Close, Differs, Effect, Proved, Send
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.filing import Filing
from edda_sync.sync.replica import Replica
from edda_sync.transport.identity import verify
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import EddaError
from edda_sync.workspace.welcome import DeviceCard, workspace_tag

NAMES = ("laptop", "phone", "tablet", "desktop", "server", "watch", "reader", "car")


@contextmanager
def devices(
    count: int, *, backend: str = "sqlite", now: Callable[[], float] | None = None
) -> Iterator[tuple[StorageEngine, ...]]:
    """
    Yield the engines of so many devices, members of one workspace, each with a store in a temporary folder.

    Args:
        count: At least 1.
        backend: ``sqlite`` or ``memory``.
        now: A wall clock for all of them, in seconds since 1970; the real one by default.
    """
    with tempfile.TemporaryDirectory(prefix="edda-") as folder, ExitStack() as stack:
        made: list[StorageEngine] = []
        for number in range(count):
            home = Path(folder) / f"device{number}"
            engine = StorageEngine(home) if now is None else StorageEngine(home, now=now)
            stack.callback(engine.close)
            name = NAMES[number] if number < len(NAMES) else f"device {number}"
            config = StorageConfig(
                backend="memory" if backend == "memory" else "sqlite", state_path=Path(folder) / "state", name=name
            )
            if not made:
                engine.open_store(config)  # nothing but this counts, whatever the environment says
                engine.found()
            else:
                engine.open_store(config)
                pair(made[0], engine)
            made.append(engine)
        for engine in made[1:]:
            sync(made[0], engine)
        for engine in made[1:-1]:
            sync(made[0], engine)
        yield tuple(made)


def pair(member: StorageEngine, newcomer: StorageEngine) -> None:
    """Make a newcomer, whose store belongs to no workspace yet, a member of another's: as pairing does, without a code."""
    identity = newcomer.own.make_identity()
    card = DeviceCard(identity.certificate, newcomer.name, identity.sealing_keys)
    newcomer.adopt(member.welcome(card))


def sync(first: StorageEngine, second: StorageEngine, *, frames_max: int = 1_000_000) -> None:
    """
    Run the real sessions of two devices over memory until each has proved itself equal to the other.

    Args:
        first, second: Two devices of one workspace.
        frames_max: Give up after so many frames: they would never agree.

    Raises:
        EddaError: What ended the talk.
        AssertionError: The two did not become equal.
    """
    talk = Talk(first, second)
    talk.run(frames_max=frames_max)
    if len(talk.proved) < 2:
        raise AssertionError(f"the devices talked and are not proved equal: {first.digest()} and {second.digest()}")


class Talk:
    """Two replicas and the frames between them, for tests that stop in between. Time moves only when nothing else can."""

    def __init__(self, first: StorageEngine, second: StorageEngine) -> None:
        self.now = 0.0
        self.proved: set[str] = set()
        self.differs: list[Differs] = []
        self.errors: list[EddaError] = []
        self.frames = 0
        self._open = True
        self._replicas = {engine.identity.device: replica_of(engine) for engine in (first, second)}
        self._between: deque[tuple[str, str, bytes]] = deque()
        names = list(self._replicas)
        for here, there in itertools.permutations(names, 2):
            self._do(here, self._replicas[here].connected(there))

    def run(self, *, frames_max: int = 1_000_000) -> None:
        """
        Let them talk until nothing is left to say.

        Raises:
            EddaError: What ended the talk.
        """
        while self.step():
            if self.frames > frames_max:
                raise AssertionError(f"the devices are still talking after {frames_max} frames")
        if self.errors:
            raise self.errors[0]

    def step(self) -> bool:
        """Deliver one frame, or move time to the next deadline; False when neither is left."""
        if self._between:
            sender, receiver, frame = self._between.popleft()
            self.frames += 1
            self._do(receiver, self._replicas[receiver].frame_received(sender, frame, self.now))
            return True
        deadlines = [(d, name) for name, r in self._replicas.items() if (d := r.next_deadline()) is not None]
        if not deadlines or not self._open:
            return False
        self.now, name = min(deadlines)
        self._do(name, self._replicas[name].tick(self.now))
        return True

    def committed(self, engine: StorageEngine) -> None:
        """Tell an engine's replica that it has new changes."""
        name = engine.identity.device
        self._do(name, self._replicas[name].committed(self.now))

    def _do(self, here: str, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._between.append((here, effect.peer, effect.frame))
            elif isinstance(effect, Proved):
                self.proved.add(here)
            elif isinstance(effect, Differs):
                self.differs.append(effect)
            elif isinstance(effect, Close):
                self._open = False
                if effect.error is not None:
                    self.errors.append(effect.error)


def replica_of(engine: StorageEngine, *, defers: bool = False, filing: Filing | None = None) -> Replica:
    """Return the replica of an engine, as the device's runner makes it; that one ``defers`` what takes long."""
    exchange = Exchange(engine.store, engine.ledger, engine.identity, verify, engine.writing.now, engine.writing.random)
    tag = partial(workspace_tag, engine.workspace)
    return Replica(exchange, engine.identity.device, tag, defers=defers, filing=filing)
