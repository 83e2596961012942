"""Indexes that people make, in the file. Queries that use them are in ``tests/engine/test_indexes.py``."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import doctor
from edda_sync.store.sqlite import indexing
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import CorruptError
from edda_sync.words.indexes import IndexType

AWKWARD = 'metadata."it\'s; DROP TABLE tasks --"'
CREATE = """
import sys, edda_sync as edda
from edda_sync.store.sqlite import indexing
fill = indexing.settle
def killed(*of):
    fill(*of)
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
indexing.settle = killed
with edda.open(sys.argv[1]) as store:
    store.indexes.create("notes", ["metadata.notes"], edda.IndexType.FULL_TEXT)
"""


def test_a_key_of_any_characters_is_a_name_and_never_a_statement(tmp_path: Path) -> None:
    with edda.open(tmp_path) as store:
        task = store.create_task(edda.Task(title="T", metadata={"it's; DROP TABLE tasks --": "x' OR 1=1"}))
        for name, kind in (
            ("b", IndexType.BTREE),
            ("h", IndexType.HASH),
            ("f", IndexType.FULL_TEXT),
            ("s", IndexType.SPATIAL),
        ):
            store.indexes.create(name, [AWKWARD], kind, where_clause=f"{AWKWARD} = 'x'' OR 1=1'")
        query = edda.TaskQuery(where={AWKWARD: "x' OR 1=1"})
        assert [each.id for each in store.query_tasks(query)] == [task]
        assert store.reading.explain(query)[0].indexes == ("idx_user_h",)
        assert store.query_tasks(edda.TaskQuery(where={AWKWARD: "x"})) == []
        assert [each for each in doctor.check(store) if not each.sound] == []


def test_any_sqlite_reads_a_store_with_indexes_and_what_it_writes_is_indexed(tmp_path: Path) -> None:
    with edda.open(tmp_path) as store:
        store.create_task(edda.Task(title="T", metadata={"a": 1, "location": {"lat": 1, "lon": 2}, "notes": "milk"}))
        store.indexes.create("a", ["metadata.a"])
        store.indexes.create("places", ["metadata.location"], IndexType.SPATIAL)
        store.indexes.create("notes", ["metadata.notes"], IndexType.FULL_TEXT)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        with connection:
            connection.execute("UPDATE tasks SET metadata = ?", ('{"a": 2, "location": {"lat": 50, "lon": 60}}',))
        assert connection.execute("SELECT count(*) FROM _index_places WHERE south > 49").fetchall() == [(1,)]
        with connection:
            connection.execute("UPDATE tasks SET metadata = 'no JSON'")
        assert connection.execute("SELECT count(*) FROM _index_places").fetchall() == [(0,)]


def test_a_process_that_is_killed_while_it_makes_an_index_leaves_none(tmp_path: Path) -> None:
    with edda.open(tmp_path) as store:
        store.create_task(edda.Task(title="T", metadata={"notes": "milk"}))
    ended = subprocess.run([sys.executable, "-c", CREATE, str(tmp_path)], capture_output=True, check=False)
    assert ended.returncode < 0, ended.stderr
    with edda.open(tmp_path) as store:
        assert store.indexes.list() == []
        assert [each for each in doctor.check(store) if not each.sound] == []
        store.indexes.create("notes", ["metadata.notes"], IndexType.FULL_TEXT)
        assert store.count(edda.TaskQuery(where=[("metadata.notes", "contains", "milk")])) == 1


@pytest.mark.parametrize("kept", [b"", b"{", b"[1]", b'[{"name": "a"}]', b'[{"name": "A b", "on": "task"}]', b"\xff"])
def test_a_damaged_list_of_indexes_is_damage(kept: bytes) -> None:
    with pytest.raises(CorruptError):
        indexing.read([("", kept)])
    with pytest.raises(CorruptError):
        indexing.read([("tickets", kept)])
