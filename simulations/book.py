"""
The book: what the devices were asked for, what they acknowledged, and what their logs hold. Checkers read it.

Every value that the workload writes is a *word* that nobody else ever wrote, so that whatever is visible anywhere can be
traced to whoever wrote it.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from edda_sync.crdt.change import Dot
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.ledger import actor_of
from edda_sync.protocols import Logged

if TYPE_CHECKING:
    from simulations.device import SimulatedDevice


class Fate(Enum):
    """What became of a word that somebody tried to write."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    DOUBTFUL = "doubtful"  # power failed, or a sync


class Book:
    """
    What happened, as an outsider saw it.

    Attributes:
        hashes: The hash under which honest devices hold each change.
        made: The hash of each change that an honest device made, as its own log had it first.
        forked: Dots that may exist under two hashes: somebody lied, or a whole machine was put back. See :meth:`is_forked`.
        held: Of each device, by name, the changes in its log as of its last event.
        acknowledged_by: Of each device, by name, its own changes whose calls returned and that its disk must hold.
        destroyed: Acknowledged changes that nobody holds any more, since somebody put an older image in their place.
        words: What became of each word.
        makers: Names of the honest devices that wrote under each actor.
        meant: The only cells that whoever writes just now means to write; empty when that is not known.
        removed: Tasks that somebody deleted, in order.
        tasks, documents: Ids that somebody made, in order.
        sets: Tasks whose titles are always written together.
    """

    def __init__(self) -> None:
        self.hashes: dict[Dot, bytes] = {}
        self.made: dict[Dot, bytes] = {}
        self.makers: dict[int, str] = {}
        self.forked: set[Dot] = set()
        self.held: dict[str, dict[Dot, bytes]] = {}
        self.acknowledged_by: dict[str, set[Dot]] = {}
        self.destroyed: set[Dot] = set()
        self.words: dict[str, Fate] = {}
        self.tasks: list[str] = []
        self.meant: frozenset[str] = frozenset()
        self.removed: list[str] = []
        self.documents: list[str] = []
        self.sets: list[list[str]] = []
        self._position: dict[str, int] = {}
        self._own: dict[str, set[int]] = {}
        self._words = 0

    def word(self) -> str:
        """Return a word that nobody has written yet; until somebody acknowledges it, it is doubtful."""
        self._words += 1
        word = f"w{self._words}"
        self.words[word] = Fate.DOUBTFUL
        return word

    def read_on(self, device: SimulatedDevice) -> list[Logged]:
        """Read what a device's log has more than when it was last read."""
        with device.running.store.read() as reader:
            at = self._position.get(device.name, 0)
            end = reader.log_position()
            segments = dict(reader.segments()) if end > at else {}
            entries = [reader.logged(position) for position in range(at + 1, end + 1) if position not in segments]
            own = self._own.setdefault(device.name, set())
            own.add(actor_of(reader))
        self._position[device.name] = end
        held = self.held.setdefault(device.name, {})
        for entry in entries:
            held[entry.actor, entry.seq] = entry.hash
            if device.honest:
                self.hashes.setdefault((entry.actor, entry.seq), entry.hash)
                if entry.actor in own:
                    self.makers[entry.actor] = device.name
                    self.made.setdefault((entry.actor, entry.seq), entry.hash)
        return entries

    def came_back(self, device: SimulatedDevice) -> None:
        """Read a device's log anew: it has just started on what its disk holds."""
        self._position.pop(device.name, None)
        self.held[device.name] = {}
        self.read_on(device)

    def is_own(self, device: SimulatedDevice, entry: Logged) -> bool:
        """Tell whether a device wrote an entry of its log itself."""
        return entry.actor in self._own[device.name]

    def acknowledge(self, device: SimulatedDevice, own: list[Logged]) -> None:
        """Note that a device acknowledged its own changes."""
        self.acknowledged_by.setdefault(device.name, set()).update((each.actor, each.seq) for each in own)

    def is_forked(self, dot: Dot) -> bool:
        """Tell whether a change may differ between honest devices: it, or one before it, was made twice."""
        return any(actor == dot[0] and seq <= dot[1] for actor, seq in self.forked)

    def frontier(self, device: SimulatedDevice) -> Frontier:
        """Return which changes of each actor a running device holds."""
        return device.running.frontier()
