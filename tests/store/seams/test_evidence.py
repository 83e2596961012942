"""What every store promises of evidence."""

from __future__ import annotations

from edda_sync.store.seams import StoreWriter
from tests.store.samples import EVERY_BYTE, AnyStore


def test_evidence_is_a_set_by_its_name(store: AnyStore) -> None:
    def work(tx: StoreWriter) -> list[int]:
        sizes = [len(tx.evidence.names())]
        for name, says in ((b"\xff", EVERY_BYTE), (b"\0", b""), (b"\xff", b"what comes again is the same")):
            tx.evidence.add(name, says)
            sizes.append(len(tx.evidence.names()))
        return sizes

    assert store.transact(work) == [0, 1, 2, 2]
    store.transact(lambda tx: tx.evidence.add(b"\0", b"what comes again is the same"))
    with store.read() as reader:
        assert list(reader.evidence.all().items()) == [(b"\0", b""), (b"\xff", EVERY_BYTE)]
        assert list(reader.evidence.names()) == [b"\0", b"\xff"]
        assert [reader.evidence.get(name) for name in (b"\0", b"\xff", b"none")] == [b"", EVERY_BYTE, None]
    store.transact(lambda tx: tx.evidence.drop(b"\0"))
    store.transact(lambda tx: tx.evidence.drop(b"what nobody kept"))
    with store.read() as reader:
        assert list(reader.evidence.all().items()) == [(b"\xff", EVERY_BYTE)]
