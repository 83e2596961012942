from __future__ import annotations

from edda_sync.simulations.violation import Violation


def test_a_violation_names_the_invariant_and_the_place_and_what_was_seen() -> None:
    violation = Violation(5, "laptop", "a task is gone")
    assert str(violation) == "invariant 5 does not hold at laptop: a task is gone"
    assert (violation.number, violation.device, violation.text) == (5, "laptop", "a task is gone")
