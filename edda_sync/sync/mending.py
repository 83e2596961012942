"""
Mending: changes of the log that rotted on this disk are asked of peers, by hash, and believed for nothing but their hash.

What a change's hash must be is said by what follows it in its actor's chain, up to the head. So the row that rotted is not
asked, and neither is the peer.
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
    What one store asks for again; every call is one transaction or reader of the store.

    Args:
        store: The store.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def wanted(self) -> Fetch | None:
        """Look at the whole log, and return what to ask peers for; None when nothing of it rotted."""
        with self._store.read() as reader:
            rotten = tuple((actor, seq, digest) for actor, seq, digest, _ in _rotten(reader))
        return Fetch(rotten[: limits.FETCHED_MAX]) if rotten else None

    def answer(self, actor: bytes, seq: int, digest: bytes, part: int | None) -> Found | Part | None:
        """
        Return what is here of a change that a peer asks for; None when there is nothing, or nothing sound.

        Args:
            actor, seq, digest: Under which name the peer holds it, and what it must hash to.
            part: Number of a part of its body; None for its header and what of its body is beside that.
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
        """Put changes back in the place of those that rotted; return how many were mended whole."""

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
        """Put a part back in the place of one that rotted; return 1 when that made its change whole."""

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
    """Yield actor, seq, the hash that it must have, and the position of each change that is not what was written."""
    for head in reader.log.heads().values():
        expected = head.hash
        for seq in range(head.seq, 0, -1):
            position = reader.log.position_of(head.actor, seq)
            if position is None:
                break  # a segment stands for it and for what is before it
            logged = reader.log.read(position)
            if logged.hash != expected or not _is_sound(reader, logged):
                yield head.actor, seq, expected, position
            previous = _previous(logged, expected)
            if previous is None:
                before = reader.log.position_of(head.actor, seq - 1)
                previous = b"" if before is None else reader.log.read(before).hash  # the best that is known of it
            expected = previous


def _previous(logged: Logged, expected: bytes) -> bytes | None:
    """Return the hash of the change before one, if its header is what was written."""
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
