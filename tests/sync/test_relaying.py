"""Relaying: a change is soon on all devices, as long as a path of honest links exists, whoever else lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import pytest

import edda_sync as edda
from edda_sync.crdt.frontier import SEQ_MAX
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Effect, Send
from edda_sync.sync.messages import Ack, Announce, Changes, Message, Part, Pull, Shown
from edda_sync.sync.relaying import NAME_BYTES, Relaying, short_name
from edda_sync.sync.wire import Codec
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.sync.batches import batches, exchange_of
from tests.sync.network import Network, name_of

CODEC: Final = Codec()
Engines = tuple[StorageEngine, ...]
Mood = Callable[[Message], list[Message]]


@pytest.fixture
def four() -> Iterator[Engines]:
    with devices(4, backend="memory") as engines:
        yield engines


def linked(*links: tuple[StorageEngine, StorageEngine]) -> Network:
    """A network with these links, whose devices are equal."""
    network = Network(*dict.fromkeys(engine for link in links for engine in link))
    for one, other in links:
        network.connect(one, other)
    network.run()
    network.heard.clear()
    return network


def lie(network: Network, liar: StorageEngine, mood: Mood) -> None:
    """Make a device send other messages than it would."""
    carry_out, name = network._do, name_of(liar)

    def changed(here: str, effects: list[Effect]) -> None:
        if here != name:
            carry_out(here, effects)
            return
        for effect in effects:
            said = mood(CODEC.decode(effect.frame)) if isinstance(effect, Send) else None
            carry_out(here, [effect] if said is None else [Send(effect.peer, CODEC.encode(each)) for each in said])

    network._do = changed  # type: ignore[method-assign]


def write(network: Network, engine: StorageEngine, title: str = "edit") -> None:
    engine.create_task(edda.Task(title=title))
    network.committed(engine)


def until_here(network: Network, engine: StorageEngine, author: StorageEngine, most_s: float) -> None:
    """Deliver frames until a device has what another one wrote, within a time limit."""
    end = network.now + most_s
    while engine.frontier() != author.frontier():
        assert network.now <= end, "it is not here in time"
        assert network.step(), "nobody has anything more to say"


# --- who lies ---------------------------------------------------------------------------------------------------------


def test_whoever_announces_and_gives_nothing_is_waited_for_once(four: Engines) -> None:
    """The liar is the first to claim the change; the honest peer is asked when nothing came from the liar."""
    author, liar, honest, last = four
    network = linked((author, liar), (author, honest), (liar, last))
    network.connect(honest, last)
    network.run()
    lie(network, liar, lambda message: [] if isinstance(message, (Changes, Part)) else [message])
    for number in range(5):
        write(network, author, f"edit {number}")
        until_here(network, last, author, limits.PULL_PROGRESS_S + 1)


def test_whoever_gave_nothing_is_asked_last_from_then_on(four: Engines) -> None:
    author, liar, honest, last = four
    network = linked((author, liar), (author, honest), (liar, last), (honest, last))
    lie(network, liar, lambda message: [] if isinstance(message, (Changes, Part)) else [message])
    took_s = list[float]()
    for number in range(8):
        began = network.now
        write(network, author, f"edit {number}")
        until_here(network, last, author, limits.PULL_PROGRESS_S + 1)
        took_s.append(network.now - began)
    assert sum(each >= 0.5 for each in took_s) == 1


@pytest.mark.parametrize("forges", [False, True])
def test_whoever_claims_what_it_does_not_hold_keeps_nobody_waiting(four: Engines, forges: bool) -> None:
    """A claim without a signed head counts after those with one; so does a claim with a false head."""
    author, liar, honest, last = four
    network = linked((author, liar), (author, honest), (liar, last), (honest, last))

    def overclaim(message: Message) -> list[Message]:
        if not isinstance(message, Ack):
            return [] if isinstance(message, (Changes, Part, Announce)) else [message]
        claims = tuple((name, SEQ_MAX) for name in sorted(author.frontier()))
        heads = tuple(Shown(name, SEQ_MAX, bytes(32), bytes(64)) for name, _ in claims)
        return [msgspec.structs.replace(message, moved=claims), *([Announce(heads)] if forges else [])]

    lie(network, liar, overclaim)
    for number in range(5):
        write(network, author, f"edit {number}")
        until_here(network, last, author, 0.5)


def test_an_author_that_names_devices_to_which_it_pushed_nothing_only_delays(four: Engines) -> None:
    author, one, other, last = four
    network = linked((author, one), (one, other), (other, last), (one, last))
    everybody = b"".join(sorted(short_name(name_of(engine)) for engine in four))
    lie(
        network,
        author,
        lambda message: [
            msgspec.structs.replace(message, pushed=everybody, seal=b"") if isinstance(message, Changes) else message
        ],
    )
    write(network, author)
    until_here(network, last, author, limits.ANNOUNCE_LATER_S + 1)
    until_here(network, other, author, limits.ANNOUNCE_LATER_S + 1)


def test_what_a_linked_author_does_not_push_comes_from_others_after_the_grace_whatever_it_says(four: Engines) -> None:
    """It pushes to one, and tells the other nothing at all: the first announcement starts the delay."""
    author, one, last, _ = four
    network = linked((author, one), (author, last), (one, last))
    mute = name_of(last)
    carry_out = network._do
    network._do = lambda here, effects: carry_out(  # type: ignore[method-assign]
        here, [each for each in effects if here != name_of(author) or getattr(each, "peer", "") != mute]
    )
    write(network, author)
    until_here(network, last, author, limits.ANNOUNCE_LATER_S + limits.PULL_GRACE_S + 1)


def test_two_parts_that_were_apart_tell_each_other_all_over_one_link(four: Engines) -> None:
    one, two, three, four_ = four
    network = linked((one, two), (three, four_))
    write(network, one)
    write(network, four_)
    network.run()
    network.connect(two, three)
    network.run()
    assert len({each.digest() for each in four}) == 1


# --- what is known of it ----------------------------------------------------------------------------------------------


class Bench:
    """The relaying of a device that holds one change of an author less than its peers."""

    def __init__(self, engines: Engines) -> None:
        self.author, here, *_ = engines
        self.author.create_task(edda.Task(title="edit"))
        exchange = self.exchange = exchange_of(here)
        self.relaying = Relaying(exchange)
        (head,) = exchange_of(self.author).giving.shown(
            name for name, seq in self.author.frontier().items() if seq > here.frontier().get(name, 0)
        )
        self.head = head
        for peer in ("the first", "a second"):
            self.relaying.opened(peer)

    def announce(self, peer: str, now: float, *, shown: bool = True) -> None:
        self.relaying.claimed(peer, [(self.head.name, self.head.seq)], now)
        if shown:
            self.relaying.shown(peer, (self.head,))


@pytest.fixture
def bench(four: Engines) -> Bench:
    return Bench(four)


def test_it_is_pulled_once_and_from_the_first_that_said_so(bench: Bench) -> None:
    bench.announce("the first", 1.0)
    bench.announce("a second", 1.0)
    assert bench.relaying.due(1.0) == ["the first"]
    assert bench.relaying.due(1.5) == []
    assert bench.relaying.next_deadline() == 1.0 + limits.PULL_PROGRESS_S
    assert bench.relaying.due(1.0 + limits.PULL_PROGRESS_S) == ["a second"]
    assert bench.relaying.due(1.0 + 2 * limits.PULL_PROGRESS_S) == [], (
        "nobody claims it any more, until somebody does anew"
    )
    assert bench.relaying.next_deadline() is None
    bench.announce("the first", 9.0)
    assert bench.relaying.due(9.0) == ["the first"]


def test_what_a_peer_claims_after_it_was_asked_is_asked_for_once_that_came(bench: Bench, four: Engines) -> None:
    """A pull is granted up to what its peer held when it came; found by seed 1381368."""
    bench.announce("the first", 1.0)
    assert bench.relaying.due(1.0) == ["the first"]
    bench.relaying.claimed("the first", [(bench.head.name, bench.head.seq + 2)], 1.1)
    assert bench.relaying.due(1.1) == [], "what was asked for is on its way"
    for message in batches(exchange_of(four[0]), four[1].frontier()):
        bench.exchange.taking.take(message)
    assert bench.relaying.due(1.0 + limits.PULL_GRACE_S) == ["the first"]


def test_what_a_peer_claims_after_it_was_asked_in_vain_is_asked_for_again(bench: Bench) -> None:
    """It is counted as failed, so another peer that claims the same goes first."""
    bench.announce("the first", 1.0)
    assert bench.relaying.due(1.0) == ["the first"]
    bench.relaying.claimed("the first", [(bench.head.name, bench.head.seq + 2)], 1.1)
    assert bench.relaying.due(1.0 + limits.PULL_PROGRESS_S) == ["the first"]
    bench.announce("a second", 3.5)
    assert bench.relaying.due(3.5) == ["a second"]


def test_a_link_to_the_author_gives_it_a_grace_from_the_first_announcement_on(bench: Bench) -> None:
    bench.relaying.opened(name_of(bench.author))
    bench.announce("the first", 1.0)
    bench.announce("a second", 1.1)
    assert bench.relaying.due(1.1) == []
    assert bench.relaying.next_deadline() == 1.0 + limits.PULL_GRACE_S
    assert bench.relaying.due(1.0 + limits.PULL_GRACE_S) == ["the first"]


def test_the_grace_ends_with_the_link(bench: Bench) -> None:
    bench.relaying.opened(name_of(bench.author))
    bench.announce("the first", 1.0)
    bench.relaying.gone(name_of(bench.author))
    assert bench.relaying.due(1.0) == ["the first"]


def test_whoever_leaves_is_not_waited_for(bench: Bench) -> None:
    bench.announce("the first", 1.0)
    bench.announce("a second", 1.0)
    assert bench.relaying.due(1.0) == ["the first"]
    bench.relaying.gone("the first")
    assert bench.relaying.due(1.1) == ["a second"]


def test_what_is_shown_goes_before_what_is_only_claimed_even_if_that_was_pulled(bench: Bench) -> None:
    bench.announce("the first", 1.0, shown=False)
    assert bench.relaying.due(1.0) == [], "a claim has no more than a grace"
    assert bench.relaying.due(1.0 + limits.PULL_GRACE_S) == ["the first"]
    bench.announce("a second", 1.3)
    assert bench.relaying.due(1.3) == ["a second"]


def test_a_signature_that_is_not_the_authors_shows_nothing(bench: Bench) -> None:
    bench.relaying.claimed("the first", [(bench.head.name, bench.head.seq)], 1.0)
    bench.relaying.shown("the first", (msgspec.structs.replace(bench.head, seq=bench.head.seq + 1),))
    assert bench.relaying.due(1.0) == []


def test_what_is_here_by_now_is_pulled_of_nobody(bench: Bench, four: Engines) -> None:
    bench.announce("the first", 1.0)
    exchange = exchange_of(four[1])
    positions = exchange_of(bench.author).giving.missing(exchange.frontier())
    assert positions is not None
    given = exchange_of(bench.author).giving.batch(positions, exchange.frontier())
    assert given is not None
    exchange.taking.take(given.message)
    assert bench.relaying.due(2.0) == []
    assert bench.relaying.next_deadline() is None


def test_of_actors_that_are_not_known_only_so_many_claims_are_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CLAIMS_MAX", 10)
    bench.relaying.claimed("the first", [(number.to_bytes(16, "big"), 1) for number in range(1_000)], 1.0)
    assert len(bench.relaying._claims) <= 10 + len(bench.author.frontier())


@pytest.mark.parametrize("names", [b"seven b", bytes(NAME_BYTES * (limits.MEMBERS_MAX + 1))])
def test_names_of_devices_that_are_none_or_too_many_are_refused(bench: Bench, names: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        bench.relaying.pushed({}, names)


def test_more_signed_heads_at_once_than_allowed_are_refused(bench: Bench) -> None:
    with pytest.raises(RemoteProtocolError):
        bench.relaying.shown("the first", (bench.head,) * (limits.SHOWN_HEADS_MAX + 1))


def test_what_an_author_says_counts_for_those_it_names_until_they_say_it_themselves(bench: Bench) -> None:
    (name, seq), *_ = sorted(bench.relaying._exchange.frontier().items())
    bench.relaying.pushed({name: seq}, short_name("the first"))
    assert bench.relaying.assumed("the first") == {name: seq}
    assert bench.relaying.assumed("a second") == {}
    bench.relaying.holds("the first", {name: seq})
    assert bench.relaying.assumed("the first") == {}


def test_a_pull_is_one_short_frame() -> None:
    assert len(CODEC.encode(Pull())) < 8


def test_what_a_peer_says_that_it_holds_only_in_another_hello_is_pulled(four: Engines) -> None:
    """A hello says everything that is held, so the acknowledgement has nothing left to say."""
    editor, between, far, _ = four
    network = linked((editor, between), (between, far))
    write(network, editor, "edit")
    while between.frontier() != editor.frontier():
        assert network.step()
    session = network.replicas[name_of(between)]._sessions[name_of(far)]
    network._do(name_of(between), session.greet_again(network.now))
    network.run()
    assert far.frontier() == editor.frontier()
    assert len(network.said(Changes, between)) == 1
