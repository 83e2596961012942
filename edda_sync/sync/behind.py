"""
The log behind a segment: how a store that began with a segment checks what it believed.

The store asks any peer for the changes that the segment stands for, a batch at a time. They are checked like all changes,
and put into the room that the segment left below it in the log. Once all are here, they are folded. If they give the root
that the segment's maker signed, the segment is confirmed. If they do not, the maker is named, and the log counts
(:mod:`~edda_sync.sync.fallback`). The store also falls back to the log when no peer has the rest: a member may have signed a
change for a segment, and shown it to nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from edda_sync.changes import change as changes
from edda_sync.changes import early
from edda_sync.changes.change import DEP_HASH_BYTES, Change
from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.crdt.records import device_id
from edda_sync.ledger.admission import Admitted, place_of
from edda_sync.ledger.ledger import Ledger
from edda_sync.segments import segment as segments
from edda_sync.store.composed import ComposedWriter, over
from edda_sync.store.seams import Head, Logged, Store, StoreReader, StoreWriter
from edda_sync.sync.fallback import UNNAMED, fall_back
from edda_sync.sync.keys import Verify
from edda_sync.sync.large import expect, incoming_of
from edda_sync.sync.making import root_of
from edda_sync.sync.merging import open_taken
from edda_sync.sync.messages import Behind, Earlier, Part, Summary
from edda_sync.sync.provisional import FORGED_KEY, PROVISIONAL_KEY, UNPROVED_KEY, Provisional, provisional
from edda_sync.sync.readmission import readmit
from edda_sync.sync.taking import Taken, check_body
from edda_sync.sync.vouchers import Vouched
from edda_sync.words.errors import RemoteProtocolError


class _LogBelow:
    """The log behind the segment, where it differs from the store's: its heads are the last of its changes that are here."""

    def __init__(self, tx: StoreWriter) -> None:
        self._tx = tx

    def heads(self) -> Mapping[bytes, Head]:
        return self._tx.segments.behind()

    def position(self) -> int:
        return sum(head.seq for head in self._tx.segments.behind().values())

    def append(self, logged: Logged, head: Head) -> None:
        self._tx.log.append(logged, self._tx.log.heads()[head.actor])  # this head is far ahead, and stays
        self._tx.segments.set_behind(head)


class _NoSegments:
    """Stands in for the segments facet: the log behind a segment has no segments, so it is checked like any log."""

    def merged(self) -> Sequence[tuple[int, bytes]]:
        return ()


def _below(tx: StoreWriter) -> StoreWriter:
    """Return the store's transaction, as the log behind the segment sees it."""
    log, segments = over(tx.log, _LogBelow(tx)), over(tx.segments, _NoSegments())
    return replace(ComposedWriter.of(tx), log=log, segments=segments)


class _ElsewhereError(RemoteProtocolError):
    """A log other than the one that the segment stands for."""

    def __init__(self) -> None:
        super().__init__("a log that contradicts the segment that it belongs to")


class _ForgedError(Exception):
    """The log behind a segment does not fold to the root that its maker signed, or contains what no store may accept."""


