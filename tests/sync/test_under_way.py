"""What is under way to a peer is bounded, and an acknowledgement of more than that is refused."""

from __future__ import annotations

import pytest

from edda_sync.sync.under_way import UnderWay
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError


def test_there_is_room_until_the_window_is_full_and_again_once_frames_were_dealt_with() -> None:
    under_way = UnderWay()
    half = limits.WINDOW_BYTES_MAX // 2
    for _ in range(2):
        assert under_way.has_room(for_parts=False)
        under_way.note(half, 0.0)
    assert not under_way.has_room(for_parts=False)
    under_way.acknowledged(1, 1.0)
    assert under_way.has_room(for_parts=False)
    assert under_way.sent == 2


def test_while_parts_of_a_large_change_are_sent_only_as_much_is_under_way_as_arrives_soon() -> None:
    under_way = UnderWay()
    under_way.note(limits.FILE_WINDOW_BYTES_MIN, 0.0)
    assert under_way.has_room(for_parts=False)
    assert not under_way.has_room(for_parts=True)
    under_way.acknowledged(1, limits.FILE_WINDOW_S / 100)
    under_way.note(limits.FILE_WINDOW_BYTES_MIN, 1.0)
    assert under_way.has_room(for_parts=True), "an answer came soon, so the window has grown"


def test_an_acknowledgement_of_what_was_said_to_be_dealt_with_before_is_nothing_new() -> None:
    under_way = UnderWay()
    for _ in range(3):
        under_way.note(10, 0.0)
    under_way.acknowledged(2, 1.0)
    under_way.acknowledged(1, 2.0)
    under_way.acknowledged(3, 3.0)
    assert under_way.has_room(for_parts=False)


def test_more_than_was_sent_cannot_be_acknowledged() -> None:
    under_way = UnderWay()
    under_way.note(10, 0.0)
    with pytest.raises(RemoteProtocolError, match="2 frames when 1 were sent"):
        under_way.acknowledged(2, 1.0)
