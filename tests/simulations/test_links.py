from __future__ import annotations

from typing import Any

from edda_sync.simulations.links import Link


class Named:
    """A device of which only the id matters."""

    def __init__(self, name: str) -> None:
        self.id = name


def test_a_link_has_two_ends_and_each_has_the_other_as_its_peer() -> None:
    first, second = Named("laptop"), Named("phone")
    link = Link(7, first, second, 1.5)  # type: ignore[arg-type]
    ends: Any = (first, second)
    for side, end in enumerate(ends):
        assert link.side_of(end) == side
        assert link.other(end) is ends[1 - side]
        assert link.peer_of(end) == ends[1 - side].id
    assert (link.number, link.made_s, link.alive, link.frames_left) == (7, 1.5, [True, True], None)


def test_frames_held_up_by_a_cut_path_are_kept_apart_for_each_end() -> None:
    link = Link(1, Named("laptop"), Named("phone"))  # type: ignore[arg-type]
    link.held[0].append((b"frame", 0.5))
    assert not link.held[1]


def test_an_end_that_becomes_another_device_is_known_over_the_link_by_its_former_id() -> None:
    first, second = Named("laptop"), Named("phone")
    link = Link(1, first, second)  # type: ignore[arg-type]
    second.id = "split off"
    peer: Any = first
    assert link.peer_of(peer) == "phone"
