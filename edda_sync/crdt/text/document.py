"""
Collaborative text: the interface for the rest of the product, and the only module that uses pycrdt.

A text starts from a string, its *genesis*. The units of that string are named by a hash of entity, field and string, so
every device derives the same text from the same start. Edits are sent as ``edits.TextEdit``. A device's own edits are
handled like those of others: ``making`` makes them, ``judging`` judges them, and ``sequence`` places them. None of this
needs pycrdt: the text is read from the sequence itself.

A Yjs editor gets the same text from :meth:`TextDocument.doc`, a pycrdt document that is rendered from the sequence and
then follows it. The sequence decides: if the document reads differently, it is rendered again. Three things to know
about pycrdt 0.14: its offsets are UTF-8 bytes, its transactions do not roll back, and a panic in its Rust code is a
BaseException.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text import making, yjs
from edda_sync.crdt.text import state as text_state
from edda_sync.crdt.text.clients import NAME_BYTES, client_ids
from edda_sync.crdt.text.diff import apart, apply_edits, compose
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.crdt.text.hunks import Hunk
from edda_sync.crdt.text.sequence import TextSequence
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError, LimitError, RefusedTextError, is_panic
from edda_sync.words.model import After, Replacement

if TYPE_CHECKING:
    from pycrdt import Doc, Text

HASH_BYTES: Final = 32


def genesis_id(entity: bytes, field: str, start: str) -> bytes:
    """
    Return the name of a text and of the units that it starts from; pass it to :meth:`TextDocument.start`.

    The name covers the string: two different starts with one name would diverge forever.

    Args:
        entity: Id of the task or document, 16 bytes.
        field: ``description`` or ``content``.
        start: The string that the text starts from.

    Returns:
        16 bytes.
    """
    head = entity + len(field.encode()).to_bytes(2, "big") + field.encode()
    return blake2b(head + start.encode(), digest_size=NAME_BYTES, person=b"edda-genesis").digest()


def hash_state(state: bytes) -> bytes:
    """Return the hash of a text by its state, 32 bytes."""
    return blake2b(state, digest_size=HASH_BYTES, person=b"edda-text").digest()


class TextDocument:
    """
    One text in memory: read it, edit it, and apply edits of others.

    Edit it only inside the store's write transaction, when it has all edits of the log. If that transaction is not
    committed, drop this object and load another. A refused edit changes nothing, and the object stays usable. Use it
    from one thread at a time.
    """

    __slots__ = ("_doc", "_hash", "_ids", "_text")

    def __init__(self, text: TextSequence) -> None:
        self._text = text
        self._hash: bytes | None = None
        self._doc: Doc[Text] | None = None
        self._ids: dict[bytes, int] = {}  # the client ids in the pycrdt document

    @classmethod
    def start(cls, genesis: bytes, start: str, dots: Iterable[Dot], *, void: bool = False) -> TextDocument:
        """
        Derive the text that starts from a string. It is the same on every device.

        Args:
            genesis: From :func:`genesis_id`.
            start: The string.
            dots: The changes that wrote it. Report later ones with :meth:`started`.
            void: Whether all of these changes are void. The start is then hidden.

        Raises:
            InvalidValueError: The string is too large, or not Unicode.
        """
        text = TextSequence(genesis, values.text("text", start), dots)
        if void:
            text.hide_start()
        return cls(text)

    @classmethod
    def load(cls, state: bytes) -> TextDocument:
        """
        Load a text from its state: our own from disk, or one from another device's segment, which :meth:`check` then
            checks.

        Raises:
            CorruptError: The bytes are not a state.
        """
        try:
            return cls(text_state.decode(state))
        except ValueError as error:
            raise CorruptError(f"a text ({error})") from None

    @property
    def genesis(self) -> bytes:
        """The name of the text."""
        return self._text.genesis

    @property
    def sequence(self) -> TextSequence:
        """The units of the text, for :mod:`~edda_sync.fold.item_names`."""
        return self._text

    def started(self, dot: Dot, start: str | None = None) -> None:
        """
        Note one more change that wrote the same start. An author that knows only this change may edit the text.

        Args:
            dot: The change.
            start: The string, if all earlier changes that wrote it may be void; it is then shown.
        """
        text = self._text
        text.starts.add(dot)
        if start:
            points = text.order.points
            text.show(text.index[text.genesis], start)
            if text.order.points != points:
                self._doc = None
        self._hash = None

    # --- reading ------------------------------------------------------------------------------------------------------

    def string(self) -> str:
        """Return the present text."""
        return self._text.order.string()

    def state(self) -> bytes:
        """Return the whole text for :meth:`load`: equal bytes wherever the same starts and edits were accepted."""
        return text_state.encode(self._text)

    def hash(self) -> bytes:
        """Return the hash of :meth:`state`, 32 bytes."""
        if self._hash is None:
            self._hash = hash_state(self.state())
        return self._hash

    def vector(self) -> dict[bytes, int]:
        """Return the next clock of each name that has units, in UTF-16 units."""
        text = self._text
        held = {text.genesis: text.started}
        held.update((text.names[name], author.insertions.clock) for name, author in text.authors.items())
        held.update((text.names[name], rewrite.size) for name, rewrite in text.rewrites.items())
        return {name: clock for name, clock in held.items() if clock}

    def check(self) -> None:
        """
        Check that every run is after its left neighbour and before its right one. Use this for a state from another
        device.

        Raises:
            CorruptError: No edits lead to this text.
        """
        try:
            text_state.check(self._text)
        except ValueError as error:
            raise CorruptError(f"a text ({error})") from None

    # --- changing -----------------------------------------------------------------------------------------------------

    decode = staticmethod(codec.decode)  # also here, so that callers that have a document need not load that module

    def edit(self, dot: Dot, past: Mapping[bytes, int], edits: Sequence[Replacement]) -> TextEdit:
        """
        Make several edits as one edit of this device; ``edits.encode`` it into the operation of the change.

        Args:
            dot: The change that will contain the edit.
            past: What that change depends on, with this actor's previous change: actor to seq.
            edits: Triples of a position, the number of code points deleted there, and the inserted string. Each
                position counts in the text after the edit before it.

        Returns:
            The edit. It has no blocks and no deletions if the edits change nothing.

        Raises:
            InvalidValueError: An edit is outside the text, or inserts something that is not Unicode. Nothing was changed.
            LimitError: The text, the edit, or what this device wrote into the text would be too large. Nothing was
                changed.
        """
        return self._edit(dot, past, edits, whole=False)

    def rewrite(self, dot: Dot, past: Mapping[bytes, int], edits: Sequence[Replacement]) -> TextEdit:
        """
        Make edits like :meth:`edit`, as a rewrite of the whole text. If another device makes the same rewrite, it
        counts once.

        Args:
            dot, past: As for :meth:`edit`.
            edits: From ``diff.diff`` of the text that its author saw and the new text, rebased to the present text.

        Raises:
            InvalidValueError, LimitError: As for :meth:`edit`.
        """
        return self._edit(dot, past, edits, whole=True)

    def apply(
        self, edit: TextEdit, dot: Dot, past: Mapping[bytes, int], own: bytes | None = None, *, void: bool = False
    ) -> None:
        """
        Apply an edit of the log, in the order of the log.

        Args:
            edit: From ``edits.decode``.
            dot: The change that contains the edit.
            past: What that change depends on, with its actor's previous change: actor to seq.
            own: The name of the edit's units, from ``item_names``. If no chain forked, the edit itself tells it.
            void: Whether the change is void: its units keep their places, hidden, and it deletes nothing.

        Raises:
            RefusedTextError: No honest device writes this edit. The verdict is the same on every device. Nothing has
                changed.
        """
        self._text.accept(edit, dot, past, own, void=void)
        self._hash = None
        if self._doc is not None:
            self._follow(edit, dot[0], own)

    def replay(self, edit: TextEdit, dot: Dot, own: bytes | None = None) -> None:
        """
        Apply an edit that this store has accepted and kept, after the same edits as when it was accepted.

        Args:
            edit: From ``edits.decode``.
            dot: The change that contains the edit.
            own: As for :meth:`apply`.

        Raises:
            RefusedTextError: It cannot have been accepted. Nothing has changed.
        """
        self._text.replay(edit, dot, own)
        self._hash = None
        if self._doc is not None:
            self._follow(edit, dot[0], own)

    def _edit(self, dot: Dot, past: Mapping[bytes, int], edits: Sequence[Replacement], *, whole: bool) -> TextEdit:
        edit = self.make(dot[0], edits, whole=whole)
        if _is_large(edit):
            codec.encode(edit)  # this refuses an edit that is too large to send
        try:
            self.apply(edit, dot, past)
        except RefusedTextError as refused:
            raise CorruptError(f"a text that refuses this device's own edit ({refused.reason})") from None
        return edit

    def make(
        self, actor: bytes, edits: Sequence[Replacement], after: After = (), *, whole: bool, merging: bool = False
    ) -> TextEdit:
        """
        Return edits of this device as one edit, and change nothing. :meth:`apply` then applies it.

        Args:
            actor: The author.
            edits: As for :meth:`edit`.
            after: Where the edits insert, if their positions do not tell it.
            whole: Whether it is to be a rewrite.
            merging: Whether the edits were acknowledged before, in another text. The text may then become as large as a
                merge can make it.

        Raises:
            InvalidValueError, LimitError: As for :meth:`edit`.
        """
        hunks = self._hunks(actor, edits, merging=merging)
        return making.make(self._text, actor, apart(edits) if after else hunks, after, whole=whole)

    def _hunks(self, actor: bytes, edits: Sequence[Replacement], *, merging: bool) -> list[Hunk]:
        """Return the edits as hunks of the present text; refuse them if they cannot all be made."""
        order = self._text.order
        for _, _, inserted in edits:
            if not inserted.isascii():
                values.text("edit", inserted)
        hunks = compose(edits, order.points)
        added = sum([len(inserted) if inserted.isascii() else len(inserted.encode()) for _, _, inserted in hunks])
        written = self._text.written(actor) + added  # at least as many bytes as units
        if written > limits.TEXT_CLOCK_MAX:
            raise LimitError("what one device wrote into the text", written, limits.TEXT_CLOCK_MAX, "begin a new text")
        if (
            added and not merging and order.size_bytes + added > limits.TEXT_BYTES_MAX
        ):  # deletions are counted only if the text would be too large
            size = len(apply_edits(self.string(), edits).encode())
            if size > max(order.size_bytes, limits.TEXT_BYTES_MAX):  # two devices together may have made it larger
                raise LimitError("the text", size, limits.TEXT_BYTES_MAX)
        return hunks

    # --- Yjs ----------------------------------------------------------------------------------------------------------

    def doc(self) -> Doc[Text]:
        """
        Return the text as a pycrdt document for a Yjs editor. Its root ``t`` contains the text.

        The document follows the edits of the text. Ask for it again after each edit: if it could not follow, it is
        another object.

        Raises:
            CorruptError: pycrdt makes another text of it.
        """
        if self._doc is None:
            self._doc = self._render()
        return self._doc

    def _render(self) -> Doc[Text]:
        from pycrdt import Doc, Text  # this takes 45 ms to load, and only an editor needs it

        self._ids = client_ids(self.vector())
        clients = [self._ids.get(name, 0) for name in self._text.names]
        doc: Doc[Text] = Doc()
        doc.get(yjs.ROOT, type=Text)
        if not self._reads_as_this(doc, yjs.of_runs(self._text.order.by_name(), clients)):
            raise CorruptError("a text (pycrdt reads another one)")
        return doc

    def _follow(self, edit: TextEdit, actor: bytes, own: bytes | None) -> None:
        """Apply an edit to the pycrdt document, too; drop the document if that fails."""
        ids = client_ids(self.vector())
        if self._doc is None or any(ids[name] != client for name, client in self._ids.items()):
            self._doc = None
            return
        if own is None:
            own = codec.rewrite_name(self.genesis, edit) if edit.is_rewrite else actor
        clients = [ids.get(name, 0) for name in (own, self.genesis, *edit.names)]
        self._ids = ids
        if not self._reads_as_this(self._doc, yjs.of_edit(edit, clients)):
            self._doc = None

    def _reads_as_this(self, doc: Doc[Text], update: bytes) -> bool:
        """Apply an update to a document, and tell whether the document then contains this text."""
        try:
            doc.apply_update(update)
            return str(doc[yjs.ROOT]) == self.string()
        except BaseException as error:
            if isinstance(error, (ValueError, RuntimeError)) or is_panic(error):
                return False
            raise


def _is_large(edit: TextEdit) -> bool:
    """Tell whether an edit may be close to the size limit, which is very rare."""
    length = sum([len(text) for _, _, text in edit.blocks])
    return length > limits.TEXT_UPDATE_BYTES_MAX // 8 or len(edit.blocks) + len(edit.deletions) > 10_000
