"""A view: what a reader or a transaction sees of states and texts, which are a base and the layers over it."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, reduce

from edda_sync.crdt.keys import kind_and_id
from edda_sync.store.rocks import keys
from edda_sync.store.rocks.base import Base, Nothing
from edda_sync.store.rocks.layers import Entry, Layer, Name, Part, merged
from edda_sync.store.seams.states import Record, TailEdit, TextState
from edda_sync.store.sqlite.names import bounds


class View:
    """
    Some layers over a base.

    Args:
        base: The base.
        layers: The layers, oldest first.
    """

    def __init__(self, base: Base, layers: Sequence[Layer]) -> None:
        self._layers = layers
        is_cleared = any(layer.cleared for layer in layers)
        self._base = Base(Nothing(), b"", 0) if is_cleared else base

    @cached_property
    def _whole(self) -> Layer:
        """All layers as one, for what looks at everything."""
        return reduce(merged, self._layers, Layer())

    # --- states -------------------------------------------------------------------------------------------------------

    def get(self, wanted: Iterable[bytes]) -> dict[bytes, Entry]:
        """Return the states of those entities that exist."""
        found: dict[bytes, Entry] = {}
        beneath: list[bytes] = []
        newest_first = self._layers[::-1]
        for key in wanted:
            for layer in newest_first:
                if (entry := layer.entries.get(key)) is not None:
                    found[key] = entry
                    break
                if layer.hides(key):
                    break
            else:
                beneath.append(key)
        found.update(self._base.entries(beneath))
        return found

    def scan(self, kind: str | None, after: bytes) -> Iterator[Record]:
        """Yield the states, or only those of a kind, in the order of their keys, beginning after a key."""
        prefix = b"" if kind is None else bounds(kind)[0][:1]
        start = after + b"\0" if after else b""
        whole = self._whole
        over = sorted(key for key in whole.entries if key >= start and key.startswith(prefix))
        beneath = (
            (key, entry)
            for key, entry in self._base.scan(prefix, start)
            if key not in whole.entries and not whole.hides(key)
        )
        for _, entry in heapq.merge(((key, whole.entries[key]) for key in over), beneath, key=lambda each: each[0]):
            yield entry[0]

    def marked(self, letter: bytes, kind: str | None = None) -> list[bytes]:
        """Return the entities, or those of a kind, that are hidden or have conflicts, in order."""
        whole, prefix = self._whole, b"" if kind is None else bounds(kind)[0][:1]
        is_marked = _is_hidden if letter == keys.HIDDENS else _is_conflicted
        found = {key for key, entry in whole.entries.items() if is_marked(entry) and key.startswith(prefix)}
        beneath = self._base.marked(letter, prefix)
        return sorted(found.union(key for key in beneath if key not in whole.entries and not whole.hides(key)))

    def ending(self, kind: str, last: bytes) -> list[bytes]:
        """Return the entities of a kind whose ids end with three bytes: those that are not hidden first, in order."""
        found = {key for key in self._whole.entries if key.endswith(last)}
        found.update(self._base.ending(last))
        entries = self.get([key for key in found if kind_and_id(key)[0] == kind])
        return sorted(entries, key=lambda key: (entries[key][0].hidden, key))

    # --- texts --------------------------------------------------------------------------------------------------------

    def text(self, entity: bytes, name: Name, since: int) -> TextState | None:
        """See ``StatesReader.text``."""
        part = self._part(entity, name)
        edits = [] if part is None else part.edits
        base = None if part is None else part.base
        if base is None and not self._hides(entity):
            base = self._base.text(entity, name)
            if base is not None:
                edits = [*self._base.edits(entity, name, max(base[0], since)), *edits]
        if base is None:
            return None
        serial, state = base
        newer = max(serial, since)
        return TextState(state if serial > since else b"", serial, [each for each in edits if each.serial > newer])

    def newer_edits(self, entity: bytes, name: Name, serial: int) -> list[TailEdit]:
        """Return the edits of a text after one of them, also if the text has no state."""
        part = self._part(entity, name)
        edits = [] if part is None else part.edits
        if (part is None or part.base is None) and not self._hides(entity):
            edits = [*self._base.edits(entity, name, serial), *edits]
        return [each for each in edits if each.serial > serial]

    def texts(self) -> list[tuple[bytes, str, bytes]]:
        """See ``StatesReader.texts``."""
        whole = self._whole
        found = {each for each in self._base.texts() if not whole.hides(each[0])}
        found.update(
            (entity, *name) for entity, texts in whole.texts.items() for name, part in texts.items() if part.base
        )
        return sorted(found)

    def _part(self, entity: bytes, name: Name) -> Part | None:
        """Return what the layers say of a text; with a base, nothing below them counts."""
        edits: list[list[TailEdit]] = []
        for layer in reversed(self._layers):
            part = layer.texts.get(entity, {}).get(name)
            if part is not None:
                edits.append(part.edits)
                if part.base is not None:
                    return Part(part.base, [each for some in reversed(edits) for each in some])
            if layer.hides(entity):
                break
        return Part(None, [each for some in reversed(edits) for each in some]) if edits else None

    def _hides(self, entity: bytes) -> bool:
        return any(layer.hides(entity) for layer in self._layers)


def _is_hidden(entry: Entry) -> bool:
    return entry[0].hidden


def _is_conflicted(entry: Entry) -> bool:
    return entry[1]
