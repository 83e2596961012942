"""A session: when it says what, what it takes from the peer, and that a refused message leaves no trace."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import msgspec
import pytest
from pycrdt import Doc, Text

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.branches import Renaming
from edda_sync.changes.change import DEP_HASH_BYTES, Birth, Header
from edda_sync.crdt import operation
from edda_sync.crdt.frontier import to_pairs
from edda_sync.crdt.operation import Put
from edda_sync.crdt.sketch import CELL_BYTES
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import Incoming
from edda_sync.sync.beside import Beside
from edda_sync.sync.effects import Close, Differs, Effect, Learned, Send
from edda_sync.sync.exchange import Exchange, Proof
from edda_sync.sync.file_messages import Has, Lacks, Seek, Slice
from edda_sync.sync.learning import Wanted
from edda_sync.sync.messages import (
    Ack,
    Announce,
    Behind,
    Branch,
    Cells,
    Changes,
    Earlier,
    Evidence,
    Fetch,
    Found,
    Goodbye,
    Heads,
    Hello,
    Known,
    Listed,
    Message,
    Offer,
    Part,
    Pull,
    SignedHead,
    Snapshot,
    Summary,
    Want,
)
from edda_sync.sync.rates import Rates
from edda_sync.sync.relaying import Relaying
from edda_sync.sync.session import EVENT_OF, Session
from edda_sync.sync.states import TRANSITIONS, Event, State
from edda_sync.sync.wire import Codec
from edda_sync.testing import devices, replica_of, sync
from edda_sync.words import limits, values
from edda_sync.words.errors import BugError, EddaError, RemoteMismatchError, RemoteProtocolError
from edda_sync.workspace.actor import actor_of
from edda_sync.workspace.welcome import workspace_tag
from tests.sync.network import Network, filing_of, name_of

CODEC = Codec()
NAME = b"n" * 16


@dataclass
class Bench:
    """A real device, the session under test, and a peer whose messages the test sends."""

    device: StorageEngine
    peer: StorageEngine
    session: Session

    @property
    def exchange(self) -> Exchange:
        """The device's exchange."""
        return replica_of(self.device).exchange

    @property
    def theirs(self) -> Exchange:
        """The peer's exchange."""
        return replica_of(self.peer).exchange

    def hello(self, **changed: object) -> Hello:
        """The first message of an honest peer."""
        told = self.theirs.introduction()
        tag = workspace_tag(self.peer.workspace, self.peer.identity.device)
        device = self.peer.identity.device
        hello = Hello((1, 1), tag, device, NAME, told.heads, False, told.evidence, told.waiting, told.wanted)
        return msgspec.structs.replace(hello, **changed)

    def say(self, message: Message) -> list[Effect]:
        """Let the session take a message."""
        return self.session.frame_received(CODEC.encode(message), 0.0)

    def opened(self) -> None:
        """Get through the greeting."""
        self.session.open()
        self.say(self.hello())
        assert self.session.state is State.OPEN

    def ack(self, **changed: Any) -> Ack:
        """An acknowledgement of a peer that holds everything that the device holds."""
        moved = tuple(to_pairs(self.device.frontier()))
        return msgspec.structs.replace(Ack(moved, 0, False, b"", 0, self.exchange.proof().evidence), **changed)

    def trace(self) -> tuple[object, ...]:
        """Everything that a refused message must leave unchanged."""
        device = self.device
        with device.store.read() as reader:
            evidence = dict(reader.evidence.all())
        return device.frontier(), device.digest(), device.counts(), device.waiting(), evidence


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
            Rates(),
            Relaying(replica.exchange),
            Beside(replica.exchange, defers=False),
            filing_of(device, 0),
        )
        yield Bench(device, peer, session)


def said(effects: list[Effect]) -> list[Message]:
    """The messages among effects."""
    return [CODEC.decode(effect.frame) for effect in effects if isinstance(effect, Send)]


def failure(effects: list[Effect]) -> EddaError | None:
    """The reason for closing the link."""
    (close,) = [effect for effect in effects if isinstance(effect, Close)]
    assert effects[-1] is close
    return close.error


