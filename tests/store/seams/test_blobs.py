"""What every store promises of blobs."""

from __future__ import annotations

from edda_sync.store.seams import StoreWriter
from tests.store.samples import AnyStore


def test_a_segment_in_the_making_is_named_by_its_hash_at_the_end(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.blobs.keep_part(b"draft", 0, b"part 0")
        tx.blobs.keep_part(b"draft", 1, b"part 1")
        tx.blobs.keep_part(b"hash", 0, b"kept")
        tx.blobs.rename(b"draft", b"hash")

    store.transact(work)
    with store.read() as reader:
        assert [reader.blobs.part(b"hash", number) for number in range(3)] == [b"kept", b"part 1", None]
        assert reader.blobs.part(b"draft", 0) is None


def test_segments_that_were_not_merged_are_counted_by_their_parts(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> None:
        tx.segments.append(1, b"merged")
        for segment, number in ((b"merged", 0), (b"half", 1), (b"half", 0), (b"a whole", 0), (b"half", 0)):
            tx.blobs.keep_part(segment, number, b"part")

    store.transact(work)
    with store.read() as reader:
        assert [tuple(each) for each in reader.blobs.unreferenced()] == [(b"a whole", 1), (b"half", 2)]
