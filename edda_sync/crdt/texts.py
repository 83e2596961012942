"""
Texts: the edited text documents of a store, kept in memory while they are in use.

A document is caught up with the store's tail inside the transaction that edits it, since another process may have
edited it too. A document touched by a transaction that does not commit is thrown away: it holds edits that never were,
and a stale or phantom document diverges from its peers with equal state vectors.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from edda_sync import limits
from edda_sync.crdt.diff import Edit
from edda_sync.crdt.entity import Entity, hash_text
from edda_sync.errors import CorruptError, RefusedTextError
from edda_sync.model import TEXT_FIELDS
from edda_sync.protocols import StoreReader, StoreWriter

if TYPE_CHECKING:
    from edda_sync.crdt.text import TextDocument

Key = tuple[bytes, str, int]
"""Key of the entity (``entity.key_of``), field, genesis id."""

TextEdit = Edit
"""Position, code points deleted, text inserted; of several, each reads the text that the one before it left."""

TAIL_MAX: Final = 256  # updates after which the state is written anew: bounds what an open has to replay


class _Open:
    __slots__ = ("document", "serial", "tail")

    def __init__(self, document: TextDocument, serial: int, tail: int) -> None:
        self.document, self.serial, self.tail = document, serial, tail


class Texts:
    """The text documents in use; one for each store and process."""

    def __init__(self) -> None:
        self._open: OrderedDict[Key, _Open] = OrderedDict()
        self._touched: set[Key] = set()

    def committed(self) -> None:
        """Keep what the transaction that just ended did to documents."""
        self._touched.clear()
        while len(self._open) > limits.DOCUMENTS_CACHED_MAX:
            self._open.popitem(last=False)

    def rolled_back(self) -> None:
        """Throw away the documents that a failed transaction touched."""
        for key in self._touched:
            self._open.pop(key, None)
        self._touched.clear()

    @staticmethod
    def genesis(entity_id: bytes, field: str, start: str) -> int:
        """Return the id of the text that starts so."""
        from edda_sync.crdt.text import genesis_id  # pycrdt costs 100 ms: a command that edits no text does not pay

        return genesis_id(entity_id, field, start)

    def text_of(self, reader: StoreReader, entity: Entity) -> str | None:
        """Return an entity's description or content as it reads now."""
        field = TEXT_FIELDS.get(entity.kind)
        return None if field is None else self.readable(reader, entity, field, entity.value(field))

    def readable(self, reader: StoreReader, entity: Entity, field: str, value: str | int | None) -> str | None:
        """Return the text that a text cell's value stands for: a start, unless somebody edited it, or an edited text."""
        if value is None:
            return None
        if isinstance(value, str) and not entity.edited_texts():
            return value
        starts = {self.genesis(entity.id, field, w[3]): w[3] for w in entity.cells[field] if isinstance(w[3], str)}
        genesis = self.genesis(entity.id, field, value) if isinstance(value, str) else value
        if genesis in starts and (field, genesis) not in entity.edited_texts():
            return starts[genesis]
        return self.document(reader, (entity.key, field, genesis)).string()

    def document(self, reader: StoreReader, key: Key, start: str | None = None) -> TextDocument:
        """
        Return a text as the reader sees it.

        Args:
            reader: A transaction, or a reader that sees the latest state.
            key: Which text.
            start: What it starts with, should it never have been edited here.

        Raises:
            RefusedTextError: There is no such text and no start.
            CorruptError: The stored text cannot be read.
        """
        from edda_sync.crdt.text import TextDocument

        found = self._open.get(key)
        stored = reader.text(*key, since=found.serial if found is not None else -1)
        if found is None or (stored is not None and stored.state):
            if stored is None:
                if start is None:
                    raise RefusedTextError("an edit of a text that never started")
                found = _Open(TextDocument.start(key[2], start), -1, 0)  # older than the first edit, stored under 0
            else:
                found = _Open(TextDocument.load(stored.state), stored.serial, 0)
            self._open[key] = found
        if stored is not None:
            for serial, actor, update in stored.tail:
                try:
                    found.document.apply(actor, update)
                except RefusedTextError as refused:
                    raise CorruptError(f"a stored edit of a text ({refused.reason})") from None
                found.serial, found.tail = serial, found.tail + 1
        self._open.move_to_end(key)
        return found.document

    def apply(self, tx: StoreWriter, key: Key, start: str | None, actor: int, update: bytes) -> None:
        """
        Apply an update that a peer sent.

        Raises:
            RefusedTextError: It is not acceptable; the text is as it was.
        """
        document = self.document(tx, key, start)
        self._touched.add(key)
        try:
            document.apply(actor, update)
        except RefusedTextError:
            self._open.pop(key, None)  # it may have failed inside pycrdt, which ends the object's use
            raise
        self._append(tx, key, actor, update)

    def edit(self, tx: StoreWriter, key: Key, start: str | None, actor: int, edits: Sequence[TextEdit]) -> bytes:
        """
        Edit a text as an actor and return the update for its peers.

        Raises:
            InvalidValueError: A position lies outside the text.
        """
        document = self.document(tx, key, start)
        self._touched.add(key)
        update = document.edit(actor, edits)
        self._append(tx, key, actor, update)
        return update

    def keep_start(self, tx: StoreWriter, entity: Entity, field: str, start: str) -> None:
        """Keep the start of a text that is being replaced: a concurrent edit may still arrive for it."""
        key = (entity.key, field, self.genesis(entity.id, field, start))
        if tx.text(*key) is None:
            self._touched.add(key)
            tx.save_text(*key, self.document(tx, key, start).state(), 0)

    def merge(self, tx: StoreWriter, key: Key, state: bytes) -> bytes:
        """Join a text's full state from a segment; return that state's hash."""
        from edda_sync.crdt.text import TextDocument

        self._touched.add(key)
        loaded = TextDocument.load(state)
        digest = hash_text(loaded.string(), loaded.vector())
        stored = tx.text(*key)
        if stored is None:
            tx.save_text(*key, loaded.state(), 0)
            self._open.pop(key, None)
            return digest
        document = self.document(tx, key)
        document.merge(state)
        opened = self._open[key]
        opened.serial = tx.append_text(*key, 0, b"")  # a serial of its own, so that other processes read the state anew
        tx.save_text(*key, document.state(), opened.serial)
        opened.tail = 0
        return digest

    def _append(self, tx: StoreWriter, key: Key, actor: int, update: bytes) -> None:
        opened = self._open[key]
        if opened.serial < 0:  # its first edit here
            opened.serial = 0
            tx.save_text(*key, opened.document.state(), opened.serial)
            return
        opened.serial = tx.append_text(*key, actor, update)
        opened.tail += 1
        if opened.tail >= TAIL_MAX:
            tx.save_text(*key, opened.document.state(), opened.serial)
            opened.tail = 0
