"""The doctor: the damage that it finds in a store, and what a rebuild from the log mends."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.testing import Talk, devices, pair, sync
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import CorruptError
from edda_sync.words.model import Document, Task
from tests.sync.newcomers import BY_SEGMENT

CHECKS = ["file", "version", "references", "states", "log", "tables", "indexes", "digest", "lives"]


def fill(store: StorageEngine) -> None:
    """A bit of everything that tables and log can hold."""
    parent = store.create_task(Task(title="parent", tags={"a", "b"}, description="one two three"))
    child = store.create_task(Task(title="child", parent_id=parent, metadata={"k": 1}))
    store.edit_text(parent, "description", [(4, 3, "2")])
    document = store.create_document(Document(title="D", content="x" * 1_200_000))  # its change has parts
    with store.begin_transaction() as tx:
        tx.link(child, document, "spec")
        tx.rename_tag("b", "c")
    store.delete_task(store.create_task(Task(title="gone")))


def spoil(home: Path, *statements: str) -> None:
    """Change a closed store behind its back."""
    with closing(sqlite3.connect(home / "edda.db", isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement


def segments(store: StorageEngine) -> int:
    """The number of segments at the beginning of a store's log."""
    with store.store.read() as reader:
        return len(reader.segments.merged())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with open_store(tmp_path / "home") as store:
        fill(store)
    return tmp_path / "home"


def test_a_healthy_store_is_found_healthy_and_stays_as_it_is(home: Path) -> None:
    with open_store(home) as store:
        digest, position = store.digest(), store.counts()
        findings = doctor.check(store)
        assert [(each.check, each.sound) for each in findings] == [(name, True) for name in CHECKS]
        rebuilt = doctor.rebuild(store)
        assert (dict(rebuilt.different), store.digest(), store.counts()) == ({}, digest, position)
        assert rebuilt.changes == position["changes"]


@pytest.mark.parametrize(
    ("statement", "checks"),
    [
        ("UPDATE tasks SET title = 'other' WHERE title = 'child'", {"tables", "digest"}),
        ("UPDATE tasks SET description = 'other' WHERE title = 'parent'", {"tables", "digest"}),
        ("DELETE FROM entity_tags WHERE entity_type = 'task'", {"tables", "digest"}),
        ("DELETE FROM task_documents", {"tables", "digest"}),
        ("UPDATE _entities SET state = (SELECT state FROM _entities ORDER BY key LIMIT 1)", {"tables", "digest"}),
        ("UPDATE _entities SET hash = zeroblob(32) WHERE hex(key) LIKE '01%'", {"tables", "digest"}),
        ("UPDATE _summary SET digest = randomblob(16)", {"tables", "digest"}),
        ("DELETE FROM _summary", {"tables", "digest"}),
        ("INSERT INTO _unapplied SELECT 3, 1, key, 1, 'malformed' FROM _entities LIMIT 1", {"tables"}),
        ("DELETE FROM documents", {"references", "tables", "digest"}),
    ],
)
def test_a_spoiled_view_is_noticed_and_folded_anew(home: Path, statement: str, checks: set[str]) -> None:
    with open_store(home) as store:
        before = {name: store.table(name) for name in ("tasks", "documents", "tags", "entity_tags", "task_documents")}
        digest = store.digest()
    spoil(home, statement)
    with open_store(home) as store:
        assert {each.check for each in doctor.check(store) if not each.sound} == checks
        assert doctor.rebuild(store).different
        assert all(each.sound for each in doctor.check(store))
        assert {name: store.table(name) for name in before} == before
        assert store.digest() == digest
        assert dict(doctor.rebuild(store).different) == {}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE _log SET body = zeroblob(length(body)) WHERE position = 3",
        "UPDATE _log SET raw = (SELECT raw FROM _log WHERE position = 2) WHERE position = 3",
        "UPDATE _log SET hash = zeroblob(32) WHERE position = 3",
        "UPDATE _log_parts SET part = zeroblob(length(part)) WHERE number = 1",
        "DELETE FROM _log WHERE position = 4",
        "UPDATE _heads SET hash = zeroblob(32)",
    ],
)
def test_a_spoiled_log_is_noticed_and_nothing_is_folded_from_it(home: Path, statement: str) -> None:
    spoil(home, statement)
    with open_store(home) as store:
        tasks = store.table("tasks")
        assert "log" in {each.check for each in doctor.check(store) if not each.sound}
        with pytest.raises(CorruptError):
            doctor.rebuild(store)
        assert store.table("tasks") == tasks


