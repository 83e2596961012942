from __future__ import annotations

from tests.simulations.lying import check_harmless


def test_the_log_behind_a_forged_segment_shows_the_forgery() -> None:
    ear = check_harmless("forge segment", "forged segment")
    assert any(what == "mended" or what == "kept apart" for what, _, _ in ear.noted)
