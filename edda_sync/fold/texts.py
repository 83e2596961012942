"""
Texts: the edited text documents of a store, kept in memory while they are in use.

A document is brought up to date inside the transaction that edits it, because another process may have edited it too. If
another process folded something again, it is loaded again (:mod:`~edda_sync.store.anew`). If a transaction does not commit,
the documents that it touched are thrown away: they contain edits that do not exist, and would make this device diverge from
its peers.

The modules that create and read texts are imported only when needed, because commands that only list tasks load this module
too.
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
from edda_sync.words.model import TEXT_FIELDS, After, Replacement

if TYPE_CHECKING:
    from edda_sync.crdt.text import edits
    from edda_sync.crdt.text.document import TextDocument

TAIL_MAX: Final = 256  # after so many edits the state is written again, which limits what has to be replayed


class _Open:
    __slots__ = ("document", "serial", "tail")

    def __init__(self, document: TextDocument, serial: int, tail: int) -> None:
        self.document, self.serial, self.tail = document, serial, tail


class Texts:
    """
    The text documents in use; one for each store and process.

    Attributes:
        is_comparing: Whether what was read is being compared with its hash; see ``compared``.
    """

    def __init__(self) -> None:
        self._open: OrderedDict[Key, _Open] = OrderedDict()
        self._touched: set[Key] = set()
        self._still = anew.Still()
        self.is_comparing = False

    def committed(self) -> None:
        """Keep what the transaction that has just ended did to documents."""
        self._still.committed()
        self._touched.clear()
        while len(self._open) > limits.DOCUMENTS_CACHED_MAX:
            self._open.popitem(last=False)

    def rolled_back(self) -> None:
        """Throw away the documents that a failed transaction, or an undone part of one, touched."""
        if self._still.may_be_ahead():
            self._open.clear()
        self._still.rolled_back()
        for key in self._touched:  # they stay touched, because the rest of the transaction may read them again
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
        """Return the name of the text of an entity that starts with this string."""
        from edda_sync.crdt.text.document import genesis_id

        return genesis_id(entity.id, TEXT_FIELDS[entity.kind], start)

    def text_of(self, view: View, entity: Entity) -> str | None:
        """Return an entity's description or content as it reads now."""
        field = TEXT_FIELDS.get(entity.kind)
        return None if field is None else self.readable(view, entity, field, entity.value(field))

    def readable(self, view: View, entity: Entity, field: str, value: str | bytes | None) -> str | None:
        """Return the text that a text cell's value stands for: a start that was not edited, or an edited text."""
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

    def shown(self, view: View, entity: Entity) -> tuple[bytes, TextDocument] | None:
        """Return the genesis and the document of the text that an entity shows; None if that was never edited."""
        field = TEXT_FIELDS.get(entity.kind)
        value = None if field is None else entity.value(field)
        if field is None or value is None:
            return None
        genesis = value if isinstance(value, bytes) else self.genesis(entity, value)
        return (genesis, self.document(view, (entity.key, field, genesis))) if _is_edited(entity, genesis) else None

    def is_disputed(self, view: View, entity: Entity) -> bool:
        """Tell whether concurrent changes of a text of an entity may overlap."""
        return any(
            self.document(view, (entity.key, field, genesis)).sequence.is_disputed
            for field, genesis in entity.edited_texts()
        )

    def document(self, view: View, key: Key, start: str | None = None, dots: Sequence[Dot] = ()) -> TextDocument:
        """
        Return a text as the view has it.

        Args:
            view: The view of a transaction, or of a reader that sees the latest state.
            key: The text's key.
            start, dots: Its start and the changes that wrote it, for a text that was never edited here.

        Raises:
            CorruptError: The stored text cannot be read, is not what was written, or there is none and no start.
        """
        if not self._still.holds(view.reader):
            self._open.clear()
        self._touched.add(key)  # before it is caught up, or only looked into: an interrupt may leave it half done
        found, is_read = self._open.get(key), False
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
                found, is_read = _Open(TextDocument.load(stored.state), stored.serial, 0), True
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
        if is_read and not self.is_comparing:
            from edda_sync.fold.compared import compare

            compare(self, view, key, stored.state if stored is not None and not stored.tail else None)
        return found.document

    @staticmethod
    def decode(edit: bytes) -> edits.TextEdit:
        """
        Decode the edit in an operation.

        Raises:
            RefusedTextError: It does not have the only valid form of an edit.
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
        Apply an edit of a change.

        Args:
            view: The fold's view.
            entity: The text's entity.
            one: The operation.
            edit: The edit, from :meth:`decode`.
            dot: The change's dot.
            deps: What its author had applied before it.
            void: Whether evidence removes the change's effect.

        Raises:
            RefusedTextError: The text refuses it, and is unchanged.
        """
        document, key = self._of(view, entity, one.field, one.genesis)
        self._apply(view, names_of(view.reader), document, key, edit, one.edit, dot, deps, void=void)

    def _apply(
        self, view: View, names: Names, document: TextDocument, key: Key, edit: edits.TextEdit, encoded: bytes, dot: Dot,
        deps: Mapping[bytes, int], *, void: bool = False,
    ) -> None:  # fmt: skip
        """Apply an edit, after translating its names into those of its text."""
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
        after: After = (),
        *,
        rewrite: bool = False,
        merging: bool = False,
    ) -> tuple[bytes, int]:
        """
        Edit a text of an entity, in a change of this device; return the encoded edit, and its number of pieces.

        Args:
            view: The fold's view.
            entity: The text's entity.
            genesis: The genesis of the text.
            dot: The change's dot.
            deps: What this device has applied.
            changes: The edits, one after another.
            after: As for ``TextDocument.make``.
            rewrite: Whether the whole text was rewritten: the same rewrite on another device counts as one.
            merging: Whether it was acknowledged before, in another text; see ``TextDocument.make``.

        Raises:
            InvalidValueError: A position is outside of the text.
            LimitError: The text, or the edit, would be too large.
        """
        from edda_sync.crdt.text import edits

        names = names_of(view.reader)
        document, key = self._of(view, entity, TEXT_FIELDS[entity.kind], genesis)
        made = document.make(_called(names, dot)[0], changes, after, whole=rewrite, merging=merging)
        if names is not NOBODY:
            from edda_sync.fold.item_names import ItemNames

            made = ItemNames(names, document.sequence, dot, deps).said(made)
        encoded = edits.encode(made)
        self._apply(view, names, document, key, made, encoded, dot, deps)
        return encoded, made.pieces

    def _of(self, view: View, entity: Entity, field: str, genesis: bytes) -> tuple[TextDocument, Key]:
        """
        Return one of an entity's texts, made from its start if it was never edited.

        Raises:
            RefusedTextError: The text does not exist.
            CorruptError: It cannot be read, or it is missing although the entity names it: a fault of this device.
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
        """Return the string of one of an entity's texts, edited or not."""
        return self.opened(view, entity, genesis).string()

    def opened(self, view: View, entity: Entity, genesis: bytes) -> TextDocument:
        """Return one of an entity's texts, edited or not."""
        return self._of(view, entity, TEXT_FIELDS[entity.kind], genesis)[0]

    def _begun(self, view: View, key: Key, start: str, wrote: Sequence[Dot]) -> TextDocument:
        """Return the text with a start; if it was never edited, make it from the start, as written by ``wrote``."""
        dots = [_called(names_of(view.reader), dot) for dot in wrote]
        document = self.document(view, key, start, dots)
        for dot in dots:
            if dot not in document.sequence.starts:  # the changes that it was made of are void
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
                view.save_text(key, document.state(), 0)
                self._open[key].serial = 0

    def started(self, view: View, entity: Entity, field: str, start: str, dot: Dot) -> None:
        """Note that another change wrote the same start, if its text is kept or was edited."""
        key = (entity.key, field, self.genesis(entity, start))
        if view.text(key) is not None:
            self._started(view, self.document(view, key), key, _called(names_of(view.reader), dot), start)

    def started_void(self, view: View, entity: Entity, field: str, start: str, dot: Dot) -> None:
        """Keep the start that a void change wrote, hidden, because others may have edited that text."""
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
        document.started(dot, start)
        self._save(view, key, dot)

    def _save(self, view: View, key: Key, dot: Dot) -> None:
        """Write a text's state, after a change that cannot be replayed as an edit."""
        opened = self._open[key]
        opened.serial = view.append_text(key, *dot, b"")  # a new serial number, so that other processes read it
        view.save_text(key, opened.document.state(), opened.serial)
        opened.tail = 0

    def take(self, view: View, key: Key, state: bytes) -> bytes:
        """
        Take a text's state from a segment, into an empty store; return its hash.

        Raises:
            CorruptError: It is not a valid state.
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


def _is_edited(entity: Entity, genesis: bytes) -> bool:
    return any(genesis == edited for _, edited in entity.edited_texts())


def _called(names: Names, dot: Dot) -> Dot:
    """Return the name and seq that texts use for a change; the name is its actor if no chain forked."""
    if names is NOBODY:
        return dot
    from edda_sync.fold.item_names import item_name

    return item_name(names, dot[0]), dot[1]