HASH = b"h" * 32
SAMPLES: dict[Event, list[Callable[[Bench], Message]]] = {
    Event.HELLO: [lambda bench: bench.hello()],
    Event.PAGE: [lambda bench: Heads((), (), False)],
    Event.DATA: [
        lambda bench: Changes((), ()),
        lambda bench: Part(NAME, 1, 0, b""),
        lambda bench: Earlier((), ()),
        lambda bench: Listed(HASH, b"", b"k" * 17, b""),
        lambda bench: Evidence((), False),
        lambda bench: Evidence((b"\x7f of a newer version",), False),
    ],
    Event.OFFER: [
        lambda bench: Offer(HASH, 2),
        lambda bench: Behind((), ()),
        lambda bench: Known((), False),
    ],
    Event.ACK: [lambda bench: Ack((), 0, False, b"", 0), lambda bench: Announce(())],
    Event.CELLS: [
        lambda bench: Cells(HASH, 0, bytes(CELL_BYTES)),
    ],
    Event.FETCH: [lambda bench: Fetch(()), lambda bench: Found(()), lambda bench: Pull()],
    Event.FILES: [
        lambda bench: Seek(HASH, ()),
        lambda bench: Slice(HASH, 4, 0, b"data"),
        lambda bench: Lacks((HASH,)),
        lambda bench: Has((HASH,), 0, 0),
    ],
    Event.GOODBYE: [lambda bench: Goodbye("bye", "none")],
}
UNASKED: list[Message] = [
    Snapshot(HASH, 2, 0, b"part"),
    Want(HASH, 0),
    Branch(NAME, b"birth", 0, bytes(32), (HASH,), b"s" * 64),
]
"""Messages that an open session allows by their kind, and that end it: nobody asked for them, or they are untrue."""


def test_every_message_is_an_event() -> None:
    assert set(EVENT_OF) == set(get_args(Message))
    assert set(EVENT_OF.values()) == set(Event) == set(SAMPLES)


def test_every_message_is_tried() -> None:
    with devices(2, backend="memory") as (device, peer):
        bench = Bench(device, peer, None)  # type: ignore[arg-type]
        tried = {type(sample(bench)) for samples in SAMPLES.values() for sample in samples}
    assert tried | {type(message) for message in UNASKED} == set(get_args(Message))


@pytest.mark.parametrize(
    ("state", "event", "number"),
    [
        (state, event, number)
        for state, event in itertools.product((State.OPENING, State.READING, State.OPEN), Event)
        for number in range(len(SAMPLES[event]))
    ],
)
def test_the_table_says_what_each_message_does_in_each_state(
    bench: Bench, state: State, event: Event, number: int
) -> None:
    bench.session.open()
    if state is not State.OPENING:
        bench.say(bench.hello(more=state is State.READING))
    assert bench.session.state is state
    effects = bench.say(SAMPLES[event][number](bench))
    following = TRANSITIONS.get((state, event))
    assert bench.session.state is (following or State.CLOSED)
    if following is None:
        assert isinstance(failure(effects), RemoteProtocolError)
        goodbye = said(effects)[-1]
        assert isinstance(goodbye, Goodbye)
        assert goodbye.fault == "yours"


@pytest.mark.parametrize(
    ("event", "number"), [(event, number) for event in Event for number in range(len(SAMPLES[event]))]
)
def test_what_a_later_version_says_besides_ends_no_talk(bench: Bench, event: Event, number: int) -> None:
    """With one more field, and an even and an odd number in the room to grow, the session goes on as without."""
    if event is Event.PAGE:
        bench.session.open()
        bench.say(bench.hello(more=True))
    else:
        bench.opened()
    before = bench.trace()
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(SAMPLES[event][number](bench)))
    fields[-1] = [[2, b"even"], [3, b"odd"], [1 << 31, b"large"]]
    effects = bench.session.frame_received(b"\0" + msgspec.msgpack.encode([*fields, "a field more"]), 0.0)
    closed = [effect for effect in effects if isinstance(effect, Close)]
    assert [close.error for close in closed] == ([None] if event is Event.GOODBYE else [])
    assert bench.trace() == before


@pytest.mark.parametrize("message", UNASKED, ids=lambda each: type(each).__name__)
def test_what_nobody_asked_for_ends_the_talk_and_leaves_no_trace(bench: Bench, message: Message) -> None:
    bench.opened()
    before = bench.trace()
    assert isinstance(failure(bench.say(message)), RemoteProtocolError)
    assert bench.trace() == before


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


def summaries(*seqs: int, actors: str = "abcdefgh") -> tuple[Summary, ...]:
    """Heads of actors that nobody knows, in order."""
    return tuple(Summary(name.encode() * 16, seq, b"h" * 16) for name, seq in zip(actors, seqs, strict=False))


@pytest.mark.parametrize(
    "pages",
    [
        [summaries(1, 2, actors="aa")],
        [summaries(1, 2, actors="ba")],
        [summaries(1, 2), summaries(3, actors="b")],  # the second page begins where the first one ended
        [summaries(1, 2), summaries(3, actors="a")],
        [summaries(1, 2), (), summaries(3, actors="a")],
    ],
    ids=["twice", "down", "twice over pages", "down over pages", "down over an empty page"],
)
def test_heads_that_are_no_frontier_are_refused(bench: Bench, pages: list[tuple[Summary, ...]]) -> None:
    bench.session.open()
    first, *rest = pages
    effects = bench.say(bench.hello(heads=first, more=bool(rest)))
    for number, page in enumerate(rest, 1):
        effects += bench.say(Heads(page, (), number < len(rest)))
    assert isinstance(failure(effects), RemoteProtocolError)


