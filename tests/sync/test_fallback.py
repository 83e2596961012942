"""Falling back from a segment to the log: drafts are given to nobody before, and written again afterwards."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.changes.change import decode_header
from edda_sync.engine import doctor, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync import readmission
from edda_sync.sync.behind import LogBehind
from edda_sync.sync.messages import Earlier
from edda_sync.testing import devices, pair, replica_of, sync
from edda_sync.words import limits
from edda_sync.words.errors import DiskFullError, UsageError
from edda_sync.words.listed import DELETED
from edda_sync.words.values import id_text
from edda_sync.workspace import closing
from edda_sync.workspace.actor import actor_of, new_life
from tests.sync.copies import Copier, assert_equal, copier, end_life, shown, titles
from tests.sync.network import Network, name_of
from tests.sync.newcomers import (
    Newcomers,
    alter,
    begin_with_segment,
    forged_by,
    is_provisional,
    met,
    newcomers,
)


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Scene:
    """
    A laptop, a phone, and a tablet that is about to begin with a segment.

    The laptop's copy lies in its segments. With ``withhold``, its segment names a change that nobody will ever see.
    """

    def __init__(self, laptop: StorageEngine, phone: StorageEngine, copy: Copier, newcomer: Newcomers) -> None:
        self.laptop, self.phone = laptop, phone
        self.task = laptop.create_task(edda.Task(title="Buy milk", description="and eggs", tags={"home"}))
        self.other = laptop.create_task(edda.Task(title="Other"))
        sync(laptop, phone)
        phone.create_document(edda.Document(title="Of the phone", content="words"))
        self.tablet = newcomer(phone)
        self.new = newcomer
        sync(laptop, phone)
        self.liar = copy(laptop)

    def withhold(self) -> None:
        """Let the tablet begin with a segment at a change that its author shows to nobody."""
        self.liar._opened.sidecar = None
        self.liar.update_task(edda.Task(id=self.task, title="Buy a yacht"))
        begin_with_segment(self.liar, self.tablet)

    def everybody(self, *more: StorageEngine) -> None:
        """All have met, hold and show the same, and believe no segment."""
        engines = [self.laptop, self.phone, self.tablet, *more]
        for _ in range(3):
            for engine in engines:
                if engine is not self.phone:
                    sync(self.phone, engine)
        assert_equal(engines)
        assert not any(map(is_provisional, engines))


@pytest.fixture
def scene(backend: str, tmp_path: Path) -> Iterator[Scene]:
    with (
        devices(2, backend=backend) as (laptop, phone),
        copier(tmp_path) as copy,
        newcomers(tmp_path, backend) as newcomer,
    ):
        yield Scene(laptop, phone, copy, newcomer)


# --- drafts -----------------------------------------------------------------------------------------------------------


def test_what_is_written_on_a_segment_is_given_to_nobody_until_the_log_has_confirmed_it(scene: Scene) -> None:
    scene.withhold()
    tablet = scene.tablet
    mine = tablet.create_task(edda.Task(title="mine"))
    with tablet.store.read() as reader:
        life = actor_of(reader)
    network = Network(tablet, scene.phone)
    network.connect(tablet, scene.phone)
    for _ in range(200):
        network.step()
        if network.now > limits.BEHIND_STALLED_S / 2:
            break
    assert life not in scene.phone.frontier()
    assert tablet.get_task(mine) is not None


def test_drafts_are_the_same_changes_once_the_segment_is_confirmed(scene: Scene) -> None:
    begin_with_segment(scene.laptop, scene.tablet)
    scene.tablet.create_task(edda.Task(title="mine"))
    with scene.tablet.store.read() as reader:
        head = reader.log.heads()[actor_of(reader)]
    sync(scene.laptop, scene.tablet)
    assert is_provisional(scene.tablet) is None
    with scene.laptop.store.read() as reader:
        assert reader.log.heads()[head.actor][:3] == head[:3]
    scene.everybody()


def test_who_holds_what_is_not_proved_lets_nobody_in(scene: Scene, tmp_path: Path) -> None:
    begin_with_segment(scene.laptop, scene.tablet)
    with pytest.raises(UsageError, match="Try again in a moment"):
        scene.tablet.membership.check_can_invite()
    watch = StorageEngine(tmp_path / "watch")
    watch.open_store(edda.StorageConfig(backend="memory", name="watch"))
    with pytest.raises(UsageError, match="invite from another device"):
        pair(scene.tablet, watch)
    sync(scene.laptop, scene.tablet)
    pair(scene.tablet, watch)
    sync(scene.tablet, watch)
    sync(scene.tablet, scene.phone)
    scene.everybody(watch)
    watch.close()


@pytest.mark.parametrize("forged", [False, True])
def test_drafts_that_cannot_name_all_that_they_have_seen_are_written_again_once_the_log_is_here(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, forged: bool
) -> None:
    laptop, tablet = scene.laptop, scene.tablet
    for number in range(6):
        laptop.store.transact(lambda tx: new_life(tx, laptop.writing.random(16)))
        laptop.update_task(edda.Task(id=scene.task, title=f"Buy {number} eggs"))
    text = laptop.create_document(edda.Document(title="Note", content="one three"))
    laptop.edit_text(text, "content", [(4, 0, "two ")])
    sync(laptop, scene.phone)
    monkeypatch.setattr(limits, "DEPS_MAX", 2)
    if forged:
        alter(laptop, "task", scene.task, title="Buy a yacht")
    begin_with_segment(laptop, tablet)
    if forged:
        laptop.rebuild()
    tablet.update_task(edda.Task(id=scene.task, title="Buy a dozen", tags={"home", "work"}))
    tablet.edit_text(text, "content", [(4, 3, "2")])
    tablet.store.transact(lambda tx: new_life(tx, tablet.writing.random(16)))
    tablet.edit_text(text, "content", [(0, 3, "1")])
    tablet.delete_task(scene.other)
    before = shown(tablet)
    tablet.rebuild()
    assert shown(tablet) == before, "they have seen all of the segment"
    assert [finding for finding in doctor.check(tablet) if not finding.sound] == []
    network = met(tablet, scene.phone)
    assert len(network.proved) == 2
    assert forged_by(tablet) == (name_of(laptop) if forged else None)
    scene.everybody()
    read = laptop.get_document(text)
    assert read is not None
    assert read.content == "1 2 three"
    assert [each.field for each in laptop.conflicts()] == (["title"] if forged else [])
    assert "Buy a dozen" in titles(laptop) or forged
    assert laptop.get_task(scene.other) is None
    with tablet.store.read() as reader:
        raws = [reader.log.read(at).raw for at in reader.log.positions_after({})]
    assert all(len(decode_header(raw).deps) <= limits.DEPS_MAX for raw in raws[-3:])


# --- a log that never comes -------------------------------------------------------------------------------------------


def test_a_segment_at_a_change_that_nobody_shows_is_given_up_and_what_was_written_goes_to_all(scene: Scene) -> None:
    scene.withhold()
    tablet = scene.tablet
    assert "Buy a yacht" in titles(tablet)
    mine = tablet.create_task(edda.Task(title="mine", description="one two", tags={"own", "home"}))
    tablet.edit_text(mine, "description", [(3, 0, " and a half")])
    tablet.update_task(edda.Task(id=scene.task, priority=0))
    tablet.edit_text(scene.task, "description", [(8, 0, " and oats")])
    tablet.delete_task(scene.other)
    network = met(tablet, scene.phone)
    assert is_provisional(tablet) is None
    assert len(network.proved) == 2
    facts = standing.facts(tablet)
    assert (facts["provisional"], facts["forged_by"]) == (None, None)
    assert facts["unproved_by"] == name_of(scene.laptop)
    scene.everybody()
    own, task = scene.laptop.get_task(mine), scene.laptop.get_task(scene.task)
    assert own is not None
    assert task is not None
    assert (own.description, own.tags) == ("one and a half two", {"own", "home"})
    assert (task.title, task.priority, task.description) == ("Buy milk", 0, "and eggs and oats")
    assert scene.laptop.get_task(scene.other) is None, "what the segment showed truly counts as seen"
    assert scene.laptop.conflicts() == []


def test_what_was_written_on_a_segment_in_lives_of_which_one_continues_another_goes_to_all(scene: Scene) -> None:
    """Nobody will ever hold the change that the later ones continue."""
    scene.withhold()
    tablet = scene.tablet
    for number in range(3):
        tablet.create_task(edda.Task(title=f"in life {number}"))
        tablet.store.transact(lambda tx: new_life(tx, tablet.writing.random(16)))
    assert len(met(tablet, scene.phone).proved) == 2
    tablet.create_task(edda.Task(title="in life 3"))
    scene.everybody()
    assert {f"in life {number}" for number in range(4)} < set(titles(scene.laptop))


def test_the_closing_of_a_life_that_was_begun_on_a_segment_is_forgotten_with_it(scene: Scene) -> None:
    scene.withhold()
    tablet = scene.tablet
    tablet.create_task(edda.Task(title="mine"))
    end_life(tablet)
    tablet.store.transact(lambda tx: new_life(tx, tablet.writing.random(16)))
    assert len(met(tablet, scene.phone).proved) == 2
    with tablet.store.read() as reader:
        assert closing.held(reader) == []
    scene.everybody()
    assert "mine" in titles(scene.laptop)


def test_what_was_made_edited_and_deleted_on_a_segment_is_all_there_where_not_even_the_admission_is(
    scene: Scene,
) -> None:
    """Then the life in which it is written again can have seen nothing, and its writes keep their order."""
    tablet = scene.new(scene.liar)
    begin_with_segment(scene.liar, tablet)
    mine = tablet.create_task(edda.Task(title="mine", description="one two"))
    tablet.edit_text(mine, "description", [(7, 0, " three")])
    tablet.update_task(edda.Task(id=mine, priority=0))
    gone = tablet.create_task(edda.Task(title="gone", description="four"))
    tablet.edit_text(gone, "description", [(4, 0, " five")])
    tablet.delete_task(gone)
    tablet.edit_text(scene.task, "description", [(8, 0, " and oats")])
    replica_of(tablet).exchange.behind.give_up()
    shown = tablet.get_task(mine)
    assert shown is not None
    assert (shown.title, shown.description, shown.priority) == ("mine", "one two three", 0)
    assert tablet.get_task(gone) is None
    assert standing.facts(tablet)["kept_in"] == []
    pair(scene.laptop, tablet)
    tablet.membership.readmit()
    sync(scene.laptop, tablet)
    scene.everybody(tablet)
    again = scene.phone.get_task(mine)
    assert again is not None
    assert (again.title, again.description, again.priority) == ("mine", "one two three", 0)
    assert standing.facts(tablet)["kept_in"] == []


def test_what_one_change_edits_and_deletes_is_deleted(scene: Scene) -> None:
    """Its texts are written again in the order of its other writes, and nothing is kept beside."""
    scene.withhold()
    with scene.tablet.begin_transaction() as tx:
        mine = tx.create_task(edda.Task(title="mine", description="one two"))
        tx.edit_text(mine, "description", [(7, 0, " three")])
        tx.edit_text(scene.other, "description", [(0, 0, "words")])
        tx.delete_task(mine)
        tx.delete_task(scene.other)
    assert len(met(scene.tablet, scene.phone).proved) == 2
    scene.everybody()
    assert [scene.laptop.get_task(each) for each in (mine, scene.other)] == [None, None]
    assert standing.facts(scene.tablet)["kept_in"] == []


def test_what_was_restored_and_deleted_again_is_deleted(scene: Scene) -> None:
    scene.laptop.delete_task(scene.other)
    sync(scene.laptop, scene.phone)
    alter(scene.laptop, "task", scene.task, title="Buy a yacht")
    begin_with_segment(scene.laptop, scene.tablet)
    scene.laptop.rebuild()
    scene.tablet.restore_task(scene.other)
    scene.tablet.delete_task(scene.other)
    met(scene.tablet, scene.phone)
    scene.everybody()
    assert scene.laptop.get_task(scene.other) is None


def test_tags_that_only_a_segment_showed_are_made_anew_by_whoever_tagged_with_them(scene: Scene) -> None:
    scene.laptop.transact(lambda tx: tx.create_tag("hidden"))
    scene.laptop.transact(lambda tx: tx.delete_tag("hidden"))
    begin_with_segment(scene.laptop, scene.tablet)
    mine = scene.tablet.create_task(edda.Task(title="mine", tags={"home", "hidden"}))
    scene.tablet.transact(lambda tx: tx.create_tag("home", color="red"))
    replica_of(scene.tablet).exchange.behind.give_up()
    task = scene.tablet.get_task(mine)
    assert task is not None
    assert task.tags == {"home", "hidden"}
    assert {each.name: each.color for each in scene.tablet.tags()} == {"home": "red", "hidden": None}
    sync(scene.laptop, scene.tablet)
    scene.everybody()
    found = [(each.title, each.field) for each in scene.phone.conflicts()]
    assert found == [("hidden", DELETED)], "the tablet did not know of the deletion"


def test_what_was_made_of_something_that_is_not_here_is_deleted_with_it(scene: Scene) -> None:
    """What is there may still come, so it is not deleted."""
    begin_with_segment(scene.laptop, scene.tablet)
    scene.tablet.update_task(edda.Task(id=scene.other, title="mine"))
    scene.tablet.delete_task(scene.other)
    replica_of(scene.tablet).exchange.behind.give_up()
    assert scene.tablet.get_task(scene.other) is None
    sync(scene.laptop, scene.tablet)
    scene.everybody()
    other = scene.phone.get_task(scene.other)
    assert other is not None
    assert other.title == "mine"


def test_words_typed_on_a_segment_stand_beside_those_that_the_admission_had_seen_and_the_segment_did_not_show(
    scene: Scene,
) -> None:
    """If even the admission comes later, the words are first a text of their own, which must not replace the true text."""
    scene.phone.edit_text(scene.task, "description", [(0, 0, "fresh milk ")])
    scene.phone.create_document(edda.Document(title="More", content="words"))
    sync(scene.phone, scene.laptop)
    tablet = scene.new(scene.laptop)
    scene.liar._opened.sidecar = None
    scene.liar.update_task(edda.Task(id=scene.task, title="Buy a yacht"))
    begin_with_segment(scene.liar, tablet)
    tablet.edit_text(scene.task, "description", [(8, 0, " and oats")])
    replica_of(tablet).exchange.behind.give_up()
    task = tablet.get_task(scene.task)
    assert task is not None
    assert task.description == "and eggs and oats"
    sync(scene.laptop, tablet)
    scene.everybody(tablet)
    for engine in (scene.laptop, tablet):
        found = engine.get_task(scene.task)
        assert found is not None
        assert {"fresh", "milk", "eggs", "oats"} <= set(str(found.description).split())
        assert standing.facts(engine)["kept_in"] == []


def test_a_text_that_two_brought_along_alike_is_not_doubled_where_one_of_them_is_set_aside(scene: Scene) -> None:
    same = edda.Task(id=id_text(b"s" * 16), title="imported", description="of the old list")
    scene.withhold()
    for engine in (scene.tablet, scene.phone):
        engine.create_task(edda.Task(id=same.id, title=same.title, description=same.description))
    met(scene.tablet, scene.phone)
    scene.everybody()
    found = scene.laptop.get_task(id_text(b"s" * 16))
    assert found is not None
    assert found.description == "of the old list"


def test_a_change_that_was_only_late_is_taken_after_its_segment_was_given_up(scene: Scene) -> None:
    scene.laptop.update_task(edda.Task(id=scene.task, title="Buy oats"))
    begin_with_segment(scene.laptop, scene.tablet)
    scene.tablet.update_task(edda.Task(id=scene.task, title="Buy rye", priority=0))
    met(scene.tablet, scene.phone)
    assert is_provisional(scene.tablet) is None
    assert "Buy rye" in titles(scene.phone)
    sync(scene.laptop, scene.tablet)
    scene.everybody()
    assert [each.field for each in scene.laptop.conflicts()] == ["title"], "nobody knew that it had been seen"


def test_those_who_know_no_more_give_nothing_up(scene: Scene) -> None:
    scene.withhold()
    watch = scene.new(scene.phone)
    begin_with_segment(scene.liar, watch)
    met(scene.tablet, watch)
    assert is_provisional(scene.tablet) is not None
    assert is_provisional(watch) is not None
    sync(scene.laptop, scene.phone)
    scene.everybody(watch)


@pytest.fixture
def alone(backend: str, tmp_path: Path) -> Iterator[Scene]:
    """A scene in which everything that the segment stands for is the laptop's, and the phone has written more since."""
    with (
        devices(2, backend=backend) as (laptop, phone),
        copier(tmp_path) as copy,
        newcomers(tmp_path, backend) as newcomer,
    ):
        scene = Scene.__new__(Scene)
        scene.laptop, scene.phone, scene.new = laptop, phone, newcomer
        scene.task = laptop.create_task(edda.Task(title="Buy milk", description="and eggs"))
        scene.tablet = newcomer(laptop)
        sync(laptop, phone)
        scene.liar = copy(laptop)
        scene.withhold()
        phone.create_task(edda.Task(title="more"))
        yield scene


