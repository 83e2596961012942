"""
A steward: decides what a device does for its store beside its sessions, and when. Pure: events and ``now`` go in, orders
come out.

It decides when to tell the sessions what was written, when to look at the log again, to refresh the members, to save proofs,
to scrub, and to mend. Both runners, on asyncio and in the simulator, give it every event, carry out what :meth:`Steward.due`
returns, and report how that ended. They decide nothing.

1. A fault (any :class:`EddaError`) ends no duty: it is an event, and the steward says when to try again (``faults``).
2. A write that failed may still be in the log. So the log is looked at again after a fault of the store.
3. Damage is mended by folding the log again, once. What rotted in the log itself is asked of the peers. Until then no peer
   is called equal, because this device may show something else than the peer although both hold the same changes.
4. If the store's file was taken away, the device ends, because nothing that is written to it could be found again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import ceil
from typing import Final

from edda_sync.crdt.frontier import Dot
from edda_sync.sync.agenda import Agenda
from edda_sync.sync.effects import Applied, Close, Differs, Effect, Mended, Proved
from edda_sync.sync.faults import Faults
from edda_sync.sync.orders import TAKING, TALKING, Duty, End, Mend, Order, Report, Scrub, Scrubbed, Tell, Written
from edda_sync.sync.replica import Replica
from edda_sync.words import limits
from edda_sync.words.errors import (
    CorruptError,
    EddaError,
    LostStatesError,
    LostStoreError,
    ReplacedStoreError,
    StorageError,
)

EVENTS: Final[Mapping[Duty, Callable[[Replica, float], list[Effect] | None]]] = {
    Duty.TELLING: Replica.committed,
    Duty.PASSING_ON: Replica.grown,
    Duty.TICKING: Replica.tick,
    Duty.FETCHING: Replica.fetch,
    Duty.COMPARING: Replica.rebuilt,
    Duty.DOUBTING: Replica.damaged,
}
"""The duties that are events of the replica."""


class Steward:
    """
    The steward of one device. After each event carry out what :meth:`due` returns, and call it again at
    :meth:`next_deadline`.

    Args:
        written: The end of the log when the device starts.
        now: Monotonic time in seconds.
    """

    def __init__(self, written: Written, now: float) -> None:
        self._written = written  # the end of the log that the sessions know, or will be told
        self._agenda = Agenda()
        self._faults = Faults()
        self._damage = _Damage()
        self._scrub = Scrub(Duty.SCRUBBING, b"", limits.SCRUB_ENTITIES_MIN)
        self._pause_s = 0.0  # the pause between two passes of the scrub; 0 until a pass has found nothing
        self._said: list[Tell | End] = []
        self._is_ending = False
        for duty in (Duty.LOOKING, Duty.MEETING, Duty.SCRUBBING):
            self._agenda.want(duty, now)

    # --- what happens -------------------------------------------------------------------------------------------------

    def committed(self, now: float) -> None:
        """Note that this device's own changes are durable."""
        self._agenda.want(Duty.TELLING, now)

    def told(self, own: Dot) -> None:
        """Note that the sessions were already told of this device's own changes, up to one."""
        self._faults.worked(Duty.TELLING)
        self._written = self._written._replace(own=own)

    def noticed(self, now: float) -> None:
        """Note that somebody, perhaps another process, has written to the store, or may have."""
        self._agenda.want(Duty.LOOKING, now)

    def linked(self, now: float) -> None:
        """Note that a peer answered at an address. The address is saved with the next proof, or after a while."""
        self._agenda.want(Duty.SAVING, now + limits.PROOF_SAVED_EVERY_S)

    def talked(self, effects: Iterable[Effect], deadline: float | None, now: float) -> None:
        """
        Note what the replica returned.

        Args:
            effects: Its effects, in order.
            deadline: When its timers are due; None for never.
            now: Monotonic time in seconds.
        """
        self._faults.worked(TALKING)
        self._agenda.put(Duty.TICKING, deadline)
        for effect in effects:
            if isinstance(effect, Applied):
                self._faults.worked(TAKING)
                if effect.members:
                    self._agenda.want(Duty.MEETING, now)
                if effect.reached is not None and effect.reached[0] == self._written.position:
                    self._written = self._written._replace(position=effect.reached[1])  # so they need not be looked for
            elif isinstance(effect, Proved):
                self._faults.worked(TAKING)
                self._agenda.want(Duty.SAVING, now)
            elif isinstance(effect, Differs):  # content is a function of the log: one of the two sides is damaged
                self._damage.add("", effect.keys)
                self._agenda.want(Duty.MENDING, now)
            elif isinstance(effect, Mended):  # changes that had rotted in the log are here again
                self._damage.add("", None)
                self._agenda.rouse(Duty.MENDING)
                self._agenda.want(Duty.MENDING, now)
            elif isinstance(effect, Close) and isinstance(effect.error, StorageError):
                self.fault(TAKING, effect.error, now)

    def fault(self, concern: str, error: EddaError, now: float) -> None:
        """
        Note a fault that happened outside of an order: in a session, on the way to a peer, or in a program's call.

        Args:
            concern: What met the fault; :meth:`worked` forgets it.
            error: The fault.
            now: Monotonic time in seconds.
        """
        self._meet(concern, error, now)
        if isinstance(error, StorageError):
            self._agenda.want(Duty.LOOKING, now + limits.WATCH_INTERVAL_S)

    def worked(self, concern: str) -> None:
        """Note that a concern works again, and forget its fault."""
        self._faults.worked(concern)

    def damaged(self, what: str, key: bytes | None, now: float) -> None:
        """Note that stored data is damaged: an entity, by its key; None if it is not known where."""
        self._damage.add(what, None if key is None else (key,))
        self._agenda.put(Duty.COMPARING, None)  # it comes after the mending
        self._agenda.want(Duty.DOUBTING, now)
        self._agenda.want(Duty.MENDING, now)

    def rebuilt(self, now: float) -> None:
        """Note that the log was folded again, by this process or another."""
        self._agenda.want(Duty.MEETING, now)
        self._agenda.want(Duty.COMPARING, now)

    # --- orders and their ends ----------------------------------------------------------------------------------------

    def due(self, now: float) -> list[Order | Tell | End]:
        """Return what to do now. Each order is under way until :meth:`done` or :meth:`failed`."""
        orders = [] if self._is_ending else [self._order(duty) for duty in self._agenda.begin(now)]
        said, self._said = self._said, []
        return [*said, *orders]

    def next_deadline(self) -> float | None:
        """Return when to ask :meth:`due` next, in monotonic seconds; None while nothing is due."""
        return None if self._is_ending else self._agenda.next_deadline()

    def done(self, order: Order, report: Report, now: float) -> None:
        """Note that an order was carried out, and its report."""
        duty = order.duty
        self._faults.worked(duty)
        self._agenda.end(duty, now + limits.PROOF_SAVED_EVERY_S if duty is Duty.SAVING else None)
        if isinstance(report, Written):
            self._learn(duty, report, now)
        elif isinstance(report, Scrubbed):
            self._scrubbed(report, now)
        elif isinstance(order, Mend):
            if mended := self._damage.mended():
                self._said.append(Tell(mended))
            self._agenda.rouse(Duty.MEETING)
            self._agenda.want(Duty.MEETING, now)  # a member whose record was damaged was missing meanwhile
            if not self._damage.is_known:
                self._agenda.put(Duty.DOUBTING, None)
                self._agenda.want(Duty.COMPARING, now)

    def failed(self, order: Order, error: EddaError, now: float) -> None:
        """Note that an order met a fault. It is given again after a delay."""
        duty = order.duty
        delay_s = self._meet(duty, error, now)
        self._agenda.end(duty, now + delay_s)
        self._agenda.want(duty, now)
        if isinstance(order, Mend):
            self._damage.add(
                "", None if isinstance(error, LostStatesError) else order.keys
            )  # all of them can be made anew
            if isinstance(error, CorruptError):  # the log itself is damaged: peers are asked by hash for what rotted
                self._agenda.want(Duty.FETCHING, now)

    def ending(self) -> list[Order]:
        """Return the last orders, to be carried out after the sessions have ended and before the store is closed."""
        self._is_ending = True
        return [Order(Duty.SAVING)] if self._agenda.is_open(Duty.SAVING) else []

    # --- for people ---------------------------------------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        """What fails now, such as a full disk; otherwise what was last found damaged; empty for neither. For a person."""
        return self._faults.latest or self._damage.last_told

    # --- inside -------------------------------------------------------------------------------------------------------

    def _order(self, duty: Duty) -> Order:
        if duty is Duty.SCRUBBING:
            return self._scrub
        if duty is Duty.MENDING:
            return Mend(duty, self._damage.take())
        return Order(duty)

    def _meet(self, concern: str, error: EddaError, now: float) -> float:
        """Note a fault, and order mending if it says that data is damaged; return in how many seconds to try again."""
        if isinstance(error, LostStoreError | ReplacedStoreError):
            self._said.append(End(error))
        retry = self._faults.failed(concern, error)
        if retry.is_news:
            self._said.append(Tell(str(error)))
        if retry.damaged:
            self.damaged(retry.damaged, None, now)
        return retry.delay_s

    def _learn(self, duty: Duty, written: Written, now: float) -> None:
        if duty is Duty.TELLING:  # looking at the log finds everything else that is in it
            self._written = self._written._replace(own=written.own)
            return
        before, self._written = self._written, self._written._replace(position=written.position)
        if written.position != before.position:
            self._faults.worked(TAKING)  # as far as anybody can tell, the disk works
            # Peers wait for this device's own changes, and not for what other peers sent.
            self._agenda.want(Duty.TELLING if written.own != before.own else Duty.PASSING_ON, now)
            self._agenda.want(Duty.MEETING, now)

    def _scrubbed(self, scrubbed: Scrubbed, now: float) -> None:
        """Schedule the next part of the scrub, or a new pass after a pause that doubles as long as nothing is found."""
        for damage in scrubbed.found:
            self.damaged(damage.what, damage.key, now)
        for text in scrubbed.lost:
            self._damage.last_told = text
            self._said.append(Tell(text))
        interval_s = float(limits.SCRUB_INTERVAL_S)
        longest_s = limits.SCRUB_S_MAX / 2  # so that a pass and its pause fit into the limit
        if scrubbed.following is None:
            self._pause_s = min(2 * self._pause_s, longest_s) if self._pause_s else interval_s
        if scrubbed.found or scrubbed.lost:
            self._pause_s = 0.0
        pause_s = self._pause_s if scrubbed.following is None and self._pause_s else interval_s
        limit = max(limits.SCRUB_ENTITIES_MIN, ceil(scrubbed.entities * interval_s / (longest_s - 2 * interval_s)))
        self._scrub = Scrub(Duty.SCRUBBING, scrubbed.following or b"", limit)
        self._agenda.want(Duty.SCRUBBING, now + pause_s)


