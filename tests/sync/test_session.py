"""A session: what it says when, what it takes from whom, and that nothing refused leaves a trace."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

import msgspec
import pytest

import edda_sync as edda
from edda_sync import limits, values
from edda_sync.crdt import change as changes
from edda_sync.crdt.change import PUT, Birth, Header
from edda_sync.crdt.entity import bucket_of, kind_and_id
from edda_sync.crdt.ledger import actor_of
from edda_sync.engine import StorageEngine
from edda_sync.errors import EddaError, ForkError, RemoteMismatchError, RemoteProtocolError
from edda_sync.protocols import Incoming
from edda_sync.sync.effects import Close, Effect, Send
from edda_sync.sync.messages import (
    Ack,
    Buckets,
    Changes,
    Goodbye,
    Hello,
    Message,
    Part,
    SignedHead,
    Snapshot,
    Summary,
)
from edda_sync.sync.session import EVENT_OF, TRANSITIONS, Event, Session, State
from edda_sync.sync.wire import Codec
from edda_sync.testing import Talk, devices, replica_of, sync
from edda_sync.transport.membership import workspace_tag

CODEC = Codec()


@dataclass
class Bench:
    """A real device, the session under test, and a peer that we speak for."""

    device: StorageEngine
    peer: StorageEngine
    session: Session

    def hello(self, **changed: object) -> Hello:
        """What an honest peer says first."""
        exchange = replica_of(self.peer).exchange
        tag = workspace_tag(self.peer.workspace, self.peer.identity.device)
        hello = Hello((1, 1), tag, self.peer.identity.device, exchange.introduction().heads, "", 0, ())
        return msgspec.structs.replace(hello, **changed)

    def say(self, message: Message) -> list[Effect]:
        """Let the session take a message."""
        return self.session.frame_received(CODEC.encode(message), 0.0)

    def opened(self) -> None:
        """Get through the greeting."""
        self.session.open()
        self.say(self.hello())
        assert self.session.state is State.OPEN

    def trace(self) -> tuple[object, ...]:
        """All that a refused message must leave as it was."""
        return self.device.frontier(), self.device.digest(), self.device.counts(), self.device.waiting()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with devices(2) as (device, peer):
        replica = replica_of(device)
        workspace = device.workspace
        session = Session(
            replica.exchange,
            CODEC,
            device.identity.device,
            peer.identity.device,
            lambda name: workspace_tag(workspace, name),
        )
        yield Bench(device, peer, session)


def said(effects: list[Effect]) -> list[Message]:
    """The messages among effects."""
    return [CODEC.decode(effect.frame) for effect in effects if isinstance(effect, Send)]


def failure(effects: list[Effect]) -> EddaError | None:
    """Why the link is to be closed."""
    (close,) = [effect for effect in effects if isinstance(effect, Close)]
    assert effects[-1] is close
    return close.error


SAMPLES: dict[Event, list[Callable[[Bench], Message]]] = {
    Event.HELLO: [lambda bench: bench.hello()],
    Event.DATA: [
        lambda bench: Changes((), ()),
        lambda bench: Part(1, 1, 0, b""),
        lambda bench: Snapshot(b"n" * 32, 2, 0, b"part"),
    ],
    Event.ACK: [lambda bench: Ack((), 0, False, "", 0)],
    Event.BUCKETS: [lambda bench: Buckets((), b"")],
    Event.GOODBYE: [lambda bench: Goodbye("bye", "none")],
}


def test_every_message_is_an_event() -> None:
    assert set(EVENT_OF) == set(get_args(Message))
    assert set(EVENT_OF.values()) == set(Event) == set(SAMPLES)


@pytest.mark.parametrize(
    ("state", "event", "number"),
    [
        (state, event, number)
        for state, event in itertools.product((State.OPENING, State.OPEN), Event)
        for number in range(len(SAMPLES[event]))
    ],
)
def test_the_table_says_what_each_message_does_in_each_state(
    bench: Bench, state: State, event: Event, number: int
) -> None:
    bench.session.open()
    if state is State.OPEN:
        bench.say(bench.hello())
    effects = bench.say(SAMPLES[event][number](bench))
    following = TRANSITIONS.get((state, event))
    assert bench.session.state is (following or State.CLOSED)
    if following is None:
        assert isinstance(failure(effects), RemoteProtocolError)
        goodbye = said(effects)[-1]
        assert isinstance(goodbye, Goodbye)
        assert goodbye.fault == "yours"


def test_a_closed_session_says_and_does_nothing_more(bench: Bench) -> None:
    bench.opened()
    assert [type(effect) for effect in bench.session.close()] == [Send, Close]
    assert bench.say(bench.hello()) == []
    assert bench.session.news(0.0, own=True) == []
    assert bench.session.tick(100.0) == []
    assert bench.session.close() == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"protocol": (2, 3)}, "version 3"),
        ({"workspace": b"x" * 16}, "another workspace"),
        ({"device": "somebody else"}, "another workspace"),
    ],
)
def test_a_peer_that_does_not_fit_is_told_so(bench: Bench, changed: dict[str, object], words: str) -> None:
    bench.session.open()
    error = failure(bench.say(bench.hello(**changed)))
    assert isinstance(error, RemoteMismatchError)
    assert words in str(error)


def test_a_peer_of_a_newer_version_that_still_speaks_ours_is_welcome(bench: Bench) -> None:
    bench.session.open()
    bench.say(bench.hello(protocol=(1, 9)))
    assert bench.session.state is State.OPEN


@pytest.mark.parametrize("frame", [b"", b"\0", b"\1garbage", b"\7" * 100, bytes(limits.FRAME_BYTES_MAX + 1)])
def test_garbage_ends_the_talk_and_leaves_no_trace(bench: Bench, frame: bytes) -> None:
    bench.opened()
    before = bench.trace()
    assert isinstance(failure(bench.session.frame_received(frame, 0.0)), RemoteProtocolError)
    assert bench.trace() == before


def test_heads_that_are_no_frontier_are_refused(bench: Bench) -> None:
    bench.session.open()
    twice = (Summary(5, 1, b"h" * 16), Summary(5, 2, b"h" * 16))
    assert isinstance(failure(bench.say(bench.hello(heads=twice))), RemoteProtocolError)


# --- batches that lie -------------------------------------------------------------------------------------------------


def batch(bench: Bench) -> Changes:
    """An honest batch with a new task of the peer."""
    bench.peer.create_task(edda.Task(title="from the peer"))
    exchange = replica_of(bench.peer).exchange
    positions = exchange.missing(bench.device.frontier())
    assert positions is not None
    given = exchange.batch(positions, bench.device.frontier())
    assert given is not None
    return given.message


def test_an_honest_batch_is_taken_and_acknowledged(bench: Bench) -> None:
    bench.opened()
    answers = said(bench.say(batch(bench)))
    assert [type(answer) for answer in answers] == [Ack]
    assert isinstance(answers[0], Ack)
    assert dict(answers[0].frontier) == bench.device.frontier() == bench.peer.frontier()
    assert answers[0].frames == 1


def other_signature(message: Changes, bench: Bench) -> Changes:
    head = message.heads[0]
    return Changes(message.changes, (msgspec.structs.replace(head, signature=bytes(64)),))


def signed_by_the_receiver(message: Changes, bench: Bench) -> Changes:
    head = message.heads[0]
    return Changes(message.changes, (msgspec.structs.replace(head, signature=bench.device.identity.sign(b"x")),))


def no_signature(message: Changes, bench: Bench) -> Changes:
    return Changes(message.changes, ())


def useless_proof(message: Changes, bench: Bench) -> Changes:
    head = message.heads[0]
    return Changes(message.changes, (msgspec.structs.replace(head, seq=head.seq + 1, proof=bytes(32)),))


def proof_without_end(message: Changes, bench: Bench) -> Changes:
    head = message.heads[0]
    return Changes(message.changes, (msgspec.structs.replace(head, proof=bytes(32)),))


def other_body(message: Changes, bench: Bench) -> Changes:
    (raw, body) = message.changes[0]
    return Changes(((raw, body.replace(b"from the peer", b"from the Peer")),), message.heads)


def longer_body(message: Changes, bench: Bench) -> Changes:
    (raw, body) = message.changes[0]
    return Changes(((raw, body + b"more"),), message.heads)


def broken_header(message: Changes, bench: Bench) -> Changes:
    return Changes(((b"\xc1", message.changes[0][1]),), message.heads)


@pytest.mark.parametrize(
    "lie",
    [
        other_signature, signed_by_the_receiver, no_signature, useless_proof, proof_without_end, other_body, longer_body,
        broken_header,
    ],
)  # fmt: skip
def test_a_batch_that_nothing_vouches_for_is_refused_and_leaves_no_trace(
    bench: Bench, lie: Callable[[Changes, Bench], Changes]
) -> None:
    bench.opened()
    honest = batch(bench)
    before = bench.trace()
    assert isinstance(failure(bench.say(lie(honest, bench))), RemoteProtocolError)
    assert bench.trace() == before


def forged(bench: Bench, actor: int, seq: int, birth: Birth | None) -> Changes:
    """A change under an actor of the liar's choice, signed with the peer's own key."""
    body = changes.encode_operation([PUT, "task", values.id_bytes("id", values.uuid8("x", "y")), {"title": "forged"}])
    deps = tuple(sorted((a, s) for a, s in bench.device.frontier().items() if a != actor))
    raw = changes.encode_header(Header(1, actor, seq, 1, deps, 1, len(body), birth=birth))
    with bench.device.store.read() as reader:
        previous = changes.NO_HASH if seq == 1 else reader.hash_at(actor, seq - 1) or b""
    head = changes.hash_change(previous, changes.hash_content(raw, body))
    signature = bench.peer.identity.sign(changes.signed_message(bench.peer.workspace, actor, seq, head))
    return Changes(((raw, body),), (SignedHead(actor, seq, signature, b""),))


def test_a_change_under_anothers_actor_is_refused(bench: Bench) -> None:
    bench.opened()
    with bench.device.store.read() as reader:
        own = actor_of(reader)
    before = bench.trace()
    error = failure(bench.say(forged(bench, own, bench.device.frontier()[own] + 1, None)))
    assert isinstance(error, RemoteProtocolError)
    assert bench.trace() == before


def test_an_actor_that_is_not_the_hash_of_key_and_nonce_is_refused(bench: Bench) -> None:
    """Counterexample 18."""
    bench.opened()
    birth = Birth(bench.peer.identity.public_key, bytes(16))
    before = bench.trace()
    error = failure(bench.say(forged(bench, changes.actor_of(birth) ^ 1, 1, birth)))
    assert isinstance(error, RemoteProtocolError)
    assert "not its device's" in str(error)
    assert bench.trace() == before


def test_a_new_life_of_a_member_is_taken_and_a_strangers_first_change_is_not(bench: Bench) -> None:
    bench.opened()
    stranger = Birth(bytes(32), bytes(16))
    before = bench.trace()
    assert isinstance(failure(bench.say(forged(bench, changes.actor_of(stranger), 1, stranger))), RemoteProtocolError)
    assert bench.trace() == before
    with devices(1):
        birth = Birth(bench.peer.identity.public_key, b"another life here")
        replica = replica_of(bench.device)
        taken = replica.exchange.take(forged(bench, changes.actor_of(birth), 1, birth))
    assert taken.applied == 1


def test_a_part_that_was_not_announced_is_asked_for_again_and_not_kept(bench: Bench) -> None:
    bench.opened()
    before = bench.trace()
    (answer,) = said(bench.say(Part(1, 1, 0, b"part")))
    assert isinstance(answer, Ack)
    assert answer.again
    assert bench.trace() == before


def test_a_batch_that_comes_too_early_is_dropped_and_asked_for_again(bench: Bench) -> None:
    bench.opened()
    bench.peer.create_task(edda.Task(title="first"))
    first = bench.peer.frontier()
    bench.peer.create_task(edda.Task(title="second"))
    exchange = replica_of(bench.peer).exchange
    given = exchange.batch(exchange.missing(first) or [], first)
    assert given is not None
    before = bench.trace()
    (answer,) = said(bench.say(given.message))
    assert isinstance(answer, Ack)
    assert answer.again
    assert dict(answer.frontier) == bench.device.frontier()
    assert bench.trace() == before


def test_a_sender_whose_batch_was_dropped_starts_over_from_where_the_peer_stands(bench: Bench) -> None:
    bench.opened()
    behind = tuple(sorted(bench.device.frontier().items()))
    bench.device.create_task(edda.Task(title="news"))
    assert [type(message) for message in said(bench.session.news(0.0, own=True))] == [Changes]
    (again,) = said(bench.say(Ack(behind, 1, True, "", 0)))
    assert isinstance(again, Changes)
    assert len(again.changes) == 1


# --- how much, when ---------------------------------------------------------------------------------------------------


def test_no_more_is_under_way_than_the_window_allows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 2_000)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 500)
    bench.opened()
    behind = tuple(sorted(bench.device.frontier().items()))
    for number in range(50):
        bench.device.create_task(edda.Task(title=f"{number}" * 40))
    sent = said(bench.session.news(0.0, own=True))
    assert 2 <= len(sent) <= 20
    assert said(bench.say(Ack(behind, 0, False, "", 0))) == []
    more = said(bench.say(Ack(behind, len(sent), False, "", 0)))
    assert more
    total = [len(message.changes) for message in [*sent, *more] if isinstance(message, Changes)]
    assert sum(total) <= 50


def test_what_the_peer_has_is_never_sent_to_it(bench: Bench) -> None:
    bench.opened()
    bench.say(batch(bench))
    assert said(bench.session.news(0.0, own=False)) == []
    late = bench.session.tick(10.0)
    assert not any(isinstance(message, Changes) for message in said(late))


def proved(bench: Bench) -> bool:
    """Whether the session says that both are equal."""
    return bench.session.progress.proved


def test_equality_is_said_only_after_digests_at_one_frontier_were_compared(bench: Bench) -> None:
    bench.opened()
    assert not proved(bench)
    frontier = tuple(sorted(bench.device.frontier().items()))
    bench.say(Ack(frontier, 0, False, "", 0))
    assert not proved(bench)
    bench.say(Ack(frontier, 0, False, replica_of(bench.peer).exchange.proof().digest, 0))
    assert proved(bench)
    bench.device.create_task(edda.Task(title="news"))
    bench.session.news(0.0, own=True)
    assert not proved(bench)


def test_while_something_waits_the_content_is_not_compared_and_the_changes_are(bench: Bench) -> None:
    bench.opened()
    exchange = replica_of(bench.device).exchange
    frontier = tuple(sorted(bench.device.frontier().items()))
    assert said(bench.say(Ack(frontier, 0, False, exchange.proof().digest, 1))) == []
    assert not proved(bench)
    assert said(bench.say(Ack(frontier, 0, False, "another digest", 1))) == [
        Buckets(exchange.introduction().heads, b"")
    ]
    assert bench.say(Buckets(exchange.introduction().heads, b"")) == []
    assert not proved(bench)
    assert bench.session.progress.waiting == 1


def test_another_digest_at_an_equal_frontier_names_the_buckets_that_differ(bench: Bench) -> None:
    bench.opened()
    frontier = tuple(sorted(bench.device.frontier().items()))
    (answer,) = [
        message
        for message in said(bench.say(Ack(frontier, 0, False, "another digest", 0)))
        if isinstance(message, Buckets)
    ]
    assert answer.heads == replica_of(bench.device).exchange.introduction().heads
    assert len(answer.sums) == 18 * len(
        [total for total in replica_of(bench.device).exchange.proof().buckets.values() if total]
    )


def test_a_digest_that_was_mended_is_compared_again(bench: Bench) -> None:
    """The peer's view was damaged, and folded anew; ours was sound all the time."""
    bench.opened()
    frontier = tuple(sorted(bench.device.frontier().items()))
    bench.say(Ack(frontier, 0, False, "of what rotted", 0))
    assert not proved(bench)
    sound = replica_of(bench.peer).exchange.proof().digest
    bench.say(Ack(frontier, 0, False, sound, 0))
    assert proved(bench)


