"""
Snapshots: segments made, served and merged. What brings a device to a frontier that no log reaches back from.

1. A segment is made once and kept for a day under its hash, so that a broken transfer goes on where it stopped.
2. Only a segment that is whole, whose hash is its name and whose heads are signed by members is merged; until then, and
   when it is refused, nothing but its parts is kept.
3. Merging is a join: what is here and in the segment stands once, and concurrent edits of both sides stand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from edda_sync import limits
from edda_sync.backup import segment as segments
from edda_sync.backup.segment import Entry, SegmentHeader, TextEntry
from edda_sync.crdt import change as changes
from edda_sync.crdt import frontier
from edda_sync.crdt.entity import Entity, bucket_of, check_state, digest_of, hash_entity, kind_and_id, state_of
from edda_sync.crdt.fold import Fold
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.ledger import WORKSPACE_KEY, Ledger, count_waiting, is_member
from edda_sync.crdt.texts import Key
from edda_sync.errors import CorruptError, ForkError, InvalidValueError, RemoteError, RemoteProtocolError
from edda_sync.protocols import Head, Store, StoreReader, StoreWriter
from edda_sync.sync import forks
from edda_sync.sync.messages import Snapshot

_MADE_SEGMENT: Final = "made_segment"
_decode_pairs = msgspec.msgpack.Decoder(list[tuple[int, int]]).decode


class Signer(Protocol):
    """The key of this device."""

    @property
    def public_key(self) -> bytes:
        """The raw Ed25519 public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return this device's signature."""
        ...


Verify = Callable[[bytes, bytes, bytes], bool]
"""``(public_key, signature, message)``: whether the signature is the key's over the message."""


class MadeSegment(msgspec.Struct, frozen=True, array_like=True):
    """A segment that was made here: its name, when (wall seconds), how many parts, at which frontier."""

    hash: bytes
    made_s: float
    parts: int
    frontier: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch or part: how many changes were applied, and which peer's changes came too early."""

    applied: int
    early: bool = False


