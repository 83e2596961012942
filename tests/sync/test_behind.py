"""The log behind a segment confirms or drops what was believed, and what was written meanwhile is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.engine import doctor, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.ledger.retold import Retold
from edda_sync.store.seams import Rewritten, StoreWriter
from edda_sync.sync.messages import Behind, Earlier, Part, Summary
from edda_sync.sync.owed import Owed
from edda_sync.testing import devices, replica_of, sync
from edda_sync.words import limits
from edda_sync.words.errors import CorruptError, RemoteProtocolError
from edda_sync.workspace.actor import actor_of
from tests.sync.copies import Copier, copier
from tests.sync.network import Network, name_of
from tests.sync.newcomers import (
    BY_SEGMENT,
    Newcomers,
    alter,
    begin_with_segment,
    forged_by,
    is_provisional,
    lose,
    met,
    newcomers,
    segments_taken,
)

TABLES = ("tasks", "documents", "tags", "entity_tags", "task_documents")


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Scene:
    """A laptop and a phone with a history, a copy of the laptop that lies in its segments, and a newcomer."""

    def __init__(self, laptop: StorageEngine, phone: StorageEngine, copy: Copier, newcomer: Newcomers) -> None:
        self.laptop, self.phone = laptop, phone
        self.task = laptop.create_task(edda.Task(title="Buy milk", description="and eggs", priority=2))
        self.note = laptop.create_document(edda.Document(title="Note", content="words"))
        self.other = laptop.create_task(edda.Task(title="Other", description="of the list"))
        laptop.edit_text(self.note, "content", [(5, 0, " and more")])
        self.tablet = newcomer(laptop)
        sync(laptop, phone)
        self.liar = copy(laptop)
        self.new = newcomer

    def begin(self) -> None:
        """Let the tablet begin with the liar's segment."""
        begin_with_segment(self.liar, self.tablet)

    def tell_the_truth(self) -> None:
        """Let the tablet meet the phone, which has the log."""
        met(self.tablet, self.phone)
        assert is_provisional(self.tablet) is None

    def assert_equal(self, *more: StorageEngine) -> None:
        """Check that all hold and show the same, and that folding their logs again gives the same."""
        engines = [self.laptop, self.phone, self.tablet, *more]
        for _ in range(2):
            for engine in engines[1:]:
                sync(self.phone if engine is not self.phone else self.laptop, engine)
        expected = shown(self.laptop)
        for engine in engines:
            assert shown(engine) == expected
            assert [finding for finding in doctor.check(engine) if not finding.sound] == []
            engine.rebuild()
            assert shown(engine) == expected


def shown(engine: StorageEngine) -> dict[str, object]:
    view: dict[str, object] = {name: engine.table(name) for name in TABLES}
    return view | {"conflicts": engine.conflicts(), "digest": engine.digest(), "frontier": engine.frontier()}


@pytest.fixture
def scene(backend: str, tmp_path: Path) -> Iterator[Scene]:
    with (
        devices(2, backend=backend) as (laptop, phone),
        copier(tmp_path) as copy,
        newcomers(tmp_path, backend) as newcomer,
    ):
        yield Scene(laptop, phone, copy, newcomer)


# --- an honest one ----------------------------------------------------------------------------------------------------


def test_an_honest_segment_is_confirmed_and_nobody_is_named(scene: Scene) -> None:
    scene.begin()
    before = scene.tablet.digest()
    assert standing.facts(scene.tablet)["provisional"] == {"here": 0, "of": scene.laptop.counts()["changes"]}
    scene.tell_the_truth()
    assert scene.tablet.digest() == before
    facts = standing.facts(scene.tablet)
    assert (facts["provisional"], facts["forged_by"]) == (None, None)
    scene.assert_equal()


