"""Evidence in one session: asked for once for each difference, answered at a limited rate, late rather than refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.evidence import EvidenceTalk
from edda_sync.sync.learning import Wanted
from edda_sync.sync.messages import Evidence, Known
from edda_sync.sync.rates import Rates
from edda_sync.sync.sending import Sending
from edda_sync.sync.timers import Timers
from edda_sync.testing import devices
from edda_sync.words import limits
from tests.sync.batches import exchange_of

OURS, THEIRS = b"o" * 16, b"t" * 16


@dataclass
class Bench:
    """A device's side of one session."""

    device: StorageEngine
    sending: Sending
    timers: Timers
    talk: EvidenceTalk


@pytest.fixture
def bench() -> Iterator[Bench]:
    with devices(1, backend="memory") as (device,):
        exchange, timers = exchange_of(device), Timers()
        sending = Sending(exchange)
        yield Bench(device, sending, timers, EvidenceTalk(exchange, sending, Rates(), timers))


def due(timers: Timers, now: float) -> list[str]:
    return timers.take(now)


def test_what_is_lacking_is_asked_for_once_for_each_difference(bench: Bench) -> None:
    assert bench.talk.questions(OURS, THEIRS, 0.0) == [Known((), False)]
    assert bench.talk.questions(OURS, THEIRS, 0.0) == [], "it was asked"
    assert bench.talk.questions(OURS, b"u" * 16, 0.0) == [], "the answer to the first is not here yet"
    bench.talk.take(Evidence((), False), 0.0)
    assert bench.talk.questions(OURS, THEIRS, 0.0) == [], "the peer has nothing that we lack"
    assert bench.talk.questions(OURS, b"u" * 16, 0.0) == [Known((), False)]


def test_questions_come_no_faster_than_they_may_and_the_rest_comes_later(bench: Bench) -> None:
    for number in range(limits.SCANS_MAX):
        assert bench.talk.questions(OURS, bytes([number]) * 16, 0.0)
        bench.talk.take(Evidence((), False), 0.0)
    assert bench.talk.questions(OURS, THEIRS, 0.0) == []
    assert due(bench.timers, limits.SCANS_WINDOW_S) == ["evidence"]
    assert bench.talk.questions(OURS, THEIRS, limits.SCANS_WINDOW_S)


def test_a_peer_that_asks_again_and_again_is_answered_later(bench: Bench) -> None:
    for _ in range(limits.SCANS_MAX):
        bench.talk.asked(Known((), False), 0.0)
        assert bench.sending.telling.next() == Evidence((), False)
    bench.talk.asked(Known((), False), 0.0)
    assert bench.sending.telling.next() is None
    assert due(bench.timers, limits.SCANS_WINDOW_S) == ["answer"]
    bench.talk.answer()
    assert bench.sending.telling.next() == Evidence((), False)


def test_two_that_hold_the_same_after_they_did_not_say_so_once(bench: Bench) -> None:
    before = bench.talk.agrees()
    bench.talk.questions(OURS, THEIRS, 0.0)
    assert [before, bench.talk.agrees(), bench.talk.agrees()] == [False, True, False]


def test_pieces_beyond_the_rate_wait_and_of_each_chain_the_latest_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Wanted] = []
    monkeypatch.setattr(bench.sending, "tell_pieces", told.extend)
    pieces = [Wanted(number.to_bytes(16, "big")) for number in range(limits.PIECES_MAX + 2)]
    bench.talk.tell_pieces(pieces, 0.0)
    assert told == pieces[:-2]
    later = Wanted(pieces[-1].name, 7)
    bench.talk.tell_pieces([later], 1.0)
    assert len(told) == limits.PIECES_MAX
    assert due(bench.timers, limits.PIECES_WINDOW_S) == ["pieces"]
    bench.talk.tell_pieces([], limits.PIECES_WINDOW_S)
    assert told[-2:] == [pieces[-2], later]


def test_what_cannot_be_looked_at_yet_is_looked_at_once_it_can(bench: Bench) -> None:
    bench.talk.unlooked = True
    assert [bench.talk.is_to_look(), bench.talk.is_to_look()] == [True, False]


def test_no_member_is_new_where_no_stranger_was_told_of(bench: Bench) -> None:
    assert not bench.talk.has_new_members()