class _Damage:
    """What was found damaged, or differs from what a peer has, and is not folded again yet."""

    def __init__(self) -> None:
        self.last_told = ""
        self._keys: set[bytes] = set()
        self._all = False
        self._what: list[str] = []  # in words, where this disk is known to be damaged
        self._mending: list[str] = []  # those that are being folded again

    def add(self, what: str, keys: tuple[bytes, ...] | None) -> None:
        """Note damaged entities, by key; None for unknown ones. Without words, the damage may be a peer's."""
        if keys is None:
            self._all = True
        else:
            self._keys.update(keys)
        if what:
            self._what.append(what)

    @property
    def is_known(self) -> bool:
        """Whether something on this disk is known to be damaged, and not mended yet."""
        return bool(self._what or self._mending)

    def take(self) -> tuple[bytes, ...] | None:
        """Return what to fold again, as in :class:`Mend`. What is found meanwhile is for the next time."""
        keys = None if self._all else tuple(sorted(self._keys))
        self._keys, self._all = set(), False
        self._mending, self._what = [*self._mending, *self._what], []
        return keys

    def mended(self) -> str:
        """Note that it was folded again; return what a person must know and was not just told."""
        what, self._mending = self._mending, []
        if not what:
            return ""
        mended = f"{what[0]} was damaged on this disk, and was restored from the log; watch this disk."
        told, self.last_told = self.last_told, mended
        return "" if told == mended else mended  # a scrub that is under way may have found it once more
