"""The same rows for the same query: SQL and the plain evaluation of a plan give the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.crdt.keys import key_of
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import Row, Shown, StoreWriter
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words import values
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.folding import GAP, tokens
from edda_sync.words.model import COLUMNS
from edda_sync.words.order import cursor_of, place_of
from edda_sync.words.query import DOCUMENT_ORDERS, TASK_ORDERS, DocumentQuery, Plan, Query, TaskQuery, plan
from tests.store.samples import AnyStore, document_row, entity, show, task_row, text_id

TAGS = ("work", "Home", "été")
PLAIN_ORDERS = tuple(
    each for each in TASK_ORDERS if each not in ("relevance", "distance")
)  # those that need nothing else
METADATA = (None, "{}", '{"a":1}', '{"a":2.5,"b":{"c":"x"}}', '{"a":"1"}', '{"a":true}', '{"a":null}', "{broken", "[]")
TIMES = tuple(f"2026-03-0{day}T00:00:00.000Z" for day in range(1, 5))
PIECES = (
    "a", "A", "b", "ab", "é", "É", "e\u0301", "ñ", "ß", "SS", "İ", "ı", "ﬁ", "日本", "語", "ひ", "й", "и\u0306", "한",
    "e", "е", "ё", "א", "אָ", "ك", "ک", "ي", "ی", "\u200c", "ا", "أ", "ก", "า", "ำ", "\u1112", "\u1161", "ﾊﾞ", "バ", "👍",
    "👍🏽",
    "க", "ா",
    "0", "１", "٣", "²", "-", "_", ".", "'", '"', "*", "(", "\0", " ", " ", "\n", "☺", "कि", "OR", "NEAR", "^",
)  # fmt: skip

texts = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
titles = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join)
times = st.sampled_from(TIMES)
tags = st.sets(st.sampled_from(TAGS)).map(sorted)


def words_of(text: str) -> str:
    return text if tokens(text) else "a"


words = texts.map(words_of)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AnyStore, AnyStore]]:
    sqlite: AnyStore = SqliteStore(tmp_path_factory.mktemp("queries") / DATABASE_FILE)
    memory: AnyStore = MemoryStore()
    yield memory, sqlite
    memory.close()
    sqlite.close()


@st.composite
def tables(draw: st.DrawFn) -> list[Shown]:
    tag_ids = {name: values.tag_id(name) for name in TAGS}
    made = [
        Shown("tag", key_of("tag", values.id_bytes("id", tag)), (tag, name, None, None, TIMES[0]), (), (), ())
        for name, tag in tag_ids.items()
    ]
    documents, tasks = draw(st.integers(0, 8)), draw(st.integers(0, 10))
    for number in range(1, documents + 1):
        row = document_row(
            number, title=draw(titles), content=draw(st.none() | texts), doc_type=draw(st.sampled_from(["note", "spec"])),
            content_type=draw(st.sampled_from(["text/plain", "text/markdown"])), created_at=draw(times),
            updated_at=draw(times), metadata=draw(st.sampled_from(METADATA)),
        )  # fmt: skip
        tagged = tuple((tag_ids[name], TIMES[0]) for name in draw(tags))
        made.append(Shown("document", entity(number, "document"), row, tagged, (), ()))
    for number in range(21, 21 + tasks):
        row = task_row(
            number, title=draw(titles), description=draw(st.none() | texts), status=draw(st.sampled_from(values.STATUSES)),
            priority=draw(st.integers(0, 4)), created_at=draw(times), updated_at=draw(times),
            due_date=draw(st.none() | times), metadata=draw(st.sampled_from(METADATA)),
            completed_at=draw(st.none() | times), parent_id=draw(st.none() | st.integers(21, 20 + tasks).map(text_id)),
        )  # fmt: skip
        tagged = tuple((tag_ids[name], TIMES[0]) for name in draw(tags))
        linked = draw(st.sets(st.integers(1, documents))) if documents else set()
        links = tuple((text_id(document), "reference", TIMES[0]) for document in sorted(linked))
        made.append(Shown("task", entity(number), row, tagged, links, ()))
    return made


WHERE = (
    ("metadata.a", "=", 1), ("metadata.a", "!=", 1), ("metadata.a", ">", 1), ("metadata.a", "=", "1"),
    ("metadata.a", "=", True), ("metadata.a", "=", None), ("metadata.a", "exists"), ("metadata.b", "missing"),
    ("metadata.b.c", "<=", "x"), ("agent_context.a", "missing"),
)  # fmt: skip
rarely = st.sampled_from([()] * 3 + [("work",), ("Home", "été"), ("none",)])
common: dict[str, st.SearchStrategy[Any]] = {
    "tags": tags,
    "any_tags": rarely,
    "no_tags": rarely,
    "where": st.just(()) | st.lists(st.sampled_from(WHERE), max_size=2),
    **dict.fromkeys(("created_from", "created_before", "updated_from", "updated_before"), st.none() | times),
    "descending": st.booleans(),
    "limit": st.none() | st.integers(0, 6),
    "offset": st.integers(0, 3),
}
task_queries = st.builds(
    TaskQuery,
    **common,
    status=st.none() | st.sampled_from(values.STATUSES) | st.lists(st.sampled_from(values.STATUSES), max_size=3),
    priority=st.none() | st.integers(0, 4) | st.lists(st.integers(0, 4), max_size=3),
    parent=st.none() | st.just("") | st.integers(21, 24).map(text_id),
    priority_from=st.none() | st.integers(0, 4),
    priority_to=st.none() | st.integers(0, 4),
    under=st.none() | st.integers(21, 24).map(text_id),
    document=st.none() | st.integers(1, 4).map(text_id),
    due_from=st.none() | times,
    due_before=st.none() | times,
    due_except=st.lists(st.tuples(times, times), max_size=2),
    has_due=st.none() | st.booleans(),
    completed_from=st.none() | times,
    order=st.sampled_from(PLAIN_ORDERS),
)
due_queries = st.builds(
    TaskQuery,
    due_from=st.none() | times,
    due_except=st.lists(st.tuples(times, times), min_size=1, max_size=2),
    has_due=st.none() | st.booleans(),
    limit=st.none() | st.integers(1, 3),
    order=st.sampled_from(("urgent", "due_date", "updated_at")),
)
document_queries = st.builds(
    DocumentQuery,
    **common,
    doc_type=st.none() | st.just("note") | st.just(("note", "spec")) | st.just(()),
    content_type=st.none() | st.just("text/plain"),
    task=st.none() | st.integers(21, 24).map(text_id),
    order=st.sampled_from([order for order in DOCUMENT_ORDERS if order != "relevance"]),
)


def load(store: AnyStore, shown: list[Shown]) -> None:
    def work(tx: StoreWriter) -> None:
        tx.clear_view()
        show(tx, *shown)
        tx.tables.index_texts()

    store.transact(work)


def answers(stores: tuple[AnyStore, AnyStore], checked: Plan) -> tuple[list[Row], list[Row]]:
    memory, sqlite = stores
    with memory.read() as ours, sqlite.read() as theirs:
        return ours.tables.rows(checked), theirs.tables.rows(checked)


@given(shown=tables(), queries=st.lists(task_queries | document_queries | due_queries, min_size=1, max_size=8))
def test_both_stores_answer_any_plan_with_the_same_rows_in_the_same_order(
    stores: tuple[AnyStore, AnyStore], shown: list[Shown], queries: list[Query]
) -> None:
    for store in stores:
        load(store, shown)
    memory, sqlite = stores
    for query in queries:
        ours, theirs = answers(stores, plan(query))
        assert ours == theirs
        with memory.read() as mine, sqlite.read() as other:
            total = mine.tables.count(plan(query))
            assert total == other.tables.count(plan(query))
            assert total == len(mine.tables.rows(plan(replace(query, limit=None, offset=0))))


@given(shown=tables(), queries=st.lists(task_queries | document_queries, min_size=1, max_size=4), at=st.integers(0, 3))
def test_both_stores_continue_behind_any_row_in_any_order(
    stores: tuple[AnyStore, AnyStore], shown: list[Shown], queries: list[Query], at: int
) -> None:
    for store in stores:
        load(store, shown)
    for query in queries:
        everything = plan(replace(query, limit=None, offset=0))
        listed, _ = answers(stores, everything)
        if at < len(listed):
            columns = dict(zip(COLUMNS[everything.kind], listed[at], strict=True))
            after = cursor_of(everything.order, place_of(everything.order, columns))
            ours, theirs = answers(stores, plan(replace(query, limit=None, offset=0, after=after)))
            assert ours == theirs == listed[at + 1 :]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    ("query", "order"),
    [(TaskQuery, order) for order in PLAIN_ORDERS]
    + [(DocumentQuery, order) for order in DOCUMENT_ORDERS if order != "relevance"],
)
def test_pages_of_rows_that_differ_only_in_their_ids_make_the_whole_list(
    stores: tuple[AnyStore, AnyStore], query: type[TaskQuery] | type[DocumentQuery], order: str, descending: bool
) -> None:
    task = query is TaskQuery
    row = task_row if task else document_row
    kind = "task" if task else "document"
    shown = [Shown(kind, entity(number, kind), row(number, title="alike"), (), (), ()) for number in range(1, 8)]
    for store in stores:
        load(store, shown)
        with store.read() as reader:
            for conditions in ({}, {"doc_type": ("note", "spec")} if not task else {"status": ("open", "blocked")}):
                asked = query(order=order, descending=descending, **conditions)  # type: ignore[arg-type]
                whole = reader.tables.rows(plan(asked))
                assert len(whole) == 7
                for size in (1, 2, 3):
                    pages = [replace(asked, limit=size, offset=offset) for offset in range(0, 7, size)]
                    assert [row for page in pages for row in reader.tables.rows(plan(page))] == whole


@given(shown=tables(), queries=st.lists(task_queries | document_queries, min_size=1, max_size=4), text=words)
def test_both_stores_find_the_same_words(
    stores: tuple[AnyStore, AnyStore], shown: list[Shown], queries: list[Query], text: str
) -> None:
    for store in stores:
        load(store, shown)
    for query in [TaskQuery(text=text), DocumentQuery(text=text), *(replace(query, text=text) for query in queries)]:
        ours, theirs = answers(stores, plan(query))
        assert ours == theirs


@given(shown=tables(), text=words, descending=st.booleans())
def test_both_stores_rank_the_same_rows_by_relevance(
    stores: tuple[AnyStore, AnyStore], shown: list[Shown], text: str, descending: bool
) -> None:
    for store in stores:
        load(store, shown)
    for query in (TaskQuery, DocumentQuery):
        ours, theirs = answers(stores, plan(query(text=text, order="relevance", descending=descending)))
        assert sorted(row[0] for row in ours) == sorted(row[0] for row in theirs)


@given(text=st.text(max_size=30) | texts)
def test_every_word_of_a_text_finds_it_in_both_stores(stores: tuple[AnyStore, AnyStore], text: str) -> None:
    for store in stores:
        load(store, [Shown("task", entity(1), task_row(1, title="-", description=text), (), (), ())])
    for word in {*tokens(text)} - {GAP}:
        ours, theirs = answers(stores, plan(TaskQuery(text=word)))
        assert len(ours) == len(theirs) == 1


def test_words_in_many_scripts_are_found(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / DATABASE_FILE)
    rows = {
        1: "Crème Brûlée", 2: "crème decomposed".replace("è", "e\u0300"), 3: "Straße", 4: "日本語 テスト", 5: "Привет мир",
        6: "local-first notes", 7: 'say "hello"',
    }  # fmt: skip
    shown = [Shown("task", entity(n), task_row(n, title=title), (), (), ()) for n, title in rows.items()]
    load(store, shown)

    def found(text: str) -> list[int]:
        with store.read() as reader:
            return [int(row[0][-2:]) for row in reader.tables.rows(plan(TaskQuery(text=text)))]

    assert found("creme") == found("CRÈME") == [1, 2]
    assert found("bru*") == [1]
    assert found("bru") == []
    assert found("straße") == found("strasse") == [3]
    assert found("日本語") == found("日本*") == found("本語") == found("テ") == [4]
    assert found("語テ") == []
    assert found("ПРИВЕТ") == [5]
    assert found("local-first") == found("local") == found("first local") == [6]
    assert found("first-local") == []
    assert found('"hello"') == found("hello --") == [7]
    assert found('"first notes"') == found("first notes") == [6]
    assert found('"local notes"') == []
    assert found("hello OR") == found("hello NOT first") == []
    store.close()
