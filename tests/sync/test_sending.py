"""Sending: the stream to one peer is bounded, continues where it stopped, and stops where the peer has another chain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.changes.branches import Renaming
from edda_sync.crdt.frontier import SEQ_MAX, Frontier
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.beside import Aside, Beside
from edda_sync.sync.effects import Work
from edda_sync.sync.making import forget_made
from edda_sync.sync.messages import (
    Behind,
    Changes,
    Earlier,
    Fetch,
    Message,
    Offer,
    Part,
    Snapshot,
    Summary,
    Want,
    Wish,
)
from edda_sync.sync.sending import Sending
from edda_sync.sync.theirs import renamed_held
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.sync.batches import exchange_of
from tests.sync.newcomers import BY_SEGMENT


@pytest.fixture
def laptop() -> Iterator[StorageEngine]:
    with devices(1, backend="memory") as (engine,):
        for number in range(6):
            engine.create_task(edda.Task(title=f"task {number}"))
        yield engine


def begun(engine: StorageEngine, held: Frontier, wanted: tuple[Wish, ...] = ()) -> Sending:
    """The stream to a peer that said that it holds this frontier."""
    sending = Sending(exchange_of(engine))
    sending.introduced(held, wanted)
    return sending


def all_of(sending: Sending) -> list[Message]:
    """Everything that is sent without another message from the peer."""
    found, exchange = list[Message](), sending._exchange
    while True:
        message = sending.next()
        if message is not None:
            found.append(message)
        elif sending.lacks_segment:
            assert sending.make(Aside(Beside(exchange, defers=False), exchange, "peer"), 0.0) == []
        else:
            return found


def changes_in(messages: list[Message]) -> int:
    return sum(len(message.changes) for message in messages if isinstance(message, Changes))


def test_what_a_peer_lacks_is_sent_once(laptop: StorageEngine) -> None:
    ((actor, seq),) = laptop.frontier().items()
    sending = begun(laptop, {actor: 2})
    assert changes_in(all_of(sending)) == seq - 2
    assert all_of(sending) == []
    sending.grown()
    assert all_of(sending) == []
    laptop.create_task(edda.Task(title="more"))
    sending.grown()
    assert changes_in(all_of(sending)) == 1


def test_what_a_peer_sent_itself_is_not_sent_back(laptop: StorageEngine) -> None:
    ((actor, seq),) = laptop.frontier().items()
    sending = begun(laptop, {actor: 2})
    sending.learned([(actor, seq - 1)], {actor: seq})
    assert changes_in(all_of(sending)) == 1


def test_nothing_of_a_parted_actor_is_sent_whatever_else_is_said(laptop: StorageEngine) -> None:
    ((actor, _),) = laptop.frontier().items()
    sending = begun(laptop, {actor: 2})
    sending.part(frozenset((actor,)))
    assert all_of(sending) == []
    sending.acknowledged({actor: 2}, 0, 0.0, again=True)
    assert all_of(sending) == []
    sending.acknowledged({actor: 2}, 0, 0.0, again=False)
    sending.grown()
    assert all_of(sending) == []
    sending.introduced({actor: 2}, ())
    assert changes_in(all_of(sending)) > 0, "a new hello begins anew"


def test_there_is_room_while_less_than_the_window_is_under_way(
    laptop: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 100)
    sending, room = begun(laptop, {}), list[bool]()
    for _ in range(2):
        room.append(sending.room)
        sending.sent(60, 0.0)
    for acknowledged in (0, 1):
        room.append(sending.room)
        sending.acknowledged({}, acknowledged, 0.0, again=False)
    room.append(sending.room)
    assert room == [True, True, False, False, True]
    with pytest.raises(RemoteProtocolError, match="3 frames when 2 were sent"):
        sending.acknowledged({}, 3, 0.0, again=False)


def test_asking_again_is_counted_where_nothing_is_taken_between(laptop: StorageEngine) -> None:
    ((actor, _),) = laptop.frontier().items()
    sending = begun(laptop, {})
    for number in range(limits.AGAINS_MAX * 2):
        laptop.create_task(edda.Task(title=f"task {number}"))
    for held in range(1, limits.AGAINS_MAX * 2):  # it makes progress, however slowly
        sending.acknowledged({actor: held}, 0, 0.0, again=True)
    for claim in (0, 1):  # claiming more of what does not exist is no progress
        sending = begun(laptop, {})
        for number in range(1, limits.AGAINS_MAX + 1):
            sending.acknowledged({b"n" * 16: claim * number} if claim else {}, 0, 0.0, again=True)
        with pytest.raises(RemoteProtocolError, match="again and again"):
            sending.acknowledged({b"n" * 16: 1_000} if claim else {}, 0, 0.0, again=True)


def test_all_is_sent_once_more_however_many_batches_a_peer_dropped(laptop: StorageEngine) -> None:
    """A peer that slept drops all waiting batches, because the first of them came too early."""
    ((actor, seq),) = laptop.frontier().items()
    sending = begun(laptop, {actor: 2})
    for _ in range(4):
        laptop.create_task(edda.Task(title="another"))
        sending.grown()
        all_of(sending)
        sending.sent(100, 0.0)
    repeated = []
    for dropped in range(1, 5):
        sending.acknowledged({actor: 2}, dropped, 0.0, again=True)
        repeated.append(changes_in(all_of(sending)))
        sending.sent(100, 0.0)
    assert repeated == [seq + 4 - 2, 0, 0, 0]
    sending.acknowledged({actor: 2}, 5, 0.0, again=True)
    assert changes_in(all_of(sending)) == seq + 4 - 2, "what it drops of that is another matter"


def test_a_large_change_begins_with_the_part_that_is_wanted(
    laptop: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    ((actor, seq),) = laptop.frontier().items()
    with laptop.begin_transaction() as tx:
        for number in range(40):
            tx.create_task(edda.Task(title=f"large {number}"))
    whole = all_of(begun(laptop, {actor: seq}))
    parts = [message.number for message in whole if isinstance(message, Part)]
    assert parts == list(range(len(parts)))
    rest = all_of(begun(laptop, {actor: seq}, (Wish(actor, seq + 1, 2), Wish(b"x" * 16, seq + 1, 1))))
    assert [message.number for message in rest if isinstance(message, Part)] == parts[2:]


@pytest.mark.parametrize("parts_sent", [0, 2])
def test_a_large_change_that_comes_to_stand_elsewhere_while_it_is_sent_is_sent_whole_from_there(
    laptop: StorageEngine, monkeypatch: pytest.MonkeyPatch, parts_sent: int
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    known = laptop.frontier()
    with laptop.begin_transaction() as tx:
        for number in range(40):
            tx.create_task(edda.Task(title=f"large {number}"))
    exchange = exchange_of(laptop)
    sending = Sending(exchange)
    sending.introduced(known, ())
    header, *parts = [sending.next() for _ in range(1 + parts_sent)]
    assert isinstance(header, Changes)
    assert all(isinstance(part, Part) for part in parts)
    exchange.taking.settled += 1  # what was here is put after what has come
    again, *whole = all_of(sending)
    assert again == header
    assert [part.number for part in whole if isinstance(part, Part)] == list(range(len(whole)))
    assert len(whole) > parts_sent


# --- segments ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a segment the answer to a few missing changes."""
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)


