from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_a_false_proof_of_content_costs_a_comparison_and_changes_nothing() -> None:
    check_harmless("differ")
