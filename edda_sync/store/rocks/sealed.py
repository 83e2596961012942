"""
Sealed folders: keys and values of RocksDB under a data key of an encrypted store.

    value      sealed (``sealing.seal``) under the key for ``rocksdb values``; it is about its key. Empty ones stay empty.
    entity     in each key, the 16 bytes of an entity's id are one block of AES-256 under the key for ``rocksdb keys``; the
               byte of its kind stays. So are the last three bytes of an id in a key of the short ids, filled up to a block.

An id may follow from words: that of a tag does, by a hash that everybody can compute, so somebody who guesses the tag would
find its id. A block cipher hides each id as a whole, and is one to one, so nothing has to be kept beside it. (ECB is that
block cipher. What makes it a bad mode for texts, that equal blocks stay equal, is what a key needs.) What is left to be seen
is in docs/encryption.md.

A folder is sealed under one data key, whose id is in its mark, or not at all. It is never changed into another kind: a
settlement makes a new folder (``settling``), also when the data key was replaced.

The ids are in another order in the files than outside. So what is wanted in the order of entities is found first, and read
then. That order is kept as long as the folder is open, in 17 bytes for each entity.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, TypeVar

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

from edda_sync.sealing.datakeys import DataKey, DataKeys
from edda_sync.sealing.kdf import purpose_key
from edda_sync.sealing.seal import Sealer
from edda_sync.store.rocks import keys
from edda_sync.store.rocks.base import Table
from edda_sync.words.config import EncryptionAlgorithm
from edda_sync.words.errors import CorruptError, LostStatesError

T = TypeVar("T")

VALUES: Final = "rocksdb values"
KEYS: Final = "rocksdb keys"
_BLOCK_BYTES: Final = 16
_ENTITY: Final = slice(1, 1 + keys.KEY_BYTES)
_MARKS: Final = (keys.HIDDENS, keys.CONFLICTS)  # whose keys are an entity's, and whose values are empty
_CHUNK: Final = 500


class Keys(Protocol):
    """What is asked of ``sqlite.keyed.FileKeys``."""

    def latest(self) -> DataKeys: ...


class Code:
    """
    Seals keys and values under one data key, and opens them.

    Args:
        key: The data key.
        algorithm: The cipher for the values that are sealed from now on.

    Attributes:
        key_id: The id of the data key.
    """

    def __init__(self, key: DataKey, algorithm: EncryptionAlgorithm) -> None:
        self.key_id = key.id
        self._sealer = Sealer(algorithm, {key.id: purpose_key(key.key, VALUES)}, key.id)
        self._ids = Cipher(AES256(purpose_key(key.key, KEYS)), ECB())  # noqa: S305 - see above

    def key(self, plain: bytes) -> bytes:
        """Return a key, or the beginning of one with a whole entity or a whole ending, as it is in the files."""
        return self.all_keys([plain])[0]

    def all_keys(self, plain: list[bytes]) -> list[bytes]:
        """Return what :meth:`key` returns, for many."""
        blocks = b"".join(map(_blocks, plain))
        coded, at = self._ids.encryptor().update(blocks), 0
        made = []
        for key in plain:
            count = len(_blocks(key))
            made.append(_with_blocks(key, coded[at : at + count]))
            at += count
        return made

    def plain_keys(self, coded: list[bytes]) -> list[bytes]:
        """Return keys from the files as they were before :meth:`key`."""
        places = [2 + _BLOCK_BYTES * _is_ending(each) for each in coded]  # where in each key an entity's id begins
        ends = [at + _BLOCK_BYTES for at in places]
        blocks = b"".join(each[at:end] for each, at, end in zip(coded, places, ends, strict=True))
        ids = self._ids.decryptor().update(blocks)
        made = []
        for number, (key, at, end) in enumerate(zip(coded, places, ends, strict=True)):
            entity = key[at - 1 : at] + ids[number * _BLOCK_BYTES : (number + 1) * _BLOCK_BYTES]
            made.append(keys.ending(entity) if _is_ending(key) else key[:1] + entity + key[end:])
        return made

    def seal(self, key: bytes, value: bytes) -> bytes:
        """Return the value under a key, sealed."""
        return self._sealer.seal(value, key) if value else b""

    def open(self, key: bytes, sealed: bytes) -> bytes:
        """
        Return the value under a key, opened.

        Raises:
            CorruptError: It is not what was sealed under this key.
        """
        return self._sealer.unseal(sealed, key, "A value of RocksDB") if sealed else b""


def _is_ending(key: bytes) -> bool:
    return key[:1] == keys.ENDINGS


def _blocks(key: bytes) -> bytes:
    """Return what of a key is hidden: blocks of 16 bytes."""
    if _is_ending(key):
        return key[1:4].ljust(_BLOCK_BYTES, b"\0") + key[5:21]
    return key[2:18]


def _with_blocks(key: bytes, coded: bytes) -> bytes:
    """Return a key with its hidden blocks in place of what they hide."""
    if _is_ending(key):
        return key[:1] + coded[:_BLOCK_BYTES] + key[4:5] + coded[_BLOCK_BYTES:]
    return key[:2] + coded + key[18:]


class Seals:
    """
    How the RocksDB folders of an encrypted store are sealed.

    Args:
        keys: The data keys of the store.
        algorithm: The cipher for the values that are sealed from now on.
    """

    def __init__(self, keys: Keys, algorithm: EncryptionAlgorithm) -> None:
        self._keys, self._algorithm = keys, algorithm
        self._codes: dict[bytes, Code] = {}

    def current(self) -> Code:
        """Return how a new folder is sealed: under the newest data key."""
        return self._code(self._keys.latest().current)

    def of(self, key_id: bytes) -> Code | None:
        """Return how a folder is sealed, by the id of its data key; None if there is no such key any more."""
        if key_id in self._codes:
            return self._codes[key_id]
        found = next((each for each in self._keys.latest().keys if each.id == key_id), None)
        return None if found is None else self._code(found)

    def _code(self, key: DataKey) -> Code:
        if key.id not in self._codes:
            self._codes[key.id] = Code(key, self._algorithm)
        return self._codes[key.id]


class SealedTable:
    """
    Implementation of ``base.Table`` for a folder that is sealed.

    Args:
        table: What is in its files.
        code: How it is sealed.
        path: The folder, for errors.
    """

    def __init__(self, table: Table, code: Code, path: Path) -> None:
        self._table, self._code, self._path = table, code, path
        self.key_id = code.key_id
        self._order: bytes | None = None  # the keys of all entities with a state, in order, one after the other

    def get(self, wanted: list[bytes]) -> list[bytes | None]:
        """Return the values of some keys; None for each that is missing."""
        found = self._table.get(self._code.all_keys(wanted))
        return [None if value is None else self._open(key, value) for key, value in zip(wanted, found, strict=True)]

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys that begin with a prefix, and their values, in order, from a key on."""
        letter = prefix[:1]
        if letter == keys.ENDINGS or len(prefix) > keys.KEY_BYTES:
            yield from self._plain(self._table.scan(self._code.key(prefix), self._code.key(start) if start else b""))
            return
        entities = self._entities(prefix, start)
        if letter in _MARKS:
            yield from ((letter + entity, b"") for entity in entities)
        elif letter == keys.STATES:
            for some in _chunks(entities):
                wanted = [letter + entity for entity in some]
                for key, value in zip(wanted, self.get(wanted), strict=True):
                    if value is not None:
                        yield key, value
        else:
            for entity in entities:
                yield from self.scan(letter + entity)

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key and value, except the mark, in an order of its own."""
        return self._plain(self._table.everything())

    def _plain(self, found: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        for some in _chunks(found):
            plain = self._code.plain_keys([key for key, _ in some])
            for key, (_, value) in zip(plain, some, strict=True):
                yield key, self._open(key, value)

    def _entities(self, prefix: bytes, start: bytes) -> Iterator[bytes]:
        """Yield the entities that have a key with a letter and perhaps a kind, in order, from a key on."""
        letter = prefix[:1]
        if letter == keys.STATES and self._order is None:
            self._order = self._ordered(letter)
        order = self._order if letter == keys.STATES else None
        order = self._ordered(letter) if order is None else order
        first = max(prefix[1:], start[_ENTITY])
        is_after = len(start) > 1 + keys.KEY_BYTES  # behind an entity's own key
        count = len(order) // keys.KEY_BYTES

        def entity(number: int) -> bytes:
            return order[number * keys.KEY_BYTES : (number + 1) * keys.KEY_BYTES]

        at = bisect_left(range(count), first, key=entity)
        for number in range(at, count):
            found = entity(number)
            if not found.startswith(prefix[1:]):
                return
            if not (is_after and found == first):
                yield found

    def _ordered(self, letter: bytes) -> bytes:
        found: set[bytes] = set()
        for some in _chunks(self._table.scan(letter)):
            found.update(key[_ENTITY] for key in self._code.plain_keys([key for key, _ in some]))
        return b"".join(sorted(found))

    def _open(self, key: bytes, value: bytes) -> bytes:
        try:
            return self._code.open(key, value)
        except CorruptError:
            raise LostStatesError(str(self._path), "a value is not what was sealed") from None


def _chunks(found: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(found)
    while some := list(islice(rest, _CHUNK)):
        yield some
