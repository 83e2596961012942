from __future__ import annotations

import builtins
import dis
from collections.abc import Iterator
from types import CodeType

import pytest

from edda_sync.simulations.bugs.planting import Bug
from edda_sync.simulations.documents import INVARIANTS
from edda_sync.simulations.planted import BUGS, bug_named


def test_there_are_forty_bugs_with_different_names_and_each_says_who_should_notice() -> None:
    assert len(BUGS) >= 40
    assert len({bug.name for bug in BUGS}) == len(BUGS)
    for bug in BUGS:
        assert bug.edits
        assert bug.what.endswith(".")
        assert bug.numbers
        assert set(bug.numbers) <= set(INVARIANTS) | {0}
        assert bug_named(bug.name) is bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_each_line_that_a_bug_edits_is_in_the_code_once(bug: Bug) -> None:
    for edit in bug.edits:
        assert edit.code() != edit.function().__code__


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_what_planted_code_names_is_there(bug: Bug) -> None:
    for edit in bug.edits:
        known = edit.function().__globals__.keys() | vars(builtins).keys()
        named = {
            each.argval for code in codes(edit.code()) for each in dis.get_instructions(code)
            if each.opname == "LOAD_GLOBAL"
        }  # fmt: skip
        assert named <= known, f"{edit.where} lacks {', '.join(sorted(named - known))}"


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code and all codes within it."""
    yield code
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from codes(each)
