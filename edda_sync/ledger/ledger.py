"""
The ledger: changes go into a store's log and are folded, in one transaction.

1. A dot is allocated inside the commit: its ``seq`` is the head's plus one, so no two changes of an actor share a dot.
2. A change enters the log only after everything that it depends on, under the hashes that it names (causal delivery).
3. Log and view change together: whoever sees a change in the log sees its effects.
4. Whether a change is admitted depends on the change and its past alone. All devices refuse what breaks a rule: dependencies
   that go down, or are not closed; an author who is no member in the past of its life's birth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final

from edda_sync.changes import change as changes
from edda_sync.changes import early
from edda_sync.changes.chains import NOBODY, Chains, Place, keep_names, names_of
from edda_sync.changes.change import DEP_HASH_BYTES, NO_HASH, Change, Dep, Header, Said
from edda_sync.changes.drafts import Draft, Put, Verbatim
from edda_sync.changes.past import Pasts, added
from edda_sync.crdt import ext as exts
from edda_sync.crdt import frontier, operation
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.crdt.keys import key_of
from edda_sync.fold.fold import Fold
from edda_sync.fold.texts import Texts
from edda_sync.fold.waiting import Waiting
from edda_sync.ledger import admission
from edda_sync.ledger import refold as refolding
from edda_sync.ledger.admission import Admitted, Checked
from edda_sync.ledger.body import Body
from edda_sync.ledger.compose import Composer
from edda_sync.ledger.refold import TakeSegment
from edda_sync.store.feed import Feed
from edda_sync.store.seams import Head, Logged, StoreReader, StoreWriter
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, RefusedTextError
from edda_sync.workspace.actor import actor_of, meta_of
from edda_sync.workspace.keys import BIRTH_KEY, WORKSPACE_KEY

if TYPE_CHECKING:
    from edda_sync.fold.prepared import Prepared

DRAFTS_AT_ONCE: Final = 500  # how many drafts have their entities read together

_Base = tuple[Head | None, Frontier, Frontier, tuple[Dep, ...]]
"""The store's head, the dependencies of its next change, what the change is folded on, and what its header must name."""


