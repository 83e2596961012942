"""Looking at a store's file without opening the store: nothing is created, migrated, set aside or written."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.store.sqlite import connections
from edda_sync.store.sqlite.connections import Connection
from edda_sync.store.sqlite.opening import check_file, configure_to_read, keys_of, mode_to_read
from edda_sync.store.sqlite.statements import Statements
from edda_sync.store.sqlite.states import backend
from edda_sync.words.errors import EddaError
from edda_sync.words.files import without_links


def backend_of(path: Path) -> str | None:
    """
    Return the name of what keeps the states of the store in a file; None if the file cannot be read as it is.

    Args:
        path: The file. If it is encrypted under a passphrase, a person is asked for that, if there is one to be asked.
    """
    try:
        with connections.opening():
            real = without_links(path)
            keys = keys_of(real, check_file(path, real))
            mode = mode_to_read(real, keys)

            def make(key: str | None) -> Connection:
                connection = connections.connect_as(Connection, real, mode=mode)
                if key is not None:
                    from edda_sync.store.sqlite import keyed  # only for encrypted stores

                    keyed.give(connection, key)
                configure_to_read(connection)
                return connection

            with closing(make(None) if keys is None else keys.connect(make)) as connection:
                return backend(Statements(connection))
    except (EddaError, OSError, sqlite.Error):
        return None