def test_a_broken_file_is_noticed(home: Path) -> None:
    spoil(home, "PRAGMA wal_checkpoint(TRUNCATE)")
    with closing(sqlite3.connect(home / "edda.db")) as connection:
        (root_page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'idx_tasks_created_at'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with (home / "edda.db").open("r+b") as file:
        file.seek((root_page - 1) * size)
        file.write(b"\xff" * size)
    with open_store(home) as store:
        (finding,) = [each for each in doctor.check(store) if not each.sound]
        assert finding.check == "tables", "the index follows from the log"


@pytest.mark.parametrize(
    ("name", "content"), [("identity.key", "garbage\n"), ("identity.json", "{"), ("identity.key", None)]
)
def test_an_identity_that_is_damaged_is_noticed_and_all_else_is_looked_at(
    home: Path, name: str, content: str | None
) -> None:
    if content is None:
        (home / name).unlink()
    else:
        (home / name).write_text(content)
    with open_store(home) as store:
        findings = doctor.check(store)
    assert [each.check for each in findings if not each.sound] == ["identity"]
    assert {each.check for each in findings} > set(CHECKS)


def test_a_store_without_a_workspace_lacks_no_identity(tmp_path: Path) -> None:
    with StorageEngine(tmp_path / "home") as store:
        store.open_store(StorageConfig(state_path=tmp_path / "state"))
        assert "identity" not in {each.check for each in doctor.check(store)}


def test_a_store_that_began_with_a_segment_is_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edda_sync.words.limits.SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    with devices(1) as (laptop,):
        fill(laptop)
        for number in range(20):
            laptop.create_task(Task(title=str(number)))
        with StorageEngine(laptop.home.parent / "late") as phone:
            phone.open_store(StorageConfig(state_path=laptop.home.parent / "state", name="phone"))
            pair(laptop, phone)
            talk = Talk(laptop, phone)
            while not segments(phone):
                assert talk.step(), "it is sent a segment"
            phone.create_task(Task(title="own"))
            assert all(each.sound for each in doctor.check(phone))
            assert dict(doctor.rebuild(phone).different) == {}
            sync(laptop, phone)
            assert not segments(phone), "the log behind it came"
            assert all(each.sound for each in doctor.check(phone))
            assert dict(doctor.rebuild(phone).different) == {}


def test_a_store_in_memory_is_checked_too() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        fill(laptop)
        sync(laptop, phone)
        of_no_file = [name for name in CHECKS[4:] if name != "indexes"]
        assert [(each.check, each.sound) for each in doctor.check(phone)] == [(name, True) for name in of_no_file]


def test_the_doctor_goes_on_if_its_progress_function_raises(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    told: list[int] = []

    def progress(done: int) -> None:
        told.append(done)
        raise BrokenPipeError

    with open_store(home) as store:
        assert all(each.sound for each in doctor.check(store, progress))
        assert doctor.rebuild(store, progress).changes == store.counts()["changes"]
    assert len(told) == 2
    assert caplog.text.count("The progress of the doctor is not told any more") == 2


def test_a_second_name_that_an_open_file_gets_is_reported_and_gone_when_it_is_opened_anew(home: Path) -> None:
    with open_store(home) as store:
        (home / "snapshot.db").hardlink_to(home / "edda.db")
        (found,) = [each for each in doctor.check(store) if each.check == "names"]
        assert found.sound
        assert "hard link" in found.detail
    with open_store(home) as store:
        assert [each.check for each in doctor.check(store)] == CHECKS
        assert (home / "snapshot.db").stat().st_nlink == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE _log SET body = 7 WHERE position = 2",
        "UPDATE _log SET raw = NULL_OR_TEXT WHERE position = 2",
        "UPDATE _log SET hash = NULL_OR_TEXT WHERE position = 2",
        "UPDATE _entities SET state = 7 WHERE number = 2",
        "UPDATE _entities SET hash = NULL_OR_TEXT WHERE number = 2",
        "UPDATE _texts SET state = 7",
        "UPDATE _text_tail SET edit = NULL_OR_TEXT",
    ],
)
def test_a_value_of_another_type_is_damage_and_no_bare_error(home: Path, statement: str) -> None:
    """One wrong bit in a row's header makes a number, or a text, of what was written as bytes."""
    with closing(sqlite3.connect(home / "edda.db", isolation_level=None)) as connection:
        changed = connection.execute(statement.replace("NULL_OR_TEXT", "'text'")).rowcount
    with open_store(home) as store:
        assert len(store.table("tasks")) == 2
        found = doctor.check(store)
        assert not changed or not all(each.sound for each in found)
