"""Chains: hashes and proofs decide under which names changes are held, and where a new change goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.changes.chains import NOBODY, Chains, names_of, points_of
from edda_sync.changes.change import DEP_HASH_BYTES, NO_HASH, Change, decode_header
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from tests.sync.batches import batches, exchange_of
from tests.sync.copies import Copier, add, copier, meet_all


class Scene:
    """A laptop whose chain forks after its second task, a witness of each branch, and a witness of both."""

    def __init__(self, engines: tuple[StorageEngine, ...], copy: Copier) -> None:
        self.laptop, self.one, self.other, self.both = engines
        for title in ("first", "second"):
            add(title)(self.laptop)
        meet_all(engines, 1)
        ((self.actor, self.seq),) = self.laptop.frontier().items()
        self.twin = copy(self.laptop)
        for number in range(3):
            add(f"one {number}")(self.laptop)
            add(f"other {number}")(self.twin)
        sync(self.laptop, self.one)
        sync(self.twin, self.other)

    def prove(self) -> None:
        """Let all hear of the fork."""
        sync(self.one, self.other)
        sync(self.one, self.both)

    def changes(self, engine: StorageEngine) -> list[Change]:
        """What a branch has beyond the fork."""
        (message,) = batches(exchange_of(engine), {self.actor: self.seq})
        return [Change(decode_header(raw), raw, body) for raw, body in message.changes]


@pytest.fixture(params=["memory", "sqlite"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    with devices(4, backend=request.param) as engines, copier(tmp_path) as copy:
        yield Scene(engines, copy)


def test_while_nothing_is_proved_every_name_is_an_actor(scene: Scene) -> None:
    mine, theirs = scene.changes(scene.laptop), scene.changes(scene.twin)
    with scene.one.store.read() as reader:
        chains = Chains(reader)
        assert chains.is_plain
        assert names_of(reader) is NOBODY
        assert points_of(reader, scene.actor) == set()
        assert chains.actor(scene.actor) == scene.actor
        for number, change in enumerate(mine, 1):
            assert chains.find(scene.actor, scene.seq + number, change.hash) == (scene.actor, scene.seq + number)
            assert chains.knows(change)
            assert not chains.is_apart(change)
        for change in theirs:
            assert chains.find(scene.actor, change.header.seq, change.hash) is None
            assert chains.place(change) is None
        assert chains.is_apart(theirs[0])
        assert chains.holds_some(scene.actor, scene.seq + 3)
        assert not chains.holds_some(scene.actor, scene.seq + 4)


def test_once_a_fork_is_proved_each_branch_has_a_name_and_a_change_is_found_by_its_hash(scene: Scene) -> None:
    mine, theirs = scene.changes(scene.laptop), scene.changes(scene.twin)
    scene.prove()
    with scene.both.store.read() as reader:
        chains = Chains(reader)
        assert not chains.is_plain
        names = set()
        for branch in (mine, theirs):
            found = {chains.find(*change.header.dot, change.hash[:DEP_HASH_BYTES]) for change in branch}
            ((name, *_),) = {(dot[0],) for dot in found if dot is not None}
            names.add(name)
            assert found == {(name, scene.seq + number) for number in (1, 2, 3)}
            assert chains.actor(name) == scene.actor
            assert chains.past_of((name, scene.seq + 2)) == {name: scene.seq + 2, scene.actor: scene.seq}
            assert chains.before((name, scene.seq + 1)) == (scene.actor, scene.seq)
            assert chains.before((name, scene.seq + 2)) == (name, scene.seq + 1)
            assert chains.on(name, scene.seq) == (scene.actor, scene.seq)
            assert chains.on(name, scene.seq + 1) == (name, scene.seq + 1)
            assert chains.hash(name, scene.seq + 3) == branch[2].hash
            assert chains.hash(name, 0) == NO_HASH
            last = scene.seq + 3
            assert chains.headers(name, scene.seq + 1, last) == [change.raw for change in branch]
            whole = chains.headers(name, 1, last)
            assert [decode_header(raw).seq for raw in whole] == list(range(1, last + 1))
            assert chains.headers(name, scene.seq, scene.seq) == whole[scene.seq - 1 : scene.seq]
        assert len(names) == 2
        assert set(chains.names.branches(scene.actor)) == names
        assert {point.seq for point in points_of(reader, scene.actor)} == {scene.seq}
        assert points_of(reader, b"x" * 16) == set()


def test_a_change_is_placed_behind_the_one_that_it_follows_and_waits_if_that_is_missing(scene: Scene) -> None:
    mine = scene.changes(scene.laptop)
    with scene.both.store.read() as reader:
        chains = Chains(reader)
        place = chains.place(mine[0])
        assert place is not None
        assert (place.name, place.hash, place.before, place.run) == (
            scene.actor, mine[0].hash, (scene.actor, scene.seq), None,
        )  # fmt: skip
        assert chains.place(mine[1]) is None
        assert not chains.is_apart(mine[1]), "what it follows is not here, and nothing in its place"


def test_a_known_point_gives_the_first_change_behind_it_a_name_at_once(scene: Scene) -> None:
    mine = scene.changes(scene.laptop)
    sync(scene.one, scene.other)
    with scene.one.store.read() as reader:
        proofs = list(reader.evidence.all().values())
        names = names_of(reader).branches(scene.actor)
    exchange_of(scene.both).forks.take_evidence(proofs)
    with scene.both.store.read() as reader:
        place = Chains(reader).place(mine[0])
    assert place is not None
    assert place.name in names
    assert place.run is not None
    assert (place.run.first, place.run.parent) == (scene.seq + 1, scene.actor)


def test_a_deletion_covers_only_what_its_author_had_seen_of_what_it_names(scene: Scene) -> None:
    with scene.one.store.read() as reader:
        chains = Chains(reader)
        named = [(scene.actor, scene.seq + 3), (b"x" * 16, 4)]
        assert chains.pairs(named, {scene.actor: scene.seq + 1}) == {scene.actor: scene.seq + 1}
    scene.prove()
    with scene.both.store.read() as reader:
        chains = Chains(reader)
        one, other = chains.names.branches(scene.actor)
        past = {scene.actor: scene.seq, one: scene.seq + 2}
        assert chains.pairs(named, past) == past
        assert other not in chains.pairs([(scene.actor, scene.seq + 3)], past)


def test_a_life_continues_the_branch_that_its_hash_names(scene: Scene) -> None:
    scene.prove()
    sync(scene.laptop, scene.one)
    add("of the next life")(scene.laptop)
    with scene.laptop.store.read() as reader:
        chains = Chains(reader)
        log = reader.log
        births = [decode_header(log.headers(name, 1, 1)[0]).birth for name in log.heads() if name != scene.actor
                  and chains.names.first(name) == 1]  # fmt: skip
        dots = {chains.continued(birth) for birth in births if birth is not None}
    assert any(dot is not None and dot[1] == scene.seq + 3 and dot[0] != scene.actor for dot in dots)
    assert scene.laptop.query_tasks(edda.TaskQuery())