def test_a_page_of_more_heads_than_allowed_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEADS_MAX", 2)
    bench.session.open()
    assert isinstance(failure(bench.say(bench.hello(heads=summaries(1, 2, 3)))), RemoteProtocolError)


def test_nothing_is_sent_before_the_last_page_of_a_hello(bench: Bench) -> None:
    bench.device.create_task(edda.Task(title="news"))
    bench.session.open()
    held = bench.theirs.introduction().heads
    assert said(bench.say(bench.hello(heads=held[:1], more=True))) == []
    assert said(bench.session.news(0.0, own=True)) == []
    assert said(bench.say(Heads((), (), True))) == []
    sent = said(bench.say(Heads(held[1:], (), False)))
    assert [type(message) for message in sent] == [Changes]
    assert sum(len(message.changes) for message in sent if isinstance(message, Changes)) == 1


def test_a_long_hello_is_said_in_pages(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bench.exchange.introduction().heads
    assert len(whole) == 1
    for number in range(4):
        bench.device.store.transact(lambda tx: changes_of_a_new_life(bench.device, tx))
        bench.device.create_task(edda.Task(title=f"{number}"))
    monkeypatch.setattr(limits, "HEADS_MAX", 2)
    hello, *pages = said(bench.session.open())
    assert isinstance(hello, Hello)
    assert [type(page) for page in pages] == [Heads, Heads]
    listed: list[Hello | Heads] = [hello, *(page for page in pages if isinstance(page, Heads))]
    assert [each.more for each in listed] == [True, True, False]
    assert tuple(head for each in listed for head in each.heads) == bench.exchange.introduction().heads


def changes_of_a_new_life(engine: StorageEngine, tx: Any) -> None:
    """Let a device begin a new life with its next write."""
    from edda_sync.workspace.actor import new_life

    new_life(tx, engine.writing.random(16))


# --- batches that lie -------------------------------------------------------------------------------------------------


def batch(bench: Bench) -> Changes:
    """An honest batch with a new task of the peer."""
    bench.peer.create_task(edda.Task(title="from the peer"))
    giving = bench.theirs.giving
    positions = giving.missing(bench.device.frontier())
    assert positions is not None
    given = giving.batch(positions, bench.device.frontier())
    assert given is not None
    return given.message


def test_an_honest_batch_is_taken_and_acknowledged(bench: Bench) -> None:
    bench.opened()
    answers = said(bench.say(batch(bench)))
    assert [type(answer) for answer in answers] == [Ack]
    assert isinstance(answers[0], Ack)
    assert bench.device.frontier() == bench.peer.frontier()
    assert all(bench.peer.frontier()[actor] == seq for actor, seq in answers[0].moved)
    assert (len(answers[0].moved), answers[0].frames) == (1, 1)


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


def forged(bench: Bench, actor: bytes, seq: int, birth: Birth | None) -> Changes:
    """A change with an actor of the liar's choice, signed with the peer's own key."""
    title = Put("task", values.id_bytes("id", values.uuid8("x", "y")), {"title": "forged"})
    body = operation.encode(title)
    with bench.device.store.read() as reader:
        heads = sorted(reader.log.heads().values())
        previous = changes.NO_HASH if seq == 1 else reader.log.hash_at(actor, seq - 1) or b""
    continued = None if birth is None else birth.parent
    deps = tuple(
        (head.actor, head.seq, head.hash[:DEP_HASH_BYTES]) for head in heads if head.actor not in (actor, continued)
    )
    ext = changes.header_ext(1, birth=birth)
    raw = changes.encode_header(Header(1, actor, seq, deps, 1, len(body), changes.hash_part(body), previous, ext))
    head = changes.hash_change(previous, changes.hash_header(raw))
    signature = bench.peer.identity.sign(changes.signed_message(bench.peer.workspace, actor, seq, head))
    return Changes(((raw, body),), (SignedHead(actor, seq, signature, b""),))


def birth_of(bench: Bench, public_key: bytes, nonce: bytes = bytes(16)) -> Birth:
    """A birth that continues the newest change of the workspace's founder."""
    with bench.device.store.read() as reader:
        head = min(reader.log.heads().values())
    return Birth(public_key, nonce, head.actor, head.seq, head.hash)


def name(birth: Birth) -> bytes:
    """The actor of a birth."""
    return changes.actor_of(changes.encode_birth(birth))


def test_a_change_under_anothers_actor_is_refused(bench: Bench) -> None:
    bench.opened()
    with bench.device.store.read() as reader:
        own = actor_of(reader)
    before = bench.trace()
    error = failure(bench.say(forged(bench, own, bench.device.frontier()[own] + 1, None)))
    assert isinstance(error, RemoteProtocolError)
    assert bench.trace() == before


def test_an_actor_that_is_not_the_hash_of_its_birth_is_refused(bench: Bench) -> None:
    """Counterexample 18."""
    bench.opened()
    birth = birth_of(bench, bench.peer.identity.public_key)
    before = bench.trace()
    error = failure(bench.say(forged(bench, bytes([name(birth)[0] ^ 1]) + name(birth)[1:], 1, birth)))
    assert isinstance(error, RemoteProtocolError)
    assert "not its device's" in str(error)
    assert bench.trace() == before


def test_a_new_life_of_a_member_is_taken_and_a_strangers_first_change_is_not(bench: Bench) -> None:
    bench.opened()
    stranger = birth_of(bench, bytes(32))
    before = bench.trace()
    assert isinstance(failure(bench.say(forged(bench, name(stranger), 1, stranger))), RemoteProtocolError)
    assert bench.trace() == before
    birth = birth_of(bench, bench.peer.identity.public_key, b"another life ...")
    assert bench.exchange.taking.take(forged(bench, name(birth), 1, birth)).applied == 1


def test_a_part_that_was_not_announced_is_asked_for_again_and_not_kept(bench: Bench) -> None:
    bench.opened()
    before = bench.trace()
    (answer,) = said(bench.say(Part(NAME, 1, 0, b"part")))
    assert isinstance(answer, Ack)
    assert answer.again
    assert bench.trace() == before


def test_a_batch_that_comes_too_early_is_dropped_and_asked_for_again(bench: Bench) -> None:
    bench.opened()
    bench.peer.create_task(edda.Task(title="first"))
    first = bench.peer.frontier()
    bench.peer.create_task(edda.Task(title="second"))
    giving = bench.theirs.giving
    given = giving.batch(giving.missing(first) or [], first)
    assert given is not None
    before = bench.trace()
    (answer,) = said(bench.say(given.message))
    assert isinstance(answer, Ack)
    assert answer.again
    assert answer.moved == ()
    assert bench.trace() == before


def test_a_sender_whose_batch_was_dropped_starts_over_from_where_the_peer_stands(bench: Bench) -> None:
    bench.opened()
    bench.device.create_task(edda.Task(title="news"))
    assert [type(message) for message in said(bench.session.news(0.0, own=True))] == [Changes]
    (again,) = said(bench.say(Ack((), 1, True, b"", 0)))
    assert isinstance(again, Changes)
    assert len(again.changes) == 1


# --- how much, when ---------------------------------------------------------------------------------------------------


def test_no_more_is_under_way_than_the_window_allows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 2_000)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 500)
    bench.opened()
    for number in range(50):
        bench.device.create_task(edda.Task(title=f"{number}" * 40))
    sent = said(bench.session.news(0.0, own=True))
    assert 2 <= len(sent) <= 20
    assert said(bench.say(Ack((), 0, False, b"", 0))) == []
    more = said(bench.say(Ack((), len(sent), False, b"", 0)))
    assert more
    total = [len(message.changes) for message in [*sent, *more] if isinstance(message, Changes)]
    assert sum(total) <= 50


