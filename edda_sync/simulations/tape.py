"""
The tape: what happens in a run, and every choice in it, from one seed.

1. Each event of the tape has choices of its own, drawn from the seed and its number: removing one event changes no other
   event. This is how a failure is shrunk (``shrink``).
2. The network's paths, the disks and the clocks have choices of their own too: one source for each concern.
3. The choice 0 is the plainest one: no loss, no delay, the first device. On a *calm* tape all choices are 0, except in
   events.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

T = TypeVar("T")

SEVERITIES: Final = (0, 1, 1, 2, 2, 3)  # some runs have no faults, most have a few kinds, some have all
WORK: Final = dict.fromkeys(("imports", "moves", "removals", "sets", "tags", "typing"), 65)
"""The percentage of runs that have these; without work, the rarest fault breaks nothing."""
DEVICES: Final = (2, 2, 2, 3, 3, 3, 4, 5)
EVENTS: Final = (6, 10, 10, 16, 16, 24, 24, 40, 60)
SPAN_S: Final = (20, 120, 600, 1_800)  # the length of the first act
TOGETHER_PERCENT: Final = 35  # this share of events happens at the same time as the one before
SQLITE_ONE_IN: Final = 10
LINE_ONE_IN: Final = 6
ONLY_IN_PLAYS: Final = "backups"
"""The concern of the actions that only plays have."""
FILES: Final = "files"
FEW_FILES: Final = "few-files"
INDEXES: Final = "indexes"
UNDOING: Final = "undoing"
BESIDE: Final = {FILES: ("busy", 2), FEW_FILES: ("filed", 6), INDEXES: ("indexed", 5), UNDOING: ("undone", 4)}
"""What some runs have beside their events: the source that this is drawn from, and one run in how many has it."""


class Draws:
    """
    The choices of one concern.

    Args:
        source: Names the concern, after the seed.
        note: Is told each choice: its label, the number of options, and the chosen one.
        plain: Whether every choice is 0.
    """

    def __init__(
        self, source: str, note: Callable[[str, int, int], None] | None = None, *, plain: bool = False
    ) -> None:
        self._random = random.Random(source).random
        self._note = note
        self._plain = plain

    def draw(self, label: str, count: int) -> int:
        """Choose one of ``count`` options; ``label`` says what for."""
        chosen = 0 if self._plain else int(self._random() * count)
        if self._note is not None:
            self._note(label, count, chosen)
        return chosen

    def pick(self, label: str, among: Sequence[T]) -> T:
        """Choose one element; there must be at least one."""
        return among[self.draw(label, len(among))]

    def chance(self, label: str, percent: int) -> bool:
        """Tell whether something with this probability happens; on a plain tape it does not."""
        return self.draw(label, 100) >= 100 - percent

    def seconds(self, label: str, least: float, most: float) -> float:
        """Choose a time, in milliseconds' steps."""
        return least + self.draw(label, int((most - least) * 1000) + 1) / 1000

    def some(self, label: str, among: Sequence[T], least: int = 1) -> list[T]:
        """Choose several elements, and keep their order."""
        count = least + self.draw(label, len(among) - least + 1)
        chosen = list(range(len(among)))
        while len(chosen) > count:
            chosen.pop(self.draw(label, len(chosen)))
        return [among[at] for at in chosen]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens in the first act: its number, its time in seconds from the start, and the action's name."""

    number: int
    at_s: float
    action: str


@dataclass(frozen=True, slots=True)
class Profile:
    """
    The kind of a run.

    Attributes:
        devices: The number of devices at the start.
        backend: ``memory`` or ``sqlite``.
        groups: The concerns of the run's actions.
        real_keys: Whether heads are signed with Ed25519; otherwise with a stand-in that is as strict and costs little.
        lawless: The percentage of frames that a path drops, doubles or reorders, as no TLS stream does.
        tight: Whether limits are so small that changes in parts, snapshots and full windows occur in a small run.
        line: Whether each device of the start has links only to its two neighbours, until all hold the same.
    """

    devices: int
    backend: str
    groups: frozenset[str]
    real_keys: bool
    lawless: int
    tight: bool = False
    line: bool = False


@dataclass(frozen=True, slots=True)
class Play:
    """
    A kind of run around one story: beside the usual events of some concerns, it has events of its own.

    Attributes:
        name: The name of the story.
        groups: The concerns of the usual events that it may have.
        acts: Actions that happen in this order, each at a time of its own.
        asides: Actions that may happen at any time, with the weight of each.
        asides_max: How many of these there are at most.
        pauses_s: How much time may pass in the middle.
    """

    name: str
    groups: frozenset[str]
    acts: tuple[str, ...]
    asides: tuple[tuple[str, int], ...]
    asides_max: int
    pauses_s: tuple[int, ...] = (0,)


