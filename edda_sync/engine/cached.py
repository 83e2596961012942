"""
Cached items: tasks and documents that were read by id, kept as encoded rows until a commit changes them.

Nothing stale is ever returned. Before each answer the store's version is asked, which changes with every commit of every
process. If it has changed, the cache is brought up to date first: commits of this process name what they changed (the
feed). They must explain everything that happened: each new position of the log, and the whole difference of the digest,
which covers all states. Whatever is not explained was another process, and empties the cache.

Transactions do not use it: they read their own snapshot.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import msgspec

from edda_sync.engine.items import item_of_row, row_of
from edda_sync.store.cache import CacheManager
from edda_sync.store.feed import Changed, Feed
from edda_sync.store.seams import Store, StoreReader
from edda_sync.words.model import Item

_SUM_END: Final = 1 << 128
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class CachedItems:
    """
    Reads items of one store through a cache. Call :meth:`end` when the store is closed.

    Args:
        cache: Keeps the rows.
        store: The store.
        feed: Says what this process committed.
        snapshot: Opens a reader of a state in which every text is up to date.
    """

    def __init__(
        self,
        cache: CacheManager,
        store: Store,
        feed: Feed,
        snapshot: Callable[[], AbstractContextManager[StoreReader]],
    ) -> None:
        self.cache, self.store, self._snapshot = cache, store, snapshot
        self._lock = threading.Lock()
        self._version = self._position = self._digest = -1
        self._round = 0  # how often the cache was brought up to date
        self._heard: list[Changed] = []
        self.end = feed.listen(self._hear)

    def get(self, kind: str, item_id: str) -> Item | None:
        """Return a task or document; None if there is none, or it is in the trash."""
        key, version = f"{kind} {item_id}", self.store.version()
        with self._lock:
            is_current, round_now = version == self._version, self._round
        if is_current and (encoded := self.cache.get(key)) is not None:
            row, names = _decode(encoded)
            return item_of_row(kind, tuple(row), names)
        with self._snapshot() as reader:
            if not is_current:
                round_now = self._catch_up(reader, version)
            found = row_of(reader, kind, item_id)
            names = [name for _, name in reader.edges.tags_of(kind, [item_id]).get(item_id, ())]
        if found is None:
            return None
        with self._lock:
            if self._round == round_now:  # otherwise this state may be older than what the cache stands for
                self.cache.put(key, _encode((found, names)))
        return item_of_row(kind, found, names)

    def _hear(self, changed: Changed) -> None:
        with self._lock:
            self._heard.append(changed)
            if len(self._heard) > _HEARD_MAX:  # nobody has read for long
                self._heard = [changed._replace(everything=True)]

    def _catch_up(self, reader: StoreReader, version: int) -> int:
        """Make the cache stand for the state of a reader; return the number of this round."""
        with self._lock:
            heard, self._heard = self._heard, []
            end, digest = reader.log.position(), reader.index.digest()
            told = {position for each in heard for position in each.positions}
            sums = [each.digest for each in heard]
            explained = (
                bool(heard)
                and 0 <= self._position <= end
                and not any(each.everything for each in heard)
                and told.issuperset(range(self._position + 1, end + 1))
                and None not in sums
                and (self._digest + sum(each or 0 for each in sums) - digest) % _SUM_END == 0
            )
            named = {each for changed in heard for each in changed.named}
            if explained and not any(kind == "tag" for kind, _ in named):  # a tag stands in many items
                for kind, item_id in named:
                    self.cache.drop(f"{kind} {item_id}")
            else:
                self.cache.clear()
            self._version, self._position, self._digest = version, end, digest
            self._round += 1
            return self._round


_HEARD_MAX: Final = 1_000  # commits