@pytest.mark.usefixtures("few")
def test_nothing_follows_an_offer_before_its_answer(laptop: StorageEngine) -> None:
    sending = begun(laptop, {})
    (offer,) = all_of(sending)
    assert isinstance(offer, Offer)
    sending.grown()
    assert all_of(sending) == []
    sending.wanted(Want(offer.segment, 0))
    sent = all_of(sending)
    assert [message.number for message in sent if isinstance(message, Snapshot)] == list(range(offer.parts))
    assert changes_in(sent) == 0


@pytest.mark.usefixtures("few")
def test_a_segment_that_is_declined_is_not_offered_again_and_the_log_comes(laptop: StorageEngine) -> None:
    sending = begun(laptop, {})
    (offer,) = all_of(sending)
    assert isinstance(offer, Offer)
    sending.wanted(Want(offer.segment, offer.parts))
    sent = all_of(sending)
    assert not any(isinstance(message, (Offer, Snapshot)) for message in sent)
    assert changes_in(sent) == sum(laptop.frontier().values())


@pytest.mark.usefixtures("few")
def test_a_peer_that_holds_anything_is_offered_none(laptop: StorageEngine) -> None:
    ((actor, _),) = laptop.frontier().items()
    assert not any(isinstance(message, Offer) for message in all_of(begun(laptop, {actor: 1})))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("offered", [True, False])
def test_a_wish_for_what_was_not_offered_is_refused(laptop: StorageEngine, offered: bool) -> None:
    sending = begun(laptop, {})
    if offered:
        all_of(sending)
    with pytest.raises(RemoteProtocolError, match="not offered"):
        sending.wanted(Want(b"n" * 32, 0))


# --- what is asked for ------------------------------------------------------------------------------------------------


def test_the_log_behind_is_given_a_batch_for_each_time_it_is_asked_for(
    laptop: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 600)
    ((actor, seq),) = laptop.frontier().items()
    sending = begun(laptop, {actor: seq})
    assert all_of(sending) == []
    with laptop.store.read() as reader:
        head = reader.log.heads()[actor]
    sending.owed.asked(Behind((), (Summary(actor, seq, head.hash[:16]),)))
    (earlier,) = all_of(sending)
    assert isinstance(earlier, Earlier)
    assert 0 < len(earlier.changes) < seq


