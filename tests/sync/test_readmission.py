"""Readmission: what becomes of a newcomer's writes when its inviter's disk was put back, so that the admission is lost."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.crdt import records
from edda_sync.engine import doctor, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.simulations.liars import PUT, body_of, header_of, signed_by
from edda_sync.simulations.strange import append
from edda_sync.sync import readmission
from edda_sync.sync.messages import Changes
from edda_sync.testing import Talk, devices, pair, sync
from edda_sync.words import limits
from edda_sync.workspace import authority, closing
from edda_sync.workspace.actor import new_life
from edda_sync.workspace.keys import BIRTH_KEY
from tests.sync.batches import dots, exchange_of
from tests.sync.copies import Copier, assert_equal, copier, end_life, meet_all, own_actor, titles
from tests.sync.network import Network, name_of
from tests.sync.newcomers import Newcomers, begin_with_segment, is_provisional, newcomers


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Scene:
    """
    A laptop, a phone, and a tablet that the laptop lets in; then an older copy of the laptop takes its place.

    The laptop itself is the disk that nobody sees any more, unless a test says otherwise.
    """

    def __init__(self, laptop: StorageEngine, phone: StorageEngine, copies: Copier, newcomer: Newcomers) -> None:
        self.laptop, self.phone, self.copies, self.new = laptop, phone, copies, newcomer
        self.task = laptop.create_task(edda.Task(title="Buy milk", description="one two"))
        self.other = laptop.create_task(edda.Task(title="Other"))
        sync(laptop, phone)
        self.old = copies(laptop)
        self.old.store.transact(lambda tx: new_life(tx, self.old.writing.random(16), "an older state was put back"))
        self.tablet = newcomer(laptop)

    def let_in_again(self, host: StorageEngine | None = None) -> None:
        """Do what `edda invite` and `edda join` do; then let the two sync."""
        host = host or self.old
        pair(host, self.tablet)
        self.tablet.membership.readmit()
        sync(host, self.tablet)

    def everybody(self, *more: StorageEngine) -> None:
        """Let all meet: then they hold and show the same, and nothing is kept back."""
        engines = [self.old, self.phone, self.tablet, *more]
        meet_all(engines)
        assert_equal(engines)
        assert [standing.facts(each)["unshared"] for each in engines] == [0] * len(engines)


@pytest.fixture
def scene(backend: str, tmp_path: Path) -> Iterator[Scene]:
    with (
        devices(2, backend=backend) as (laptop, phone),
        copier(tmp_path) as copies,
        newcomers(tmp_path, backend) as newcomer,
    ):
        yield Scene(laptop, phone, copies, newcomer)


def made_by(engine: StorageEngine, device: StorageEngine) -> list[changes.Header]:
    """The headers of the changes that a device made, as in another device's log."""
    with engine.store.read() as reader:
        headers = [changes.decode_header(reader.log.read(at).raw) for at in reader.log.positions_after({})]
        births = {name: changes.decode_birth(head.birth) for name, head in reader.log.heads().items()}
    return [each for each in headers if births[each.actor].public_key == device.identity.public_key]


def admissions(engine: StorageEngine, device: StorageEngine) -> int:
    """The number of changes that say that a device is a member."""
    with engine.store.read() as reader:
        entity = authority.device_of(reader, device.identity.public_key)
    return 0 if entity is None else len(entity.cells["record"])


def description(engine: StorageEngine, task: str) -> str | None:
    """The content of a task's text; None if the task is not shown."""
    found = engine.get_task(task)
    return None if found is None else str(found.description)


# --- let in again -----------------------------------------------------------------------------------------------------


def test_what_a_newcomer_wrote_reaches_everybody_once_it_is_let_in_again(scene: Scene) -> None:
    tablet = scene.tablet
    task = tablet.create_task(edda.Task(title="mine", description="one three", tags={"own"}))
    gone = tablet.create_task(edda.Task(title="gone"))
    note = tablet.create_document(edda.Document(title="note", content="of the tablet"))
    tablet.transact(lambda tx: tx.link(task, note, "about"))
    tablet.edit_text(task, "description", [(3, 0, " two")])
    tablet.update_task(edda.Task(id=task, title="mine, again"))
    tablet.delete_task(gone)
    assert standing.facts(tablet)["unshared"] == 7
    scene.let_in_again()
    scene.everybody()
    for engine in (scene.old, scene.phone, tablet):
        found, document = engine.get_task(task), engine.get_document(note)
        assert found is not None
        assert document is not None
        assert (found.title, found.description, found.tags) == ("mine, again", "one two three", {"own"})
        assert document.content == "of the tablet"
        assert engine.get_task(gone) is None
        assert len(engine.links()) == 1
        assert engine.conflicts() == []
    lives = [each for each in scene.phone.reading.lives() if each.device == name_of(tablet)]
    assert [(each.seq, each.why) for each in lives] == [(7, readmission.WHY)]