def test_frames_that_wait_to_be_expanded_are_no_more_than_may_be_under_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 0)
    monkeypatch.setattr(limits, "FRAME_BYTES_MAX", 100_000)
    monkeypatch.setattr(limits, "EXPANSION", 0)
    bench.session._inflow._rates.expanded.count(
        b"", limits.EXPANDED_BYTES_MAX, 0.0
    )  # it brought as much as it may for now
    bench.opened()
    bench.peer.create_document(edda.Document(title="long", content="a" * 90_000))
    giving = bench.theirs.giving
    given = giving.batch(giving.missing(bench.device.frontier()) or [], bench.device.frontier())
    assert given is not None
    before, size = bench.trace(), len(CODEC.encode(given.message))
    fitting = limits.FRAME_BYTES_MAX // size
    for _ in range(fitting):
        assert bench.say(given.message) == []
    assert isinstance(failure(bench.say(given.message)), RemoteProtocolError)
    assert bench.trace() == before


def test_what_the_peer_has_is_never_sent_to_it(bench: Bench) -> None:
    bench.opened()
    bench.say(batch(bench))
    assert said(bench.session.news(0.0, own=False)) == []
    late = bench.session.tick(10.0)
    assert not any(isinstance(message, Changes) for message in said(late))


# --- equality ---------------------------------------------------------------------------------------------------------


