"""
Make a failure small: the fewest events of a tape that still fail alike.

Source: delta debugging (Zeller and Hildebrandt 2002, "Simplifying and isolating failure-inducing input"); each event has
choices of its own, so that taking one out leaves the others as they were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from simulations.simulator import Verdict
from simulations.tape import Tape

RUNS_MAX: Final = 600  # of one shrinking


@dataclass(frozen=True, slots=True)
class Shrunk:
    """
    A failure, as small as it got.

    Attributes:
        tape: Fails.
        verdict: How.
        runs: How many runs it took.
    """

    tape: Tape
    verdict: Verdict
    runs: int


class Shrinker:
    """
    Shrinks one failure. Call :meth:`shrink`.

    Args:
        run: Runs a tape.
        tape: One that fails.
        runs_max: Give up after so many runs.
    """

    def __init__(self, run: Callable[[Tape], Verdict], tape: Tape, runs_max: int = RUNS_MAX) -> None:
        self._run, self._tape, self._runs_max = run, tape, runs_max
        self._verdict = run(tape)
        if self._verdict.violation is None:
            raise ValueError(f"seed {tape.seed} does not fail")
        self._number = self._verdict.violation.number
        self._runs = 1

    def shrink(self) -> Shrunk:
        """Take events out while it fails alike, then let the network be plain if it still does."""
        kept = self._without_some([event.number for event in self._verdict.taken])
        for calm in (True, self._tape.calm):
            tape = self._tape.only(kept, calm=calm)
            if calm == self._tape.calm or self._fails(tape):
                break
        kept = self._without_some(list(tape.keep or ()), calm=tape.calm)
        tape = self._tape.only(kept, calm=tape.calm)
        return Shrunk(tape, self._run(tape), self._runs + 1)

    def _without_some(self, events: list[int], *, calm: bool | None = None) -> list[int]:
        """Drop halves, quarters, and so on down to single events, as long as that fails alike."""
        quiet = self._tape.calm if calm is None else calm
        size = max(1, len(events) // 2)
        while events:
            dropped = False
            at = 0
            while at < len(events):
                fewer = events[:at] + events[at + size :]
                if self._fails(self._tape.only(fewer, calm=quiet)):
                    events, dropped = fewer, True
                else:
                    at += size
            if size == 1 and not dropped:
                break
            size = max(1, size // 2)
        return events

    def _fails(self, tape: Tape) -> bool:
        if self._runs >= self._runs_max:
            return False
        self._runs += 1
        violation = self._run(tape).violation
        return violation is not None and violation.number == self._number


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
