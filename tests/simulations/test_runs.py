from __future__ import annotations

import pytest

from edda_sync.simulations.runs import TIGHT, run, tightened
from edda_sync.simulations.tape import Tape
from edda_sync.words import limits


def values() -> dict[str, float]:
    return {name: getattr(limits, name) for name in TIGHT}


def test_limits_are_tight_inside_and_as_usual_afterwards_even_if_something_fails() -> None:
    usual = values()
    inside: list[dict[str, float]] = []

    def fail() -> None:
        with tightened():
            inside.append(values())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert inside == [TIGHT]
    assert values() == usual


def test_every_tight_limit_is_smaller_than_the_usual_one() -> None:
    assert all(value < getattr(limits, name) for name, value in TIGHT.items())


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_a_tape_runs_the_same_twice_and_leaves_no_limit_changed(backend: str) -> None:
    usual = values()
    first, second = (run(Tape(16, backend=backend)) for _ in range(2))
    assert first.violation is None
    assert first.digest == second.digest
    assert values() == usual
