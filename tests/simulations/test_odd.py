from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_headers_that_say_more_are_kept_and_hold_nobody_up() -> None:
    assert not check_harmless("say more").troubles(), "nobody leaves a device that may only be newer"
