"""
Admitting: how a recovery code lets a device into the workspace when no other device is left that could.

The device's store was revived (:mod:`~edda_sync.backup.reviving`) with the code's identity, and would write as the code.
Here it writes one change in that life, which makes its device a member. It signs that change with the code's key, closes the
life, and goes on as the device. Any other device takes that change as one of a member.
"""

from __future__ import annotations

from edda_sync.backup.code import RecoveryCode
from edda_sync.backup.reviving import begin_again
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.separating import vouch
from edda_sync.store.seams import StoreWriter
from edda_sync.transport import identity as identities
from edda_sync.transport.identity import Identity
from edda_sync.workspace import members as workspaces
from edda_sync.workspace.welcome import DeviceCard


def admit(store: StorageEngine, code: RecoveryCode, new: Identity | None = None) -> None:
    """
    Let this device in, as the recovery code, and go on as the device. It gets an identity, if its folder has none.

    Args:
        store: The store. It was revived with the code's identity.
        code: The code.
        new: The identity that it gets; a new one by default.

    Raises:
        LimitError: The workspace has as many devices as it may have.
    """
    home, kept = store.home, store.config.backend != "memory"
    new = (identities.load(home) if kept else None) or new or Identity.create()
    if kept:
        identities.save(home, new)  # first: a member whose key is lost is of no use
    card = DeviceCard(new.certificate, store.name, new.sealing_keys)

    def work(tx: StoreWriter) -> None:
        if not workspaces.is_member(tx, new.certificate):
            workspaces.check_room(tx)
            store.writing.commit(tx, [workspaces.member_draft(card, code.identity.public_key)], "recovered")
            vouch(tx, code.identity)
        begin_again(tx, new.public_key, store.writing.random(16))

    store.store.transact(work)
    store.own.use(new)
    store.writing.announce()
