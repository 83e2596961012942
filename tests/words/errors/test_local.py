from __future__ import annotations

from edda_sync.words import errors
from tests.words.errors.made import ID


def test_an_error_has_the_fields_that_it_was_given() -> None:
    conflict = errors.ConflictError([(ID, "title"), (ID, "status")])
    assert conflict.cells == [(ID, "title"), (ID, "status")]
    assert "title" in str(conflict)
    newer = errors.NewerStoreError("/home/a/notes", 7, 1)
    assert (newer.path, newer.found, newer.known) == ("/home/a/notes", 7, 1)
    limit = errors.LimitError("the text", 20_000_000, 16_777_216)
    assert "20,000,000" in str(limit)
    trash = errors.InTrashError("task", ID)
    assert (trash.kind, trash.reference) == ("task", ID)
    assert f"edda task restore {ID}" in str(trash)