class LogBehind:
    """
    Fetches the log behind a store's segment. Every call is one transaction or reader of the store.

    Args:
        store, ledger: The store, and its ledger's keeper.
        verify: Checks anybody's signature.
        workspace: The workspace's id.
        random: Source of random bytes.

    Attributes:
        ended: How many segments were confirmed or dropped since this object was made. After each, the store may show, and
            can give, other content than before.
        fell: How many of them changed what this device had written: those that were dropped, those that left drafts on
            content that is lost, and those whose drafts could not say what they had seen.
    """

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        verify: Verify,
        workspace: bytes,
        random: Callable[[int], bytes],
    ) -> None:
        self._store, self._ledger, self._verify_signature, self._workspace = store, ledger, verify, workspace
        self._random = random
        self.ended = self.fell = 0

    def wanted(self) -> Behind | None:
        """Return what to ask a peer for; None when nothing is missing."""
        with self._store.read() as reader:
            begun = provisional(reader)
            if begun is None:
                return None
            held = {actor: head.seq for actor, head in reader.segments.behind().items()}
            heads = sorted(_heads(reader, begun))
            upto = tuple(Summary(head.actor, head.seq, head.hash[:DEP_HASH_BYTES]) for head in heads)
            return Behind(tuple(frontier.to_pairs(held)), upto)

    def lacks(self, dot: Dot) -> bool:
        """Tell whether a change of the log behind is missing here."""
        with self._store.read() as reader:
            return provisional(reader) is not None and _held(reader.segments.behind(), dot[0]) < dot[1]

    def reached(self) -> int:
        """Return how many changes of the log behind are here."""
        with self._store.read() as reader:
            return sum(head.seq for head in reader.segments.behind().values())

    def witnesses(self) -> frozenset[str]:
        """
        Return the devices that must have held what is missing of the log behind: the maker of the segment, and the authors.

        If such a device is here and does not have it, it lost it or never had it, and hardly anybody else can bring it.
        """
        with self._store.read() as reader:
            begun = provisional(reader)
            if begun is None:
                return frozenset()
            behind, heads = reader.segments.behind(), _heads(reader, begun)
            births = (head.birth for head in heads if _held(behind, head.actor) < head.seq)
            keys = {begun.maker, *(changes.decode_birth(birth).public_key for birth in births)}
            return frozenset(map(device_id, keys))

    def completes(self, batch: Earlier) -> bool:
        """Tell whether a batch would complete the log behind; then all of it is folded."""
        with self._store.read() as reader:
            begun = provisional(reader)
            if begun is None:
                return False
            headers = [changes.decode_header(raw) for raw, _ in batch.changes]
            held = {actor: head.seq for actor, head in reader.segments.behind().items()}
            brought = {header.actor: header.seq for header in headers if not header.parts}
            return frontier.covers(frontier.join(held, brought), _frontier_of(reader, begun))

    def take(self, batch: Earlier) -> Taken:
        """
        Take a batch of the log behind. The last one confirms the segment or drops it.

        Raises:
            RemoteProtocolError: It is malformed, nothing vouches for it, or it contradicts the segment's heads.
        """
        decoded = [Change(changes.decode_header(raw), raw, body) for raw, body in batch.changes]
        for change in decoded:
            check_body(change)
        with self._starting_over():
            taken, whole = self._store.transact(lambda tx: self._take(tx, decoded, batch))
            if whole:
                self._end()
        return taken

    @contextmanager
    def _starting_over(self) -> Iterator[None]:
        """
        Forget everything that is here of the log behind, if something in it contradicts the segment's heads.

        The cause may be an earlier batch: an author who forks its own chain has signed both branches.
        """
        try:
            yield
        except _ElsewhereError:
            self._store.transact(lambda tx: tx.segments.drop_behind())
            raise

    def _take(self, tx: StoreWriter, batch: list[Change], message: Earlier) -> tuple[Taken, bool]:
        begun = provisional(tx)
        if begun is None:
            return Taken(0), False
        below = _below(tx)
        upto = _frontier_of(tx, begun)
        held = tx.segments.behind()
        fresh = [
            change
            for change in batch
            if _held(held, change.header.actor) < change.header.seq <= upto.get(change.header.actor, 0)
        ]
        vouched = Vouched.verify(self._verify_signature, self._workspace, below, fresh, message.heads)
        if vouched is None:
            raise _ElsewhereError
        fold = self._ledger.fold(tx)
        for change in fresh:
            if change.header.parts:
                if not isinstance(place_of(below, change), Admitted):
                    expect(tx, change)
                break
            outcome = self._ledger.append(below, fold, change)
            if outcome is not Admitted.APPLIED:
                raise _ElsewhereError
        vouched.keep(below)
        dots = tuple(change.header.dot for change in batch)
        return Taken(0, held=dots), _is_whole(tx, upto)

    def take_part(self, part: Part) -> bool | None:
        """
        Take a part of a large change of the log behind; return None when it is a part of no such change.

        Returns:
            True when no more parts of this change are to come: the change is complete, or its earlier parts were lost and
            it must be asked for again.
        """

        def work(tx: StoreWriter) -> tuple[bool | None, bool]:  # of the change, and whether the log is whole
            begun = provisional(tx)
            if begun is None:
                return None, False
            upto = _frontier_of(tx, begun)
            if not _held(tx.segments.behind(), part.actor) < part.seq <= upto.get(part.actor, 0):
                return None, False
            incoming = incoming_of(tx, part)
            if incoming is None:
                return True, False
            header = changes.decode_header(incoming.raw)
            tx.incoming.keep_part(incoming.actor, incoming.seq, part.number, part.data)
            if len(incoming.parts | {part.number}) < len(header.parts):
                return part.number + 1 == len(header.parts), False
            below = _below(tx)
            outcome = self._ledger.append(below, self._ledger.fold(tx), Change(header, incoming.raw, b""))
            if outcome is not Admitted.APPLIED:
                raise _ElsewhereError
            return True, _is_whole(tx, upto)

        with self._starting_over():
            is_over, whole = self._store.transact(work)
            if whole:
                self._end()
        return is_over

    # --- the end of a segment -----------------------------------------------------------------------------------------

    def _end(self) -> None:
        """Confirm the segment if the log behind it, now complete, folds to its root; else fall back to that log."""
        try:
            written_again = self._store.transact(self._confirm)
        except _ForgedError:
            self._fall_back(FORGED_KEY)
            return
        self.ended += 1
        self.fell += written_again

    def _confirm(self, tx: StoreWriter) -> bool:
        """Confirm the segment; tell whether what was written on it had to be written again."""
        begun = provisional(tx)
        assert begun is not None, "its log has just become whole"
        heads = {head.actor: head for head in _heads(tx, begun)}
        behind = tx.segments.behind()
        if any(behind[actor].hash != head.hash for actor, head in heads.items()):
            raise _ElsewhereError
        tx.meta.drop(PROVISIONAL_KEY)
        roots: list[bytes] = []
        whole = lambda: roots.append(root_of(tx))  # noqa: E731 - it belongs to this transaction
        unnamed = early.is_unnamed(tx)
        try:
            if unnamed:
                fall_back(tx, self._ledger, begun.segment, self._random(16), UNNAMED, whole)
            else:
                for actor, below in behind.items():  # until now, a head's dependencies were only what the maker said
                    tx.log.set_head(tx.log.heads()[actor]._replace(deps=below.deps))
                tx.segments.end(begun.segment)
                early.forget_drafted(tx)
                self._ledger.rebuild(tx, open_taken, stop=begun.position, reached=whole, check=True)
        except RemoteProtocolError:
            raise _ForgedError from None
        if roots != [begun.root]:
            raise _ForgedError
        if unnamed:
            return True
        if not early.is_pending(tx):
            tx.segments.forget_rewritten()
        return readmit(tx, self._ledger, self._random)

    def give_up(self) -> None:
        """Fall back to what is here of the log behind, because no reachable peer has the rest. Nothing written is lost."""
        self._fall_back(UNPROVED_KEY)

    def _fall_back(self, blamed: str) -> None:
        try:
            fell = self._store.transact(lambda tx: self._fall(tx, blamed))
        except RemoteProtocolError:  # the log cannot be folded either: one of its writers had no right to write
            fell = self._store.transact(lambda tx: self._fall(tx, blamed, keep=False))
        self.ended += fell
        self.fell += fell

    def _fall(self, tx: StoreWriter, blamed: str, *, keep: bool = True) -> bool:
        begun = provisional(tx)
        if begun is None:
            return False
        tx.meta.drop(PROVISIONAL_KEY)
        if not keep:
            tx.segments.drop_behind()
        fall_back(tx, self._ledger, begun.segment, self._random(16))
        readmit(tx, self._ledger, self._random)
        tx.meta.set(blamed, begun.maker)
        return True


def _is_whole(reader: StoreReader, upto: Frontier) -> bool:
    behind = reader.segments.behind()
    return all(_held(behind, actor) >= seq for actor, seq in upto.items())


def _frontier_of(reader: StoreReader, begun: Provisional) -> Frontier:
    return {head.actor: head.seq for head in _heads(reader, begun)}


def _heads(reader: StoreReader, begun: Provisional) -> Iterable[Head]:
    """Return a segment's heads. If they rotted, they are those of the log but for the drafts; the root proves it later."""
    try:
        return segments.read(segments.parts_of(reader, begun.segment)).heads
    except RemoteProtocolError:
        drafted = early.drafted(reader)
        return [head for head in reader.log.heads().values() if head.actor not in drafted]


def _held(heads: Mapping[bytes, Head], actor: bytes) -> int:
    return heads[actor].seq if actor in heads else 0
