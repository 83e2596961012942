"""For tests of keys at a target: two codes, backups by hand, and machines that have nothing but a code or an identity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import edda_sync as edda
from edda_sync.backup.admitting import admit
from edda_sync.backup.code import RecoveryCode
from edda_sync.backup.keys import Keys
from edda_sync.backup.lockbox import Lockbox, entrances
from edda_sync.backup.repository import Repository
from edda_sync.backup.reviving import revive
from edda_sync.backup.sealed import Objects
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport.identity import Identity
from tests.backup.places import Place, back_up, repository_of

ROOT = "edda/workspace/"
CODE = RecoveryCode(bytes(range(20)))
OTHER = RecoveryCode(bytes(20))


def keys_of(place: Place, part: str) -> list[str]:
    return [key for key in sorted(place.held) if f"/{part}" in key]


def fill(place: Place, store: StorageEngine, root: str = ROOT) -> None:
    """Fill a lockbox as at the end of a backup that holds all that the store holds."""
    device = f"{root}devices/{store.identity.device[:8]}/"
    place.held.setdefault(f"{device}manifests/000000000001-00", b"manifest")
    place.held.setdefault(f"{root}objects/00", b"run")
    Lockbox(place, root).fill(store, device, store.frontier())


def backed_up(store: StorageEngine, place: Place, folder: Path) -> None:
    """Back a store up, with its keys."""
    repository_of(store, place).keep_keys(store, back_up(store, place, folder).manifest)


@contextmanager
def machine(home: Path, name: str = "new laptop") -> Iterator[StorageEngine]:
    """A machine on which nothing of edda is."""
    with StorageEngine(home) as store:
        store.open_store(edda.StorageConfig(name=name, state_path=home.with_name("state of " + home.name)))
        yield store


def reopen(store: StorageEngine, place: Place, identity: Identity, keys: Keys | None = None) -> None:
    """Restore the newest backup at a place that an identity can open, into an empty store."""
    if keys is None:
        ((_, keys),) = entrances(place, identity)
    repository = Repository(place, Objects(keys.ring), keys.ring, keys.workspace, identity.device)
    newest = [each.manifest for each in repository.all() if each.manifest is not None][-1]
    store.own.use(identity)
    revive(store, repository, newest, keys.ring)


def recover(store: StorageEngine, place: Place, code: RecoveryCode = CODE) -> None:
    """Restore the newest backup with nothing but a code, and let the store's device in."""
    reopen(store, place, code.identity)
    admit(store, code)
