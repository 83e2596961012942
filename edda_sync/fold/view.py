"""
The view of a fold: what it reads of a store, with the texts as the fold has left them so far.

A fold writes nothing. What it does to texts is held here until its :class:`~edda_sync.store.delta.Delta` is taken, and is
visible at once through the same view.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from edda_sync.store.delta import TextAppended, TextSaved, TextWrite
from edda_sync.store.seams import Record, StoreReader, TailEdit, TextState

Key = tuple[bytes, str, bytes]
"""Key of the entity (``entity.key_of``), field, genesis."""


@dataclass(slots=True)
class _Pending:
    """What was done to one text: its new state, if that was written, and the edits since."""

    state: bytes | None = None
    serial: int = 0
    tail: list[TailEdit] = field(default_factory=list)

    def newer(self, serial: int) -> list[TailEdit]:
        """Return the edits after a serial number, usually none of many."""
        return self.tail[bisect_right(self.tail, serial, key=lambda each: each.serial) :]


class View:
    """
    What a fold reads, and what it has done to texts.

    Args:
        reader: The store's transaction; for looking only, a reader of the store.
        known: Returns the record that the store has of an entity, if the fold has looked it up.

    Attributes:
        size: Roughly how many bytes are held.
    """

    def __init__(self, reader: StoreReader, known: Callable[[bytes], Record | None] = lambda _: None) -> None:
        self.reader, self._known = reader, known
        self.size = 0
        self._writes: list[TextWrite] = []
        self._pending: dict[Key, _Pending] = {}
        self._serial: int | None = None

    def text(self, key: Key, since: int = -1) -> TextState | None:
        """Return a text, or what is newer than the update with serial number ``since``; None if it was never edited."""
        pending = self._pending.get(key)
        if pending is None:
            return self.reader.states.text(*key, since=since)
        if pending.state is not None:
            return TextState(pending.state if pending.serial > since else b"", pending.serial, pending.newer(since))
        stored = self.reader.states.text(*key, since=since)
        assert stored is not None, "a text is saved before it is edited"
        return stored._replace(tail=[*stored.tail, *pending.newer(since)])

    def save_text(self, key: Key, state: bytes, serial: int) -> None:
        """Write a text's state up to an update, and forget the edits up to there."""
        self._writes.append(TextSaved(*key, state, serial))
        self._pending[key] = _Pending(state, serial, self._of(key).newer(serial))
        self.size += len(state)

    def append_text(self, key: Key, actor: bytes, seq: int, edit: bytes) -> int:
        """Append an edit to a text; return its serial number, which is greater than any before."""
        if self._serial is None:
            self._serial = self.reader.states.last_serial()
        self._serial += 1
        self._writes.append(TextAppended(*key, self._serial, actor, seq, edit))
        self._of(key).tail.append(TailEdit(self._serial, actor, seq, edit))
        self.size += len(edit)
        return self._serial

    def record(self, entity: bytes) -> Record | None:
        """Return the record that the store has of an entity, by its key; None if there is none."""
        return self._known(entity) or self.reader.states.get((entity,)).get(entity)

    def writes_to(self, entity: bytes) -> bool:
        """Tell whether a text of an entity has edits here that the store does not have yet."""
        return any(key[0] == entity for key in self._pending)

    def _of(self, key: Key) -> _Pending:
        return self._pending.setdefault(key, _Pending())

    def take(self) -> list[TextWrite]:
        """Return what was done to texts, in order, and forget it, because the store has it from now on."""
        writes, self._writes, self._pending = self._writes, [], {}
        self.size, self._serial = 0, None
        return writes
