"""The record of an attachment, and which cells may carry one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edda_sync.crdt import schema
from edda_sync.crdt.attachments import DEPTH_MAX, AttachmentRecord, File, check, decode, encode, size_max
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError

A = bytes([1]) * 32
DOCUMENT = bytes(15) + b"\x09"
CELL = "file.01890a5d-ac96-7740-a3a5-1f5b5c5d5e5f"
SAMPLE = AttachmentRecord("Bericht.pdf", "application/pdf", A, 1_500_000, 1)


def test_the_bytes_of_a_record_stay_as_they_are() -> None:
    golden = "96ab426572696368742e706466af6170706c69636174696f6e2f706466c420" + "01" * 32 + "ce0016e36001" + "90"
    assert encode(SAMPLE).hex() == golden
    assert decode(bytes.fromhex(golden)) == SAMPLE
    assert SAMPLE.file == File(A, 1_500_000, 1)


def changed(**fields: Any) -> bytes:
    record = {name: getattr(SAMPLE, name) for name in SAMPLE.__struct_fields__} | fields
    return msgspec.msgpack.encode(list(record.values()))


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        b"",
        b"nonsense",
        changed(name=""),
        changed(name="two\nlines"),
        changed(name="n" * (limits.FILE_NAME_CODE_POINTS_MAX + 1)),
        changed(content_type=" "),
        changed(root=b"short"),
        changed(size=-1),
        changed(size=1.0),
        changed(size=True),
        changed(size=limits.FILE_BYTES_MAX + 1, depth=2),
        changed(depth=3),
        changed(depth=0),
        changed(ext=((1, b""),)),
        changed(ext=((4, b""), (2, b""))),
        changed(ext=((2, bytes(limits.ATTACHMENT_BYTES_MAX)),)),
        changed(ext=()) + b"more",
        msgspec.msgpack.encode(["n", "t", A, 1, 0, [], "more"]),
    ],
    ids=repr,
)
def test_what_is_no_record_is_refused(value: Any) -> None:
    with pytest.raises(InvalidValueError):
        decode(value)


def test_extensions_that_may_be_ignored_are_kept() -> None:
    assert decode(changed(ext=((2, b"later"),))).ext == ((2, b"later"),)


@pytest.mark.parametrize("name", ["..", "../../etc/passwd", "a/b", "C:\\x", "CON", "-rf", "\u202egnp"])
def test_a_name_is_only_shown_so_any_line_is_accepted(name: str) -> None:
    assert decode(changed(name=name)).name == name


def test_only_documents_have_attachments_and_only_under_canonical_ids() -> None:
    assert schema.unknown_cells("document", DOCUMENT, {CELL: encode(SAMPLE)}) == []
    assert schema.unknown_cells("document", DOCUMENT, {CELL: None}) == []
    assert schema.unknown_cells("task", DOCUMENT, {CELL: encode(SAMPLE)}) == [CELL]
    for cell, value in (("file.x", None), (CELL.upper().replace("FILE", "file"), None), (CELL, b"x"), (CELL, True)):
        with pytest.raises(InvalidValueError):
            schema.unknown_cells("document", DOCUMENT, {cell: value})


@pytest.mark.parametrize(
    "file",
    [
        File(b"short", 1, 0),
        File(A, -1, 0),
        File(A, 1, -1),
        File(A, 1, DEPTH_MAX + 1),
        File(A, limits.CHUNK_BYTES + 1, 0),
        File(A, 0, 1),
        File(A, size_max(1) + 1, 1),
        File(A, limits.FILE_BYTES_MAX + 1, 2),
    ],
    ids=repr,
)
def test_a_file_that_cannot_exist_is_refused(file: File) -> None:
    with pytest.raises(InvalidValueError):
        check(file)


@pytest.mark.parametrize(
    "file", [File(A, 0, 0), File(A, limits.CHUNK_BYTES, 0), File(A, 1, 1), File(A, limits.FILE_BYTES_MAX, 2)], ids=repr
)
def test_a_file_that_can_exist_is_accepted(file: File) -> None:
    check(file)