def test_what_rotted_at_the_peer_is_sent_before_anything_else(laptop: StorageEngine) -> None:
    with laptop.store.read() as reader:
        logged = reader.log.read(reader.log.position())
    sending = begun(laptop, {})
    sending.fetch(Fetch(((logged.actor, logged.seq, logged.hash), (logged.actor, 1, b"x" * 32))))
    first, *rest = all_of(sending)
    assert type(first).__name__ == "Found"
    assert changes_in(rest) == sum(laptop.frontier().values())
    with pytest.raises(RemoteProtocolError, match="at once"):
        sending.fetch(Fetch(((logged.actor, 1, b"x" * 32),) * (limits.FETCHED_MAX + 1)))


# --- names ------------------------------------------------------------------------------------------------------------


def test_what_a_peer_holds_is_called_by_the_names_of_now() -> None:
    by = Renaming(b"X", 3, b"a")
    assert renamed_held({b"X": 5, b"Y": 1}, by, apart=False) == {b"X": 3, b"a": 5, b"Y": 1}
    assert renamed_held({b"X": 3, b"Y": 1}, by, apart=False) == {b"X": 3, b"Y": 1}
    assert renamed_held({b"X": 5, b"Y": 1}, by, apart=True) == {b"X": 3, b"Y": 1}
    assert renamed_held({b"X": 2}, by, apart=True) == {b"X": 2}
    assert renamed_held({b"X": SEQ_MAX}, Renaming(b"X", 0, b"a"), apart=False) == {b"a": SEQ_MAX}


def begun_beside(laptop: StorageEngine) -> tuple[Sending, Beside, Aside]:
    """Begin to send to a peer that holds nothing, with the segment made beside the turns."""
    exchange = exchange_of(laptop)
    sending = Sending(exchange)
    sending.introduced({}, ())
    beside = Beside(exchange, defers=True)
    assert sending.next() is None
    return sending, beside, Aside(beside, exchange, "peer")


@pytest.mark.usefixtures("few")
def test_nothing_is_sent_before_the_segment_that_is_to_be_offered_is_made(laptop: StorageEngine) -> None:
    sending, beside, aside = begun_beside(laptop)
    (work,) = sending.make(aside, 0.0)
    assert isinstance(work, Work)
    sending.grown()
    assert (sending.next(), sending.lacks_segment, aside.is_held) == (None, True, True)
    work.run()
    beside.end()
    assert aside.done(0.0) == []
    assert isinstance(sending.next(), Offer)
    assert sending.next() is None


@pytest.mark.usefixtures("few")
def test_where_no_segment_can_be_made_the_log_comes(laptop: StorageEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEGMENT_PARTS_MAX", 0)
    assert changes_in(all_of(begun(laptop, {}))) == sum(laptop.frontier().values())


@pytest.mark.usefixtures("few")
def test_a_segment_that_is_forgotten_before_it_is_offered_is_made_again(laptop: StorageEngine) -> None:
    sending, beside, aside = begun_beside(laptop)
    for forgets in (True, False):
        (work,) = sending.make(aside, 0.0)
        assert isinstance(work, Work)
        work.run()
        if forgets:
            laptop.store.transact(forget_made)
        beside.end()
        assert aside.done(0.0) == []
        assert sending.lacks_segment == forgets
    assert isinstance(sending.next(), Offer)


# --- what the peer holds once it has taken all --------------------------------------------------------------------------


def test_what_the_peer_sent_and_is_not_here_is_none_of_what_was_sent_to_it(laptop: StorageEngine) -> None:
    (actor,), ours = laptop.frontier(), laptop.frontier()
    sending = begun(laptop, ours)
    sending.learned([(actor, ours[actor] + 3), (b"s" * 16, 2)], ours)  # as it did while a segment was believed
    assert sending.sent_all == ours


def test_where_a_name_ends_after_a_fork_what_the_peer_holds_of_it_ends_too(laptop: StorageEngine) -> None:
    ours = laptop.frontier()
    ((actor, seq),) = ours.items()
    sending = begun(laptop, ours)
    sending.ended([(actor, seq - 2)])
    assert sending.sent_all == {actor: seq - 2}
    sending.grown()
    assert changes_in(all_of(sending)) == 2


def test_what_was_sent_and_not_acknowledged_is_sent_again_once_less_is_here_than_was_told(
    laptop: StorageEngine,
) -> None:
    sending = begun(laptop, {})
    count = changes_in(all_of(sending))
    assert count == sum(laptop.frontier().values())
    assert changes_in(all_of(sending)) == 0
    sending.start_over({})
    assert changes_in(all_of(sending)) == count
