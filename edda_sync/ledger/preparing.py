"""Preparing: what can be done of taking a large change before its transaction, so that nobody waits for it meanwhile."""

from __future__ import annotations

from collections.abc import Iterable

from edda_sync.changes.change import Change
from edda_sync.changes.past import Pasts
from edda_sync.crdt import operation
from edda_sync.fold.fold import Fold
from edda_sync.fold.prepared import Prepared, prepare
from edda_sync.fold.texts import Texts
from edda_sync.ledger import admission
from edda_sync.ledger.admission import Admitted
from edda_sync.store.seams import StoreReader
from edda_sync.workspace.keys import WORKSPACE_KEY


def prepare_change(reader: StoreReader, change: Change, body: Iterable[bytes]) -> Prepared | None:
    """
    Fold a change from a reader of the store; hand the result to ``Ledger.admit``. None if there is nothing to prepare.

    It uses nothing that the ledger remembers, since another thread may use that in a transaction.

    Args:
        reader: A reader of the store.
        change: The change, whose hash a signed head covers.
        body: Its body, in pieces.

    Raises:
        RemoteProtocolError: The change breaks a rule of its past.
        CorruptError: Something stored is damaged.
    """
    header, workspace = change.header, reader.meta.get(WORKSPACE_KEY)
    if workspace is None:
        return None
    checked = admission.check(reader, Pasts(), Fold(reader, Texts()), workspace, change)
    if isinstance(checked, Admitted):
        return None
    name, position = checked.place.name, reader.log.position() + 1

    def begin(fold: Fold) -> None:
        fold.begin(name, header.seq, header.wall_ms, checked.deps, position, checked.author)

    operations = map(operation.decode, operation.cut(body, header.operations))
    return prepare(reader, change.hash, begin, operations, understood=header.is_understood)
