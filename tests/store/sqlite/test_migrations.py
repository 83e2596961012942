"""Migrations: stores of every version open, whatever happens on the way, and a newer store is left as it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.engine import doctor
from edda_sync.engine.engine import open as open_store
from edda_sync.store.sqlite import migrations, schema
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.errors import DiskFullError, NewerStoreError
from edda_sync.words.model import Task
from tests.mounting import mount
from tests.store.sqlite import kinds, versions

NEXT = schema.Migration("more", ("ALTER TABLE tasks ADD COLUMN estimate TEXT", "CREATE TABLE _more (number INTEGER)"))
BROKEN = schema.Migration("broken", (*NEXT.statements, "CREATE TABLE _more (number INTEGER)"))

AS_NEXT_VERSION = """
import os, signal, sys
from edda_sync.store.sqlite import schema
from tests.store.sqlite.test_migrations import NEXT
schema.MIGRATIONS = (*schema.MIGRATIONS, NEXT)
schema.VERSION += 1
from edda_sync.store.sqlite import migrations
migrations.migrate.__defaults__ = (schema.MIGRATIONS,)
from edda_sync.store.sqlite.store import SqliteStore
"""
"""A process that runs the next version of edda, which has one more migration."""


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> int:
    """Make this process the next version of edda; return the number of that version."""
    use(monkeypatch, NEXT)
    return schema.VERSION


def use(monkeypatch: pytest.MonkeyPatch, migration: schema.Migration) -> None:
    more = (*schema.MIGRATIONS, migration)
    monkeypatch.setattr(schema, "MIGRATIONS", more)
    monkeypatch.setattr(schema, "VERSION", len(more))
    monkeypatch.setattr(migrations.migrate, "__defaults__", (more,))


def run_as_next_version(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, "-c", AS_NEXT_VERSION + code, *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


def look(path: Path, statement: str) -> Any:
    with closing(sqlite.connect(str(path), isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


# --- stores of every version ------------------------------------------------------------------------------------------


def test_there_is_a_store_of_every_version_to_open() -> None:
    assert versions.known() == list(range(1, schema.VERSION + 1)), "run python -m tests.store.sqlite.versions"


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_a_store_of_every_version_opens_with_all_that_it_held_and_can_be_written(version: int, tmp_path: Path) -> None:
    home, said = versions.unpack(version, tmp_path)
    with open_store(home) as store:
        assert versions.says(store) == said
        assert all(each.sound for each in doctor.check(store))
        store.create_task(Task(title="written by a later version"))
        assert store.rebuild() == len(look(home / "edda.db", "SELECT 1 FROM _log"))
        assert all(each.sound for each in doctor.check(store))


@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_a_migrated_store_has_the_same_schema_as_a_new_one(version: int, tmp_path: Path) -> None:
    home, _ = versions.unpack(version, tmp_path)
    listed = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    with open_store(home), open_store(tmp_path / "new"):
        assert look(home / "edda.db", listed) == look(tmp_path / "new" / "edda.db", listed)


@pytest.mark.parametrize("kind", kinds.KINDS)
@pytest.mark.parametrize("version", range(kinds.FIRST, schema.VERSION + 1))
def test_a_store_of_every_kind_and_version_opens_with_all_that_it_held_and_can_be_written(
    kind: str, version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, said = kinds.unpack(kind, version, tmp_path)
    monkeypatch.setenv("EDDA_KEY_FILE", str(tmp_path / kinds.KEY))
    with open_store(home) as store:
        assert json.loads(json.dumps(kinds.says(store))) == said
        assert all(each.sound for each in doctor.check(store))
        store.create_task(Task(title="written by a later version"))
        store.rebuild()
        assert all(each.sound for each in doctor.check(store))


# --- one migration more -----------------------------------------------------------------------------------------------


def test_a_migration_keeps_everything_and_leaves_a_copy_that_the_older_version_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, said = versions.unpack(schema.VERSION, tmp_path)
    older = schema.VERSION
    with monkeypatch.context() as newer:
        use(newer, NEXT)
        with open_store(home) as store:
            assert versions.says(store)["digest"] == said["digest"]
            assert store.get_task(said["tables"]["tasks"][0][0]) is not None
        assert look(home / "edda.db", "SELECT estimate FROM tasks LIMIT 1") == [(None,)]
        assert migrations.copies(home / "edda.db") == [home / f"edda.db.version-{older}"]
    with pytest.raises(NewerStoreError):
        open_store(home)
    os.replace(home / f"edda.db.version-{older}", home / "edda.db")
    with open_store(home) as store:
        assert versions.says(store) == said


def test_the_copy_holds_what_only_the_journal_has_and_is_private(tmp_path: Path, one_more: int) -> None:
    path = tmp_path / "edda.db"
    with closing(sqlite.connect(str(path), isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        migrations.migrate(connection, schema.MIGRATIONS[:-1])
        connection.execute("COMMIT")
        connection.execute(
            "INSERT INTO _meta VALUES ('written', x'01')"
        )  # is in the journal while this connection is open
        store = SqliteStore(path)
        store.close()
    (copy,) = migrations.copies(path)
    assert look(copy, "SELECT value FROM _meta WHERE key = 'written'") == [(b"\x01",)]
    assert copy.stat().st_mode & 0o077 == 0


def test_a_new_store_needs_no_copy(tmp_path: Path, one_more: int) -> None:
    SqliteStore(tmp_path / "edda.db").close()
    assert migrations.copies(tmp_path / "edda.db") == []
    assert look(tmp_path / "edda.db", "PRAGMA user_version") == [(one_more,)]


def test_each_migration_is_recorded_with_its_name_and_time_in_order(tmp_path: Path, one_more: int) -> None:
    SqliteStore(tmp_path / "edda.db").close()
    with closing(sqlite.connect(str(tmp_path / "edda.db"), isolation_level=None)) as connection:
        found = migrations.applied(connection.execute)
    assert [each.name for each in found] == [each.name for each in schema.MIGRATIONS]
    assert all(each.at.endswith("+00:00") for each in found)


def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, said = versions.unpack(schema.VERSION, tmp_path)
    with monkeypatch.context() as newer:
        use(newer, BROKEN)
        with pytest.raises(Exception, match="_more"):
            open_store(home)
    with open_store(home) as store:
        assert versions.says(store) == said


@pytest.mark.parametrize("statement", range(3))
def test_a_process_that_is_killed_in_a_migration_leaves_a_store_that_is_migrated_later(
    tmp_path: Path, one_more: int, statement: int
) -> None:
    home, said = versions.unpack(schema.VERSION - 1, tmp_path)
    died = run_as_next_version(
        """