def test_what_one_writes_on_a_segment_replaces_what_that_shows(scene: Scene) -> None:
    """The segment stands for changes whose log is missing; a change that is made on it depends on all of them."""
    scene.laptop.update_task(edda.Task(id=scene.task, title="Buy bread"))
    sync(scene.laptop, scene.phone)
    begin_with_segment(scene.laptop, scene.tablet)
    scene.tablet.update_task(edda.Task(id=scene.task, title="Buy oats"))
    scene.tell_the_truth()
    scene.assert_equal()
    assert scene.laptop.conflicts() == []
    assert "Buy oats" in [row[1] for row in scene.laptop.table("tasks")]


def test_a_batch_that_was_taken_already_is_nothing(scene: Scene) -> None:
    scene.begin()
    giving, behind = replica_of(scene.laptop).exchange.giving, replica_of(scene.tablet).exchange.behind
    wanted = behind.wanted()
    assert wanted is not None
    batch, _ = giving.earlier(wanted)
    behind.take(batch)
    before = scene.tablet.digest(), scene.tablet.frontier()
    behind.take(batch)
    assert (scene.tablet.digest(), scene.tablet.frontier()) == before
    assert behind.wanted() is None
    assert behind.ended == 1


def test_what_is_wanted_is_the_segment_s_frontier_and_what_is_here_of_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 500)
    scene.begin()
    giving, behind = replica_of(scene.laptop).exchange.giving, replica_of(scene.tablet).exchange.behind
    heads = replica_of(scene.laptop).exchange.introduction().heads
    held: list[int] = []
    while (wanted := behind.wanted()) is not None:
        assert wanted.upto == heads
        held.append(sum(seq for _, seq in wanted.held))
        behind.take(giving.earlier(wanted)[0])
    assert held == sorted(set(held))
    assert len(held) > 2
    scene.assert_equal()


def test_each_question_but_the_first_says_only_what_came_since(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 500)
    scene.begin()
    laptop, behind = replica_of(scene.laptop).exchange, replica_of(scene.tablet).exchange.behind
    owed, said = Owed(laptop), list[Behind]()
    before: Behind | None = None
    while (wanted := behind.wanted()) is not None:
        said.append(wanted.since(before))
        before = wanted
        for page in said[-1].pages():
            owed.asked(page)
        answer = owed.next(news=False)
        assert answer is not None
        assert answer[0].changes
        behind.take(answer[0])
    assert said[0].upto == laptop.introduction().heads
    assert len(said) > 2
    assert all(not each.upto and len(each.held) <= 2 for each in said[1:])
    scene.assert_equal()


def test_whoever_starts_over_or_has_another_segment_says_all_of_its_question() -> None:
    heads = (Summary(b"a" * 16, 5, b"h" * 16),)
    before = Behind(((b"a" * 16, 3), (b"b" * 16, 1)), heads)
    further = Behind(((b"a" * 16, 4), (b"b" * 16, 1)), heads)
    assert further.since(None) == further
    assert further.since(before) == Behind(((b"a" * 16, 4),), ())
    for other in (Behind(((b"a" * 16, 2), (b"b" * 16, 1)), heads), Behind(((b"a" * 16, 4),), heads), Behind((), heads)):
        assert other.since(before) == other
    assert further.since(msgspec.structs.replace(before, upto=())) == further


