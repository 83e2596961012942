"""A change's past decides by which names it calls branches, and a device that cannot read them yet is not blamed."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.branches import branch_name
from edda_sync.changes.chains import Chains
from edda_sync.changes.change import Dep
from edda_sync.crdt.operation import Delete, Edit, Put, Touch
from edda_sync.crdt.text import edits
from edda_sync.crdt.text.document import genesis_id
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.messages import Branch, Changes, Summary
from edda_sync.testing import Talk, devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.words.values import id_bytes
from tests.attacks.liar import Liar, Line
from tests.attacks.test_forked_pasts import ONE, Fork, fork, hash_of
from tests.sync.batches import exchange_of
from tests.sync.copies import assert_equal

THREE = b"3" * 16
Engines = tuple[StorageEngine, StorageEngine, StorageEngine]


@pytest.fixture
def engines() -> Iterator[Engines]:
    with devices(3, backend="memory") as (a, b, liar):
        yield a, b, liar


def branch_of(parted: Fork) -> bytes:
    return branch_name(parted.on_one.actor, parted.on_one.hash)


def tell_one_branch(engine: StorageEngine, parted: Fork) -> Line:
    line = Line(parted.on_one, engine)
    line.send(parted.on_one.batch(*parted.common, parted.one))
    assert line.error is None
    return line


def holds(engine: StorageEngine, liar: Liar) -> bool:
    with engine.store.read() as reader:
        return Chains(reader).find(liar.actor, liar.seq, liar.hash) is not None


def tell_early(author: Liar, batch: Changes, engine: StorageEngine) -> None:
    """Tell a change before the proof that makes it readable: it waits."""
    line = Line(author, engine)
    line.send(batch)
    assert line.error is None


def assert_refused(author: Liar, batch: Changes, engine: StorageEngine) -> None:
    line = Line(author, engine)
    line.send(batch)
    assert isinstance(line.error, RemoteProtocolError)
    assert not holds(engine, author)


# --- a name that only who knows of the fork could read ----------------------------------------------------------------


@pytest.mark.parametrize("first", ["the change", "the proof"])
def test_nobody_takes_a_dependency_by_a_branchs_name_if_its_past_holds_no_other_branch(
    engines: Engines, first: str
) -> None:
    a, _, c = engines
    parted = fork(c, 2)
    line, author = tell_one_branch(a, parted), Liar(c)
    named: Dep = (branch_of(parted), 3, parted.on_one.hash[:16])
    batch = author.batch(author.change([Touch("task", ONE)], deps=sorted([*author.deps_but_parent(), named])))
    if first == "the change":
        tell_early(author, batch, a)
    line.send(parted.proof)
    assert_refused(author, batch, a)


def test_nobody_takes_a_life_that_names_what_it_continues_by_a_branch(engines: Engines) -> None:
    a, _, c = engines
    parted = fork(c, 2)
    line, author = tell_one_branch(a, parted), Liar(c)
    author._parent = author._parent._replace(actor=branch_of(parted), seq=3, hash=parted.on_one.hash)
    author.be_born()
    batch = author.batch(author.change([Touch("task", ONE)], deps=[]))
    tell_early(author, batch, a)
    line.send(parted.proof)
    assert_refused(author, batch, a)


def test_a_deletion_by_a_branchs_name_deletes_the_same_whether_or_not_the_fork_is_known(engines: Engines) -> None:
    a, b, c = engines
    parted = fork(c, 2)
    author, actor = Liar(c), parted.on_one.actor
    named: Dep = (actor, 3, parted.on_one.hash[:16])
    put = Put("task", THREE, {"title": "by somebody else"})
    delete = Delete("task", THREE, tuple(sorted([(branch_of(parted), 3), (author.actor, 1)])))
    made = [author.change([put], deps=sorted([*author.deps_but_parent(), named])), author.change([delete])]
    for engine, knows in ((a, True), (b, False)):
        line = tell_one_branch(engine, parted)
        if knows:
            line.send(parted.proof)
        Line(author, engine).send(author.batch(*made))
        if not knows:
            line.send(parted.proof)
        assert holds(engine, author)
    sync(a, b)
    assert_equal([a, b])


def test_the_doctor_does_not_report_what_was_refused_for_another_reason_before_a_fork_was_proved(
    engines: Engines,
) -> None:
    a, _, c = engines
    task = a.create_task(edda.Task(title="a task", description="some words"))
    sync(a, c)
    parted = fork(c, 2)
    line, author = tell_one_branch(a, parted), Liar(c)
    entity = id_bytes("id", task)
    said = TextEdit((branch_of(parted),), 0, (((2, 0), None, "X"),), ())
    named: Dep = (parted.on_one.actor, 3, parted.on_one.hash[:16])
    edit = Edit("task", entity, "description", genesis_id(entity, "description", "some words"), edits.encode(said))
    Line(author, a).send(author.batch(author.change([edit], deps=sorted([*author.deps_but_parent(), named]))))
    assert a.refused() == 1
    line.send(parted.proof)
    assert [finding for finding in doctor.check(a) if not finding.sound] == []


# --- who cannot read a name yet ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("held", ["one branch", "nothing"])
def test_honest_work_on_branches_ends_no_talk_if_the_proof_of_the_fork_comes_later(engines: Engines, held: str) -> None:
    a, b, c = engines
    for number in range(limits.PROOFS_MAX + 4):
        parted = fork(c, 1 + number % 3)
        start = copy.copy(parted.on_one)
        start.seq, start.hash = len(parted.common), hash_of(parted.common)
        for engine in (a, b):
            Line(start, engine).send(start.batch(*parted.common))
        a.create_task(edda.Task(title=f"before {number}"))
        if held == "one branch":
            Line(parted.on_one, b).send(parted.on_one.batch(parted.one))
        line = Line(parted.on_one, a)
        line.send(parted.on_one.batch(parted.one))
        line.send(parted.proof)
        line.send(parted.on_other.batch(parted.other))
        a.create_task(edda.Task(title=f"on top of it {number}"))
    b.create_task(edda.Task(title="meanwhile"))
    talk = Talk(a, b)
    talk.run(frames_max=2_000)
    assert talk.errors == []
    assert len(talk.proved) == 2
    assert a.digest() == b.digest()


# --- many branches ----------------------------------------------------------------------------------------------------


def test_a_hello_of_many_branches_causes_one_lookup_for_each_branch(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _, c = engines
    looked = []
    for count in (40, 80):
        parted = fork(c, 1)
        line = tell_one_branch(a, parted)
        line.send(parted.proof)
        base = copy.copy(parted.on_one)
        base.seq, base.hash = 1, hash_of(parted.common)
        made, heads = [], []
        for number in range(count):
            one = copy.copy(base)
            made.append(one.change([Touch("task", number.to_bytes(16, "big"))]))
            made.append(one.change([Touch("task", number.to_bytes(16, "big"))]))
            heads.append(one.batch().heads[0])
        line.send(Changes(tuple(made), tuple(heads)))
        assert line.error is None
        exchange = exchange_of(a)
        said = tuple(each for each in exchange.introduction().heads if each.seq > 2)
        times = 0
        hash_at = Chains._hash_at

        def counting(self: Chains, name: bytes, seq: int, called: object = hash_at) -> bytes | None:
            nonlocal times
            times += 1
            return called(self, name, seq)  # type: ignore[operator, no-any-return]

        monkeypatch.setattr(Chains, "_hash_at", counting)
        exchange.compared(said)
        monkeypatch.setattr(Chains, "_hash_at", hash_at)
        looked.append(times / len(said))
    assert looked == [1, 1]


def test_the_heads_are_read_once_for_each_state_of_a_store() -> None:
    with devices(2) as (a, _), a.store.read() as reader:
        assert reader.log.heads() is reader.log.heads()
        a.create_task(edda.Task(title="which the reader does not see"))
        assert reader.log.heads() is reader.log.heads()


def test_one_piece_of_a_chain_is_compared_with_the_chain_once_even_if_many_branches_are_held(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, _, c = engines
    looked = []
    for count in (20, 40):
        parted = fork(c, 1)
        line = tell_one_branch(a, parted)
        line.send(parted.proof)
        base = copy.copy(parted.on_one)
        base.seq, base.hash = 1, hash_of(parted.common)
        ends = [copy.copy(base) for _ in range(count)]
        made = [one.change([], ext={102: number.to_bytes(2, "big")}) for number, one in enumerate(ends)]
        line.send(Changes(tuple(made), tuple(one.batch().heads[0] for one in ends)))
        unknown = copy.copy(base)
        raw, _ = unknown.change([], ext={102: b"of this nobody has heard"})
        head = unknown.batch().heads[0]
        birth = changes.encode_birth(base.birth)
        piece = Branch(base.actor, birth, 1, base.hash, (changes.hash_header(raw),), head.signature)
        times = 0
        hash_of_chain = Chains.hash

        def counting(self: Chains, name: bytes, seq: int, called: object = hash_of_chain) -> bytes | None:
            nonlocal times
            times += 1
            return called(self, name, seq)  # type: ignore[operator, no-any-return]

        with monkeypatch.context() as patch:
            patch.setattr(Chains, "hash", counting)
            exchange_of(a).forks.take_piece(piece)
        looked.append(times)
    assert looked[0] == looked[1]
    assert looked[0] < 10


def test_pieces_of_chains_are_told_at_a_limited_rate_but_completely(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PIECES_MAX", 4)
    a, _, c = engines
    lives = [Liar(c) for _ in range(10)]
    for liar in lives:
        Line(liar, a).send(liar.batch(liar.change([])))
    claims = [Summary(actor, 1, b"another change's") for actor in sorted(liar.actor for liar in lives)]
    line = Line(lives[0], a, lives[0].hello(claims))
    told = []
    for _ in range(3):
        told.append([message.actor for message in line.heard if isinstance(message, Branch)])
        line.heard.clear()
        line.wait(limits.PIECES_WINDOW_S)
    assert [len(actors) for actors in told] == [4, 4, 2]
    assert {actor for actors in told for actor in actors} == {liar.actor for liar in lives}
    assert line.error is None
