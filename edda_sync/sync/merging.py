"""
Taking segments: how an empty store begins with a segment that another device made of the log, and checks it later.

1. A store takes a segment only by name, after it asked for it, and while it holds nothing yet. The segment leaves room in
   the log for the changes that it stands for.
2. The segment is *provisional* until those changes are here and fold to the same root. They are fetched in the background,
   checked like all changes, and put into that room.
3. If they fold to another root, the segment is dropped and its maker named; what the log says counts.
4. A segment is taken only if it is complete, its hash is its name, and its maker and heads are signed by members.
5. A refused segment is not asked for again; the log comes instead. A newer version may put more into a segment than this
   one can read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes import early
from edda_sync.crdt import frontier
from edda_sync.crdt.digests import root
from edda_sync.crdt.schema import check_state
from edda_sync.crdt.state import decode, encode, hash_entity
from edda_sync.fold.fold import Fold
from edda_sync.ledger.ledger import Ledger
from edda_sync.segments import segment as segments
from edda_sync.segments.segment import Opened
from edda_sync.store.seams import Head, Store, StoreReader, StoreWriter
from edda_sync.sync.keys import Verify
from edda_sync.sync.making import made_segment, root_of
from edda_sync.sync.messages import Offer, Snapshot
from edda_sync.sync.provisional import FORGED_KEY, PROVISIONAL_KEY, UNPROVED_KEY, Provisional
from edda_sync.sync.taking import Taken
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, InvalidValueError, LostStatesError, RemoteError, RemoteProtocolError
from edda_sync.workspace import authority


class Merging:
    """
    The segments that one store takes. Every call is one transaction or reader of the store.

    Args:
        store, ledger: The store, and its ledger.
        verify: Checks the signature of any device.
        workspace: The workspace's id.

    Attributes:
        refused: The names of the last segments that were refused.
    """

    def __init__(self, store: Store, ledger: Ledger, verify: Verify, workspace: bytes) -> None:
        self._store, self._ledger, self._verify_signature, self._workspace = store, ledger, verify, workspace
        self.refused: deque[bytes] = deque(maxlen=limits.SEGMENT_HALVES_MAX)

    def first_wanted(self, offer: Offer) -> int | None:
        """Return the first part that is wanted of an offered segment; None when the log is wanted instead."""
        if not 0 < offer.parts <= limits.SEGMENT_PARTS_MAX:
            raise RemoteProtocolError("a segment out of bounds")
        with self._store.read() as reader:
            if reader.log.heads() or reader.log.position() or offer.segment in self.refused:
                return None
            if any(map(reader.meta.get, (FORGED_KEY, UNPROVED_KEY))):
                return None  # a segment was wrong before, so only the log is taken
            return dict(reader.blobs.unreferenced()).get(offer.segment, 0)

    def take(self, snapshot: Snapshot) -> Taken:
        """
        Take a part of a segment that was asked for. With the last part, this store begins with the segment.

        Raises:
            RemoteProtocolError: The segment is damaged, or contains what nobody signed; its parts are forgotten.
        """
        name, parts = snapshot.segment, snapshot.parts
        if not 0 <= snapshot.number < parts <= limits.SEGMENT_PARTS_MAX or len(snapshot.data) > limits.PART_BYTES_MAX:
            raise RemoteProtocolError("a part of a segment out of bounds")

        def keep(tx: StoreWriter) -> Taken | None:
            if tx.log.heads() or tx.log.position():
                tx.blobs.drop(name)
                # Another peer was faster, or a program wrote here meanwhile: then the log itself is to be sent.
                return Taken(0, early=early.is_pending(tx))
            halves = {half: parts for half, parts in halves_of(tx) if half != name}
            if len(halves) >= limits.SEGMENT_HALVES_MAX:  # keep those that have come furthest
                tx.blobs.drop(min(halves, key=lambda half: halves[half]))
            tx.blobs.keep_part(name, snapshot.number, snapshot.data)
            return None

        dropped = self._store.transact(keep)
        if dropped is not None or snapshot.number + 1 < parts:
            return dropped or Taken(0)
        try:
            return self._store.transact(lambda tx: self._begin_with(tx, name, parts))
        except RemoteError:
            self._store.transact(lambda tx: tx.blobs.drop(name))
            self.refused.append(name)
            raise

    def _begin_with(self, tx: StoreWriter, name: bytes, parts: int) -> Taken:
        if dict(tx.blobs.unreferenced()).get(name) != parts:
            tx.blobs.drop(name)
            return Taken(0, early=True)
        if not segments.is_whole(tx, name):
            raise RemoteProtocolError("a segment that is not what its name says")
        opened = segments.read(segments.parts_of(tx, name))
        self._check_signatures(opened)
        fold = self._ledger.fold(tx)
        take_into(fold, opened)
        fold.flush()
        fold.refresh()
        members = {record.signing_key for _, record in authority.members(tx)}
        makers = {opened.header.maker, *(changes.decode_birth(head.birth).public_key for head in opened.heads)}
        if not makers <= members:
            raise RemoteProtocolError("a segment by, or with a head of, a device that is not a member")
        for head in opened.heads:
            tx.log.set_head(head)
            tx.signatures.add(head.actor, head.signed_seq, head.signature)
        if root_of(tx) != opened.header.root:
            raise RemoteProtocolError("a segment whose content does not match its root")
        behind = sum(head.seq for head in opened.heads)
        tx.segments.append(behind + 1, name)
        provisional = Provisional(name, opened.header.maker, opened.header.root, behind + 1, behind)
        tx.meta.set(PROVISIONAL_KEY, msgspec.msgpack.encode(provisional))
        for half, _ in halves_of(tx):
            tx.blobs.drop(half)
        return Taken(behind)

    def _check_signatures(self, opened: Opened) -> None:
        """Check the signatures of the maker and of the heads' authors, and that the segment holds what heads depend on."""
        header = opened.header
        if not self._verify_signature(header.maker, header.signature, segments.signed_header(header, self._workspace)):
            raise RemoteProtocolError("a segment that its maker did not sign")
        if all(changes.workspace_of(head.birth) != self._workspace for head in opened.heads):
            raise RemoteProtocolError("a segment without the life in which its workspace was founded")
        at = {head.actor: head.seq for head in opened.heads}
        if len(at) != len(opened.heads):
            raise RemoteProtocolError("a segment with two heads of one actor")
        for head in opened.heads:
            try:
                closed = frontier.covers(at, dict(msgspec.msgpack.decode(head.deps, type=list[tuple[bytes, int]])))
            except ValueError:
                closed = False
            birth = changes.decode_birth(head.birth)
            if not closed or changes.actor_of(head.birth) != head.actor:
                raise RemoteProtocolError(
                    "a segment with a malformed head, or one that depends on what it does not hold"
                )
            message = changes.signed_message(self._workspace, head.actor, head.seq, head.hash)
            if head.signed_seq != head.seq or not self._verify_signature(birth.public_key, head.signature, message):
                raise RemoteProtocolError("a segment with a head that its author did not sign")


