"""
Collaborative text: the one place that meets pycrdt.

A text is one pycrdt document with one root ``Text``. Its genesis, the string it starts from, is written under a client
id derived from entity, field and string, so every device makes the same document out of the same start; edits are
written under the actor that makes them, and travel as Yjs updates (Nicolaescu et al. 2016, "Near real-time peer-to-peer
shared editing on extensible data types").

What keeps pycrdt safe to use, each fact measured with 0.14:

1. Nothing reaches it that :mod:`~edda_sync.crdt.validator` has not read, from peers and from disk alike.
2. Its offsets are UTF-8 bytes, and one inside a character corrupts the document: here only code points are counted.
3. A transaction does not roll back: edits are checked whole before the first is made, and a document in which something
   failed half-way is never used again.
4. A panic of its Rust side is a BaseException: it becomes a refusal in :meth:`TextDocument._touching`, only there.
5. ``Doc.observe`` makes a cycle that no collector sees: subscriptions end with the edit that needs them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from edda_sync import limits, values
from edda_sync.crdt import validator
from edda_sync.crdt.diff import Edit, apply_edits
from edda_sync.errors import InvalidValueError, LimitError, RefusedTextError, UsageError

if TYPE_CHECKING:
    from pycrdt import Doc, Text, TransactionEvent

GENESIS_BIT: Final = 1 << limits.ACTOR_BITS  # set in genesis ids, clear in actors
_READER: Final = 0  # client id of a document in which nobody here has written yet


def genesis_id(entity: bytes, field: str, start: str) -> int:
    """
    Return the client id under which a text's start is written; pass it to :meth:`TextDocument.start`.

    It covers the string: two different starts under one id would diverge for ever, with equal state vectors.

    Args:
        entity: Id of the task or document, 16 bytes.
        field: ``description`` or ``content``.
        start: The string that the text starts from.

    Returns:
        53 bits, the highest of them set.
    """
    head = entity + len(field.encode()).to_bytes(2, "big") + field.encode()
    digest = blake2b(head + start.encode(), digest_size=8, person=b"edda-genesis").digest()
    return GENESIS_BIT | int.from_bytes(digest, "big") >> (64 - limits.ACTOR_BITS)


class TextDocument:
    """
    One text in memory: read it, edit it, apply what others did.

    Edit it only inside the store's write transaction, caught up to the head of the log; if that transaction is not
    committed, drop this object and load another. One thread at a time.
    """

    __slots__ = ("_ascii", "_client", "_doc", "_known", "_pairs", "_ruler", "_text")

    def __init__(self, state: bytes, contents: validator.Contents, client: int) -> None:
        self._known = dict(contents.known)  # next clock of each client
        self._pairs = contents.pairs  # where characters of two UTF-16 units are, see the validator
        self._ascii = contents.ascii  # then a code point is a byte; may stay False after the last other character went
        self._ruler: _Ruler | None = None  # for a text that is not ASCII: made when an edit needs it
        self._doc: Doc[Text] | None = None
        self._open(state, client)

    @classmethod
    def start(cls, genesis: int, start: str, actor: int = _READER) -> TextDocument:
        """
        Derive the text that starts from a string: the same bytes on every device.

        Args:
            genesis: From :func:`genesis_id`.
            start: The string.
            actor: Who will edit it, if known: saves a copy at the first edit.

        Raises:
            InvalidValueError: The string is too large, or not Unicode.
        """
        values.text("text", start)
        contents = validator.Contents(ascii=start.isascii())
        state = validator.EMPTY_UPDATE
        if start:
            doc, text = _new_doc(genesis)
            text.insert(0, start)
            state = doc.get_update()
            contents.known[genesis] = validator.units(start)
            if pairs := validator.second_units(start, 0):
                contents.pairs[genesis] = pairs
        return cls(state, contents, actor)

    @classmethod
    def load(cls, state: bytes, actor: int = _READER) -> TextDocument:
        """
        Load a text from its state: one's own from disk, or another device's snapshot.

        Args:
            state: From :meth:`state`.
            actor: Who will edit it, if known: saves a copy at the first edit.

        Raises:
            RefusedTextError: The state is damaged or no honest device wrote it.
        """
        return cls(state, validator.validate_state(state), actor)

    def state(self) -> bytes:
        """Return the whole text with its history of insertions, for :meth:`load` and :meth:`merge`; not canonical."""
        return self._usable().get_update()

    def string(self) -> str:
        """Return the text as it reads now."""
        self._usable()
        with self._touching():
            return str(self._text)

    def vector(self) -> dict[int, int]:
        """Return what the document holds: the next clock of each client, in UTF-16 units."""
        return _read_vector(self._usable().get_state())

    def edit(self, actor: int, edits: Sequence[Edit]) -> bytes:
        """
        Make edits, one after another, as one update; write it to the log in the same transaction, then publish it.

        Args:
            actor: This device's actor.
            edits: Position and number of code points deleted there, each in the text that the edit before it left, and
                the string inserted.

        Returns:
            One update that carries them all; it is empty, but valid, where they change nothing.

        Raises:
            InvalidValueError: An edit reaches outside the text or inserts what is not Unicode; nothing was done.
            LimitError: The text would be too large; or the update is, and then the object is unusable: load another.
        """
        assert not actor >> limits.ACTOR_BITS, "an actor has bit 52 clear; a genesis id must never write again"
        doc = self._usable()
        if self._client != actor:  # pycrdt fixes the client id when a document is made
            self._open(doc.get_update(), actor)
            doc = self._usable()
        self._ascii = self._check(actor, edits)
        if not self._ascii:
            self._measure()
        update = self._write(doc, edits)
        self._note_written(actor, edits)
        if len(update) > limits.TEXT_UPDATE_BYTES_MAX:
            self._doc = None
            raise LimitError("the edit of a text", len(update), limits.TEXT_UPDATE_BYTES_MAX)
        return update

    def apply(self, actor: int, update: bytes) -> None:
        """
        Apply an update, in causal order and once: what its author had applied before it must be in this text.

        Args:
            actor: Author of the change that carries it.
            update: As :meth:`edit` returned it there.

        Raises:
            RefusedTextError: No honest device writes this; the text is unchanged. If it took pycrdt to find out, which
                the validator is there to prevent, the object is also unusable: load another.
        """
        doc = self._usable()
        contents = validator.validate(update, author=actor, known=self._known, pairs=self._pairs)
        with self._touching():
            doc.apply_update(update)
        self._note(contents)

    def merge(self, state: bytes) -> None:
        """
        Join the whole state of the same text from a snapshot; what is in both stands once.

        Args:
            state: From :meth:`state` of another device.

        Raises:
            RefusedTextError: As for :meth:`load`; if pycrdt could not take all of it, the object is also unusable.
        """
        doc = self._usable()
        contents = validator.validate_state(state)
        with self._touching():
            doc.apply_update(state)
        self._note(contents)
        self._check_whole()

    def _open(self, state: bytes, client: int) -> None:
        self._client = client
        with self._touching():
            self._doc, self._text = _new_doc(client)
            self._doc.apply_update(state)
        self._check_whole()

    def _usable(self) -> Doc[Text]:
        if self._doc is None:
            raise UsageError("Something failed while this text was changed; drop the object and load the text again.")
        return self._doc

    @contextmanager
    def _touching(self) -> Iterator[None]:
        """Give up the document if anything fails while pycrdt has it; turn its panics and errors into refusals."""
        try:
            yield
        except BaseException as error:
            self._doc = None
            if isinstance(error, (ValueError, RuntimeError)) or type(error).__name__ == "PanicException":
                raise RefusedTextError(f"pycrdt cannot take it: {error}") from error
            raise

    def _check_whole(self) -> None:
        """Refuse a state of which yrs holds something back: blocks of two clients that each wait for the other."""
        if self.vector() != self._known:
            self._doc = None
            raise RefusedTextError("a state is not whole")

    def _check(self, actor: int, edits: Sequence[Edit]) -> bool:
        """Refuse edits that cannot all be made, before the first one is; return whether the text stays ASCII."""
        size = len(self._text)
        length = size if self._ascii else self._measure().length
        ascii_after = self._ascii
        added = 0
        for position, deleted, inserted in edits:
            if position < 0 or deleted < 0 or position + deleted > length:
                why = f"{deleted} code points at {position} are not all inside a text of {length}"
                raise InvalidValueError("edit", why, (position, deleted))
            if not inserted.isascii():
                values.text("edit", inserted)
                ascii_after = False
            added += len(inserted.encode())
            length += len(inserted) - deleted
        clock = self._known.get(actor, 0) + added
        if clock > limits.TEXT_CLOCK_MAX:
            raise LimitError("what one device wrote into the text", clock, limits.TEXT_CLOCK_MAX)
        if added and size + added > limits.TEXT_BYTES_MAX:  # what is deleted is counted only where it could matter
            size_after = len(apply_edits(self.string(), edits).encode())
            if size_after > max(size, limits.TEXT_BYTES_MAX):  # two devices together may have made it larger
                raise LimitError("the text", size_after, limits.TEXT_BYTES_MAX)
        return ascii_after

    def _measure(self) -> _Ruler:
        if self._ruler is None:
            self._ruler = _Ruler(self.string())
        return self._ruler

    def _write(self, doc: Doc[Text], edits: Sequence[Edit]) -> bytes:
        """Make checked edits in one transaction and return its update."""
        updates: list[bytes] = []

        def keep(event: TransactionEvent) -> None:
            updates.append(event.update)

        text, ruler = self._text, self._ruler
        with self._touching():
            subscription = doc.observe(keep)
            try:
                with doc.transaction():
                    for position, deleted, inserted in edits:
                        start, size = ruler.splice(position, deleted, inserted) if ruler else (position, deleted)
                        if size:
                            del text[start : start + size]
                        if inserted:
                            text.insert(start, inserted)
            finally:
                doc.unobserve(subscription)
        return updates[0] if updates else validator.EMPTY_UPDATE

    def _note_written(self, actor: int, edits: Sequence[Edit]) -> None:
        clock = self._known.get(actor, 0)
        for _, _, inserted in edits:
            if not inserted.isascii() and (pairs := validator.second_units(inserted, clock)):
                self._pairs.setdefault(actor, []).extend(pairs)
            clock += validator.units(inserted)
        if clock:
            self._known[actor] = clock

    def _note(self, contents: validator.Contents) -> None:
        """Take over what an update or state brought; of a state, part may be known already."""
        for client, clock in contents.known.items():
            self._known[client] = max(clock, self._known.get(client, 0))
        for client, pairs in contents.pairs.items():
            ours = self._pairs.setdefault(client, [])
            if ours and pairs[0] <= ours[-1]:
                ours[:] = sorted({*ours, *pairs})
            else:
                ours.extend(pairs)
        self._ascii = self._ascii and contents.ascii
        self._ruler = None


class _Ruler:
    """
    Code points to UTF-8 offsets in a text that is not ASCII.

    The text is kept in pieces short enough to be measured at each look: one string would be copied at each edit.
    """

    __slots__ = ("_pieces", "_sizes", "length")

    def __init__(self, text: str) -> None:
        self.length = len(text)
        self._pieces = _cut(text)
        self._sizes = [len(piece.encode()) for piece in self._pieces]

    def splice(self, position: int, deleted: int, inserted: str) -> tuple[int, int]:
        """Replace code points, and return offset and number of the bytes that they were."""
        pieces, sizes = self._pieces, self._sizes
        first, at, offset = 0, position, 0
        while at > len(pieces[first]):
            at -= len(pieces[first])
            offset += sizes[first]
            first += 1
        last, covered = first + 1, len(pieces[first])
        while covered < at + deleted:
            covered += len(pieces[last])
            last += 1
        touched = "".join(pieces[first:last])
        start, size = len(touched[:at].encode()), len(touched[at : at + deleted].encode())
        fresh = _cut(touched[:at] + inserted + touched[at + deleted :])
        if len(fresh) == 1:
            sizes[first:last] = [sum(sizes[first:last]) - size + len(inserted.encode())]
        else:
            sizes[first:last] = [len(piece.encode()) for piece in fresh]
        pieces[first:last] = fresh
        self.length += len(inserted) - deleted
        return offset + start, size


def _cut(text: str) -> list[str]:
    size = limits.TEXT_PIECE_CODE_POINTS
    if len(text) <= 2 * size:  # a piece may grow to twice the size: typing does not cut at each key
        return [text]
    return [text[at : at + size] for at in range(0, len(text), size)]


def _new_doc(client: int) -> tuple[Doc[Text], Text]:
    # Imported here: commands that only list tasks hold this module, and pycrdt takes 45 ms to load.
    from pycrdt import Doc, Text

    doc: Doc[Text] = Doc(client_id=client)
    return doc, doc.get(validator.ROOT, type=Text)


def _read_vector(raw: bytes) -> dict[int, int]:
    count, at = validator.read_number(raw, 0)
    vector = {}
    for _ in range(count):
        client, at = validator.read_number(raw, at)
        vector[client], at = validator.read_number(raw, at)
    return vector
