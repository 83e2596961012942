"""A target for tests: a place in memory that can lose, damage and refuse what it holds; and stores that back up there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from edda_sync.backup.devices import included
from edda_sync.backup.making import Made, Making
from edda_sync.backup.proof import ProofStore
from edda_sync.backup.repository import Repository
from edda_sync.backup.sealed import Objects
from edda_sync.backup.target import Listed
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.packing import Packing
from edda_sync.words.errors import NoObjectError, TargetError
from edda_sync.workspace.members import ring
from tests.sync.batches import exchange_of


class Place:
    """
    A target in memory.

    Attributes:
        held: Its objects.
        puts: The keys that were written, in order.
        written_s: When each of them was written, by its clock.
        allows: How many more objects may be written, before the target refuses.
        modified_s: Its clock.
        on_put: Is called once, after the next object was written.
    """

    name = "place"

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.allows = 1 << 60
        self.modified_s = 0.0
        self.on_put: Callable[[], object] | None = None
        self.written_s: dict[str, float] = {}

    def put(self, key: str, data: bytes) -> None:
        if not self.allows:
            raise TargetError(self.name, "no space is left", "make room there")
        self.allows -= 1
        self.held[key] = data
        self.written_s[key] = self.modified_s
        self.puts.append(key)
        happens, self.on_put = self.on_put, None
        if happens is not None:
            happens()

    def get(self, key: str) -> bytes:
        try:
            return self.held[key]
        except KeyError:
            raise NoObjectError(self.name, key) from None

    def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
        for key in sorted(self.held):
            if key.startswith(prefix) and key > after:
                yield Listed(key, len(self.held[key]), self.written_s.get(key, self.modified_s))

    def delete(self, key: str) -> None:
        self.held.pop(key, None)

    def size(self) -> int:
        return sum(map(len, self.held.values()))


def repository_of(engine: StorageEngine, place: Place) -> Repository:
    """A target, for a store's workspace."""
    with engine.store.read() as reader:
        keys = ring(reader)
    return Repository(place, Objects(keys), keys, engine.workspace, engine.identity.device)


def back_up(engine: StorageEngine, place: Place, folder: Path, tell: Callable[[str], object] = lambda _: None) -> Made:
    """Back a store up; its proof store is kept in a folder."""
    exchange = exchange_of(engine)
    now = engine.writing.now
    packing = Packing(exchange, engine.workspace, engine.identity, now)
    with ProofStore(folder, engine.workspace) as proof:
        making = Making(engine, repository_of(engine, place), proof, packing, tell)
        return making.make(lambda heads: included(engine, exchange, heads))
