from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_headers_with_unknown_entries_are_kept_and_delay_nobody() -> None:
    assert not check_harmless("say more").troubles(), "nobody leaves a device that may only be newer"
