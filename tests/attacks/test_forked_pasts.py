"""What a change says about others, and whether it is taken, depends on its past, and not on who has heard of a fork."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.chains import PROOF
from edda_sync.changes.change import Dep
from edda_sync.changes.forkproof import Chain
from edda_sync.crdt import operation
from edda_sync.crdt.operation import Delete, Put, Touch
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import Head, Logged
from edda_sync.sync.messages import Changes, Evidence, SignedHead
from edda_sync.testing import devices, sync
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.words.values import id_text
from tests.attacks.liar import Liar, Line

Made = tuple[bytes, bytes]
ONE, OTHER = b"1" * 16, b"2" * 16


@pytest.fixture
def engines() -> Iterator[tuple[StorageEngine, StorageEngine, StorageEngine]]:
    with devices(3, backend="memory") as (a, b, liar):
        yield a, b, liar


class Fork(NamedTuple):
    """A forked chain: the changes of both branches, the first change of each branch, and the liar at the end of each."""

    common: list[Made]
    one: Made
    other: Made
    on_one: Liar
    on_other: Liar
    proof: Evidence


def fork(member: StorageEngine, common: int, before: list[Dep] | None = None) -> Fork:
    """Fork a life of a member after some changes. The second of these changes depends on something."""
    liar = Liar(member)
    birth, made = changes.encode_birth(liar.birth), []
    for number in range(common):
        made.append(liar.change([Touch("task", bytes([number]) * 16)], deps=before if number == 1 else None))
    seq, digest, second = liar.seq, liar.hash, copy.copy(liar)
    one, other = (
        liar.change([Put("task", ONE, {"title": "one"})]),
        second.change([Put("task", OTHER, {"title": "other"})]),
    )

    def side(author: Liar, change: Made) -> Chain:
        head = author.identity.sign(changes.signed_message(author.workspace, author.actor, author.seq, author.hash))
        return Chain(seq, digest, (changes.hash_header(change[0]),), head)

    proof = forkproof.make(liar.actor, birth, side(liar, one), side(second, other))
    assert proof is not None
    return Fork(made, one, other, liar, second, Evidence((PROOF + forkproof.encode(proof),), False))


def told(engine: StorageEngine, seqs: int) -> Changes:
    """Return the last changes of an engine's own life, signed, as a relay has them."""
    with engine.store.read() as reader:
        own = max((head for head in reader.log.heads().values() if is_by(engine, head)), key=lambda head: head.seq)
        logged = [
            reader.log.read(reader.log.position_of(own.actor, seq) or 0)
            for seq in range(own.seq + 1 - seqs, own.seq + 1)
        ]
    signed = engine.identity.sign(changes.signed_message(engine.workspace, own.actor, own.seq, own.hash))
    return Changes(tuple((each.raw, each.body) for each in logged), (SignedHead(own.actor, own.seq, signed, b""),))


def is_by(engine: StorageEngine, head: Head) -> bool:
    return changes.decode_birth(head.birth).public_key == engine.identity.public_key


def last(engine: StorageEngine) -> Logged:
    with engine.store.read() as reader:
        own = max((head for head in reader.log.heads().values() if is_by(engine, head)), key=lambda head: head.seq)
        return reader.log.read(reader.log.position_of(own.actor, own.seq) or 0)


# --- what an author writes who knows of a fork ------------------------------------------------------------------------


def test_a_deletion_by_a_device_that_knows_of_a_fork_deletes_where_nobody_has_heard_of_it(
    engines: tuple[StorageEngine, StorageEngine, StorageEngine],
) -> None:
    a, b, c = engines
    parted = fork(c, 1)
    for engine in (a, b):
        Line(parted.on_one, engine).send(parted.on_one.batch(*parted.common, parted.one))
    a.create_task(edda.Task(title="mine"))
    sync(a, b)
    Line(parted.on_one, a).send(parted.proof)
    a.delete_task(id_text(ONE))
    (seen,) = [one for one in map(operation.decode, operation.cut([last(a).body])) if isinstance(one, Delete)]
    assert [actor for actor, _ in seen.seen] == [parted.on_one.actor]
    relay = Line(Liar(c), b)
    relay.send(told(a, 1))
    assert relay.error is None
    assert b.get_task(id_text(ONE)) is None


def test_a_change_that_depends_on_one_branch_is_taken_where_nobody_has_heard_of_the_fork(
    engines: tuple[StorageEngine, StorageEngine, StorageEngine],
) -> None:
    a, b, c = engines
    parted = fork(c, 1)
    for engine in (a, b):
        Line(parted.on_one, engine).send(parted.on_one.batch(*parted.common, parted.one))
    sync(a, b)
    Line(parted.on_one, a).send(parted.proof)
    a.create_task(edda.Task(title="on top of it"))
    named = [actor for actor, _, _ in changes.decode_header(last(a).raw).deps]
    assert named in ([], [parted.on_one.actor])
    relay = Line(Liar(c), b)
    relay.send(told(a, 1))
    assert relay.error is None
    assert [task.title for task in b.query_tasks(edda.TaskQuery(text="on top of it"))] == ["on top of it"]