class Snapshots:
    """
    The segments of one store; every call is one transaction or reader of the store.

    Args:
        store, ledger, signer, verify, wall_s: As for ``Exchange``.
    """

    def __init__(
        self, store: Store, ledger: Ledger, signer: Signer, verify: Verify, wall_s: Callable[[], float]
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._signer, self._verify_signature = signer, verify
        self._wall_s = wall_s

    def given(self, known: Mapping[int, int]) -> MadeSegment | None:
        """
        Return a segment that brings a peer on: of all that is here or, where nothing vouches for that, one that was merged.

        Args:
            known: What the peer holds already.
        """
        return self.made(known) if self.can_make() else self._merged(known)

    def _merged(self, known: Mapping[int, int]) -> MadeSegment | None:
        with self._store.read() as reader:
            for _, name in reader.segments():
                at = _frontier_of(segments.read(segments.parts_of(reader, name))[0])
                if frontier.lacking(known, at):
                    return MadeSegment(name, 0.0, sum(1 for _ in segments.parts_of(reader, name)), tuple(at.items()))
        return None

    def can_make(self) -> bool:
        """Tell whether a segment of what is here can be vouched for: all is applied, and every head is signed."""
        with self._store.read() as reader:
            return not count_waiting(reader) and all(
                self._is_own(head) or head.signed_seq == head.seq for head in reader.heads().values()
            )

    def made(self, known: Mapping[int, int]) -> MadeSegment:
        """
        Return a segment after which the log can go on: the one made within the last day, or a new one of all that is here.

        Args:
            known: What the peer holds already.
        """
        now_s = self._wall_s()

        def make(tx: StoreWriter) -> MadeSegment:
            made = _made_segment(tx)
            if made is not None:
                whole = dict(tx.kept_segments()).get(made.hash) == made.parts
                fresh = 0 <= now_s - made.made_s < limits.SNAPSHOT_KEPT_S_MAX
                if whole and fresh and missing(tx, frontier.join(known, dict(made.frontier))) is not None:
                    return made
                tx.drop_segment(made.hash)
            self._ledger.refresh(tx)
            heads = tuple(self._freshly_signed(tx, head) for head in sorted(tx.heads().values()))
            made = self._write_segment(tx, heads, now_s)
            tx.set_meta(_MADE_SEGMENT, msgspec.msgpack.encode(made))
            return made

        return self._store.transact(make)

    def _is_own(self, head: Head) -> bool:
        return head.public_key == self._signer.public_key

    def _freshly_signed(self, reader: StoreReader, head: Head) -> Head:
        if not self._is_own(head):
            return head
        message = changes.signed_message(reader.meta(WORKSPACE_KEY) or b"", head.actor, head.seq, head.hash)
        return head._replace(signed_seq=head.seq, signature=self._signer.sign(message))

    def _write_segment(self, tx: StoreWriter, heads: tuple[Head, ...], now_s: float) -> MadeSegment:
        total = sum(1 for _ in tx.all_records())
        header = SegmentHeader(heads, digest_of(tx.buckets()), total, forks.chains_of(tx, heads))
        digest = blake2b(digest_size=32)
        draft = b"segment in the making"  # its parts are renamed once its hash is known
        count = 0
        for part in segments.cut(segments.write(header, self._entries(tx))):
            digest.update(part)
            tx.keep_segment_part(draft, count, part)
            count += 1
        name = digest.digest()
        tx.name_segment(draft, name)
        return MadeSegment(name, now_s, count, tuple((head.actor, head.seq) for head in heads))

    def _entries(self, tx: StoreWriter) -> Iterator[Entry]:
        texts: defaultdict[bytes, list[tuple[str, int]]] = defaultdict(list)
        for key, field, genesis in tx.all_texts():  # replaced ones too: an edit of them may still be on its way
            texts[key].append((field, genesis))
        for record in tx.all_records():
            held = (TextEntry(f, g, self._text_state(tx, (record.key, f, g))) for f, g in texts[record.key])
            yield Entry(kind_and_id(record.key)[1], state_of(record.key, record.state), tuple(held))

    def _text_state(self, tx: StoreWriter, key: Key) -> bytes:
        stored = tx.text(*key)
        if stored is not None and not stored.tail:
            return stored.state
        return self._ledger.texts.document(tx, key).state()

    def part(self, segment: bytes, number: int) -> bytes | None:
        """Return a part of a segment that is kept here."""
        with self._store.read() as reader:
            return reader.segment_part(segment, number)

    def take(self, snapshot: Snapshot) -> Taken:
        """
        Take a part of a segment; the last one merges it.

        Raises:
            RemoteProtocolError: The segment is damaged, or says what nobody signed; its parts are forgotten.
            ForkError: A change of it is here under another hash; the fork is noted.
        """
        name, parts = snapshot.segment, snapshot.parts
        sound = len(name) == 32 and 0 <= snapshot.number < parts <= limits.SEGMENT_PARTS_MAX
        if not sound or len(snapshot.data) > limits.PART_BYTES_MAX:
            raise RemoteProtocolError("a part of a segment out of bounds")

        def keep(tx: StoreWriter) -> bool:
            made = _made_segment(tx)
            if (made is not None and made.hash == name) or any(name == merged for _, merged in tx.segments()):
                return False  # there is nothing in it that is not here
            halves = {half: parts for half, parts in halves_of(tx) if half != name}
            if len(halves) >= limits.SEGMENT_HALVES_MAX:  # what has come furthest stays
                tx.drop_segment(min(halves, key=lambda half: halves[half]))
            tx.keep_segment_part(name, snapshot.number, snapshot.data)
            return True

        if not self._store.transact(keep) or snapshot.number + 1 < parts:
            return Taken(0)
        try:
            with forks.noted(self._store):
                return self._store.transact(lambda tx: self._merge_segment(tx, name, parts))
        except RemoteError:
            self._store.transact(lambda tx: tx.drop_segment(name))
            raise

    def _merge_segment(self, tx: StoreWriter, name: bytes, parts: int) -> Taken:
        if dict(tx.kept_segments()).get(name) != parts:
            tx.drop_segment(name)
            return Taken(0, early=True)
        digest = blake2b(digest_size=32)
        for part in segments.parts_of(tx, name):
            digest.update(part)
        if digest.digest() != name:
            raise RemoteProtocolError("a segment that is not what its name says")
        before = tx.heads()
        ours = {head.actor: head.seq for head in before.values()}
        header, _ = segments.read(segments.parts_of(tx, name))
        self._check_heads(tx, header)
        last = [(head.actor, min(head.seq, ours.get(head.actor, 0))) for head in header.heads]
        for fork in forks.find(tx, [(*dot, forks.hash_in(header, *dot)) for dot in last if dot[1]]):
            raise ForkError(fork.actor, fork.seq, hashes=(fork.ours, fork.theirs))
        gained = frontier.lacking(ours, _frontier_of(header))
        if not gained:
            tx.drop_segment(name)
            return Taken(0)
        fold = self._ledger.fold(tx)
        merge_segment(fold, tx, name, ours)
        fold.flush()
        fold.refresh()
        if not all(is_member(tx, fold, head.public_key) for head in header.heads):
            raise RemoteProtocolError("a segment with a head of a device that is not a member")
        for head in header.heads:
            if head.seq > ours.get(head.actor, 0):
                tx.set_head(head)
                tx.sign(head.actor, head.signed_seq, head.signature)
        tx.append_segment(tx.log_position() + 1, name)
        if not before and digest_of(tx.buckets()) != header.digest:
            raise RemoteProtocolError("a segment of which other content comes than its digest says")
        self._forget_halves(tx)
        return Taken(gained)

    def _forget_halves(self, tx: StoreWriter) -> None:
        """Forget large changes and segments that were half here: what a segment brought has made them needless."""
        heads = tx.heads()
        for each in tx.incoming():
            if each.actor in heads and heads[each.actor].seq >= each.seq:
                tx.forget_incoming(each.actor, each.seq)
        for name, _ in halves_of(tx):
            tx.drop_segment(name)

    def _check_heads(self, reader: StoreReader, header: SegmentHeader) -> None:
        """Check that every head is signed by its author, and depends on nothing beyond the segment."""
        workspace = reader.meta(WORKSPACE_KEY) or b""
        try:
            at = frontier.from_pairs([(head.actor, head.seq) for head in header.heads])
            closed = all(frontier.covers(at, frontier.from_pairs(_decode_pairs(head.deps))) for head in header.heads)
        except (ValueError, msgspec.MsgspecError) as error:
            raise RemoteProtocolError(f"a segment with a malformed head ({error})") from None
        if not closed or len(header.chains) != len(header.heads):
            raise RemoteProtocolError("a segment that depends on what it does not hold, or has no chain for a head")
        for head, chain in zip(header.heads, header.chains, strict=True):
            if not forks.is_chain(head, chain):
                raise RemoteProtocolError("a segment with a chain that does not lead to its head")
            message = changes.signed_message(workspace, head.actor, head.seq, head.hash)
            if head.signed_seq != head.seq or not self._verify_signature(head.public_key, head.signature, message):
                raise RemoteProtocolError("a segment with a head that its author did not sign")


def merge_segment(fold: Fold, tx: StoreWriter, name: bytes, ours: Frontier) -> dict[int, Frontier]:
    """
    Join a kept segment's entities and texts into a fold; return what each of its heads depends on.

    What its maker's disk had let rot is refused: merged, it would be what this log says, and nothing could mend it.

    Args:
        fold: Where to.
        tx: Its transaction.
        name: The segment's hash.
        ours: The frontier at which the store's own states are complete.

    Raises:
        RemoteProtocolError: Its content is not what its digest says, or what no device makes.
    """
    header, blocks = segments.read(segments.parts_of(tx, name))
    theirs = _frontier_of(header)
    sums: defaultdict[int, int] = defaultdict(int)
    for block in blocks:
        for entry in block:
            entity = _entity_of(entry, theirs)
            texts = {
                (text.field, text.genesis): fold.texts.merge(tx, (entity.key, text.field, text.genesis), text.state)
                for text in entry.texts
            }
            hashes = [texts.get(text, b"") for text in entity.edited_texts()]
            sums[bucket_of(entry.id)] += int.from_bytes(hash_entity(entry.id, entry.state, hashes), "big")
            fold.merge(entity, ours, theirs)
    if digest_of({bucket: total % (1 << 128) for bucket, total in sums.items()}) != header.digest:
        raise RemoteProtocolError("a segment whose content is not what its digest says")
    return {head.actor: {**dict(_decode_pairs(head.deps)), head.actor: head.seq - 1} for head in header.heads}


def _entity_of(entry: Entry, at: Frontier) -> Entity:
    try:
        entity = Entity.decode(entry.id, entry.state)
        check_state(entity, at)
    except (CorruptError, InvalidValueError) as error:
        raise RemoteProtocolError(f"a segment with a state that no device makes ({error})") from None
    return entity


def _frontier_of(header: SegmentHeader) -> Frontier:
    return {head.actor: head.seq for head in header.heads}


def missing(reader: StoreReader, known: Mapping[int, int]) -> list[int] | None:
    """Return where the changes are that a frontier lacks; None when the log does not hold all of them."""
    held = {head.actor: head.seq for head in reader.heads().values()}
    positions = list(reader.positions_missing(known))
    return positions if len(positions) == frontier.lacking(known, held) else None


def halves_of(reader: StoreReader) -> list[tuple[bytes, int]]:
    """Return name and number of parts of each segment that is half here."""
    made = _made_segment(reader)
    return [(name, parts) for name, parts in reader.kept_segments() if made is None or name != made.hash]


def forget_made(tx: StoreWriter) -> None:
    """Forget the segment that is served: it may hold what the view was before it was folded anew."""
    made = _made_segment(tx)
    if made is not None:
        tx.drop_segment(made.hash)
        tx.drop_meta(_MADE_SEGMENT)


def _made_segment(reader: StoreReader) -> MadeSegment | None:
    stored = reader.meta(_MADE_SEGMENT)
    return None if stored is None else msgspec.msgpack.decode(stored, type=MadeSegment)
