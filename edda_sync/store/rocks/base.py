"""What lies below the layers: what RocksDB has, nothing yet, or something that does not fit the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from edda_sync.store.rocks import keys
from edda_sync.store.rocks.layers import Entry, Name
from edda_sync.store.seams.states import TailEdit
from edda_sync.words.errors import EddaError


class Table(Protocol):
    """Keys and values that do not change."""

    @property
    def key_id(self) -> bytes:
        """The id of the data key under which they are sealed in the files; empty if they are plain there."""
        ...

    def get(self, wanted: list[bytes]) -> list[bytes | None]:
        """Return the values of some keys; None for each that is missing."""
        ...

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield the keys that begin with a prefix, at least its first byte, and their values, in order, from a key on."""
        ...

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every key and value, except the mark, in an order of its own."""
        ...


class Nothing:
    """A table before the first settlement."""

    key_id = b""

    def get(self, wanted: list[bytes]) -> list[bytes | None]:
        """Return that nothing is there."""
        return [None] * len(wanted)

    def scan(self, _prefix: bytes, _start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield nothing."""
        return iter(())

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield nothing."""
        return iter(())


class Lost:
    """
    A table that is not there, or is another one. The error is raised only where something of it is asked for: what is known
    without it can be used, and a store that folds everything again does not need it.

    Args:
        error: What is wrong.
    """

    def __init__(self, error: EddaError) -> None:
        self._error = error

    @property
    def key_id(self) -> bytes:
        """Raise the error: nobody may write into a folder of which this is not known."""
        raise self._error

    def get(self, wanted: list[bytes]) -> list[bytes | None]:
        """Raise the error."""
        if not wanted:
            return []
        raise self._error

    def scan(self, _prefix: bytes, _start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Raise the error."""
        raise self._error

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        """Raise the error."""
        raise self._error


class Base:
    """
    The states and texts of a table.

    Args:
        table: The table.
        token: The token of the settlement that made it.
        upto: The number of the last row of ``_pending`` that it contains.
    """

    def __init__(self, table: Table, token: bytes, upto: int) -> None:
        self.table, self.token, self.upto = table, token, upto

    def entries(self, wanted: Sequence[bytes]) -> dict[bytes, Entry]:
        """Return the states of those entities that are there."""
        if not wanted:
            return {}
        values = self.table.get([keys.STATES + key for key in wanted])
        return {key: keys.entry(key, value) for key, value in zip(wanted, values, strict=True) if value is not None}

    def scan(self, prefix: bytes = b"", start: bytes = b"") -> Iterator[tuple[bytes, Entry]]:
        """Yield the states of the entities whose keys begin with a prefix, in order, from a key on."""
        for key, value in self.table.scan(keys.STATES + prefix, keys.STATES + start):
            yield key[1:], keys.entry(key[1:], value)

    def text(self, entity: bytes, name: Name) -> tuple[int, bytes] | None:
        """Return a text: the serial number of the last edit that is part of its state, and the state."""
        (value,) = self.table.get([keys.TEXTS + keys.text(entity, name)])
        if value is None:
            return None
        return int.from_bytes(value[: keys.NUMBER_BYTES], "big"), value[keys.NUMBER_BYTES :]

    def edits(self, entity: bytes, name: Name, after: int = -1) -> list[TailEdit]:
        """Return the edits of a text after one of them."""
        prefix = keys.EDITS + keys.text(entity, name)
        found = self.table.scan(prefix, prefix + keys.number(after + 1))
        return [keys.edited(key, value) for key, value in found]

    def texts(self, entity: bytes = b"") -> Iterator[tuple[bytes, str, bytes]]:
        """Yield the entity, field and genesis of each text, in order: all, or those of an entity."""
        for key, _ in self.table.scan(keys.TEXTS + entity):
            yield keys.named(key)

    def marked(self, letter: bytes, prefix: bytes = b"") -> Iterator[bytes]:
        """Yield the entities with a mark (``keys.HIDDENS`` or ``CONFLICTS``) whose keys begin with a prefix, in order."""
        for key, _ in self.table.scan(letter + prefix):
            yield key[1:]

    def ending(self, last: bytes) -> Iterator[bytes]:
        """Yield the entities whose ids end with three bytes, in order."""
        prefix = keys.ENDINGS + last
        for key, _ in self.table.scan(prefix):
            yield key[len(prefix) :]