def test_whoever_mended_its_own_content_compares_it_with_what_the_peer_said_before(bench: Bench) -> None:
    bench.opened()
    frontier = tuple(sorted(bench.device.frontier().items()))
    record = next(iter(bench.device.store.transact(lambda tx: list(tx.all_records()))))
    bench.device.store.transact(lambda tx: tx.add_to_buckets({bucket_of(kind_and_id(record.key)[1]): 1}))
    bench.say(Ack(frontier, 0, False, replica_of(bench.peer).exchange.proof().digest, 0))
    assert not proved(bench)
    bench.device.rebuild()
    bench.session.recheck(1.0)
    bench.session.tick(1.0)
    assert proved(bench)


def test_a_peer_that_asks_for_the_same_again_and_again_is_left(bench: Bench) -> None:
    """It takes nothing, and would have us send as fast as we can for ever."""
    bench.opened()
    again = Ack((), 0, True, "", 0)
    for _ in range(limits.AGAINS_MAX):
        assert not [effect for effect in bench.say(again) if isinstance(effect, Close)]
    assert isinstance(failure(bench.say(again)), RemoteProtocolError)


def test_a_fork_at_hello_is_noted_and_ends_the_talk(bench: Bench) -> None:
    bench.session.open()
    actor, seq = next(iter(bench.device.frontier().items()))
    heads = tuple(
        Summary(each.actor, each.seq, b"another hash !!!" if each.actor == actor else each.hash)
        for each in replica_of(bench.peer).exchange.introduction().heads
    )
    error = failure(bench.say(bench.hello(heads=heads)))
    assert isinstance(error, ForkError)
    with bench.device.store.read() as reader:
        (fork,) = reader.forks()
    assert fork[:2] == (actor, seq)


