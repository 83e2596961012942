"""The attachments of a document, as a function of its cells."""

from __future__ import annotations

from edda_sync.crdt.attachments import AttachmentRecord, encode
from edda_sync.crdt.entity import Entity
from edda_sync.fold.attachments import attached, is_any
from edda_sync.store.seams import Attached

ONE, OTHER = "file.01890a5d-ac96-7740-a3a5-1f5b5c5d5e5f", "file.01890a5d-ac96-7740-a3a5-1f5b5c5d5e60"
LAPTOP, PHONE = b"l" * 16, b"p" * 16
OLD = encode(AttachmentRecord("old.txt", "text/plain", b"o" * 32, 5, 0))
NEW = encode(AttachmentRecord("new.txt", "text/plain", b"n" * 32, 7, 0))


def document(**cells: object) -> Entity:
    entity = Entity(bytes(16), "document")
    entity.cells = cells  # type: ignore[assignment]
    return entity


def test_a_document_without_files_has_none() -> None:
    entity = document(title=[(LAPTOP, 1, 5, "t")])
    assert not is_any(entity.cells)
    assert attached(entity) == []


def test_an_attachment_is_there_if_any_sibling_has_it() -> None:
    entity = document(**{OTHER: [(LAPTOP, 1, 0, NEW)], ONE: [(LAPTOP, 2, 9_000, None), (PHONE, 1, 1_000, OLD)]})
    assert is_any(entity.cells)
    assert attached(entity) == [
        Attached(ONE, OLD, b"o" * 32, 5, "1970-01-01T00:00:01.000Z"),
        Attached(OTHER, NEW, b"n" * 32, 7, "1970-01-01T00:00:00.000Z"),
    ]


def test_of_two_records_the_greater_stamp_is_shown() -> None:
    entity = document(**{ONE: [(LAPTOP, 1, 2_000, NEW), (PHONE, 1, 1_000, OLD)]})
    assert [each.record for each in attached(entity)] == [NEW]


def test_a_detached_file_is_gone() -> None:
    entity = document(**{ONE: [(LAPTOP, 2, 9_000, None)]})
    assert is_any(entity.cells)
    assert attached(entity) == []
