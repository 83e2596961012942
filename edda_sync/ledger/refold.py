"""
Folding again: the whole log into an empty view, or some entities, with or without some changes.

Content is a function of the log. So damage to the view is mended from the log alone, without trusting anybody. When evidence
changes the effect of some changes, their entities are folded again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from edda_sync.changes import change as changes
from edda_sync.changes import early
from edda_sync.changes.chains import names_of
from edda_sync.changes.past import Pasts, Walk
from edda_sync.crdt import frontier, operation
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.fold import rings, uniques
from edda_sync.fold.fold import Fold
from edda_sync.fold.texts import Texts
from edda_sync.ledger.admission import is_admissible
from edda_sync.store import anew
from edda_sync.store.feed import Feed
from edda_sync.store.seams import Head, Logged, StoreReader, StoreWriter
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, RemoteProtocolError

AHEAD_MAX: Final = 500  # how many changes a rebuild holds at once

TakeSegment = Callable[[Fold, bytes], Mapping[bytes, Head]]
"""Takes a segment, by its hash, into a fold; returns its heads."""


def rebuild(
    tx: StoreWriter,
    texts: Texts,
    pasts: Pasts,
    feed: Feed,
    take_segment: TakeSegment,
    *,
    stop: int | None = None,
    reached: Callable[[], None] = lambda: None,
    workspace: bytes | None = None,
) -> int:
    """
    Fold the whole log into an empty view; return the number of changes.

    Args:
        tx: A transaction of the store.
        texts, pasts, feed: The store's texts, pasts and feed.
        take_segment: Takes a segment into the fold.
        stop, reached: A position, and what to call once everything below it is folded and in the tables.
        workspace: The workspace's id, to check again who may write below ``stop``, because that was checked against the
            members of a segment.

    Raises:
        RemoteProtocolError: A life in the log had no right to begin.
    """
    tx.clear_view()  # first, because it also repairs what somebody changed in the tables
    anew.note(tx)
    feed.note_everything()
    fold, walk = Fold(tx, texts, write=partial(feed.write, tx)), Walk(pasts, tx)
    taken, logged = dict(tx.segments.merged()), tx.log.positions_after({})
    seen: Frontier = {}
    ahead = _Ahead(tx, fold, logged)
    for position in sorted([*logged, *taken]):
        if stop is not None and position >= stop:
            stop = None
            fold.flush()
            fold.refresh()
            reached()
            workspace = None
        if position in taken:
            heads = take_segment(fold, taken[position])
            walk.start(heads)
            fold.flush()
            if early.is_unnamed(tx):
                seen = {name: head.seq for name, head in heads.items()}
        else:
            _fold_again(tx, fold, walk, ahead.take(position), workspace, seen)
    fold.flush()
    fold.refresh()
    if stop is not None:
        reached()
    return len(logged)


class _Ahead:
    """
    The changes of a log in order, read some at a time together with their entities.

    Args:
        tx: A transaction of the store.
        fold: The fold that takes them.
        positions: Their positions, in order.
    """

    def __init__(self, tx: StoreWriter, fold: Fold, positions: Sequence[int]) -> None:
        self._tx, self._fold, self._positions = tx, fold, positions
        self._next = 0
        self._read: dict[int, Logged] = {}

    def take(self, position: int) -> Logged:
        """Return a change; each is asked for once, in order."""
        if position not in self._read:
            size = 0
            while self._next < len(self._positions) and len(self._read) < AHEAD_MAX and size < limits.PART_BYTES_MAX:
                logged = self._tx.log.read(self._positions[self._next])
                self._read[logged.position] = logged
                self._next += 1
                size += len(logged.body)
            headers = [(each.body, changes.decode_header(each.raw)) for each in self._read.values()]
            self._fold.read_ahead((body, header.operations) for body, header in headers if not header.parts)
        return self._read.pop(position)


def refold(
    tx: StoreWriter,
    texts: Texts,
    pasts: Pasts,
    feed: Feed,
    keys: Collection[bytes],
    without: Collection[Dot] = (),
) -> int:
    """
    Fold some entities from the log again, with or without some changes, which are then *void*.

    A void change stays in the log, and counts as delivered for everything that depends on it. Its operations have no
    effect, and those of others keep theirs: words next to its own keep their place, and what it created and others went on
    with is still shown. What it had spent of its life's budget for an entity becomes free.

    Each change that is folded is first compared with its hash. What came by a segment is not in the log, and such entities
    stay as they are.

    Args:
        tx: A transaction of the store.
        texts, pasts, feed: The store's texts, pasts and feed.
        keys: The keys of the entities.
        without: The dots of the void changes, by the log's names.

    Returns:
        The number of changes that were folded.

    Raises:
        CorruptError: A change in the log is damaged; nothing has changed.
    """
    if not keys or tx.segments.merged():
        return 0
    positions = sorted({position for key in keys for position in tx.mentions.of(key)})
    for position in positions:
        verify_logged(tx, tx.log.read(position))
    others = (*tx.edges.referrers(list(keys)), *rings.ended(tx, sorted(keys)), *uniques.rivals(tx, keys))
    pointing = [key for key in others if key not in keys]
    anew.note(tx)
    tx.forget(list(keys))
    feed.note(keys)
    fold = Fold(tx, texts, only=frozenset(keys), write=partial(feed.write, tx))
    replay(tx, fold, pasts, positions, without)
    fold.flush()
    fold.show_again(pointing)
    fold.refresh()
    return len(positions)


def replay(
    tx: StoreWriter,
    fold: Fold,
    pasts: Pasts,
    positions: Iterable[int],
    without: Collection[Dot] = (),
    until: Callable[[], bool] = lambda: False,
) -> None:
    """
    Fold some changes of the log once more, into a fold that knows which entities it is for.

    Args:
        tx: A transaction of the store, or of a scratch store with its log.
        fold: A fold of it.
        pasts: The pasts of the store.
        positions: Their positions in the log, ascending.
        without: The dots of those that are void.
        until: Asked after each change; True ends it.
    """
    walk = Walk(pasts, tx)
    for position in positions:
        logged = tx.log.read(position)
        _fold_again(tx, fold, walk, logged, None, void=(logged.actor, logged.seq) in without)
        if until():
            return


def _fold_again(
    tx: StoreWriter,
    fold: Fold,
    walk: Walk,
    logged: Logged,
    workspace: bytes | None,
    seen: Mapping[bytes, int] | None = None,
    *,
    void: bool = False,
) -> None:
    """Fold a change of the log again, perhaps with more seen than it says; or only what remains of a void change."""
    header = changes.decode_header(logged.raw)
    raw = tx.log.heads()[logged.actor].birth
    birth = changes.decode_birth(raw)
    deps = walk.at(logged.actor, logged.seq)
    if seen:
        deps = frontier.join(deps, seen)
    if header.birth is not None and workspace is not None:
        fold.flush()
        if not is_admissible(fold.entities, birth, raw, deps, workspace):
            raise RemoteProtocolError("a change by a device that is not a member")
    fold.begin(logged.actor, logged.seq, header.wall_ms, deps, logged.position, birth.public_key, void=void)
    body: Iterable[bytes] = tx.log.parts(logged.position) if header.parts else (logged.body,)
    fold.receive(map(operation.decode, operation.cut(body, header.operations)), understood=header.is_understood)


def verify_logged(reader: StoreReader, logged: Logged) -> None:
    """
    Compare a change of the log with its hashes.

    Raises:
        CorruptError: It is damaged.
    """
    what = f"Change {logged.seq:,} of the log's actor {logged.actor.hex()}"
    try:
        header = changes.decode_header(logged.raw)
    except RemoteProtocolError:
        raise CorruptError(what) from None
    parts = [changes.hash_part(part) for part in reader.log.parts(logged.position)] if header.parts else []
    content = changes.hash_parts(tuple(parts)) if header.parts else changes.hash_part(logged.body)
    chained = changes.hash_change(header.previous, changes.hash_header(logged.raw))
    named = (names_of(reader).actor(logged.actor), logged.seq, header.content, logged.hash)
    if (header.actor, header.seq, content, chained) != named:
        raise CorruptError(what)