def test_who_asked_for_it_when_and_why_stays_with_each_change(scene: Scene) -> None:
    tablet = scene.tablet
    tablet.transact(lambda tx: tx.create_task(edda.Task(title="a")), agent="planner", reason="the plan of the week")
    tablet.create_task(edda.Task(title="b"))
    before = made_by(tablet, tablet)
    scene.let_in_again()
    after = made_by(scene.old, tablet)
    assert [(each.agent, each.reason, each.wall_ms) for each in after] == [
        (each.agent, each.reason, each.wall_ms) for each in before
    ]
    assert (after[0].agent, after[0].reason) == ("planner", "the plan of the week")
    assert {each.actor for each in after}.isdisjoint(each.actor for each in before)


def test_the_closing_of_a_life_that_is_written_again_in_another_one_is_forgotten_with_it(scene: Scene) -> None:
    tablet = scene.tablet
    tablet.create_task(edda.Task(title="mine"))
    end_life(tablet)
    tablet.store.transact(lambda tx: new_life(tx, tablet.writing.random(16), "a copy"))
    tablet.create_task(edda.Task(title="mine, too"))
    scene.let_in_again()
    with tablet.store.read() as reader:
        assert closing.held(reader) == []
    scene.everybody()


def test_all_lives_that_wrote_early_and_large_changes_are_written_again(scene: Scene) -> None:
    tablet, words = scene.tablet, "x" * (limits.PART_BYTES_MAX + 1)
    large = tablet.create_task(edda.Task(title="large", description=words))
    tablet.store.transact(lambda tx: new_life(tx, tablet.writing.random(16), "a copy"))
    tablet.edit_text(large, "description", [(len(words), 0, "y" * 2_000)])
    tablet.store.transact(lambda tx: new_life(tx, tablet.writing.random(16), "another copy"))
    tablet.create_task(edda.Task(title="last"))
    tablet.store.transact(lambda tx: new_life(tx, tablet.writing.random(16), "one that never writes"))
    scene.let_in_again()
    scene.everybody()
    assert description(scene.phone, large) == words + "y" * 2_000
    assert "last" in titles(scene.phone)
    assert [each.seq for each in scene.old.reading.lives() if each.device == name_of(tablet)] == [3]


def test_another_member_may_let_it_in_again(scene: Scene) -> None:
    mine = scene.tablet.create_task(edda.Task(title="mine"))
    watch = scene.new(scene.phone)
    sync(scene.phone, watch)
    scene.let_in_again(watch)
    assert watch.get_task(mine) is not None
    scene.everybody(watch)


def test_a_host_that_does_not_notice_that_it_was_put_back_lets_it_in_under_the_same_name(scene: Scene) -> None:
    twin = scene.copies(scene.old)
    with twin.store.read() as reader:
        assert own_actor(twin) not in reader.log.heads()
    mine = scene.tablet.create_task(edda.Task(title="mine"))
    scene.let_in_again(twin)
    assert twin.get_task(mine) is not None
    assert_equal([twin, scene.tablet])


def test_who_has_written_nothing_goes_on_behind_what_lets_it_in_again_with_its_first_change(scene: Scene) -> None:
    scene.let_in_again()
    mine = scene.tablet.create_task(edda.Task(title="mine"))
    assert standing.facts(scene.tablet)["unshared"] == 0
    scene.everybody()
    assert scene.phone.get_task(mine) is not None


def test_what_is_written_before_the_other_change_is_here_counts_as_early(scene: Scene) -> None:
    pair(scene.old, scene.tablet)
    assert not scene.tablet.membership.readmit()
    mine = scene.tablet.create_task(edda.Task(title="mine"))
    sync(scene.old, scene.tablet)
    assert scene.old.get_task(mine) is not None
    scene.everybody()