def proved(bench: Bench) -> bool:
    """Whether the session says that both are equal."""
    return bench.session.progress.proved


def true(bench: Bench) -> bytes:
    """The proof of a peer that is equal."""
    return bench.exchange.proof().encoded


def other(proof: bytes, *, heads: bool = False) -> bytes:
    """A proof of other content, or of other changes."""
    at = 31 if heads else 0
    return proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :]


def test_equality_is_said_only_after_proofs_at_one_frontier_were_compared(bench: Bench) -> None:
    bench.opened()
    assert not proved(bench)
    bench.say(bench.ack())
    assert not proved(bench)
    bench.say(bench.ack(proof=true(bench)))
    assert proved(bench)
    bench.device.create_task(edda.Task(title="news"))
    bench.session.news(0.0, own=True)
    assert not proved(bench)


@pytest.mark.parametrize("waits_here", [False, True])
def test_where_other_operations_wait_the_content_is_not_compared_and_the_changes_are(
    bench: Bench, waits_here: bool
) -> None:
    """One side has a newer version, or an older one."""
    if waits_here:
        write(bench.device, [99, "task", bytes(16), "an operation of a newer version"])
        sync_changes(bench.device, bench.peer)
    bench.opened()
    own = true(bench)
    theirs = {"waiting": 0, "unread": b""} if waits_here else {"waiting": 1, "unread": b"u" * 16}
    (answer,) = said(bench.say(bench.ack(proof=other(own), **theirs)))
    assert isinstance(answer, Ack)
    assert answer.proof == own, "our proof, and no cells"
    assert not proved(bench)
    assert bench.session.progress.waiting == theirs["waiting"]
    answers = said(bench.say(bench.ack(proof=other(own, heads=True), **theirs)))
    assert [type(answer) for answer in answers] == [Cells]  # of the heads alone
    assert not proved(bench)


def sync_changes(one: StorageEngine, two: StorageEngine) -> None:
    """Let two exchanges exchange everything, whether they are equal or not."""
    network = Network(one, two)
    network.connect(one, two)
    network.run()


def write(engine: StorageEngine, fields: list[Any]) -> None:
    """Write a change with an operation that no version of ours would make."""
    from tests.sync.strange import write_change

    write_change(engine, msgspec.msgpack.encode(fields))


def test_refused_operations_keep_nobody_from_being_proved_equal(bench: Bench) -> None:
    write(bench.device, [1, "task", bytes(16), {"title": "t", "priority": 9}])
    write(bench.device, [2, "task", bytes(16), "description", bytes(16), b"nonsense"])
    sync(bench.device, bench.peer)
    assert bench.device.refused() == bench.peer.refused() == 2
    assert bench.device.waiting() == bench.peer.waiting() == 0
    bench.opened()
    bench.say(bench.ack(proof=true(bench)))
    assert proved(bench)


def test_devices_that_wait_for_the_same_are_proved_equal_and_say_that_something_waits(bench: Bench) -> None:
    """Otherwise any member could keep all others from being proved equal, by writing what no version knows."""
    write(bench.device, [99, "task", bytes(16), "an operation of a newer version"])
    network = Network(bench.device, bench.peer)
    network.connect(bench.device, bench.peer)
    network.run()
    assert len(network.proved) == 2
    assert network.differs == []
    assert {ack.waiting for ack in network.said(Ack) if ack.proof} == {1}
    waits = [each.waiting for replica in network.replicas.values() for each in replica.progress().values()]
    assert waits == [1, 1]


def test_devices_that_wait_for_as_many_but_not_the_same_are_not_proved_equal(bench: Bench) -> None:
    write(bench.device, [99, "task", bytes(16), "an operation of a newer version"])
    sync_changes(bench.device, bench.peer)
    bench.opened()
    for unread in (b"", b"u" * 16, bench.exchange.proof().unread[:-1]):
        bench.say(bench.ack(proof=other(true(bench)), waiting=1, unread=unread))
        bench.say(bench.ack(proof=true(bench), waiting=1, unread=unread))
        assert not proved(bench)
        bench.session.recheck(0.0)
    bench.say(bench.ack(proof=true(bench), waiting=1, unread=bench.exchange.proof().unread))
    assert proved(bench)


def test_another_digest_at_an_equal_frontier_is_answered_with_coded_cells(bench: Bench) -> None:
    bench.opened()
    ours, cells = said(bench.say(bench.ack(proof=other(true(bench)))))
    assert isinstance(ours, Ack)
    assert isinstance(cells, Cells)
    assert ours.proof == cells.proof == true(bench)
    assert (cells.first, len(cells.cells)) == (0, limits.CODED_CELLS_FIRST * CELL_BYTES)
    assert said(bench.say(bench.ack(proof=other(true(bench))))) == [], "it is said once"


