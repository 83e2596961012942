"""Floods: what a peer can make others keep, send, fold and read is bounded; honest data may be late, but is never lost."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.chains import PROOF
from edda_sync.changes.change import NO_HASH, Birth
from edda_sync.changes.forkproof import Chain
from edda_sync.engine.engine import StorageEngine
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.seams import StoreWriter
from edda_sync.sync.effects import Send
from edda_sync.sync.messages import Ack, Cells, Changes, Evidence, Heads, Hello, Known, Listed, SignedHead, Summary
from edda_sync.testing import devices, pair, sync
from edda_sync.transport.identity import Identity
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.workspace.actor import actor_of
from tests.attacks.liar import Liar, Line
from tests.sync.copies import add, assert_equal, copier
from tests.sync.network import Network, name_of
from tests.sync.test_births import live
from tests.sync.test_replica import skew

Engines = tuple[StorageEngine, ...]


@pytest.fixture
def three() -> Iterator[Engines]:
    with devices(3, backend="memory") as engines:
        yield engines


def evidence(engine: StorageEngine) -> set[bytes]:
    with engine.store.read() as reader:
        return set(reader.evidence.names())


def proof_by(signer: Identity, workspace: bytes, length: int = 1) -> bytes:
    """A fork at the first change of a life that nobody holds; each side has the given number of changes."""
    birth = changes.encode_birth(Birth(signer.public_key, os.urandom(16), b"p" * 16, 1, NO_HASH))
    actor = changes.actor_of(birth)

    def side() -> Chain:
        headers = tuple(os.urandom(32) for _ in range(length))
        head = forkproof.hashes(NO_HASH, headers)[-1]
        return Chain(0, NO_HASH, headers, signer.sign(changes.signed_message(workspace, actor, length, head)))

    proof = forkproof.make(actor, birth, side(), side())
    assert proof is not None
    return PROOF + forkproof.encode(proof)


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_a_proof_by_a_key_that_is_no_member_is_kept_by_nobody(three: Engines) -> None:
    a, _, c = three
    line = Line(Liar(c), a)
    for _ in range(3):
        line.send(Evidence(tuple(proof_by(Identity.create(), a.workspace) for _ in range(3)), False))
    assert line.error is None
    assert evidence(a) == set()


@contextmanager
def strangers(count: int, folder: Path) -> Iterator[Engines]:
    """Engines that belong to no workspace yet."""
    with ExitStack() as stack:
        made = []
        for number in range(count):
            engine = StorageEngine(folder / f"stranger{number}")
            stack.callback(engine.close)
            engine.open_store(StorageConfig(backend="memory", state_path=folder / "state", name=f"stranger{number}"))
            made.append(engine)
        yield tuple(made)


@pytest.mark.parametrize("first", ["the proof", "the record"])
def test_a_proof_is_kept_by_everybody_whether_it_comes_before_its_member_is_added_or_after(
    three: Engines, tmp_path: Path, first: str
) -> None:
    a, b, c = three
    with strangers(1, tmp_path) as (d,):
        proof = proof_by(d.own.make_identity(), a.workspace)
        if first == "the proof":
            for each in (a, b):
                line = Line(Liar(c), each)
                line.send(Evidence((proof,), False))
                assert evidence(each) == set()
        pair(a, d)
        Line(Liar(c), a).send(Evidence((proof,), False))
        assert len(evidence(a)) == 1
        network = Network(a, b)
        network.connect(a, b)
        network.run()
        assert evidence(b) == evidence(a)
        assert len(network.proved) == 2


def test_a_device_that_passed_over_a_proof_asks_for_it_again_as_soon_as_its_member_is_added(
    three: Engines, tmp_path: Path
) -> None:
    a, b, c = three
    with strangers(1, tmp_path) as (d,):
        proof = proof_by(d.own.make_identity(), a.workspace)
        pair(b, d)
        with b.store.read() as reader:
            head = reader.log.heads()[actor_of(reader)]
            logged = reader.log.read(reader.log.positions_after(c.frontier())[0])
        line = Line(Liar(c), a)
        line.send(Evidence((proof,), False))
        line.heard.clear()
        signature = b.identity.sign(changes.signed_message(b.workspace, head.actor, head.seq, head.hash))
        line.send(Changes(((logged.raw, logged.body),), (SignedHead(head.actor, head.seq, signature, b""),)))
        assert line.error is None
        assert any(isinstance(message, Hello) for message in line.heard)


def test_a_proof_that_was_passed_over_is_asked_for_again_even_if_another_peer_brings_its_member(
    three: Engines, tmp_path: Path
) -> None:
    a, b, c = three
    with strangers(1, tmp_path) as (d,):
        proof = proof_by(d.own.make_identity(), a.workspace)
        line = Line(Liar(c), a)
        line.send(Evidence((proof,), False))
        pair(b, d)
        sync(a, b)
        line.heard.clear()
        line.committed()
        assert any(isinstance(message, Hello) for message in line.heard)


def test_a_newcomer_hears_of_forks_before_it_holds_any_member_and_ends_equal(three: Engines, tmp_path: Path) -> None:
    a, b, c = three
    with copier(tmp_path) as copy, strangers(1, tmp_path) as (newcomer,):
        twin = copy(a)
        add("one")(a)
        add("two")(twin)
        sync(a, b)
        sync(twin, c)
        sync(b, c)
        pair(b, newcomer)
        network = Network(b, newcomer)
        network.connect(b, newcomer)
        network.run()
        assert_equal([b, newcomer])
        assert evidence(newcomer) == evidence(b) != set()


def test_forks_of_one_device_beyond_the_rate_are_all_learned_later(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = three
    line = Line(Liar(c), a)
    for _ in range(5):
        line.send(Evidence((proof_by(c.identity, a.workspace),), False))
    assert len(evidence(a)) == 5
    monkeypatch.setattr(limits, "PROOFS_MAX", 2)
    network = Network(a, b)
    network.connect(a, b)
    network.run_until_said(Ack, 2)
    assert len(evidence(b)) == 2
    network.run()
    assert evidence(b) == evidence(a)
    assert network.now >= 2 * limits.PROOFS_WINDOW_S
    assert len(network.proved) == 2


# --- what is said -----------------------------------------------------------------------------------------------------


def test_one_hello_is_answered_with_at_most_as_much_evidence_at_once_as_the_window_holds(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROOFS_MAX", 100)
    a, b, c = three
    line = Line(Liar(c), a)
    for _ in range(12):
        line.send(Evidence((proof_by(c.identity, a.workspace, forkproof.SIDE_HASHES_MAX),), False))
    assert len(evidence(a)) == 12
    network = Network(a, b)
    hello = [each.frame for each in network.replicas[name_of(b)].connected(name_of(a)) if isinstance(each, Send)]
    network.replicas[name_of(a)].connected(name_of(b))
    effects = network.replicas[name_of(a)].frame_received(name_of(b), hello[0], 0.0)
    sizes = [len(each.frame) for each in effects if isinstance(each, Send) and each.peer == name_of(b)]
    assert sum(sizes) <= limits.WINDOW_BYTES_MAX + limits.FRAME_BYTES_MAX
    network = Network(a, b)
    network.connect(a, b)
    network.run()
    assert evidence(b) == evidence(a), "and the rest follows as it is taken"


def test_a_peer_whose_proofs_name_new_evidence_each_time_is_asked_a_limited_number_of_times(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCANS_MAX", 4)
    a, _, c = three
    line = Line(Liar(c), a)
    for number in range(20):
        line.send(proof_of_other_evidence(a, number))
        line.send(Evidence((), False))
    assert line.error is None
    assert len([each for each in line.heard if isinstance(each, Known)]) == 4
    line.heard.clear()
    line.wait(limits.SCANS_WINDOW_S)
    assert [type(each) for each in line.heard if isinstance(each, Hello)] == [Hello], "which names all of it once more"


def test_a_peer_that_does_not_answer_is_not_asked_again(three: Engines) -> None:
    a, _, c = three
    line = Line(Liar(c), a)
    for number in range(20):
        line.send(proof_of_other_evidence(a, number))
    assert len([each for each in line.heard if isinstance(each, Known)]) == 1


def proof_of_other_evidence(victim: StorageEngine, number: int) -> Ack:
    """The heads that the victim holds, and a set of evidence that no device has."""
    return Ack(tuple(sorted(victim.frontier().items())), 0, False, bytes(32), 0, number.to_bytes(32, "big"))


def test_a_peer_that_asks_again_and_again_is_told_a_limited_number_of_times(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCANS_MAX", 4)
    a, _, c = three
    line = Line(Liar(c), a)
    line.send(Evidence((proof_by(c.identity, a.workspace),), False))
    assert len(evidence(a)) == 1
    for _ in range(20):
        line.send(Known((), False))
    assert line.error is None
    answers = [each for each in line.heard if isinstance(each, Evidence)]
    assert len(answers) == 4
    assert sum(len(each.items) for each in answers) == 1, "it has not even acknowledged that"
    for frames in range(1, 21):
        line.send(Ack((), min(frames, 5), False, b"", 0))
        line.send(Known((), False))
    assert len([each for each in line.heard if isinstance(each, Evidence)]) == 4
    line.wait(limits.SCANS_WINDOW_S)
    assert len([each for each in line.heard if isinstance(each, Evidence)]) == 5, "once more, after a while"


def test_evidence_about_chains_that_are_not_held_is_passed_on_without_another_hello(three: Engines) -> None:
    a, b, c = three
    network = Network(a, b)
    network.connect(a, b)
    network.run()
    line = Line(Liar(c), a)
    replica = network.replicas[name_of(a)] = line.replica
    assert [type(m).__name__ for m in line.heard].count("Hello") == 1
    for _ in range(3):
        line.send(Evidence((proof_by(c.identity, a.workspace),), False))
    assert [type(m).__name__ for m in line.heard].count("Hello") == 1
    assert replica.exchange.forks.evidence()


def test_several_proofs_in_one_message_cause_one_refold(
    three: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = three
    with copier(tmp_path) as copy:
        first = copy(a)
        add("one")(a)
        add("the first copy's")(first)
        second = copy(a)
        add("more")(a)
        add("the second copy's")(second)
        sync(a, b)
        for each in (first, second):
            sync(each, c)
        sync(b, c)
        with c.store.read() as reader:
            proofs = tuple(reader.evidence.all().values())
        assert len(proofs) == 2
        assert evidence(a) == set()
        folded: list[object] = []
        refold = Ledger.refold

        def counted(ledger: Ledger, tx: StoreWriter, keys: Collection[bytes]) -> int:
            folded.append(keys)
            return refold(ledger, tx, keys)

        monkeypatch.setattr(Ledger, "refold", counted)
        line = Line(Liar(c), a)
        line.send(Evidence(proofs, False))
        assert line.error is None
        assert evidence(a) == evidence(c)
        assert len(folded) == 1
        monkeypatch.undo()
        sync(a, c)
        sync(a, b)
        assert_equal([a, b, c])


# --- what is claimed --------------------------------------------------------------------------------------------------


def claims(count: int, offset: int = 0) -> tuple[Summary, ...]:
    return tuple(Summary((offset + n).to_bytes(16, "big"), 1, b"h" * 16) for n in range(1, count + 1))


def test_endless_pages_of_heads_make_nothing_grow(three: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CLAIMS_MAX", 100)
    monkeypatch.setattr(limits, "HEADS_MAX", 500)
    a, b, _ = three
    liar = Liar(b)
    line = Line(liar, a, msgspec.structs.replace(liar.hello(), more=True))
    for number in range(20):
        line.send(Heads(claims(500, number * 500), (), True))
    line.send(Heads((), (), False))
    assert line.error is None
    theirs = line.replica.progress()[line.device].theirs
    assert len(theirs) <= len(a.frontier()) + 100


def test_acknowledgements_of_unknown_actors_make_nothing_grow(three: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CLAIMS_MAX", 100)
    a, b, _ = three
    line = Line(Liar(b), a)
    for number in range(20):
        moved = tuple((each.actor, each.seq) for each in claims(500, number * 500))
        line.send(Ack(moved, 0, False, b"", 0))
    assert line.error is None
    assert len(line.replica.progress()[line.device].theirs) <= len(a.frontier()) + 100


def test_a_device_with_more_lives_than_are_kept_in_memory_syncs_all_of_them(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CLAIMS_MAX", 2)
    monkeypatch.setattr(limits, "HEADS_MAX", 3)
    a, b, c = three
    live(a, 12)
    live(b, 12)
    network = Network(a, b, c)
    network.connect(a, b)
    network.connect(b, c)
    network.connect(a, c)
    network.run()
    assert a.frontier() == b.frontier() == c.frontier()
    assert len(network.proved) == 6


# --- what is looked at ------------------------------------------------------------------------------------------------


def test_false_proofs_cause_a_limited_number_of_full_comparisons(three: Engines) -> None:
    a, b, _ = three
    sync(a, b)
    liar = Liar(b)
    with a.store.read() as reader:
        heads = tuple(Summary(h.actor, h.seq, h.hash[:16]) for h in sorted(reader.log.heads().values()))
    line = Line(liar, a, liar.hello(heads))
    held = line.replica.exchange.proof()
    for number in range(200):
        line.send(Ack((), 0, False, number.to_bytes(16, "big") + bytes(16), 0, held.evidence))
    told = [message for message in line.heard if isinstance(message, Cells)]
    assert line.error is None
    assert 0 < len(told) <= limits.SCANS_MAX
    for _ in range(5):
        line.wait(limits.SCANS_WINDOW_S)
    assert len([message for message in line.heard if isinstance(message, Cells)]) > len(told), "later, and not never"


def test_items_are_listed_as_fast_as_they_are_taken_and_no_faster(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CODED_CELLS_FIRST", 2)
    monkeypatch.setattr(limits, "CODED_CELLS_MAX", 2)
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 1)
    monkeypatch.setattr("edda_sync.crdt.pages.pages.__defaults__", (4,))
    a, b, _ = three
    tasks = [a.create_task(edda.Task(title=f"task {number}")) for number in range(30)]
    sync(a, b)
    for task in tasks:
        skew(b, task)
    network = Network(a, b)
    network.connect(a, b)
    network.run()
    assert len(network.said(Listed, a)) > 5
    waits = False
    for each in network.heard:
        if isinstance(each.message, Listed) and each.sender == name_of(a):
            assert not waits
            waits = True
        elif isinstance(each.message, Ack) and each.sender == name_of(b):
            waits = False
