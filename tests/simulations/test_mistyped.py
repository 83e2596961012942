from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_all_devices_refuse_operations_of_another_type() -> None:
    assert not check_harmless("mistype").troubles(), "the change is taken, and its operation has no effect"