def test_a_digest_that_was_mended_is_compared_again(bench: Bench) -> None:
    """The peer's view was damaged, and folded again; ours was sound all the time."""
    bench.opened()
    bench.say(bench.ack(proof=other(true(bench))))
    assert not proved(bench)
    bench.say(bench.ack(proof=true(bench)))
    assert proved(bench)


def test_whoever_mended_its_own_content_compares_it_with_what_the_peer_said_before(bench: Bench) -> None:
    bench.opened()
    sound = true(bench)
    bench.device.store.transact(lambda tx: tx.index.add_to_digest(1))
    bench.say(bench.ack(proof=sound))
    assert not proved(bench)
    bench.device.rebuild()
    bench.session.recheck(1.0)
    bench.session.tick(1.0)
    assert proved(bench)


def test_a_proof_is_of_the_changes_as_well_as_of_what_came_of_them(bench: Bench) -> None:
    """Two changes with one dot may show the same, but they are not equal."""
    before = bench.exchange.proof()
    with bench.device.store.read() as reader:
        head = min(reader.log.heads().values())
    bench.device.store.transact(lambda tx: tx.log.set_head(head._replace(hash=bytes(32))))
    after: Proof = bench.exchange.proof()
    assert (after.frontier, after.content) == (before.frontier, before.content)
    assert after.heads_hash != before.heads_hash


def test_content_is_not_compared_with_a_peer_that_knows_other_evidence(bench: Bench) -> None:
    """The names of changes, and so the content that they make, depend on the forks that are proved."""
    bench.opened()
    effects = bench.say(bench.ack(proof=other(true(bench)), evidence=b"e" * 32))
    assert not any(isinstance(message, Cells) for message in said(effects))
    assert not any(isinstance(effect, Differs) for effect in effects)
    assert not proved(bench)


# --- what a peer claims -----------------------------------------------------------------------------------------------


def test_a_peer_that_asks_for_the_same_again_and_again_is_left(bench: Bench) -> None:
    """It takes nothing, and would make us send as fast as we can, for ever."""
    bench.opened()
    again = Ack((), 0, True, b"", 0)
    for _ in range(limits.AGAINS_MAX):
        assert not [effect for effect in bench.say(again) if isinstance(effect, Close)]
    assert isinstance(failure(bench.say(again)), RemoteProtocolError)


@pytest.mark.parametrize("frames", [1, 2, 1 << 52])
def test_a_peer_that_acknowledges_frames_that_were_never_sent_is_left(bench: Bench, frames: int) -> None:
    bench.opened()
    assert isinstance(failure(bench.say(Ack((), frames, False, b"", 0))), RemoteProtocolError)


def test_of_frames_that_were_sent_no_more_are_acknowledged_than_there_were(bench: Bench) -> None:
    bench.opened()
    bench.device.create_task(edda.Task(title="news"))
    sent = len(said(bench.session.news(0.0, own=True)))
    for _ in range(3):  # repeating it has no effect
        assert not [effect for effect in bench.say(Ack((), sent, False, b"", 0)) if isinstance(effect, Close)]
    assert isinstance(failure(bench.say(Ack((), sent + 1, False, b"", 0))), RemoteProtocolError)


@pytest.mark.parametrize("seq", [1 << 47, (1 << 48) - 1])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("by", ["hello", "ack"])
def test_a_frontier_beyond_all_reason_costs_nothing_and_stops_nothing(
    bench: Bench, seq: int, known: bool, by: str
) -> None:
    actor = min(bench.device.frontier()) if known else NAME
    before = bench.trace()
    bench.session.open()
    if by == "hello":
        rest = [each for each in bench.theirs.introduction().heads if each.actor != actor]
        effects = bench.say(bench.hello(heads=tuple(sorted([*rest, Summary(actor, seq, b"h" * 16)], key=actor_name))))
    else:
        bench.say(bench.hello())
        effects = bench.say(Ack(((actor, seq),), 0, False, b"", 0))
    assert not [effect for effect in effects if isinstance(effect, Close)]
    assert bench.session.progress.behind >= (1 << 47) - 10
    bench.session.tick(1_000.0)
    assert not proved(bench)
    assert bench.trace() == before
    birth = birth_of(bench, bench.peer.identity.public_key, b"another life ...")
    answers = said(bench.say(forged(bench, name(birth), 1, birth)))
    assert [type(answer) for answer in answers] == [Ack], "what it really has is taken"
    assert bench.device.frontier()[name(birth)] == 1


def actor_name(summary: Summary) -> bytes:
    """The sort key of heads."""
    return summary.actor


# --- forks ------------------------------------------------------------------------------------------------------------


