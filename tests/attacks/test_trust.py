"""No member decides alone who is a member, who has forked, or whether devices are equal."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth
from edda_sync.crdt import records
from edda_sync.crdt.operation import Put, Touch
from edda_sync.crdt.records import DeviceRecord, EpochRecord, device_entity
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Differs, Proved
from edda_sync.sync.messages import Ack, Cells, Changes, Part, Summary
from edda_sync.testing import devices, pair, sync
from edda_sync.transport.identity import Identity
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import LimitError
from edda_sync.workspace import members as workspaces
from tests.attacks.liar import Liar, Line
from tests.sync.newcomers import BY_SEGMENT

Engines = tuple[StorageEngine, StorageEngine, StorageEngine]


@pytest.fixture
def engines() -> Iterator[Engines]:
    with devices(3) as (a, b, c):
        yield a, b, c


# --- members ----------------------------------------------------------------------------------------------------------


def record_of(identity: Identity, added_by: Identity, **other: bytes) -> bytes:
    """The record that makes a device a member, with something else in it than an honest device would write."""
    fields = {"signing_key": identity.public_key, "certificate": identity.certificate, "added_by": added_by.public_key}
    fields |= other
    return records.encode(DeviceRecord(fields["signing_key"], fields["certificate"], (), "member", fields["added_by"]))


def test_nobody_overwrites_the_record_of_another_device(engines: Engines) -> None:
    a, b, c = engines
    stranger, liar = Identity.create(), Liar(c)
    victim = device_entity(b.identity.public_key)
    wrong = [
        b"junk",
        record_of(stranger, c.identity),
        record_of(b.identity, c.identity, certificate=stranger.certificate),
        record_of(b.identity, c.identity),  # even what it says already: it is written once
    ]
    line = Line(liar, a)
    line.send(liar.batch(liar.change([Put("device", victim, {"record": each}) for each in wrong])))
    line.send(liar.batch(liar.change([[1, "device", victim, {"certificate": stranger.certificate}]])))
    assert line.error is None
    sync(a, b)
    for engine in (a, b):
        assert engine.reading.certificates()[b.identity.device] == b.identity.certificate
        assert len(engine.members()) == 3
        assert stranger.device not in engine.reading.certificates()
    b.create_task(edda.Task(title="still a member"))
    sync(a, b)
    assert a.counts()["tasks"] == 1


def test_a_member_that_adds_a_device_says_so_itself(engines: Engines) -> None:
    a, _, c = engines
    stranger, liar = Identity.create(), Liar(c)
    line = Line(liar, a)
    entity = device_entity(stranger.public_key)
    line.send(liar.batch(liar.change([Put("device", entity, {"record": record_of(stranger, a.identity)})])))
    assert a.refused() == 1
    assert stranger.device not in a.reading.certificates()


def test_a_key_that_was_never_made_a_member_is_refused_whatever_it_claims(engines: Engines) -> None:
    a, _, c = engines
    liar = Liar(c)
    liar.identity = Identity.create()
    liar.birth = Birth(
        liar.identity.public_key, os.urandom(16), liar.birth.parent, liar.birth.parent_seq, liar.birth.parent_hash
    )
    liar.actor = changes.actor_of(changes.encode_birth(liar.birth))
    line = Line(Liar(c), a)
    line.send(liar.batch(liar.change([Touch("task", b"t" * 16)])))
    assert line.error is not None
    assert liar.actor not in a.frontier()


# --- epochs -----------------------------------------------------------------------------------------------------------


def cell_of(epoch: EpochRecord) -> dict[str, bytes]:
    encoded = records.encode(epoch)
    return {f"epoch.{records.epoch_name(encoded).hex()}": encoded}


def test_nobody_takes_the_greatest_depth_of_an_epoch_or_begins_a_second_line_of_epochs(engines: Engines) -> None:
    a, b, c = engines
    liar, key = Liar(c), records.commitment_of(b"k" * 32)
    with a.store.read() as reader:
        first = workspaces.ring(reader)[-1][0]
    second = EpochRecord(1, first, key)
    name = bytes.fromhex(next(iter(cell_of(second))).removeprefix("epoch."))
    wrong = [
        EpochRecord((1 << 32) - 1, b"f" * 32, key),
        EpochRecord((1 << 32) - 1, first, key),
        EpochRecord(0, None, key),
        EpochRecord(3, name, key),
        second,  # a second time: it is written once
    ]
    line = Line(liar, a)
    good = [Put("workspace", a.workspace, cell_of(each)) for each in (second, EpochRecord(2, name, key))]
    bad = [Put("workspace", a.workspace, cell_of(each)) for each in wrong]
    line.send(liar.batch(liar.change(good), liar.change(bad)))
    assert line.error is None
    sync(a, b)
    for engine in (a, b):
        assert engine.refused() == len(wrong)
        before = engine.digest()
        engine.rebuild()
        assert engine.digest() == before


# --- equality ---------------------------------------------------------------------------------------------------------


def test_a_false_proof_causes_no_refold_and_a_true_one_is_believed_again(engines: Engines) -> None:
    a, _, c = engines
    a.create_task(edda.Task(title="Buy milk"))
    sync(a, c)
    liar = Liar(c)
    with a.store.read() as reader:
        heads = tuple(Summary(head.actor, head.seq, head.hash[:16]) for head in sorted(reader.log.heads().values()))
    line = Line(liar, a, liar.hello(heads))
    folded = 0
    for turn in range(20):
        lie = os.urandom(16)
        truth = line.replica.exchange.proof()
        line.send(Ack((), 0, False, lie + truth.heads_hash, 0, truth.evidence))
        line.send(Cells(lie + truth.heads_hash, 0, os.urandom(64 * 61)))
        line.send(Ack((), 0, False, truth.encoded, 0, truth.evidence))
        line.wait(1.0)
        folded += sum(len(each.keys) for each in line.effects if isinstance(each, Differs))
        assert folded <= limits.MENDED_ENTITIES_MAX, turn
        if line.error is not None:
            break
    assert any(isinstance(effect, Proved) for effect in line.effects)


def test_an_absurd_frontier_stops_nothing(engines: Engines) -> None:
    a, b, c = engines
    liar = Liar(c)
    with a.store.read() as reader:
        heads = [Summary(head.actor, (1 << 47) + head.seq, bytes(16)) for head in sorted(reader.log.heads().values())]
    line = Line(liar, a, liar.hello(heads))
    a.create_task(edda.Task(title="goes on"))
    assert line.error is None
    sync(a, b)
    assert b.counts()["tasks"] == 1


# --- forks ------------------------------------------------------------------------------------------------------------


def test_claims_of_forks_begin_no_life_and_are_no_forks(engines: Engines) -> None:
    a, b, c = engines
    a.create_task(edda.Task(title="one"))
    sync(a, b)
    sync(a, c)
    before = set(a.frontier())
    for _ in range(10):
        liar = Liar(c)
        with a.store.read() as reader:
            heads = [Summary(head.actor, head.seq, os.urandom(16)) for head in sorted(reader.log.heads().values())]
        line = Line(liar, a, liar.hello(heads))
        assert line.error is None
        a.create_task(edda.Task(title="more"))
    assert set(a.frontier()) == before, "a new life was begun because somebody claimed something"
    assert a.reading.forked() == []
    sync(a, b)
    assert a.digest() == b.digest()


# --- lives ------------------------------------------------------------------------------------------------------------


def test_thousands_of_lives_do_not_stop_anybody(engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c = engines
    monkeypatch.setattr(limits, "HEADS_MAX", 100)  # so that a hello has many pages
    monkeypatch.setattr(limits, "DEPS_MAX", 50)
    line = Line(Liar(c), a)
    count = 600
    for number in range(count):
        liar = Liar(c)
        line.send(liar.batch(liar.change([Touch("task", number.to_bytes(16, "big"))], deps=liar.deps_but_parent())))
        assert line.error is None
    assert len(a.frontier()) >= count
    a.create_task(edda.Task(title="a goes on"))
    sync(a, b)
    b.create_task(edda.Task(title="b goes on"))
    sync(a, b)
    assert a.digest() == b.digest()
    assert b.counts()["tasks"] == count + 2
    assert sum(life.is_leaf for life in a.reading.lives()) > limits.LEAVES_MAX


def test_a_newcomer_gets_a_segment_with_more_heads_than_one_message_can_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, small in (("FRAME_BYTES_MAX", 24 * 1024), ("BATCH_BYTES_MAX", 6 * 1024), ("PART_BYTES_MAX", 8 * 1024),
                        ("HEADS_MAX", 100), ("DEPS_MAX", 50), ("SEGMENT_SAVES_US_MIN", BY_SEGMENT)):  # fmt: skip
        monkeypatch.setattr(limits, name, small)
    with devices(2, backend="memory") as (a, c):
        line = Line(Liar(c), a)
        for number in range(700):
            liar = Liar(c)
            line.send(liar.batch(liar.change([Touch("task", number.to_bytes(16, "big"))], deps=liar.deps_but_parent())))
            assert line.error is None
        newcomer = StorageEngine(tmp_path / "newcomer")
        newcomer.open_store(StorageConfig(backend="memory", name="newcomer"))
        pair(a, newcomer)
        sync(a, newcomer)
        with newcomer.store.read() as reader:
            assert not reader.segments.merged(), "it began with a segment, and has read the log behind it since"
        newcomer.create_task(edda.Task(title="goes on"))
        sync(newcomer, a)
        assert a.counts()["tasks"] == 701


def test_a_birth_that_is_too_long_for_a_proof_of_a_fork_begins_no_life(engines: Engines) -> None:
    a, _, c = engines
    liar = Liar(c)
    liar.birth = msgspec.structs.replace(liar.birth, ext=((2, bytes(limits.BIRTH_BYTES_MAX)),))
    liar.actor = changes.actor_of(changes.encode_birth(liar.birth))
    line = Line(liar, a)
    line.send(liar.batch(liar.change([Touch("task", b"t" * 16)])))
    assert line.error is not None
    assert liar.actor not in a.frontier()


# --- budgets ----------------------------------------------------------------------------------------------------------


def test_a_change_that_puts_too_much_into_one_entity_is_refused_on_every_device(engines: Engines) -> None:
    a, b, c = engines
    liar = Liar(c)
    line = Line(liar, a)
    many = {
        f"tag.{number:08x}-0000-8000-8000-000000000000": True for number in range(limits.ENTITY_CHANGE_CELLS_MAX + 1)
    }
    line.send(liar.batch(liar.change([Put("task", b"u" * 16, many)])))
    assert line.error is None
    assert a.refused() == 1
    sync(a, b)
    assert a.digest() == b.digest()


def test_a_member_that_acknowledges_what_was_never_sent_is_disconnected(engines: Engines) -> None:
    a, _, c = engines
    line = Line(Liar(c), a)
    line.send(Ack((), 1 << 20, False, b"", 0))
    assert line.error is not None


def test_a_member_that_asks_for_the_same_thing_without_end_is_disconnected(engines: Engines) -> None:
    a, _, c = engines
    for number in range(50):
        a.create_task(edda.Task(title=f"task {number}"))
    line = Line(Liar(c), a)
    for _ in range(limits.AGAINS_MAX + 2):
        line.send(Ack((), frames_heard(line), True, b"", 0))
    assert line.error is not None


def test_a_member_that_keeps_asking_for_what_is_on_its_way_gets_nothing_more(engines: Engines) -> None:
    a, _, c = engines
    a.create_task(edda.Task(title="task"))
    line = Line(Liar(c), a)
    line.send(Ack((), 0, True, b"", 0))
    before = len(line.heard)
    for _ in range(limits.AGAINS_MAX + 2):
        line.send(Ack((), 0, True, b"", 0))
    assert len(line.heard) == before


def frames_heard(line: Line) -> int:
    """The number of data frames that a liar was sent."""
    return sum(isinstance(message, Changes | Part) for message in line.heard)


def test_a_write_beyond_what_one_life_may_write_into_one_entity_is_refused_at_commit_with_a_way_out(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _ = engines
    note = a.create_document(edda.Document(title="Note", content="words"))
    sync(a, b)
    monkeypatch.setattr(limits, "ENTITY_LIFE_CELLS_MAX", 8)
    monkeypatch.setattr(limits, "ENTITY_LIFE_BYTES_MAX", 3_000)
    for number in range(3):
        a.update_document(edda.Document(id=note, title=f"Note {number}"))
    with pytest.raises(LimitError, match="go on in a new one"):
        a.update_document(edda.Document(id=note, title="one cell too many"))
    b.update_document(edda.Document(id=note, title="another device's budget is its own"))
    monkeypatch.setattr(limits, "ENTITY_LIFE_CELLS_MAX", 10)
    a.edit_text(note, "content", [(0, 0, "more " * 500)])
    with pytest.raises(LimitError, match="go on in a new one"):
        a.edit_text(note, "content", [(0, 0, "more " * 500)])
    a.create_document(edda.Document(title="a new one"))
    sync(a, b)
    assert (a.refused(), b.refused()) == (0, 0)
    assert a.rebuild() > 0
    assert a.digest() == b.digest()


def test_all_devices_refuse_what_is_beyond_the_budget_of_a_life_in_every_order_of_arrival(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = engines
    monkeypatch.setattr(limits, "ENTITY_LIFE_CELLS_MAX", 5)
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    one, other, task = Liar(c), Liar(c), b"t" * 16
    for liar, order in ((one, (a, b)), (other, (b, a))):
        batch = liar.batch(*[liar.change([Put("task", task, {"title": f"{n}"})]) for n in range(7)])
        for engine in order:
            assert Line(liar, engine).send(batch) is not None
    sync(a, b)
    assert a.refused() == b.refused() == 4  # two of each
    before = a.digest()
    a.rebuild()
    assert a.digest() == before == b.digest()
    newcomer = StorageEngine(tmp_path / "newcomer")
    newcomer.open_store(StorageConfig(backend="memory"))
    pair(a, newcomer)
    sync(a, newcomer)  # by a segment, and then by the log behind it
    assert newcomer.refused() == 4
    more = one.batch(one.change([Put("task", task, {"priority": 1})]))
    for engine in (newcomer, b):
        Line(one, engine).send(more)
        assert engine.refused() == 5


def test_each_branch_goes_on_from_the_budget_that_its_chain_had_spent_before_the_fork(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, c = engines
    monkeypatch.setattr(limits, "ENTITY_LIFE_CELLS_MAX", 4)
    liar, task = Liar(c), b"t" * 16
    common = [liar.change([Put("task", task, {"title": f"{n}"})]) for n in range(3)]
    twin = copy.copy(liar)
    ours = [liar.change([Put("task", task, {"priority": n})]) for n in (1, 2)]
    theirs = [twin.change([Put("task", task, {"status": status})]) for status in ("open", "blocked")]
    Line(liar, a).send(liar.batch(*common, *ours))
    Line(twin, b).send(twin.batch(*common, *theirs))
    assert a.refused() == b.refused() == 1
    sync(a, b)
    assert a.reading.forked() == b.reading.forked() == [c.identity.device]
    for engine in (a, b):
        assert engine.refused() == 2
        (found,) = engine.query_tasks(edda.TaskQuery())
        assert (found.title, found.priority, found.status) == ("2", 1, "open")
        before = engine.digest()
        engine.rebuild()
        assert engine.digest() == before
    later = liar.batch(liar.change([Put("task", task, {"due_date": None})]))
    for engine in (a, b):
        Line(liar, engine).send(later)
        assert engine.refused() == 3
    assert a.digest() == b.digest()
