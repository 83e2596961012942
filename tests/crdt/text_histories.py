"""
Histories of one text: some devices write it, and one of them lies.

Each change is made by a device that knows only what is in the change's past. The liar knows more than it says, and alters
what an honest device would have written. A history is then told to other devices, in other orders of causality, with
restarts and joined states in between: every one must come to the same verdict on every change, and to the same text.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text.document import TextDocument, genesis_id
from edda_sync.crdt.text.edits import TABLE, TextEdit
from edda_sync.crdt.text.units import code_points, units
from edda_sync.words.errors import CorruptError, RefusedTextError
from tests.crdt.text_joining import merged, put_in_order

Dot = tuple[bytes, int]
Frontier = dict[bytes, int]
Unit = tuple[bytes, int]  # name, clock

ENTITY: Final = bytes(range(16))
STARTS: Final = ("", "abcd", "a🙂b", "🙂🙂", "the cat sat on the mat", "x" * 30)
WORDS: Final = ("a", "b", "xy", "🙂", "q🙂", "🙂🙂r", "dog", "é日")
ITSELF: Final = b"itself"  # stands for a rewrite's own name, which is not known before it is made


@dataclass(frozen=True)
class Change:
    """A change that starts the text if it has no edits, and otherwise edits it."""

    dot: Dot
    past: Frontier
    edits: tuple[bytes, ...] = ()
    is_lie: bool = False


@dataclass
class Spoken:
    """An edit with names in the place of indices, for changing it."""

    clock: int | None
    blocks: list[tuple[Unit | None, Unit | None, str]]
    deletions: list[tuple[bytes, int, int]]


@dataclass
class Device:
    """What a device holds: the text, its changes, and the verdict on each."""

    genesis: bytes
    start: str
    document: TextDocument | None = None
    frontier: Frontier = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    verdicts: dict[tuple[Dot, int], str | None] = field(default_factory=dict)
    stored: bytes = b""  # a state of the text, from before
    tail: list[tuple[bytes, Dot]] = field(default_factory=list)  # the edits that were accepted since then

    def take(self, change: Change) -> None:
        """Take a change whose past is here."""
        if change.dot[1] <= self.frontier.get(change.dot[0], 0):
            return
        assert all(seq <= self.frontier.get(actor, 0) for actor, seq in change.past.items()), "out of causal order"
        if not change.edits:
            if self.document is None:
                self.document = TextDocument.start(self.genesis, self.start, [change.dot])
            else:
                self.document.started(change.dot)
            self.store()
        for at, data in enumerate(change.edits):
            self.verdicts[change.dot, at] = None
            try:
                edit = codec.decode(data)
                if self.document is None:
                    raise RefusedTextError("its author does not know the text")
                self.document.apply(edit, change.dot, change.past)
            except RefusedTextError as refused:
                self.verdicts[change.dot, at] = refused.reason
        self.note(change)

    def note(self, change: Change) -> None:
        self.log.append(change)
        self.frontier[change.dot[0]] = change.dot[1]
        accepted = [data for at, data in enumerate(change.edits) if self.verdicts[change.dot, at] is None]
        self.tail += [(data, change.dot) for data in accepted]

    def store(self) -> None:
        """Keep the text as it is now."""
        assert self.document is not None
        self.stored, self.tail = self.document.state(), []

    def pull(self, other: Device, count: int | None = None) -> None:
        """Take the changes of another device, or a number of the first ones."""
        missing = [change for change in other.log if change.dot[1] > self.frontier.get(change.dot[0], 0)]
        for change in missing[:count]:
            self.take(change)

    def hear(self, chance: random.Random, changes: Sequence[Change]) -> None:
        """Take one of the changes that could come next."""
        ready = [
            change
            for change in changes
            if change.dot[1] == self.frontier.get(change.dot[0], 0) + 1
            and all(seq <= self.frontier.get(actor, 0) for actor, seq in change.past.items())
        ]
        if ready:
            self.take(chance.choice(ready))

    def join(self, other: Device) -> None:
        """Take the text of another device as a state, with its log and verdicts."""
        if self.document is None or other.document is None:
            return self.pull(other)
        self.document = merged(self.document, other.document.state())
        for change in other.log:
            if change.dot[1] > self.frontier.get(change.dot[0], 0):
                self.verdicts.update({key: verdict for key, verdict in other.verdicts.items() if key[0] == change.dot})
                self.note(change)
        self.store()
        return None

    def restart(self, *, from_tail: bool = False) -> None:
        """Load the text as it is, or as it was stored earlier with the edits kept since then."""
        if self.document is None:
            return
        if not from_tail:
            self.store()
        self.document = TextDocument.load(self.stored)
        for data, dot in self.tail:
            self.document.replay(codec.decode(data), dot)


class History(NamedTuple):
    """What was written, in one order of causality, and who wrote it."""

    genesis: bytes
    start: str
    changes: list[Change]
    devices: list[Device]


# --- making one -------------------------------------------------------------------------------------------------------


def make(seed: int, *, steps: int = 30, lies: bool = True) -> History:
    """Let some devices write, the last of them lying."""
    chance = random.Random(seed)
    is_crowded = chance.random() < 0.5  # all type at few places, letter by letter, and hear little of each other
    start = chance.choice(STARTS[:2] if is_crowded else STARTS)
    genesis = genesis_id(ENTITY, "content", start)
    alike = bytes(chance.choice((0, 0, 7)))  # now and then the client ids of all actors collide
    count = chance.randint(3, 5) if is_crowded else chance.randint(2, 4)
    actors = [alike + chance.randbytes(16 - len(alike)) for _ in range(count)]
    devices = [Device(genesis, start) for _ in actors]
    typed: list[Unit | None] = [None] * count  # the last edit of each
    liar = Device(genesis, start)  # what the liar knows; devices[-1] is what it claims to know
    changes: list[Change] = []

    def write(at: int, *edits: bytes, is_lie: bool = False) -> None:
        device, actor = devices[at], actors[at]
        change = Change((actor, device.frontier.get(actor, 0) + 1), dict(device.frontier), edits, is_lie)
        changes.append(change)
        if edits and not is_lie:  # they are made already
            device.verdicts.update({(change.dot, number): None for number in range(len(edits))})
            device.note(change)
        else:
            device.take(change)

    write(0)
    if chance.random() < 0.3:
        write(1)
    for _ in range(steps * (2 if is_crowded else chance.choice((1, 1, 1, 1, 4)))):
        at = len(actors) - 1 if chance.random() < 0.25 else chance.randrange(len(actors))
        device, actor = devices[at], actors[at]
        what = chance.random()
        told = [edit for change in changes for edit in change.edits]
        if lies and device is devices[-1] and device.document is None and told and chance.random() < 0.3:
            write(at, chance.choice(told), is_lie=True)  # of a text that it does not know
        elif is_crowded and what < 0.5:
            device.hear(chance, changes)
        elif device.document is None or what < 0.25:
            device.pull(chance.choice(devices), chance.choice((1, 2, 5, None)))
        elif 0.5 < what < 0.55:
            device.restart(from_tail=chance.random() < 0.5)
        elif 0.55 < what < 0.58:
            device.join(chance.choice(devices))
        elif lies and at == len(actors) - 1 and chance.random() < 0.8:
            for other in devices:
                liar.pull(other)
            lies_told = [_lie(chance, device, liar, actor, told) for _ in range(chance.choice((1, 1, 1, 2)))]
            write(at, *lies_told, is_lie=True)
        else:
            dot, past = (actor, device.frontier.get(actor, 0) + 1), dict(device.frontier)
            made = []
            for _ in range(chance.choice((1, 1, 1, 2))):
                is_rewrite = chance.random() < (0.1 if is_crowded else 0.4)
                edit_as = device.document.rewrite if is_rewrite else device.document.edit
                edits = random_edits(chance, device.document.string(), is_crowded)
                if chance.random() < (0.6 if is_crowded else 0.2):  # it types on
                    edits = [(position_behind(device.document, typed[at]), 0, chance.choice(WORDS[:3]))]
                made.append(codec.encode(edit_as(dot, past, edits)))
                clock = device.document.vector().get(actor, 0)
                typed[at] = (actor, clock - 1) if clock else None
            write(at, *made)
    return History(genesis, start, changes, devices)


def position_behind(document: TextDocument, unit: Unit | None) -> int:
    """The position directly behind a unit; the start of the text for none."""
    position = 0
    if unit is not None:
        text = document._text
        for run in text.order:
            shown = run.text or ""
            if text.names[run.name] == unit[0] and 0 <= unit[1] - run.clock < run.size:
                return position + (code_points(shown, unit[1] - run.clock + 1) if shown else 0)
            position += len(shown)
    return position


def random_edits(chance: random.Random, text: str, is_crowded: bool = False) -> list[tuple[int, int, str]]:
    """A few edits of a text; at few places and of few words, so that devices do the same by chance."""
    edits = []
    length = len(text)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        position = chance.randint(0, length) if is_crowded else chance.choice((0, length, chance.randint(0, length)))
        deleted = min(chance.choice((0, 0, 0, 0, 1) if is_crowded else (0, 0, 1, 2, 5)), length - position)
        inserted = chance.choice(("", *WORDS)) if deleted else chance.choice(WORDS[:2] if is_crowded else WORDS)
        edits.append((position, deleted, inserted))
        length += len(inserted) - deleted
    return edits


# --- lying ------------------------------------------------------------------------------------------------------------


def speak(edit: TextEdit, actor: bytes, genesis: bytes) -> Spoken:
    """Put names in the place of an edit's indices."""
    names = (ITSELF if edit.is_rewrite else actor, genesis, *edit.names)

    def unit(of: tuple[int, int] | None) -> Unit | None:
        return None if of is None else (names[of[0]], of[1])

    blocks = [(unit(left), unit(right), text) for left, right, text in edit.blocks]
    return Spoken(edit.clock, blocks, [(names[index], clock, length) for index, clock, length in edit.deletions])