def lying_heads(bench: Bench) -> tuple[Summary, ...]:
    """The peer's heads, the first one with a false hash."""
    first, *rest = bench.theirs.introduction().heads
    return (msgspec.structs.replace(first, hash=b"another hash !!!"), *rest)


def test_a_head_under_another_hash_parts_that_actor_and_all_else_goes_on(bench: Bench) -> None:
    bench.peer.create_task(edda.Task(title="so that there is another actor"))
    sync(bench.device, bench.peer)
    heads = lying_heads(bench)
    bench.device.create_task(edda.Task(title="not for a peer with another chain of ours"))
    before = bench.trace()
    bench.session.open()
    effects = bench.say(bench.hello(heads=heads))
    assert bench.session.state is State.OPEN
    apart = {heads[0].actor}
    assert bench.session.progress.apart == apart
    pieces = [message for message in said(effects) if isinstance(message, Branch)]
    assert {piece.actor for piece in pieces} == apart
    assert bench.trace() == before, "a claim proves nothing"
    bench.peer.create_task(edda.Task(title="goes on"))
    taken = [message for message in said(bench.say(batch(bench))) if isinstance(message, Ack)]
    assert [ack.again for ack in taken] == [False]
    titles = {task.title for task in bench.device.query_tasks(edda.TaskQuery())}
    assert {"goes on", "from the peer"} <= titles


def test_nothing_of_an_actor_is_sent_to_a_peer_with_another_chain_of_it(bench: Bench) -> None:
    heads = lying_heads(bench)
    bench.session.open()
    bench.say(bench.hello(heads=heads))
    bench.device.create_task(edda.Task(title="news"))
    with bench.device.store.read() as reader:
        assert actor_of(reader) == heads[0].actor
    assert not any(isinstance(message, Changes) for message in said(bench.session.news(0.0, own=True)))


def test_a_piece_of_a_chain_that_is_what_is_held_here_parts_nobody(bench: Bench) -> None:
    """The peer said it before it knew of a fork on which that chain only depends; once it knows, it says what it holds."""
    bench.opened()
    (actor,) = {head.actor for head in bench.exchange.heads() if bench.exchange.giving.is_own(head)}
    piece = bench.theirs.forks.piece(Wanted(actor))
    assert piece is not None
    effects = bench.say(piece)
    assert bench.session.progress.apart == frozenset()
    assert not any(isinstance(message, Branch) for message in said(effects))
    bench.device.create_task(edda.Task(title="news"))
    assert any(isinstance(message, Changes) for message in said(bench.session.news(0.0, own=True)))


def test_a_fork_that_comes_up_while_two_talk_is_found_when_their_proofs_are_compared(bench: Bench) -> None:
    """Both got a dot from elsewhere, at one time and with two hashes: frontiers are equal, and nothing is sent."""
    bench.opened()
    first, *_ = bench.exchange.heads()
    theirs = bench.theirs
    bench.peer.store.transact(lambda tx: tx.log.set_head(first._replace(hash=b"another".ljust(32))))
    bench.say(bench.ack(proof=theirs.proof().encoded))
    other_side = Session(
        theirs, CODEC, bench.peer.identity.device, bench.device.identity.device,
        lambda device: workspace_tag(bench.device.workspace, device), Rates(), Relaying(theirs),
        Beside(theirs, defers=False),
    )  # fmt: skip
    opened = said(bench.session.open())[0]
    other_side.open()
    other_side._nonce = other_side._comparing.proving._nonce = NAME
    other_side.frame_received(CODEC.encode(opened), 0.0)
    moved = tuple(to_pairs(bench.device.frontier()))
    answers = said(
        other_side.frame_received(CODEC.encode(Ack(moved, 0, False, true(bench), 0, bench.ack().evidence)), 0.0)
    )
    (cells,) = [message for message in answers if isinstance(message, Cells)]
    effects = bench.say(cells)
    assert bench.session.progress.apart == {first.actor}
    assert any(isinstance(message, Branch) for message in said(effects))


# --- large changes ----------------------------------------------------------------------------------------------------


def test_a_large_change_crosses_in_parts_and_goes_on_where_it_stopped() -> None:
    with devices(2) as (laptop, phone):
        with laptop.begin_transaction() as tx:
            for number in range(40):
                tx.create_task(edda.Task(title=f"Task {number}", description=str(number) * 40_000))
        network = Network(laptop, phone)
        network.connect(laptop, phone)
        network.run_until_said(Part, 3)
        assert phone.query_tasks(edda.TaskQuery()) == []  # nothing of it is visible before all of it is there
        (half,) = incoming(phone)
        network.cut(laptop, phone)
        network.heard.clear()
        network.connect(laptop, phone)
        network.run()
        sent = [part.number for part in network.said(Part)]
        assert len(half.parts) == 3
        assert sent == list(range(3, 3 + len(sent)))  # each missing part once, and none that was there
        assert len(sent) > 1
        assert len(phone.query_tasks(edda.TaskQuery())) == 40
        assert incoming(phone) == []
        assert phone.digest() == laptop.digest()


