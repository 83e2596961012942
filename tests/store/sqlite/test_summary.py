"""The summary: one row that each commit brings up to date."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import summary
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.store.sqlite.writer import SqliteWriter

TEXT = (b"entity", "content", b"genesis!")


def row(path: Path) -> tuple[bytes, bytes, bytes]:
    with closing(sqlite.connect(path)) as connection:
        link, digest, serial = connection.execute("SELECT link, digest, serial FROM _summary").fetchone()
    return link, digest, serial


def edit(tx: SqliteWriter) -> int:
    return tx.states.append_text(*TEXT, b"actor", 1, b"edit")


def test_a_commit_writes_link_digest_and_serial_in_one_statement(tmp_path: Path) -> None:
    path, seen = tmp_path / "edda.db", list[str]()
    with closing(SqliteStore(path)) as store:

        def work(tx: SqliteWriter) -> None:
            tx._connection.set_trace_callback(seen.append)
            for _ in range(3):
                tx.index.add_to_digest(5)
                edit(tx)

        store.transact(work)
        link, digest, serial = row(path)
    assert [each for each in seen if "_summary" in each and each.startswith("UPDATE")] == [seen[-2]]
    assert len(link) == summary.LINK_BYTES
    assert (int.from_bytes(digest, "big"), int.from_bytes(serial, "big")) == (15, 3)


def test_the_row_has_the_same_length_for_all_numbers(tmp_path: Path) -> None:
    path = tmp_path / "edda.db"
    with closing(SqliteStore(path)) as store:
        before = row(path)
        store.transact(lambda tx: tx.index.add_to_digest((1 << 128) - 1))
        assert [len(each) for each in row(path)] == [len(each) for each in before]
    page = path.read_bytes()
    assert page.count(summary.ROW) == 1


def test_the_effects_of_a_failed_job_are_forgotten_and_those_of_the_one_before_it_are_kept(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "edda.db")) as store:

        def fail(tx: SqliteWriter) -> None:
            tx.index.add_to_digest(100)
            edit(tx)
            raise ValueError("no")

        def both(tx: SqliteWriter) -> None:
            tx.index.add_to_digest(7)
            assert edit(tx) == 1
            with pytest.raises(ValueError, match="no"), tx.undoing():
                fail(tx)
            assert (tx.index.digest(), edit(tx)) == (7, 2)

        store.transact(both)
        with pytest.raises(ValueError, match="no"):
            store.transact(fail)
        assert store.transact(lambda tx: (tx.index.digest(), tx.states.last_serial())) == (7, 2)
        with store.read() as reader:
            assert (reader.index.digest(), reader.states.last_serial()) == (7, 2)


def test_serial_numbers_are_not_given_twice_when_texts_are_dropped_or_the_row_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "edda.db"
    with closing(SqliteStore(path)) as store:
        assert store.transact(edit) == 1

        def drop(tx: SqliteWriter) -> None:
            tx.states.drop([TEXT[0]])

        store.transact(drop)
        assert store.transact(edit) == 2
        with closing(sqlite.connect(path)) as other:
            other.execute("DELETE FROM _summary")
            other.commit()
        assert store.transact(edit) == 3
        store.transact(lambda tx: tx.index.add_to_digest(9))
        assert store.transact(lambda tx: (tx.index.digest(), tx.states.last_serial())) == (9, 3)
        assert len(row(path)[0]) == summary.LINK_BYTES


def test_another_process_sees_what_a_commit_left(tmp_path: Path) -> None:
    path = tmp_path / "edda.db"
    with closing(SqliteStore(path)) as one, closing(SqliteStore(path)) as other:
        for at in range(1, 4):
            store = (one, other)[at % 2]
            assert store.transact(edit) == at
            store.transact(lambda tx: tx.index.add_to_digest(1))
        assert one.transact(lambda tx: tx.index.digest()) == 3


def test_clearing_the_view_ends_the_digest_and_keeps_the_serial_number(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "edda.db")) as store:

        def work(tx: SqliteWriter) -> tuple[int, int]:
            tx.index.add_to_digest(5)
            edit(tx)
            tx.clear_view()
            return tx.index.digest(), edit(tx)

        assert store.transact(work) == (0, 2)
