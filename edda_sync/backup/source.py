"""The store that is backed up, or that takes what comes back: its sessions' view, its keys, and what packs and unpacks."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from edda_sync.backup.sealed import Objects
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.exchange import Exchange
from edda_sync.sync.packing import Packing
from edda_sync.sync.unpacking import Unpacking
from edda_sync.transport.identity import verify
from edda_sync.words.config import EncryptionAlgorithm
from edda_sync.workspace.members import Ring, ring


class Source:
    """
    A store, as backups and bundles need it.

    Args:
        engine: The store, open.
    """

    def __init__(self, engine: StorageEngine) -> None:
        self.engine = engine

    @cached_property
    def exchange(self) -> Exchange:
        """The store, as sessions see it."""
        engine = self.engine
        return Exchange(engine.store, engine.ledger, engine.identity, verify, engine.writing.now, engine.writing.random)

    @property
    def ring(self) -> Ring:
        """The keys of the workspace."""
        with self.engine.store.read() as reader:
            return ring(reader)

    @cached_property
    def objects(self) -> Objects:
        """Seals and opens objects, as the settings of backups say."""
        config = self.engine.config
        own = config.backup_config.encryption or config.encryption_config
        algorithm = EncryptionAlgorithm.AES_256_GCM if own is None else own.algorithm
        random = self.engine.writing.random
        return Objects(self.ring, algorithm, compresses=config.backup_config.compression, random=random)

    @cached_property
    def packing(self) -> Packing:
        """Packs what the store holds."""
        engine = self.engine
        return Packing(self.exchange, engine.workspace, engine.identity, engine.writing.now)

    @cached_property
    def unpacking(self) -> Unpacking:
        """Takes runs into the store."""
        return Unpacking(self.exchange, self.engine.workspace, verify)

    @property
    def key_file(self) -> Path | None:
        """The key file of an encrypted store; None for a plain one."""
        file = self.engine.database
        if file is None:
            return None
        from edda_sync.sealing import keyfile

        path = keyfile.path_of(file)
        return path if path.exists() else None
