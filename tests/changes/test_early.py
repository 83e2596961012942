"""Early writes: what a newcomer wrote before its first sync ends up behind the change that let it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from edda_sync.changes import change as changes
from edda_sync.changes import drafts, early
from edda_sync.changes.change import DEP_HASH_BYTES, Birth, Change
from edda_sync.crdt import operation as ops
from edda_sync.ledger.admission import Admitted
from edda_sync.store.seams import StoreWriter
from edda_sync.transport.identity import Identity
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.workspace import actor
from tests.crdt.authors import LAPTOP, PHONE, Life, Peer, device, founded
from tests.crdt.works import OTHER, TASK

NONCE = b"nonce of sixteen"


@dataclass
class Newcomer(Peer):
    """A phone that the laptop has let in, and that has received nothing yet."""

    laptop: Life
    log: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.laptop)
        birth = Birth(PHONE.public_key, NONCE, *self.laptop.stands)
        self.store.transact(lambda tx: actor.begin_life(tx, birth))

    def put(self, title: str, task: bytes = TASK) -> Change:
        """Write a title, and return the change."""
        draft = drafts.Put.of("task", task, {"title": title})
        dot = self.store.transact(lambda tx: self.ledger.commit(tx, [draft], 1_000))
        assert dot is not None
        logged = self.look(lambda reader: reader.log.read(reader.log.position_of(*dot) or 0))
        return Change(changes.decode_header(logged.raw), logged.raw, logged.body)

    def new_life(self) -> None:
        """Begin another life."""
        self.store.transact(lambda tx: actor.new_life(tx, NONCE))

    @property
    def order(self) -> list[bytes]:
        """Hashes of the changes of the log, in its order."""
        return self.look(lambda reader: [reader.log.read(at).hash for at in reader.log.positions_after({})])

    @property
    def titles(self) -> list[str]:
        """The titles that are shown."""
        return [str(row[1]) for row in self.table("tasks")]


@dataclass
class Scene:
    """A laptop that has written a title and let the phone in, a peer that holds its log, and the phone."""

    laptop: Life
    peer: Peer
    phone: Newcomer
    log: list[Change]


@pytest.fixture
def scene() -> Scene:
    laptop, peer = founded()
    again = Life(laptop.identity)
    log = [again.write(device(laptop.identity, laptop.identity, "laptop"))]
    log += [laptop.write(ops.Put("task", TASK, {"title": "before"})), laptop.write(device(PHONE, laptop.identity))]
    peer.admit(*log[1:])
    return Scene(laptop, peer, Newcomer(laptop), log)


def test_an_early_write_replaces_what_was_there_before_it_and_stands_behind_that_in_the_log(
    scene: Scene,
) -> None:
    mine = scene.phone.put("early")
    assert scene.phone.titles == ["early"]
    assert scene.phone.admit(*scene.log) is Admitted.APPLIED
    scene.peer.admit(mine)
    assert scene.phone.view() == scene.peer.view()
    assert scene.phone.titles == ["early"]
    assert scene.phone.look(lambda reader: reader.index.conflicted()) == []
    assert scene.phone.order == [*(each.hash for each in scene.log), mine.hash]


def test_all_lives_that_wrote_early_are_put_there_in_their_order(scene: Scene) -> None:
    first = scene.phone.put("early", OTHER)
    scene.phone.new_life()
    others = [scene.phone.put("later"), scene.phone.put("last")]
    scene.phone.admit(*scene.log)
    scene.peer.admit(first, *others)
    assert scene.phone.view() == scene.peer.view()
    assert scene.phone.order[-3:] == [first.hash, *(each.hash for each in others)]
    assert sorted(scene.phone.titles) == ["early", "last"]


def test_changes_after_the_one_that_let_it_in_find_the_log_in_order(scene: Scene) -> None:
    mine = scene.phone.put("early")
    after = scene.laptop.write(ops.Put("task", TASK, {"title": "meanwhile"}))
    scene.phone.admit(*scene.log, after)
    scene.peer.admit(after, mine)
    assert scene.phone.view() == scene.peer.view()
    assert sorted(scene.phone.order[-2:]) == sorted([mine.hash, after.hash])
    assert len(scene.phone.look(lambda reader: reader.index.conflicted())) == 1


def test_a_later_life_that_writes_when_everything_is_here_is_not_early(scene: Scene) -> None:
    scene.phone.admit(*scene.log)
    assert not scene.phone.look(early.is_pending)
    mine = scene.phone.put("after")
    assert not scene.phone.look(early.is_pending)
    assert scene.peer.admit(mine) is Admitted.APPLIED
    assert scene.phone.view() == scene.peer.view()


def test_it_is_sent_to_nobody_before_the_change_that_let_it_in_is_here(scene: Scene) -> None:
    assert scene.phone.look(early.held_back) == frozenset()
    mine = scene.phone.put("early")
    life = mine.header.actor
    scene.phone.new_life()
    later = scene.phone.put("later").header.actor
    assert scene.phone.look(early.held_back) == {life, later}
    scene.phone.admit(*scene.log)
    assert scene.phone.look(early.held_back) == frozenset()


# --- what others build on it ------------------------------------------------------------------------------------------


def behind(change: Change, identity: Identity) -> Life:
    """A life of a device that continues a change of any device."""
    actor, seq = change.header.dot
    return Life(identity, parent=actor, parent_seq=seq, parent_hash=change.hash, nonce=NONCE[::-1])


def test_a_life_that_another_device_continues_from_it_comes_too_early_until_the_change_that_let_it_in_is_here(
    scene: Scene,
) -> None:
    mine = scene.phone.put("early")
    scene.phone.new_life()
    later = scene.phone.put("later")
    followers = [behind(each, LAPTOP).write(ops.Put("task", OTHER, {"title": "more"})) for each in (mine, later)]
    for follower in followers:
        assert scene.phone.admit(follower) is Admitted.EARLY
    assert scene.phone.look(early.held_back) == {mine.header.actor, later.header.actor}
    assert scene.phone.admit(*scene.log, *followers) is Admitted.APPLIED
    scene.peer.admit(mine, later, *followers)
    assert scene.phone.view() == scene.peer.view()


def test_a_change_that_only_names_it_among_what_it_depends_on_is_judged_where_all_of_that_is_here(scene: Scene) -> None:
    """A device that holds what the early write continues refuses this change, which leaves that out of its past."""
    mine = scene.phone.put("early")
    *before, _added = scene.log
    naming = behind(before[-1], LAPTOP).write(deps=[(mine.header.actor, 1, mine.hash[:DEP_HASH_BYTES])])
    scene.phone.admit(*before)
    assert scene.phone.admit(naming) is Admitted.EARLY
    scene.phone.admit(*scene.log)
    scene.peer.admit(mine)
    for each in (scene.phone, scene.peer):
        with pytest.raises(RemoteProtocolError, match="do not cover"):
            each.admit(naming)


def test_it_stays_early_if_the_transaction_fails(scene: Scene) -> None:
    scene.phone.put("early")

    def admit_all(tx: StoreWriter) -> None:
        fold = scene.phone.ledger.fold(tx)
        for change in scene.log:
            scene.phone.ledger.admit(tx, fold, change)
        raise ZeroDivisionError

    before = scene.phone.view(), scene.phone.order
    work: Callable[[StoreWriter], None] = admit_all
    with pytest.raises(ZeroDivisionError):
        scene.phone.store.transact(work)
    assert (scene.phone.view(), scene.phone.order) == before
    assert scene.phone.look(early.is_pending)
    scene.phone.admit(*scene.log)
    assert not scene.phone.look(early.is_pending)
