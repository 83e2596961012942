"""Keys: under which bytes a store keeps an entity. They are kind and id, so that a kind's entities lie together."""

from __future__ import annotations

from typing import Final

from edda_sync.words.errors import CorruptError
from edda_sync.words.model import KINDS

_NUMBER: Final = {kind: bytes((number,)) for number, kind in enumerate(KINDS)}


def key_of(kind: str, entity_id: bytes) -> bytes:
    """Return the key of an entity in a store: the kind's number, then the id, so that a kind's entities lie together."""
    return _NUMBER[kind] + entity_id


def kind_and_id(key: bytes) -> tuple[str, bytes]:
    """
    Return what :func:`key_of` made a key of.

    Raises:
        CorruptError: It is none.
    """
    try:
        return KINDS[key[0]], key[1:]
    except IndexError:
        raise CorruptError(f"an entity's key ({key.hex()})") from None