class Ledger:
    """The log of one store in one process, and its fold. Every call happens inside a transaction of the store."""

    def __init__(self, texts: Texts) -> None:
        self.texts, self.pasts, self._waiting, self.feed = texts, Pasts(), Waiting(), Feed()
        self._remembering = (self.texts, self.pasts, self._waiting, self.feed)
        self.reached = 0  # the position of the last change that this transaction put into the log; 0 if it put none

    def fold(self, tx: StoreWriter) -> Fold:
        """Return a fold of a transaction."""
        return Fold(tx, self.texts, waiting=self._waiting, write=partial(self.feed.write, tx))

    def committed(self) -> None:
        """Keep what the transaction that has just ended left in memory."""
        self.reached = 0
        for each in self._remembering:
            each.committed()

    def rolled_back(self) -> None:
        """Throw away what a failed transaction left in memory."""
        self.reached = 0
        for each in self._remembering:
            each.rolled_back()

    def forget(self) -> None:
        """Throw away everything in memory, because another store is opened next, or this one in an older state."""
        for each in self._remembering:
            each.forget()

    def refresh(self, tx: StoreWriter) -> int:
        """Bring rows and hashes of edited texts up to date; return how many there were."""
        with _OWN_TEXTS:
            return self.fold(tx).refresh()

    # --- this device's own changes ------------------------------------------------------------------------------------

    def commit(
        self,
        tx: StoreWriter,
        drafts: Sequence[Draft],
        wall_ms: int,
        agent: str | None = None,
        reason: str | None = None,
        undone: bytes | None = None,
    ) -> Dot | None:
        """
        Turn drafts into this device's next change; return its dot, or None if they change nothing.

        Args:
            tx: A transaction of the store.
            drafts: The drafts, in order.
            wall_ms: Wall time in milliseconds since 1970.
            agent, reason, undone: Who asks for the change, why, and what it takes back, if the reason does not say it.

        Raises:
            NotFoundError: A draft names something that is not here.
            InvalidValueError: A text edit is outside of its text.
            LimitError: The change would be too large.
        """
        wall_ms = min(max(wall_ms, 0), limits.WALL_MS_MAX)
        said = partial(changes.header_ext, wall_ms, agent=agent, reason=reason, undone=undone)
        return self._write(tx, drafts, self._next(tx, wall_ms), wall_ms, said)

    def write_again(
        self, tx: StoreWriter, drafts: Sequence[Draft | Verbatim], former: Change, *, seen: bool, last: bool = True
    ) -> Dot | None:
        """
        Do the same as :meth:`commit`, for what was already acknowledged and has to become another change.

        Args:
            tx: A transaction of the store.
            drafts: The drafts, in order.
            former: The earlier change: who asked for it, when and why stay the same.
            seen: Whether it replaces the present values; otherwise it is concurrent with everything that its life does not
                continue.
            last: Whether nothing more of the earlier change follows. Only then the new change names the earlier one.

        Raises:
            LocalError, RefusedTextError: It does not fit the present state; call this inside ``StoreWriter.undoing``.
        """
        header = former.header
        base = self._next(tx, header.wall_ms)
        if not seen:
            head, before = self._own(tx)
            base = head, before, before, ()
        said = partial(changes.ext_again, header, former.hash[:DEP_HASH_BYTES] if last else None)
        return self._write(tx, drafts, base, header.wall_ms, said, merging=True)

    def _write(
        self,
        tx: StoreWriter,
        drafts: Sequence[Draft | Verbatim],
        base: _Base,
        wall_ms: int,
        said: Said,
        *,
        merging: bool = False,
    ) -> Dot | None:
        head, past, deps, changed = base
        actor, seq = actor_of(tx), 1 if head is None else head.seq + 1
        life, position = changes.decode_birth(meta_of(tx, BIRTH_KEY)), tx.log.position() + 1
        birth, author = life if head is None else None, life.public_key
        fold = self.fold(tx)
        fold.begin(actor, seq, wall_ms, deps, position, author)
        body = Body(tx, position)
        keeps = bool(tx.segments.merged()) or self._is_early(tx, head)  # it may have to be written again
        composer = Composer(tx, fold, again=merging, keeps=keeps)
        for at in range(0, len(drafts), DRAFTS_AT_ONCE):
            some = drafts[at : at + DRAFTS_AT_ONCE]
            fold.entities.expect_new(key_of(each.kind, each.id) for each in some if isinstance(each, Put) and each.new)
            fold.entities.load([key_of(each.kind, each.id) for each in some if not isinstance(each, Verbatim)])
            with nullcontext() if merging else _OWN_TEXTS:
                for draft in some:
                    if isinstance(draft, Verbatim):
                        body.add(operation.framed(draft.encoded))
                        fold.carry(operation.decode(draft.encoded), body.operations)
                        continue
                    for one in composer.operations(draft):
                        body.add(operation.encode(one))
                fold.flush_if_full()
        if body.operations == 0:
            return None
        whole, parts = body.end()
        content = changes.hash_parts(parts) if parts else changes.hash_part(whole)
        ext = said(birth=birth, parts=parts)
        previous = NO_HASH if head is None else head.hash
        header = Header(changes.LEVEL, actor, seq, changed, body.operations, body.size, content, previous, ext)
        change = Change(header, changes.encode_header(header), whole)
        self.put_in_log(tx, change, _own_place(head, change), _held(tx, changed), past)
        early.note(tx, birth)
        with _OWN_TEXTS:
            fold.flush()
        return actor, seq

    def _next(self, tx: StoreWriter, wall_ms: int) -> _Base:
        """
        Return what the store's next change is made of. The second and third part are what it depends on and is folded on.

        The two differ while the change that this life continues is missing. Then nobody can know what that change has not
        seen, so nothing is named. The next change is still folded on what is here, and folded again once that change is
        here. They also differ if a segment brought more than a header has room for, because there is no log to name it bit
        by bit.
        """
        held = {each.actor: each.seq for each in tx.log.heads().values()}
        unnamed: deque[int] | None = None
        while True:
            head, before = self._own(tx)
            deps = frontier.join(before, held)
            if self._is_early(tx, head):
                return head, before, deps, ()
            changed = header_deps(tx, deps, before)
            if len(changed) <= limits.DEPS_MAX:
                return head, deps, deps, changed
            if tx.segments.merged():
                early.note_unnamed(tx)
                return head, before, deps, ()
            if unnamed is None:  # listed once, because a thousand lives may take many changes to name
                unnamed = deque(tx.log.positions_after(before))
            self._catch_up(tx, before, wall_ms, unnamed)

    @staticmethod
    def _is_early(tx: StoreReader, head: Head | None) -> bool:
        """Tell whether the change that this store's life continues, or that an earlier life continues, is missing here."""
        if early.is_pending(tx):
            return True
        return head is None and early.is_missing(tx, changes.decode_birth(meta_of(tx, BIRTH_KEY)))

    def _own(self, tx: StoreReader) -> tuple[Head | None, Frontier]:
        """Return the store's head, if it has written, and the dependencies of its next change through that alone."""
        head = tx.log.heads().get(actor_of(tx))
        if head is None:
            return None, self.pasts.before(tx, changes.decode_birth(meta_of(tx, BIRTH_KEY)))
        return head, {**self.pasts.of(tx, head), **Chains(tx).past_of((head.actor, head.seq))}

    def _catch_up(self, tx: StoreWriter, before: Frontier, wall_ms: int, unnamed: deque[int]) -> None:
        """
        Append a change without operations that depends on as much of the log as one header should name.

        Args:
            tx: A transaction of the store.
            before: What the change depends on through its own chain alone.
            wall_ms: Its wall time in milliseconds.
            unnamed: The positions of the log that are not in that, in order; those that are named now are removed.
        """
        head, _ = self._own(tx)
        actor = actor_of(tx)
        reached, moved = dict(before), set[bytes]()
        while unnamed:
            logged = tx.log.read(unnamed[0])
            if logged.seq > reached.get(logged.actor, 0):
                if logged.actor not in moved and len(moved) >= limits.DEPS_MAX:
                    break
                moved.add(logged.actor)
                reached[logged.actor] = logged.seq
            unnamed.popleft()
        assert moved, "all that is here is in the log"
        birth = None if head is not None else changes.decode_birth(meta_of(tx, BIRTH_KEY))
        named = header_deps(tx, reached, before)
        header = Header(
            changes.LEVEL, actor, 1 if head is None else head.seq + 1, named, 0, 0,
            changes.hash_part(b""), NO_HASH if head is None else head.hash, changes.header_ext(wall_ms, birth=birth),
        )  # fmt: skip
        change = Change(header, changes.encode_header(header), b"")
        self.put_in_log(tx, change, _own_place(head, change), _held(tx, named), reached)
        early.note(tx, birth)

    def put_in_log(self, tx: StoreWriter, change: Change, place: Place, named: Frontier, deps: Frontier) -> Logged:
        """Append a change whose place and past are known. Its past includes its author's earlier changes."""
        header = change.header
        head = None if place.before is None else tx.log.heads()[place.before[0]]
        logged = Logged(tx.log.position() + 1, place.name, header.seq, place.hash, change.raw, change.body)
        if head is not None:
            signed = (head.signed_seq, head.signature) if place.run is None else (0, b"")
            moved = Head(place.name, header.seq, place.hash, added(head.deps, named), head.birth, *signed)
            self.pasts.follow(tx, head.hash, place.hash, deps)
        else:
            birth = exts.get(header.ext, changes.BIRTH)
            assert birth is not None, "a first change without a birth was refused when it was decoded"
            moved = Head(place.name, header.seq, place.hash, added(_NOTHING, named), birth, 0, b"")
        if place.run is not None:
            keep_names(tx, names_of(tx).joined([place.run]))
        tx.log.append(logged, moved)
        self.reached = logged.position
        return logged

    # --- from peers ---------------------------------------------------------------------------------------------------

    def admit(self, tx: StoreWriter, fold: Fold, change: Change, prepared: Prepared | None = None) -> Admitted:
        """
        Take a change whose hash a signed head covers. All parts of a large change must be stored. What
        ``preparing.prepare_change`` made of it before is used, if it still is right.

        Raises:
            RemoteProtocolError: It breaks a rule of its past, or its author is no member there.
        """
        checked = self.check(tx, fold, change)
        if isinstance(checked, Admitted):
            return checked
        header, logged = change.header, self.put_in_log(tx, change, checked.place, checked.named, checked.deps)
        if header.parts:
            tx.incoming.complete(*change.half, logged.position)
        body = tx.log.parts(logged.position) if header.parts else (change.body,)
        fold.begin(logged.actor, header.seq, header.wall_ms, checked.deps, logged.position, checked.author)
        if prepared is None or not prepared.write(fold, change.hash):
            fold.receive(map(operation.decode, operation.cut(body, header.operations)), understood=header.is_understood)
        if early.is_pending(tx):
            fold.flush()
            self.refold(tx, early.settle(tx, logged))
        return Admitted.APPLIED

    def append(self, tx: StoreWriter, fold: Fold, change: Change) -> Admitted:
        """
        Do the same as :meth:`admit`, for a change that is already folded, or will be later.

        Args:
            tx: A transaction of the store, or of the part of it in which the change is missing.
            fold: A fold of the store, to look up who is a member.
            change: The change.

        Raises:
            RemoteProtocolError: See :meth:`admit`.
        """
        checked = self.check(tx, fold, change)
        if isinstance(checked, Admitted):
            return checked
        logged = self.put_in_log(tx, change, checked.place, checked.named, checked.deps)
        if change.header.parts:
            tx.incoming.complete(*change.half, logged.position)
        return Admitted.APPLIED

    def check(self, tx: StoreReader, fold: Fold, change: Change) -> Checked | Admitted:
        """
        Tell by a change's header whether it may be taken, before anything of a large change is stored.

        Raises:
            RemoteProtocolError: See :meth:`admit`.
        """
        return admission.check(tx, self.pasts, fold, meta_of(tx, WORKSPACE_KEY), change)

    # --- folding again ------------------------------------------------------------------------------------------------

    def rebuild(
        self,
        tx: StoreWriter,
        take_segment: TakeSegment,
        *,
        stop: int | None = None,
        reached: Callable[[], None] = lambda: None,
        check: bool = False,
    ) -> int:
        """Fold the whole log into an empty view, as ``refold.rebuild``; with ``check``, also check again who may write."""
        held, whose = (tx, self.texts, self.pasts, self.feed), meta_of(tx, WORKSPACE_KEY) if check else None
        return refolding.rebuild(*held, take_segment, stop=stop, reached=reached, workspace=whose)

    def refold(self, tx: StoreWriter, keys: Collection[bytes], without: Collection[Dot] = ()) -> int:
        """Fold some entities from the log again, with or without some changes; see ``refold.refold``."""
        return refolding.refold(tx, self.texts, self.pasts, self.feed, keys, without)


