"""
Recovery codes of a workspace: making one, and asking what one that was typed in is.

What a new code changes is told by ``workspace.codes``. Its words are shown once, and nothing of them is kept, neither on
this disk nor at a target.
"""

from __future__ import annotations

from edda_sync.backup.code import RecoveryCode
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.workspace import codes
from edda_sync.workspace import members as workspaces
from edda_sync.workspace.codes import Code
from edda_sync.workspace.welcome import DeviceCard


def make(store: StorageEngine, code: RecoveryCode) -> None:
    """
    Make a code one of this workspace, in place of the present ones, durably. It opens backups that are made from then on.

    Args:
        store: The store.
        code: A new code, whose words a person has written down.

    Raises:
        LimitError: The workspace has as many devices and codes as it may have.
        UsageError: The log behind this device's segment is not proved yet.
    """
    new, own = code.identity, store.identity
    card = DeviceCard(new.certificate, codes.NAME, new.sealing_keys)

    def work(tx: StoreWriter) -> None:
        workspaces.check_room(tx)
        workspaces.check_proved(tx)
        store.writing.commit(tx, [codes.draft(tx, card, own.public_key)], codes.NAME)

    store.store.transact(work)
    store.writing.announce()


def known(store: StorageEngine, code: RecoveryCode) -> Code | None:
    """Return what this store knows of a code; None if it is none of this workspace, or this store has not heard of it."""
    with store.store.read() as reader:
        return next((each for each in codes.listed(reader) if each.device == code.identity.device), None)
