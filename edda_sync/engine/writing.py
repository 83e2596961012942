"""
Writing: drafts become this device's next change, in a life that may go on, and listeners are told.

A write goes down one path: ``transaction`` makes drafts, :meth:`Writing.commit_drafts` opens a transaction of the store, the
ledger turns drafts into operations and folds them, and one SQL commit contains log, entities and tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from edda_sync.changes import early
from edda_sync.changes.chains import names_of, points_of
from edda_sync.changes.drafts import Draft
from edda_sync.crdt.frontier import Dot
from edda_sync.engine import life, missing
from edda_sync.engine.opened import READ_ANEW_KEY, Opened
from edda_sync.engine.own import OwnDevice
from edda_sync.fold.unapplied import UNREADABLE
from edda_sync.ledger.ledger import Ledger
from edda_sync.ledger.refold import verify_logged
from edda_sync.store.seams import Head, StoreWriter
from edda_sync.words import values
from edda_sync.words.callbacks import Callback, log_broken
from edda_sync.words.errors import CallbackError, CorruptError, EddaError, LostIdentityError
from edda_sync.workspace import actor as actors
from edda_sync.workspace import lives
from edda_sync.workspace.keys import WORKSPACE_KEY

MANY: Final = 1_000  # drafts of one change: of more, the change is composed before its transaction
TRIES: Final = 2  # how often it is composed so, if others write about the same meanwhile
INDEX_ROWS: Final = 2_000  # rows in one step of the full-text index, so that another writer need not wait long


class Writing:
    """
    Writes into one store.

    Args:
        opened: The store.
        own: The device that writes.
        ledger: Appends to the log and folds it.
        now: Wall clock, in seconds since 1970.
        random: Source of random bytes.

    Attributes:
        latest: The last change of this device that this process made durable.
        prepared: How many changes were composed before their transactions.
        on_broken: Called with the error when a listener has raised an exception; by default it is logged.
    """

    def __init__(
        self,
        opened: Opened,
        own: OwnDevice,
        ledger: Ledger,
        now: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._opened, self._own, self._ledger = opened, own, ledger
        self.now, self.random = now, random
        self._written: Head | None = None  # by the running transaction
        self.latest: Dot | None = None
        self.prepared = 0
        self._listeners: list[Callback[[]]] = []
        self.on_broken: Callable[[CallbackError], None] = log_broken

    # --- changes ------------------------------------------------------------------------------------------------------

    def commit_drafts(
        self,
        drafts: Sequence[Draft],
        agent: str | None,
        reason: str | None,
        check: Callable[[StoreWriter], None] | None,
    ) -> Dot | None:
        """
        Make one durable change of drafts; return its dot, or None if there was nothing to do. Call :meth:`announce` next.

        Args:
            drafts: What to do, in order.
            agent, reason: Who asks for it, and why.
            check: Checks, inside the store's transaction, that the drafts may still be applied; raises if not.
        """
        store = self._opened.store

        def work(tx: StoreWriter) -> Dot | None:
            if check is not None:
                check(tx)
            self.live(tx)
            return self.write(tx, drafts, reason, agent)

        if len(drafts) > MANY and (dot := self._commit_prepared(drafts, agent, reason, check)) is not None:
            return dot
        return store.transact(work) if drafts else None

    def _commit_prepared(
        self,
        drafts: Sequence[Draft],
        agent: str | None,
        reason: str | None,
        check: Callable[[StoreWriter], None] | None,
    ) -> Dot | None:
        """Compose a large change before its transaction, so that others can write meanwhile; None if that is no use."""
        from edda_sync.ledger.preparing import PreparedOwn, prepare_own

        store = self._opened.store
        for _ in range(TRIES):
            try:
                with store.read() as reader:
                    ready = prepare_own(reader, drafts, int(self.now() * 1000), agent, reason)
            except EddaError:
                return None  # the transaction finds the same, if it still is so
            if ready is None:
                return None

            def work(tx: StoreWriter, ready: PreparedOwn = ready) -> Dot | None:
                if check is not None:
                    check(tx)
                if not ready.is_right(tx):
                    return None
                self.live(tx)
                if actors.actor_of(tx) != ready.actor:  # another life
                    return None
                dot = ready.write(tx, self._ledger)
                self.note_written(tx.log.heads()[ready.actor])
                return dot

            dot = store.transact(work)
            if dot is not None:
                self.prepared += 1
                return dot
        return None

    def commit(
        self,
        tx: StoreWriter,
        drafts: Sequence[Draft],
        reason: str | None,
        agent: str | None = None,
        undone: bytes | None = None,
    ) -> Dot | None:
        """Make one change of drafts, inside a transaction of the store, in a life that may go on."""
        self.live(tx)
        return self.write(tx, drafts, reason, agent, undone)

    def write(
        self,
        tx: StoreWriter,
        drafts: Sequence[Draft],
        reason: str | None,
        agent: str | None = None,
        undone: bytes | None = None,
    ) -> Dot | None:
        """Make one change of drafts, in the present life."""
        dot = self._ledger.commit(tx, drafts, int(self.now() * 1000), agent, reason, undone)
        if dot is not None:
            self.note_written(tx.log.heads()[dot[0]])
        return dot

    def new_id(self) -> str:
        """Return a new unique id. It is ordered by time, so that rows that are made together are stored together."""
        return values.uuid7(int(self.now() * 1000), self.random(10))

    # --- lives --------------------------------------------------------------------------------------------------------

    def live(self, tx: StoreWriter) -> None:
        """Begin a new life if this store may not be the same as before, or if its present life is over. See ``life``."""
        actor = actors.actor_of(tx)
        if actor not in tx.log.heads() and not early.is_pending(tx):  # otherwise peers must hear of it
            from edda_sync.sync import readmission

            readmission.readmit(tx, self._ledger, self.random)
            actor = actors.actor_of(tx)
        head = tx.log.heads().get(actor)
        why = self._doubt(tx, actor, head)
        if self._opened.sidecar is not None:
            self._opened.sidecar.note_file(tx)  # only now, since the former note is what gives a copy away
        if why is not None:
            actors.new_life(tx, self.random(16), why)
            if tx.log.heads():
                with suppress(LostIdentityError):  # without the key, a later life closes the former ones
                    identity, now_ms = self._own.identity, int(self.now() * 1000)
                    workspace = tx.meta.get(WORKSPACE_KEY) or b""
                    lives.close_quiet(tx, workspace, identity.public_key, identity.sign, now_ms)

    def _doubt(self, tx: StoreWriter, actor: bytes, head: Head | None) -> str | None:
        """Return why the present life must not go on; None if it may."""
        if head is None:
            return ""
        if points_of(tx, names_of(tx).actor(actor)):
            return life.FORKED
        if lives.is_closed(tx, actor):
            return life.CLOSED
        sidecar = self._opened.sidecar
        if sidecar is None or head == self._written:  # this very transaction wrote it, and has checked
            return None
        return sidecar.doubt(tx, head) or None

    # --- after a commit -----------------------------------------------------------------------------------------------

    def on_commit(self, listener: Callable[[], None]) -> Callable[[], None]:
        """
        Call ``listener`` whenever a change of this process is durable, on the thread of the caller who wrote it.

        If the listener raises an exception, it is not called again, and this is logged once. What was written stays written.

        Returns:
            A function that ends this. Call it once.
        """
        callback = Callback(listener, "What is committed", lambda error: self.on_broken(error))
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def announce(self) -> None:
        """Tell the listeners that a change of this process is durable."""
        for listener in tuple(self._listeners):
            listener()

    def note_written(self, head: Head) -> None:
        """Note the head that the running transaction gives to the store's own chain."""
        self._written = head

    def ended(self, committed: bool) -> None:
        """Keep in memory what a transaction did, now that it has ended; drop it if the transaction left no trace."""
        if not committed:
            self._ledger.rolled_back()
            self._written = None
            return
        reached = self._ledger.reached
        self._ledger.committed()
        written, self._written = self._written, None
        if written is not None:
            self.latest = (written.actor, written.seq)
        sidecar = self._opened.sidecar
        if sidecar is not None:
            with suppress(OSError):  # the changes are already on disk, and a sidecar may lag
                if written is not None:
                    sidecar.remember(written)
                if reached:
                    sidecar.note_extent(reached)

    def catch_up(self, tx: StoreWriter) -> bool:
        """Do work that may wait after a write (rows of edited texts, the full-text index); tell whether there is more."""
        self._ledger.refresh(tx)
        return tx.tables.index_texts(INDEX_ROWS) == INDEX_ROWS

    # --- folding again ------------------------------------------------------------------------------------------------

    def rebuild(self) -> int:
        """
        Fold the whole log into new tables that are as the schema says; return how many changes were folded.

        Raises:
            CorruptError: A change in the log is damaged; nothing was changed.
        """
        from edda_sync.sync.making import forget_made
        from edda_sync.sync.merging import open_taken

        def work(tx: StoreWriter) -> int:
            for position in tx.log.positions_after({}):
                verify_logged(tx, tx.log.read(position))
            folded = self._ledger.rebuild(tx, open_taken)
            forget_made(tx)  # last: only now are all tables as they should be
            if missing.count(tx):
                missing.give_up(tx)
            return folded

        return self._opened.store.transact(work)

    def read_anew(self) -> int:
        """
        Fold again what older versions could not read, or did not note; return how many changes were folded.

        Raises:
            CorruptError: A change in the log is damaged; nothing was changed.
        """
        from edda_sync.engine import lost  # once after an update

        with self._opened.store.read() as reader:
            waiting = {each.entity for each in reader.unapplied.operations() if not each.refused}
            noted_less = lost.noted_less(reader) - waiting
        folded = self.rebuild() if UNREADABLE in waiting else self.refold(sorted(waiting)) if waiting else 0
        if noted_less and UNREADABLE not in waiting:
            with suppress(CorruptError):  # the doctor names it; only what lost before the update is not listed then
                folded += self.refold(sorted(noted_less))
        self._opened.store.transact(
            lambda tx: tx.meta.drop(READ_ANEW_KEY)
        )  # last: a process that is killed does it again
        return folded

    def refold(self, keys: Sequence[bytes]) -> int:
        """
        Fold some entities again from the log, and verify each change by its hash; return how many changes were folded.

        Raises:
            CorruptError: A change in the log is damaged; nothing was changed.
        """
        from edda_sync.sync.making import forget_made

        def work(tx: StoreWriter) -> int:
            forget_made(tx)
            return self._ledger.refold(tx, keys)

        return self._opened.store.transact(work)
