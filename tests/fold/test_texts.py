"""Texts: a document in memory is never ahead of, behind, or beside what the store holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.operation import Edit
from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.engine.engine import StorageEngine
from edda_sync.fold import texts as module
from edda_sync.fold.entities import Entities
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import devices, sync
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError, RefusedTextError
from tests.interrupts import interrupted


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StorageEngine]:
    with edda.open(tmp_path / "home") as engine:
        yield engine


def content(store: StorageEngine, document: str) -> str | None:
    """What a document reads."""
    read = store.get_document(document)
    assert read is not None
    return read.content


def test_a_failed_transaction_leaves_no_phantom_in_memory_or_at_a_peer() -> None:
    """Counterexample 9."""
    with devices(2) as (laptop, phone):
        document = laptop.create_document(edda.Document(title="D", content="base"))
        laptop.edit_text(document, "content", [(4, 0, "!")])
        laptop.edit_text(document, "content", [(4, 1, "")])

        def fail(_: StoreWriter) -> None:
            raise RuntimeError("on purpose")

        with laptop.begin_transaction() as tx:
            tx.edit_text(document, "content", [(4, 0, " phantom")])
            drafts = list(tx.drafts)
            tx.rollback()

        def work(tx: StoreWriter) -> None:
            laptop.ledger.commit(tx, drafts, 1)
            fail(tx)

        with pytest.raises(RuntimeError, match="on purpose"):
            laptop.store.transact(work)
        laptop.edit_text(document, "content", [(0, 0, "real ")])
        sync(laptop, phone)
        assert content(laptop, document) == content(phone, document) == "real base"


def test_two_engines_on_one_store_edit_one_document_and_both_edits_stand(tmp_path: Path) -> None:
    """Counterexample 10, in one process; tests/e2e has it with two."""
    with edda.open(tmp_path / "home") as up:
        document = up.create_document(edda.Document(title="D", content="text"))
        up.edit_text(document, "content", [(4, 0, ".")])
        with edda.open(tmp_path / "home") as command:
            for number in range(5):
                command.edit_text(document, "content", [(0, 0, f"c{number} ")])
                up.edit_text(document, "content", [(0, 0, f"u{number} ")])
            expected = "".join(f"u{n} c{n} " for n in reversed(range(5))) + "text."
            assert content(up, document) == content(command, document) == expected


def test_the_tail_is_folded_into_the_state_before_it_grows_long(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TAIL_MAX", 4)
    document = store.create_document(edda.Document(title="D", content=""))
    store.edit_text(document, "content", [(0, 0, "0")])
    for number in range(1, 11):
        store.edit_text(document, "content", [(number, 0, str(number % 10))])
    entity = values.id_bytes("id", document)
    with store.store.read() as reader:
        key = key_of("document", entity)
        ((field, genesis),) = Entities(reader).of("document", entity).edited_texts()
        stored = reader.states.text(key, field, genesis)
    assert stored is not None
    assert len(stored.tail) < 4
    assert content(store, document) == "01234567890"
    store.ledger.texts = Texts()  # as another process would start
    store.edit_text(document, "content", [(0, 0, ">")])
    assert content(store, document) == ">01234567890"


def test_an_edit_of_a_text_that_never_started_is_refused_and_a_named_text_that_is_gone_is_damage(
    store: StorageEngine,
) -> None:
    entity = Entity(bytes(16), "document")
    edit = Edit("document", bytes(16), "content", b"g" * 16, codec.encode(TextEdit((), None, (), ())))

    def apply(tx: StoreWriter) -> None:
        store.ledger.texts.apply(View(tx), entity, edit, codec.decode(edit.edit), (b"a" * 16, 1), {})

    with pytest.raises(RefusedTextError, match="never started"):
        store.store.transact(apply)
    entity.put("content", (b"a" * 16, 1, 0, edit.genesis), {})
    with pytest.raises(CorruptError, match="A text of this store"):
        store.store.transact(apply)


def test_documents_that_were_not_used_for_long_are_dropped(
    store: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "DOCUMENTS_CACHED_MAX", 3)
    documents = [store.create_document(edda.Document(title=str(n), content="x")) for n in range(6)]
    for document in documents:
        store.edit_text(document, "content", [(1, 0, "y")])
        store.edit_text(document, "content", [(2, 0, "z")])
    assert len(store.ledger.texts._open) <= 3
    assert [content(store, document) for document in documents] == ["xyz"] * 6


def test_a_cleared_text_still_takes_an_edit_that_was_made_elsewhere_meanwhile() -> None:
    with devices(2) as (laptop, phone):
        document = laptop.create_document(edda.Document(title="D", content="start"))
        sync(laptop, phone)
        laptop.update_document(edda.Document(id=document, content=None))
        phone.edit_text(document, "content", [(5, 0, " and more")])
        sync(laptop, phone)
        (conflict,) = laptop.conflicts()
        assert {conflict.shown.value, conflict.kept[0].value} == {None, "start and more"}
        assert phone.conflicts() == [conflict]
        assert content(laptop, document) == content(phone, document) == conflict.shown.value


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # some come while a generator is freed
def test_a_text_that_an_interrupt_left_in_memory_is_not_used_again() -> None:
    with devices(1, backend="memory") as (engine,):
        document = engine.create_document(edda.Document(title="d", content="0"))

        def edit() -> None:
            engine.edit_text(document, "content", [(0, 1, "12")])

        edit()
        for number in range(500, 800):  # it is read after what stands in rows
            engine.ledger.texts.forget()  # so that it is read anew
            assert interrupted(edit, number) is not None
            edit()
        digest = engine.digest()
        engine.rebuild()
        assert engine.digest() == digest
