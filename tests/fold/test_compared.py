"""Compared: a stored text that is not the one that its item's hash stands for is noticed as it is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words.errors import CorruptError, DamagedRowsError

Two = tuple[StorageEngine, StorageEngine]


@pytest.fixture
def two() -> Iterator[Two]:
    with devices(2) as (a, b):
        yield a, b


def edited(store: StorageEngine) -> str:
    document = store.create_document(edda.Document(title="D", content="some words"))
    store.edit_text(document, "content", [(0, 0, "here are ")])
    store.store.transact(store.writing.catch_up)
    return document


def rot(store: StorageEngine, statement: str) -> None:
    """Change what is stored, and forget what is in memory."""

    def work(tx: Any) -> None:
        tx._sql.execute(statement)
        tx._forget_known()

    store.store.transact(work)
    store.ledger.texts.forget()


TEXT = "UPDATE _texts SET state = CAST(replace(state, 'words', 'wordz') AS BLOB)"
STATE = "UPDATE _entities SET state = CAST(replace(state, 'D', 'E') AS BLOB) WHERE substr(key, 1, 1) = x'01'"


def content(store: StorageEngine, document: str) -> str:
    found = store.get_document(document)
    assert found is not None
    assert isinstance(found.content, str)
    return found.content


def test_an_edit_of_a_text_that_rotted_is_one_of_what_was_written(two: Two) -> None:
    a, b = two
    document = edited(a)
    sync(a, b)
    rot(a, TEXT)
    a.edit_text(document, "content", [(0, 4, "HERE")])
    assert content(a, document) == "HERE are some words"
    sync(a, b)
    assert content(b, document) == "HERE are some words"
    assert all(each.sound for each in doctor.check(a))


def test_what_a_peer_writes_into_a_text_that_rotted_shows_nothing_that_nobody_wrote(two: Two) -> None:
    a, b = two
    document = edited(a)
    sync(a, b)
    rot(a, TEXT)
    b.edit_text(document, "content", [(0, 4, "HERE")])
    with pytest.raises(DamagedRowsError, match=document):  # for which a running device folds everything again
        sync(a, b)
    assert content(a, document) == "here are some words"
    a.rebuild()
    sync(a, b)
    assert content(a, document) == "HERE are some words"


@pytest.mark.parametrize(("statement", "error"), [(TEXT, DamagedRowsError), (STATE, CorruptError)])
def test_a_text_or_a_state_that_rotted_is_named_and_not_kept_in_memory(
    two: Two, statement: str, error: type[CorruptError]
) -> None:
    a, _ = two
    document = edited(a)
    rot(a, statement)
    for _ in range(2):
        with pytest.raises(error, match=document):
            a.store.transact(
                lambda tx: a.ledger.fold(tx).show_again([record.key for record in tx.states.scan("document")])
            )


def test_a_text_whose_hash_waits_is_read_as_it_is(two: Two) -> None:
    a, _ = two
    document = edited(a)
    a.edit_text(document, "content", [(0, 4, "HERE")])
    a.ledger.texts.forget()
    a.edit_text(document, "content", [(0, 4, "Here")])
    a.ledger.texts.forget()
    assert content(a, document) == "Here are some words"
