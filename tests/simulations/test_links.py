from __future__ import annotations

from typing import Any

from edda_sync.simulations.links import Link


def test_a_link_has_two_ends_and_each_has_the_other_as_its_peer() -> None:
    first, second = object(), object()
    link = Link(7, first, second, 1.5)  # type: ignore[arg-type]
    ends: Any = (first, second)
    for side, end in enumerate(ends):
        assert link.side_of(end) == side
        assert link.other(end) is ends[1 - side]
    assert (link.number, link.made_s, link.alive, link.frames_left) == (7, 1.5, [True, True], None)


def test_frames_held_up_by_a_cut_path_are_kept_apart_for_each_end() -> None:
    link = Link(1, object(), object())  # type: ignore[arg-type]
    link.held[0].append((b"frame", 0.5))
    assert not link.held[1]
