"""
A peer that says well-formed nonsense: whatever the numbers and bytes in its messages, a session answers or closes.

The wire's own tests feed it frames that are no messages. Here every frame is one, and the lies are inside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from hashlib import blake2b

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync import limits
from edda_sync.backup import segment as segments
from edda_sync.backup.segment import Entry, SegmentHeader, TextEntry
from edda_sync.crdt.change import signed_message
from edda_sync.crdt.entity import bucket_of, digest_of, hash_entity, kind_and_id, state_of
from edda_sync.engine import StorageEngine
from edda_sync.errors import EddaError, RemoteProtocolError
from edda_sync.protocols import Head
from edda_sync.sync import forks
from edda_sync.sync.effects import Close
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
from edda_sync.sync.session import Session
from edda_sync.sync.wire import Codec
from edda_sync.testing import devices, replica_of
from edda_sync.transport.membership import workspace_tag

CODEC = Codec()

edges = st.sampled_from([0, 1, 2, 1 << 31, 1 << 48, 1 << 52, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -1, -(1 << 63)])
numbers = edges | st.integers(-(1 << 63), (1 << 64) - 1)
blobs = st.binary(max_size=40) | st.just(b"n" * 32)
pairs = st.lists(st.tuples(numbers, numbers), max_size=3).map(tuple)
texts = st.text(max_size=10)


def tuples(of: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(of, max_size=3).map(tuple)


signed = tuples(st.builds(SignedHead, numbers, numbers, blobs, blobs))
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Changes, tuples(st.tuples(blobs, blobs)), signed),
    st.builds(Part, numbers, numbers, numbers, blobs),
    st.builds(Snapshot, blobs, numbers, numbers, blobs),
    st.builds(Ack, pairs, numbers, st.booleans(), texts, numbers),
    st.builds(Buckets, tuples(st.builds(Summary, numbers, numbers, blobs)), st.binary(max_size=40)),
    st.builds(Goodbye, texts, texts),
)


class Bench:
    """A device and a member that lies to it; what is refused leaves no trace, so one bench serves many examples."""

    def __init__(self, device: StorageEngine, peer: StorageEngine) -> None:
        self.device, self.peer = device, peer
        self.exchange = replica_of(device).exchange

    def session(self) -> Session:
        workspace = self.device.workspace
        session = Session(
            self.exchange,
            CODEC,
            self.device.identity.device,
            self.peer.identity.device,
            lambda name: workspace_tag(workspace, name),
        )
        session.open()
        return session

    def hello(self, **changed: object) -> Hello:
        peer = self.peer
        tag = workspace_tag(peer.workspace, peer.identity.device)
        hello = Hello((1, 1), tag, peer.identity.device, replica_of(peer).exchange.introduction().heads, "", 0, ())
        return msgspec.structs.replace(hello, **changed)

    def trace(self) -> tuple[object, ...]:
        device = self.device
        with device.store.read() as reader:
            forks = list(reader.forks())
        return device.frontier(), device.digest(), device.counts(), device.waiting(), forks


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with devices(2, backend=request.param) as (device, peer):
        device.create_task(edda.Task(title="Buy milk", description="and eggs"))
        yield Bench(device, peer)


@given(said=st.lists(messages, max_size=4))
def test_no_message_does_more_than_end_the_talk(bench: Bench, said: list[Message]) -> None:
    before = bench.trace()
    session = bench.session()
    session.frame_received(CODEC.encode(bench.hello()), 0.0)
    for message in said:
        session.frame_received(CODEC.encode(message), 0.0)
        session.tick(60.0)
    assert bench.trace() == before


@given(
    heads=tuples(st.builds(Summary, numbers, numbers, blobs)),
    wanted=tuples(st.tuples(numbers, numbers, blobs, numbers)),
    waiting=numbers,
    protocol=st.tuples(numbers, numbers),
)
def test_no_hello_does_more_than_end_the_talk(
    bench: Bench,
    heads: tuple[Summary, ...],
    wanted: tuple[tuple[int, int, bytes, int], ...],
    waiting: int,
    protocol: tuple[int, int],
) -> None:
    before = bench.trace()
    for changed in ({"heads": heads}, {"wanted": wanted}, {"waiting": waiting}, {"protocol": protocol}):
        session = bench.session()
        session.frame_received(CODEC.encode(bench.hello(**changed)), 0.0)
        session.tick(60.0)
    assert bench.trace() == before


# --- segments that no device makes ------------------------------------------------------------------------------------


class Forge:
    """An honest segment of the peer, taken apart so that a test can change one thing and sign it again."""

    def __init__(self, bench: Bench) -> None:
        self.peer = bench.peer
        with bench.peer.store.read() as reader:
            heads = tuple(reader.heads().values())
            self.entries = [
                Entry(kind_and_id(record.key)[1], state_of(record.key, record.state), ())
                for record in reader.all_records()
            ]
            self.header = SegmentHeader(
                heads, digest_of(reader.buckets()), len(self.entries), forks.chains_of(reader, heads)
            )

    def sign(self, head: Head) -> Head:
        message = signed_message(self.peer.workspace, head.actor, head.seq % (1 << 63), head.hash)
        identity = self.peer.identity
        return head._replace(
            signed_seq=head.seq, signature=identity.sign(message), public_key=head.public_key or identity.public_key
        )

    def parts(self) -> tuple[bytes, list[bytes]]:
        """The segment's name and parts; its digest is that of what it now says."""
        sums: defaultdict[int, int] = defaultdict(int)
        for entry in self.entries:
            sums[bucket_of(entry.id)] += int.from_bytes(hash_entity(entry.id, entry.state, []), "big")
        digest = digest_of({bucket: total % (1 << 128) for bucket, total in sums.items()})
        header = msgspec.structs.replace(self.header, digest=digest)
        stream = b"".join(segments.write(header, self.entries))
        return blake2b(stream, digest_size=32).digest(), list(segments.cut([stream]))