def write(spoken: Spoken, actor: bytes, genesis: bytes) -> bytes:
    """Put indices in the place of names again."""
    own = ITSELF if spoken.clock is None and spoken.blocks else actor
    used = {unit[0] for left, right, _ in spoken.blocks for unit in (left, right) if unit is not None}
    used.update(name for name, _, _ in spoken.deletions)
    table = sorted(used - {own, genesis})
    ids = {own: 0, genesis: 1, **{name: at for at, name in enumerate(table, TABLE)}}

    def unit(of: Unit | None) -> tuple[int, int] | None:
        return None if of is None else (ids[of[0]], of[1])

    return codec.encode(
        TextEdit(
            tuple(table),
            spoken.clock,
            tuple((unit(left), unit(right), text) for left, right, text in spoken.blocks),
            tuple((ids[name], clock, length) for name, clock, length in spoken.deletions),
        )
    )


def units_of(document: TextDocument) -> list[Unit]:
    """All units of a text in order, deleted ones too."""
    text = document._text
    return [(text.names[run.name], run.clock + at) for run in text.order for at in range(run.size)]


def _lie(chance: random.Random, device: Device, liar: Device, actor: bytes, told: Sequence[bytes]) -> bytes:
    """An edit that an honest device could have written, then altered; or a copy of somebody's edit."""
    if told and chance.random() < 0.15:
        again = chance.choice(told)
        if chance.random() < 0.2:
            at = chance.randrange(len(again))
            return again[:at] + chance.randbytes(1) + again[at + 1 :]
        return again
    assert device.document is not None
    assert liar.document is not None
    trial = TextDocument.load(device.document.state())
    dot, past = (actor, device.frontier.get(actor, 0) + 1), device.frontier
    edit_as = trial.rewrite if chance.random() < 0.3 else trial.edit
    edit = edit_as(dot, past, random_edits(chance, trial.string()))
    spoken = speak(edit, actor, device.genesis)
    here, there = units_of(device.document), units_of(liar.document)
    for _ in range(chance.choice((1, 1, 2, 3))):
        chance.choice(_MUTATIONS)(chance, spoken, here, there, actor)
    return write(spoken, actor, device.genesis)


