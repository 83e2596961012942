"""
A runner on asyncio: passes events to the replica and the steward, and carries out what they return. It decides nothing.

One thread at a time uses the replica (``turns``). The steward runs on the event loop.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from edda_sync.device.filing import Files, filing_of
from edda_sync.device.lookout import Lookout
from edda_sync.device.outgoing import Outgoing, all_sent
from edda_sync.device.status import Status
from edda_sync.device.supervisor import Supervisor
from edda_sync.device.turns import Turn, Turns
from edda_sync.device.watch import Changes
from edda_sync.engine import scrubbing, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Blamed, Close, Effect, Errand, Proved, Send, Work
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.orders import ASKED, TALKING, Duty, End, Mend, Order, Report, Scrub, Scrubbed, Tell, Written
from edda_sync.sync.replica import Replica
from edda_sync.sync.steward import EVENTS, Steward
from edda_sync.transport.identity import verify
from edda_sync.transport.link import Link
from edda_sync.words.callbacks import log_broken
from edda_sync.words.errors import BugError, CallbackError, EddaError, LinkClosedError, StorageError
from edda_sync.words.reasons import told_there
from edda_sync.workspace.welcome import workspace_tag

T = TypeVar("T")
TASK: Final = "a task"
REFUSALS: Final = "noting who knows this device"
LISTENERS: Final = "telling what is committed"


class Runner:
    """
    Runs one store's replica and steward. Call :meth:`open`, :meth:`begin`, :meth:`end` and :meth:`close`, in this order.

    Args:
        store: The engine.
        status: Is told the state of the sessions.
        meet: Reads the members again, and trusts them.
        tell: Tells a person what is wrong with this device.

    Attributes:
        tasks: The background tasks; a context to enter before :meth:`open`.
        changes: Signals that something has changed which a condition or query may depend on.
        files: The content of attached files.
    """

    def __init__(
        self, store: StorageEngine, status: Status, meet: Callable[[], Awaitable[None]], tell: Callable[[str], None]
    ) -> None:
        self.store = store
        self.tasks = Supervisor(lambda error: self.failed(TASK, error))
        self.changes = Changes()
        self._status, self._meet, self._tell = status, meet, tell
        self._turns = Turns(self._carry_all)
        self.files = Files(self._turns, status, self.tasks, self.failed, self.worked)
        self._numbers = itertools.count(1)
        self._links: dict[int, Outgoing] = {}
        self._latest: dict[str, int] = {}  # the number of each peer's latest link
        self._timer: asyncio.TimerHandle | None = None
        self._lookout = Lookout(self._is_quiet, self._noticed)
        self._end_listening: Callable[[], None] = lambda: None
        self._version = 0  # the store's version when the log was last looked at
        self._steward: Steward | None = None

    # --- beginning and end --------------------------------------------------------------------------------------------

    async def open(self, work: Callable[[], None]) -> None:
        """Open the store with ``work``, and make its replica and its steward."""

        def opened() -> Written:
            work()
            self._version = self.store.store.version()
            return standing.written(self.store)

        written = await self._turns.run(opened)
        store, identity = self.store, self.store.identity
        exchange = Exchange(store.store, store.ledger, identity, verify, store.writing.now, store.writing.random)
        self._turns.replica = Replica(
            exchange, identity.device, partial(workspace_tag, store.workspace), defers=True, filing=filing_of(store)
        )
        self._steward = Steward(written, time.monotonic())
        loop = asyncio.get_running_loop()
        exchange.on_applied = lambda peer, count: loop.call_soon_threadsafe(self._applied, peer, count)

        def committed() -> None:
            own = store.writing.latest
            if own is None or not self._turns.drive_here(EVENTS[Duty.TELLING], own):
                loop.call_soon_threadsafe(self._committed)

        def broken(error: CallbackError) -> None:
            log_broken(error)
            loop.call_soon_threadsafe(self.failed, LISTENERS, error)

        self._end_listening = store.writing.on_commit(committed)
        store.writing.on_broken = broken

    def begin(self) -> None:
        """Begin to look after the store."""
        self._attend()

    async def end(self) -> None:
        """Say goodbye to all peers."""
        self._lookout.end()
        await self._turns.drive(lambda replica, _: replica.close())
        await all_sent(self._links.values())

    async def close(self) -> None:
        """Carry out the last orders and close the store. Call it after all tasks have ended."""
        try:
            for order in self._steward.ending() if self._steward is not None else []:
                await self._perform(order)
        finally:
            self._set_timer(None)
            self._end_listening()  # the store may be opened again, when this loop no longer runs
            self.store.writing.on_broken = log_broken
            await self._turns.run(self.store.close)
            self._turns.end()

    # --- for the device -----------------------------------------------------------------------------------------------

    async def run(self, work: Callable[[StorageEngine], T]) -> T:
        """Run ``work`` with the store on another thread; return its result."""
        return await asyncio.to_thread(work, self.store)

    async def ask(self, work: Callable[[StorageEngine], T]) -> T:
        """Run ``work`` for a program. A fault of the store is reported to the steward, and raised to the program."""
        try:
            found = await self.run(work)
        except StorageError as error:
            self.failed(ASKED, error)
            raise
        self.worked(ASKED)
        return found

    @property
    def large(self) -> str | None:
        """As ``Turns.large``."""
        return self._turns.large

    async def ask_peers(self) -> None:
        """Let every peer know that somebody waits for the proof that all are equal."""
        await self._turns.drive(Replica.ask)

    def failed(self, concern: str, error: EddaError) -> None:
        """Report a fault that happened outside of an order."""
        if self._steward is not None:
            self._steward.fault(concern, error, time.monotonic())
            self._attend()

    def worked(self, concern: str) -> None:
        """Report that a concern works again."""
        if self._steward is not None:
            self._steward.worked(concern)

    def fail(self, bug: BaseException) -> None:
        """End the device over a bug."""
        self.tasks.fail(bug)

    def linked(self) -> None:
        """Report that a peer answered at an address that is to be saved."""
        if self._steward is not None:
            self._steward.linked(time.monotonic())
            self._attend()

    @property
    def trouble(self) -> str:
        """What fails here now; otherwise what was mended last; empty for neither. For a person."""
        return "" if self._steward is None else self._steward.trouble

    def check_still_there(self) -> None:
        """
        Check whether the store's file is still in its place. If not, the device ends.

        Raises:
            LostStoreError, ReplacedStoreError: The file is gone, or is another one.
        """
        try:
            self.store.check_still_there()
        except StorageError as error:
            self.failed(ASKED, error)
            raise

    # --- links --------------------------------------------------------------------------------------------------------

    async def carry(self, link: Link) -> None:
        """Run one link: pass its frames to the replica, and the replica's frames to it. A broken link is dialled again."""
        peer, number = link.peer, next(self._numbers)
        self._latest[peer] = number
        outgoing = self._links[number] = Outgoing(link)
        sender = self.tasks.start(outgoing.run())
        try:
            await self._turns.drive(lambda replica, _: replica.connected(peer, number))
            self.changes.told()
            async for frame in link:
                await self._turns.drive(partial(_received, peer, number, frame))
        except LinkClosedError:
            pass
        except StorageError as error:
            self.failed(TALKING, error)
            raise
        except (EddaError, asyncio.CancelledError):
            raise  # it was the peer's, and the peer is told
        except BaseException as bug:
            self.fail(bug)
            raise
        finally:
            del self._links[number]
            if self._latest.get(peer) == number:  # a later link may have ended before this one
                del self._latest[peer]
            try:
                await self._turns.drive(lambda replica, now: replica.disconnected(peer, now, number))
            finally:
                if peer not in self._latest:  # only now, because effects of other turns may still mention the session
                    self._status.lost(peer, link.ending if outgoing.heard is None else told_there(outgoing.heard))
                self.changes.told()
            outgoing.end()
            await asyncio.gather(sender, return_exceptions=True)

    def _carry_all(self, turn: Turn) -> None:
        """Carry out the effects of one turn of the replica."""
        try:
            for device in self._status.talking(turn.progress):
                if device == self._status.shut_out:
                    self.tasks.start(self._note_known(device))
            for effect in turn.effects:
                self._carry_out(effect)
            assert self._steward is not None, "it was opened together with the replica"
            self._steward.talked(turn.effects, turn.deadline, time.monotonic())
            if turn.told is not None:
                self._steward.told(turn.told)
            if self._status.filed(self.files.progress) or turn.told is not None:
                self.changes.told()
            self._attend()
        except BaseException as bug:
            self.fail(bug)
            raise

    def _applied(self, peer: str, count: int) -> None:
        """Tell that changes of a peer are here, before they are acknowledged."""
        try:
            self._status.applied(peer, count)
            self.changes.told()
        except BaseException as bug:
            self.fail(bug)
            raise

    def _carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Send):
            if (outgoing := self._links.get(effect.link)) is not None and not outgoing.send(effect.frame):
                name = self._status.name_of(effect.peer)
                self._status.troubled(effect.peer, f"{name} does not read what it is sent; it is dialled again.")
        elif isinstance(effect, Close):
            if (outgoing := self._links.get(effect.link)) is not None:
                outgoing.heard = effect.heard
                outgoing.end(effect.reason)
            is_of_latest = self._latest.get(effect.peer) == effect.link
            if effect.error is not None and (is_of_latest or isinstance(effect.error, BugError)):
                self._status.ended(effect.peer, effect.error)
        elif isinstance(effect, Proved):
            self._status.proved_equal(effect.peer)
            self.changes.told()
        elif isinstance(effect, Work):
            self.tasks.start(self._turns.work(effect))
        elif isinstance(effect, Errand | Blamed):
            self.files.carry_out(effect)

    # --- the steward --------------------------------------------------------------------------------------------------

    def _committed(self) -> None:
        if self._steward is not None:
            self._steward.committed(time.monotonic())
            self._attend()

    def _noticed(self) -> None:
        if self._steward is not None:
            self._steward.noticed(time.monotonic())
            self._attend()

    def _attend(self) -> None:
        """Carry out what is due for the steward."""
        assert self._steward is not None, "there are no events before"
        for said in self._steward.due(time.monotonic()):
            if isinstance(said, Tell):
                self._tell(said.text)
            elif isinstance(said, End):
                self.fail(said.error)
            else:
                self.tasks.start(self._perform(said))
        self._set_timer(self._steward.next_deadline())

    def _set_timer(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            delay_s = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._attend)

    async def _perform(self, order: Order) -> None:
        assert self._steward is not None, "it is its order"
        try:
            report = await self._do(order)
        except EddaError as error:
            self._steward.failed(order, error, time.monotonic())
        else:
            self._steward.done(order, report, time.monotonic())
        self._attend()

    async def _do(self, order: Order) -> Report:
        if isinstance(order, Mend):
            keys = order.keys
            await self.run(StorageEngine.rebuild if keys is None else lambda store: store.refold(keys))
        elif isinstance(order, Scrub):
            return await self.run(lambda store: _scrubbed(store, order))
        elif (event := EVENTS.get(order.duty)) is not None:
            return await self._let_know(order.duty, event)
        elif order.duty is Duty.LOOKING:
            return await self._look()
        elif order.duty is Duty.MEETING:
            try:
                await self._meet()
            finally:
                self.changes.told()
        elif order.duty is Duty.SAVING:
            remembered = self._status.remembered()
            await self.run(lambda store: standing.save(store, remembered))
        return None

    async def _let_know(self, duty: Duty, event: Callable[[Replica, float], list[Effect] | None]) -> Report:
        """Pass an event to the replica. For commits, report the end of the log before it was told."""
        report: list[Written] = []

        def tell(replica: Replica, now: float) -> list[Effect] | None:
            if duty is Duty.TELLING:  # read it before, so that a later commit may be told twice but is not missed
                report.append(standing.written(self.store))
            return event(replica, now)

        await self._turns.drive(tell)
        if duty is not Duty.TELLING:
            return None
        self.changes.told()
        return report[0]

    async def _look(self) -> Written:
        """Return the end of the log, and watch for the next commit by any process."""
        self._lookout.check()
        self.store.check_still_there()
        version = self.store.store.version()
        written = await self.run(standing.written)
        self._version = version
        self._lookout.begin()
        return written

    def _is_quiet(self) -> bool:
        """Tell whether nobody has committed, and the store's file is in its place."""
        self.store.check_still_there()
        return self.store.store.version() == self._version

    async def note_refusal(self, device: str) -> None:
        """Note that a device refuses this one as a stranger; tell a person, if it knew this one before."""
        known = self._status.remembered_of(device)
        try:
            knew = await self.run(lambda store: standing.note_refusal(store, device, known))
        except StorageError as error:
            self.failed(REFUSALS, error)
            return
        self.worked(REFUSALS)
        if knew:
            self._status.refused(device)

    async def _note_known(self, device: str) -> None:
        """Note that a device knows this one, after it refused it."""
        try:
            await self.run(lambda store: standing.note_known(store, device))
        except StorageError as error:
            self.failed(REFUSALS, error)
            return
        self.worked(REFUSALS)
        self._status.shut_out = None


def _received(peer: str, link: int, frame: bytes, replica: Replica, now: float) -> list[Effect]:
    return replica.frame_received(peer, frame, now, link)


def _scrubbed(store: StorageEngine, order: Scrub) -> Scrubbed:
    found, lost, following = scrubbing.scrub(store, order.after, order.limit)
    return Scrubbed(found, following, sum(store.counts().values()), lost)