def own_head(forge: Forge, **changed: object) -> Head:
    made = Head(7, 3, b"h" * 32, msgspec.msgpack.encode([]), forge.peer.identity.public_key, 3, b"")
    return forge.sign(made._replace(**changed))  # type: ignore[arg-type]


def add_head(head: Callable[[Forge], Head]) -> Callable[[Forge], None]:
    def change(forge: Forge) -> None:
        both = sorted((*zip(forge.header.heads, forge.header.chains, strict=True), (head(forge), b"h" * 12)))
        heads, chains = zip(*both, strict=True)
        forge.header = msgspec.structs.replace(forge.header, heads=heads, chains=chains)

    return change


def add_entry(entity_id: bytes, kind: str, cells: object, **texts: TextEntry) -> Callable[[Forge], None]:
    def change(forge: Forge) -> None:
        add_head(own_head)(forge)
        state = msgspec.msgpack.encode((kind, [(7, 3)], [], cells))
        forge.entries.append(Entry(entity_id, state, tuple(texts.values())))

    return change


def raw_entry(state: bytes) -> Callable[[Forge], None]:
    def change(forge: Forge) -> None:
        add_head(own_head)(forge)
        forge.entries.append(Entry(b"i" * 16, state, ()))

    return change


def chains(changed: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> Callable[[Forge], None]:
    def change(forge: Forge) -> None:
        add_head(own_head)(forge)
        forge.header = msgspec.structs.replace(forge.header, chains=changed(forge.header.chains))

    return change


ID = b"i" * 16
TITLE = {"title": [(7, 3, 0, "forged")]}
FORGERIES: dict[str, Callable[[Forge], None]] = {
    "a head out of bounds": add_head(lambda forge: own_head(forge, actor=1 << 52)),
    "a negative seq": add_head(lambda forge: own_head(forge, seq=-1)),
    "a head that nobody signed": add_head(lambda forge: own_head(forge)._replace(signature=b"s" * 64)),
    "a head that is signed for an earlier seq": add_head(lambda forge: own_head(forge)._replace(signed_seq=2)),
    "dependencies that are no pairs": add_head(lambda forge: own_head(forge, deps=b"\xff")),
    "dependencies on what it lacks": add_head(lambda forge: own_head(forge, deps=msgspec.msgpack.encode([(8, 1)]))),
    "no chain for a head": chains(lambda those: those[1:]),
    "a chain that is too short": chains(lambda those: tuple(each[4:] for each in those)),
    "a chain that leads elsewhere": chains(lambda those: tuple(each[::-1] for each in those)),
    "a state that is none": raw_entry(b"nonsense"),
    "an id that is none": add_entry(b"short", "task", TITLE),
    "an unknown kind": add_entry(ID, "gizmo", TITLE),
    "a title that is no text": add_entry(ID, "task", {"title": [(7, 3, 0, 5)]}),
    "a status of a list too long": add_entry(ID, "task", {"status": [(7, 3, 0, ["done", "a", "b"])]}),
    "a cell that is none": add_entry(ID, "task", {"colour": [(7, 3, 0, "red")]}),
    "a cell without writes": add_entry(ID, "task", {"title": []}),
    "a write from the future": add_entry(ID, "task", {"title": [(7, 4, 0, "later")]}),
    "a write at no time": add_entry(ID, "task", {"title": [(7, 3, -1, "early")]}),
    "one write twice": add_entry(ID, "task", {"title": [(7, 3, 0, "a"), (7, 3, 0, "b")]}),
    "a text id out of bounds": add_entry(ID, "task", {**TITLE, "description": [(7, 3, 0, 1 << 60)]}),
    "a text that is not there": add_entry(ID, "task", {**TITLE, "description": [(7, 3, 0, (1 << 52) + 5)]}),
    "a text that is none": add_entry(ID, "task", TITLE, text=TextEntry("description", 1 << 52, b"\xff\xff")),
    "a tag under another's id": add_entry(ID, "tag", {"name": [(7, 3, 0, "work")]}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_segment_that_no_device_makes_is_refused_and_leaves_no_trace(bench: Bench, forgery: str) -> None:
    forge = Forge(bench)
    FORGERIES[forgery](forge)
    name, parts = forge.parts()
    before = bench.trace()
    session = bench.session()
    session.frame_received(CODEC.encode(bench.hello()), 0.0)
    effects = [
        effect
        for number, part in enumerate(parts)
        for effect in session.frame_received(CODEC.encode(Snapshot(name, len(parts), number, part)), 0.0)
    ]
    (close,) = [effect for effect in effects if isinstance(effect, Close)]
    assert isinstance(close.error, EddaError)
    assert bench.trace() == before
    assert bench.exchange.snapshots.part(name, 0) is None


def test_a_head_of_a_device_that_is_no_member_is_refused(bench: Bench) -> None:
    stranger = edda.StorageEngine(bench.device.home.parent / "stranger")
    identity = stranger.make_identity()

    def head(forge: Forge) -> Head:
        made = Head(7, 3, b"h" * 32, msgspec.msgpack.encode([]), identity.public_key, 3, b"")
        return made._replace(signature=identity.sign(signed_message(forge.peer.workspace, 7, 3, made.hash)))

    forge = Forge(bench)
    add_head(head)(forge)
    name, parts = forge.parts()
    before = bench.trace()
    with pytest.raises(RemoteProtocolError, match="not a member"):
        bench.exchange.snapshots.take(Snapshot(name, 1, 0, parts[0]))
    assert bench.trace() == before


@pytest.mark.parametrize("parts", [0, -1, limits.SEGMENT_PARTS_MAX + 1, (1 << 64) - 1])
def test_a_segment_of_more_parts_than_allowed_is_refused_at_its_first(bench: Bench, parts: int) -> None:
    with pytest.raises(RemoteProtocolError, match="out of bounds"):
        bench.exchange.snapshots.take(Snapshot(b"n" * 32, parts, 0, b"part"))
    assert bench.exchange.snapshots.part(b"n" * 32, 0) is None


def test_of_many_segments_that_never_end_few_are_kept_and_the_one_that_has_come_furthest_stays(bench: Bench) -> None:
    for number in range(3):
        bench.exchange.snapshots.take(Snapshot(b"f" * 32, 9, number, b"part"))
    for name in range(50):
        bench.exchange.snapshots.take(Snapshot(bytes([name]) * 32, 2, 0, b"half"))
    halves = [name for _, _, name, _ in bench.exchange.introduction().wanted]
    assert len(halves) == limits.SEGMENT_HALVES_MAX
    assert b"f" * 32 in halves
