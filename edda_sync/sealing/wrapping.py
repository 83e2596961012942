"""
Wrapping keys: the key that seals the data keys of a store, and where it is kept.

It is in the system's keyring, follows from a passphrase, or is in a file of its own. It can be replaced at once, since it
seals nothing but the few data keys in the store's key file.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edda_sync.sealing import kdf, passphrase, vault
from edda_sync.sealing.seal import KEY_BYTES, KEY_ID_BYTES
from edda_sync.words.config import EncryptionConfig, KeyStorage, absolute
from edda_sync.words.errors import CorruptError, KeyringError, StoreKeyError, UsageError
from edda_sync.words.files import disk_error, make_file, mend_open_file

VARIABLE: Final = "EDDA_KEY_FILE"
_LINE_MARK: Final = "edda-store-key"
_WHAT: Final = "The key of this store"

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class InKeyring:
    """
    A key in the system's keyring, under the name ``store ID``.

    Attributes:
        id: The id of the key, 8 bytes.
    """

    id: bytes

    def fetch(self, database: Path) -> bytes:
        """Return the key; see :func:`fetch`."""
        try:
            line = vault.get(self._name, _WHAT)
        except KeyringError as error:
            raise StoreKeyError(str(database), f"its key cannot be had from the keyring ({error.why})") from error
        if line is None:
            raise StoreKeyError(
                str(database),
                f"its key is missing from the system's keyring (service {vault.SERVICE}, name {self._name})",
                "put the keyring of this user back from a backup",
            )
        return _parsed(line, self.id, database, "the system's keyring")

    def keep(self, key: bytes) -> None:
        """Put the key into the keyring; see :func:`new`."""
        if not vault.put(self._name, _line(self.id, key)):
            raise UsageError(
                "There is no keyring here that keeps a secret, or it is locked, or EDDA_KEYRING is off; nothing was "
                "changed: use --passphrase, or --key-file PATH on another disk."
            )

    def drop(self) -> None:
        """Remove the key from the keyring."""
        vault.remove(self._name)

    def record(self) -> dict[str, Any]:
        """Return what the key file says about it."""
        return {"in": KeyStorage.KEYRING.value, "id": self.id.hex()}

    def __str__(self) -> str:
        return f"in the system's keyring (service {vault.SERVICE}, name {self._name})"

    @property
    def _name(self) -> str:
        return f"store {self.id.hex()}"


@dataclass(frozen=True, slots=True)
class UnderPassphrase:
    """
    A key that follows from a passphrase.

    Attributes:
        id: The id of the key, 8 bytes.
        function: How it follows.
    """

    id: bytes
    function: kdf.PassphraseKey

    def fetch(self, database: Path) -> bytes:
        """Return the key; see :func:`fetch`."""
        return self.function.derive(passphrase.existing(database))

    def drop(self) -> None:
        """Do nothing: it is kept nowhere."""

    def record(self) -> dict[str, Any]:
        """Return what the key file says about it."""
        return {"in": KeyStorage.PASSPHRASE.value, "id": self.id.hex(), **self.function.parameters()}

    def __str__(self) -> str:
        return f"made from a passphrase ({self.function.NAME})"


@dataclass(frozen=True, slots=True)
class InFile:
    """
    A key in a file of its own. ``EDDA_KEY_FILE`` says where the file is now, if it was moved.

    Attributes:
        id: The id of the key, 8 bytes.
        path: Where the file was made.
    """

    id: bytes
    path: Path

    def fetch(self, database: Path) -> bytes:
        """Return the key; see :func:`fetch`."""
        path = Path(os.environ.get(VARIABLE) or self.path)
        try:
            return _parsed(_read(path), self.id, database, str(path))
        except FileNotFoundError:
            raise StoreKeyError(
                str(database),
                f"its key file {path} is missing",
                f"put it back, or mount its disk, or set {VARIABLE} to where it is now",
            ) from None
        except OSError as error:
            raise disk_error(path, error) from None

    def keep(self, key: bytes) -> None:
        """Write the key into the file, which is new; see :func:`new`."""
        if not self.path.parent.is_dir():
            raise UsageError(f"There is no folder {self.path.parent} for the key file; make it first.")
        try:
            make_file(self.path)
            with self.path.open("r+b") as file:
                mend_open_file(self.path, file.fileno())
                file.write(f"{_line(self.id, key)}\n".encode("ascii"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise disk_error(self.path, error) from None

    def drop(self) -> None:
        """Do nothing: the file is the person's, and may hold the key of another store too."""

    def record(self) -> dict[str, Any]:
        """Return what the key file says about it."""
        return {"in": KeyStorage.FILE.value, "id": self.id.hex(), "path": str(self.path)}

    def __str__(self) -> str:
        return f"in the file {self.path}"


