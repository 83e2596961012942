from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_acknowledgements_of_what_was_never_sent_lose_nothing() -> None:
    check_harmless("acknowledge")
