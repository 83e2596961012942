"""Encrypted files: what they show, which key opens them, and what is said when none does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edda_sync.sealing import datakeys, keyfile
from edda_sync.store.sqlite import migrations
from edda_sync.store.sqlite.keyed import FileKeys
from edda_sync.store.sqlite.rekeying import rekey
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.errors import CorruptError, NotAStoreError, OutdatedError, StorageError, StoreKeyError
from tests.encrypted import encrypt, holds

PLANTED = b"a string that nobody may read"

KILLED = f"""
import os, pathlib, signal, sys
from edda_sync.store.sqlite.store import SqliteStore
store = SqliteStore(pathlib.Path(sys.argv[1]))
store.transact(lambda tx: tx.meta.set("key", {PLANTED!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def new_process() -> Iterator[None]:
    datakeys.forget_unlocked()
    yield
    datakeys.forget_unlocked()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return encrypt(folder / DATABASE_FILE)


def fill(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.transact(lambda tx: tx.meta.set("key", PLANTED))


def held(path: Path) -> bytes | None:
    with closing(SqliteStore(path)) as store, store.read() as reader:
        return reader.meta.get("key")


# --- what can be read -------------------------------------------------------------------------------------------------


def test_nothing_can_be_read_in_any_file_while_it_is_open_nor_after(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.transact(lambda tx: tx.meta.set("key", PLANTED))
        assert Path(f"{path}-wal").stat().st_size > len(PLANTED)
        assert holds(path.parent, PLANTED) == holds(path.parent, b"CREATE TABLE") == []
        with store.read() as reader:
            assert reader.meta.get("key") == PLANTED
    assert holds(path.parent, PLANTED) == holds(path.parent, b"SQLite format 3") == []
    assert held(path) == PLANTED


def test_nothing_can_be_read_after_a_process_was_killed_and_nothing_is_lost(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert Path(f"{path}-wal").stat().st_size > len(PLANTED)
    assert holds(path.parent, PLANTED) == []
    assert held(path) == PLANTED


def test_the_check_for_planted_strings_finds_one_in_a_plain_store(tmp_path: Path) -> None:
    fill(tmp_path / DATABASE_FILE)
    assert holds(tmp_path, PLANTED) == [DATABASE_FILE]


def test_the_copy_from_before_a_migration_is_encrypted_as_well(path: Path) -> None:
    fill(path)
    with closing(SqliteStore(path)) as store, closing(store.connect()) as connection:
        copy = migrations.copy_beside(connection, path)
    assert holds(path.parent, PLANTED) == []
    os.replace(copy, path)  # as a person does who goes back to the older version
    assert held(path) == PLANTED


def test_a_store_that_can_only_be_read_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(path)
    monkeypatch.setattr("edda_sync.store.sqlite.store.can_only_be_read", lambda _path: True)
    with closing(SqliteStore(path)) as store:
        assert store.is_read_only
        with store.read() as reader:
            assert reader.meta.get("key") == PLANTED


def test_a_process_opens_it_twice(path: Path) -> None:
    fill(path)
    with closing(SqliteStore(path)) as store:
        store.transact(lambda tx: tx.meta.set("first", b"1"))
        with closing(SqliteStore(path)) as again, again.read() as reader:
            assert reader.meta.get("first") == b"1"
        store.transact(lambda tx: tx.meta.set("second", b"1"))
    with closing(SqliteStore(path)) as store, store.read() as reader:
        assert reader.meta.get("second") == b"1"


def test_programs_query_it_with_sql(path: Path) -> None:
    fill(path)
    with closing(SqliteStore(path)) as store, closing(store.sql()) as connection:
        assert connection.execute("SELECT value FROM _meta WHERE key = 'key'").fetchone() == (PLANTED,)


# --- which key opens it -----------------------------------------------------------------------------------------------


def test_an_older_copy_of_the_file_is_opened_by_the_present_key_file(path: Path, tmp_path: Path) -> None:
    fill(path)
    older = shutil.copy(path, tmp_path / "older.db")
    with closing(SqliteStore(path)) as store:
        rekey(store, datakeys.add(path).current)
    assert held(path) == PLANTED
    shutil.copy(older, path)
    assert held(path) == PLANTED


def test_a_key_that_is_new_in_the_key_file_does_not_matter_until_the_file_has_it(path: Path) -> None:
    fill(path)
    datakeys.add(path)
    assert held(path) == PLANTED
    datakeys.forget_unlocked()
    assert held(path) == PLANTED


def test_each_connection_gets_the_raw_key_and_no_passphrase_is_stretched_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(path)
    unlocked, real = list[Path](), datakeys.unlock

    def counted(database: Path) -> datakeys.DataKeys:
        unlocked.append(database)
        return real(database)

    monkeypatch.setattr(datakeys, "unlock", counted)
    with closing(SqliteStore(path)) as store:
        for _ in range(5):
            store.connect().close()
        assert unlocked == [path]


# --- what is said when none does --------------------------------------------------------------------------------------


def refused(path: Path, error: type[StorageError], match: str) -> None:
    """Check that a store does not open, in words that say what to do, and that no file was changed."""
    datakeys.forget_unlocked()
    before = {each: each.read_bytes() for each in path.parent.iterdir()}
    with pytest.raises(error, match=match):
        SqliteStore(path)
    assert {each: each.read_bytes() for each in path.parent.iterdir()} == before


def test_without_its_key_file_nothing_opens_it(path: Path) -> None:
    fill(path)
    keyfile.path_of(path).unlink()
    refused(path, StoreKeyError, r"its key file edda\.db-key is missing .*nothing was changed: put both back")


def test_the_key_file_of_another_store_does_not_open_it(path: Path, tmp_path: Path) -> None:
    fill(path)
    other = tmp_path / "other"
    other.mkdir()
    encrypt(other / DATABASE_FILE)
    shutil.copy(other / "edda.db-key", path.parent)
    refused(path, StoreKeyError, r"edda\.db-key holds no key for it; nothing was changed: put edda\.db and")


def test_a_key_file_whose_key_is_gone_says_where_it_was(path: Path) -> None:
    fill(path)
    path.parent.with_name(f"{path.parent.name}.key").unlink()
    refused(path, StoreKeyError, r"home\.key is missing; nothing was changed: put it back")


def test_a_damaged_first_page_is_damage_and_no_wrong_key(path: Path) -> None:
    fill(path)
    raw = bytearray(path.read_bytes())
    raw[100] ^= 1
    path.write_bytes(raw)
    refused(path, CorruptError, r"edda\.db is damaged on this disk")


@pytest.mark.parametrize("content", [b"no store at all", b"no store" * 1024, os.urandom(4_000)])
def test_another_file_beside_no_key_file_is_no_store(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / DATABASE_FILE
    path.write_bytes(content)
    refused(path, NotAStoreError, "is not an edda store")


def test_another_file_beside_a_key_file_stays_as_it_is(path: Path) -> None:
    path.write_bytes(b"no store" * 1024)
    refused(path, StoreKeyError, "holds no key for it")


def test_sqlcipher_prints_nothing_about_a_wrong_key(path: Path, tmp_path: Path) -> None:
    fill(path)
    other = tmp_path / "other"
    other.mkdir()
    encrypt(other / DATABASE_FILE)
    shutil.copy(other / "edda.db-key", path.parent)
    code = (
        "import pathlib, sys; from edda_sync.store.sqlite.store import SqliteStore\n"
        "try: SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert (said.stdout, said.stderr) == ("StoreKeyError\n", "")


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_page_of_the_file_is_decrypted_as_sqlcipher_does(path: Path) -> None:
    fill(path)
    keys = FileKeys(path, path.read_bytes()[:16])
    found = 0
    raw = path.read_bytes()
    with closing(SqliteStore(path)) as store, closing(store.connect()) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = '_summary'").fetchone()
        (link,) = connection.execute("SELECT link FROM _summary").fetchone()
    for number in range(1, len(raw) // 4_096):
        page = keys.first_block(raw[number * 4_096 : (number + 1) * 4_096], b"\x0d\x00\x00\x00\x01")
        if number == root - 1:
            assert bytes(link) in page
            found += 1
    assert found == 1


def test_a_page_that_no_key_opens_has_no_block(path: Path) -> None:
    fill(path)
    assert FileKeys(path, b"").first_block(os.urandom(4_096), b"\x0d\x00\x00\x00\x01") == b""


def test_the_error_of_a_program_that_reads_for_too_long_is_the_same(path: Path) -> None:
    fill(path)
    with closing(SqliteStore(path)) as store, closing(store.sql()) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT value FROM _meta").fetchone()
        assert connection.end()
        with pytest.raises(OutdatedError):
            connection.execute("SELECT 1")
