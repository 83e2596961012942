"""
Convergence: whatever people do and take back, and in every order of arrival, devices that hold the same changes show the
same, and nothing that was acknowledged is out of reach.

``pytest --hypothesis-profile=thorough`` plays more and longer lives, and ``make reach`` a campaign of them.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

from edda_sync.words import limits
from tests.lives import Workspace, play
from tests.reach_campaign import blocks, row
from tests.sync.newcomers import BY_SEGMENT

THOROUGH_EXAMPLES_MIN = 1_000  # examples in the profile for campaigns


@pytest.mark.parametrize(("backend", "examples"), [("memory", 60), ("sqlite", 15)])
def test_devices_that_hold_the_same_changes_show_the_same_and_nothing_is_out_of_reach(
    backend: str, examples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)  # so that newcomers take a snapshot
    asked = settings().max_examples
    machine = type("Machine", (Workspace,), {"backend": backend})
    if asked >= THOROUGH_EXAMPLES_MIN:
        play(machine, asked, 60, first=settings().max_examples)
    else:
        play(machine, examples, 30)


def test_a_campaign_plays_lives_and_counts_what_it_looked_for() -> None:
    (found,) = blocks(first=1, examples=2)
    assert (found.seed, found.faults) == (1, ())
    assert found.lives >= 2
    assert row([found], 1.0).count(" | ") == 7