def test_a_store_that_was_stuck_goes_on_as_soon_as_it_is_opened_with_what_it_holds(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a former version left it: it held another change that made it a member, and its writes depended on the lost one."""
    mine = scene.tablet.create_task(edda.Task(title="mine"))
    pair(scene.old, scene.tablet)
    with monkeypatch.context() as former:
        former.setattr(readmission, "is_due", lambda _reader: False)
        Talk(scene.old, scene.tablet).run()
        assert scene.old.get_task(mine) is None
    assert scene.tablet.membership.readmit()
    assert not scene.tablet.membership.readmit()
    scene.everybody()
    assert scene.phone.get_task(mine) is not None


def test_a_later_life_names_nothing_either_while_what_the_first_one_continues_is_not_here(scene: Scene) -> None:
    tablet = scene.tablet
    tablet.create_task(edda.Task(title="first"))
    Talk(scene.phone, tablet).run()
    tablet.store.transact(lambda tx: new_life(tx, tablet.writing.random(16), "a copy"))
    tablet.create_task(edda.Task(title="second"))
    assert [each.deps for each in made_by(tablet, tablet)] == [(), ()]


def test_who_was_let_in_by_a_newcomer_is_let_in_again_with_it(scene: Scene) -> None:
    tablet = scene.tablet
    tablet.create_task(edda.Task(title="of the tablet"))
    watch = scene.new(tablet)
    mine = watch.create_task(edda.Task(title="of the watch"))
    Talk(tablet, watch).run()
    assert watch.frontier().keys().isdisjoint(tablet.frontier()), "what is early is given to nobody"
    scene.let_in_again()
    sync(tablet, watch)
    scene.everybody(watch)
    assert scene.phone.get_task(mine) is not None


@pytest.mark.parametrize("lost", [True, False])
def test_what_a_device_builds_on_the_early_writes_that_let_it_in_keeps_these_from_nobody(
    scene: Scene, lost: bool
) -> None:
    """Only a device of other software sends such changes; they come as much too early as what they are built on."""
    scene.tablet.create_task(edda.Task(title="of the tablet"))
    watch = scene.new(scene.tablet)
    made = [built_on(watch, number) for number in range(3)]
    taken = exchange_of(scene.tablet).taking.take(joined(made))
    assert (taken.applied, taken.early) == (0, True)
    assert len(made_by(scene.tablet, watch)) == 0
    if lost:
        scene.let_in_again()
    else:
        sync(scene.laptop, scene.tablet)
        assert exchange_of(scene.tablet).taking.take(joined(made)).applied == 3
    scene.everybody()
    assert "of the tablet" in titles(scene.phone)
    assert len(made_by(scene.phone, watch)) == (0 if lost else 3)


def test_what_is_built_on_early_writes_is_passed_over_while_what_they_continue_is_not_exchanged(scene: Scene) -> None:
    """The peer may hold all of it, and would send the same for ever."""
    scene.tablet.create_task(edda.Task(title="of the tablet"))
    batch = built_on(scene.new(scene.tablet), 0)
    (actor,) = (actor for actor, _ in dots(batch))
    with scene.tablet.store.read() as reader:
        host = changes.decode_birth(reader.meta.get(BIRTH_KEY) or b"").parent
    assert host is not None
    taken = exchange_of(scene.tablet).taking.take(batch, parted=frozenset({host}))
    assert (taken.applied, taken.early, list(taken.apart)) == (0, False, [actor])


def built_on(device: StorageEngine, number: int) -> Changes:
    """The first change of a life that continues what let a device in; ours gives none while that is early."""
    with device.store.read() as reader:
        birth = changes.decode_birth(reader.meta.get(BIRTH_KEY) or b"")
    birth = msgspec.structs.replace(birth, nonce=number.to_bytes(16, "big"))
    body = body_of([[PUT, "task", number.to_bytes(16, "big"), {"title": f"built on it {number}", "created_at": 0}]])
    header = header_of(changes.actor_of(changes.encode_birth(birth)), 1, body, birth=birth)
    return signed_by(device.identity, device.workspace, [(header, body)])


def joined(batches: list[Changes]) -> Changes:
    """Several batches as one."""
    return Changes(
        tuple(change for each in batches for change in each.changes),
        tuple(head for each in batches for head in each.heads),
    )


def test_who_was_let_in_by_a_newcomer_and_by_another_member_before_it_is_let_in_once(scene: Scene) -> None:
    watch = scene.new(scene.tablet)
    mine = watch.create_task(edda.Task(title="of the watch"))
    pair(scene.old, watch)
    scene.let_in_again()
    sync(scene.old, watch)
    scene.everybody(watch)
    assert admissions(scene.phone, watch) == 1
    assert scene.phone.get_task(mine) is not None


def test_what_it_wrote_of_a_device_that_is_a_member_is_written_again(scene: Scene) -> None:
    Talk(scene.phone, scene.tablet).run()
    scene.tablet.create_task(edda.Task(title="mine"))
    phone = records.device_entity(scene.phone.identity.public_key)
    assert append(scene.tablet, body_of([[PUT, "device", phone, {"name": "the old phone"}]])) is not None
    scene.let_in_again()
    scene.everybody()
    assert "the old phone" in [each.name for each in scene.old.members()]


# --- what it had seen -------------------------------------------------------------------------------------------------


def test_what_it_had_received_counts_as_seen_and_what_came_later_does_not(scene: Scene) -> None:
    tablet = scene.tablet
    talk = Talk(scene.phone, tablet)
    talk.run()
    assert "Buy milk" in titles(tablet)
    seen = tablet.create_task(edda.Task(title="own"))
    tablet.update_task(edda.Task(id=scene.task, title="Buy oats"))
    tablet.edit_text(scene.task, "description", [(7, 0, " three")])
    tablet.delete_task(scene.other)
    scene.phone.update_task(edda.Task(id=scene.task, title="Buy rye"))
    scene.phone.edit_text(scene.task, "description", [(0, 0, "zero ")])
    scene.let_in_again()
    scene.everybody()
    (kept,) = scene.old.conflicts()
    assert {kept.shown.value, *(each.value for each in kept.kept)} == {"Buy oats", "Buy rye"}
    assert description(scene.old, scene.task) == "zero one two three"
    assert scene.old.get_task(scene.other) is None
    assert scene.old.get_task(seen) is not None


def test_it_deletes_nothing_that_was_changed_since_it_looked(scene: Scene) -> None:
    Talk(scene.phone, scene.tablet).run()
    scene.tablet.delete_task(scene.other)
    scene.old.update_task(edda.Task(id=scene.other, title="Changed"))
    scene.let_in_again()
    scene.everybody()
    assert "Changed" in titles(scene.phone)


def test_drafts_on_a_segment_are_written_again_too(scene: Scene) -> None:
    pair(scene.old, scene.tablet)
    begin_with_segment(scene.old, scene.tablet)
    mine = scene.tablet.create_task(edda.Task(title="mine", description="one"))
    scene.tablet.edit_text(mine, "description", [(3, 0, " two")])
    scene.tablet.edit_text(scene.task, "description", [(7, 0, " three")])
    sync(scene.old, scene.tablet)
    assert is_provisional(scene.tablet) is None
    scene.everybody()
    assert description(scene.phone, mine) == "one two"
    assert description(scene.phone, scene.task) == "one two three"


# --- what is not lost after all ---------------------------------------------------------------------------------------


def test_the_lost_change_may_turn_up_after_it_was_let_in_again(scene: Scene) -> None:
    mine = scene.tablet.create_task(edda.Task(title="mine", description="one"))
    scene.let_in_again()
    sync(scene.laptop, scene.phone)  # copies of one device never have a session with each other
    sync(scene.phone, scene.tablet)
    scene.everybody()
    assert admissions(scene.phone, scene.tablet) == 2
    assert scene.phone.conflicts() == []
    assert description(scene.phone, mine) == "one"
    assert [each.seq for each in scene.phone.reading.lives() if each.device == name_of(scene.tablet)] == [1]


def test_the_lost_change_may_turn_up_before_it_was_let_in_again(scene: Scene) -> None:
    scene.tablet.create_task(edda.Task(title="mine"))
    before = made_by(scene.tablet, scene.tablet)
    sync(scene.laptop, scene.phone)
    sync(scene.phone, scene.tablet)
    scene.let_in_again()
    scene.everybody()
    assert made_by(scene.phone, scene.tablet) == before, "it is in its place, and stays as it is"
    assert admissions(scene.phone, scene.tablet) == 2


def test_a_newcomer_that_is_put_back_to_before_it_was_let_in_again_writes_nothing_twice(scene: Scene) -> None:
    tablet = scene.tablet
    mine = tablet.create_task(edda.Task(title="mine", description="one"))
    tablet.edit_text(mine, "description", [(3, 0, " two")])
    former = scene.copies(tablet)
    scene.let_in_again()
    sync(scene.old, scene.phone)
    former.edit_text(mine, "description", [(0, 0, "zero ")])
    former.update_task(edda.Task(id=mine, title="mine, again"))
    pair(scene.old, former)
    meet_all([scene.old, scene.phone, former])
    assert_equal([scene.old, scene.phone, former])
    assert description(scene.phone, mine) == "zero one two"
    assert "mine, again" in titles(scene.phone)
    assert len([each for each in made_by(scene.phone, tablet) if each.again is not None]) == 4


def test_a_newcomer_that_is_put_back_writes_again_what_only_half_arrived(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One change becomes two: what had not seen the present values, and what had."""
    tablet = scene.tablet
    Talk(scene.old, tablet).run()
    with tablet.begin_transaction() as tx:
        tx.update_task(edda.Task(id=scene.task, title="Buy rye"))
        tx.edit_text(scene.task, "description", [(0, 0, "zero ")])
    scene.old.update_task(edda.Task(id=scene.task, title="Buy oats"))
    former = scene.copies(tablet)
    pair(scene.old, tablet)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 500)
    network = Network(tablet, scene.old)
    network.connect(tablet, scene.old)
    while not made_by(scene.old, tablet):
        assert network.step()
    assert len(made_by(scene.old, tablet)) == 1
    monkeypatch.undo()
    pair(scene.old, former)
    meet_all([scene.old, scene.phone, former])
    assert_equal([scene.old, scene.phone, former])
    assert description(scene.phone, scene.task) == "zero one two"
    assert "Buy rye" in titles(scene.phone)


