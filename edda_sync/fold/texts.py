"""
Texts: the edited text documents of a store, kept in memory while they are in use.

A document is caught up with the store's tail inside the transaction that edits it, since another process may have
edited it too; where one folded something anew, it is loaded anew (:mod:`~edda_sync.store.anew`). A document touched by a
transaction that does not commit is thrown away: it holds edits that never were, and a stale or phantom document diverges
from its peers.

What makes and reads texts is imported where one is met: commands that only list tasks hold this module, too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from edda_sync.changes.chains import NOBODY, names_of
from edda_sync.changes.names import Names
from edda_sync.crdt import operation
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text.clients import NAME_BYTES
from edda_sync.fold.view import Key, View
from edda_sync.store import anew
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, RefusedTextError
from edda_sync.words.model import TEXT_FIELDS, Replacement

if TYPE_CHECKING:
    from edda_sync.crdt.text import edits
    from edda_sync.crdt.text.document import TextDocument

TAIL_MAX: Final = 256  # edits after which the state is written anew: bounds what an open has to replay


class _Open:
    __slots__ = ("document", "serial", "tail")

    def __init__(self, document: TextDocument, serial: int, tail: int) -> None:
        self.document, self.serial, self.tail = document, serial, tail


class Texts:
    """The text documents in use; one for each store and process."""

    def __init__(self) -> None:
        self._open: OrderedDict[Key, _Open] = OrderedDict()
        self._touched: set[Key] = set()
        self._still = anew.Still()

    def committed(self) -> None:
        """Keep what the transaction that just ended did to documents."""
        self._still.committed()
        self._touched.clear()
        while len(self._open) > limits.DOCUMENTS_CACHED_MAX:
            self._open.popitem(last=False)

    def rolled_back(self) -> None:
        """Throw away the documents that a failed transaction, or a part of one, touched."""
        if self._still.rolled_back():
            self._open.clear()
        for key in self._touched:  # they stay touched: of a part that was undone, the rest may read them again
            self._open.pop(key, None)

    def forget_of(self, entity: bytes) -> None:
        """Throw away the documents of an entity, by its key."""
        for key in [key for key in self._open if key[0] == entity]:
            del self._open[key]

    def forget(self) -> None:
        """Throw away every document."""
        self._open.clear()
        self._touched.clear()

    @staticmethod
    def genesis(entity: Entity, start: str) -> bytes:
        """Return the name of the text of an entity that starts so."""
        from edda_sync.crdt.text.document import genesis_id

        return genesis_id(entity.id, TEXT_FIELDS[entity.kind], start)

    def text_of(self, view: View, entity: Entity) -> str | None:
        """Return an entity's description or content as it reads now."""
        field = TEXT_FIELDS.get(entity.kind)
        return None if field is None else self.readable(view, entity, field, entity.value(field))

    def readable(self, view: View, entity: Entity, field: str, value: str | bytes | None) -> str | None:
        """Return the text that a text cell's value stands for: a start, unless somebody edited it, or an edited text."""
        if value is None:
            return None
        edited = {genesis for _, genesis in entity.edited_texts()}
        if isinstance(value, str):
            if not edited:
                return value
            genesis = self.genesis(entity, value)
            if genesis not in edited:
                return value
        else:
            genesis = value
        return self.document(view, (entity.key, field, genesis)).string()

    def document(self, view: View, key: Key, start: str | None = None, dots: Sequence[Dot] = ()) -> TextDocument:
        """
        Return a text as the view has it.

        Args:
            view: Of a transaction, or of a reader that sees the latest state.
            key: Which text.
            start, dots: What it starts with, and the changes that wrote that, should it never have been edited here.

        Raises:
            CorruptError: The stored text cannot be read, or there is none and no start.
        """
        if not self._still.holds(view.reader):
            self._open.clear()
        found = self._open.get(key)
        stored = view.text(key, since=found.serial if found is not None else -1)
        if found is None or (stored is not None and stored.state):
            from edda_sync.crdt.text.document import TextDocument

            if stored is None:
                if start is None:
                    raise CorruptError("A text of this store")
                found = _Open(
                    TextDocument.start(key[2], start, dots), -1, 0
                )  # older than the first edit, stored under 0
            else:
                found = _Open(TextDocument.load(stored.state), stored.serial, 0)
            self._open[key] = found
        if stored is not None and stored.tail:
            from edda_sync.crdt.text import edits
            from edda_sync.fold import item_names

            for each in stored.tail:
                try:
                    own, edit = item_names.decode(each.edit) or (None, edits.decode(each.edit))
                    found.document.replay(edit, (each.actor, each.seq), own)
                except RefusedTextError as refused:
                    raise CorruptError(f"a stored edit of a text ({refused.reason})") from None
                found.serial, found.tail = each.serial, found.tail + 1
        self._open.move_to_end(key)
        return found.document

    @staticmethod
    def decode(edit: bytes) -> edits.TextEdit:
        """
        Read what an edit's operation carries.

        Raises:
            RefusedTextError: It is not in the one form that an edit has.
        """
        from edda_sync.crdt.text import edits

        return edits.decode(edit)

    def apply(
        self,
        view: View,
        entity: Entity,
        one: operation.Edit,
        edit: edits.TextEdit,
        dot: Dot,
        deps: Mapping[bytes, int],
        *,
        void: bool = False,
    ) -> None:
        """
        Apply an edit that a change brings.

        Args:
            view: The fold's.
            entity: The text's.
            one: The operation.
            edit: What it carries, from :meth:`decode`.
            dot: The change's.
            deps: What its author had applied before it.
            void: Whether evidence takes the change out.

        Raises:
            RefusedTextError: It is not acceptable; the text is as it was.
        """
        document, key = self._of(view, entity, one.field, one.genesis)
        self._apply(view, names_of(view.reader), document, key, edit, one.edit, dot, deps, void=void)

    def _apply(
        self, view: View, names: Names, document: TextDocument, key: Key, edit: edits.TextEdit, encoded: bytes, dot: Dot,
        deps: Mapping[bytes, int], *, void: bool = False,
    ) -> None:  # fmt: skip
        """Apply an edit, in the names that its text has for the units that it means."""
        self._touched.add(key)
        if names is NOBODY:
            document.apply(edit, dot, deps, void=void)
            self._append(view, key, dot, encoded, void=void)
            return
        from edda_sync.fold import item_names

        meant = item_names.ItemNames(names, document.sequence, dot, deps).meant(edit)
        document.apply(meant.edit, meant.dot, deps, meant.own, void=void)
        is_as_said = meant.edit == edit and len(meant.own) == NAME_BYTES
        self._append(view, key, meant.dot, encoded if is_as_said else item_names.encode(meant), void=void)

    def edit(
        self,
        view: View,
        entity: Entity,
        genesis: bytes,
        dot: Dot,
        deps: Mapping[bytes, int],
        changes: Sequence[Replacement],
        *,
        rewrite: bool = False,
        merging: bool = False,
    ) -> tuple[bytes, int]:
        """
        Edit a text of an entity, in a change of this device; return what its operation carries, and how many pieces it has.

        Args:
            view: The fold's.
            entity: The text's.
            genesis: Which of its texts.
            dot: The change's.
            deps: What this device has applied.
            changes: The edits, one after another.
            rewrite: Whether the whole text was written anew: the same rewrite made elsewhere is made once.
            merging: Whether it was acknowledged before, in another text; see ``TextDocument.make``.

        Raises:
            InvalidValueError: A position lies outside the text.
            LimitError: The text, or the edit, would be too large.
        """
        from edda_sync.crdt.text import edits

        names = names_of(view.reader)
        document, key = self._of(view, entity, TEXT_FIELDS[entity.kind], genesis)
        made = document.make(_called(names, dot)[0], changes, whole=rewrite, merging=merging)
        if names is not NOBODY:
            from edda_sync.fold.item_names import ItemNames

            made = ItemNames(names, document.sequence, dot, deps).said(made)
        encoded = edits.encode(made)
        self._apply(view, names, document, key, made, encoded, dot, deps)
        return encoded, made.pieces

    def _of(self, view: View, entity: Entity, field: str, genesis: bytes) -> tuple[TextDocument, Key]:
        """
        Return one of an entity's texts, begun from its start if it was never edited.

        Raises:
            RefusedTextError: It never started.
            CorruptError: It cannot be read; or it is gone, although the entity names it: a fault of this device.
        """
        key = (entity.key, field, genesis)
        was_edited = False
        for _, _, _, value in entity.cells.get(field, ()):
            if value == genesis:
                was_edited = True
            elif isinstance(value, str) and self.genesis(entity, value) == genesis:
                dots = [each[:2] for each in entity.cells[field] if each[3] == value]
                return self._begun(view, key, value, dots), key
        if not was_edited and view.text(key) is None:
            raise RefusedTextError("an edit of a text that never started")
        return self.document(view, key), key

    def string(self, view: View, entity: Entity, genesis: bytes) -> str:
        """Return what one of an entity's texts reads, edited or not."""
        return self._of(view, entity, TEXT_FIELDS[entity.kind], genesis)[0].string()

    def _begun(self, view: View, key: Key, start: str, wrote: Sequence[Dot]) -> TextDocument:
        """Return the text of a start; if it was never edited, it begins as that start, written by the changes ``wrote``."""
        dots = [_called(names_of(view.reader), dot) for dot in wrote]
        document = self.document(view, key, start, dots)
        for dot in dots:
            if dot not in document.sequence.starts:  # those of which it was begun are void
                self._started(view, document, key, dot, start)
        return document

    def keep_starts(self, view: View, entity: Entity, field: str, past: Mapping[bytes, int]) -> None:
        """Keep the starts of texts that a write with this past replaces: a concurrent edit of them may still arrive."""
        wrote: dict[str, list[Dot]] = {}
        replaced: dict[str, None] = {}
        for actor, seq, _, value in entity.cells[field]:
            if isinstance(value, str):
                wrote.setdefault(value, []).append((actor, seq))
                if seq <= past.get(actor, 0):
                    replaced[value] = None
        for start in replaced:
            key = (entity.key, field, self.genesis(entity, start))
            document = self._begun(view, key, start, wrote[start])
            if view.text(key) is None:
                self._touched.add(key)
                view.save_text(key, document.state(), 0)
                self._open[key].serial = 0

    def started(self, view: View, entity: Entity, field: str, start: str, dot: Dot) -> None:
        """Note that one more change wrote a start, if the text of that start is kept or was edited."""
        key = (entity.key, field, self.genesis(entity, start))
        if view.text(key) is not None:
            self._started(view, self.document(view, key), key, _called(names_of(view.reader), dot), start)

    def started_void(self, view: View, entity: Entity, field: str, start: str, dot: Dot) -> None:
        """Keep the start that a void change wrote, and hide it: others may have edited that text."""
        key, called = (entity.key, field, self.genesis(entity, start)), _called(names_of(view.reader), dot)
        if view.text(key) is not None:
            self._started(view, self.document(view, key), key, called, None)
            return
        from edda_sync.crdt.text.document import TextDocument

        self._touched.add(key)
        document = TextDocument.start(key[2], start, [called], void=True)
        view.save_text(key, document.state(), 0)
        self._open[key] = _Open(document, 0, 0)

    def _started(self, view: View, document: TextDocument, key: Key, dot: Dot, start: str | None) -> None:
        self._touched.add(key)
        document.started(dot, start)
        self._save(view, key, dot)

    def _save(self, view: View, key: Key, dot: Dot) -> None:
        """Write a text's state, after a change did something to it that cannot be replayed as an edit."""
        opened = self._open[key]
        opened.serial = view.append_text(key, *dot, b"")  # a number of its own, so that other processes read it anew
        view.save_text(key, opened.document.state(), opened.serial)
        opened.tail = 0

    def take(self, view: View, key: Key, state: bytes) -> bytes:
        """
        Take a text's state from a segment, into a store that has nothing of it; return its hash.

        Raises:
            CorruptError: No device writes such a state.
        """
        from edda_sync.crdt.text.document import TextDocument

        document = TextDocument.load(state)
        document.check()
        self._touched.add(key)
        self._open.pop(key, None)
        view.save_text(key, state, 0)
        return document.hash()

    def _append(self, view: View, key: Key, dot: Dot, edit: bytes, *, void: bool = False) -> None:
        opened = self._open[key]
        if opened.serial < 0:  # its first edit here
            opened.serial = 0
            view.save_text(key, opened.document.state(), opened.serial)
            return
        if void:
            self._save(view, key, dot)
            return
        opened.serial = view.append_text(key, *dot, edit)
        opened.tail += 1
        if opened.tail >= TAIL_MAX:
            view.save_text(key, opened.document.state(), opened.serial)
            opened.tail = 0


def _called(names: Names, dot: Dot) -> Dot:
    """Return the name and number by which texts call a change; the name is its actor where no chain forked."""
    if names is NOBODY:
        return dot
    from edda_sync.fold.item_names import item_name

    return item_name(names, dot[0]), dot[1]