def test_a_log_that_only_the_absent_ever_had_is_waited_for(alone: Scene) -> None:
    network = met(alone.tablet, alone.phone)
    assert is_provisional(alone.tablet) is None
    assert network.now >= limits.BEHIND_ABSENT_S
    alone.everybody()


def test_a_log_that_its_own_author_does_not_have_is_given_up_soon(alone: Scene) -> None:
    """The laptop was put back to before the change at which its segment was made: nobody will bring that change."""
    network = met(alone.tablet, alone.laptop)
    assert is_provisional(alone.tablet) is None
    assert limits.BEHIND_STALLED_S <= network.now < limits.BEHIND_ABSENT_S / 2
    alone.everybody()


def test_links_that_come_and_go_do_not_begin_the_wait_anew(alone: Scene) -> None:
    """A device that exists twice is linked for a few seconds at a time."""
    network = Network(alone.tablet, alone.laptop)
    for _ in range(30):
        network.connect(alone.tablet, alone.laptop)
        network.run_for(limits.BEHIND_STALLED_S / 10)
        network.cut(alone.tablet, alone.laptop)
        network.now += 1_000.0  # alone, so this time does not count
        if is_provisional(alone.tablet) is None:
            break
    assert is_provisional(alone.tablet) is None
    assert network.now > 5 * 1_000.0
    alone.everybody()


