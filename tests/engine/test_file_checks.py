"""What the doctor says about a store's file; ``test_doctor`` has damage of all kinds in a plain one."""

from __future__ import annotations

from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine.file_checks import Finding, check_file, some
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import CorruptError
from tests.encrypted import config_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    with edda.open(home, StorageConfig(encryption_config=config_of(home / "edda.db"))) as store:
        for number in range(50):
            store.create_task(edda.Task(title=f"task {number}", description="words " * 200))
    return home


def findings(home: Path) -> dict[str, Finding]:
    with edda.open(home) as store:
        assert isinstance(store.store, SqliteStore)
        return {each.check: each for each in check_file(store.store)}


def flip(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)


def test_a_sound_encrypted_file_says_where_its_key_is(home: Path) -> None:
    found = findings(home)
    assert {name: each.sound for name, each in found.items()} == dict.fromkeys(found, True)
    assert found["encryption"].detail.endswith(f"the key is in the file {home.with_name('home.key')}")


def test_a_plain_file_has_no_such_finding(tmp_path: Path) -> None:
    with edda.open(tmp_path) as store:
        store.create_task(edda.Task(title="a"))
    assert "encryption" not in findings(tmp_path)


def test_a_flipped_bit_in_any_page_is_found(home: Path) -> None:
    path = home / "edda.db"
    whole = path.read_bytes()
    pages = len(whole) // 4_096
    opened = 20
    for page in range(2, pages, max(1, pages // 20)):
        flip(path, page * 4_096 + 2_000)
        try:
            assert not all(each.sound for each in findings(home).values()), page
        except CorruptError:  # it is so damaged that it does not open
            opened -= 1
        path.write_bytes(whole)
    assert all(each.sound for each in findings(home).values())
    assert opened > 10


def test_a_flipped_bit_in_the_salt_is_found_and_harms_nothing(home: Path) -> None:
    flip(home / "edda.db", 5)
    found = findings(home)["encryption"]
    assert not found.sound
    assert "not used; `edda key rotate --store --data` writes them anew" in found.detail


def test_plain_files_that_are_left_are_named(home: Path) -> None:
    (home / "edda.db-wal-aside-1").write_bytes(b"a journal")
    found = findings(home)["encryption"]
    assert found.sound
    assert "plain, and yours to delete: edda.db-wal-aside-1" in found.detail


def test_only_the_first_of_many_names_are_listed() -> None:
    assert some(["a", "b"]) == "a, b"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
