from __future__ import annotations

from edda_sync.simulations.planted import BUGS, bug_named


def test_there_are_forty_bugs_of_different_names_and_each_says_who_should_notice() -> None:
    assert len(BUGS) >= 40
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    for bug in BUGS:
        assert bug.edits
        assert bug.what.endswith(".")
        assert bug.numbers
        assert set(bug.numbers) <= set(range(25))
        assert bug_named(bug.name) is bug
