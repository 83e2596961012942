from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_all_devices_refuse_a_change_that_breaks_a_rule() -> None:
    assert not check_harmless("refusal").troubles()
