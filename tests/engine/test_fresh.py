"""Computed rows of edited texts read the same as written ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.fresh import fresh
from edda_sync.engine.matching import with_rows
from edda_sync.store.seams import StoreReader
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.model import COLUMNS
from edda_sync.words.query import DOCUMENT_ORDERS, plan

TITLES = "abcdef"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorageEngine]:
    with edda.open(tmp_path_factory.mktemp("fresh") / "home") as engine:
        assert isinstance(engine.store, SqliteStore)
        engine.store.on_idle = None
        for title in TITLES:
            engine.create_document(
                edda.Document(title=title, content="words", doc_type="note" if title < "d" else "spec")
            )
        yield engine


def look(reader: StoreReader, query: edda.DocumentQuery) -> list[Any]:
    return [
        reader.tables.rows(plan(query)),
        reader.tables.all("documents"),
        reader.index.digest(),
        list(reader.states.scan()),
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edited=st.lists(st.integers(0, len(TITLES) - 1), max_size=4),
    order=st.sampled_from([order for order in DOCUMENT_ORDERS if order != "relevance"]),
    doc_type=st.none() | st.sampled_from(["note", "spec"]),
    limit=st.integers(0, 7),
    offset=st.integers(0, 3),
)
def test_a_store_reads_alike_before_and_after_its_rows_are_written(
    store: StorageEngine, edited: list[int], order: str, doc_type: str | None, limit: int, offset: int
) -> None:
    documents = sorted(store.query_documents(edda.DocumentQuery()), key=lambda each: each.title)
    for number in edited:
        store.edit_text(documents[number].id, "content", [(0, 0, "x")])
    query = edda.DocumentQuery(order=order, doc_type=doc_type, limit=limit, offset=offset)
    with store.store.read() as reader:
        stale = reader.index.stale()
        assert len(stale) == len(set(edited))
        worked_out = look(fresh(reader, stale), query)
        rows = {row[0]: row for row in worked_out[1]}
        some = dict(list(rows.items())[::2])
    store.digest()  # which lets them be written
    with store.store.read() as reader:
        assert reader.index.stale() == []
        assert look(reader, query) == worked_out
        assert with_rows(reader, plan(query), some) == worked_out[0]


def test_an_unreadable_text_stays_as_it_was_shown(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as engine:
        assert isinstance(engine.store, SqliteStore)
        engine.store.on_idle = None
        document = engine.create_document(edda.Document(title="t", content="words"))
        engine.edit_text(document, "content", [(0, 0, "some ")])
        connection = engine.store.connect()
        connection.execute("UPDATE _texts SET state = x'00'")
        connection.close()
        with engine.store.read() as reader:
            assert fresh(reader, reader.index.stale()) is reader
            row = reader.tables.row("document", document)
            assert row is not None
            assert row[COLUMNS["document"].index("content")] == "words"
