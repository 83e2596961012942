"""Peers are told at once which chunks came here, and now and then how much is still to come."""

from __future__ import annotations

import pytest

from edda_sync.sync.announcing import EVERY_S, Announcing
from edda_sync.sync.file_messages import Has
from edda_sync.sync.wire import Codec
from edda_sync.words import limits


@pytest.fixture
def announcing() -> Announcing:
    found = Announcing(Codec())
    found.linked("phone")
    return found


def said(announcing: Announcing, files: int, size: int, now: float) -> list[tuple[str, object]]:
    return [(each.peer, Codec().decode(each.frame)) for each in announcing.due(files, size, now)]


def test_nothing_is_said_where_nothing_is_to_come_and_nothing_came(announcing: Announcing) -> None:
    assert said(announcing, 0, 0, 100.0) == []


def test_that_something_is_to_come_and_that_all_is_here_is_said_at_once_and_what_is_between_now_and_then(
    announcing: Announcing,
) -> None:
    assert said(announcing, 2, 900, 100.0) == [("phone", Has((), 2, 900))]
    assert said(announcing, 1, 400, 100.0 + EVERY_S / 2) == []
    assert said(announcing, 1, 400, 100.0 + EVERY_S) == [("phone", Has((), 1, 400))]
    assert said(announcing, 1, 400, 100.0 + 9 * EVERY_S) == [], "it is no news"
    assert said(announcing, 0, 0, 100.0 + 9 * EVERY_S) == [("phone", Has((), 0, 0))]


def test_what_came_is_said_once_to_whoever_lacks_it_in_messages_of_limited_size(
    announcing: Announcing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILE_NAMES_MAX", 2)
    announcing.linked("tablet")
    names = [bytes([number]) * 32 for number in range(3)]
    announcing.owe("phone", names[:1])
    announcing.owe("phone", names[1:])
    assert said(announcing, 0, 0, 1.0) == [
        ("phone", Has(tuple(names[:2]), 0, 0)),
        ("phone", Has(tuple(names[2:]), 0, 0)),
    ]
    assert said(announcing, 0, 0, 2.0) == []


def test_who_is_gone_is_told_nothing(announcing: Announcing) -> None:
    announcing.owe("phone", [b"a" * 32])
    announcing.gone("phone")
    assert said(announcing, 3, 3, 1.0) == []
    announcing.linked("phone")
    assert said(announcing, 0, 0, 2.0) == [], "what it lacks it asks for anew"
