from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_claims_of_changes_that_do_not_exist_delay_nobody() -> None:
    check_harmless("overclaim")
