"""A device that begins with a segment ends with what everybody holds, whatever the maker or a member does meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth
from edda_sync.changes.past import Pasts, encode_pairs
from edda_sync.crdt.operation import Put, Touch
from edda_sync.crdt.records import device_entity
from edda_sync.engine.engine import StorageEngine
from edda_sync.ledger import admission
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import devices, replica_of, sync
from edda_sync.transport.identity import Identity
from edda_sync.words.errors import RemoteProtocolError
from tests.attacks.liar import Liar, Line
from tests.attacks.test_trust import record_of
from tests.sync.copies import own_actor
from tests.sync.network import name_of
from tests.sync.newcomers import Newcomers, begin_with_segment, forged_by, is_provisional, met, newcomers

TASK = b"t" * 16


class Scene:
    """Two devices, a member that lies, and a newcomer that holds nothing yet."""

    def __init__(self, three: tuple[StorageEngine, ...], newcomer: Newcomers) -> None:
        self.laptop, self.phone, self.liar = three
        self.task = self.laptop.create_task(edda.Task(title="one"))
        self.meet(self.phone, self.liar)
        self.new = newcomer(self.laptop)
        self.meet(self.phone, self.liar)

    def meet(self, *others: StorageEngine) -> None:
        """Let the laptop talk with others."""
        for other in others:
            sync(self.laptop, other)

    def low(self) -> tuple[bytes, int, bytes]:
        """The founder's first change, as a dependency."""
        with self.laptop.store.read() as reader:
            actor = max(reader.log.heads().values(), key=lambda head: head.seq).actor
            return actor, 1, (reader.log.hash_at(actor, 1) or b"")[:16]


