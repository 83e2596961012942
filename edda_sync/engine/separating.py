"""
Separating: a copy of a store, made by copying its folder or cloning its machine, becomes a device of its own.

The copy writes one change as the device that it was: this makes a new device a member. It signs that change, closes the
life that it wrote in, and goes on as the new device, all in one transaction. Nobody has to allow it: both are members.

The former identity is kept until the two have met, since the original may have nobody else who tells it of the new device
(``device.introducing``). Nothing is written with it.

The new identity lies in a folder of its own until the store goes on with it, and is then moved to its place. If this is
interrupted in between, whoever opens the store next finishes it.
"""

from __future__ import annotations

from typing import Final

from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.chains import names_of
from edda_sync.changes.change import Birth
from edda_sync.engine import backed_up
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.sync import readmission
from edda_sync.transport import former
from edda_sync.transport import identity as identities
from edda_sync.transport.identity import Identity
from edda_sync.words import values
from edda_sync.words.errors import UsageError
from edda_sync.words.folders import SEPARATING_FOLDER
from edda_sync.workspace import authority, closing
from edda_sync.workspace import members as workspaces
from edda_sync.workspace.actor import actor_of, begin_life, meta_of
from edda_sync.workspace.closing import Closing
from edda_sync.workspace.keys import WORKSPACE_KEY
from edda_sync.workspace.welcome import DeviceCard

_SIGNED_EVERY: Final = forkproof.UNSIGNED_MAX // 2
REASON: Final = "a copy became a device of its own"


def separate(store: StorageEngine, name: str, new: Identity | None = None) -> str:
    """
    Make this copy of a store a device of its own, durably; return the id of the device. Nothing else may run the device.

    Args:
        store: The store, open.
        name: What to call the new device.
        new: The identity of the new device; a new one by default.

    Raises:
        InvalidValueError: That is no name.
        LimitError: The workspace has as many devices as it may have.
        UsageError: The log behind this device's segment is not proved yet, or the change that let it in is not here.
    """
    called, old, new = values.line("name", name), store.identity, new or Identity.create()
    card = DeviceCard(new.certificate, called, new.sealing_keys)
    if store.config.backend != "memory":
        identities.save(store.home / SEPARATING_FOLDER, new)  # first: a member whose key is lost is of no use
        former.save(store.home, old)  # of no effect, as long as this store goes on as that device

    def work(tx: StoreWriter) -> None:
        workspaces.check_room(tx)
        workspaces.check_proved(tx)
        _check_not_early(tx)
        store.writing.commit(tx, [workspaces.member_draft(card, old.public_key)], REASON)
        vouch(tx, old)
        added = authority.added_by(tx, new.public_key)
        assert added is not None, "it was committed just now"
        backed_up.forget_all(tx)  # they are those of the original
        begin_life(tx, Birth(new.public_key, store.writing.random(16), *added))

    store.store.transact(work)
    store.own.go_on_as(new)
    store.writing.announce()
    return new.device


def _check_not_early(reader: StoreReader) -> None:
    """Check that the change which would make a member can be sent to others, and is never written again by another key."""
    if readmission.is_shut_out(reader):
        raise UsageError(
            "The change that let this device into the workspace is not here yet: sync with another device first (`edda "
            "sync`)."
        )


def vouch(tx: StoreWriter, author: Identity) -> None:
    """
    Sign what an identity has written, so that it can be passed on without that key, and the end of its present life.

    A device signs its changes when it gives them, and much of this may never have been given. In a long chain, further
    changes than the last are signed, because a fork between two signatures could not be proved if they lay far apart.

    Args:
        tx: A transaction of the store, still in a life of that identity.
        author: The identity, which nobody may use here afterwards.
    """
    workspace, names = meta_of(tx, WORKSPACE_KEY), names_of(tx)
    heads = tx.log.heads()
    for name, head in heads.items():
        if changes.decode_birth(head.birth).public_key != author.public_key:
            continue
        for seq in (*range(names.first(name) + _SIGNED_EVERY, head.seq, _SIGNED_EVERY), head.seq):
            digest = tx.log.hash_at(name, seq)
            if digest is not None and tx.signatures.at(name, seq) is None:
                tx.signatures.add(
                    name, seq, author.sign(changes.signed_message(workspace, names.actor(name), seq, digest))
                )
    head = heads[actor_of(tx)]
    ended = closing.signed_message(workspace, changes.actor_of(head.birth), head.seq, head.hash)
    closing.keep(tx, Closing(head.birth, head.seq, head.hash, author.sign(ended)))
