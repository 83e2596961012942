"""Chunks in memory, for stores in memory and simulated devices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from edda_sync.files.chunks import Kept, name_of
from edda_sync.files.packing import pack, unpack
from edda_sync.words.errors import DamagedFileError


class MemoryChunks:
    """
    Implementation of ``chunks.Chunks``.

    Args:
        now: Wall clock, in seconds since 1970.

    Attributes:
        packed: What is kept, by name; a simulated disk may damage it.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._adding = 0  # how many add chunks now
        self.packed: dict[bytes, bytes] = {}
        self._kept: dict[bytes, float] = {}  # when each was last added or kept

    def has(self, name: bytes) -> bool:
        return name in self.packed

    def kept(self, name: bytes) -> Kept | None:
        packed = self.packed.get(name)
        return None if packed is None else Kept(len(packed), self._kept[name])

    def get(self, name: bytes) -> bytes | None:
        packed = self.packed.get(name)
        if packed is None:
            return None
        chunk = unpack(packed)
        if chunk is None or name_of(chunk) != name:
            raise DamagedFileError(f"the chunk {name.hex()}")
        return chunk

    @contextmanager
    def adding(self) -> Iterator[MemoryAdding]:
        """See ``Chunks.adding``."""
        with self._lock:
            self._adding += 1
        try:
            yield MemoryAdding(self)
        finally:
            with self._lock:
                self._adding -= 1

    def names(self, after: bytes = b"") -> Iterator[bytes]:
        yield from sorted(name for name in self.packed if name > after)

    def drop(self, names: Iterable[bytes], before_s: float) -> int | None:
        with self._lock:
            if self._adding:
                return None
            old = [name for name in names if name in self.packed and self._kept[name] < before_s]
            for name in old:
                del self.packed[name], self._kept[name]
            return len(old)

    def set_aside(self, name: bytes) -> None:
        with self._lock:
            self.packed.pop(name, None)
            self._kept.pop(name, None)

    def sweep(self, before_s: float) -> None:
        pass  # nothing is half written

    def put(self, name: bytes, packed: bytes | None) -> bool:
        """Keep a chunk under its name, or note that it is kept already; tell whether it is here."""
        with self._lock:
            if packed is not None:
                self.packed[name] = packed
            if name in self.packed:
                self._kept[name] = self._now()
            return name in self.packed


class MemoryAdding:
    """
    Implementation of ``chunks.Adding``.

    Args:
        chunks: Where to add.
    """

    def __init__(self, chunks: MemoryChunks) -> None:
        self._chunks = chunks
        self.new: set[bytes] = set()

    def add(self, chunk: bytes) -> bytes:
        name = name_of(chunk)
        if not self._chunks.has(name):
            self.new.add(name)
        self._chunks.put(name, pack(chunk))
        return name

    def keep(self, name: bytes) -> bool:
        return self._chunks.put(name, None)

    def settle(self) -> None:
        pass  # what is in memory is never on disk
