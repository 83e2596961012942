from __future__ import annotations

from tests.simulations.picture.drawn import acted_out


def test_lag_is_the_number_of_missing_changes_and_falls_to_zero() -> None:
    recording, _, _ = acted_out("island")
    while_away = [lag for at, lag in recording.lag["laptop"] if 60 < at < 7 * 86_400]
    assert while_away == [1, 2, 3]
    assert [steps[-1][1] for steps in recording.lag.values()] == [0, 0, 0]
    assert recording.conflicts[-1][1] == 1
