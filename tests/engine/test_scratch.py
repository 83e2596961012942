"""A scratch store: it has the log of another store and a view of its own, and leaves nothing behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.scratch import scratch_of
from edda_sync.fold.texts import Texts
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.sqlite.keeping import Keeping
from edda_sync.store.sqlite.writer import SqliteWriter
from edda_sync.sync.merging import open_taken
from edda_sync.testing import devices


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Iterator[StorageEngine]:
    with devices(1, backend=request.param) as (engine,):
        for number in range(5):
            engine.create_task(edda.Task(title=f"task {number}"))
        yield engine


def test_its_view_equals_what_the_store_shows_and_the_store_stays_as_it_is(store: StorageEngine) -> None:
    before, told = _all_of(store), list[int]()
    with store.snapshot() as reader, scratch_of(reader, told.append) as scratch:
        assert scratch.tables.all("tasks") == []
        folded = Ledger(Texts()).rebuild(scratch, open_taken)
        assert scratch.tables.all("tasks") == reader.tables.all("tasks")
        assert scratch.index.digest() == reader.index.digest()
    assert told[-1] == folded == store.counts()["changes"]
    assert _all_of(store) == before


def test_it_is_gone_at_the_end_also_after_a_fault(
    store: StorageEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fail() -> None:
        with store.snapshot() as reader, scratch_of(reader, lambda _: None):
            assert list(tmp_path.iterdir())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key", [None, f"x'{'5a' * 48}'"], ids=["plain", "with a key"])
def test_what_is_folded_into_it_can_be_read_on_the_disk_only_without_a_key(
    store: StorageEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = list[SqliteWriter]()

    class Kept(SqliteWriter):
        def __init__(self, connection: Any, keeping: Keeping) -> None:
            super().__init__(connection, keeping)
            made.append(self)

    monkeypatch.setattr("edda_sync.engine.scratch.SqliteWriter", Kept)
    with store.snapshot() as reader, scratch_of(reader, lambda _: None, key) as scratch:
        Ledger(Texts()).rebuild(scratch, open_taken)
        made[0].commit()  # so that it is in the file
        (file,) = [each for each in Path("/proc/self/fd").iterdir() if f"{tmp_path}/" in os.path.realpath(each)]
        assert (b"task 3" in file.read_bytes()) is (key is None)


def test_its_content_is_in_a_folder_that_others_cannot_read(
    store: StorageEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with store.snapshot() as reader, scratch_of(reader, lambda _: None):
        (folder,) = tmp_path.iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        assert list(folder.iterdir()) == [], "its file has no name"


def _all_of(store: StorageEngine) -> object:
    with store.store.read() as reader:
        return reader.log.position(), reader.index.digest(), [*reader.states.scan()], reader.tables.all("tasks")