def incoming(store: StorageEngine) -> list[Incoming]:
    """The large changes that are half received."""
    with store.store.read() as reader:
        return list(reader.incoming.all())


def test_two_devices_that_talk_end_equal_whoever_wrote_what() -> None:
    with devices(2) as (laptop, phone):
        for number in range(30):
            (laptop if number % 3 else phone).create_task(edda.Task(title=f"Task {number}"))
        sync(laptop, phone)
        assert laptop.digest() == phone.digest()
        assert len(laptop.query_tasks(edda.TaskQuery())) == 30


def learned(*renamed: Renaming, forked: frozenset[bytes] = frozenset()) -> Learned:
    """Evidence that another peer brought."""
    return Learned("another", (b"name",), forked, renamed)


def test_whoever_learns_of_a_fork_before_the_peer_s_hello_is_here_says_its_own_again_by_the_new_names(
    bench: Bench,
) -> None:
    """The first hello is under way, and says by the old names what is held."""
    bench.session.open()
    by = Renaming(bytes(16), 1, b"\1" * 16)
    assert [type(message) for message in said(bench.session.learned(learned(by), 0.0))] == [Hello]
    assert bench.session.learned(learned(), 0.0) == []
    assert [type(message) for message in said(bench.session.greet_again(0.0))] == [Hello]
    bench.say(bench.hello())
    assert bench.session.state is State.OPEN
    bench.session.close()
    assert bench.session.learned(learned(by), 0.0) == []


def test_evidence_about_another_chain_than_the_two_are_apart_in_brings_no_hello(bench: Bench) -> None:
    bench.opened()
    actor = actor_of_device(bench)
    bench.session.progress.apart = frozenset([actor])
    for forked, expected in ((frozenset[bytes](), []), (frozenset([NAME]), []), (frozenset([actor]), [Hello])):
        effects = bench.session.learned(learned(forked=forked), 0.0)
        assert [type(message) for message in said(effects) if isinstance(message, Hello)] == expected


def actor_of_device(bench: Bench) -> bytes:
    with bench.device.store.read() as reader:
        return actor_of(reader)


def divide() -> None:
    raise ZeroDivisionError("a bug")


def panic() -> None:
    """Make yrs unwrap a None, as it does with some updates."""
    doc: Doc[Text] = Doc()
    doc["t"] = Text()
    doc.apply_update(bytes.fromhex("01010500040101740568656c6c6f00"))
    doc.apply_update(bytes.fromhex("01010505440502000000"))


@pytest.mark.parametrize(("fail", "name"), [(divide, "ZeroDivisionError"), (panic, "PanicException")])
def test_a_bug_in_the_talk_with_one_peer_ends_that_talk_and_is_in_the_way_of_no_other(
    monkeypatch: pytest.MonkeyPatch, fail: Callable[[], None], name: str
) -> None:
    with devices(3) as (laptop, phone, tablet):
        phone.create_task(edda.Task(title="of the phone"))
        tablet.create_task(edda.Task(title="of the tablet"))
        network = Network(laptop, phone, tablet)
        network.connect(laptop, tablet)
        network.run()
        with monkeypatch.context() as faulty:
            faulty.setattr(Codec, "decode", lambda *_: fail())
            replica = network.replicas[name_of(laptop)]
            replica.connected(name_of(phone))
            *said, end = replica.frame_received(name_of(phone), b"any", 1.0)
        assert isinstance(end, Close)
        assert isinstance(end.error, BugError)
        assert type(end.error.bug).__name__ == name
        assert name in str(end.error)
        (goodbye,) = [CODEC.decode(each.frame) for each in said if isinstance(each, Send)]
        assert isinstance(goodbye, Goodbye)
        assert goodbye.fault == "mine", "the peer has done nothing"
        tablet.create_task(edda.Task(title="more"))
        network.committed(tablet)
        network.connect(laptop, phone)
        network.run()
        assert laptop.digest() == phone.digest() == tablet.digest()


@pytest.mark.parametrize(("fault", "heard"), [("none", "closing"), ("mine", None), ("yours", None)])
def test_the_reason_of_a_goodbye_over_no_fault_is_passed_on(bench: Bench, fault: str, heard: str | None) -> None:
    bench.opened()
    (close,) = [effect for effect in bench.say(Goodbye("closing", fault)) if isinstance(effect, Close)]
    assert close.heard == heard