# --- what comes before what lets it in --------------------------------------------------------------------------------


def test_what_it_wrote_into_what_came_before_what_let_it_in_has_seen_that(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another member first gives its own changes, which the host did not know; and the tablet writes meanwhile."""
    laptop, phone, tablet = scene.laptop, scene.phone, scene.tablet
    note = phone.create_document(edda.Document(title="the phone's", content="words"))
    gone = phone.create_task(edda.Task(title="to be deleted"))
    phone.update_task(edda.Task(id=scene.other, title="Another"))
    sync(laptop, phone)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 600)
    network = Network(tablet, phone)
    network.connect(tablet, phone)
    while "Another" not in titles(tablet):
        assert network.step()
    assert standing.facts(tablet)["shut_out_by"] is None
    network.cut(tablet, phone)
    tablet.edit_text(note, "content", [(0, 0, "my ")])
    tablet.update_document(edda.Document(id=note, title="ours"))
    tablet.edit_text(note, "content", [(8, 0, " too")])
    tablet.delete_task(gone)
    mine = tablet.create_task(edda.Task(title="mine"))
    phone.update_task(edda.Task(id=scene.other, title="Another one"))
    sync(tablet, phone)
    sync(tablet, laptop)
    meet_all([laptop, phone, tablet])
    assert_equal([laptop, phone, tablet])
    found = laptop.get_document(note)
    assert found is not None
    assert (found.title, found.content) == ("ours", "my words too")
    assert laptop.get_task(gone) is None
    assert laptop.get_task(mine) is not None
    assert laptop.conflicts() == []
    assert [each.refused() for each in (laptop, phone, tablet)] == [0, 0, 0]
    lives = [each for each in phone.reading.lives() if each.device == name_of(tablet)]
    assert [(each.seq, each.why) for each in lives] == [(5, readmission.SAW_OTHERWISE)]


def test_what_it_wrote_before_it_was_let_in_keeps_its_life_where_nothing_else_is_about_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone, tablet = scene.laptop, scene.phone, scene.tablet
    phone.create_document(edda.Document(title="the phone's", content="words"))
    sync(laptop, phone)
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 600)
    network = Network(tablet, phone)
    network.connect(tablet, phone)
    while not tablet.query_documents(edda.DocumentQuery()):
        assert network.step()
    network.cut(tablet, phone)
    tablet.create_task(edda.Task(title="mine"))
    sync(tablet, phone)
    meet_all([laptop, phone, tablet])
    assert_equal([laptop, phone, tablet])
    lives = [each for each in phone.reading.lives() if each.device == name_of(tablet)]
    assert [(each.seq, each.why) for each in lives] == [(1, "")]


# --- what only a newer version can read -------------------------------------------------------------------------------


def test_an_operation_of_a_newer_version_is_carried_over_as_it_stands(scene: Scene) -> None:
    tablet = scene.tablet
    tablet.create_task(edda.Task(title="mine"))
    task = bytes(range(16))
    body = body_of([[99, "task", task, {"any": "thing"}], [PUT, "task", task, {"title": "newer", "created_at": 0}]])
    assert append(tablet, body, operations=2) is not None
    scene.let_in_again()
    scene.everybody()
    assert scene.phone.waiting() == tablet.waiting() == 1
    assert "newer" in titles(scene.phone)


@pytest.mark.parametrize("is_own", [True, False])
def test_what_a_newer_version_wrote_keeps_its_place_among_the_rest(scene: Scene, is_own: bool) -> None:
    """It is not replaced by what was there before it."""
    tablet = scene.tablet
    mine = tablet.create_task(edda.Task(title="first")) if is_own else str(uuid.UUID(bytes=bytes(range(16))))
    tablet.create_task(edda.Task(title="else"))
    body = body_of([[PUT, "task", uuid.UUID(mine).bytes, {"title": "second", "created_at": 0, "newer": 1}]])
    assert append(tablet, body) is not None
    if not is_own:
        tablet.update_task(edda.Task(id=mine, title="third"))
        tablet.edit_text(mine, "description", [(0, 0, "words")])
        tablet.edit_text(mine, "description", [(5, 0, " more")])
    before = tablet.get_task(mine)
    scene.let_in_again()
    scene.everybody()
    found = scene.phone.get_task(mine)
    assert before is not None
    assert found is not None
    assert (found.title, found.description) == (before.title, before.description)
    assert scene.phone.conflicts() == []


def test_a_change_of_a_newer_level_is_kept_until_this_version_can_read_it(scene: Scene) -> None:
    tablet = scene.tablet
    mine = tablet.create_task(edda.Task(title="mine"))
    task = bytes(range(16))
    body = body_of([[PUT, "task", task, {"title": "newer", "created_at": 0}]])
    assert append(tablet, body, level=changes.LEVEL + 1) is not None
    pair(scene.old, tablet)
    Talk(scene.old, tablet).run()
    assert standing.facts(tablet)["unshared"] == 2
    assert tablet.get_task(mine) is not None
    assert [finding for finding in doctor.check(tablet) if not finding.sound] == []


# --- telling people ---------------------------------------------------------------------------------------------------


def test_a_device_that_is_refused_where_it_was_let_in_says_so_until_it_is_known_there(scene: Scene) -> None:
    host, stranger = name_of(scene.old), name_of(scene.phone)
    assert not standing.note_refusal(scene.tablet, stranger, standing.Remembered()), "it may not have heard of it yet"
    assert standing.facts(scene.tablet)["shut_out_by"] is None
    assert standing.note_refusal(scene.tablet, stranger, standing.Remembered(proved_s=1.0))
    assert standing.note_refusal(scene.tablet, host, standing.Remembered())
    assert standing.facts(scene.tablet)["shut_out_by"] == host
    (found,) = [each for each in doctor.check(scene.tablet) if each.check == "membership"]
    assert not found.sound, "something is to be done"
    assert "does not know this device any more" in found.detail
    standing.note_known(scene.tablet, stranger)
    assert standing.facts(scene.tablet)["shut_out_by"] == host
    standing.note_known(scene.tablet, host)
    assert standing.facts(scene.tablet)["shut_out_by"] is None
    standing.note_refusal(scene.tablet, host, standing.Remembered())
    scene.let_in_again()
    assert standing.facts(scene.tablet)["shut_out_by"] is None
    assert [each for each in doctor.check(scene.tablet) if each.check == "membership"] == []
