"""
The inbox: the conflicts of a store, kept up to date by what has changed.

Whoever keeps one says which entities may have changed; only these are read again, and tags that were renamed twice at once,
whose conflict depends on the items that carry them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.engine.conflicts import kept_values
from edda_sync.engine.watched import ConflictWatch
from edda_sync.store.feed import Named
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.listed import RENAMED, Conflict


class Inbox:
    """
    The conflicts of one store. Call :meth:`read` first.

    Args:
        watch: Is told of them.
    """

    def __init__(self, watch: ConflictWatch) -> None:
        self.watch = watch
        self._held: dict[bytes, dict[str, Conflict]] = {}  # by entity, and by the name that the watch knows them by
        self._is_read = False

    def read(self, reader: StoreReader) -> None:
        """Read all conflicts."""
        self._held = {}
        for name, each in _named(kept_values(reader)):
            self._held.setdefault(_key(each), {})[name] = each
        found = {name: each for held in self._held.values() for name, each in held.items()}
        self.watch.show(found, first=not self._is_read)
        self._is_read = True

    def meet(self, reader: StoreReader, changed: Iterable[bytes]) -> None:
        """Read the conflicts of entities that may have changed, given by their keys."""
        contested = reader.index.contested()
        listed = {*reader.index.conflicted(), *contested}
        keys = {*changed, *_tags(contested), *_renamed(self._held)}
        now = dict[bytes, dict[str, Conflict]]()
        for name, each in _named(kept_values(reader, keys & listed)):
            now.setdefault(_key(each), {})[name] = each
        for key in keys & (self._held.keys() | now.keys()):
            before, found = self._held.pop(key, {}), now.get(key, {})
            if found:
                self._held[key] = found
            for name in before.keys() | found.keys():
                self.watch.put(name, found.get(name))


def keys_of(named: Iterable[Named]) -> set[bytes]:
    """Return the keys of tasks, documents and other things that the feed names."""
    return {key_of(kind, values.id_bytes("id", each)) for kind, each in named}


def _key(conflict: Conflict) -> bytes:
    return key_of(conflict.kind, values.id_bytes("id", conflict.id))


def _named(found: Iterable[Conflict]) -> Iterator[tuple[str, Conflict]]:
    """Yield conflicts with their names. A place of a text is named by its changes, since it moves with what is before it."""
    seen = Counter[str]()
    for each in found:
        name = f"{each.kind} {each.id} {each.field}"
        if each.position is not None:
            name += "".join(sorted(f" {kept.actor}:{kept.seq}" for kept in each.kept))
            seen[name] += 1
            name += f" {seen[name]}"
        yield name, each


def _tags(keys: Collection[bytes]) -> list[bytes]:
    return [key for key in keys if kind_and_id(key)[0] == "tag"]


def _renamed(held: dict[bytes, dict[str, Conflict]]) -> list[bytes]:
    return [key for key, found in held.items() if any(each.field == RENAMED for each in found.values())]
