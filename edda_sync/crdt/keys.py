"""Keys under which a store keeps entities: the kind, then the id, so that the entities of a kind are stored together."""

from __future__ import annotations

from typing import Final

from edda_sync.words import values
from edda_sync.words.errors import CorruptError
from edda_sync.words.model import KINDS

_NUMBER: Final = {kind: bytes((number,)) for number, kind in enumerate(KINDS)}


def key_of(kind: str, entity_id: bytes) -> bytes:
    """Return the key of an entity in a store: the number of its kind, then its id."""
    return _NUMBER[kind] + entity_id


def kind_and_id(key: bytes) -> tuple[str, bytes]:
    """
    Return the kind and the id from a key that :func:`key_of` made.

    Raises:
        CorruptError: These bytes are not such a key.
    """
    try:
        return KINDS[key[0]], key[1:]
    except IndexError:
        raise CorruptError(f"an entity's key ({key.hex()})") from None


def id_text_of(key: bytes) -> str:
    """Return the id in a key, as text."""
    return values.id_text(kind_and_id(key)[1])