Wrapping = InKeyring | UnderPassphrase | InFile


def new(
    config: EncryptionConfig, database: Path, random: Random, before: Wrapping | None = None
) -> tuple[Wrapping, bytes]:
    """
    Make a wrapping key, and keep it where the configuration says.

    Args:
        config: Where it is to be kept, and how a passphrase becomes a key.
        database: The store's file.
        random: Source of random bytes.
        before: Where the key was kept that it replaces.

    Returns:
        Where it is kept, and the key, 32 bytes.

    Raises:
        UsageError: It cannot be kept there; the text says where else.
    """
    key_id = random(KEY_ID_BYTES)
    if config.key_storage is KeyStorage.PASSPHRASE:
        made = UnderPassphrase(key_id, kdf.new(config.kdf, random))
        return made, made.function.derive(passphrase.new(database, is_another=isinstance(before, UnderPassphrase)))
    if config.key_storage is KeyStorage.FILE:
        return _in_file(config, database, key_id, random)
    kept, key = InKeyring(key_id), random(KEY_BYTES)
    kept.keep(key)
    return kept, key


def fetch(wrapping: Wrapping, database: Path) -> bytes:
    """
    Return a wrapping key from where it is kept, 32 bytes. A person may be asked for a passphrase.

    Args:
        wrapping: Where it is kept.
        database: The store's file, for errors.

    Raises:
        StoreKeyError: It is not there; the text says what to do.
        UsageError: Nobody can be asked for the passphrase.
    """
    return wrapping.fetch(database)


def read(found: Mapping[str, Any], what: str) -> Wrapping:
    """
    Return what ``record`` wrote.

    Raises:
        CorruptError: It is damaged.
    """
    try:
        key_id = bytes.fromhex(found["id"])
        place = KeyStorage(found["in"])
        if len(key_id) != KEY_ID_BYTES:
            raise CorruptError(what)
        if place is KeyStorage.PASSPHRASE:
            return UnderPassphrase(key_id, kdf.read(found, what))
        return InFile(key_id, Path(found["path"])) if place is KeyStorage.FILE else InKeyring(key_id)
    except (KeyError, TypeError, ValueError):
        raise CorruptError(what) from None


def _in_file(config: EncryptionConfig, database: Path, key_id: bytes, random: Random) -> tuple[Wrapping, bytes]:
    """Make a file with a key. A file that has one already, as for another store, is used as it is."""
    if config.key_file is None:
        raise UsageError("Name the file for the key of this store, with --key-file PATH; nothing was changed.")
    path = absolute(config.key_file)
    if path.parent.resolve() == database.parent.resolve():
        raise UsageError(
            f"{path} would lie beside the store, where whoever copies the store copies its key; nothing was changed: name a "
            "file on another disk, or in another folder that is not backed up with the store."
        )
    try:
        line = _read(path).split() if path.exists() and path.stat().st_size else None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be the key file ({error.strerror}); nothing was changed: name another file."
        ) from None
    if line is not None:
        if len(line) != 3 or line[0] != _LINE_MARK or not _ID.fullmatch(line[1]):
            raise UsageError(
                f"{path} is there already and holds something else; nothing was changed: name another file."
            )
        key_id = bytes.fromhex(line[1])
        return InFile(key_id, path), _parsed(" ".join(line), key_id, database, str(path))
    kept, key = InFile(key_id, path), random(KEY_BYTES)
    kept.keep(key)
    return kept, key


_ID: Final = re.compile(f"[0-9a-f]{{{2 * KEY_ID_BYTES}}}")


def _read(path: Path) -> str:
    """Return what a file holds, and make it private if that begins like a key. Any other file is somebody else's."""
    with path.open("rb") as file:
        line = file.read(1_024).decode("ascii", errors="replace").strip()
        if line.startswith(_LINE_MARK):
            mend_open_file(path, file.fileno())
        return line


def _line(key_id: bytes, key: bytes) -> str:
    return f"{_LINE_MARK} {key_id.hex()} {base64.b64encode(key).decode('ascii')}"


def _parsed(line: str, key_id: bytes, database: Path, where: str) -> bytes:
    """Return the key in a line."""
    mark, _, rest = line.strip().partition(" ")
    found_id, _, encoded = rest.partition(" ")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if mark != _LINE_MARK or len(key) != KEY_BYTES:
        raise StoreKeyError(str(database), f"what {where} holds as its key is damaged", "put it back from a backup")
    if found_id != key_id.hex():
        raise StoreKeyError(
            str(database), f"{where} holds the key of another store", f"set {VARIABLE} to the file with the right one"
        )
    return key
