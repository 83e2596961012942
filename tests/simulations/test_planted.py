from __future__ import annotations

import pytest

from edda_sync.simulations.bugs.planting import Bug
from edda_sync.simulations.planted import BUGS, bug_named


def test_there_are_forty_bugs_with_different_names_and_each_says_who_should_notice() -> None:
    assert len(BUGS) >= 40
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    for bug in BUGS:
        assert bug.edits
        assert bug.what.endswith(".")
        assert bug.numbers
        assert set(bug.numbers) <= set(range(25))
        assert bug_named(bug.name) is bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_each_line_that_a_bug_edits_is_in_the_code_once(bug: Bug) -> None:
    for edit in bug.edits:
        assert edit.code() != edit.function().__code__
