"""
The chunks of attached files on a simulated disk, and what may go wrong with them.

1. A chunk has its name once all of it is on disk: half a chunk is never seen. Power may fail before that, and after it.
2. The name is safe once whoever added or kept the chunk has *settled*. When power fails before, the name may be lost.
3. A disk that is full takes no chunk.
4. A chunk may rot, or vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from edda_sync.files.chunks import name_of
from edda_sync.files.memory import MemoryAdding, MemoryChunks
from edda_sync.files.packing import unpack
from edda_sync.simulations.disk import Disk
from edda_sync.simulations.tape import Draws
from edda_sync.words.errors import DiskFullError


class SimulatedChunks(MemoryChunks):
    """
    Chunks on a simulated disk.

    Args:
        now: The device's wall clock, in seconds since 1970.
        disk: The disk: it may be full, and its power may fail. None if neither happens to chunks.

    Attributes:
        point: Called where power may fail.
        is_full: Tells whether the disk is full.
        spoiled: Chunks that the disk has damaged or lost, and that nobody has added again: what is said of them may be
            wrong.
    """

    def __init__(self, now: Callable[[], float], disk: Disk | None = None) -> None:
        super().__init__(now)
        self.point: Callable[[], None] = (lambda: None) if disk is None else disk.point
        self.is_full: Callable[[], bool] = lambda: disk is not None and disk.full
        self.spoiled: set[bytes] = set()
        self._loose: dict[bytes, tuple[bytes | None, bool]] = {}
        """By each name that nobody has settled: what it was before, and whether that was spoiled."""

    @contextmanager
    def adding(self) -> Iterator[MemoryAdding]:
        """See ``Chunks.adding``."""
        with super().adding():
            yield _Adding(self)

    def put(self, name: bytes, packed: bytes | None) -> bool:
        """See ``MemoryChunks.put``."""
        if packed is not None:
            if self.is_full():
                raise DiskFullError("the simulated disk")
            self.point()
            if self.packed.get(name) != packed:
                self._loose.setdefault(name, (self.packed.get(name), name in self.spoiled))
            self.spoiled.discard(name)
        is_here = super().put(name, packed)
        if packed is not None:
            self.point()
        return is_here

    def settle(self, names: Iterable[bytes]) -> None:
        """Make some names safe."""
        self.point()
        for name in names:
            self._loose.pop(name, None)
        self.point()

    def lose_power(self, draws: Draws) -> None:
        """Lose some of the names that nobody has settled."""
        for name, (before, was_spoiled) in self._loose.items():
            if draws.chance("name is lost", 50):
                self.set_aside(name)
                if before is not None:
                    super().put(name, before)
                if was_spoiled:
                    self.spoiled.add(name)
        self._loose.clear()

    def is_sound(self, name: bytes) -> bool:
        """Tell whether a chunk is here, with the content that its name stands for."""
        chunk = unpack(self.packed[name]) if name in self.packed else None
        return chunk is not None and name_of(chunk) == name

    def vanish(self, name: bytes) -> None:
        """Lose a chunk."""
        self.set_aside(name)
        self.spoiled.add(name)

    def rot(self, name: bytes) -> None:
        """Damage a chunk."""
        self.packed[name] = self.packed[name][:-1] + b"?"
        self.spoiled.add(name)

    def copy(self, other: SimulatedChunks) -> None:
        """Take over what another disk has."""
        self.packed, self._kept = dict(other.packed), dict(other._kept)
        self.spoiled, self._loose = set(other.spoiled), dict(other._loose)


class _Adding(MemoryAdding):
    """Implementation of ``chunks.Adding`` that knows what it has to settle."""

    def __init__(self, chunks: SimulatedChunks) -> None:
        super().__init__(chunks)
        self._disk = chunks
        self._touched: dict[bytes, None] = {}

    def add(self, chunk: bytes) -> bytes:
        name = super().add(chunk)
        self._touched[name] = None
        return name

    def keep(self, name: bytes) -> bool:
        is_here = super().keep(name)
        if is_here:
            self._touched[name] = None
        return is_here

    def settle(self) -> None:
        self._disk.settle(self._touched)
        self._touched.clear()
