"""
Writing: drafts become this device's next change, in a life that may go on, and whoever listens is told.

The path of a write goes one way down: ``transaction`` makes drafts, :meth:`Writing.commit_drafts` opens a transaction of
the store, the ledger makes operations of the drafts and folds them, and one SQL commit holds log, entities and tables.
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
from edda_sync.engine.opened import Opened
from edda_sync.engine.own import OwnDevice
from edda_sync.ledger.ledger import Ledger
from edda_sync.ledger.refold import verify_logged
from edda_sync.store.seams import Head, StoreWriter
from edda_sync.words import values
from edda_sync.words.callbacks import Callback, log_broken
from edda_sync.words.errors import CallbackError, LostIdentityError
from edda_sync.workspace import actor as actors
from edda_sync.workspace import lives
from edda_sync.workspace.keys import WORKSPACE_KEY

INDEX_ROWS: Final = 2_000  # rows of one step of the full-text index: a writer beside it waits no longer


class Writing:
    """
    What writes into one store.

    Args:
        opened: The store.
        own: The device that writes.
        ledger: The log's keeper.
        now: Wall clock, in seconds since 1970.
        random: Source of random bytes.

    Attributes:
        latest: This device's last change, of those that this process made durable.
        on_broken: Called when a listener has raised something, with what to say of it; it goes to the log by default.
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
        self._written: Head | None = None  # by the transaction that runs
        self.latest: Dot | None = None
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
        Make one change of drafts, durably; return its dot, or None when there is nothing to do. :meth:`announce` it then.

        Args:
            drafts: What to do, in order.
            agent, reason: Who asks for it and why.
            check: Looks, inside the store's transaction, whether the drafts may still be done, and raises if not.
        """
        store = self._opened.store

        def work(tx: StoreWriter) -> Dot | None:
            if check is not None:
                check(tx)
            return self.commit(tx, drafts, reason, agent)

        return store.transact(work) if drafts else None

    def commit(
        self, tx: StoreWriter, drafts: Sequence[Draft], reason: str | None, agent: str | None = None
    ) -> Dot | None:
        """Make one change of drafts, inside a transaction of the store, in a life that may go on."""
        self.live(tx)
        return self.write(tx, drafts, reason, agent)

    def write(
        self, tx: StoreWriter, drafts: Sequence[Draft], reason: str | None, agent: str | None = None
    ) -> Dot | None:
        """Make one change of drafts, in the present life."""
        dot = self._ledger.commit(tx, drafts, int(self.now() * 1000), agent, reason)
        if dot is not None:
            self.note_written(tx.log.heads()[dot[0]])
        return dot

    def new_id(self) -> str:
        """Return an id that nobody has: time-ordered, so that rows made together lie together."""
        return values.uuid7(int(self.now() * 1000), self.random(10))

    # --- lives --------------------------------------------------------------------------------------------------------

    def live(self, tx: StoreWriter) -> None:
        """Begin a new life when this store may not be what it was, or its present life is known to be over: see ``life``."""
        actor = actors.actor_of(tx)
        if actor not in tx.log.heads() and not early.is_pending(tx):  # else peers must hear of it
            from edda_sync.sync import readmission

            readmission.readmit(tx, self._ledger, self.random)
            actor = actors.actor_of(tx)
        head = tx.log.heads().get(actor)
        why = self._doubt(tx, actor, head)
        if self._opened.sidecar is not None:
            self._opened.sidecar.note_file(tx)  # only now: what stood there tells a copy
        if why is not None:
            actors.new_life(tx, self.random(16), why)
            if tx.log.heads():
                with suppress(LostIdentityError):  # nothing hangs on it: the next life of whoever has the key does it
                    identity, now_ms = self._own.identity, int(self.now() * 1000)
                    workspace = tx.meta.get(WORKSPACE_KEY) or b""
                    lives.close_quiet(tx, workspace, identity.public_key, identity.sign, now_ms)

    def _doubt(self, tx: StoreWriter, actor: bytes, head: Head | None) -> str | None:
        """Return why the present life must not go on; None when it may."""
        if head is None:
            return ""
        if points_of(tx, names_of(tx).actor(actor)):
            return life.FORKED
        if lives.is_closed(tx, actor):
            return life.CLOSED
        sidecar = self._opened.sidecar
        if sidecar is None or head == self._written:  # this very transaction wrote it, and looked before
            return None
        return sidecar.doubt(tx, head) or None

    # --- after a commit -----------------------------------------------------------------------------------------------

    def on_commit(self, listener: Callable[[], None]) -> Callable[[], None]:
        """
        Call ``listener`` after each of this process's own changes is durable, on the caller's thread.

        Should it raise something, it is not called any more, and the log says so once; what was written stays written.

        Returns:
            What to call to end this; once.
        """
        callback = Callback(listener, "What is committed", lambda error: self.on_broken(error))
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def announce(self) -> None:
        """Tell who listens that a change of this process is durable."""
        for listener in tuple(self._listeners):
            listener()

    def note_written(self, head: Head) -> None:
        """Note the head that this transaction gives the store's own chain."""
        self._written = head

    def ended(self, committed: bool) -> None:
        """Keep in memory what a transaction that just ended did, or throw it away when the transaction left no trace."""
        if not committed:
            self._ledger.rolled_back()
            self._written = None
            return
        self._ledger.committed()
        written, self._written = self._written, None
        if written is None:
            return
        self.latest = (written.actor, written.seq)
        if self._opened.sidecar is not None:
            with suppress(OSError):  # the change is on disk already, and a sidecar may lag
                self._opened.sidecar.remember(written)

    def catch_up(self, tx: StoreWriter) -> bool:
        """Do what may wait a moment after a write (rows of edited texts, the full-text index); tell if there is more."""
        self._ledger.refresh(tx)
        return tx.tables.index_texts(INDEX_ROWS) == INDEX_ROWS

    # --- folding anew -------------------------------------------------------------------------------------------------

    def rebuild(self) -> int:
        """
        Fold the whole log into fresh tables, each as the schema has it; return how many changes it was.

        Raises:
            CorruptError: A change in the log is not what was written; nothing has changed.
        """
        from edda_sync.sync.making import forget_made
        from edda_sync.sync.merging import open_taken

        def work(tx: StoreWriter) -> int:
            for position in tx.log.positions_after({}):
                verify_logged(tx, tx.log.read(position))
            folded = self._ledger.rebuild(tx, open_taken)
            forget_made(tx)  # last: only now is every table what it should be
            if missing.count(tx):
                missing.give_up(tx)
            return folded

        return self._opened.store.transact(work)

    def refold(self, keys: Sequence[bytes]) -> int:
        """
        Fold some entities anew from the log, each change of it verified by its hash; return how many changes it was.

        Raises:
            CorruptError: A change in the log is not what was written; nothing has changed.
        """
        from edda_sync.sync.making import forget_made

        def work(tx: StoreWriter) -> int:
            forget_made(tx)
            return self._ledger.refold(tx, keys)

        return self._opened.store.transact(work)
