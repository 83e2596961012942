"""
Targets: places where backups lie. A target keeps objects, each a key and some bytes, and needs to know nothing of them.

All objects but a few small ones are immutable, and their keys contain the hash of what they hold. So writing one again
does no harm, and two devices that write to one place do not disturb each other. Each device writes only below its own
prefix what is not named by its hash; so no target needs to know conditions.

Kinds of targets are in ``targets``, and all of them pass one contract suite
(``tests/backup/targets/test_contract.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, Protocol

from edda_sync.words.errors import InvalidValueError, LimitError
from edda_sync.words.limits import OBJECT_BYTES_MAX

_KEY: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]*(/[a-z0-9_-][a-z0-9._-]*)*")
_KEY_CHARACTERS_MAX: Final = 512  # S3 takes 1,024, with the prefix of the target before it


class Listed(NamedTuple):
    """
    An object, as a target lists it.

    Attributes:
        key: Its key.
        size: Its size in bytes.
        modified_s: When it was written, in seconds since 1970, by the target's clock.
    """

    key: str
    size: int
    modified_s: float


class Target(Protocol):
    """
    A place for objects. Keys are relative, see :func:`check_key`; no key is another one with more behind a ``/``.

    What was written is there, and listed, when ``put`` returns. Of two writers of one key, one wins, and nobody sees a
    part. Methods may be called from several threads. None waits for longer than ``limits.TARGET_ANSWER_S`` and what the
    size of the object needs at ``limits.TARGET_BYTES_S_MIN``.

    Attributes:
        name: What people call it.
    """

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """
        Write an object, whole or not at all, durably. An object with this key is replaced.

        Raises:
            TargetError: It could not be written, or nobody knows whether it was: writing it again does no harm.
            LimitError: It is longer than ``limits.OBJECT_BYTES_MAX``.
        """
        ...

    def get(self, key: str) -> bytes:
        """
        Return an object.

        Raises:
            NoObjectError: There is none.
            DamagedBackupError: It is longer than ``limits.OBJECT_BYTES_MAX``.
            TargetError: It could not be read.
        """
        ...

    def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """
        Yield the objects whose keys begin with a prefix, in order of their keys. What others keep there is left out.

        Args:
            prefix: Ends with ``/``.
            after: Only keys beyond this one.

        Raises:
            TargetError: It could not be listed.
        """
        ...

    def delete(self, key: str) -> None:
        """
        Delete an object. It does not matter whether there is one.

        Raises:
            TargetError: It could not be deleted.
        """
        ...


def is_key(text: str) -> bool:
    """Tell whether a text can be the key of an object."""
    return len(text) <= _KEY_CHARACTERS_MAX and _KEY.fullmatch(text) is not None


def check_key(key: str) -> str:
    """
    Return a key: parts of ``a-z 0-9 . - _``, with ``/`` between them, none of which begins with a dot.

    Raises:
        InvalidValueError: It is none. A key that names another folder, such as ``../x``, is not used anywhere.
    """
    if not is_key(key):
        raise InvalidValueError("key", "is no key of an object at a backup target", key)
    return key


def check_prefix(prefix: str) -> str:
    """
    Return a prefix of keys, which ends with ``/``.

    Raises:
        InvalidValueError: It is none.
    """
    check_key(prefix.removesuffix("/") if prefix.endswith("/") else "/")
    return prefix


def check_size(size: int) -> None:
    """Raise LimitError if an object is too large."""
    if size > OBJECT_BYTES_MAX:
        raise LimitError("an object at a backup target", size, OBJECT_BYTES_MAX)