def _place(chance: random.Random, here: list[Unit]) -> tuple[Unit | None, Unit | None]:
    """Return a place in the order, between any two neighbours."""
    at = chance.randint(0, len(here))
    return (here[at - 1] if at else None), (here[at] if at < len(here) else None)


def _move(chance: random.Random, spoken: Spoken, here: list[Unit], there: list[Unit], actor: bytes) -> None:
    """Move it to another place in what the liar claims to know, or in what it knows."""
    if spoken.blocks:
        at = chance.randrange(len(spoken.blocks))
        spoken.blocks[at] = (*_place(chance, chance.choice((here, here, here, there))), spoken.blocks[at][2])


def _insert(chance: random.Random, spoken: Spoken, here: list[Unit], there: list[Unit], actor: bytes) -> None:
    spoken.blocks.insert(
        chance.randint(0, len(spoken.blocks)),
        (*_place(chance, chance.choice((here, here, there))), chance.choice(WORDS)),
    )


def _insert_beside_itself(
    chance: random.Random, spoken: Spoken, here: list[Unit], there: list[Unit], actor: bytes
) -> None:
    """Move it to the left or right of the edit's own last block, inside it, or to its end."""
    if not spoken.blocks:
        return
    left, right, text = spoken.blocks[-1]
    own = ITSELF if spoken.clock is None else actor
    clock = (spoken.clock or 0) + sum(units(text) for _, _, text in spoken.blocks)
    size = units(text)
    inside = chance.randrange(size)
    place = chance.choice(
        (
            ((own, clock - 1), right),
            (left, (own, clock - size)),
            ((own, clock - size + inside), (own, clock - size + inside + 1)),
        )
    )
    spoken.blocks.append((*place, chance.choice(WORDS)))


