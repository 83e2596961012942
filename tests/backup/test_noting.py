"""Noting: a failure is remembered until a backup is made, and an error of another kind is none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.backup.noting import Noting
from edda_sync.testing import devices
from edda_sync.words.errors import (
    BusyError,
    DamagedBackupError,
    DiskFullError,
    EddaError,
    ReadOnlyError,
    StorageError,
    TargetError,
)
from tests.faulty import FaultyEngine


def test_a_failure_is_remembered_until_a_backup_is_made() -> None:
    with devices(1, backend="memory") as (laptop,):
        noting = Noting(laptop, "stick")
        noting.note(number=3, is_distrusted=True)
        with pytest.raises(DamagedBackupError), noting.if_it_ends(TargetError):
            raise DamagedBackupError("it", "why")
        assert noting.now().failed == ""
        for ending in (noting.if_it_ends(TargetError), noting.made()):
            with pytest.raises(TargetError), ending:
                raise TargetError("stick", "its folder is not here", "connect it")
            assert "its folder is not here" in noting.now().failed
            assert noting.now().failed_ms > 0
        assert Noting(laptop, "cloud").now().failed == ""
        with noting.made():
            pass
        assert (noting.now().failed, noting.now().number, noting.now().is_distrusted) == ("", 3, False)


FAILURES: list[StorageError] = [BusyError("edda.db"), DiskFullError("edda.db"), ReadOnlyError("edda.db")]


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[FaultyEngine]:
    with FaultyEngine(tmp_path / "home") as engine:
        engine.initialize()
        yield engine


@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: type(each).__name__)
def test_a_failure_that_cannot_be_noted_is_still_the_one_that_is_told(
    faulty: FaultyEngine, failure: StorageError
) -> None:
    noting = Noting(faulty, "stick")
    faulty.faulty.fail("transact", failure)
    with pytest.raises(TargetError), noting.made():
        raise TargetError("stick", "its folder is not here", "connect it")


def test_a_store_that_was_busy_for_too_long_is_not_waited_for_a_second_time(faulty: FaultyEngine) -> None:
    before = faulty.faulty.calls["transact"]
    with pytest.raises(BusyError), Noting(faulty, "stick").made():
        raise BusyError("edda.db")
    assert faulty.faulty.calls["transact"] == before


@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: type(each).__name__)
def test_a_backup_that_holds_may_stay_unnoted_and_a_damaged_one_only_where_none_can_be_made(
    faulty: FaultyEngine, failure: StorageError
) -> None:
    noting, damaged = Noting(faulty, "stick"), DamagedBackupError("it", "why")
    faulty.faulty.fail("transact", failure, times=2)
    noting.verdict(None)
    told: EddaError | None = None
    try:
        noting.verdict(damaged)
    except StorageError as error:
        told = error
    assert told is (None if isinstance(failure, ReadOnlyError) else failure)
    noting.verdict(damaged)
    assert noting.now().is_distrusted
