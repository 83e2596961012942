"""Growth: the work, memory and traffic that a member causes grow no faster than what it sends itself."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.chains import Chains
from edda_sync.changes.change import NO_HASH
from edda_sync.changes.past import Pasts, joined
from edda_sync.crdt import frontier
from edda_sync.crdt.operation import Edit, Put, Touch
from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text.document import genesis_id
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.crdt.text.order import Order
from edda_sync.crdt.text.runs import Run, Unit
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Behind, Changes, Evidence, SignedHead, Summary
from edda_sync.sync.vouchers import TRIES
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.words.values import id_bytes
from tests.attacks.liar import Liar, Line
from tests.sync.batches import batches, exchange_of
from tests.sync.copies import assert_equal, shown
from tests.sync.network import Network

Engines = tuple[StorageEngine, ...]


@pytest.fixture
def three() -> Iterator[Engines]:
    with devices(3, backend="memory") as engines:
        yield engines


class Counted:
    """How often something was called."""

    def __init__(self, patch: pytest.MonkeyPatch, owner: object, name: str) -> None:
        self.times = 0
        called = getattr(owner, name)

        def counted(*args: object, **more: object) -> object:
            self.times += 1
            return called(*args, **more)

        patch.setattr(owner, name, counted)


def touch() -> list[Touch]:
    return [Touch("task", os.urandom(16))]


# --- what vouches -----------------------------------------------------------------------------------------------------


def versions(liar: Liar, count: int, way: int = 0) -> Changes:
    """Versions of its next change in one frame, and for each a signature the given number of changes later."""
    made, heads = [], []
    for _ in range(count):
        one = liar.copied()
        made.append(one.change(touch(), deps=None if liar.seq else []))
        hashes = tuple(os.urandom(32) for _ in range(way))
        for each in hashes:
            one.hash = changes.hash_change(one.hash, each)
        one.seq += way
        heads.append(SignedHead(one.actor, one.seq, one.batch().heads[0].signature, b"".join(hashes)))
    return Changes(tuple(made), tuple(heads))


@pytest.mark.parametrize("way", [0, 20])
def test_signatures_in_another_order_than_their_changes_are_tried_a_bounded_number_of_times(
    three: Engines, monkeypatch: pytest.MonkeyPatch, way: int
) -> None:
    a, _, c = three
    liar = Liar(c)
    line = Line(liar, a)
    count = 200
    sent = versions(liar, count, way)
    counted = Counted(monkeypatch, changes, "signed_message")
    line.send(Changes(sent.changes, sent.heads[::-1]))
    assert counted.times <= count + TRIES + 10
    assert isinstance(line.error, RemoteProtocolError)


def test_a_few_signatures_may_stand_in_any_order(three: Engines) -> None:
    a, _, c = three
    liar = Liar(c)
    line = Line(liar, a)
    sent = versions(liar, 20)
    line.send(Changes(sent.changes, sent.heads[::-1]))
    assert line.error is None


def forked(liar: Liar, line: Line) -> Liar:
    """Fork its chain after its first change, and prove the fork; return the chain as it was at that point."""
    first = liar.change(touch())
    line.send(liar.batch(first))
    base = liar.copied()
    one, other = base.copied(), base.copied()
    mine, theirs = one.change(touch()), other.change(touch())
    line.send(one.batch(mine))
    proof = one.proof(other, (base.seq, base.hash), [mine[0]], [theirs[0]])
    line.send(Evidence((proof,), False))
    assert line.error is None
    return base


def test_branches_of_one_point_are_passed_on_with_one_try_for_each_signature(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BATCH_ENDS_MAX", 25)
    monkeypatch.setattr("edda_sync.sync.vouchers.TRIES", 0)
    a, b, c = three
    line = Line(Liar(c), a)
    base = forked(Liar(c), line)
    for _ in range(4):
        line.send(versions(base, 20))
    assert line.error is None
    made = batches(exchange_of(a), b.frontier())
    assert max(len(each.heads) for each in made) <= 30
    sync(a, b)
    assert shown(a) == shown(b)
    assert len(b.frontier()) > 80


def test_a_batch_with_more_branches_of_one_chain_than_fit_is_refused(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BATCH_ENDS_MAX", 10)
    a, _, c = three
    liar = Liar(c)
    line = Line(liar, a)
    line.send(versions(liar, 11))
    assert "too many branches" in str(line.error)


def vouched_far_on(liar: Liar, way: int, *before: tuple[bytes, bytes]) -> Changes:
    """A batch with its next change, whose signature is the given number of changes later."""
    made = liar.change([Put("task", os.urandom(16), {"title": "x"})])
    on = liar.copied()
    hashes = [os.urandom(32) for _ in range(way)]
    for each in hashes:
        on.hash = changes.hash_change(on.hash, each)
    on.seq += way
    head = SignedHead(on.actor, on.seq, on.batch().heads[0].signature, b"".join(hashes))
    return Changes((*before, made), (head,))


def test_the_ways_to_signatures_fit_into_a_frame_even_if_many_lives_have_the_longest_one(three: Engines) -> None:
    a, b, c = three
    line = Line(Liar(c), a)
    for _ in range(10):
        line.send(vouched_far_on(Liar(c), forkproof.UNSIGNED_MAX - 1))
    assert line.error is None
    a.create_task(edda.Task(title="honest"))
    made = batches(exchange_of(a), b.frontier())
    for each in made:
        assert sum(len(head.proof) for head in each.heads) <= limits.BATCH_VOUCHERS_BYTES_MAX
    assert len(made) < 10, "several fit one batch all the same"
    sync(a, b)
    assert_equal([a, b])
    sync(b, c)
    assert_equal([b, c])


def test_a_chain_that_forks_again_and_again_has_one_way_to_its_signature_and_not_one_for_each_branch(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = three
    liar = Liar(c)
    line = Line(liar, a)
    count = 14
    trunk, proofs = comb(liar, count)
    line.send(vouched_far_on(liar, forkproof.UNSIGNED_MAX - count - 1, *trunk))
    line.send(Evidence(tuple(proofs), False))
    assert line.error is None
    monkeypatch.setattr(limits, "PROOFS_MAX", 100)
    known = b.frontier()
    counted = Counted(monkeypatch, type(a.store.read().__enter__().signatures), "next")
    made = batches(exchange_of(a), known)
    assert sum(len(each.heads) for each in made) <= 3
    assert counted.times <= 4 * count
    sync(a, b)
    assert_equal([a, b])


# --- lives ------------------------------------------------------------------------------------------------------------


def test_branches_that_begin_at_a_proved_fork_come_as_slowly_as_lives(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _, c = three
    line = Line(Liar(c), a)
    base = forked(Liar(c), line)
    monkeypatch.setattr(limits, "BIRTHS_MAX", 5)
    line = Line(Liar(c), a)
    held = len(a.frontier())
    for _ in range(4):
        line.send(versions(base, 10))
    assert line.error is None
    assert len(a.frontier()) == held + 5
    line.wait(limits.BIRTHS_WINDOW_S)
    line.send(versions(base, 10))
    assert len(a.frontier()) == held + 10


def test_more_branches_than_may_come_at_once_all_reach_an_honest_device(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = three
    line = Line(Liar(c), a)
    base = forked(Liar(c), line)
    line.send(versions(base, 12))
    a.create_task(edda.Task(title="honest"))
    monkeypatch.setattr(limits, "BIRTHS_MAX", 5)
    network = Network(a, b)
    network.connect(a, b)
    network.run()
    assert network.errors == []
    assert network.now >= 2 * limits.BIRTHS_WINDOW_S
    assert shown(a) == shown(b)


@pytest.mark.parametrize("kind", ["one after another", "of changes far back"])
def test_the_pasts_of_lives_that_continue_each_other_are_gathered_once(
    three: Engines, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    a, b, c = three
    life = Liar(c)
    line = Line(life, a)
    count = 100
    counted = Counted(monkeypatch, Chains, "continued")
    for _ in range(count):
        first = life.change(touch())
        made = [first] if kind == "one after another" else [first, life.change(touch())]
        line.send(life.batch(*made))
        if kind == "of changes far back":
            life.seq, life.hash = 1, changes.hash_change(NO_HASH, changes.hash_header(first[0]))
        life = life.continued()
    assert line.error is None
    assert counted.times <= 8 * count
    counted.times = 0
    a.rebuild()
    assert counted.times <= 8 * count
    counted.times = 0
    with a.store.read() as reader:
        dots = [(name, head.seq) for name, head in reader.log.heads().items()]
        pasts, one_by_one = Pasts(), dict[bytes, int]()
        for dot in dots:
            one_by_one = frontier.join(one_by_one, pasts.through(reader, dot))
        assert joined(reader, dots) == one_by_one
        counted.times = 0
        upto = [Summary(name, head.seq, head.hash[:16]) for name, head in sorted(reader.log.heads().items())]
    given = exchange_of(a).giving.earlier(Behind((), (*upto, Summary(b"\xff" * 16, 1, bytes(16)))))
    assert given[0].changes
    assert counted.times <= 8 * count
    monkeypatch.undo()
    sync(a, b)
    assert shown(a) == shown(b)


# --- what is half here ------------------------------------------------------------------------------------------------


def halves(engine: StorageEngine) -> list[tuple[bytes, int]]:
    """The large changes that have arrived in part, by actor, with the number of their parts."""
    with engine.store.read() as reader:
        return [(changes.decode_header(each.raw).actor, len(each.parts)) for each in reader.incoming.all()]


def large(size: int) -> list[Put]:
    return [Put("document", os.urandom(16), {"title": "x", "content": os.urandom(size // 2).hex()})]


@pytest.mark.parametrize("lives", [1, 20])
def test_versions_and_lives_with_large_changes_do_not_push_out_the_large_changes_of_others(
    three: Engines, monkeypatch: pytest.MonkeyPatch, lives: int
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    a, b, c = three
    a.create_document(edda.Document(title="Large and honest", content="w" * 4_000))
    a.create_task(edda.Task(title="small and honest"))
    known = b.frontier()
    positions = exchange_of(a).giving.missing(known) or []
    given = exchange_of(a).giving.batch(positions, known)
    assert given is not None
    assert given.large is not None
    exchange_of(b).taking.take(given.message)
    part = exchange_of(a).giving.part(given.large, 0)
    assert part is not None
    exchange_of(b).taking.take_part(part)
    several = [Liar(c) for _ in range(lives)]
    line = Line(several[0], b)
    for number in range(100):
        for message in several[number % lives].copied().in_parts(large(5_000))[:4]:
            line.send(message)
    assert line.error is None
    assert len(halves(b)) == 1 + limits.INCOMING_MAX
    assert (given.large.actor, 1) in halves(b)
    sync(a, b)
    assert [task.title for task in b.query_tasks(edda.TaskQuery())] == ["small and honest"]


def test_the_large_changes_of_one_device_that_have_arrived_in_part_are_bounded_in_bytes(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)
    monkeypatch.setattr(limits, "INCOMING_BYTES_MAX", 30_000)
    _, b, c = three
    liar = Liar(c)
    line = Line(liar, b)
    for _ in range(20):
        for message in liar.copied().in_parts(large(9_500))[:4]:
            line.send(message)
    assert line.error is None
    assert len(halves(b)) == 3


# --- what frames become -----------------------------------------------------------------------------------------------


def parts_of(engine: StorageEngine) -> int:
    """The number of parts of large changes that are here."""
    return sum(count for _, count in halves(engine))


def test_frames_that_expand_to_many_times_their_size_come_slowly_but_completely(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EXPANDED_BYTES_MAX", 2 << 20)
    a, _, c = three
    liar = Liar(c)
    line = Line(liar, a)
    announced, *parts = liar.in_parts([Put("document", os.urandom(16), {"title": "x", "content": "a" * (10 << 20)})])
    line.send(announced)
    for part in parts:
        line.send(part)
    assert line.error is None
    assert 4 <= parts_of(a) <= 5
    before = parts_of(a)
    while parts_of(a):
        line.wait(limits.EXPANDED_WINDOW_S)
        assert line.error is None
        assert not parts_of(a) or before < parts_of(a) <= before + 5
        before = parts_of(a)
    assert [document.title for document in a.query_documents(edda.DocumentQuery())] == ["x"]


def test_many_small_changes_that_expand_to_many_times_their_size_come_slowly_too(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EXPANDED_BYTES_MAX", 2 << 20)
    a, _, c = three
    liar = Liar(c)
    line = Line(liar, a)
    for number in range(20):
        line.send(liar.batch(liar.change([Put("document", os.urandom(16), {"title": "x", "content": "a" * 500_000})])))
        assert a.counts()["documents"] <= min(number + 1, 5)
    for _ in range(4):
        line.wait(limits.EXPANDED_WINDOW_S)
    assert line.error is None
    assert a.counts()["documents"] == 20


def test_the_frames_that_wait_to_be_expanded_are_limited_by_what_a_peer_may_have_under_way(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "EXPANDED_BYTES_MAX", 1)
    monkeypatch.setattr(limits, "WINDOW_BYTES_MAX", 1_000)
    monkeypatch.setattr(limits, "FRAME_BYTES_MAX", 100_000)
    a, _, c = three
    liar = Liar(c)
    line = Line(liar, a)
    sent = 0
    while line.error is None and sent < 200_000:
        message = liar.batch(liar.change([Touch("task", os.urandom(16))] * 250 + touch() * 10))
        sent += len(line.codec.encode(message))
        line.send(message)
    assert isinstance(line.error, RemoteProtocolError)


@pytest.mark.parametrize(("text", "windows"), [("one thing over and over " * 250_000, 2), ("", 0)])
def test_every_honest_text_arrives(three: Engines, monkeypatch: pytest.MonkeyPatch, text: str, windows: int) -> None:
    monkeypatch.setattr(limits, "EXPANDED_BYTES_MAX", 2 << 20)
    a, b, _ = three
    a.create_document(edda.Document(title="honest", content=text or os.urandom(3_000_000).hex()))
    a.create_task(edda.Task(title="after it"))
    network = Network(a, b)
    network.connect(a, b)
    network.run()
    assert network.errors == []
    assert windows * limits.EXPANDED_WINDOW_S <= network.now < (windows + 1) * limits.EXPANDED_WINDOW_S
    assert_equal([a, b])
    assert len(network.proved) == 2


# --- texts ------------------------------------------------------------------------------------------------------------


def test_two_lives_that_write_at_one_place_of_a_text_take_as_many_steps_as_they_write_letters(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _, c = three
    document = a.create_document(edda.Document(title="Note", content="ab"))
    sync(a, c)
    entity = id_bytes("id", document)
    genesis = genesis_id(entity, "content", "ab")
    one, two = sorted((Liar(c), Liar(c)), key=lambda liar: liar.actor)
    blocks = [((1, 0), (0, number - 1) if number else (1, 1), "x") for number in range(300)]

    def edit(clock: int, *blocks: tuple[tuple[int, int], tuple[int, int], str]) -> Edit:
        return Edit("document", entity, "content", genesis, codec.encode(TextEdit((), clock, blocks, ())))

    line = Line(one, a)
    line.send(one.batch(one.change([edit(0, *blocks)])))
    steps = 0
    behind = Order.behind

    def counted(self: Order, unit: Unit) -> Iterator[tuple[Run, int]]:
        nonlocal steps
        for each in behind(self, unit):
            steps += 1
            yield each

    monkeypatch.setattr(Order, "behind", counted)
    line.send(two.batch(two.change([edit(number, block) for number, block in enumerate(blocks)])))
    assert line.error is None
    assert a.refused() == 0
    assert content(a, document) == "a" + 600 * "x" + "b"
    assert steps <= 8 * 300


# --- names of branches ------------------------------------------------------------------------------------------------


def comb(liar: Liar, count: int) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """A number of changes of a chain that forks before each of them, and proofs of the forks, but not its next change."""
    trunk, proofs = [], []
    for _ in range(count):
        other, since = liar.copied(), (liar.seq, liar.hash)
        trunk.append(liar.change(touch()))
        theirs = other.change(touch())
        proofs.append(liar.proof(other, since, [trunk[-1][0]], [theirs[0]]))
    return trunk, proofs


def content(engine: StorageEngine, document: str) -> str:
    found = engine.get_document(document)
    assert found is not None
    assert isinstance(found.content, str)
    return found.content


def letter(liar: Liar, entity: bytes) -> tuple[bytes, bytes]:
    """Its next change, which writes a letter in front of a document that started as "hello"."""
    genesis = genesis_id(entity, "content", "hello")
    edit = TextEdit((), 0, ((None, (1, 0), "L"),), ())
    return liar.change([Edit("document", entity, "content", genesis, codec.encode(edit))])


def test_a_text_that_70_nested_branches_wrote_is_read_again_and_passed_on(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROOFS_MAX", 1_000)
    a, b, c = three
    document = a.create_document(edda.Document(title="Note", content="hello"))
    sync(a, b)
    sync(a, c)
    liar, entity = Liar(c), id_bytes("id", document)
    line = Line(liar, a)
    trunk, proofs = comb(liar, 70)
    line.send(liar.batch(*trunk, letter(liar, entity)))
    for proof in proofs:
        line.send(Evidence((proof,), False))
    assert line.error is None
    for number in range(3):
        before = content(a, document)
        a.update_document(edda.Document(id=document, content=before.replace("L", "", 1) + f" more {number}"))
        a.ledger.texts._open.clear()  # as a restart does, or 64 other documents
    b.edit_text(document, "content", [(0, 0, "B")])
    sync(a, b)
    assert_equal([a, b])
    assert content(a, document) == "Bhello more 0 more 1 more 2"
    assert [found for found in doctor.check(a) if not found.sound] == []
    a.rebuild()
    a.ledger.texts._open.clear()
    a.edit_text(document, "content", [(0, 0, "A")])
    sync(a, b)
    assert_equal([a, b])


def test_a_chain_with_100_nested_forks_needs_no_deeper_stack_than_a_chain_with_one(
    three: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PROOFS_MAX", 1_000)
    a, b, c = three
    liar = Liar(c)
    line = Line(liar, a)
    trunk, proofs = comb(liar, 100)
    line.send(liar.batch(*trunk, liar.change(touch())))
    depth = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 90)
    try:
        for at in range(0, len(proofs), 10):
            line.send(Evidence(tuple(proofs[at : at + 10]), False))
        a.rebuild()
        known = b.frontier()
        assert batches(exchange_of(a), known)
    finally:
        sys.setrecursionlimit(depth)
    assert line.error is None
    sync(a, b)
    assert_equal([a, b])