def _swap(chance: random.Random, spoken: Spoken, here: list[Unit], there: list[Unit], actor: bytes) -> None:
    """Put the right neighbour in front of the left one."""
    if spoken.blocks:
        at = chance.randrange(len(spoken.blocks))
        left, right, text = spoken.blocks[at]
        spoken.blocks[at] = right, left, text


def _misplace(chance: random.Random, spoken: Spoken, here: list[Unit], there: list[Unit], actor: bytes) -> None:
    """Replace the neighbour on one side: by another unit, an unknown one, or the edge."""
    if spoken.blocks:
        at = chance.randrange(len(spoken.blocks))
        sides: list[Unit | None] = list(spoken.blocks[at][:2])
        any_unit = chance.choice(there) if there else None
        sides[chance.randrange(2)] = chance.choice((None, any_unit, (actor, chance.randint(0, 9))))
        spoken.blocks[at] = sides[0], sides[1], spoken.blocks[at][2]


def _delete(chance: random.Random, spoken: Spoken, here: list[Unit], there: list[Unit], actor: bytes) -> None:
    """Delete any units, also ones that the author does not know, or half of a character."""
    known = chance.choice((here, here, there))
    if known:
        name, clock = chance.choice(known)
        spans = sorted([*spoken.deletions, (name, clock, chance.choice((1, 1, 2, 3, 100)))])
        joined: dict[bytes, list[tuple[int, int]]] = {}
        for of, first, length in spans:
            ranges = joined.setdefault(of, [])
            if ranges and first <= ranges[-1][0] + ranges[-1][1]:
                begin, size = ranges[-1]
                ranges[-1] = begin, max(size, first + length - begin)
            else:
                ranges.append((first, length))
        spoken.deletions = [(of, first, length) for of, ranges in joined.items() for first, length in ranges]


def _forget(chance: random.Random, spoken: Spoken, here: list[Unit], there: list[Unit], actor: bytes) -> None:
    """Delete less."""
    if spoken.deletions:
        spoken.deletions.pop(chance.randrange(len(spoken.deletions)))