def test_a_fork_that_comes_up_while_two_talk_is_noted_when_their_digests_are_compared(bench: Bench) -> None:
    """Both learned of a dot from elsewhere, at one time and under two hashes: frontiers are equal, and nothing is sent."""
    bench.opened()
    first, *others = replica_of(bench.device).exchange.introduction().heads
    error = failure(bench.say(Buckets((Summary(first.actor, first.seq, b"another hash !!!"), *others), b"")))
    assert isinstance(error, ForkError)
    with bench.device.store.read() as reader:
        assert [fork[:2] for fork in reader.forks()] == [(first.actor, first.seq)]


def test_a_digest_is_of_the_changes_as_well_as_of_what_came_of_them(bench: Bench) -> None:
    """Two changes under one dot may show the same, and are not equal."""
    exchange = replica_of(bench.device).exchange
    before = exchange.proof()
    with bench.device.store.read() as reader:
        head = min(reader.heads().values())
    bench.device.store.transact(lambda tx: tx.set_head(head._replace(hash=bytes(32))))
    after = exchange.proof()
    assert (after.frontier, after.buckets) == (before.frontier, before.buckets)
    assert after.digest != before.digest


def test_a_large_change_crosses_in_parts_and_goes_on_where_it_stopped() -> None:
    with devices(2) as (laptop, phone):
        with laptop.begin_transaction() as tx:
            for number in range(40):
                tx.create_task(edda.Task(title=f"Task {number}", description=str(number) * 40_000))
        broken = Talk(laptop, phone)
        while not any(each.parts for each in incoming(phone)):
            broken.step()
        assert phone.query_tasks(edda.TaskQuery()) == []  # nothing of it is seen before all of it is there
        (half,) = incoming(phone)
        talk = Talk(laptop, phone)
        sent_before = len(half.parts)
        talk.run()
        assert len(talk.proved) == 2
        assert len(phone.query_tasks(edda.TaskQuery())) == 40
        assert sent_before >= 1
        assert incoming(phone) == []


def incoming(store: StorageEngine) -> list[Incoming]:
    """The large changes that are half here."""
    with store.store.read() as reader:
        return list(reader.incoming())


def test_two_devices_that_talk_end_equal_whoever_wrote_what() -> None:
    with devices(2) as (laptop, phone):
        for number in range(30):
            (laptop if number % 3 else phone).create_task(edda.Task(title=f"Task {number}"))
        sync(laptop, phone)
        assert laptop.digest() == phone.digest()
        assert len(laptop.query_tasks(edda.TaskQuery())) == 30
