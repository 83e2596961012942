"""
Key files: the small file beside an encrypted store, ``edda.db-key``, which holds its data keys, sealed by a wrapping key.

It is JSON, readable for a person, and holds nothing secret. It has to be copied with the store. It says where the wrapping
key is kept, and for each data key its id, the time when it was made, the salt with which a database begins that is encrypted
with it, and the key itself, sealed (see ``seal``). The last key is used for what is written from now on. Older ones open an
older copy of the database that was put back, and what was sealed before.

While the data key is replaced, the file has the new key already, and the database may still have the one before it. The salt
at the beginning of the database says which of them it is.

Source of the idea: envelope encryption, as in NIST SP 800-57 part 1, 5.3.5 and 6.2.2 (key wrapping).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edda_sync.sealing import wrapping
from edda_sync.sealing.seal import KEY_ID_BYTES
from edda_sync.sealing.wrapping import Wrapping
from edda_sync.words import files, limits
from edda_sync.words.errors import CorruptError, StoreKeyError
from edda_sync.words.files import disk_error, mend_open_file, opener, replace_file, sync_folder

FORMAT: Final = 1
SUFFIX: Final = "-key"
SALT_BYTES: Final = 16
_PUT_BACK: Final = "put it back from a backup of this folder; without it nobody can read the store"


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """
    A data key, sealed by a wrapping key.

    Attributes:
        id: Its id, 8 bytes.
        made: When it was made, RFC 3339.
        salt: The first bytes of a database that is encrypted with it, 16 bytes.
        sealed: The key, sealed.
    """

    id: bytes
    made: str
    salt: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class KeyFile:
    """
    What a key file holds. :func:`load` reads it, and :func:`save` writes it.

    Attributes:
        wrapping: Where the wrapping key is kept.
        keys: The data keys, oldest first; at least one.
    """

    wrapping: Wrapping
    keys: tuple[WrappedKey, ...]


def path_of(database: Path) -> Path:
    """Return where the key file of a store's file lies: beside it."""
    return Path(f"{database}{SUFFIX}")


def load(database: Path) -> KeyFile:
    """
    Read the key file of a store.

    Args:
        database: The store's file.

    Raises:
        StoreKeyError: It is missing, damaged, or of a newer version.
        NotPrivateError: Others can read it, and that cannot be changed.
    """
    path = path_of(database)
    try:
        with open(path, "rb", opener=opener) as file:
            mend_open_file(path, file.fileno())
            raw = file.read(limits.KEY_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        raise StoreKeyError(str(database), f"its key file {path.name} is missing", _PUT_BACK) from None
    except OSError as error:
        raise disk_error(path, error) from None
    try:
        return decode(raw, str(database))
    except CorruptError:
        raise StoreKeyError(str(database), f"its key file {path.name} is damaged", _PUT_BACK) from None


def save(database: Path, content: KeyFile) -> None:
    """
    Write the key file of a store, whole or not at all. It is on disk when this returns.

    Raises:
        StorageError: It cannot be written; the former one is still there.
    """
    path, encoded = path_of(database), encode(content)
    try:
        replace_file(path, lambda file: file.write(encoded))
    except OSError as error:
        raise disk_error(path, error) from None


def copy(database: Path, other: Path) -> None:
    """
    Copy the key file of a store, if it has one, beside the file to which the store will be moved.

    Raises:
        StorageError: It cannot be written.
    """
    try:
        raw = path_of(database).read_bytes()
    except FileNotFoundError:
        return
    try:
        replace_file(path_of(other), lambda file: file.write(raw))
    except OSError as error:
        raise disk_error(path_of(other), error) from None


def put_aside(database: Path) -> Path | None:
    """
    Rename the key file of a store that is plain now, and return its new name; None if there is none.

    It stays, since older copies of the store need it.

    Raises:
        StorageError: It cannot be renamed.
    """
    path, number = path_of(database), 1
    while (aside := Path(f"{path}-before-{number}")).exists():
        number += 1
    try:
        path.rename(aside)
        sync_folder(path.parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise disk_error(path, error) from None
    return aside


def locked(database: Path) -> AbstractContextManager[None]:
    """Let only one process at a time change the key file of a store, in a ``with`` block. Others wait."""
    return files.locked(database.parent)


def encode(content: KeyFile) -> bytes:
    """Return the bytes of a key file."""
    keys = [
        {
            "id": each.id.hex(),
            "made": each.made,
            "salt": each.salt.hex(),
            "sealed": base64.b64encode(each.sealed).decode(),
        }
        for each in content.keys
    ]
    whole = {"format": FORMAT, "wrapping": content.wrapping.record(), "keys": keys}
    return json.dumps(whole, indent=1).encode() + b"\n"


def decode(raw: bytes, database: str) -> KeyFile:
    """
    Return what :func:`encode` wrote. Nothing in it is trusted: every length and number is checked.

    Args:
        raw: The bytes.
        database: The store's file, for errors.

    Raises:
        CorruptError: They are no key file.
        StoreKeyError: A newer version wrote them.
    """
    try:
        found = json.loads(raw) if len(raw) <= limits.KEY_FILE_BYTES_MAX else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or type(found.get("format")) is not int:
        raise CorruptError(database)
    if found["format"] > FORMAT:
        raise StoreKeyError(database, "a newer edda wrote its key file", "update edda-sync")
    try:
        keys = tuple(_decoded(each, database) for each in found["keys"])
        kept = wrapping.read(found["wrapping"], database)
    except (KeyError, TypeError, ValueError):
        raise CorruptError(database) from None
    if not 1 <= len(keys) <= limits.DATA_KEYS_MAX or len({each.id for each in keys}) < len(keys):
        raise CorruptError(database)
    return KeyFile(kept, keys)


def _decoded(found: Mapping[str, Any], database: str) -> WrappedKey:
    try:
        sealed = base64.b64decode(found["sealed"], validate=True)
    except binascii.Error:
        raise CorruptError(database) from None
    made = WrappedKey(bytes.fromhex(found["id"]), found["made"], bytes.fromhex(found["salt"]), sealed)
    if len(made.id) != KEY_ID_BYTES or len(made.salt) != SALT_BYTES or not isinstance(made.made, str):
        raise CorruptError(database)
    return made
