"""
Mending: this device asks its peers for changes of the log that rotted on its disk, and checks the answers by hash.

The right hash of a change follows from the later changes of its chain, up to the head. So neither the rotten row nor the
peer has to be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator

from edda_sync.changes import change as changes
from edda_sync.ledger.refold import verify_logged
from edda_sync.store.seams import Logged, Store, StoreReader, StoreWriter
from edda_sync.sync.messages import Fetch, Found, Part
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, RemoteProtocolError


class Mending:
    """
    What one store asks for again. Every call is one transaction or reader of the store.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def wanted(self) -> Fetch | None:
        """Scan the whole log and return what to ask peers for; None when nothing of it rotted."""
        with self._store.read() as reader:
            rotten = tuple((actor, seq, digest) for actor, seq, digest, _ in _rotten(reader))
        return Fetch(rotten[: limits.FETCHED_MAX]) if rotten else None

    def answer(self, actor: bytes, seq: int, digest: bytes, part: int | None) -> Found | Part | None:
        """
        Return what is held here of a change that a peer asks for; None when nothing sound is held.

        Args:
            actor, seq, digest: The name under which the peer holds it, and the hash that it must have.
            part: The number of a part of its body; None for its header with a body that is not in parts.
        """
        with self._store.read() as reader:
            position = reader.log.position_of(actor, seq)
            if position is None:
                return None
            logged = reader.log.read(position)
            if logged.hash != digest or _previous(logged, digest) is None:
                return None
            header = changes.decode_header(logged.raw)
            if part is None:
                sound = bool(header.parts) or changes.hash_part(logged.body) == header.content
                return Found(((logged.raw, logged.body),)) if sound else None
            data = reader.log.part(position, part)
            sound = data is not None and part < len(header.parts) and changes.hash_part(data) == header.parts[part]
            return Part(actor, seq, part, data) if sound and data is not None else None

    def take(self, found: Found) -> int:
        """Put changes back in place of rotten ones; return how many of these are complete again."""

        def work(tx: StoreWriter) -> int:
            rotten = {digest: (name, position) for name, _, digest, position in _rotten(tx)}
            mended = 0
            for raw, body in found.changes:
                header = changes.decode_header(raw)
                digest = changes.hash_change(header.previous, changes.hash_header(raw))
                if digest not in rotten:
                    continue
                name, position = rotten[digest]
                if not header.parts and changes.hash_part(body) != header.content:
                    continue
                logged = Logged(position, name, header.seq, digest, raw, b"" if header.parts else body)
                tx.log.replace(logged)
                mended += _is_sound(tx, logged)
            return mended

        return self._store.transact(work)

    def take_part(self, part: Part) -> int:
        """Put a part back in place of a rotten one; return 1 if its change is complete again, else 0."""

        def work(tx: StoreWriter) -> int:
            position = tx.log.position_of(part.actor, part.seq)
            if position is None:
                return 0
            logged = tx.log.read(position)
            if _is_sound(tx, logged):
                return 0
            hashes = changes.decode_header(logged.raw).parts
            if part.number >= len(hashes) or changes.hash_part(part.data) != hashes[part.number]:
                return 0
            tx.log.replace_part(position, part.number, part.data)
            return int(_is_sound(tx, logged))

        return self._store.transact(work)


def _rotten(reader: StoreReader) -> Iterator[tuple[bytes, int, bytes, int]]:
    """Yield actor, seq, expected hash, and position of each change that rotted."""
    for head in reader.log.heads().values():
        expected = head.hash
        for seq in range(head.seq, 0, -1):
            position = reader.log.position_of(head.actor, seq)
            if position is None:
                break  # a segment stands for it and for all changes before it
            logged = _read(reader, position)
            if logged is None or logged.hash != expected or not _is_sound(reader, logged):
                yield head.actor, seq, expected, position
            previous = None if logged is None else _previous(logged, expected)
            if previous is None:
                before = reader.log.position_of(head.actor, seq - 1)
                known = None if before is None else _read(reader, before)
                previous = b"" if known is None else known.hash  # nothing better is known about it
            expected = previous


def _read(reader: StoreReader, position: int) -> Logged | None:
    """Return a change of the log; None if the disk has made values of other types of it."""
    try:
        return reader.log.read(position)
    except CorruptError:
        return None


def _previous(logged: Logged, expected: bytes) -> bytes | None:
    """Return the hash of the change before, if the header of this one is intact; otherwise None."""
    try:
        header = changes.decode_header(logged.raw)
    except RemoteProtocolError:
        return None
    return (
        header.previous if changes.hash_change(header.previous, changes.hash_header(logged.raw)) == expected else None
    )


def _is_sound(reader: StoreReader, logged: Logged) -> bool:
    try:
        verify_logged(reader, logged)
    except CorruptError:
        return False
    return True
