"""The open store of an engine: its folder, its configuration, and the sidecar that tells its file from copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edda_sync.engine import backend, missing, opening
from edda_sync.engine.life import Sidecar, open_sidecar
from edda_sync.words.config import StorageConfig, absolute
from edda_sync.words.errors import (
    DiskFullError,
    LostStoreError,
    NoFolderError,
    NotAStoreError,
    ReadOnlyError,
    UsageError,
)
from edda_sync.words.files import without_links
from edda_sync.words.folders import make_folder, make_state_folder, naming_state, state_folder, taken_back
from edda_sync.workspace.keys import WORKSPACE_KEY

if TYPE_CHECKING:
    from edda_sync.store.seams import Store, StoreWriter
    from edda_sync.store.sqlite.store import SqliteStore

STORE_ID: Final = "store_id"
READ_ANEW_KEY: Final = "read_anew"

OnEnd = Callable[[bool], None]
"""Called after each transaction: True if it is on disk, False if it left no trace."""
OnIdle = Callable[["StoreWriter"], bool]
"""Runs in a transaction of its own when nobody writes, again and again while it returns True."""


class Opened:
    """
    The store of one folder, while it is open. Call :meth:`open` or :meth:`attach`, and :meth:`close` at the end.

    Args:
        home: The store's folder. A relative path is resolved now, so it does not depend on later changes of folder.
        random: Source of random bytes.

    Attributes:
        home: The folder.
        config: How the store is kept.
        sidecar: Tells this store from its copies; None for a store that is never copied.
        file: The store itself if it is a file; None for one in memory, or one that the caller made.
        news: What a person must know about the state in which the store was found, in sentences.
    """

    def __init__(self, home: Path, random: Callable[[int], bytes]) -> None:
        self.home = absolute(home)
        self.config = StorageConfig()
        self.sidecar: Sidecar | None = None
        self._random = random
        self._store: Store | None = None
        self.file: SqliteStore | None = None
        self.news: list[str] = []

    @property
    def store(self) -> Store:
        """The store itself."""
        if self._store is None:
            raise UsageError("This store is closed; open it again.")
        return self._store

    @property
    def database(self) -> Path | None:
        """The SQLite file; None for a store in memory."""
        return None if self.config.backend == "memory" else self.config.database(self.home)

    def open(
        self,
        config: StorageConfig,
        on_end: OnEnd,
        on_idle: OnIdle,
        on_upgrade: Callable[[], object] = lambda: None,
        *,
        anew: bool = False,
        must_exist: bool = False,
    ) -> bool:
        """
        Open the store's files, or create them.

        Args:
            config: How to keep the store.
            on_end: Called after each transaction.
            on_idle: Called when nobody writes.
            on_upgrade: Called at the end, if what older versions could not read must be read anew.
            anew: Whether an empty store may be created beside the identity of a device, as when that device joins.
            must_exist: Whether no store may be created.

        Returns:
            Whether the store belongs to a workspace.

        Raises:
            NoStoreError: There is none, and none may be created.
            StorageError: It cannot be opened or created.
        """
        self._check_closed()
        self.config, self.news = config, []
        if config.backend == "memory":
            from edda_sync.store.memory.store import MemoryStore

            opening.check_not_hidden(config.database(self.home))
            self._store = MemoryStore(on_end)
            return False
        founding = backend.founding(config)
        with taken_back(self.home, state_folder(config)):
            is_new = self._make_ready(anew=anew, must_exist=must_exist)
        self._store = self.file = store = self._file_store(on_end, founding)
        store.on_idle = on_idle
        is_whole = False
        with store.read() as reader:
            store_id, workspace, unread = reader.meta.read(STORE_ID, WORKSPACE_KEY, READ_ANEW_KEY)
            founded = workspace is not None
            if store.is_read_only or (
                store_id is not None and not self._find_sidecar(store, store_id, founded=founded)
            ):
                return founded  # reading needs no sidecar
            if self.sidecar is not None and store.set_aside is None:
                is_whole = missing.is_whole(reader, self.sidecar.remembered(), self.sidecar.extent())
        if not (founded or is_new or anew):
            self._check_not_emptied(store)
        if self.sidecar is None:
            self.sidecar = self._sidecar(store, store.transact(self._name_store))
        if not is_whole:
            self._look_for_missing(store, self.sidecar)
        if founded and unread is not None:
            on_upgrade()
        return founded

    def _make_ready(self, *, anew: bool, must_exist: bool) -> bool:
        """Check that the store can be where it is to be, and make the folders of a new one; tell whether it is new."""
        config = self.config
        state, database = state_folder(config), config.database(self.home)
        is_new = not opening.has_store(database)
        if is_new:
            with opening.naming_path(config.database_path):
                if must_exist:
                    opening.refuse_missing(self.home, database, state)
                opening.check_reachable(database)
            make_state_folder(state)  # first: if this fails, no store is created
            make_folder(self.home)
        # Resolve links only once: a link may point elsewhere at the next look.
        if (home := without_links(self.home)) is not self.home:
            self.home, database = home, config.database(home)
        if is_new:
            self._make_folders(database)
            opening.check_not_moved(self.home, database)
            opening.check_not_lost(self.home, database, state, anew=anew)
            if config.encryption_config is not None:
                from edda_sync.sealing import datakeys  # only for encrypted stores

                datakeys.create(database, config.encryption_config)
        return is_new

    def _make_folders(self, database: Path) -> None:
        """Make the folders of a new store that are configured to be elsewhere."""
        config = self.config
        if config.database_path is not None:
            with opening.naming_path(config.database_path):
                make_folder(database.parent)
        if config.backend == "rocksdb" and config.rocksdb_path is not None:
            with opening.naming_path(config.rocksdb_path, "rocksdb_path"):
                make_folder(config.rocksdb_path)

    def _file_store(self, on_end: OnEnd, founding: Sequence[str]) -> SqliteStore:
        from edda_sync.store.sqlite.store import SqliteStore

        config, database = self.config, self.config.database(self.home)
        is_usual, pool_size = config.database_path is None, config.connection_pool_size
        keep = backend.keep(config, self.home)
        with opening.naming_path(config.database_path):
            try:
                store = SqliteStore(
                    database, on_end, is_real_folder=is_usual, pool_size=pool_size, keep=keep, founding=founding
                )
            except NotAStoreError:
                opening.check_not_overwritten(self.home, database)
                raise
        if config.encryption_config is not None and store.keys is None:
            store.close()
            raise UsageError(
                f"{database} is not encrypted, as its configuration says: `edda store encrypt` encrypts it, or take the "
                "settings of encryption out, which `edda config show` lists."
            )
        return store

    def _find_sidecar(self, store: SqliteStore, store_id: bytes, *, founded: bool) -> bool:
        """Open the sidecar of a store that has a name; tell whether that worked, without which nothing can be written."""
        try:
            self.sidecar = self._sidecar(store, store_id)
        except (ReadOnlyError, NoFolderError, DiskFullError) as error:
            if not founded:
                raise
            store.refusal = error
            return False
        return True

    def _sidecar(self, store: SqliteStore, store_id: bytes) -> Sidecar:
        with naming_state():
            return open_sidecar(state_folder(self.config), store_id, store.path)

    def _check_not_emptied(self, store: SqliteStore) -> None:
        try:
            opening.check_not_emptied(self.home, store, state_folder(self.config))
        except LostStoreError:
            self.close()
            raise

    def _look_for_missing(self, store: SqliteStore, sidecar: Sidecar) -> None:
        self.news = missing.look(store, sidecar.remembered(), sidecar.extent())
        if self.news:
            with suppress(OSError), store.read() as reader:
                sidecar.note_extent(reader.log.position())  # so that what is missing is said once

    def attach(self, store: Callable[[], Store], config: StorageConfig, sidecar: Sidecar | None) -> None:
        """
        Use a store that the caller has made. The caller then calls ``Writing.catch_up`` when nobody writes.

        Args:
            store: Opens the store. Its transactions must report their end to ``Writing.ended``.
            config: Its name is the name of this device.
            sidecar: Tells this store from its copies; None for a store that is never copied.
        """
        self._check_closed()
        self.config, self.sidecar = config, sidecar
        self._store = store()

    def close(self) -> bool:
        """Finish running transactions and release the store; tell whether it was open."""
        was_open = self._store is not None
        if self._store is not None:
            self._store.close()
            self._store = self.file = None
        if self.sidecar is not None:
            self.sidecar.close()
            self.sidecar = None
        return was_open

    def check_still_there(self) -> None:
        """
        Check that the store's file is still where it was opened.

        Raises:
            LostStoreError: It was removed, its folder was moved, or it was emptied.
            ReplacedStoreError: Another file is there, it was truncated, or its journal or the journal's index was removed.
        """
        if self.file is not None:
            self.file.check_place()

    def _check_closed(self) -> None:
        if self._store is not None:
            raise UsageError("This store is open already.")

    def _name_store(self, tx: StoreWriter) -> bytes:
        store_id = tx.meta.get(STORE_ID)  # if two processes create a store, the first one names it
        if store_id is None:
            store_id = self._random(16)
            tx.meta.set(STORE_ID, store_id)
            tx.meta.drop(READ_ANEW_KEY)  # no older version has used this store
        return store_id