def test_of_a_question_about_lives_that_nobody_here_knows_only_so_many_are_kept(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CLAIMS_MAX", 10)
    laptop = replica_of(scene.laptop).exchange
    owed, heads = Owed(laptop), laptop.introduction().heads
    names = [number.to_bytes(16, "big") for number in range(1, 500)]
    for name in names:
        owed.asked(Behind(((name, 1),), (Summary(name, 1, b"h" * 16),), more=True))
    known = tuple(head for head in heads if head.actor > names[-1])
    owed.asked(Behind((), known))
    assert len(owed._upto) <= 10 + 2 * len(heads)
    assert len(owed._held) <= 10 + 2 * len(heads)
    answer = owed.next(news=False)
    assert answer is not None
    assert len(answer[0].changes) == sum(head.seq for head in heads)


def test_a_peer_that_was_asked_in_vain_gives_the_log_as_soon_as_it_has_it(scene: Scene) -> None:
    """The newcomer says that it holds all of this already, because its segment stands for it."""
    scene.laptop.update_task(edda.Task(id=scene.task, title="Buy oats"))
    begin_with_segment(scene.laptop, scene.tablet)
    network = Network(scene.tablet, scene.phone, scene.laptop)
    network.connect(scene.tablet, scene.phone)
    while network.on_its_way:
        network.step()
    assert is_provisional(scene.tablet) is not None
    network.connect(scene.phone, scene.laptop)
    network.run_for(limits.BEHIND_STALLED_S / 2)
    assert is_provisional(scene.tablet) is None
    assert standing.facts(scene.tablet)["unproved_by"] is None
    scene.assert_equal()


@pytest.fixture
def halved(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Scene, Network]]:
    """A scene in which the very first change is in parts; the tablet has one of them, and is then offered a segment."""
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 300)
    with (
        devices(2, backend=backend) as (laptop, phone),
        copier(tmp_path) as copy,
        newcomers(tmp_path, backend) as newcomer,
    ):
        scene = Scene(laptop, phone, copy, newcomer)
        network = Network(scene.tablet, laptop)
        network.connect(scene.tablet, laptop)
        network.run_until_said(Part)
        network.cut(scene.tablet, laptop)
        monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
        network.connect(scene.tablet, laptop)
        yield scene, network


def test_parts_that_were_here_before_the_segment_are_not_sent_again(halved: tuple[Scene, Network]) -> None:
    scene, network = halved
    network.run()
    assert is_provisional(scene.tablet) is None
    assert segments_taken(network)
    numbers = [part.number for part in network.said(Part, scene.laptop) if part.seq == 1]
    assert numbers == sorted(set(numbers)), "each came once, over two links"
    assert len(numbers) > 2


def forget_halves(tx: StoreWriter) -> None:
    (half,) = tx.incoming.all()
    tx.incoming.forget(half.actor, half.seq)


@pytest.mark.parametrize("lost_after", [0, 1])
def test_a_change_behind_a_segment_of_which_parts_were_lost_is_asked_for_again(
    halved: tuple[Scene, Network], lost_after: int
) -> None:
    scene, network = halved
    network.run_until_said(Part, 1 + lost_after)
    scene.tablet.store.transact(forget_halves)
    network.run()
    assert is_provisional(scene.tablet) is None
    scene.assert_equal()


def test_a_store_that_began_with_no_segment_wants_nothing_and_takes_nothing(scene: Scene) -> None:
    behind = replica_of(scene.phone).exchange.behind
    before = shown(scene.phone)
    assert behind.wanted() is None
    giving = replica_of(scene.laptop).exchange.giving
    asked = Behind((), replica_of(scene.laptop).exchange.introduction().heads)
    behind.take(giving.earlier(asked)[0])
    assert shown(scene.phone) == before


# --- a forged one -----------------------------------------------------------------------------------------------------


def another_title(scene: Scene) -> None:
    alter(scene.liar, "task", scene.task, title="Buy a yacht")


def a_deleted_task(scene: Scene) -> None:
    lose(scene.liar, "task", scene.other)


def an_invented_text(scene: Scene) -> None:
    alter(scene.liar, "task", scene.task, description="other words")


def another_document(scene: Scene) -> None:
    alter(scene.liar, "document", scene.note, title="Not that note")


def much_of_it(scene: Scene) -> None:
    for lie in (another_title, a_deleted_task, another_document):
        lie(scene)


LIES: list[Callable[[Scene], None]] = [another_title, a_deleted_task, an_invented_text, another_document, much_of_it]


