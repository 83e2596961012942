"""Indexes that a person makes: they are used, and find what a scan finds; and unique ones, which are the workspace's."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.crdt import schema
from edda_sync.crdt.keys import key_of
from edda_sync.engine import doctor, standing
from edda_sync.fold import fold
from edda_sync.ledger import ledger
from edda_sync.store.seams import Claim, StoreWriter
from edda_sync.store.sqlite.schema import SPECIFICATION
from edda_sync.testing import Talk, devices, sync
from edda_sync.words import limits, values
from edda_sync.words.errors import ClashError, ExistsError, InvalidValueError, LimitError, NotFoundError
from edda_sync.words.indexes import IndexType
from tests.costs import GROWS, SIZE, STAYS, Counter, Work
from tests.store.samples import text_id

LONG = "x" * 3_000
MADE: list[tuple[str, list[str], IndexType, str | None]] = [
    ("effort", ["metadata.effort"], IndexType.BTREE, None),
    ("open-effort", ["metadata.effort"], IndexType.BTREE, "status = 'open'"),
    ("step", ["status", "agent_context.plan.step"], IndexType.BTREE, None),
    ("finished", ["completed_at"], IndexType.BTREE, None),
    ("url", ["metadata.url"], IndexType.HASH, None),
    ("text", ["description"], IndexType.HASH, None),
    ("notes", ["metadata.notes", "title"], IndexType.FULL_TEXT, None),
    ("urgent-notes", ["metadata.remark"], IndexType.FULL_TEXT, "priority <= 1"),
    ("places", ["metadata.location"], IndexType.SPATIAL, None),
    ("homes", ["agent_context.home"], IndexType.SPATIAL, "status IN ('open', 'in_progress')"),
]
Q = edda.TaskQuery
QUERIES: list[tuple[str, edda.TaskQuery]] = [
    ("idx_user_effort", Q(where={"metadata.effort": 3})),
    ("idx_user_effort", Q(where=[("metadata.effort", ">=", 7), ("metadata.effort", "<", 9)], order="title")),
    ("idx_user_effort", Q(where={"metadata.effort": "3"})),
    ("idx_user_open-effort", Q(where={"metadata.effort": 3}, status="open")),
    ("idx_user_step", Q(where={"agent_context.plan.step": "b"}, status=("open", "done"))),
    ("idx_user_finished", Q(completed_from="2026-01-01", completed_before="2026-01-05", order="created_at")),
    ("idx_user_url", Q(where={"metadata.url": LONG + "7"})),
    ("idx_user_url", Q(where={"metadata.url": LONG + "none"})),
    ("idx_user_text", Q(where=[("description", "=", LONG + "5")])),
    ("_index_notes", Q(where=[("metadata.notes", "contains", "Größe 4")])),
    ("_index_notes", Q(where=[("title", "contains", "tit* 13")], status="open")),
    ("_index_urgent-notes", Q(where=[("metadata.remark", "contains", "検索")], priority=(0, 1))),
    ("_index_places", Q(near=(52.5, 13.4), within=2_000_000)),
    ("_index_places", Q(near=(0, 180), within=3_000_000, status="open", limit=7, offset=2)),
    ("_index_places", Q(near=(-90, 0), within=3_000_000, order="title")),
    ("_index_places", Q(near=(10, -170), limit=3)),
    ("_index_places", Q(near=(10, -170), descending=True, limit=3)),
    ("_index_homes", Q(near=(0, 0), within=4_000_000, place="agent_context.home", status="open")),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[edda.StorageEngine]:
    """A store with all these indexes: of half of the tasks, the indexes are made; the others, they keep up with."""
    with edda.open(tmp_path_factory.mktemp("filled") / "home") as store:
        fill(store, 0, 150)
        for name, columns, index_type, clause in MADE:
            store.indexes.create(name, columns, index_type, where_clause=clause)
        fill(store, 150, 300)
        change(store)
        yield store


def fill(store: edda.StorageEngine, first: int, last: int) -> None:
    chance = random.Random(first)
    with store.begin_transaction() as tx:
        for number in range(first, last):
            place = {"lat": chance.uniform(-90, 90), "lon": chance.choice([180, -180, chance.uniform(-180, 180)])}
            odd = chance.choice(
                [None, "here", {"lat": 91, "lon": 0}, {"lat": True, "lon": 1}, {"lat": "1", "lon": 1}, [1, 2]]
            )
            done = number % 3 == 0
            tx.create_task(
                edda.Task(
                    title=f"Title {number % 30}",
                    description=LONG + str(number % 9) if number % 2 else None,
                    status="done" if done else chance.choice(["open", "in_progress"]),
                    completed_at=f"2026-01-{number % 27 + 1:02}T00:00:00.000Z" if done else None,
                    priority=number % 5,
                    metadata={
                        "effort": chance.choice([number % 10, float(number % 10), str(number % 10), True, None]),
                        "url": LONG + str(number % 20),
                        "notes": chance.choice([f"die Größe {number % 6}", number, f"GRÖSSE {number % 5}"]),
                        "remark": "全文検索機能" if number % 4 else "nothing",
                        "location": place if number % 5 else odd,
                    },
                    agent_context={"plan": {"step": "abc"[number % 3]}, "home": place},
                )
            )


def change(store: edda.StorageEngine) -> None:
    """Move, delete and restore some tasks, and edit texts."""
    tasks = store.query_tasks(Q(order="title"))
    for number, task in enumerate(tasks[:40]):
        if number % 4 == 0:
            store.delete_task(task.id)
        elif number % 4 == 1:
            task.metadata = {
                **task.metadata,
                "effort": 3,
                "location": {"lat": 52.0, "lon": 13.0 + number},
                "notes": "Größe 4",
            }
            store.update_task(task)
        elif number % 4 == 2:
            task.status, task.priority, task.metadata = "done", 0, {}
            store.update_task(task)
        elif task.description:
            store.edit_text(task.id, "description", [(0, 3, "")])
    store.restore_task(tasks[0].id)
    for task in tasks[40:60]:
        store.update_task(edda.Task(id=task.id, priority=1))  # some enter the index of what is urgent


def ids(store: edda.StorageEngine, query: edda.TaskQuery) -> list[str]:
    return [each.id for each in store.query_tasks(query)]


@pytest.mark.parametrize(("index", "query"), QUERIES)
def test_a_query_uses_the_index_that_serves_it(filled: edda.StorageEngine, index: str, query: edda.TaskQuery) -> None:
    for way in filled.reading.explain(query):
        assert index in way.indexes, way.steps


SPECIFIED: dict[
    str, edda.TaskQuery | edda.DocumentQuery | str
] = {  # by index: what asks for it, in the product or in SQL
    "idx_tasks_status_priority": Q(status="blocked", priority=0),
    "idx_tasks_created_at": Q(order="created_at", limit=5),
    "idx_tasks_parent_id": Q(parent=text_id(1)),
    "idx_documents_doc_type": edda.DocumentQuery(doc_type="spec"),
    "idx_task_documents_document_id": Q(document=text_id(1)),
    "idx_task_documents_task_id": "SELECT document_id, relationship_type FROM task_documents WHERE task_id = 'x'",
    "idx_entity_tags_entity": "SELECT * FROM entity_tags WHERE entity_type = 'task' AND entity_id = 'x'",
}


def test_each_index_of_the_specification_is_used(filled: edda.StorageEngine) -> None:
    assert set(SPECIFIED) == set(re.findall(r"CREATE INDEX (\w+)", SPECIFICATION))
    with closing(filled.sql()) as tables:
        for index, query in SPECIFIED.items():
            if isinstance(query, str):
                steps = [row[3] for row in tables.execute(f"EXPLAIN QUERY PLAN {query}")]
                assert any(f"USING INDEX {index} " in step for step in steps), (index, steps)
            else:
                assert all(index in way.indexes for way in filled.reading.explain(query)), index


def test_a_query_by_index_finds_what_a_scan_finds(filled: edda.StorageEngine, tmp_path: Path) -> None:
    with edda.open(tmp_path, edda.StorageConfig(backend="memory")) as scanned:
        with scanned.begin_transaction() as tx:
            for task in filled.query_tasks(Q()):
                tx.create_task(
                    edda.Task(
                        id=task.id, title=task.title, description=task.description, status=task.status,
                        completed_at=task.completed_at, created_at=task.created_at, priority=task.priority,
                        metadata=task.metadata, agent_context=task.agent_context,
                    )
                )  # fmt: skip
        found = [(query, ids(filled, query), filled.count(query)) for _, query in QUERIES]
        assert sum(bool(each[1]) for each in found) == len(QUERIES) - 1, "one looks for what is not there"
        for query, listed, count in found:
            assert listed == ids(scanned, query), query
            assert count == scanned.count(query), query
        with filled.begin_transaction() as tx:
            tx.create_task(edda.Task(title="Near", metadata={"location": {"lat": 52.5, "lon": 13.4}}))
            assert [each.title for each in tx.query_tasks(Q(near=(52.5, 13.4), within=100))] == ["Near"]
            tx.rollback()


def test_what_an_index_was_is_there_after_a_rebuild_and_the_doctor_names_what_is_changed(
    filled: edda.StorageEngine,
) -> None:
    before = [ids(filled, query) for _, query in QUERIES]
    for part in ('INDEX "idx_user_effort"', 'TRIGGER "_index_places_out"', 'INDEX "idx_user_url"'):
        drop(filled, part)
    assert [ids(filled, query) for _, query in QUERIES] == before, "a query does without an index that was dropped"
    (said,) = [each.detail for each in doctor.check(filled) if not each.sound]
    for part in (
        "index idx_user_effort is missing",
        "trigger _index_places_out is missing",
        "index idx_user_url is missing",
    ):
        assert part in said
    filled.rebuild()
    assert [each for each in doctor.check(filled) if not each.sound] == []
    assert [ids(filled, query) for _, query in QUERIES] == before
    assert all(index in filled.reading.explain(query)[-1].indexes for index, query in QUERIES)


def drop(store: edda.StorageEngine, part: str) -> None:
    """Drop a part of an index, as another program may."""

    def work(tx: Any) -> None:
        tx.sql.execute(f"DROP {part}")

    store.store.transact(work)


def test_indexes_are_listed_dropped_and_made_again(tmp_path: Path) -> None:
    with edda.open(tmp_path) as store, edda.open(tmp_path) as other:
        store.indexes.create("b", ["title"])
        store.indexes.create("a", ["metadata.notes"], IndexType.FULL_TEXT, on="document")
        with pytest.raises(ExistsError) as caught:
            other.indexes.create("a", ["title"])
        assert caught.value.name == "a"
        assert [each.name for each in other.indexes.list()] == list(other.indexes.indexes) == ["a", "b"]
        document = other.create_document(edda.Document(title="D", metadata={"notes": "milk"}))
        query = edda.DocumentQuery(where=[("metadata.notes", "contains", "milk")])
        assert [each.id for each in store.query_documents(query)] == [document]
        assert store.reading.explain(query)[0].indexes == ("_index_a",)
        other.indexes.drop("a")
        assert [each.id for each in store.query_documents(query)] == [document]
        store.create_document(edda.Document(title="E", metadata={"notes": "milk"}))
        assert len(other.query_documents(query)) == 2
        with pytest.raises(NotFoundError):
            store.indexes.drop("a")
        assert [each for each in doctor.check(store) if not each.sound] == []


def test_too_many_and_impossible_indexes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INDEXES_MAX", 1)
    with edda.open(tmp_path) as store:
        store.indexes.create("one", ["title"])
        with pytest.raises(LimitError):
            store.indexes.create("two", ["title"])
        with pytest.raises(InvalidValueError):
            store.indexes.create("x", ["title"], where_clause="status = 'open'; DROP TABLE tasks")
        store.indexes.create("unique", ["metadata.a"], unique=True)


def test_a_creation_that_fails_in_the_middle_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edda_sync.store.sqlite import indexing

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    with edda.open(tmp_path) as store:
        store.create_task(edda.Task(title="T", metadata={"notes": "milk"}))
        for step in ("settle", "keep"):
            with monkeypatch.context() as patch:
                patch.setattr(indexing, step, fail)
                with pytest.raises(ZeroDivisionError):
                    store.indexes.create("notes", ["metadata.notes"], IndexType.FULL_TEXT)
            assert store.indexes.list() == []
            assert [each for each in doctor.check(store) if not each.sound] == []
        store.indexes.create("notes", ["metadata.notes"], IndexType.FULL_TEXT)
        assert store.count(Q(where=[("metadata.notes", "contains", "milk")])) == 1


# --- unique indexes ---------------------------------------------------------------------------------------------------


def ticket(store: edda.StorageEngine, title: str, number: str, **fields: Any) -> str:
    return store.create_task(edda.Task(title=title, metadata={"ticket": number}, **fields))


def by_id(*made: str) -> list[str]:
    """Return items in the order of their ids, which is by chance where they are made within a millisecond."""
    return sorted(made)


def test_a_local_write_that_would_clash_is_refused_with_the_other_item(tmp_path: Path) -> None:
    with edda.open(tmp_path) as store:
        store.indexes.create("tickets", ["metadata.ticket"], unique=True, where_clause="status != 'cancelled'")
        first, second = ticket(store, "one", "A-1"), ticket(store, "two", "A-2")
        free = ticket(store, "three", "A-1", status="cancelled")
        task = store.get_task(second)
        assert task is not None
        task.metadata["ticket"] = "A-1"
        refused: list[Callable[[], object]] = [
            lambda: ticket(store, "new", "A-1"), lambda: store.update_task(task),
            lambda: store.update_task(edda.Task(id=free, status="open")),
        ]  # fmt: skip
        for write in refused:
            with pytest.raises(ClashError) as caught:
                write()
            error = caught.value
            assert (error.index, error.other, error.columns) == ("tickets", first, ["metadata.ticket"])
        tx = store.begin_transaction()
        for title in "ab":
            tx.create_task(edda.Task(title=title, metadata={"ticket": "A-9"}))
        with pytest.raises(ClashError):
            tx.commit()
        store.delete_task(first)
        again = ticket(store, "new", "A-1")
        with pytest.raises(ClashError) as caught:
            store.restore_task(first)
        assert (caught.value.other, caught.value.item) == (again, first)
        with store.begin_transaction() as tx:  # two swap their values
            tx.update_task(edda.Task(id=again, metadata={"ticket": "A-2"}))
            tx.update_task(edda.Task(id=second, metadata={"ticket": "A-1"}))
        assert store.indexes.clashes() == []
        query = Q(where={"metadata.ticket": "A-1"}, status=("open", "in_progress"))
        assert ids(store, query) == [second]


def test_a_large_transaction_is_refused_as_a_small_one(tmp_path: Path) -> None:
    with edda.open(tmp_path) as store:
        store.indexes.create("tickets", ["metadata.ticket"], unique=True)
        first = ticket(store, "one", "0")
        tx = store.begin_transaction()
        for number in range(1_100):
            tx.create_task(edda.Task(title="T", metadata={"ticket": str(number)}))
        with pytest.raises(ClashError) as caught:
            tx.commit()
        assert caught.value.other == first
        assert store.counts()["tasks"] == 1
        with store.begin_transaction() as tx:
            for number in range(1, 1_100):
                tx.create_task(edda.Task(title="T", metadata={"ticket": str(number)}))


def around(order: list[int]) -> list[tuple[int, int | None, str]]:
    """Values that change places, and parents that turn: until the last one is written, there are clashes and rings."""
    parents = dict(zip(order, [None, *order], strict=False))
    return [(each, order[each], "ticket") for each in range(5)] + [(each, parents[each], "parent") for each in range(5)]


OTHERS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4) | st.none(), st.sampled_from(["ticket", "parent", "gone", "back"])),
    max_size=3,
)
MOVES = st.tuples(st.permutations(range(5)).map(around), OTHERS).map(lambda parts: parts[0] + parts[1])


@given(MOVES)
def test_a_transaction_that_is_folded_in_pieces_is_refused_like_one_that_is_folded_at_once(moves: list[Any]) -> None:
    """Of values that go round, and parents that turn, only the end counts, however often memory is full in between."""
    tasks = [values.id_text(bytes((1, number)) * 8) for number in range(5)]

    def work(tx: edda.Transaction) -> None:
        for number, other, what in moves:
            if what == "ticket":
                tx.update_task(edda.Task(id=tasks[number], metadata={"ticket": other}))
            elif what == "parent":
                tx.update_task(edda.Task(id=tasks[number], parent_id=None if other is None else tasks[other]))
            else:
                (tx.delete_task if what == "gone" else tx.restore_task)(tasks[number])

    def outcome(store: edda.StorageEngine) -> Any:
        with store.begin_transaction() as tx:
            for number, task in enumerate(tasks):
                above = tasks[number - 1] if number else None
                tx.create_task(edda.Task(id=task, title="T", metadata={"ticket": number}, parent_id=above))
        try:
            store.transact(work)
        except edda.EddaError as error:
            return type(error)
        return [(row[0], row[9], row[10]) for row in store.table("tasks")]

    with devices(1, backend="memory") as (store,):
        store.indexes.create("tickets", ["metadata.ticket"], unique=True)
        at_once = outcome(store)
    with devices(1, backend="memory") as (store,), pytest.MonkeyPatch.context() as patch:
        store.indexes.create("tickets", ["metadata.ticket"], unique=True)
        patch.setattr(fold, "CHUNK", 2)
        patch.setattr(ledger, "DRAFTS_AT_ONCE", 1)
        assert outcome(store) == at_once


def test_while_a_unique_index_is_filled_it_is_told_how_many_items_were_looked_at(tmp_path: Path) -> None:
    told: list[int] = []
    with edda.open(tmp_path) as store:
        with store.begin_transaction() as tx:
            for number in range(5):
                tx.create_task(edda.Task(title="T", metadata={"ticket": number}))
        store.create_document(edda.Document(title="D"))
        store.indexes.create("tickets", ["metadata.ticket"], unique=True, progress=told.append)
        assert told == [1, 2, 3, 4, 5]
        with pytest.raises(ClashError):
            ticket(store, "one more", 4)  # type: ignore[arg-type]


def test_where_two_devices_used_a_value_at_once_both_items_stay_and_the_clash_is_reported() -> None:
    with devices(2) as (laptop, phone):
        laptop.indexes.create("tickets", ["metadata.ticket"], unique=True)
        sync(laptop, phone)
        assert [each.name for each in phone.indexes.list()] == ["tickets"]
        first, second = by_id(ticket(laptop, "one", "A-1"), ticket(phone, "two", "A-1"))
        sync(laptop, phone)
        for store in (laptop, phone):
            shows = {each.id: each.metadata for each in store.query_tasks(Q())}
            assert shows == {first: {"ticket": "A-1"}, second: {}}
            (clash,) = store.indexes.clashes()
            assert (clash.index, clash.values, clash.shown, clash.withheld) == ("tickets", ("A-1",), first, (second,))
            assert standing.facts(store)["clashes"] == 1
            assert ids(store, Q(where={"metadata.ticket": "A-1"})) == [first]
            assert [each for each in doctor.check(store) if not each.sound] == []
        assert laptop.digest() == phone.digest()
        phone.update_task(edda.Task(id=second, title="edited"))  # what was not seen is not written
        phone.update_task(edda.Task(id=first, metadata={"ticket": "A-2"}))
        sync(laptop, phone)
        for store in (laptop, phone):
            assert {each.id: each.metadata["ticket"] for each in store.query_tasks(Q())} == {
                first: "A-2",
                second: "A-1",
            }
            assert store.indexes.clashes() == []


def test_an_index_that_clashes_is_refused_where_it_is_made_and_kept_where_it_meets_a_clash() -> None:
    with devices(2) as (laptop, phone):
        first, second = by_id(ticket(laptop, "one", "A-1"), ticket(phone, "two", "A-1"))
        phone.indexes.create("tickets", ["metadata.ticket"], unique=True)
        sync(laptop, phone)
        assert laptop.indexes.clashes() == phone.indexes.clashes()
        assert laptop.indexes.clashes()[0].withheld == (second,)
        laptop.indexes.drop("tickets")
        assert {each.id: each.metadata["ticket"] for each in laptop.query_tasks(Q())} == {first: "A-1", second: "A-1"}
        before = laptop.frontier()
        with pytest.raises(ClashError) as caught:
            laptop.indexes.create("tickets", ["metadata.ticket"], unique=True)
        assert {caught.value.other, caught.value.item} == {first, second}
        assert laptop.frontier() == before
        assert laptop.indexes.list() == []


def test_an_older_device_keeps_and_passes_on_a_unique_index_and_follows_it_once_upgraded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with devices(3) as (laptop, older, phone):
        laptop.indexes.create("tickets", ["metadata.ticket"], unique=True)
        first, second = by_id(ticket(laptop, "one", "A-1"), ticket(older, "two", "A-1"))
        with monkeypatch.context() as patch:
            patch.setitem(schema._GROUPS, "workspace", {"epoch": schema._epoch})
            schema._check_in_group.cache_clear()
            Talk(laptop, older).run()  # they hold the same, and are not proved equal: one cannot read all of it
            assert older.waiting() == 1
            assert older.indexes.list() == []
            assert {each.metadata["ticket"] for each in older.query_tasks(Q())} == {"A-1"}
        schema._check_in_group.cache_clear()
        Talk(older, phone).run()
        assert [each.shown for each in phone.indexes.clashes()] == [first]
        assert older.writing.read_anew() > 0
        assert older.waiting() == 0
        assert [(each.shown, each.withheld) for each in older.indexes.clashes()] == [(first, (second,))]
        sync(older, laptop)
        assert older.digest() == laptop.digest()


def test_what_a_unique_index_costs_grows_with_the_items_and_not_with_those_that_clash() -> None:
    counter = Counter()

    def made(size: int, same: bool) -> tuple[Work, Work]:
        with counter.watching(), devices(1) as (store,):
            with store.begin_transaction() as tx:
                for number in range(size):
                    tx.create_task(edda.Task(title="T", metadata={"ticket": number}))
            created = counter.of(lambda: store.indexes.create("tickets", ["metadata.ticket"], unique=True))
            if same:
                store.store.transact(lambda tx: crowd(tx, size))
            return created, counter.of(lambda: ticket(store, "one more", "other"))

    (half, few), (whole, many) = made(SIZE, same=True), made(2 * SIZE, same=True)
    assert whole.beyond(GROWS, half) == {}
    assert many.beyond(STAYS, few) == {}


def crowd(tx: StoreWriter, size: int) -> None:
    """Let many claim one value, as after a merge."""
    claims = [
        Claim("tickets", bytes(16), key_of("task", number.to_bytes(16, "big")), number > 0) for number in range(size)
    ]
    tx.uniques.put([], claims)
