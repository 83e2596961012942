from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_parts_of_segments_that_nobody_asked_for_end_the_talk_and_change_nothing() -> None:
    assert "RemoteProtocolError" in check_harmless("impose").troubles()