@pytest.fixture(params=["memory", "sqlite"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    with devices(3, backend=request.param) as three, newcomers(tmp_path, request.param) as newcomer:
        yield Scene(three, newcomer)


# --- what comes on top of one -----------------------------------------------------------------------------------------


def depends_on_less(scene: Scene, line: Line) -> bytes:
    """The second change of a life depends on less than the first."""
    liar = Liar(scene.liar)
    line.send(liar.batch(liar.change([Touch("task", TASK)])))
    line.send(liar.batch(liar.change([Touch("task", TASK)], deps=[scene.low()])))
    return liar.actor


def is_not_closed(scene: Scene, line: Line) -> bytes:
    """It names a change, but leaves out what that change depends on."""
    one, other = Liar(scene.liar), Liar(scene.liar)
    line.send(one.batch(one.change([Touch("task", TASK)])))
    with scene.laptop.store.read() as reader:
        let_in = 3  # after the founding and the other device
        digest = reader.log.hash_at(one.birth.parent or b"", let_in) or b""
    other.birth = msgspec.structs.replace(other.birth, parent_seq=let_in, parent_hash=digest)
    other.actor = changes.actor_of(changes.encode_birth(other.birth))
    line.send(other.batch(other.change([Touch("task", TASK)], deps=[(one.actor, 1, one.hash[:16])])))
    return other.actor


def begins_before_it_was_let_in(scene: Scene, line: Line) -> bytes:
    """A life of a device whose record is not in the past of its birth."""
    guest, host, life = Identity.create(), Liar(scene.liar), Liar(scene.liar)
    record = {"record": record_of(guest, scene.liar.identity)}
    line.send(host.batch(host.change([Put("device", device_entity(guest.public_key), record)])))
    parent = life.birth
    life.identity = guest
    life.birth = Birth(guest.public_key, os.urandom(16), parent.parent, parent.parent_seq, parent.parent_hash)
    life.actor = changes.actor_of(changes.encode_birth(life.birth))
    line.send(life.batch(life.change([Touch("task", TASK)])))
    return life.actor


@pytest.mark.parametrize("lie", [depends_on_less, is_not_closed, begins_before_it_was_let_in])
def test_nothing_is_taken_on_top_of_a_segment_that_everybody_else_refuses(
    scene: Scene, lie: Callable[[Scene, Line], bytes]
) -> None:
    """Whether a change is refused for good depends on its past, which is missing until the log behind it is here."""
    begin_with_segment(scene.laptop, scene.new)
    actor = lie(scene, Line(Liar(scene.liar), scene.new))
    mine = scene.new.create_task(edda.Task(title="written meanwhile"))
    assert actor not in scene.new.frontier()
    scene.phone.create_task(edda.Task(title="meanwhile, too"))
    network = met(scene.new, scene.phone)
    assert is_provisional(scene.new) is None
    assert len(network.proved) == 2, "what was passed over meanwhile is asked for in the same talk"
    scene.meet(scene.new, scene.phone)
    assert scene.laptop.get_task(mine) is not None
    assert scene.laptop.digest() == scene.phone.digest() == scene.new.digest()


def test_a_write_before_the_devices_own_membership_is_here_ends_no_confirmation(scene: Scene, tmp_path: Path) -> None:
    """A segment is served for a day: it may be older than the invitation."""
    replica_of(scene.laptop).exchange.making.made({})
    with newcomers(tmp_path / "late", "memory") as newcomer:
        late = newcomer(scene.laptop)
        begin_with_segment(scene.laptop, late)
        mine = [late.create_task(edda.Task(title=f"at once {number}")) for number in range(2)]
        behind, giving = replica_of(late).exchange.behind, replica_of(scene.laptop).exchange.giving
        while (wanted := behind.wanted()) is not None:
            behind.take(giving.earlier(wanted)[0])
        assert is_provisional(late) is None
        scene.meet(late, scene.phone)
        assert all(scene.phone.get_task(each) is not None for each in mine)
        assert late.digest() == scene.phone.digest()


# --- what is behind one -----------------------------------------------------------------------------------------------


def test_a_log_that_everybody_refuses_cannot_confirm_a_segment(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    liar = Liar(scene.liar)
    made = [liar.change([Touch("task", TASK)]), liar.change([Touch("task", TASK)], deps=[scene.low()])]
    with monkeypatch.context() as patch:
        patch.setattr(admission, "_check_past", lambda *_: None)
        replica_of(scene.liar).exchange.taking.take(liar.batch(*made))
    begin_with_segment(scene.liar, scene.new)
    behind = replica_of(scene.new).exchange.behind
    wanted = behind.wanted()
    assert wanted is not None
    with pytest.raises(RemoteProtocolError, match="depends on less"):
        behind.take(replica_of(scene.liar).exchange.giving.earlier(wanted)[0])


@pytest.mark.parametrize("claimed", [0, 2])
def test_the_dependencies_that_a_maker_claims_for_a_head_are_forgotten_once_the_log_is_here(
    scene: Scene, claimed: int
) -> None:
    """The root does not cover them, so a segment can show only the truth and still lie about the pasts of later changes."""
    laptop, phone, new = scene.laptop, scene.phone, scene.new
    phone.create_task(edda.Task(title="concurrent"))
    phone.update_task(edda.Task(id=scene.task, title="of the phone"))
    sync(phone, scene.liar)
    actor, other = own_actor(laptop), own_actor(phone)
    with scene.liar.store.read() as reader:
        true = reader.log.heads()[actor]
    said = [] if claimed == 0 else [(other, claimed)]
    scene.liar.store.transact(lambda tx: tx.log.set_head(true._replace(deps=encode_pairs(said))))
    begin_with_segment(scene.liar, new)
    scene.liar.store.transact(lambda tx: tx.log.set_head(true))
    met(new, phone)
    assert is_provisional(new) is None
    assert forged_by(new) is None, name_of(scene.liar)

    def heads(tx: StoreWriter) -> bytes:
        return tx.log.heads()[actor].deps

    assert new.store.transact(heads) == true.deps
    new.ledger.pasts = Pasts()  # as a restart does
    laptop.update_task(edda.Task(id=scene.task, title="of the laptop"))
    sync(laptop, new)
    sync(phone, new)
    scene.meet(phone)
    assert laptop.digest() == phone.digest() == new.digest()