class Tape:
    """
    All of a run's choices.

    Args:
        seed: Any integer.
        keep: The numbers of the events that happen; all by default.
        calm: Whether every choice outside of the events is the plainest.
        backend: ``memory`` or ``sqlite``; drawn by default.
        fixed: The kind of run and its events; drawn by default.
        play: A story around which the run is drawn.
        beside: What it has beside its events, of :data:`BESIDE`; drawn by default, and nothing for a fixed run.

    Attributes:
        note: Is told each choice, if set: concern, label, the number of options, and the chosen one.
    """

    def __init__(
        self,
        seed: int,
        *,
        keep: Collection[int] | None = None,
        calm: bool = False,
        backend: str | None = None,
        fixed: tuple[Profile, Sequence[Event]] | None = None,
        play: Play | None = None,
        beside: Collection[str] | None = None,
    ) -> None:
        self.seed = seed
        self._fixed = fixed
        self._beside = () if beside is None and fixed is not None else beside
        self.keep = None if keep is None else frozenset(keep)
        self.calm = calm
        self.backend, self.play = backend, play
        self.note: Callable[[str, str, int, int], None] | None = None

    def only(self, keep: Collection[int], *, calm: bool) -> Tape:
        """Return the same tape with fewer events."""
        fixed, play, beside = self._fixed, self.play, self._beside
        return Tape(self.seed, keep=keep, calm=calm, backend=self.backend, fixed=fixed, play=play, beside=beside)

    def source(self, concern: str, *, calm: bool = False) -> Draws:
        """Return the choices of a concern; with ``calm``, they are plain on a calm tape."""
        note = None
        if self.note is not None:
            told: Any = self.note

            def note(label: str, count: int, chosen: int) -> None:
                told(concern, label, count, chosen)

        return Draws(f"{self.seed}/{concern}", note, plain=calm and self.calm)

    def has(self, what: str) -> bool:
        """Tell whether the run has something beside its events: a name of :data:`BESIDE`."""
        if self._beside is not None:
            return what in self._beside
        concern, one_in = BESIDE[what]
        return self.source(concern).draw(concern, one_in) == 0 and (what not in (FILES, UNDOING) or self.play is None)

    def profile(self, groups: Sequence[str]) -> Profile:
        """
        Draw the kind of run.

        Args:
            groups: The concerns that a run may have or not have, in a fixed order.
        """
        if self._fixed is not None:
            return self._fixed[0]
        draws = self.source("profile")
        severity = draws.pick("severity", SEVERITIES)
        chance = (0, 15, 45, 100)[severity]
        chosen = frozenset(group for group in groups if draws.chance(group, WORK.get(group, chance)))
        backend = "sqlite" if draws.draw("backend", SQLITE_ONE_IN) == 0 else "memory"
        drawn = Profile(
            devices=draws.pick("devices", DEVICES),
            backend=self.backend or backend,
            groups=chosen,
            real_keys=draws.draw("keys", 20) == 0,
            lawless=draws.pick("lawless", (0, 0, 0, 5, 20)) if severity > 1 else 0,
            tight=draws.draw("tight", 4) == 0,
            line=draws.draw("line", LINE_ONE_IN) == 0,
        )
        if self.play is None:
            return drawn
        both = drawn.groups & self.play.groups
        return replace(drawn, groups=both, real_keys=True, lawless=0)  # secrets are sealed for real keys

    def events(self, weights: Sequence[tuple[str, int]]) -> list[Event]:
        """
        Draw the events, in order of time.

        Args:
            weights: The names of the actions that this run has, and how often each is drawn.
        """
        if self._fixed is not None:
            return [event for event in self._fixed[1] if self.keep is None or event.number in self.keep]
        draws = self.source("events")
        span_s = draws.pick("span", SPAN_S)
        count = draws.pick("count", EVENTS)
        times = sorted(draws.seconds("time", 0, span_s) for _ in range(count))
        for at in range(1, count):
            if draws.chance("together", TOGETHER_PERCENT):
                times[at] = times[at - 1]
        names = [name for name, weight in weights for _ in range(weight)]
        drawn = [Event(number, at_s, draws.pick("action", names)) for number, at_s in enumerate(times)]
        if self.play is not None:
            drawn = self._played(self.play, drawn, span_s)
        return [event for event in drawn if self.keep is None or event.number in self.keep]

    def _played(self, play: Play, usual: list[Event], span_s: int) -> list[Event]:
        """Add the events of a play, with the numbers after those of the usual events; perhaps days pass in between."""
        draws = self.source(f"play {play.name}")
        times = sorted(draws.seconds("act at", 0, span_s) for _ in play.acts)
        found = list(zip(times, play.acts, strict=True))
        names = [name for name, weight in play.asides for _ in range(weight)]
        for _ in range(draws.draw("asides", play.asides_max + 1)):
            found.append((draws.seconds("aside at", 0, span_s), draws.pick("aside", names)))
        events = usual + [Event(len(usual) + at, at_s, name) for at, (at_s, name) in enumerate(found)]
        pause_at, pause_s = draws.seconds("pause at", 0, span_s), draws.pick("pause", play.pauses_s)
        events = [replace(each, at_s=each.at_s + pause_s * (each.at_s > pause_at)) for each in events]
        return sorted(events, key=lambda event: (event.at_s, event.number))