def test_who_wrote_what_is_missing_comes_without_it_while_one_waits(alone: Scene) -> None:
    network = Network(alone.tablet, alone.phone, alone.laptop)
    network.connect(alone.tablet, alone.phone)
    network.run_until_said(Earlier)
    assert network.said(Earlier)[0].changes == ()
    assert is_provisional(alone.tablet) is not None
    network.connect(alone.tablet, alone.laptop)
    network.run()
    assert is_provisional(alone.tablet) is None
    assert network.now < limits.BEHIND_ABSENT_S / 2
    alone.everybody()


def test_a_store_that_was_given_a_segment_without_its_log_takes_the_log_from_then_on(
    scene: Scene, backend: str
) -> None:
    scene.withhold()
    with scene.tablet.store.read() as reader:
        began = is_provisional(scene.tablet)
        assert began is not None
        assert began.changes == sum(head.seq for head in reader.log.heads().values())
    replica_of(scene.tablet).exchange.behind.give_up()
    assert scene.tablet.frontier() == {}
    network = met(scene.tablet, scene.laptop)
    assert len(network.proved) == 2
    assert is_provisional(scene.tablet) is None
    scene.everybody()


def test_what_cannot_be_given_up_since_the_disk_is_full_is_given_up_later(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.withhold()
    network = Network(scene.tablet, scene.phone, scene.laptop)
    network.connect(scene.tablet, scene.phone)

    def refuse(_behind: LogBehind) -> None:
        raise DiskFullError("edda.db")

    with monkeypatch.context() as full:
        full.setattr(LogBehind, "give_up", refuse)
        with pytest.raises(DiskFullError):
            network.run()
    assert is_provisional(scene.tablet) is not None
    assert network.replicas[name_of(scene.tablet)].progress() == {}, "the talk ended, as over any write that fails"
    network.errors.clear()
    network.cut(scene.tablet, scene.phone)
    network.connect(scene.tablet, scene.phone)
    network.run()
    assert is_provisional(scene.tablet) is None
    scene.everybody()


# --- a forged one -----------------------------------------------------------------------------------------------------


def test_what_a_forged_segment_showed_falsely_was_not_seen_and_is_not_replaced(scene: Scene) -> None:
    """This device's first life continues what was there when it was let in, so it can have seen that."""
    scene.laptop.update_task(edda.Task(id=scene.task, title="Buy oats"))
    sync(scene.laptop, scene.phone)
    alter(scene.laptop, "task", scene.task, title="Buy a yacht")
    begin_with_segment(scene.laptop, scene.tablet)
    scene.laptop.rebuild()
    scene.tablet.update_task(edda.Task(id=scene.task, title="Buy a boat", status="done"))
    scene.tablet.update_task(edda.Task(id=scene.other, title="Another"))
    met(scene.tablet, scene.phone)
    assert forged_by(scene.tablet) == name_of(scene.laptop)
    scene.everybody()
    (kept,) = scene.laptop.conflicts()
    assert kept.field == "title"
    assert {"Buy oats", "Buy a boat"} == {kept.shown.value, *(each.value for each in kept.kept)}
    assert "Another" in titles(scene.laptop)


def test_writing_drafts_again_begins_one_life_and_no_more(tmp_path: Path) -> None:
    """A real store with its sidecar keeps its identity, and says why it began that life."""
    draws = random.Random(7)
    with devices(2) as (laptop, phone), newcomers(tmp_path, "sqlite") as newcomer, copier(tmp_path) as copy:
        scene = Scene(laptop, phone, copy, newcomer)
        scene.withhold()
        tablet = scene.tablet
        for number in range(3):
            tablet.create_task(edda.Task(title=f"draft {number}", description=str(draws.random())))
        met(tablet, phone)
        for number in range(3):
            tablet.create_task(edda.Task(title=f"after {number}"))
        tablet.close()
        tablet.open_store(tablet.config)
        tablet.create_task(edda.Task(title="after a start"))
        own = [each for each in tablet.reading.lives() if each.device == name_of(tablet)]
        assert [(each.seq, each.why) for each in own] == [(7, "what it began with was wrong")]
        scene.everybody()
        assert [finding for finding in doctor.check(tablet) if not finding.sound] == []


@pytest.mark.parametrize("writes", [False, True])
def test_what_is_written_again_twice_begins_no_life_of_a_store_that_was_put_back(tmp_path: Path, writes: bool) -> None:
    """Its segment is given up, and it is let in again after that."""
    with devices(2) as (laptop, phone), newcomers(tmp_path, "sqlite") as newcomer, copier(tmp_path) as copy:
        scene = Scene(laptop, phone, copy, newcomer)
        tablet = newcomer(scene.liar)
        begin_with_segment(scene.liar, tablet)
        tablet.create_task(edda.Task(title="draft"))
        replica_of(tablet).exchange.behind.give_up()
        if writes:
            tablet.create_task(edda.Task(title="in between"))
        pair(phone, tablet)
        sync(phone, tablet)
        tablet.create_task(edda.Task(title="after"))
        own = [each for each in tablet.reading.lives() if each.device == name_of(tablet)]
        assert [(each.seq, each.why) for each in own] == [(2 + writes, readmission.WHY)]
