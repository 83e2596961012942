from __future__ import annotations

from types import CodeType

import pytest

from edda_sync.simulations.bugs.planting import Bug, Edit
from edda_sync.simulations.planted import BUGS
from tests.simulations.hunting import code_of


def says(code: CodeType) -> tuple[object, ...]:
    """What a function does, independent of the place of its source."""
    return code.co_code, code.co_consts, code.co_names


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_in_the_product_while_it_is_on_and_not_afterwards(bug: Bug) -> None:
    true = code_of(bug)
    with bug.on():
        for planted, original in zip(code_of(bug), true, strict=True):
            assert planted is not original
            assert planted.co_varnames[: planted.co_argcount] == original.co_varnames[: original.co_argcount]
            assert says(planted) != says(original)
    assert code_of(bug) == true


def test_a_bug_is_taken_out_when_what_runs_with_it_fails() -> None:
    bug = BUGS[0]
    true = code_of(bug)
    with pytest.raises(ZeroDivisionError), bug.on():
        raise ZeroDivisionError
    assert code_of(bug) == true


def test_an_edit_of_a_line_that_the_product_no_longer_has_is_refused() -> None:
    stale = Bug("stale", "It was mended.", (1,), (Edit("crdt.frontier:covers", "this is not there", "pass"),))
    with pytest.raises(AssertionError, match="edit the planted bug"), stale.on():
        pass