_NOTHING: Final = b"\x90"  # no pairs, in msgpack


def _own_place(head: Head | None, change: Change) -> Place:
    """Return the place of this store's next change: after its last one, which no other change follows."""
    return Place(change.header.actor, change.hash, None if head is None else (head.actor, head.seq), None)


def _held(reader: StoreReader, named: Collection[Dep]) -> Frontier:
    """Return what a header of this store names, by the names under which it is held."""
    if not named:
        return {}  # mostly, because a device that writes alone names nothing
    held = Chains(reader).deps(named)
    assert held is not None, "a store depends on what it holds"
    return held


def header_deps(reader: StoreReader, deps: Mapping[bytes, int], before: Mapping[bytes, int]) -> tuple[Dep, ...]:
    """Return what a header must name of a change's dependencies: what has moved, with hashes."""
    moved = frontier.difference(deps, before)
    if not moved:
        return ()
    heads, names = reader.log.heads(), names_of(reader)
    latest: dict[bytes, Dot] = {}  # by its name in the past of this change
    for name, seq in moved.items():
        on = name if names is NOBODY else names.called(name, deps)
        if seq > latest.get(on, (b"", 0))[1]:
            latest[on] = name, seq
    named = []
    for on, (name, seq) in sorted(latest.items()):
        digest = heads[name].hash if heads[name].seq == seq else reader.log.hash_at(name, seq)
        assert digest is not None, "a store depends on what it holds"
        named.append((on, seq, digest[:DEP_HASH_BYTES]))
    return tuple(named)


class _OwnTexts:
    """Reports a damaged entity, if a text of this device's own writing is refused: its entity must have rotted."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, RefusedTextError):
            raise CorruptError("A text of this store") from None


_OWN_TEXTS: Final = _OwnTexts()
