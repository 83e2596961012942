"""A short run of the campaign of operations: logs of anything a member may write, folded singly, in batches and anew."""

from __future__ import annotations

from tests.crdt.operation_campaign import judge, row_of


def test_any_log_that_a_member_can_write_gives_the_same_result_however_it_is_folded() -> None:
    verdict = judge(0, 12)
    assert verdict.faults == {}
    assert verdict.operations > 1_000
    assert 0 < verdict.refused < verdict.operations
    assert verdict.waiting
    assert "| 0-24 | 0 |" in row_of([verdict], 0, 1.0)
