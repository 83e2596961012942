from __future__ import annotations

from edda_sync.simulations.brims import MORE, MOST
from edda_sync.simulations.runs import run
from edda_sync.simulations.tape import Event, Tape
from tests.simulations.lying import CALM


def test_a_write_at_a_limit_is_taken_and_a_write_beyond_it_is_refused() -> None:
    names = ["add task", *["fill"] * 12]
    verdict = run(Tape(5, fixed=(CALM, [Event(number, 5.0 * number, name) for number, name in enumerate(names)])))
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    founding = run(Tape(5, fixed=(CALM, [Event(0, 0.0, "add task")]))).changes
    assert founding < verdict.changes < founding + 12
    assert len(MOST) + len(MORE) > 7
