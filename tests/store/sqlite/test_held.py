"""Indexes and searches that another program changed: the doctor names them, and a rebuild puts them right."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

import edda_sync as edda
from edda_sync.engine import doctor
from edda_sync.words.errors import InvalidValueError, StorageError
from edda_sync.words.indexes import IndexType

Q = edda.TaskQuery
QUERIES = (
    Q(where={"metadata.effort": 3}),
    Q(where={"metadata.url": "u" * 90 + "2"}),
    Q(where={"metadata.ticket": "T3"}),
    Q(where=[("metadata.notes", "contains", "Größe 3")]),
    Q(near=(10, 10), within=500_000),
    Q(text="title"),
)
USED = ("idx_user_effort", "idx_user_url", "idx_unique_tickets", "_index_notes", "_index_places")
CHANGES = (
    ("schema", 'DROP INDEX "idx_user_effort"'),
    ("schema", 'DROP INDEX "idx_user_effort"; CREATE INDEX "idx_user_effort" ON tasks(title)'),
    ("schema", 'DROP INDEX "idx_user_url"'),
    ("schema", 'DROP INDEX "idx_unique_tickets"'),
    ("schema", 'DROP TABLE "_index_notes"'),
    ("schema", 'DROP TABLE "_index_notes_due"'),
    ("schema", 'DROP TABLE "_index_places"'),
    *(
        ("schema", f'DROP TRIGGER "_index_{name}_{event}"')
        for name in ("notes", "places")
        for event in ("in", "changed", "out")
    ),
    ("schema", "DROP TABLE _claims"),
    ("schema", "DROP TABLE _unique"),
    ("schema", "DELETE FROM _unique"),
    ("schema", "UPDATE _unique SET record = x'00'"),
    ("tables", "DELETE FROM _claims"),
    ("tables", "UPDATE _claims SET withheld = 1"),
    ("tables", "UPDATE _claims SET value = x'00'"),
    ("tables", 'DROP TABLE "_index_places_node"'),
    ("tables", 'UPDATE "_index_places_node" SET data = zeroblob(20)'),
    ("tables", 'DELETE FROM "_index_notes_data"'),
    ("tables", 'DELETE FROM "_index_notes_config"'),
    ("tables", "DELETE FROM _task_search_config"),
    ("indexes", "DELETE FROM _index_notes"),
    ("indexes", "INSERT INTO _index_notes(rowid, c0) VALUES (999, 'a row that is not there')"),
    ("indexes", "UPDATE _index_notes SET c0 = 'other' WHERE rowid = 3"),
    ("indexes", "DELETE FROM _index_places WHERE id = 3"),
    ("indexes", "UPDATE _index_places SET north = 80, south = 80"),
    ("indexes", "DELETE FROM _task_search WHERE rowid = 2"),
)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("held") / "home"
    with edda.open(home) as store:
        with store.begin_transaction() as tx:
            for number in range(6):
                metadata = {
                    "effort": number, "url": "u" * 90 + str(number), "ticket": f"T{number}", "notes": f"Größe {number}",
                    "location": {"lat": 10 + number, "lon": 10},
                }  # fmt: skip
                tx.create_task(edda.Task(title=f"Title {number}", metadata=metadata))
        store.indexes.create("effort", ["metadata.effort"])
        store.indexes.create("url", ["metadata.url"], IndexType.HASH)
        store.indexes.create("tickets", ["metadata.ticket"], unique=True)
        store.indexes.create("notes", ["metadata.notes"], IndexType.FULL_TEXT)
        store.indexes.create("places", ["metadata.location"], IndexType.SPATIAL)
        answers(store)
    return home


@pytest.fixture
def home(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "home"))


def answers(store: edda.StorageEngine) -> list[list[str]]:
    return [[task.id for task in store.query_tasks(query)] for query in QUERIES]


def change(home: Path, statements: str) -> None:
    """Change a store's file as another program may."""
    with closing(sqlite.connect(str(home / "edda.db"))) as connection:
        connection.executescript(statements)


def unsound(store: edda.StorageEngine) -> list[str]:
    return [each.check for each in doctor.check(store) if not each.sound]


@pytest.mark.parametrize(("check", "statements"), CHANGES, ids=[each for _, each in CHANGES])
def test_what_another_program_did_to_an_index_is_named_and_put_right(
    filled: Path, home: Path, check: str, statements: str
) -> None:
    with edda.open(filled) as store:
        before = answers(store)
    change(home, statements)
    with edda.open(home) as store:
        assert unsound(store)[:1] == [check]
        doctor.rebuild(store)
        assert unsound(store) == []
        assert answers(store) == before
        for query, used in zip(QUERIES, USED, strict=False):
            assert used in store.reading.explain(query)[-1].indexes


@pytest.mark.parametrize("value", ["x'ff'", "CAST('[]' AS BLOB)", "CAST('[{}]' AS BLOB)"])
def test_a_list_of_indexes_that_is_damaged_is_named_and_a_rebuild_leaves_nothing_of_them(
    home: Path, value: str
) -> None:
    change(home, f"UPDATE _meta SET value = {value} WHERE key = 'indexes'")
    with edda.open(home) as store:
        assert unsound(store) == ["schema"]
        doctor.rebuild(store)
        assert unsound(store) == []
        assert [each.name for each in store.indexes.list()] == ["tickets"], "which is in the log"
        store.indexes.create("notes", ["metadata.notes"], IndexType.FULL_TEXT)
        assert "_index_notes" in store.reading.explain(QUERIES[3])[-1].indexes


def test_an_index_whose_tables_would_have_the_names_of_anothers_is_refused(home: Path) -> None:
    with edda.open(home) as store:
        for name in ("notes_data", "notes_due", "places_node"):
            with pytest.raises(InvalidValueError, match="too much like"):
                store.indexes.create(name, ["metadata.a"], IndexType.FULL_TEXT)
        assert unsound(store) == []


def test_a_file_that_cannot_be_asked_is_not_called_wrong(home: Path) -> None:
    with edda.open(home) as store:
        (home / "edda.db").rename(home / "elsewhere")
        with pytest.raises(StorageError, match=r"missing|gone"):
            store.store.checks.wrong_indexes()  # type: ignore[attr-defined]  # it is SQLite's
