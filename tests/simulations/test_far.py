from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_claims_of_changes_that_nobody_will_make_hold_nobody_up() -> None:
    check_harmless("overclaim")
