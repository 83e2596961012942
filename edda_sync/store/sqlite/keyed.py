"""
Encrypted files: which of the store's data keys opens the file, and what is in a page of its journal.

SQLCipher encrypts each page with AES-256-CBC under a random IV, and authenticates it with HMAC-SHA512. A file begins with
its salt, which differs for each data key. So the beginning says which key the file has, unless the key was just replaced:
that is one transaction, which is in the journal first. A connection that was open meanwhile cannot read any more, and a new
one is made with the new key, which is in the key file from before the replacement on (``rekeying``).

Source: https://www.zetetic.net/sqlcipher/design/
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.sealing import keyfile
from edda_sync.sealing.datakeys import DataKey, DataKeys, FollowedKeys
from edda_sync.words import errors

C = TypeVar("C")

_ROUNDS: Final = 3  # in which all keys are tried
_RESERVED_BYTES: Final = 80  # at the end of each page: an IV of 16 bytes and a code of 64
_IV: Final = slice(-80, -64)
_BLOCK_BYTES: Final = 16


class FileKeys:
    """
    The keys of one encrypted file. Call :meth:`connect` for each connection.

    Args:
        path: The file, without symbolic links in its path. A person may be asked for its passphrase.
        head: Its first bytes; nothing if it is new, or open in this process, which must not open and close it once more.

    Raises:
        StoreKeyError, UsageError: As for ``datakeys.unlock``.
    """

    def __init__(self, path: Path, head: bytes) -> None:
        self._path, self._head = path, head
        self._followed = FollowedKeys(path)
        self._last: DataKey | None = None  # the key that opened the file last
        _ = self.data  # a person is asked now

    @property
    def data(self) -> DataKeys:
        """The data keys, as last read from the key file."""
        return self._followed.data

    def connect(self, make: Callable[[str], C]) -> C:
        """
        Return a connection with the key that opens the file.

        Args:
            make: Makes a connection with a key, and reads the file.

        Raises:
            CorruptError: The key file has the key of this file, and the file cannot be read with it.
            StoreKeyError: The key file has no key for this file.
        """
        rounds = 0
        while rounds < _ROUNDS:  # a key may be replaced just after it was tried
            tried = self._likely()
            for key in tried:
                try:
                    made = make(key.pragma)
                except sqlite.DatabaseError as error:
                    if getattr(error, "sqlite_errorname", "") != "SQLITE_NOTADB":
                        raise
                else:
                    self._last = key
                    return made
            self._followed.look()
            rounds = rounds + 1 if set(self.data.keys) == set(tried) else 0
        raise self._not_opened()

    def latest(self) -> DataKeys:
        """Return the data keys that the key file has now."""
        self._followed.look()
        return self.data

    @property
    def kept(self) -> str:
        """Where the key is kept that opens the key file, in words. Another process may have moved it."""
        return str(keyfile.load(self._path).wrapping)

    @property
    def is_salt_whole(self) -> bool:
        """Whether the file began with the salt of one of its keys when it was opened. SQLCipher does not check that."""
        return not self._head or any(self._head.startswith(each.salt) for each in self.data.keys)

    def first_block(self, page: bytes, start: bytes) -> bytes:
        """
        Return a page of the journal, decrypted, if it begins with some bytes; nothing otherwise.

        Args:
            page: A page that is not the first one of the file.
            start: The bytes, at most 16.
        """
        for key in self._likely():
            cipher = Cipher(AES256(bytes.fromhex(key.pragma[2:66])), CBC(page[_IV]))
            if cipher.decryptor().update(page[:_BLOCK_BYTES]).startswith(start):
                return cipher.decryptor().update(page[:-_RESERVED_BYTES])
        return b""

    def _likely(self) -> list[DataKey]:
        if self._last is not None:
            return sorted(self.data.likely(b""), key=lambda each: each != self._last)
        return self.data.likely(self._head)

    def _not_opened(self) -> errors.StorageError:
        if self._last is not None or (self._head and self.is_salt_whole):
            return errors.CorruptError(str(self._path))
        name = keyfile.path_of(self._path).name
        return errors.StoreKeyError(
            str(self._path),
            f"its key file {name} holds no key for it",
            f"put {self._path.name} and {name} back from the same backup",
        )


def give(connection: Any, key: str) -> None:
    """Give a new connection its key, before anything else. What SQLCipher would print about a wrong one is not printed."""
    connection.executescript(f'PRAGMA cipher_log_level = NONE; PRAGMA key = "{key}"')


def damaged_pages(connect: Callable[[], Any]) -> list[str]:
    """
    Return which pages of a file do not have the code that belongs to their content, in SQLCipher's words.

    SQLCipher reads the file for this, and not its journal. So while the journal holds pages under a new key, or is being
    copied into the file, it would find damage where there is none. What it finds is therefore looked at again, with the
    journal in the file and while nobody writes. If that cannot be, since somebody reads an old state, nothing is known.

    Args:
        connect: Makes a connection to the file, which can be written.
    """
    with closing(connect()) as connection, closing(connect()) as other:
        if not (found := _check(connection)):
            return []
        other.execute("BEGIN IMMEDIATE")
        _, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return _check(connection) if found and pages == copied else []


def _check(connection: Any) -> list[str]:
    return [what for (what,) in connection.execute("PRAGMA cipher_integrity_check")]
