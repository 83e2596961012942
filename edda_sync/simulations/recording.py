"""
A recording: what the picture of a run needs. Pass it to a simulation, run that, and draw the recording (``picture``).

It only listens: with it and without it, a run is the same, down to its digest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.keys import kind_and_id
from edda_sync.fold.conflicts import conflicts_of
from edda_sync.fold.entities import Entities
from edda_sync.sync.messages import Changes
from edda_sync.sync.wire import Codec
from edda_sync.words.errors import RemoteProtocolError

if TYPE_CHECKING:
    from edda_sync.simulations.device import SimulatedDevice

DATA: Final = frozenset({"changes", "part", "snapshot"})  # kinds of messages that contain written data
CUTS: Final = frozenset({"partition", "isolated", "one way", "flap"})
LASTING: Final = CUTS | {"slow", "disk full"}  # notes that say how long something lasts
_ENDED_BY: Final = {"sleep": ("wake", "crash"), "crash": ("boot",)}


@dataclass(frozen=True, slots=True)
class Message:
    """A delivered frame: its kind, its number of changes, and its bytes."""

    sent: float
    arrived: float
    sender: str
    receiver: str
    kind: str
    changes: int
    size: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at one moment. ``device`` is empty if it concerned all."""

    at: float
    what: str
    device: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spell:
    """Something that lasted: a cut of paths, or a state of a device (``sleep``, ``crash``, ``slow``, ``disk full``)."""

    start: float
    end: float
    what: str
    device: str
    paths: tuple[tuple[str, str], ...] = ()


class Recording:
    """
    Records what happened. It is a :class:`edda_sync.simulations.protocols.Recorder`.

    Attributes:
        devices: The devices' names, in the order in which they appeared.
        moments, messages: In order of time.
        lag: For each honest device: times, and how many changes it lacked that another device held.
        conflicts: Times, and the largest number of conflicting values that a device kept.
        healed_at, equal_at: When the second act began, and when all were proved equal; None if that did not happen.
        ended_at: The time of the last event.
    """

    def __init__(self) -> None:
        self.devices: list[str] = []
        self.moments: list[Moment] = []
        self.messages: list[Message] = []
        self.lag: dict[str, list[tuple[float, int]]] = {}
        self.conflicts: list[tuple[float, int]] = [(0.0, 0)]
        self.healed_at: float | None = None
        self.equal_at: float | None = None
        self.ended_at = 0.0
        self._codec = Codec()
        self._frontiers: dict[str, Frontier] = {}
        self._kept: dict[str, int] = {}
        self._names: dict[str, list[str]] = {}

    # --- listening ----------------------------------------------------------------------------------------------------

    def note(self, now: float, what: str, device: str, facts: Mapping[str, Any]) -> None:
        """Note something that happened at a device."""
        self._meet(now, device)
        self.moments.append(Moment(now, what, device, dict(facts)))
        if what == "heal":
            self.healed_at = now
        elif what == "all equal":
            self.equal_at = now

    def frame(self, sent: float, arrived: float, sender: str, receiver: str, frame: bytes) -> None:
        """Note a frame that was delivered."""
        self._meet(arrived, sender, receiver)
        kind, changes = "garbage", 0
        try:
            message = self._codec.decode(frame)
        except RemoteProtocolError:
            pass  # a liar's
        else:
            kind = type(message).__name__.lower()
            changes = len(message.changes) if isinstance(message, Changes) else 0
        self.messages.append(Message(sent, arrived, sender, receiver, kind, changes, len(frame)))

    def changed(self, now: float, device: SimulatedDevice) -> None:
        """Measure how far behind each device is now, and how many conflicts are kept."""
        self._meet(now, device.name)
        names = self._names.setdefault(device.id, [])
        if device.name not in names:
            names.append(device.name)
        engine = device.running
        with engine.store.read() as reader:
            self._frontiers[device.name] = {head.actor: head.seq for head in reader.log.heads().values()}
            held = Entities(reader)
            entities = [held.existing(*kind_and_id(key)) for key in reader.index.conflicted()]
        texts = engine.ledger.texts
        self._kept[device.name] = sum(len(kept) for e in entities if e for kept in conflicts_of(e, texts).values())
        self._sample(now)

    def _sample(self, now: float) -> None:
        known: Frontier = {}
        for held in self._frontiers.values():
            for actor, seq in held.items():
                known[actor] = max(seq, known.get(actor, 0))
        everything = sum(known.values())
        for name, held in self._frontiers.items():
            _step(self.lag.setdefault(name, []), now, everything - sum(held.values()))
        _step(self.conflicts, now, max(self._kept.values()))

    def _meet(self, now: float, *names: str) -> None:
        self.ended_at = max(self.ended_at, now)
        for name in names:
            if name and name not in self.devices:
                self.devices.append(name)

    # --- looking back -------------------------------------------------------------------------------------------------

    def names_of(self, device: str) -> str:
        """Return the names of a device id's lanes. Copies of a device share one id."""
        return " and ".join(self._names.get(device, [device]))

    def spells(self) -> list[Spell]:
        """Return what lasted, in order of its beginning. The second act ends all of it."""
        return [*self._spells()]

    def _spells(self) -> Iterator[Spell]:
        last = self.ended_at if self.healed_at is None else self.healed_at
        for index, moment in enumerate(self.moments):
            what = moment.what
            if what in LASTING:
                end = moment.at + float(moment.facts["seconds"])
                paths = tuple(moment.facts.get("paths", ()))
                if paths or what not in CUTS:  # one of two groups may be empty
                    yield Spell(moment.at, min(end, last), what, moment.device, paths)
            elif what in _ENDED_BY:
                later = (m.at for m in self.moments[index:] if m.device == moment.device and m.what in _ENDED_BY[what])
                yield Spell(moment.at, next(later, self.ended_at), what, moment.device)

    def born(self) -> dict[str, float]:
        """Return when each device appeared."""
        found: dict[str, float] = {}
        for moment in self.moments:
            if moment.device:
                found.setdefault(moment.device, moment.at)
        return {name: found.get(name, 0.0) for name in self.devices}


def _step(steps: list[tuple[float, int]], now: float, value: int) -> None:
    """Continue a step line: at most one step at each time, and none while the value stays the same."""
    if steps and steps[-1][0] == now:
        steps[-1] = now, value
    elif not steps or steps[-1][1] != value:
        steps.append((now, value))
