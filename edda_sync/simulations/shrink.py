"""
Make a failure small: the fewest events of a tape that still fail alike.

Source: delta debugging (Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input"); each event has
choices of its own, so that taking one out leaves the others as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.tape import EVENTS, Tape

RUNS_MAX: Final = 600  # of one shrinking


@dataclass(frozen=True, slots=True)
class Shrunk:
    """
    A failure, as small as it got.

    Attributes:
        tape: Fails.
        verdict: How.
        before: How many events had happened when it failed first.
        runs: How many tapes were run.
    """

    tape: Tape
    verdict: Verdict
    before: int
    runs: int

    @property
    def events(self) -> int:
        """How many are left."""
        return len(self.verdict.taken if self.tape.keep is None else self.tape.keep)


class Shrinker:
    """
    Shrinks one failure. Call :meth:`shrink`.

    Args:
        run: Runs a tape.
        tape: One that fails.
        runs_max: Give up after so many runs.

    Raises:
        ValueError: The tape does not fail.
    """

    def __init__(self, run: Callable[[Tape], Verdict], tape: Tape, runs_max: int = RUNS_MAX) -> None:
        self._run, self._runs_max = run, runs_max
        self._tape, self._verdict = tape, run(tape)  # the smallest yet that fails
        if self._verdict.violation is None:
            raise ValueError(f"seed {tape.seed} does not fail")
        self._number = self._verdict.violation.number
        self._before = len(self._verdict.taken)
        self._runs = 1

    def shrink(self) -> Shrunk:
        """Take events out while it fails alike; let the network be plain, before or after, if it still does."""
        tape = self._tape
        events = [event.number for event in self._verdict.taken]
        if not self._fails(events, calm=True) and not self._fails(events, calm=tape.calm):
            # Those that were to come are needed too, if only for the first act to go on until then.
            events = sorted(range(max(EVENTS)) if tape.keep is None else tape.keep)
        while True:
            events = self._without_some(events)
            if self._tape.calm or not self._fails(events, calm=True):
                return Shrunk(self._tape, self._verdict, self._before, self._runs)

    def _without_some(self, events: list[int]) -> list[int]:
        """Drop halves, quarters, and so on down to single events, as long as that fails alike."""
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
        """Tell whether these events alone fail alike; if so, they are the smallest yet."""
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
    if tape.keep is not None:
        words += ["--keep", ",".join(str(number) for number in sorted(tape.keep)) or "none"]
    if tape.backend is not None:
        words += ["--backend", tape.backend]
    if tape.calm:
        words.append("--calm")
    return " ".join(words)
