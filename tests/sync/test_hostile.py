"""
A peer that sends well-formed nonsense: whatever numbers and bytes its messages contain, a session answers or closes.

The wire's own tests feed it frames that are no messages. Here every frame is a message, and the lies are inside. Lies in
segments have tests of their own (``test_merging``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.beside import Beside
from edda_sync.sync.effects import Send
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
    Listed,
    Message,
    Offer,
    Part,
    Pull,
    Shown,
    SignedHead,
    Snapshot,
    Summary,
    Want,
    Wish,
)
from edda_sync.sync.rates import Rates
from edda_sync.sync.relaying import Relaying
from edda_sync.sync.session import Session
from edda_sync.sync.wire import Codec
from edda_sync.testing import devices, replica_of
from edda_sync.workspace.welcome import workspace_tag

CODEC = Codec()
ANSWERS_MAX = 40  # frames that one message may be answered with

edges = st.sampled_from([0, 1, 2, 61, 1 << 31, 1 << 47, (1 << 48) - 1, 1 << 48, (1 << 53) - 1, (1 << 64) - 1, -1])
numbers = edges | st.integers(0, 1 << 53)
blobs = st.binary(max_size=70) | st.sampled_from(
    [b"n" * 16, b"n" * 17, b"n" * 32, b"n" * 61, b"n" * 64, b"\x01", b"\x02"]
)
shorts, hashes, keys = (st.binary(min_size=size, max_size=size) for size in (16, 32, 17))
texts = st.text(max_size=10)


def tuples(of: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(of, max_size=3).map(tuple)


class Bench:
    """A device and a member that lies to it. What is refused leaves no trace, so one bench serves many examples."""

    def __init__(self, device: StorageEngine, peer: StorageEngine) -> None:
        self.device, self.peer = device, peer
        self.exchange = replica_of(device).exchange
        self.actors = sorted(device.frontier())
        proof = self.exchange.proof()
        piece = self.exchange.forks.piece(Wanted(self.actors[0]))
        with device.store.read() as reader:
            logged = reader.log.read(reader.log.position())
        self.true: dict[str, Any] = {
            "proof": proof.encoded,
            "piece": piece,
            "logged": logged,
            "evidence": proof.evidence,
        }

    def session(self) -> Session:
        workspace = self.device.workspace
        session = Session(
            self.exchange,
            CODEC,
            self.device.identity.device,
            self.peer.identity.device,
            lambda name: workspace_tag(workspace, name),
            Rates(),
            Relaying(self.exchange),
            Beside(self.exchange, defers=False),
        )
        session.open()
        return session

    def hello(self, **changed: object) -> Hello:
        peer = self.peer
        tag = workspace_tag(peer.workspace, peer.identity.device)
        told = replica_of(peer).exchange.introduction()
        hello = Hello((1, 1), tag, peer.identity.device, b"n" * 16, told.heads, False, told.evidence, 0, ())
        return msgspec.structs.replace(hello, **changed)

    def trace(self) -> tuple[object, ...]:
        device = self.device
        with device.store.read() as reader:
            held = (
                dict(reader.evidence.all()),
                [tuple(each) for each in reader.incoming.all()],
                reader.blobs.unreferenced(),
            )
        return device.frontier(), device.digest(), device.counts(), device.waiting(), held


@pytest.fixture(scope="module", params=["memory", "sqlite"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with devices(2, backend=request.param) as (device, peer):
        device.create_task(edda.Task(title="Buy milk", description="and eggs"))
        yield Bench(device, peer)


def messages(bench: Bench) -> st.SearchStrategy[Message]:
    """Messages with any content, which is true in some places."""
    true = bench.true
    actors = shorts | st.sampled_from(bench.actors) | blobs
    proofs = hashes | st.just(true["proof"])
    pairs = tuples(st.tuples(actors, numbers))
    raws = blobs | st.just(true["logged"].raw)
    bodies = blobs | st.just(true["logged"].body)
    signed = tuples(st.builds(SignedHead, actors, numbers, blobs, blobs))
    changes = tuples(st.tuples(raws, bodies))
    wanted = tuples(st.tuples(actors, numbers, hashes | st.just(true["logged"].hash)))
    piece = true["piece"]
    return st.one_of(
        st.builds(Heads, tuples(st.builds(Summary, actors, numbers, shorts)), st.booleans()),
        st.builds(Changes, changes, signed, st.none() | blobs, st.binary(max_size=16)),
        st.builds(Announce, tuples(st.builds(Shown, actors, numbers, hashes, blobs))),
        st.builds(Pull),
        st.builds(Part, actors, numbers, numbers, blobs),
        st.builds(Offer, hashes, numbers),
        st.builds(Want, hashes, numbers),
        st.builds(Snapshot, hashes, numbers, numbers, blobs),
        st.builds(Behind, pairs, tuples(st.builds(Summary, actors, numbers, shorts))),
        st.builds(Earlier, changes, signed),
        st.builds(
            Ack, pairs, numbers, st.booleans(), proofs | blobs, numbers, st.just(true["evidence"]) | blobs, blobs
        ),
        st.builds(Cells, proofs, numbers, st.binary(max_size=61 * 3) | st.just(b"c" * 61 * 64)),
        st.builds(Listed, proofs, blobs | keys, keys | st.just(b"\xff" * 17), blobs),
        st.builds(Evidence, tuples(blobs)),
        st.builds(
            Branch,
            actors | st.just(piece.actor),
            blobs | st.just(piece.birth),
            numbers | st.just(piece.seq),
            hashes | st.just(piece.hash),
            tuples(hashes) | st.just(piece.headers),
            blobs | st.just(piece.signature),
        ),
        st.builds(Fetch, wanted),
        st.builds(Found, changes),
        st.builds(Goodbye, texts, texts),
    )


@given(data=st.data())
def test_no_message_does_more_than_end_the_talk(bench: Bench, data: st.DataObject) -> None:
    before = bench.trace()
    session = bench.session()
    session.frame_received(CODEC.encode(bench.hello()), 0.0)
    for message in data.draw(st.lists(messages(bench), max_size=4)):
        try:
            frame = CODEC.encode(message)
        except OverflowError:
            continue  # no message can contain this number
        effects = session.frame_received(frame, 0.0)
        assert sum(isinstance(effect, Send) for effect in effects) <= ANSWERS_MAX
        session.tick(60.0)
    assert bench.trace() == before


@given(
    heads=tuples(st.builds(Summary, shorts, numbers, shorts)),
    wanted=tuples(st.builds(Wish, shorts, numbers, numbers)),
    waiting=numbers,
    protocol=st.tuples(numbers, numbers),
    evidence=hashes,
)
def test_no_hello_does_more_than_end_the_talk(
    bench: Bench,
    heads: tuple[Summary, ...],
    wanted: tuple[Wish, ...],
    waiting: int,
    protocol: tuple[int, int],
    evidence: bytes,
) -> None:
    before = bench.trace()
    for changed in (
        {"heads": heads}, {"heads": heads, "more": True}, {"wanted": wanted}, {"waiting": waiting},
        {"protocol": protocol}, {"evidence": evidence},
    ):  # fmt: skip
        session = bench.session()
        session.frame_received(CODEC.encode(bench.hello(**changed)), 0.0)
        session.tick(60.0)
    assert bench.trace() == before


@given(data=st.data())
def test_no_piece_of_a_chain_that_differs_in_one_place_proves_anything(bench: Bench, data: st.DataObject) -> None:
    piece = bench.true["piece"]
    field = data.draw(st.sampled_from(["actor", "birth", "hash", "signature", "headers"]))
    value = getattr(piece, field)
    if field == "headers":
        at = data.draw(st.integers(0, len(value) - 1))
        value = (*value[:at], flipped(data, value[at]), *value[at + 1 :])
    else:
        value = flipped(data, value)
    before = bench.trace()
    session = bench.session()
    session.frame_received(CODEC.encode(bench.hello()), 0.0)
    session.frame_received(CODEC.encode(msgspec.structs.replace(piece, **{field: value})), 0.0)
    assert bench.trace() == before


def flipped(data: st.DataObject, value: bytes) -> bytes:
    at, mask = data.draw(st.integers(0, len(value) - 1)), data.draw(st.integers(1, 255))
    return value[:at] + bytes([value[at] ^ mask]) + value[at + 1 :]


@pytest.mark.parametrize("count", [5, 40])
def test_coded_cells_of_a_liar_are_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Cells that cannot be decoded are answered with more cells, up to the limit; then items are listed once."""
    from edda_sync.crdt.frontier import to_pairs
    from edda_sync.crdt.sketch import CELL_BYTES
    from edda_sync.words import limits

    monkeypatch.setattr(limits, "CODED_CELLS_FIRST", 4)
    monkeypatch.setattr(limits, "CODED_CELLS_MAX", 32)
    session = bench.session()
    session.frame_received(CODEC.encode(bench.hello()), 0.0)
    lie = bytes([bench.true["proof"][0] ^ 1]) + bench.true["proof"][1:]
    moved = tuple(to_pairs(bench.device.frontier()))
    session.frame_received(CODEC.encode(Ack(moved, 0, False, lie, 0, bench.true["evidence"])), 0.0)
    noise = bytes(range(256)) * 8
    sent, first = [], 0
    while first < count:
        effects = session.frame_received(CODEC.encode(Cells(lie, first, noise[: 4 * CELL_BYTES])), 0.0)
        sent += [CODEC.decode(effect.frame) for effect in effects if isinstance(effect, Send)]
        first += 4
    cells = [message for message in sent if isinstance(message, Cells)]
    assert sum(len(message.cells) for message in cells) <= limits.CODED_CELLS_MAX * CELL_BYTES
    assert sum(isinstance(message, Listed) for message in sent) <= 1
    assert any(isinstance(message, Goodbye) for message in sent) == (count > limits.CODED_CELLS_MAX)
