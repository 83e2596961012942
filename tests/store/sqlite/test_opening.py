"""What must hold of a file before SQLite opens it, and of a connection before it is used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import schema
from edda_sync.store.sqlite.opening import check_file, configure, prepare_file
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.errors import EddaError, LinkError, NewerStoreError, NotAStoreError


def text(path: Path) -> None:
    path.write_text("Dear diary, " * 100)


def folder(path: Path) -> None:
    path.mkdir()


def another_program_s(path: Path) -> None:
    with sqlite.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.execute("PRAGMA application_id = 7")


def nobody_s(path: Path) -> None:
    with sqlite.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t (a)")


def newer(path: Path) -> None:
    SqliteStore(path).close()
    with sqlite.connect(str(path)) as connection:
        connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (text, NotAStoreError),
        (folder, NotAStoreError),
        (another_program_s, NotAStoreError),
        (nobody_s, NotAStoreError),
        (newer, NewerStoreError),
    ],
)
def test_a_file_that_is_no_store_of_this_version_stays_untouched(
    tmp_path: Path, make: Callable[[Path], None], kind: type[EddaError]
) -> None:
    path = tmp_path / "edda.db"
    make(path)
    before = None if path.is_dir() else path.read_bytes()
    with pytest.raises(kind):
        check_file(path)
    assert before is None or path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["edda.db"]


def test_a_store_or_an_empty_file_or_a_new_path_may_be_opened(tmp_path: Path) -> None:
    check_file(tmp_path / "edda.db")
    (tmp_path / "empty.db").touch()
    check_file(tmp_path / "empty.db")
    SqliteStore(tmp_path / "edda.db").close()
    check_file(tmp_path / "edda.db")


@pytest.mark.parametrize(("pages", "is_ours"), [(0, True), (7, False)])
def test_a_garbled_first_page_counts_as_an_empty_file_if_its_journal_began_with_no_pages(
    tmp_path: Path, pages: int, *, is_ours: bool
) -> None:
    path = tmp_path / "edda.db"
    path.write_bytes(b"\xff" * 4096)
    Path(f"{path}-journal").write_bytes(bytes.fromhex("d9d505f920a163d7") + bytes(8) + pages.to_bytes(4, "big"))
    if is_ours:
        check_file(path)
    else:
        with pytest.raises(NotAStoreError):
            check_file(path)


def test_a_new_file_is_for_its_owner_only_and_one_that_others_may_read_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "edda.db"
    old = os.umask(0)
    try:
        assert prepare_file(path) == path
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)
        Path(f"{path}-wal").touch()
        prepare_file(path)
    finally:
        os.umask(old)
    assert [each.stat().st_mode & 0o777 for each in (path, Path(f"{path}-wal"))] == [0o600, 0o600]


def test_a_link_is_followed_only_to_an_existing_file(tmp_path: Path) -> None:
    (tmp_path / "real.db").touch()
    (tmp_path / "edda.db").symlink_to("real.db")
    assert prepare_file(tmp_path / "edda.db") == tmp_path / "real.db"
    (tmp_path / "dangling.db").symlink_to("nowhere")
    with pytest.raises(LinkError):
        prepare_file(tmp_path / "dangling.db")
    assert not (tmp_path / "nowhere").exists()


def test_a_connection_acknowledges_only_what_is_on_disk(tmp_path: Path) -> None:
    path = prepare_file(tmp_path / "edda.db")
    connection = sqlite.connect(str(path), isolation_level=None)
    configure(connection, path)
    asked = ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")
    assert [connection.execute(f"PRAGMA {each}").fetchone()[0] for each in asked] == ["wal", 2, 1, 0]
    connection.close()
