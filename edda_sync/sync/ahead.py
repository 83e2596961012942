"""
Ahead: a large change is folded before the transaction that takes it, so that others can write meanwhile.

Whatever goes wrong here is passed over: the transaction does everything itself then, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from edda_sync.changes import change as changes
from edda_sync.changes.change import Change
from edda_sync.fold.prepared import Prepared
from edda_sync.ledger.preparing import prepare_change
from edda_sync.store.seams import Incoming, Store, StoreReader
from edda_sync.sync.keys import Verify
from edda_sync.sync.large import incoming_of
from edda_sync.sync.messages import Part, SignedHead
from edda_sync.sync.vouchers import Vouched
from edda_sync.words.errors import EddaError


def prepare_first(
    store: Store, verify: Verify, workspace: bytes, fresh: Collection[Change], signed: Iterable[SignedHead]
) -> Prepared | None:
    """
    Prepare the first of some changes, if something vouches for all of them.

    Args:
        store: The store.
        verify: Checks the signature of any device.
        workspace: The workspace's id.
        fresh: The changes that are new to the store, in order.
        signed: The signed heads that came with them.
    """
    try:
        with store.read() as reader:
            if reader.segments.merged() or Vouched.verify(verify, workspace, reader, fresh, signed) is None:
                return None
            first = next(iter(fresh))
            return prepare_change(reader, first, (first.body,))
    except EddaError:
        return None


def prepare_last(store: Store, part: Part) -> Prepared | None:
    """Prepare a change in parts, if a part is its last missing one."""
    try:
        with store.read() as reader:
            incoming = None if reader.segments.merged() else incoming_of(reader, part)
            if incoming is None:
                return None
            change = Change(changes.decode_header(incoming.raw), incoming.raw, b"")
            if len(incoming.parts | {part.number}) < len(change.header.parts):
                return None
            return prepare_change(reader, change, _body(reader, incoming, part))
    except EddaError:
        return None


def _body(reader: StoreReader, incoming: Incoming, last: Part) -> Iterator[bytes]:
    for number in range(len(incoming.parts | {last.number})):
        yield last.data if number == last.number else reader.incoming.part(incoming.actor, incoming.seq, number)
