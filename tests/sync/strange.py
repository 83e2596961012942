"""Changes that no version of ours would make, written by a real member's store, which signs them."""

from __future__ import annotations

from edda_sync.changes import change as changes
from edda_sync.changes.change import DEP_HASH_BYTES, Change, Header
from edda_sync.crdt import operation
from edda_sync.crdt.frontier import difference
from edda_sync.crdt.operation import Operation
from edda_sync.engine.engine import StorageEngine
from edda_sync.ledger.admission import Admitted
from edda_sync.store.seams import StoreWriter
from edda_sync.workspace.actor import actor_of


def write_change(engine: StorageEngine, *operations: Operation | bytes, level: int = changes.LEVEL) -> None:
    """Let a device write a change of these operations, or of their bytes (without lengths)."""

    def work(tx: StoreWriter) -> Admitted:
        heads, actor = tx.log.heads(), actor_of(tx)
        head = heads[actor]
        past = engine.ledger.pasts.of(tx, head)
        held = {name: each.seq for name, each in heads.items() if name != actor}
        deps = tuple(
            (name, seq, heads[name].hash[:DEP_HASH_BYTES]) for name, seq in sorted(difference(held, past).items())
        )
        body = b"".join(
            len(each).to_bytes(4, "big") + each if isinstance(each, bytes) else operation.encode(each)
            for each in operations
        )
        header = Header(
            level, actor, head.seq + 1, deps, len(operations), len(body), changes.hash_part(body), head.hash,
            changes.header_ext(1_800_000_000_000),
        )  # fmt: skip
        fold = engine.ledger.fold(tx)
        admitted = engine.ledger.admit(tx, fold, Change(header, changes.encode_header(header), body))
        fold.flush()
        return admitted

    assert engine.store.transact(work) is Admitted.APPLIED
