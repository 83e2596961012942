"""The tree of a file: manifests, and the order of its pieces."""

from __future__ import annotations

import pytest

from edda_sync.crdt.attachments import File
from edda_sync.files.tree import Part, Piece, decode, encode, pieces
from edda_sync.words import limits
from edda_sync.words.errors import InvalidValueError

A, B, C = (bytes([number]) * 32 for number in (1, 2, 3))


def test_the_bytes_of_a_manifest_stay_as_they_are() -> None:
    parts = [Part(A, 1_048_576), Part(B, 5)]
    golden = "01" + "01" * 32 + "0000000000100000" + "02" * 32 + "0000000000000005"
    assert encode(parts).hex() == golden
    assert decode(bytes.fromhex(golden), File(C, 1_048_581, 1)) == parts


@pytest.mark.parametrize(
    ("manifest", "file"),
    [
        (b"", File(C, 1, 1)),
        (b"\2" + encode([Part(A, 1)])[1:], File(C, 1, 1)),
        (encode([Part(A, 1)])[:-1], File(C, 1, 1)),
        (encode([Part(A, 1)]) + b"\0", File(C, 1, 1)),
        (encode([]), File(C, 1, 1)),
        (encode([Part(A, 1)]), File(C, 2, 1)),
        (encode([Part(A, 0), Part(B, 1)]), File(C, 1, 1)),
        (encode([Part(A, limits.CHUNK_BYTES + 1)]), File(C, limits.CHUNK_BYTES + 1, 1)),
        (encode([Part(A, 1)] * (limits.MANIFEST_PARTS_MAX + 1)), File(C, limits.MANIFEST_PARTS_MAX + 1, 1)),
        (encode([Part(A, 1 << 63), Part(A, 1 << 63)]), File(C, 0, 2)),
    ],
    ids=["empty", "format", "cut", "more", "no-parts", "sum", "no-bytes", "long-chunk", "many-parts", "overflow"],
)
def test_a_manifest_that_does_not_describe_its_file_is_refused(manifest: bytes, file: File) -> None:
    with pytest.raises(InvalidValueError):
        decode(manifest, file)


def test_the_pieces_of_a_file_come_in_order_and_only_the_manifests_on_the_way_are_read() -> None:
    left, right, top = b"l" * 32, b"r" * 32, b"t" * 32
    kept = {
        left: encode([Part(A, 10), Part(B, 10)]),
        right: encode([Part(C, 10), Part(A, 3)]),
        top: encode([Part(left, 20), Part(right, 13)]),
    }
    read: list[bytes] = []

    def get(name: bytes) -> bytes:
        read.append(name)
        return kept[name]

    file = File(top, 33, 2)
    assert list(pieces(file, get)) == [Piece(A, 10, 0), Piece(B, 10, 10), Piece(C, 10, 20), Piece(A, 3, 30)]
    assert read == [top, left, right]
    read.clear()
    assert list(pieces(file, get, at=30)) == [Piece(A, 3, 30)]
    assert read == [top, right]
    assert list(pieces(File(A, 5, 0), get)) == [Piece(A, 5, 0)]
