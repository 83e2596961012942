"""
Layers: what some commits did to states and texts, to be put over what was there before.

A layer does not change once its transaction has ended, so readers of different commits may share layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from edda_sync.store.seams.states import Record, TailEdit

Entry = tuple[Record, bool]
"""A state, and whether a cell has several values."""
Name = tuple[str, bytes]
"""A text of an entity: its field and genesis."""


class Part(NamedTuple):
    """
    What a layer knows of a text.

    Attributes:
        base: The serial number of the last edit that is part of the state, and the state; None if the layer has only
            edits. With a base, nothing below the layer counts.
        edits: The edits since.
    """

    base: tuple[int, bytes] | None
    edits: list[TailEdit]


class Layer:
    """
    What some commits did. Its methods are called by the one transaction that makes it.

    Attributes:
        cleared: Whether nothing below this layer counts.
        dropped: Entities of which nothing below this layer counts.
        entries: States, by key.
        texts: Texts, by entity and name.
    """

    __slots__ = ("cleared", "dropped", "entries", "texts")

    def __init__(self) -> None:
        self.cleared = False
        self.dropped: set[bytes] = set()
        self.entries: dict[bytes, Entry] = {}
        self.texts: dict[bytes, dict[Name, Part]] = {}

    def put(self, records: Sequence[Record], conflicted: Mapping[bytes, bool]) -> None:
        """See ``StatesWriter.put``."""
        entries = self.entries
        for record in records:
            entries[record.key] = record, bool(conflicted[record.key])

    def put_text(self, entity: bytes, name: Name, base: tuple[int, bytes], edits: Iterable[TailEdit]) -> None:
        """Set a text, with the edits that are newer than its state."""
        self.texts.setdefault(entity, {})[name] = Part(base, list(edits))

    def append(self, entity: bytes, name: Name, edit: TailEdit) -> None:
        """Append an edit to a text."""
        texts = self.texts.setdefault(entity, {})
        part = texts.get(name)
        if part is None:
            texts[name] = Part(None, [edit])
        else:
            part.edits.append(edit)

    def drop(self, entities: Iterable[bytes]) -> None:
        """Forget the states and texts of some entities."""
        for entity in entities:
            self.entries.pop(entity, None)
            self.texts.pop(entity, None)
            if not self.cleared:
                self.dropped.add(entity)

    def clear(self) -> None:
        """Forget everything."""
        self.cleared = True
        for held in (self.dropped, self.entries, self.texts):
            held.clear()

    def hides(self, entity: bytes) -> bool:
        """Tell whether nothing below this layer counts for an entity that the layer does not contain."""
        return self.cleared or entity in self.dropped

    def is_empty(self) -> bool:
        """Tell whether the layer says nothing."""
        return not (self.cleared or self.dropped or self.entries or self.texts)

    def weight(self) -> int:
        """Return how many things the layer says, roughly."""
        return len(self.entries) + len(self.dropped) + sum(map(len, self.texts.values()))


def merged(older: Layer, newer: Layer) -> Layer:
    """Return a layer that says what two layers say, one over the other. Both stay as they are."""
    if newer.cleared or older.is_empty():
        return newer
    layer = Layer()
    layer.cleared = older.cleared
    layer.dropped = set() if older.cleared else older.dropped | newer.dropped
    layer.entries = older.entries | newer.entries
    layer.texts = dict(older.texts)
    for entity in newer.dropped:
        layer.texts.pop(entity, None)
        if entity not in newer.entries:
            layer.entries.pop(entity, None)
    for entity, texts in newer.texts.items():
        below = layer.texts.get(entity, {})
        layer.texts[entity] = below | {name: _over(below.get(name), part) for name, part in texts.items()}
    return layer


def _over(below: Part | None, part: Part) -> Part:
    if below is None or part.base is not None:
        return part
    return Part(below.base, [*below.edits, *part.edits])


def pushed(layers: tuple[Layer, ...], layer: Layer) -> tuple[Layer, ...]:
    """
    Return layers, oldest first, with another one on top. Neighbours of similar weight are merged, so that there are few of
    them and each thing is copied only a few times: their number grows with the logarithm of what they say.

    Source: O'Neil et al., "The log-structured merge-tree", Acta Informatica 33 (1996), of which this is the part in memory.
    """
    if layer.is_empty():
        return layers
    stack = [*layers, layer]
    while len(stack) > 1 and (stack[-1].cleared or stack[-2].weight() <= 2 * stack[-1].weight()):
        newer = stack.pop()
        stack[-1] = merged(stack[-1], newer)
    return tuple(stack)