def _count(chance: random.Random, spoken: Spoken, here: list[Unit], there: list[Unit], actor: bytes) -> None:
    """Use another clock than the author's."""
    if spoken.clock is not None:
        spoken.clock = max(0, spoken.clock + chance.choice((-1, 1, -2, 5)))


def _write_other(chance: random.Random, spoken: Spoken, here: list[Unit], there: list[Unit], actor: bytes) -> None:
    """Use other words."""
    if spoken.blocks:
        at = chance.randrange(len(spoken.blocks))
        spoken.blocks[at] = (*spoken.blocks[at][:2], chance.choice(WORDS))


_MUTATIONS: Final[Sequence[Callable[[random.Random, Spoken, list[Unit], list[Unit], bytes], None]]] = (
    _move, _insert, _insert, _insert_beside_itself, _swap, _misplace, _delete, _delete, _forget, _count, _write_other,
)  # fmt: skip


# --- telling it -------------------------------------------------------------------------------------------------------


def causal_order(chance: random.Random, changes: Sequence[Change]) -> Iterator[Change]:
    """The same changes in another order, each after its past."""
    waiting, held = list(changes), Frontier()
    while waiting:
        ready = [change for change in waiting if all(seq <= held.get(a, 0) for a, seq in change.past.items())]
        change = chance.choice(ready)
        waiting.remove(change)
        held[change.dot[0]] = change.dot[1]
        yield change


def tell(history: History, seed: int) -> Device:
    """Tell a history to a device in an order of its own, with restarts and joined states on the way."""
    chance = random.Random(seed)
    device, other = Device(history.genesis, history.start), Device(history.genesis, history.start)
    other_has = chance.random()
    for change in causal_order(chance, history.changes):
        device.take(change)
        if chance.random() < other_has and all(seq <= other.frontier.get(a, 0) for a, seq in change.past.items()):
            other.take(change)
        what = chance.random()
        if what < 0.1:
            device.restart(from_tail=chance.random() < 0.5)
        elif what < 0.13:
            other.join(device)
        elif what < 0.16:
            device, other = other, device
            device.pull(other)
    return device


def differences(history: History, seed: int, *, times: int = 2) -> list[str]:
    """Tell a history several times and return what differs, in words; nothing, if all is well."""
    for device in history.devices:
        for other in history.devices:
            device.pull(other)
    told = [*history.devices, *(tell(history, seed + at) for at in range(times))]
    first, found = told[0], []
    assert first.document is not None
    for at, device in enumerate(told):
        device.restart()
        assert device.document is not None
        for (dot, number), verdict in device.verdicts.items():
            expected = first.verdicts.get((dot, number), "not there")
            if verdict != expected:
                found.append(f"device {at}: {dot[0].hex()[:6]}:{dot[1]}/{number}: {verdict}; elsewhere {expected}")
        if device.verdicts.keys() != first.verdicts.keys():
            found.append(f"device {at}: has other changes")
        if device.document.string() != first.document.string():
            found.append(f"device {at}: reads {device.document.string()!r}, not {first.document.string()!r}")
        if device.document.state() != first.document.state():
            found.append(f"device {at}: has another state")
        if device.document.hash() != first.document.hash():
            found.append(f"device {at}: has another hash")
    try:
        put_in_order(first.document._text)
        first.document.check()
    except (CorruptError, ValueError) as error:
        found.append(f"device 0: {error}")
    lies = {change.dot for change in history.changes if change.is_lie}
    refused = [verdict for (dot, _), verdict in first.verdicts.items() if verdict is not None and dot not in lies]
    return [*found, *(f"refused an honest edit: {reason}" for reason in refused)]


def lies_accepted(history: History) -> int:
    """Return how many lies became part of the text."""
    lies = {change.dot for change in history.changes if change.is_lie}
    return sum(verdict is None and dot in lies for (dot, _), verdict in history.devices[0].verdicts.items())
