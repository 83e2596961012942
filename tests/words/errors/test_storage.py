from __future__ import annotations

import pytest

from edda_sync.words import errors

STORE = "/home/a/notes/edda.db"


def test_the_error_of_a_lost_store_names_every_way_back() -> None:
    text = str(errors.LostStoreError(STORE, ["identity.json", "identity.key"]))
    assert errors.WAYS_BACK in text
    assert "missing or empty" in text
    assert "move away identity.json, identity.key" in text


@pytest.mark.parametrize(
    ("signs", "overwritten", "kept"),
    [
        (["edda.db", "edda.db-wal"], False, "keep edda.db-wal elsewhere first"),
        (["edda.db", "identity.json"], True, "keep edda.db elsewhere first"),
        (["edda.db", "edda.db-wal"], True, "keep edda.db and edda.db-wal elsewhere first"),
    ],
)
def test_the_error_advises_to_keep_files_that_may_still_hold_something(
    signs: list[str], overwritten: bool, kept: str
) -> None:
    assert kept in str(errors.LostStoreError(STORE, signs, overwritten=overwritten))


def test_if_nothing_is_left_there_is_nothing_to_move_away() -> None:
    text = str(errors.LostStoreError(STORE, []))
    assert "move away" not in text
    assert "keep" not in text


def test_a_damaged_store_is_reported_as_damage_with_the_file_to_move_away() -> None:
    error = errors.DamagedStoreError(STORE, "The state of a task")
    assert isinstance(error, errors.CorruptError)
    assert (error.path, error.what) == (STORE, "The state of a task")
    assert str(error).startswith("The state of a task is damaged")
    assert "move edda.db away" in str(error)
    assert str(errors.DamagedStoreError(STORE)).startswith(f"{STORE} is damaged")


def test_a_store_that_cannot_be_written_says_what_to_do_unless_the_caller_knows_better() -> None:
    assert str(errors.ReadOnlyError(STORE)).endswith("check its permissions or its disk.")
    assert str(errors.ReadOnlyError(STORE, "set EDDA_STATE")).endswith("nothing was changed: set EDDA_STATE.")
