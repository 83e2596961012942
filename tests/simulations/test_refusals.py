from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_what_breaks_a_rule_is_refused_alike_by_everyone() -> None:
    assert not check_harmless("refusal").troubles()
