"""
The cache manager: encoded rows in memory, under a limit in bytes, with the specification's four policies of eviction.

It only keeps bytes. Whether they are still what the store holds is for its user to know (``engine.cached``).
"""

from __future__ import annotations

import struct
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any, Final

from edda_sync.words.config import CacheConfig, EvictionPolicy
from edda_sync.words.metrics import CacheMetrics

_COMPRESS_BYTES_MIN: Final = 200  # less than this hardly becomes shorter
_PLAIN, _SHORTER = b"\0", b"\1"
_UNTIL: Final = struct.Struct("<d")


class CacheManager:
    """
    A cache of bytes by key. It may be used from several threads.

    Args:
        config: Its size, policy, lifetime of entries, and whether they are compressed. The size must be more than 0.
        now: A clock in seconds that never goes back.
    """

    def __init__(self, config: CacheConfig, now: Callable[[], float] = time.monotonic) -> None:
        self.config, self._now = config, now
        self._ttl_s = None if config.ttl is None else config.ttl.total_seconds()
        self._held = _policy(config)
        self._lock = threading.Lock()
        self._hits = self._misses = self._inserted = self._removed = 0

    def get(self, key: str) -> bytes | None:
        """Return what is kept under a key; None if there is nothing, or its time is over."""
        with self._lock:
            value = self._held.get(key)
            if value is not None and self._ttl_s is not None and self._now() >= _UNTIL.unpack_from(value)[0]:
                self._held.pop(key, None)  # counts as evicted
                value = None
            self._hits += value is not None
            self._misses += value is None
        if value is None:
            return None
        at = 0 if self._ttl_s is None else _UNTIL.size
        body = value[at + 1 :]
        return zlib.decompress(body) if value[at : at + 1] == _SHORTER else body

    def put(self, key: str, value: bytes) -> bool:
        """Keep a value under a key; tell whether it was kept. What is larger than the whole cache is not."""
        kept = _PLAIN + value
        if self.config.compression and len(value) >= _COMPRESS_BYTES_MIN:
            kept = min(kept, _SHORTER + zlib.compress(value, 1), key=len)
        if self._ttl_s is not None:
            kept = _UNTIL.pack(self._now() + self._ttl_s) + kept
        with self._lock:
            if _size(key, kept) > self.config.max_size:
                self._removed += self._held.pop(key, None) is not None
                return False
            self._removed += self._held.pop(key, None) is not None
            self._held.insert(key, kept)
            self._inserted += 1
        return True

    def drop(self, key: str) -> None:
        """Forget what is kept under a key."""
        with self._lock:
            self._removed += self._held.pop(key, None) is not None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._removed += len(self._held)
            self._held.clear()

    @property
    def metrics(self) -> CacheMetrics:
        """Its figures since it was made."""
        with self._lock:
            entries = len(self._held)
            evictions = self._inserted - self._removed - entries
            return CacheMetrics(
                hits=self._hits,
                misses=self._misses,
                evictions=evictions,
                entries=entries,
                size=self._held.current_size(),
            )


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value)


def _policy(config: CacheConfig) -> Any:
    import cachebox  # only a store with a cache pays the 60 ms of this import

    if config.eviction_policy is EvictionPolicy.TTL:
        assert config.ttl is not None, "the configuration was checked"
        return cachebox.TTLCache(config.max_size, global_ttl=config.ttl.total_seconds(), getsizeof=_size)
    made = {
        EvictionPolicy.LRU: cachebox.LRUCache,
        EvictionPolicy.LFU: cachebox.LFUCache,
        EvictionPolicy.FIFO: cachebox.FIFOCache,
    }[config.eviction_policy]
    return made(config.max_size, getsizeof=_size)