class Dies:
    def __init__(self, connection): self.connection = connection
    def __getattr__(self, name): return getattr(self.connection, name)
    left = int(sys.argv[2])
    def execute(self, statement, *rest):
        if statement in NEXT.statements or statement.startswith("PRAGMA user_version = "):
            if not Dies.left: os.kill(os.getpid(), signal.SIGKILL)
            Dies.left -= 1
        return self.connection.execute(statement, *rest)
migrate = migrations.migrate
migrations.migrate = lambda connection: migrate(Dies(connection))
SqliteStore(__import__("pathlib").Path(sys.argv[1]))
""",
        str(home / "edda.db"),
        str(statement),
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert look(home / "edda.db", "PRAGMA user_version") == [(one_more - 1,)]
    with open_store(home) as store:
        assert versions.says(store)["digest"] == said["digest"]
    assert look(home / "edda.db", "PRAGMA user_version") == [(one_more,)]


def test_a_copy_that_was_cut_off_is_made_anew(tmp_path: Path, one_more: int) -> None:
    home, _ = versions.unpack(schema.VERSION - 1, tmp_path)
    (home / f"edda.db.version-{one_more - 1}.unfinished").write_bytes(b"half")
    open_store(home).close()
    assert look(home / f"edda.db.version-{one_more - 1}", "PRAGMA integrity_check") == [("ok",)]
    assert not list(home.glob("*.unfinished"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_store_for_whose_copy_there_is_no_room_is_not_migrated_until_there_is(disk: Path, one_more: int) -> None:
    home, said = versions.unpack(schema.VERSION - 1, disk)
    before = (home / "edda.db").read_bytes()
    room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(room - 200_000))
    with pytest.raises(DiskFullError):
        open_store(home)
    assert (home / "edda.db").read_bytes() == before
    assert sorted(each.name for each in home.glob("edda.db*") if "-" not in each.name) == ["edda.db"]
    (disk / "filler").unlink()
    with open_store(home) as store:
        assert versions.says(store)["digest"] == said["digest"]


# --- another process of the older version -----------------------------------------------------------------------------


def test_a_process_of_the_older_version_goes_on_neither_reading_nor_writing_after_a_migration(tmp_path: Path) -> None:
    home, _ = versions.unpack(schema.VERSION, tmp_path)
    with open_store(home) as store:
        store.create_task(Task(title="before"))
        done = run_as_next_version(
            "SqliteStore(__import__('pathlib').Path(sys.argv[1])).close()", str(home / "edda.db")
        )
        assert done.returncode == 0, done.stderr
        held = look(home / "edda.db", "SELECT count(*) FROM _log")
        for use_it in (store.counts, lambda: store.create_task(Task(title="after"))):
            with pytest.raises(NewerStoreError) as caught:
                use_it()
            assert (caught.value.found, caught.value.known) == (schema.VERSION + 1, schema.VERSION)
            assert caught.value.path == str(home / "edda.db")
        assert look(home / "edda.db", "SELECT count(*) FROM _log") == held


def test_two_processes_that_migrate_at_once_migrate_once(tmp_path: Path) -> None:
    home, _ = versions.unpack(schema.VERSION, tmp_path)
    root = Path(__file__).parents[3]
    code = AS_NEXT_VERSION + "SqliteStore(__import__('pathlib').Path(sys.argv[1])).close()"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(home / "edda.db")], cwd=root, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert [(process.communicate()[1], process.returncode) for process in both] == [("", 0)] * 2
    names = look(home / "edda.db", "SELECT name FROM _sqlite_migrations ORDER BY id")
    assert names == [(each.name,) for each in (*schema.MIGRATIONS, NEXT)]
