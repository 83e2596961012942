"""A settlement that ends anywhere leaves everything as it was, and the next one finishes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edda_sync.store.rocks import database, settling
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.errors import DiskFullError
from tests.store.rocks.test_keeper import anew, opened, settle, write
from tests.store.samples import entity

BEFORE, AFTER, MARKED = "before it is in RocksDB", "after it is in RocksDB", "after it is begun"


class Stopped(BaseException):
    """The process ends here."""


def stopping(real: Callable[..., Any], moment: str) -> Callable[..., None]:
    def stop(*of: Any) -> None:
        if moment == AFTER:
            real(*of)
        raise Stopped

    return stop


def states(store: SqliteStore) -> dict[bytes, bytes]:
    with store.read() as reader:
        return {held.key: held.state for held in reader.states.scan()}


def forget(*numbers: int) -> Callable[[StoreWriter], None]:
    return lambda tx: tx.forget([entity(number) for number in numbers])


@pytest.fixture(params=[True, False], ids=["settled-before", "first"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteStore]:
    store = opened(tmp_path)
    store.transact(write(1, 2, 3))
    if request.param:
        settle(store)
    yield store
    store.close()


@pytest.mark.parametrize("clears", [True, False], ids=["cleared", "added-to"])
@pytest.mark.parametrize("moment", [MARKED, BEFORE, AFTER])
def test_what_a_settlement_left_that_ended_early_is_finished(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, clears: bool
) -> None:
    store.transact(write(2, 4, state=b"newer"))
    store.transact(anew(7) if clears else forget(3))
    expected = states(store)
    with monkeypatch.context() as patched:
        if moment == MARKED:
            patched.setattr(settling, "_carry", stopping(settling._carry, BEFORE))
        else:
            patched.setattr(database, "settle", stopping(database.settle, moment))
        with pytest.raises(Stopped):
            settle(store)
    store.close()
    again = opened(tmp_path)
    assert states(again) == expected
    again.transact(write(5))
    expected |= {entity(5): b"state"}
    assert states(again) == expected
    settle(again)
    assert states(again) == expected
    settle(again)
    (folder,) = (tmp_path / "edda.rocks").iterdir()  # nothing is left over
    assert again.connect().execute("SELECT folder FROM _settled").fetchone() == (folder.name,)
    again.close()
    fresh = opened(tmp_path)
    assert states(fresh) == expected
    fresh.close()


def test_a_full_disk_leaves_everything_pending(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_of: object) -> None:
        raise DiskFullError("the disk")

    expected = states(store)
    store.transact(write(9))
    with monkeypatch.context() as patched:
        patched.setattr(database, "settle", full)
        with pytest.raises(DiskFullError):
            settle(store)
    assert states(store) == expected | {entity(9): b"state"}
    settle(store)
    assert states(store) == expected | {entity(9): b"state"}


def test_much_is_settled_part_by_part(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.keeping.once_bytes = 400  # type: ignore[attr-defined]
    parts = 0
    real = database.settle

    def counting(*of: Any) -> None:
        nonlocal parts
        parts += 1
        real(*of)

    for number in range(10, 15):
        store.transact(write(number, state=bytes(150)))
    expected = states(store)
    monkeypatch.setattr(database, "settle", counting)
    settle(store)
    assert parts >= 3
    assert states(store) == expected
    assert store.connect().execute("SELECT count(*) FROM _pending").fetchone() == (0,)


def test_nothing_is_settled_when_nothing_is_pending(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    settle(store)
    monkeypatch.setattr(database, "settle", stopping(database.settle, BEFORE))
    settle(store)
