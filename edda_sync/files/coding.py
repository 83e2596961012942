"""
Coding: under which names a chunk may lie on disk, and as which bytes.

A chunk of a plain store lies under its hash, packed (``packing``). In an encrypted store both would tell somebody who has
the disk which known files are here. So the packed chunk is sealed, and the name of its file is its hash, sealed, each under
keys of its own that follow from the store's data key. Whoever has the keys gets the hash back from the name of the file.

Each data key has its own names. So a file's name says under which key it is sealed; while the key is replaced, a chunk lies
under its former name or under its new one, and for a moment under both (``recoding``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

from edda_sync.crdt.attachments import HASH_BYTES
from edda_sync.files.packing import SEALED
from edda_sync.sealing.names import NAME_TAG_BYTES
from edda_sync.words.errors import StorageError

if TYPE_CHECKING:
    from edda_sync.sealing.datakeys import DataKeys, FollowedKeys
    from edda_sync.sealing.names import NameSealer
    from edda_sync.sealing.seal import Sealer
    from edda_sync.words.config import EncryptionAlgorithm

CONTENT: Final = "attached files"
"""The purpose of the keys that seal chunks."""
NAMES: Final = "names of attached files"
"""The purpose of the keys that seal the names of their files."""
_HEX: Final = frozenset("0123456789abcdef")
_PLAIN_DIGITS: Final = 2 * HASH_BYTES
_SEALED_DIGITS: Final = 2 * (HASH_BYTES + NAME_TAG_BYTES)


class Coding(Protocol):
    """How chunks lie on disk. Its methods may be called from several threads."""

    @property
    def seals(self) -> bool:
        """Whether what is written is sealed."""
        ...

    def digits(self, name: bytes) -> Iterator[str]:
        """Yield the names of files under which a chunk may lie, in hexadecimal digits: the one for writing first."""
        ...

    def name(self, digits: str) -> bytes | None:
        """Return the name of the chunk in a file, by the file's name; None if it is no name of a file of chunks."""
        ...

    def encode(self, name: bytes, packed: bytes) -> bytes:
        """Return the content of the file that :meth:`digits` yields first, for a packed chunk."""
        ...

    def decode(self, name: bytes, content: bytes) -> bytes | None:
        """Return the packed chunk of a file; None if the content is not what was written."""
        ...

    def look(self) -> bool:
        """Tell whether another process has replaced the key. Then a chunk may lie under a name that was not yielded yet."""
        ...


def is_sealed(digits: str) -> bool:
    """Tell whether a chunk is sealed, by the name of its file."""
    return len(digits) == _SEALED_DIGITS


def is_name(digits: str) -> bool:
    """Tell whether a file may be one of a chunk, by its name."""
    return len(digits) in (_PLAIN_DIGITS, _SEALED_DIGITS) and _HEX.issuperset(digits)


class Plain:
    """Implementation of :class:`Coding` for plain stores."""

    seals = False

    def digits(self, name: bytes) -> Iterator[str]:
        yield name.hex()

    def name(self, digits: str) -> bytes | None:
        return bytes.fromhex(digits) if is_name(digits) and not is_sealed(digits) else None

    def encode(self, name: bytes, packed: bytes) -> bytes:
        return packed

    def decode(self, name: bytes, content: bytes) -> bytes | None:
        return content

    def look(self) -> bool:
        return False


class Sealed:
    """
    Implementation of :class:`Coding` for stores that have a key file. What is plain is read, too: a store is only converted
    step by step.

    Args:
        keys: The data keys of the store. They are read when they are needed first.
        algorithm: The cipher for what is sealed from now on.
        seals: Whether what is written is sealed; False in a store that is plain, or becomes so.
    """

    def __init__(self, keys: FollowedKeys, algorithm: EncryptionAlgorithm, *, seals: bool = True) -> None:
        self.seals = seals
        self._keys, self._algorithm = keys, algorithm
        self._of_keys = lru_cache(maxsize=1)(self._made)  # until another process replaces them

    def digits(self, name: bytes) -> Iterator[str]:
        if not self.seals:
            yield name.hex()
        yield from (each.seal(name).hex() for each in self._sealers()[0])
        if self.seals:
            yield name.hex()

    def name(self, digits: str) -> bytes | None:
        if not is_name(digits):
            return None
        if not is_sealed(digits):
            return bytes.fromhex(digits)
        found = (each.unseal(bytes.fromhex(digits)) for each in self._sealers()[0])
        return next((name for name in found if name is not None), None)

    def encode(self, name: bytes, packed: bytes) -> bytes:
        return SEALED + self._sealers()[1].seal(packed, name) if self.seals else packed

    def decode(self, name: bytes, content: bytes) -> bytes | None:
        if content[:1] != SEALED:
            return content
        try:
            return self._sealers()[1].unseal(content[1:], name, "A part of an attached file")
        except StorageError:
            return None

    def look(self) -> bool:
        return self._keys.look()

    def _sealers(self) -> tuple[list[NameSealer], Sealer]:
        return self._of_keys(self._keys.data)

    def _made(self, keys: DataKeys) -> tuple[list[NameSealer], Sealer]:
        return keys.name_sealers(NAMES), keys.sealer(CONTENT, self._algorithm)
