"""
Making segments, which a store serves to a newcomer when sending the log would take longer.

1. A segment is made once, and kept for a day under its hash, so that a broken transfer can continue where it stopped.
2. The maker signs the segment, so a store makes none of what it only believes. While its own segment is provisional, it
   passes on that segment, with its maker's signature, and makes none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from hashlib import blake2b
from typing import Final

import msgspec

from edda_sync.changes import early
from edda_sync.changes.chains import NOBODY, names_of
from edda_sync.crdt import digests, frontier
from edda_sync.crdt.state import state_of
from edda_sync.fold.view import Key, View
from edda_sync.ledger.ledger import Ledger
from edda_sync.segments import segment as segments
from edda_sync.segments.segment import Entry, SegmentHeader, Text
from edda_sync.store import anew
from edda_sync.store.seams import Head, Store, StoreReader, StoreWriter
from edda_sync.sync.giving import Giving, missing
from edda_sync.sync.keys import Signer
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError

_MADE_SEGMENT: Final = "made_segment"


class MadeSegment(msgspec.Struct, frozen=True, array_like=True):
    """
    A segment that can be served: its name, when it was made (wall seconds), its number of parts, and its frontier.
    ``folded`` counts how often the store had folded something again by then: an older segment may hold an outdated view.
    """

    hash: bytes
    made_s: float
    parts: int
    frontier: tuple[tuple[bytes, int], ...]
    folded: int = 0


class Making:
    """
    The segments that one store serves. Every call is one transaction or reader of the store.

    Args:
        store, ledger: The store, and its ledger.
        giving: What the store gives.
        signer: This device's key.
        workspace: The workspace's id.
        wall_s: Wall clock in seconds.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        giving: Giving,
        signer: Signer,
        workspace: bytes,
        wall_s: Callable[[], float],
    ) -> None:
        self._store, self._ledger, self._giving = store, ledger, giving
        self._signer, self._workspace, self._wall_s = signer, workspace, wall_s

    def pays(self) -> bool:
        """Tell whether a segment costs a newcomer, who holds nothing, less than the log does."""
        with self._store.read() as reader:
            counted, mentions = reader.tables.counts(), reader.mentions.count()
        entities = sum(counted[each] for each in ("tasks", "documents", "tags", "hidden"))
        return segment_saves_us(counted["changes"], mentions, entities) >= limits.SEGMENT_SAVES_US_MIN

    def given(self, known: Mapping[bytes, int]) -> MadeSegment | None:
        """
        Return a segment for a newcomer: one of everything that is here; while our own segment is provisional, that one.

        Args:
            known: What the peer already holds.
        """
        return self.made(known) if self._can_make() else self._taken(known)

    def _taken(self, known: Mapping[bytes, int]) -> MadeSegment | None:
        with self._store.read() as reader:
            for _, name in reader.segments.merged():
                if not segments.is_whole(reader, name):
                    continue  # it rotted on this disk
                at = {head.actor: head.seq for head in segments.read(segments.parts_of(reader, name)).heads}
                if frontier.lacking(known, at):
                    return MadeSegment(name, 0.0, sum(1 for _ in segments.parts_of(reader, name)), tuple(at.items()))
        return None

    def _can_make(self) -> bool:
        """Tell whether this store can make a segment: everything is applied, comes from the log, and may be given."""
        with self._store.read() as reader:
            return (
                not reader.segments.merged()
                and not reader.unapplied.waiting()
                and not early.is_pending(reader)
                and names_of(reader) is NOBODY  # only the log can tell which branch a head belongs to
                and all(
                    self._giving.is_own(head) or head.signed_seq == head.seq for head in reader.log.heads().values()
                )
            )

    def has(self, known: Mapping[bytes, int]) -> bool:
        """Tell whether :meth:`given` needs no new segment."""
        if not self._can_make():
            return True
        with self._store.read() as reader:
            return self._kept(reader, known, self._wall_s()) is not None

    @staticmethod
    def _kept(reader: StoreReader, known: Mapping[bytes, int], now_s: float) -> MadeSegment | None:
        """Return the segment that was made before, if it still is complete and current, and the log can continue it."""
        made = made_segment(reader)
        if made is None:
            return None
        whole = dict(reader.blobs.unreferenced()).get(made.hash) == made.parts and segments.is_whole(reader, made.hash)
        fresh = made.folded == anew.times(reader) and 0 <= now_s - made.made_s < limits.SNAPSHOT_KEPT_S_MAX
        goes_on = whole and fresh and missing(reader, frontier.join(known, dict(made.frontier))) is not None
        return made if goes_on else None

    def made(self, known: Mapping[bytes, int]) -> MadeSegment | None:
        """
        Return a segment that the log can continue: the one made within the last day, or a new one of everything that is
        here.

        Return None when there is so much here that no peer would accept a segment; then only the log can be given.

        Args:
            known: What the peer already holds.
        """
        now_s = self._wall_s()

        def make(tx: StoreWriter) -> MadeSegment | None:
            kept = self._kept(tx, known, now_s)
            if kept is not None:
                return kept
            made = made_segment(tx)
            if made is not None:
                tx.blobs.drop(made.hash)
            self._ledger.refresh(tx)
            if tx.index.stale():
                raise CorruptError("A text of this store")
            made = self._write(tx, [self._giving.sign(head) for head in sorted(tx.log.heads().values())], now_s)
            if made is None:
                tx.meta.drop(_MADE_SEGMENT)
            else:
                tx.meta.set(_MADE_SEGMENT, msgspec.msgpack.encode(made))
            return made

        return self._store.transact(make)

    def part(self, segment: bytes, number: int) -> bytes | None:
        """Return a part of a segment that is kept here; None if there is none."""
        with self._store.read() as reader:
            return reader.blobs.part(segment, number)

    def _write(self, tx: StoreWriter, heads: list[Head], now_s: float) -> MadeSegment | None:
        total = sum(1 for _ in tx.states.scan())
        header = SegmentHeader(
            self._signer.public_key, root_of(tx), segments.hash_heads(heads), len(heads), total
        )  # fmt: skip
        signature = self._signer.sign(segments.signed_header(header, self._workspace))
        digest = blake2b(digest_size=32)
        draft = b"segment in the making"  # its parts are renamed once its hash is known
        count = 0
        stream = segments.write(msgspec.structs.replace(header, signature=signature), heads, self._entries(tx))
        for part in segments.cut(stream):
            if count == limits.SEGMENT_PARTS_MAX:
                tx.blobs.drop(draft)
                return None
            digest.update(part)
            tx.blobs.keep_part(draft, count, part)
            count += 1
        name = digest.digest()
        tx.blobs.rename(draft, name)
        return MadeSegment(name, now_s, count, tuple((head.actor, head.seq) for head in heads), anew.times(tx))

    def _entries(self, tx: StoreWriter) -> Iterator[Entry]:
        texts: defaultdict[bytes, list[tuple[str, bytes]]] = defaultdict(list)
        for entity, field, genesis in tx.states.texts():  # replaced texts too: an edit of them may still arrive
            texts[entity].append((field, genesis))
        for record in tx.states.scan():
            held = tuple(Text(f, g, self._text_state(tx, (record.key, f, g))) for f, g in texts[record.key])
            yield Entry(record.key, state_of(record.key, record.state), held)

    def _text_state(self, tx: StoreWriter, key: Key) -> bytes:
        stored = tx.states.text(*key)
        if stored is not None and not stored.tail:
            return stored.state
        return self._ledger.texts.document(View(tx), key).state()


def segment_saves_us(changes: int, mentions: int, entities: int) -> int:
    """
    Return how much more the log costs a newcomer than a segment with the log behind it, in microseconds.

    Args:
        changes: The number of changes in the log.
        mentions: The number of entities that they are about, counted once for each change.
        entities: The number of entities.
    """
    by_log = limits.LOG_CHANGE_US * changes + limits.LOG_MENTION_US * mentions
    return by_log - 2 * limits.SEGMENT_ENTITY_US * entities


def root_of(reader: StoreReader) -> bytes:
    """Return the root of everything that a store holds. Every text must be up to date."""
    return digests.root((record.key, record.hash) for record in reader.states.scan())


def made_segment(reader: StoreReader) -> MadeSegment | None:
    """Return the segment that was made here and is kept to be served; None if there is none."""
    stored = reader.meta.get(_MADE_SEGMENT)
    return None if stored is None else msgspec.msgpack.decode(stored, type=MadeSegment)


def forget_made(tx: StoreWriter) -> None:
    """Forget the segment that is served, because it may hold an outdated view."""
    made = made_segment(tx)
    if made is not None:
        tx.blobs.drop(made.hash)
        tx.meta.drop(_MADE_SEGMENT)