def take_into(fold: Fold, opened: Opened) -> None:
    """
    Load a segment's entities and texts into the fold of an empty store.

    Raises:
        RemoteProtocolError: Its content does not match its root, or cannot be read.
    """
    hashes: list[tuple[bytes, bytes]] = []
    at = {head.actor: head.seq for head in opened.heads}
    for entry in opened.entries:
        try:
            entity = decode(entry.key[1:], entry.state)
            check_state(entity, at)  # first, because a state that is nested too deeply could not even be encoded
            if entity.key != entry.key or encode(entity) != entry.state:
                raise RemoteProtocolError("a segment with a state that is not canonical, or under another one's key")
            texts = {
                (text.field, text.genesis): fold.texts.take(fold.view, (entry.key, *text[:2]), text.state)
                for text in entry.texts
            }
        except LostStatesError:  # of this device
            raise
        except (CorruptError, InvalidValueError) as error:
            raise RemoteProtocolError(f"a segment with an invalid state ({error})") from None
        edited = entity.edited_texts()
        if any(text not in texts for text in edited):
            raise RemoteProtocolError("a segment without a text that an entity of it names")
        hashes.append((entry.key, hash_entity(entry.key, entry.state, [texts[text] for text in edited])))
        fold.load_state(entity)
    if root(hashes) != opened.header.root:
        raise RemoteProtocolError("a segment whose content does not match its root")


def open_taken(fold: Fold, name: bytes) -> Mapping[bytes, Head]:
    """
    Load the segment that a store began with into a fold of its log; return the segment's heads.

    Raises:
        CorruptError: It rotted on this disk.
    """
    with segments.ours():
        opened = segments.read(segments.parts_of(fold.reader, name))
        take_into(fold, opened)
    return {head.actor: head for head in opened.heads}


def halves_of(reader: StoreReader) -> list[tuple[bytes, int]]:
    """Return name and number of parts of each segment that is half received."""
    made = made_segment(reader)
    return [(name, parts) for name, parts in reader.blobs.unreferenced() if made is None or name != made.hash]
