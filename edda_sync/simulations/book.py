"""
The book: what the devices were asked for, what they acknowledged, and what their logs hold. The checkers read it.

Every value that the workload writes is a *word* that nobody else ever wrote, so that whatever is visible anywhere can be
traced to its author. A change is identified by its hash, and by the dot that its author gave it. What a store calls a
branch of a fork is that store's own name, and does not matter here.
"""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import Final

from edda_sync.changes.change import decode_birth, decode_header
from edda_sync.changes.early import REISSUED_KEY
from edda_sync.crdt.frontier import ACTOR_BYTES, Dot, Frontier
from edda_sync.simulations.links import Host
from edda_sync.store.seams import Logged, StoreReader
from edda_sync.sync.provisional import forged_by, unproved_by
from edda_sync.sync.readmission import SAW_OTHERWISE, WHY
from edda_sync.workspace.actor import actor_of
from edda_sync.workspace.keys import BIRTH_KEY

TAGS: Final = ("work", "home", "Straße", "STRASSE", "urgent")
HOT: Final = 3  # how many items all devices work on, so that their writes meet


class Fate(Enum):
    """What became of a word that a device tried to write."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    DOUBTFUL = "doubtful"  # power or a sync failed


class Book:
    """
    What happened, as an outsider saw it.

    Attributes:
        hashes: The hash under which honest devices hold each change; of a fork, the hash of the branch that came first.
        made: The hash of each change that an honest device made, as its own log first had it.
        forked: Dots that may exist under two hashes, because a device lied or a whole machine was put back. See
            :meth:`is_forked`.
        held: By the name of each device, the changes in its log as of its last event: their dots by their hashes.
        acknowledged_by: By the name of each device, its own changes whose calls returned, and that its disk must therefore
            hold; dots by hashes.
        withdrawn: By the name of each device, the changes that it removed from its log because what it began with was not
            proved: its own drafts, which it wrote again, and changes that depend on what is not here.
        catching_up: Names of the devices whose last reading brought changes that a segment had stood for.
        fell: By name, how often a device's log contradicted what it began with or never became complete, or how often the
            device was let in again.
        began_again: By the name of each device, the early changes that it removed from its log when it was let in again.
        destroyed: Acknowledged changes that nobody holds any more, because an older image was put in their place; dots by
            hashes.
        words: What became of each word.
        makers: Names of the honest devices that wrote as each actor.
        meant: The only cells that the present writer means to write; empty if they are not known.
        removed: Tasks that were deleted, in order.
        tasks, documents: Ids that were created, in order.
        sets: Tasks whose titles are always written together.
        taken_back: The names of the changes that somebody took back, as stores have them.
        typed: By each word that was typed into a text that may be a liar's, the task with that description.
    """

    def __init__(self) -> None:
        self.hashes: dict[Dot, bytes] = {}
        self.made: dict[Dot, bytes] = {}
        self.makers: dict[bytes, str] = {}
        self.forked: set[Dot] = set()
        self.held: dict[str, dict[bytes, Dot]] = {}
        self.acknowledged_by: dict[str, dict[bytes, Dot]] = {}
        self.withdrawn: dict[str, set[bytes]] = {}
        self.fell: Counter[str] = Counter()
        self.began_again: dict[str, set[bytes]] = {}
        self._reissued: dict[str, set[bytes]] = {}  # the notes of reissued changes that were seen
        self.catching_up: set[str] = set()
        self.destroyed: dict[bytes, Dot] = {}
        self.words: dict[str, Fate] = {}
        self.tasks: list[str] = []
        self.meant: frozenset[str] = frozenset()
        self.removed: list[str] = []
        self.documents: list[str] = []
        self.sets: list[list[str]] = []
        self.taken_back: set[str] = set()
        self.typed: dict[str, str] = {}
        self._read: dict[str, set[int]] = {}
        self._gaps: set[str] = set()  # devices whose logs began with a segment, so that older changes may come later
        self._own: dict[str, set[bytes]] = {}
        self._lives: dict[str, bytes] = {}  # the present ones
        self._words = 0

    def word(self) -> str:
        """Return a word that nobody has written yet. Until a device acknowledges it, it is doubtful."""
        self._words += 1
        word = f"w{self._words}"
        self.words[word] = Fate.DOUBTFUL
        return word

    def read_on(self, device: Host) -> list[Logged]:
        """Read what was added to a device's log since the last reading; each entry has its author's dot."""
        self.catching_up.discard(device.name)
        if device.name in self._gaps:
            self.catching_up.add(device.name)
        with device.running.store.read() as reader:
            end = reader.log.position()
            if reader.segments.merged():
                self._gaps.add(device.name)
            elif device.name in self._gaps:
                self._fell_back(device, reader)
            read = self._read.setdefault(device.name, set())
            if self._begin_again(device, reader):
                read.clear()
            if device.name in self._gaps and not read <= set(reader.log.positions_after({})):
                self._take_out(device, reader)  # the log behind its segment was started over
                read.clear()
            new = (
                [at for at in reader.log.positions_after({}) if at not in read] if self._is_behind(device, end) else []
            )
            entries = [reader.log.read(position) for position in new]
            own = self._own.setdefault(device.name, set())
            own.add(life := actor_of(reader))
            self._lives[device.name] = life
        read.update(new)
        held = self.held.setdefault(device.name, {})
        entries = [e._replace(actor=decode_header(e.raw).actor) for e in entries if e.hash not in held]
        for entry in entries:
            dot = entry.actor, entry.seq
            held[entry.hash] = dot
            if device.honest:
                self.hashes.setdefault(dot, entry.hash)
                if entry.actor in own:
                    self.makers[entry.actor] = device.name
                    self.made.setdefault(dot, entry.hash)
        return entries

    def _fell_back(self, device: Host, reader: StoreReader) -> None:
        """Note what a device removed from its log when its segment ended. What it wrote itself, it has written again."""
        self._gaps.discard(device.name)
        self._read.pop(device.name, None)
        if forged_by(reader) is not None or unproved_by(reader) is not None:
            self.fell[device.name] += 1
            self._take_out(device, reader)

    def _begin_again(self, device: Host, reader: StoreReader) -> bool:
        """Note what a device removed from its log if it was let in again; tell whether it was."""
        mark, seen = reader.meta.get(REISSUED_KEY), self._reissued.setdefault(device.name, set())
        if mark is None or mark in seen:
            return False
        seen.add(mark)
        life = reader.log.heads().get(mark[-ACTOR_BYTES:])
        birth = life.birth if life is not None else reader.meta.get(BIRTH_KEY) or b""  # it may not have written yet
        if decode_birth(birth).why not in (WHY, SAW_OTHERWISE):
            return False  # its drafts: see :meth:`_fell_back`
        self.fell[device.name] += 1
        self.began_again.setdefault(device.name, set()).update(self._take_out(device, reader))
        return True

    def _take_out(self, device: Host, reader: StoreReader) -> set[bytes]:
        here = {reader.log.read(at).hash for at in reader.log.positions_after({})}
        held = self.held.get(device.name, {})
        gone = held.keys() - here
        self.withdrawn.setdefault(device.name, set()).update(gone)
        for digest in gone:
            del held[digest]
            self.acknowledged_by.get(device.name, {}).pop(digest, None)
        return gone

    def _is_behind(self, device: Host, end: int) -> bool:
        """Tell whether a log that ends at this position may contain entries that were not read."""
        return device.name in self._gaps or end != len(self._read[device.name])

    def came_back(self, device: Host) -> None:
        """Read a device's log from its beginning, because it has just started on what its disk holds."""
        with device.running.store.read() as reader:
            if device.name in self._gaps and not reader.segments.merged():
                self._fell_back(device, reader)
            self._begin_again(device, reader)
        self._read.pop(device.name, None)
        self._gaps.discard(device.name)
        self.held[device.name] = {}
        self.read_on(device)

    def is_own(self, device: Host, entry: Logged) -> bool:
        """Tell whether an entry of a device's log is in a life of that device."""
        return entry.actor in self._own[device.name]

    def is_new(self, device: Host, entry: Logged) -> bool:
        """
        Tell whether a device has just written an entry that its log has got.

        A backup may bring back what it wrote in an earlier life, and a bundle what a copy of it wrote in this one.
        """
        elsewhere = (held for name, held in self.held.items() if name != device.name)
        return entry.actor == self._lives[device.name] and not any(entry.hash in held for held in elsewhere)

    def acknowledge(self, device: Host, own: list[Logged]) -> None:
        """Note that a device acknowledged its own changes."""
        known = self.acknowledged_by.setdefault(device.name, {})
        known.update((each.hash, (each.actor, each.seq)) for each in own)

    def is_forked(self, dot: Dot) -> bool:
        """Tell whether a change may differ between honest devices, because its dot, or one before it, was used twice."""
        return any(actor == dot[0] and seq <= dot[1] for actor, seq in self.forked)

    def frontier(self, device: Host) -> Frontier:
        """Return what a running device holds: the last seq of each actor and of each branch."""
        return device.running.frontier()
