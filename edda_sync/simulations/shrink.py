"""
Shrinking: finds the fewest events of a tape that still cause the same failure.

Source: delta debugging (Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input"). Each event has
choices of its own, so that removing one event leaves the others as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.tape import EVENTS, Tape

RUNS_MAX: Final = 600  # how many tapes one shrinking may run


@dataclass(frozen=True, slots=True)
class Shrunk:
    """
    A failure, shrunk.

    Attributes:
        tape: The smallest tape that fails.
        verdict: Its verdict.
        before: How many events had happened in the original failure.
        runs: How many tapes were run.
    """

    tape: Tape
    verdict: Verdict
    before: int
    runs: int

    @property
    def events(self) -> int:
        """The number of events that are left."""
        return len(self.verdict.taken if self.tape.keep is None else self.tape.keep)


class Shrinker:
    """
    Shrinks one failure. Call :meth:`shrink`.

    Args:
        run: Runs a tape.
        tape: A tape that fails.
        runs_max: The largest number of runs.

    Raises:
        ValueError: The tape does not fail.
    """

    def __init__(self, run: Callable[[Tape], Verdict], tape: Tape, runs_max: int = RUNS_MAX) -> None:
        self._run, self._runs_max = run, runs_max
        self._tape, self._verdict = tape, run(tape)  # the smallest failing tape so far
        if self._verdict.violation is None:
            raise ValueError(f"seed {tape.seed} does not fail")
        self._number = self._verdict.violation.number
        self._before = len(self._verdict.taken)
        self._runs = 1

    def shrink(self) -> Shrunk:
        """Remove events while the failure stays the same; also make the network plain, if it still does."""
        tape = self._tape
        events = [event.number for event in self._verdict.taken]
        if not self._fails(events, calm=True) and not self._fails(events, calm=tape.calm):
            # Events after the failure may be needed too, because the first act lasts until the last event.
            everything = {*range(max(EVENTS)), *(event.number for event in self._verdict.planned)}
            events = sorted(everything if tape.keep is None else tape.keep)
        while True:
            events = self._without_some(events)
            if self._tape.calm or not self._fails(events, calm=True):
                return Shrunk(self._tape, self._verdict, self._before, self._runs)

    def _without_some(self, events: list[int]) -> list[int]:
        """Remove halves, quarters, and so on down to single events, as long as the failure stays the same."""
        calm = self._tape.calm
        size = max(1, len(events) // 2)
        while events:
            dropped = False
            at = 0
            while at < len(events):
                fewer = events[:at] + events[at + size :]
                if self._fails(fewer, calm=calm):
                    events, dropped = fewer, True
                else:
                    at += size
            if size == 1 and not dropped:
                break
            size = max(1, size // 2)
        return events

    def _fails(self, events: list[int], *, calm: bool) -> bool:
        """Tell whether these events alone cause the same failure; if so, they become the smallest tape so far."""
        if self._runs >= self._runs_max:
            return False
        self._runs += 1
        tape = self._tape.only(events, calm=calm)
        verdict = self._run(tape)
        if verdict.violation is None or verdict.violation.number != self._number:
            return False
        self._tape, self._verdict = tape, verdict
        return True


def command_of(tape: Tape) -> str:
    """Return the command that repeats a run."""
    words = ["edda simulate --seed", str(tape.seed)]
    if tape.play is not None:
        words += ["--scenario", tape.play.name]
    if tape.keep is not None:
        words += ["--keep", ",".join(str(number) for number in sorted(tape.keep)) or "none"]
    if tape.backend is not None:
        words += ["--backend", tape.backend]
    if tape.calm:
        words.append("--calm")
    return " ".join(words)