@pytest.mark.parametrize("lie", LIES)
def test_a_forged_segment_is_provisional_and_dropped_when_its_log_is_here_and_its_maker_named(
    scene: Scene, lie: Callable[[Scene], None]
) -> None:
    lie(scene)
    scene.begin()
    assert scene.tablet.digest() == scene.liar.digest() != scene.laptop.digest()
    assert forged_by(scene.tablet) is None
    scene.tell_the_truth()
    assert forged_by(scene.tablet) == name_of(scene.laptop)
    assert scene.tablet.digest() == scene.laptop.digest()
    scene.assert_equal()


@pytest.mark.parametrize("lie", LIES)
def test_what_one_wrote_on_top_of_a_forged_segment_survives(scene: Scene, lie: Callable[[Scene], None]) -> None:
    lie(scene)
    scene.begin()
    tablet = scene.tablet
    mine = tablet.create_task(edda.Task(title="of my own", description="mine", tags={"own"}))
    tablet.update_task(edda.Task(id=scene.task, status="done"))
    tablet.edit_text(mine, "description", [(4, 0, " alone")])
    tablet.edit_text(scene.note, "content", [(0, 0, "my ")])
    tablet.edit_text(scene.task, "description", [(0, 0, "oats ")])
    if tablet.get_task(scene.other) is not None:
        tablet.edit_text(scene.other, "description", [(0, 0, "top ")])
    scene.phone.edit_text(scene.task, "description", [(8, 0, "!")])
    scene.tell_the_truth()
    assert forged_by(tablet) == name_of(scene.laptop)
    scene.assert_equal()
    task, own, note = tablet.get_task(scene.task), tablet.get_task(mine), tablet.get_document(scene.note)
    assert task is not None
    assert own is not None
    assert note is not None
    assert (task.title, task.status, task.priority) == ("Buy milk", "done", 2)
    assert "oats" in (task.description or "")
    assert (own.description, own.tags) == ("mine alone", {"own"})
    assert note.content == "my words and more"
    other = tablet.get_task(scene.other)
    assert other is not None
    assert other.title == "Other"


