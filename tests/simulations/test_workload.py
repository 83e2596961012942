from __future__ import annotations

from functools import cache

import pytest

from edda_sync.simulations import workload
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.runs import run
from edda_sync.simulations.tape import Event, Tape
from tests.simulations.acting import TIMES, tape_of


@cache
def without() -> Verdict:
    return run(tape_of("edit task", "memory"))


@pytest.mark.parametrize("work", [action.name for action in workload.ACTIONS])
def test_each_kind_of_work_writes_and_reaches_everyone(work: str) -> None:
    whole = tape_of("edit task", "memory")
    before = whole.events(())
    profile = whole.profile(())
    after = [Event(len(before) + n, 5.0 * (len(before) + n), work) for n in range(2 * TIMES)]
    with_it = run(Tape(1, fixed=(profile, before + after)))
    for verdict in (without(), with_it):
        assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert with_it.changes > without().changes