def test_a_device_that_has_seen_both_branches_names_both_and_deletes_what_either_wrote(
    engines: tuple[StorageEngine, StorageEngine, StorageEngine],
) -> None:
    a, b, c = engines
    parted = fork(c, 2)
    Line(parted.on_one, a).send(parted.on_one.batch(*parted.common, parted.one))
    line = Line(parted.on_one, a)
    line.send(parted.proof)
    line.send(parted.on_other.batch(*parted.common, parted.other))
    assert {task.title for task in a.query_tasks(edda.TaskQuery())} >= {"one", "other"}
    a.create_task(edda.Task(title="on top of both"))
    for task in (ONE, OTHER):
        a.delete_task(id_text(task))
    sync(a, b)
    assert a.digest() == b.digest()
    assert {task.title for task in b.query_tasks(edda.TaskQuery())}.isdisjoint({"one", "other"})
    b.rebuild()
    assert a.digest() == b.digest()


# --- what is taken of who says less than it should --------------------------------------------------------------------


@pytest.mark.parametrize("knows", [True, False], ids=["who knows of the fork", "who does not"])
def test_a_change_that_goes_back_on_a_branch_is_refused_by(
    engines: tuple[StorageEngine, StorageEngine, StorageEngine], knows: bool
) -> None:
    a, _, c = engines
    parted = fork(c, 3)
    line = Line(parted.on_one, a)
    line.send(parted.on_one.batch(*parted.common, parted.one))
    if knows:
        line.send(parted.proof)
    actor, author = parted.on_one.actor, Liar(c)
    ends: list[Dep] = [(actor, 4, parted.on_one.hash[:16]), (actor, 3, hash_of(parted.common)[:16])]
    made = [author.change([Touch("task", ONE)], deps=sorted([*author.deps_but_parent(), ends[0]]))]
    made.append(author.change([Touch("task", ONE)], deps=[ends[1]]))
    liar = Line(author, a)
    liar.send(author.batch(*made))
    assert isinstance(liar.error, RemoteProtocolError)
    assert "depends on less" in str(liar.error)


@pytest.mark.parametrize("knows", [True, False], ids=["who knows of the fork", "who does not"])
@pytest.mark.parametrize("seq", [2, 3, 4], ids=["far below the branching", "below it", "on the branch"])
def test_a_change_that_says_again_what_the_one_before_it_said_is_taken_by(
    engines: tuple[StorageEngine, StorageEngine, StorageEngine], knows: bool, seq: int
) -> None:
    """A device that began with a segment cannot know what the life before this one has said."""
    a, _, c = engines
    parted = fork(c, 3)
    line = Line(parted.on_one, a)
    line.send(parted.on_one.batch(*parted.common, parted.one))
    if knows:
        line.send(parted.proof)
    chain, author = [*parted.common, parted.one], Liar(c)
    named: Dep = (parted.on_one.actor, seq, hash_of(chain[:seq])[:16])
    made = [author.change([Touch("task", ONE)], deps=sorted([*author.deps_but_parent(), named]))]
    made += [author.change([Touch("task", ONE)], deps=[named]) for _ in range(2)]
    liar = Line(author, a)
    liar.send(author.batch(*made))
    assert liar.error is None
    assert a.frontier()[author.actor] == 3


@pytest.mark.parametrize("knows", [True, False], ids=["who knows of the fork", "who does not"])
def test_a_change_on_a_branch_that_leaves_out_what_stands_below_the_fork_is_refused_by(
    engines: tuple[StorageEngine, StorageEngine, StorageEngine], knows: bool
) -> None:
    a, _, c = engines
    author = Liar(c)  # which has not seen what follows
    a.create_task(edda.Task(title="what the second change depends on"))
    mine = last(a)
    parted = fork(c, 3, [(mine.actor, mine.seq, mine.hash[:16])])
    line = Line(parted.on_one, a)
    line.send(parted.on_one.batch(*parted.common, parted.one))
    assert line.error is None
    if knows:
        line.send(parted.proof)
    branch: Dep = (parted.on_one.actor, 4, parted.on_one.hash[:16])
    liar = Line(author, a)
    liar.send(author.batch(author.change([Touch("task", ONE)], deps=sorted([*author.deps_but_parent(), branch]))))
    assert isinstance(liar.error, RemoteProtocolError)
    assert "do not cover" in str(liar.error)


def hash_of(made: list[Made]) -> bytes:
    digest = changes.NO_HASH
    for raw, _ in made:
        digest = changes.hash_change(digest, changes.hash_header(raw))
    return digest