def rot_segment(engine: StorageEngine) -> None:
    """Change every part of the segment with which a store began."""
    engine.store.transact(lambda tx: tx._sql.execute("UPDATE _segment_parts SET part = zeroblob(length(part))"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("lie", [None, another_title, another_document])
def test_what_one_wrote_on_a_segment_that_rotted_survives_whether_it_was_true_or_not(
    scene: Scene, lie: Callable[[Scene], None] | None
) -> None:
    if lie is not None:
        lie(scene)
    scene.begin()
    tablet = scene.tablet
    mine = tablet.create_task(edda.Task(title="of my own"))
    tablet.update_task(edda.Task(id=scene.task, status="done"))
    tablet.edit_text(scene.note, "content", [(0, 0, "my ")])
    rot_segment(tablet)
    scene.phone.update_task(edda.Task(id=scene.task, priority=0))
    assert [each.check for each in doctor.check(tablet) if not each.sound] == ["log"]
    scene.tell_the_truth()
    assert forged_by(tablet) == (None if lie is None else name_of(scene.laptop))
    scene.assert_equal()
    task, note = tablet.get_task(scene.task), tablet.get_document(scene.note)
    assert task is not None
    assert note is not None
    assert (task.title, task.status, task.priority) == ("Buy milk", "done", 0)
    assert note.content == "my words and more"
    assert tablet.get_task(mine) is not None


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_segment_that_rotted_is_given_up_with_what_was_written_on_it_kept(scene: Scene) -> None:
    scene.begin()
    tablet = scene.tablet
    mine = tablet.create_task(edda.Task(title="of my own"))
    rot_segment(tablet)
    replica_of(tablet).exchange.behind.give_up()
    assert is_provisional(tablet) is None
    assert [each.id for each in tablet.query_tasks(edda.TaskQuery())] == [mine]
    met(tablet, scene.phone)
    scene.assert_equal()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_segment_that_rotted_is_not_passed_on_and_cannot_be_folded(scene: Scene) -> None:
    scene.begin()
    making = replica_of(scene.tablet).exchange.making
    assert making.given({}) is not None
    rot_segment(scene.tablet)
    assert making.given({}) is None
    with pytest.raises(CorruptError, match="What this store began with"):
        scene.tablet.rebuild()


def test_words_typed_into_a_text_that_never_was_are_written_again_under_a_new_life(scene: Scene) -> None:
    an_invented_text(scene)
    scene.begin()
    tablet = scene.tablet
    tablet.edit_text(scene.task, "description", [(11, 0, " I typed")])
    with tablet.store.read() as reader:
        before = actor_of(reader)
        assert list(map(Retold().next, reader.segments.rewritten())) == [("other words", "other words I typed")]
    scene.tell_the_truth()
    with tablet.store.read() as reader:
        assert actor_of(reader) != before
        assert list(reader.segments.rewritten()) == []
    task = tablet.get_task(scene.task)
    assert task is not None
    assert "I typed" in (task.description or "")
    assert tablet.refused() == 0, "the edit itself names a text that nobody else knows, and was told to nobody"
    scene.assert_equal()
    assert scene.laptop.refused() == 0


def test_a_lie_is_told_no_further_once_it_is_known(scene: Scene) -> None:
    another_title(scene)
    scene.begin()
    watch = scene.new(scene.phone)
    sync(scene.laptop, scene.phone)
    met(watch, scene.tablet)
    assert watch.digest() == scene.liar.digest()
    scene.tell_the_truth()
    assert replica_of(scene.tablet).exchange.making.given({}) is not None
    late = scene.new(scene.phone)
    sync(scene.laptop, scene.phone)
    sync(scene.phone, scene.tablet)
    met(late, scene.tablet)
    assert forged_by(late) is None
    met(watch, scene.tablet)
    assert forged_by(watch) == name_of(scene.laptop), "named is who made it, not who passed it on"
    scene.assert_equal(watch, late)


def test_peers_hear_of_equality_once_the_lie_is_dropped_in_the_same_talk(scene: Scene) -> None:
    another_title(scene)
    scene.begin()
    network = met(scene.tablet, scene.phone)
    assert forged_by(scene.tablet) is not None
    assert network.proved == {
        (name_of(scene.tablet), name_of(scene.phone)), (name_of(scene.phone), name_of(scene.tablet)),
    }  # fmt: skip


# --- a log that is none -----------------------------------------------------------------------------------------------


def test_a_log_that_nothing_vouches_for_is_refused_and_leaves_no_trace(scene: Scene) -> None:
    scene.begin()
    behind = replica_of(scene.tablet).exchange.behind
    wanted = behind.wanted()
    assert wanted is not None
    batch, _ = replica_of(scene.laptop).exchange.giving.earlier(wanted)
    unsigned = Earlier(batch.changes, ())
    other = Earlier(((batch.changes[0][0], b"another body"), *batch.changes[1:]), batch.heads)
    before = shown(scene.tablet), wanted
    for lie in (unsigned, other, Earlier(((b"\xc1", b""),), batch.heads)):
        with pytest.raises(RemoteProtocolError):
            behind.take(lie)
        assert (shown(scene.tablet), behind.wanted()) == before


def test_another_branch_of_the_author_s_is_no_log_behind_a_segment(scene: Scene) -> None:
    """It is signed, and contradicts the segment's heads."""
    twin = scene.liar
    scene.laptop.create_task(edda.Task(title="in the segment"))
    twin.create_task(edda.Task(title="elsewhere"))
    begin_with_segment(scene.laptop, scene.tablet)
    behind = replica_of(scene.tablet).exchange.behind
    wanted = behind.wanted()
    assert wanted is not None
    theirs = replica_of(twin).exchange
    assert theirs.giving.earlier(wanted)[0].changes == (), "an honest one says that it does not have that"
    batch, _ = theirs.giving.earlier(Behind(wanted.held, theirs.introduction().heads))
    assert batch.changes
    with pytest.raises(RemoteProtocolError):
        behind.take(batch)
    assert is_provisional(scene.tablet) is not None
    sync(scene.laptop, scene.tablet)
    assert is_provisional(scene.tablet) is None
    assert forged_by(scene.tablet) is None


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_another_branch_that_came_in_part_does_not_keep_the_true_log_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    """Its author signed both; otherwise a forger of a segment could prevent its lie from ever being found out."""
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1)
    twin = scene.liar
    for number in range(4):
        scene.laptop.create_task(edda.Task(title=f"in the segment {number}"))
        twin.create_task(edda.Task(title=f"elsewhere {number}"))
    sync(scene.laptop, scene.phone)
    alter(scene.laptop, "task", scene.task, title="Buy a yacht")
    begin_with_segment(scene.laptop, scene.tablet)
    scene.laptop.rebuild()
    behind, theirs = replica_of(scene.tablet).exchange.behind, replica_of(twin).exchange
    wanted = behind.wanted()
    assert wanted is not None
    known = sum(seq for _, seq in scene.phone.frontier().items()) - 4  # up to where the two part
    for _ in range(known + batches):
        wanted = behind.wanted()
        assert wanted is not None
        behind.take(theirs.giving.earlier(Behind(wanted.held, theirs.introduction().heads))[0])
    with scene.tablet.store.read() as reader:
        assert sum(head.seq for head in reader.segments.behind().values()) == known + batches
    network = Network(scene.tablet, scene.phone)
    network.connect(scene.tablet, scene.phone)
    with pytest.raises(RemoteProtocolError, match="contradicts the segment"):
        network.run()
    with scene.tablet.store.read() as reader:
        assert reader.segments.behind() == {}
        assert reader.log.positions_after({}) == []
    scene.tell_the_truth()
    assert forged_by(scene.tablet) == name_of(scene.laptop)
    scene.assert_equal()


def test_what_is_kept_of_edits_is_forgotten_once_a_segment_is_confirmed(scene: Scene) -> None:
    scene.begin()
    scene.tablet.edit_text(scene.note, "content", [(0, 0, "my ")])
    with scene.tablet.store.read() as reader:
        kept = list(reader.segments.rewritten())
    assert [type(each) for each in kept] == [Rewritten]
    scene.tell_the_truth()
    with scene.tablet.store.read() as reader:
        assert list(reader.segments.rewritten()) == []
    scene.tablet.edit_text(scene.note, "content", [(0, 0, "and ")])
    with scene.tablet.store.read() as reader:
        assert list(reader.segments.rewritten()) == []
    scene.assert_equal()


# --- forks meanwhile ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["evidence", "log"])
def test_a_fork_of_what_a_segment_stands_for_is_learned_once_its_log_is_here(scene: Scene, first: str) -> None:
    """A device that knows of the fork uses other names for the changes, and still gives the log behind."""
    laptop, phone, tablet = scene.laptop, scene.phone, scene.tablet
    twin = scene.liar  # it does not lie here
    laptop.create_task(edda.Task(title="of one branch"))
    twin.create_task(edda.Task(title="of the other"))
    begin_with_segment(laptop, tablet)
    mine = tablet.create_task(edda.Task(title="on top of what it believes"))
    sync(laptop, phone)
    desk = scene.new(phone)
    sync(twin, desk)
    sync(phone, desk)
    with phone.store.read() as reader:
        proofs = list(reader.evidence.all().values())
    assert proofs
    if first == "evidence":
        exchange = replica_of(tablet).exchange
        exchange.forks.take_evidence(proofs)
        assert is_provisional(tablet) is not None
        tablet.create_task(edda.Task(title="after it"))
    network = met(tablet, desk)
    assert network.errors == []
    assert is_provisional(tablet) is None
    assert forged_by(tablet) is None
    sync(tablet, phone)
    assert tablet.get_task(mine) is not None
    titles = {task.title for task in phone.query_tasks(edda.TaskQuery())}
    assert {"of one branch", "of the other", "on top of what it believes"} <= titles
    scene.assert_equal(desk)
